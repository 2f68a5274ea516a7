"""An undo of a run whose state, plan or entries are damaged. U14: faults found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Box, Cli
from tests.remote.faults import transaction
from tests.remote.test_undo import (
    applied,
    before,
    box,
    look,
    script,
    spare_gone,
    undo,
    write_key,
)

__all__ = ["applied", "before", "box"]


DAMAGE: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "garbled": lambda path: path.write_bytes(b"\0" + path.read_bytes()[:-3][::-1]),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["parts", "status"])
def test_u14_a_run_whose_state_is_damaged_is_still_found_and_undone(
    applied: Box, before: dict[str, tuple[bytes, int]], name: str, damage: str
) -> None:
    DAMAGE[damage](transaction(applied) / name)
    back = script(applied)
    assert back.returncode == 0, back.stdout + back.stderr
    assert look(applied) == before


@pytest.mark.parametrize("damage", DAMAGE)
def test_u14_a_run_whose_plan_is_damaged_is_broken_and_its_record_stays(
    cli: Cli, applied: Box, before: dict[str, tuple[bytes, int]], damage: str
) -> None:
    plan = transaction(applied) / "plan"
    spare_gone(applied)
    whole = plan.read_bytes()
    DAMAGE[damage](plan)
    back = script(applied)
    assert back.returncode == 4, back.stdout + back.stderr
    assert f"its record is damaged: {plan}; by hand: " in back.stdout
    assert f"cp -pT --backup=numbered -- '{plan.parents[1]}/live-1/before/" in back.stdout
    assert cli(applied.inventory, "tasks/remove.py", "-y").code == 4
    plan.write_bytes(whole)
    assert undo(applied).startswith("undone")
    assert look(applied) == before


@pytest.mark.parametrize("damage", DAMAGE)
def test_u14_damaged_entries_of_a_file_that_kde_wrote_since_are_broken_and_repeatable(
    applied: Box, damage: str
) -> None:
    entries = transaction(applied).parent / "live-1/entries"
    spare_gone(applied)
    kept = {path: path.read_bytes() for path in entries.iterdir()}
    for path in kept:
        DAMAGE[damage](path)
    write_key(applied, "kwinrc", "Tiling", "n", "1")
    status = undo(applied)
    assert status.startswith("broken"), status
    assert "is not whole" in status
    for path, text in kept.items():
        path.write_bytes(text)
    assert undo(applied).startswith("undone")
    assert b"Backend=XRender" in applied.config("kwinrc").read_bytes()
