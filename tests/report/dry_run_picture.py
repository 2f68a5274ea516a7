"""``uv run --group pictures python -m tests.report.dry_run_picture``: a real dry run as a picture.

Runs ``deploy.py --dry`` on a fresh sandbox at a terminal of 80 columns, and writes what is on it to
docs/pictures/dry-run.svg. Only the place of the journal is made that of a home. Needs ``rich``.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from tests.conftest import PROJECT

PICTURE = PROJECT / "docs/pictures/dry-run.svg"
COMMAND = (".venv/bin/pyinfra", "inventory/sandbox.py", "deploy.py", "--dry")
COLUMNS = 80
#: A little more than the terminal: what must never be broken may be longer than its lines.
WIDTH = 92
#: rich's picture without the font that it would fetch: nothing is loaded from elsewhere.
FORM = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px "Fira Code", ui-monospace, monospace;
font-variant-east-asian: full-width; }}
{styles}
</style>
<defs>{lines}</defs>
<rect fill="#1b1f24" width="{width}" height="{height}" rx="8"/>
<g transform="translate({terminal_x}, {terminal_y})">{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


def at_a_terminal(state: Path) -> str:
    """What the command prints at a terminal."""
    person, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (60, COLUMNS))
    environment = {
        **os.environ,
        "TERM": "xterm-256color",
        "PYINFRA_PROGRESS": "off",
        "SANDBOX": str(state / "sandbox"),
        "XDG_STATE_HOME": str(state / ".local/state"),
    }
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        COMMAND, cwd=PROJECT, env=environment, stdout=terminal, stderr=terminal, stdin=terminal
    )
    os.close(terminal)
    said = b""
    try:
        while part := os.read(person, 65536):
            said += part
    except OSError:  # Linux: the other side was closed
        pass
    os.close(person)
    if process.wait() != 2:
        sys.exit(said.decode())
    kept = re.sub(r"[^\n]*\r\x1b\[K", "", said.decode())  # what was waited for is gone again
    return kept.replace("\r\n", "\n").replace(str(state), "/home/you")


def main() -> None:
    from rich.console import Console
    from rich.text import Text

    with tempfile.TemporaryDirectory() as directory:
        said = at_a_terminal(Path(directory))
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, highlight=False)
        console.print(Text("$ " + " ".join(COMMAND), style="bold"))
        console.print(Text.from_ansi(said.strip()))
        svg = console.export_svg(
            title="a dry run on the sandbox", code_format=FORM, unique_id="dry-run"
        )
    PICTURE.write_text(svg, encoding="utf-8")
    print(PICTURE)


if __name__ == "__main__":
    main()
