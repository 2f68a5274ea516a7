"""An undo where something else stands in place of a file: no regular file, or a staged file."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

from tests.conftest import Box, Cli
from tests.remote.faults import transaction
from tests.remote.recording import Workspace, run_id
from tests.remote.test_undo import ALL, applied, before, box, look, said, script, shell, undo

__all__ = ["applied", "before", "box"]


def test_a_pipe_in_place_of_a_file_is_broken_and_holds_nobody_up(
    cli: Cli, applied: Box, before: dict[str, tuple[bytes, int]]
) -> None:
    kwinrc = applied.config("kwinrc")
    kwinrc.unlink()
    os.mkfifo(kwinrc)
    back = cli(applied.inventory, "tasks/rollback.py", "-y", *ALL)
    assert back.code == 4, back.out
    copy = f"'{transaction(applied).parent}/live-1/before/"
    assert f"{kwinrc}: a pipe is in its place; by hand: move it away, then cp -p -- {copy}" in said(
        back
    )
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


def test_the_script_under_sudo_says_whose_records_these_are_and_undoes_nothing(
    applied: Box, before: dict[str, tuple[bytes, int]]
) -> None:
    """It looked for runs of root's, found none, and said that nothing was left to roll back."""
    state = transaction(applied).parents[2]
    os.chown(state, 65534, 65534)
    now = look(applied)
    said = script(applied)
    assert said.returncode == 77, said.stdout
    assert "run this as that user and without sudo" in said.stdout
    assert look(applied) == now
    os.chown(state, os.getuid(), os.getgid())
    assert script(applied).returncode == 0
    assert look(applied) == before


def test_the_script_finds_the_runs_of_a_user_who_has_another_name_now(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert "status kept" in workspace.change(run_id(1), 1, b"1\n")
    plan = workspace.place(run_id(1)) / "plan"
    plan.write_text(plan.read_text().replace(f"\nuser {workspace.user}\n", "\nuser before\n"))
    for wrong in ("-y", "--dry", "nixos --frob"):
        odd = workspace.script(*wrong.split())
        assert (odd.returncode, "usage: rollback" in odd.stdout) == (64, True), wrong
    assert workspace.script("--list").stdout.startswith(f"{run_id(1)}  kept")


def test_a_home_with_another_name_is_no_damaged_record_and_goes_back_by_one_link(
    applied: Box, before: dict[str, tuple[bytes, int]]
) -> None:
    """The record and its files have the old name; the undo said that the record was damaged."""
    place, home, now = transaction(applied), applied.home, applied.root / "another"
    kept = look(applied)
    home.rename(now)
    transact = now / place.relative_to(home)

    def undone() -> str:
        return shell(applied, transact / "transact.sh", "undo", str(transact)).stdout

    status = undone()
    assert status.startswith("status broken") and "damaged" not in status, status
    command = re.search(r"by hand: (ln -s -- .*), then repeat the undo", status)
    assert command, status
    subprocess.run(shlex.split(command[1]), check=True)
    assert Path(home).is_symlink() and look(applied) == kept
    assert undone() == "status undone rolled back\n"
    assert look(applied) == before
