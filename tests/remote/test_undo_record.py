"""With a damaged record, an undo is whole without the damaged part, or it is broken and can be
repeated. It never takes the run's own bytes for somebody else's."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Box, Cli
from tests.remote.faults import transaction
from tests.remote.test_undo import (
    ALL,
    applied,
    before,
    box,
    look,
    said,
    spare_gone,
    undo,
    write_key,
)
from tests.remote.test_undo_state import DAMAGE

__all__ = ["applied", "before", "box"]


def record(box: Box) -> Path:
    return transaction(box).parent / "live-1"


@pytest.mark.parametrize("damage", DAMAGE)
def test_u14_without_the_copies_of_the_new_bytes_an_undo_is_whole(
    applied: Box, before: dict[str, tuple[bytes, int]], damage: str
) -> None:
    for copy in (record(applied) / "new").iterdir():
        DAMAGE[damage](copy)
    status = undo(applied)
    assert status.startswith("undone"), status
    assert "left alone" not in status
    assert look(applied) == before


LINES: dict[str, Callable[[str], str]] = {
    "a digest of new bytes": lambda text: re.sub(
        r"^(after \d+ - )(\w)", lambda m: m[1] + ("1" if m[2] == "0" else "0"), text, flags=re.M
    ),
    "a digest of old bytes": lambda text: re.sub(r"^(kde \d+ \w+ )\w", r"\g<1>x", text, flags=re.M),
    "a kind": lambda text: text.replace("\nkde ", "\nkdf "),
    "a path": lambda text: text.replace("/kwinrc\n", "/kwinrd\n"),
    "a line": lambda text: text.replace(text.splitlines(keepends=True)[1], ""),
}


@pytest.mark.parametrize("damage", LINES)
def test_u14_a_manifest_that_is_not_what_was_sent_is_broken_and_repeatable(
    cli: Cli, applied: Box, before: dict[str, tuple[bytes, int]], damage: str
) -> None:
    manifest = record(applied) / "manifest"
    spare_gone(applied)
    whole = manifest.read_text()
    manifest.write_text(LINES[damage](whole))
    assert manifest.read_text() != whole
    back = cli(applied.inventory, "tasks/rollback.py", "-y", *ALL)
    assert back.code == 4, back.out
    assert f"{manifest} is damaged" in said(back)
    manifest.write_text(whole)
    again = cli(applied.inventory, "tasks/rollback.py", "-y", *ALL)
    assert again.code == 0, again.out
    assert look(applied) == before


def test_u3_of_a_file_that_the_run_made_no_empty_line_stays_above_what_kde_wrote(
    cli: Cli, box: Box
) -> None:
    """KDE sorts its groups: ours was the first, with an empty line between it and the next one."""
    box.config("kwinrc").unlink()
    assert cli(box.inventory, "deploy.py", "-y").code == 0
    write_key(box, "kwinrc", "Windows", "Placement", "Centered")
    assert undo(box).startswith("undone")
    assert box.config("kwinrc").read_bytes() == b"[Windows]\nPlacement=Centered\n"
