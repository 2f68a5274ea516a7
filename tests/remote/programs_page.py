"""docs/programs.md: the programs on a workspace and the records of a journal, in the code's words.

``python -m tests.remote.programs_page`` writes it. In: the first sentence of each file in
``converge/remote/``, and the record kinds of the journal.
``tests/test_docs.py`` fails when the page is not what this makes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from converge.journal.form import about
from converge.journal.kinds import KINDS
from tests.conftest import PROJECT

PAGE = PROJECT / "docs" / "programs.md"
HEAD = """\
# Programs and records

Made by `.venv/bin/python -m tests.remote.programs_page`; not edited by hand. How the programs work
together, and which of them run as root: [how it works](how-it-works.md#programs-on-a-workspace).

## Programs on a workspace

POSIX shell in `converge/remote/`, in the words of each file's first sentence. Probes of one subject
lie in its room below `converge/subjects/`.

| program | what it does |
|---|---|
"""
JOURNAL = """
## Records of a journal

Fields are described in `schemas/journal.schema.json`, which is made from the same classes.

| record | when |
|---|---|
"""


def says(path: Path) -> str:
    """The first sentence of a program's first comment. Raises ``ValueError`` where it has none."""
    words: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.removeprefix("# ")
        if text == line or text.startswith(("shellcheck ", "usage: ")):
            break
        words.append(text)
    sentence = re.match(r"[A-Z].*?\.(?= |$)", " ".join(words))
    if not sentence:
        raise ValueError(f"{path.name} does not begin with a sentence")
    return sentence[0].removesuffix(".").replace("|", "\\\\|")


def page() -> str:
    return HEAD + "\n".join(programs()) + "\n" + JOURNAL + "\n".join(records()) + "\n"


def programs() -> Iterator[str]:
    for path in sorted((PROJECT / "converge/remote").iterdir()):
        if path.is_file():
            yield f"| `{path.name}` | {says(path)} |"


def records() -> Iterator[str]:
    for word, kind in KINDS.items():
        yield f"| `{word}` | {about(kind)} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
