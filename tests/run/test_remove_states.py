"""A removal works in any state of a workspace: after a run that was cut off or an undo that broke,
and with files of other people among ours."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.conftest import DESKTOP, Applied, Box, Cli
from tests.remote.faults import end_of_power, transaction
from tests.remote.recording import Workspace, run_id
from tests.remote.test_record import old
from tests.run.test_remove import home, record
from tests.tools import need, path_without


def test_a_run_that_was_cut_off_is_shown_by_a_dry_removal_and_taken_back_by_a_real_one(
    cli: Cli, make_applied: Callable[..., Applied]
) -> None:
    desktop = make_applied(layers=DESKTOP, look=home)
    before = desktop.before
    end_of_power(desktop)
    place = transaction(desktop)
    (place / "status").write_text("activated x\n")
    look = cli(desktop.inventory, "tasks/remove.py", "--dry")
    assert look.code == 2, look.out
    run = place.parent.name
    assert f"run {run} (cut off while activated): to be rolled back" in " ".join(look.out.split())
    gone = cli(desktop.inventory, "tasks/remove.py", "-y")
    assert gone.code == 0, gone.out
    assert home(desktop) == before
    assert not record(desktop).exists()


def test_after_an_undo_that_broke_the_record_stays_until_the_reason_is_mended(
    cli: Cli, make_applied: Callable[..., Applied]
) -> None:
    desktop = make_applied(layers=DESKTOP, look=home)
    before = desktop.before
    kwinrc = desktop.config("kwinrc")
    ours, mode = kwinrc.read_bytes(), kwinrc.stat().st_mode
    kwinrc.unlink()
    os.mkfifo(kwinrc)
    for task in ("tasks/rollback.py", "tasks/remove.py"):
        broken = cli(desktop.inventory, task, "-y")
        assert broken.last_line.startswith("rollback failed (exit 4)"), broken.out
        assert f"{kwinrc}: a pipe is in its place" in " ".join(broken.out.split())
    assert transaction(desktop).is_dir()
    kwinrc.unlink()
    kwinrc.write_bytes(ours)
    kwinrc.chmod(mode)
    gone = cli(desktop.inventory, "tasks/remove.py", "-y")
    assert gone.code == 0, gone.out
    assert home(desktop) == before


def test_what_somebody_put_among_our_files_stays_and_is_named(cli: Cli, applied: Box) -> None:
    state = record(applied) / "workspace"
    mine = [state / "notes.txt", state / "runs/mine.txt", state / ".hidden"]
    mine.append(applied.home / ".local/share/workspace-tuning/home-manager/mine.nix")
    for path in mine:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine\n")
    gone = cli(applied.inventory, "tasks/remove.py", "-y")
    assert gone.code == 1, gone.out
    for path in mine:
        assert path.read_text() == "mine\n"
        assert f"{path}: not of ours, left" in " ".join(gone.out.split())
    assert {one for one in state.rglob("*") if one.is_file()} == set(mine[:3])


def test_without_chezmoi_the_record_stays_and_its_record_gone_it_goes(
    cli: Cli, desktop: Box, tmp_path: Path
) -> None:
    program = desktop.home / ".local/bin/chezmoi"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.symlink_to(need("chezmoi"))
    cli.environment["PATH"] = path_without("chezmoi", cli.environment["PATH"], tmp_path / "bin")
    assert cli(desktop.inventory, "deploy.py", "-y").code == 0
    program.unlink()
    broken = cli(desktop.inventory, "tasks/remove.py", "-y")
    assert broken.code == 4, broken.out
    assert "chezmoi is not found" in " ".join(broken.out.split())
    assert record(desktop).exists()
    shutil.rmtree(desktop.config("chezmoi"))
    gone = cli(desktop.inventory, "tasks/remove.py", "-y")
    assert gone.code == 0, gone.out
    assert not record(desktop).exists()


def test_the_records_of_another_user_stay_and_what_lies_beside_ours_is_named(
    tmp_path: Path,
) -> None:
    need("dash")
    workspace = Workspace(tmp_path)
    runs = workspace.root / "var/lib/workspace-tuning/runs"
    ours = old(runs / "me", run_id(1), 1, user="me")
    shared = old(runs, run_id(3), 3, user="me"), old(runs, run_id(4), 4, user="somebody")
    for one in (ours, shared[0]):
        (one / "status").write_text("undone rolled back\n")
    theirs = old(runs / "somebody", run_id(2), 2, user="somebody")
    beside = [runs / "me/notes.txt", runs.parent / "nixos/mine.nix"]
    for path in beside:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine\n")
    done: subprocess.CompletedProcess[str] = workspace.call(
        "transact", "discard", str(runs / "me"), str(runs.parent / "nixos")
    )
    said = done.stdout.splitlines()
    assert said[-1] == "removed"
    assert sorted(said[:-1]) == sorted(f"left {path}" for path in beside)
    assert theirs.is_dir() and shared[1].is_dir()
    assert not ours.exists() and not shared[0].exists(), "of an older version as well"


def test_a_file_that_an_earlier_rollback_left_alone_is_named(cli: Cli, applied: Box) -> None:
    """A line of the user's kept our session file; "nothing of it is left" was said of it."""
    ours = applied.config("environment.d/60-video-variables.conf")
    ours.write_text(f"{ours.read_text()}MINE=1\n")
    assert cli(applied.inventory, "tasks/rollback.py", "-y").code == 1
    gone = cli(applied.inventory, "tasks/remove.py", "-y")
    said = " ".join(gone.out.split())
    assert gone.code == 1 and said.count(f"left alone: {ours}") == 2, said  # as found, and the end
    assert "MINE=1" in ours.read_text()


def test_a_rollback_without_a_record_says_that_what_was_written_stays(
    cli: Cli, applied: Applied
) -> None:
    """As behind the newest ten runs: "nothing left to roll back" alone was taken for all undone."""
    run = applied.run.journal[0]["run"]
    shutil.rmtree(transaction(applied).parent)
    back = cli(applied.inventory, "tasks/rollback.py", "-y")
    said = " ".join(back.out.split())
    assert back.code == 0 and f"the record of run {run} is gone, so what it wrote stays" in said
    gone = cli(applied.inventory, "tasks/remove.py", "-y")
    assert gone.code == 1 and "what was there before is not known" in gone.out
