"""``python -m tests.proof.checks_page``: write docs/checks.md, every check and whose it is.

In: the checks (``converge.subjects.checks``) and the rows that name them. Nothing about a check is
written by hand there; ``tests/test_docs.py`` fails when the page is not what this makes.
"""

from __future__ import annotations

from collections.abc import Iterator

from converge.proof.check import When
from converge.setting import Phase
from converge.subjects.checks import ITEMS, PROOFS
from converge.subjects.settings import ALL
from tests.conftest import PROJECT
from tests.plan.settings_page import TITLES

PAGE = PROJECT / "docs" / "checks.md"
HEAD = """\
# Checks

Made from the checks of `converge/subjects/` by `.venv/bin/python -m tests.proof.checks_page`; not
edited by hand. What an effect means, and what undoes a change: [how it
works](how-it-works.md#checks). The settings of a check with their values: [settings](settings.md).
"""
WHEN = {
    When.BEFORE: "Before anything is written",
    When.ALWAYS: "At any time",
    When.AFTER: "Once its phase is in",
}


def items() -> Iterator[str]:
    """What is judged once for a workspace."""
    for when, title in WHEN.items():
        yield from ("", f"## {title}", "", "| check | what is looked at |", "|---|---|")
        for item in ITEMS:
            if item.when is when:
                yield f"| `{item.id}` | {item.title} |"


def proofs() -> Iterator[str]:
    """What is judged for each setting that names it."""
    for phase in Phase:
        head = "| check | what is looked at | settings |"
        yield from ("", f"## {TITLES[phase]}", "", head, "|---|---|---|")
        for proof in PROOFS:
            if proof.phase is phase:
                proved = ", ".join(f"`{row.id}`" for row in ALL if row.check == proof.id)
                yield f"| `{proof.id}` | {proof.title} | {proved} |"


def page() -> str:
    return "\n".join([HEAD.rstrip(), *items(), *proofs()]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
