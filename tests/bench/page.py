"""Make ``docs/speed.md`` from what was measured: ``python -m tests.bench.page``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.bench.kept import Table, load

PAGE = Path(__file__).parents[2] / "docs/speed.md"
WIDTH = 40  # of the longest bar
HEAD = """\
# What a run costs

Written by `make bench ARGS="{arguments}"` and
`.venv/bin/python -m tests.bench.page`. Medians of {rounds} rounds in which the cases took turns, on
{day}: {machine}; {versions}. Every sshd, and each side, is on that machine; a round trip is made by
a relay. Only the ratios travel.

*s* is the whole process, *x floor* how often that is the first row of the table; *processes* were
started on both sides together; *commands* are those that ran over SSH.
"""
ARGUMENTS = "--rtt 0 --rtt 20 --rtt 100 --hosts 1 --hosts 10 --hosts 50 --hosts 100 --keep"


def page() -> str:
    """The text of the page."""
    made, tables = load()
    versions = ", ".join(f"{name} {number}" for name, number in made["versions"].items())
    text = HEAD.format(
        arguments=ARGUMENTS,
        rounds=made["rounds"],
        day=made["day"],
        machine=made["machine"],
        versions=versions,
    )
    return text + "".join(line + "\n" for table in tables for line in _part(table))


def _part(table: Table) -> Iterator[str]:
    yield ""
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
