"""An undo where something else stands in place of a file: no regular file, or a staged file."""

from __future__ import annotations

import os

from tests.conftest import Box, Cli
from tests.remote.faults import transaction
from tests.remote.test_undo import ALL, applied, before, box, look, said, undo

__all__ = ["applied", "before", "box"]


def test_a_pipe_in_place_of_a_file_is_broken_and_holds_nobody_up(
    cli: Cli, applied: Box, before: dict[str, tuple[bytes, int]]
) -> None:
    kwinrc = applied.config("kwinrc")
    kwinrc.unlink()
    os.mkfifo(kwinrc)
    back = cli(applied.inventory, "tasks/rollback.py", "-y", *ALL)
    assert back.code == 4, back.out
    assert f"{kwinrc}: it cannot be read" in said(back)
    kwinrc.unlink()
    again = cli(applied.inventory, "tasks/rollback.py", "-y", *ALL)
    assert again.code == 1, again.out  # the file itself is gone, which is somebody's doing
    assert f"changed since, left alone: {kwinrc}" in said(again)
    without = {path: held for path, held in before.items() if path != str(kwinrc)}
    assert look(applied) == without


def test_a_stage_that_a_killed_run_left_goes_with_its_undo_and_others_stay(
    applied: Box, before: dict[str, tuple[bytes, int]]
) -> None:
    run = transaction(applied).parent.name
    ours = applied.config(f".kwinrc.wt-{run}")
    theirs = applied.config(".kwinrc.wt-20200101t000000-aaaa")
    ours.write_text("half of it")
    theirs.write_text("another run's")
    assert undo(applied).startswith("undone")
    assert not ours.exists() and theirs.exists()
    theirs.unlink()
    assert look(applied) == before
