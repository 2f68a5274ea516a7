"""A kept change can be undone, wholly or one layer, from a controller or without one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import pytest

import sandbox
from tests.conftest import DESKTOP, Applied, Box, Cli
from tests.remote.test_transaction import PROFILES, kde_files, state
from tests.tools import need

WITHOUT_CONTRAST = ("--data", "exclude=kwin.contrast")


@pytest.fixture(autouse=True)
def _real_tools() -> None:
    need("nix")
    need("chezmoi")


def test_rolling_every_run_back_gives_the_state_before_the_first(
    cli: Cli, make_applied: Callable[..., Applied]
) -> None:
    box = make_applied(look=state)
    before, first = box.before, state(box)
    assert cli(box.inventory, "deploy.py", "-y", "--data", "exclude=kwin.contrast").code == 0
    kwinrc = box.config("kwinrc")
    kwinrc.write_bytes(kwinrc.read_bytes().replace(b"Backend=OpenGL", b"Backend=XRender"))
    drifted = state(box)
    assert cli(box.inventory, "deploy.py", "-y").code == 0

    look = cli(box.inventory, "tasks/rollback.py", "--dry")
    assert look.code == 2
    assert cli(box.inventory, "tasks/rollback.py", "-y").code == 0
    assert state(box) == drifted
    kwinrc.write_bytes(kwinrc.read_bytes().replace(b"Backend=XRender", b"Backend=OpenGL"))
    assert state(box) == first
    last = cli(box.inventory, "tasks/rollback.py", "-y")
    assert last.code == 0, last.out
    assert state(box) == before

    nothing = cli(box.inventory, "tasks/rollback.py", "-y")
    assert (nothing.code, nothing.last_line.partition(" (")[0]) == (0, "nothing to take back")
    assert "nothing left to roll back" in nothing.out
    # And forward again, without drift: the record of what was written went back as well.
    again = cli(box.inventory, "deploy.py", "-y")
    assert (again.code, again.kinds("drift")) == (0, [])
    assert state(box) == first


def test_repeating_a_rollback_that_was_cut_off_ends_it_and_takes_no_other_run_back(
    cli: Cli, make_applied: Callable[..., Applied]
) -> None:
    box = make_applied(*WITHOUT_CONTRAST, layers=DESKTOP, look=kde_files)
    first = box.config("kwinrc").read_bytes()
    second = cli(box.inventory, "deploy.py", "-y")
    assert second.code == 0, second.out
    assert box.config("kwinrc").read_bytes() != first
    run = str(second.journal[-1]["run"])
    place = box.home / f".local/state/workspace-tuning/workspace/runs/{run}/transaction"
    (place / "status").write_text("undoing rolled back\n")  # as a power cut leaves it
    look = cli(box.inventory, "tasks/rollback.py", "--dry")
    assert look.code == 2 and f"run {run} was cut off" in look.out, look.out
    again = cli(box.inventory, "tasks/rollback.py", "-y")
    assert (again.code, again.last_line.partition(" (")[0]) == (0, "undone"), again.out
    assert box.config("kwinrc").read_bytes() == first
    assert cli(box.inventory, "tasks/rollback.py", "-y").code == 0  # the first, now asked for


def test_one_layer_is_rolled_back_alone(cli: Cli, make_applied: Callable[..., Applied]) -> None:
    box = make_applied(look=state)
    kwinrc = box.before[str(box.config("kwinrc"))][0]
    new = box.config("kwinrc").read_bytes()
    home = cli(box.inventory, "tasks/rollback.py", "-y", "--data", "layers=home-manager")
    assert home.code == 0, home.out
    assert [os.readlink(box.root / profile) for profile in PROFILES] == [
        "system-2-link",
        "home-manager-1-link",
    ]
    assert box.config("kwinrc").read_bytes() == new
    live = cli(box.inventory, "tasks/rollback.py", "-y", "--data", "layers=plasma,session")
    assert live.code == 0, live.out
    assert box.config("kwinrc").read_bytes() == kwinrc
    torn = cli(box.inventory, "tasks/rollback.py", "-y", "--data", "layers=plasma")
    assert torn.code == 5


def test_runs_that_are_undone_in_another_order_leave_no_record_of_what_is_gone(
    cli: Cli, make_applied: Callable[..., Applied]
) -> None:
    """The newer run gave the record of the older one back, which was undone already: a status then
    told of drift, and a removal of values whose past is not known, where nothing is left."""
    desktop = make_applied(*WITHOUT_CONTRAST, layers=DESKTOP, look=kde_files)
    before, first = desktop.before["kwinrc"], desktop.run
    assert cli(desktop.inventory, "deploy.py", "-y").code == 0
    run = f"run={first.journal[0]['run']}"
    for only in (["--data", run], []):
        assert cli(desktop.inventory, "tasks/rollback.py", "-y", *only).code == 0
    assert desktop.config("kwinrc").read_bytes() == before
    none = cli(desktop.inventory, "tasks/rollback.py", "-y")
    assert "what it wrote stays" not in " ".join(none.out.split()), none.out
    assert cli(desktop.inventory, "tasks/status.py").kinds("drift") == []
    gone = cli(desktop.inventory, "tasks/remove.py", "-y")
    assert gone.code == 0, gone.out


def test_an_undo_of_an_older_run_is_no_drift_and_what_it_wrote_is_ours_no_more(
    cli: Cli, desktop: Box
) -> None:
    """The record of the later run kept what the older one had added."""
    first = cli(desktop.inventory, "deploy.py", "-y", "--data", "phases=5")
    assert first.code == 0, first.out
    written = desktop.config("environment.d/60-video-variables.conf")
    assert written.exists()
    assert cli(desktop.inventory, "deploy.py", "-y", "--data", "phases=4").code == 0
    older = first.journal[0]["run"]
    back = cli(desktop.inventory, "tasks/rollback.py", "-y", "--data", f"run={older}")
    assert back.code == 0, back.out
    assert not written.exists()
    look = cli(desktop.inventory, "tasks/status.py").out
    assert "we wrote" not in look and "phase 5: 0 of" in " ".join(look.split())
    # What the user writes there now is the user's.
    written.parent.mkdir(exist_ok=True)
    written.write_text("MINE=1\n")
    shown = cli(desktop.inventory, "deploy.py", "--dry")
    assert not shown.kinds("drift"), shown.out
    assert cli(desktop.inventory, "deploy.py", "-y").code == 0
    assert written.read_text() == "MINE=1\n"
    # The record goes back with the later runs, and knows then what it knew.
    assert cli(desktop.inventory, "tasks/rollback.py", "-y").code == 0
    look = cli(desktop.inventory, "tasks/status.py")
    assert not look.kinds("drift") and "we wrote" not in look.out
    assert written.read_text() == "MINE=1\n"


def test_what_was_left_alone_of_one_part_is_not_said_of_the_next_one(
    cli: Cli, make_applied: Callable[..., Applied]
) -> None:
    """The status of a run tells of all parts: a rollback of the home ended in 1 for a KDE entry
    that an earlier one had left alone. And a dry run said "all of it" of what is left."""
    box = make_applied(look=state)
    kwinrc = box.config("kwinrc")
    kwinrc.write_bytes(kwinrc.read_bytes().replace(b"Backend=OpenGL", b"Backend=Vulkan"))
    live = cli(box.inventory, "tasks/rollback.py", "-y", "--data", "layers=plasma,session")
    said = " ".join(live.out.split())
    assert live.code == 1 and "still in force: nixos, home-manager; changed since" in said, said
    home = cli(box.inventory, "tasks/rollback.py", "-y", "--data", "layers=home-manager")
    said = " ".join(home.out.split())
    assert home.code == 0 and "left alone" not in said and "still in force: nixos)" in said, said
    rest = cli(box.inventory, "tasks/rollback.py", "--dry")
    assert "(kept): undo nixos\n" in rest.out, rest.out
    script = box.home / ".local/state/workspace-tuning/workspace/rollback"
    environment = {**cli.environment, **dict(sandbox.environment(box.root)), "ROOT": str(box.root)}
    alone = subprocess.run([str(script)], env=environment, capture_output=True, timeout=120)
    assert (alone.returncode, alone.stdout) == (0, b"status undone rolled back\n")


@pytest.mark.parametrize("layer", ["plasma", "session"])
def test_a_run_of_half_a_part_is_undone_by_the_command_that_it_prints(
    cli: Cli, make_box: Callable[..., Box], layer: str
) -> None:
    """An inventory with one of the two layers: the undo was refused, with "name both"."""
    box = make_box(layers=[layer])
    before = box.config("kwinrc").read_bytes()
    done = cli(box.inventory, "deploy.py", "-y")
    assert done.code == 0
    back = cli(box.inventory, "tasks/rollback.py", "-y", "--data", f"run={done.journal[0]['run']}")
    assert back.code == 0, back.out
    assert box.config("kwinrc").read_bytes() == before
    assert not box.config("environment.d/60-video-variables.conf").exists()


def test_a_run_that_is_not_known_is_refused_with_those_that_are(
    cli: Cli, make_applied: Callable[..., Applied]
) -> None:
    box = make_applied(layers=["plasma", "session"])
    run = cli(box.inventory, "tasks/rollback.py", "-y", "--data", "run=20200101t000000-abcd")
    assert run.code == 5
    assert "runs that are known there: 2" in run.out


def test_without_a_controller_the_script_on_the_workspace_rolls_back(
    cli: Cli, make_applied: Callable[..., Applied]
) -> None:
    box = make_applied(look=state)
    script = box.home / ".local/state/workspace-tuning/workspace/rollback"
    environment = {
        **cli.environment,
        **dict(sandbox.environment(box.root)),
        "ROOT": str(box.root),
    }

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(script), *arguments], env=environment, capture_output=True, text=True, timeout=120
        )

    assert "kept" in call("--list").stdout
    said = call()
    assert (said.returncode, said.stdout) == (0, "status undone rolled back\n")
    assert state(box) == box.before
    assert call().returncode == 0
    assert call("20200101t000000-abcd").returncode == 1


def test_an_old_generation_that_was_deleted_from_the_profile_is_still_there_to_go_back_to(
    cli: Cli, make_applied: Callable[..., Applied]
) -> None:
    box = make_applied(look=state)
    first = [(box.root / profile).with_name(box.before[profile]) for profile in PROFILES]
    old = [str(link.resolve()) for link in first]
    environment = {**cli.environment, **dict(sandbox.environment(box.root))}
    for command in (
        ["nix-env", "--profile", str(box.root / PROFILES[0]), "--delete-generations", "old"],
        ["nix-env", "--profile", str(box.root / PROFILES[1]), "--delete-generations", "old"],
        ["nix-store", "--gc"],
    ):
        subprocess.run(command, env=environment, check=True, capture_output=True)
    run = cli(box.inventory, "tasks/rollback.py", "-y")
    assert run.code == 0, run.out
    assert [str((box.root / profile).resolve()) for profile in PROFILES] == old
