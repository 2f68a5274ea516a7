"""docs/exit-codes.md, from the table in converge/exits.py. ``python -m tests.run.exits_page``."""

from __future__ import annotations

import textwrap

from converge.exits import Exit, Outcome
from tests.conftest import PROJECT

PAGE = PROJECT / "docs" / "exit-codes.md"
HEAD = """\
# Words and exit codes

The last line of a run is `WORD (exit CODE)`. The journal, the report and JUnit have the same word.
It claims what was looked at and nothing more; what is pending or not known is named above it.
Over several workspaces the worst one decides: 4, 130, 1, 3, 5, 6, 7, 2, 0.

This page is made from `converge/exits.py`.
"""
END = """\

## What cannot be reached

An environment in which the project is not installed (`pip install pyinfra` alone) has no file of
ours that Python reads before pyinfra does. There a mistyped option ends with click's 2, another
directory and a missing deploy file with pyinfra's 1; all else ends as above. `make` and `uv sync`
install the project. Ctrl-C while Python itself starts, before its first module, ends with Python's
own code.
"""


def page() -> str:
    lines = [HEAD]
    for code in Exit:
        lines += [f"## {int(code)}: {code.meaning}", ""]
        for outcome in (one for one in Outcome if one.exit is code and one.verbs):
            verbs = "every command" if len(outcome.verbs) > 8 else ", ".join(outcome.verbs)
            lines += textwrap.wrap(
                f"- **{outcome}**: {outcome.sentence} ({verbs}).",
                99,
                subsequent_indent="  ",
                break_on_hyphens=False,
            )
        lines.append("")
    return "\n".join(lines).rstrip() + "\n" + END


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
