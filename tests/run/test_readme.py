"""What the README shows is what the product prints."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from tests.conftest import PROJECT, Cli
from tests.report import dry_run_picture
from tests.tools import need


def shape(line: str) -> str:
    """A line without what differs from run to run: numbers, the id of the plan, widths."""
    line = re.sub(r"plan([ =])[0-9a-f]{12}", r"plan\1ID", line.replace("\xa0", " "))
    return " ".join(re.sub(r"[0-9]+", "N", line).split())


def in_the_picture() -> list[str]:
    """The lines of the picture: its texts, those of one height together."""
    lines: dict[str, str] = {}
    for text in ElementTree.parse(dry_run_picture.PICTURE).iter("{http://www.w3.org/2000/svg}text"):
        height = text.attrib["y"]
        lines[height] = lines.get(height, "") + "".join(text.itertext())
    return list(lines.values())


def test_the_picture_in_the_readme_is_what_a_dry_run_prints(cli: Cli) -> None:
    need("nix")
    need("chezmoi")
    cli.environment["SANDBOX"] = str(cli.directory / "sandbox")
    command, _, *shown = in_the_picture()
    assert shape(command) == shape("$ " + " ".join(dry_run_picture.COMMAND))
    assert dry_run_picture.PICTURE.relative_to(PROJECT).as_posix() in (
        PROJECT / "README.md"
    ).read_text(encoding="utf-8")
    out = cli(Path(dry_run_picture.COMMAND[1]), *dry_run_picture.COMMAND[2:]).out
    printed = " ".join(shape(out).split())
    assert len(shown) > 20
    gone = [line for line in shown if "/home/you/" not in line and shape(line) not in printed]
    assert gone == [], f"make the picture anew, see {dry_run_picture.__name__}:\n{out}"
