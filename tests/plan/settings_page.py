"""``python -m tests.plan.settings_page``: write docs/settings.md, the plan's statements as a page.

In: the rows (``converge.subjects.settings.ALL``). Out: Markdown of at most 100 columns. Nothing
about a setting is written by hand there; ``tests/test_docs.py`` fails when the page is not what
this makes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from converge.setting import NEEDS, Phase, Risk, Setting, State
from converge.subjects.settings import ALL

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
WIDTH = 100
TITLES = {
    Phase.LIBRARIES: "Phase 1: libraries",
    Phase.RUNTIMES: "Phase 2: runtimes",
    Phase.ELECTRON: "Phase 3: applications",
    Phase.DESKTOP: "Phase 4: desktop",
    Phase.VIDEO: "Phase 5: video",
    Phase.MEMORY: "Memory and storage",
}
HEAD = """\
# Every statement of the plan

Made from the rows of `converge/subjects/` by `.venv/bin/python -m tests.plan.settings_page`; not
edited by hand.

*Applied*: as the plan has it. *Corrected*: in the form that has the wanted effect. *Withheld*:
dead, harmful or unproved; `--data include=<setting>` wants it all the same. *Offered*: ours, beyond
the plan; `--data include=<setting>`, or `include=offered` for all of them. *High risk* needs
`--data accept=<setting>`. What is marked *never* would stop a boot or the session, or there is
nothing that could be set: it cannot be forced.
"""


def wrapped(text: str, first: str, rest: str) -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def counts(settings: Iterable[Setting]) -> Iterator[str]:
    """A table: how many statements of each phase became what."""
    rows = tuple(settings)
    yield "| phase | " + " | ".join(state.value for state in State) + " |"
    yield "|---|" + "---|" * len(State)
    for phase, title in TITLES.items():
        numbers = (sum(1 for s in rows if s.phase is phase and s.state is state) for state in State)
        yield f"| {title} | " + " | ".join(map(str, numbers)) + " |"
    totals = (sum(1 for s in rows if s.state is state) for state in State)
    yield "| all | " + " | ".join(map(str, totals)) + " |"


def entry(setting: Setting) -> Iterator[str]:
    """The lines of one setting."""
    marks = [setting.state.value, setting.layer.value]
    if setting.risk is not Risk.LOW:
        marks.append(f"{setting.risk.value} risk")
    if not setting.forcible:
        marks.append("never")
    yield wrapped(f"**`{setting.id}`** ({', '.join(marks)}): {setting.title}", "- ", "  ")
    ours = setting.says.startswith("not in the plan")
    yield wrapped(
        setting.says[:1].upper() + setting.says[1:] if ours else f"Plan: {setting.says}",
        "  - ",
        "    ",
    )
    if setting.reason:
        yield wrapped(f"Because: {setting.reason}", "  - ", "    ")
    if setting.gain:
        yield wrapped(f"Gain: {setting.gain}", "  - ", "    ")
        yield wrapped(
            f"Evidence: {' '.join(f'<{link}>' for link in setting.evidence)}", "  - ", "    "
        )
    details = [f"Check `{setting.check}`"]
    if setting.claim:
        one = setting.claim
        details.append(f"claim {one.low:g} to {one.high:g} {one.unit} ({one.subject})")
    if setting.needs:
        details.append("not applicable where " + "; ".join(NEEDS[n] for n in sorted(setting.needs)))
    details += [f"no effect without `{name}`" for name in sorted(setting.rests_on)]
    yield wrapped(", ".join(details), "  - ", "    ")
    for fields in _variants(setting):
        yield wrapped(fields, "  - ", "    ")


def _variants(setting: Setting) -> Iterator[str]:
    """What is so on other machines; those with the same text together."""
    texts: dict[str, list[str]] = {}
    for fact in setting.variants:
        one = setting.on(frozenset({fact}))
        said = f"{one.title}. {one.reason}" if one.reason else one.title
        texts.setdefault(said, []).append(fact)
    for text, facts in texts.items():
        yield f"With {', '.join(f'`{fact}`' for fact in facts)}: {text}"


def page(settings: Iterable[Setting] = ALL) -> str:
    rows = tuple(settings)
    lines = [HEAD, *counts(rows)]
    for phase, title in TITLES.items():
        lines += ["", f"## {title}", ""]
        for setting in rows:
            if setting.phase is phase:
                lines += entry(setting)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
