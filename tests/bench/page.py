"""Make ``docs/speed.md`` from what was measured: ``python -m tests.bench.page``."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

from tests.bench.kept import Table, load

PAGE = Path(__file__).parents[2] / "docs/speed.md"
WIDTH = 40  # of the longest bar
COMMAND = """\
Written by

```text
{command}
.venv/bin/python -m tests.bench.page
```
"""
HOW = """\
Medians of {rounds} rounds in which the cases took turns, on {day}: {machine}; {versions}. Both
sides are on that machine, and a relay makes the round trip longer, so only the ratios travel.
A peer that takes long ran once, and only without a longer way.
"""
COLUMNS = """\
*s* is the whole process, *x floor* how often that is the first row of its table. *processes*: those
that both sides started. *commands*: those that ran over SSH. *kB*: on the way to the workspaces and
back.
"""


def page() -> str:
    """The text of the page."""
    made, tables = load()
    versions = ", ".join(f"{name} {number}" for name, number in made["versions"].items())
    command = textwrap.wrap(f'make bench ARGS="{made["arguments"]}"', 78)
    values = {**made, "versions": versions, "command": " \\\n    ".join(command)}
    parts = (
        "# What a run costs\n",
        COMMAND.format(**values),
        _filled(HOW.format(**values)),
        _filled(COLUMNS),
        *("".join(f"{line}\n" for line in _part(table)) for table in tables),
    )
    return "\n".join(parts)


def _filled(text: str) -> str:
    words = " ".join(text.split())
    return textwrap.fill(words, 100, break_long_words=False, break_on_hyphens=False) + "\n"


def _part(table: Table) -> Iterator[str]:
    yield f"## {table.title[0].upper()}{table.title[1:]}"
    yield ""
    yield from table.lines()
    yield ""
    yield "```text"
    longest = max(row.s for row in table.rows)
    names = [row.name.replace("*", "").replace("`", "") for row in table.rows]
    for name, row in zip(names, table.rows, strict=True):
        bar = "#" * max(1, round(WIDTH * row.s / longest))
        yield f"{name:<{max(map(len, names))}} {bar} {row.s:.2f} s"
    yield "```"


if __name__ == "__main__":
    PAGE.write_text(page())
