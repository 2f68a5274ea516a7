"""Faults of state: corrupt records, hostile choices, leftovers, clocks, missing tools, failing
checks and rollbacks. The table of all rows is in test_faults.py."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import sandbox
from converge.setting import Layer
from converge.subjects.settings import ALL
from tests.conftest import DESKTOP, Box, Cli, tree
from tests.remote.faults import Guard, end_of_power, transaction
from tests.remote.reading import BOOT
from tests.tools import need

STATE = ".local/state/workspace-tuning/workspace"
pytestmark = pytest.mark.usefixtures("chezmoi")


# ---- 14, 15: what is corrupt ---------------------------------------------------------------------


def test_14_a_line_that_makes_a_change_impossible_is_refused_with_its_number(
    cli: Cli, guard: Guard
) -> None:
    kwinrc = guard.box.config("kwinrc")
    good = kwinrc.read_bytes()
    bad = good.replace(b"contrastEnabled=true\n", b"contrastEnabled[de]=true\n")
    line = bad[: bad.index(b"contrastEnabled")].count(b"\n") + 1
    kwinrc.write_bytes(bad)
    before = tree(guard.box.root)
    run = cli(guard.box.inventory, "deploy.py", "-y")
    assert run.code == 1
    assert f"{kwinrc}:{line}: " in run.out.replace("\n", " ")
    assert tree(guard.box.root) == before
    kwinrc.write_bytes(good)
    guard.after(run)
    guard.converges()


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff\xfe", b"[" * 50_000], ids=["empty", "bytes", "deep"]
)
def test_15_a_corrupt_record_is_said_and_made_anew_from_what_is_there(
    cli: Cli, guard: Guard, content: bytes
) -> None:
    state = guard.box.home / STATE
    state.mkdir(parents=True, mode=0o700)
    (state / "written.json").write_bytes(content)
    run = cli(guard.box.inventory, "deploy.py", "-y")
    assert run.code == 0, run.out + run.err
    assert "written.json is damaged" in " ".join(run.out.split())
    kept = [path.read_bytes() for path in state.glob("runs/*/transaction/written-before")]
    assert kept == [content], "what it was is kept with the run"
    guard.after(run)
    guard.converges()


@pytest.mark.parametrize("status", ["kep", "$(reboot) x"])
def test_15_a_corrupt_status_ends_in_a_known_state(
    cli: Cli, guard_applied: Guard, status: str
) -> None:
    guard = guard_applied
    end_of_power(guard.box)
    (transaction(guard.box) / "status").write_text(status)
    run = cli(guard.box.inventory, "deploy.py", "-y")
    assert run.code == 0, run.out + run.err
    said = " ".join(run.out.split())
    assert "ended there: broken: its record is damaged" in said
    assert f"{transaction(guard.box)}/status" in said
    guard.after(run)
    guard.converges()


@pytest.mark.parametrize("part", ["undo.sh", "transact.sh", "plan"])
def test_15_a_transaction_that_lost_a_part_holds_nobody_up_for_ever(
    cli: Cli, guard_applied: Guard, part: str
) -> None:
    guard = guard_applied
    end_of_power(guard.box)
    place = transaction(guard.box)
    (place / "status").write_text("activated x\n")
    (place / "programs.spare").unlink()
    (place / part).unlink()
    run = cli(guard.box.inventory, "deploy.py", "-y")
    if run.code != 0:
        assert run.code == 4, run.out
        assert str(place) in run.out.replace("\n", ""), "what is in the way has to be named"
        assert f"its record is damaged: {place}/{part}" in " ".join(run.out.split())
        shutil.rmtree(place)
    guard.after(run)
    guard.converges()


# ---- 23: hostile values --------------------------------------------------------------------------

VALUES = ("; touch evil", "$(touch evil)", "`touch evil`", "\n", "'", '"', "\\", "${IFS}", "%s")
KEYS = ("workspace", "user", "host", "base_home", "base_nixos", "phases", "accept", "plan", "run")


def test_23_no_hostile_choice_gets_further_than_the_check(cli: Cli, desktop: Box) -> None:
    data = json.loads(desktop.inventory.with_suffix(".json").read_text())[0]
    before = tree(desktop.root)
    named = [{**data, "name": f"w{n}"} for n in range(len(KEYS))]
    for value in VALUES:
        workspaces = [
            {**one, ("name" if key == "workspace" else key): f"a{value}"}
            for one, key in zip(named, KEYS, strict=True)
        ]
        inventory = cli.inventory(workspaces[VALUES.index(value) % len(KEYS)], name="hostile")
        run = cli(inventory, "deploy.py", "-y")
        assert run.code == 5, run.out + run.err
        assert "invalid input (exit 5)" in run.out
        assert "Traceback" not in run.err
    assert tree(desktop.root) == before
    assert not list(Path.cwd().glob("evil"))


# ---- 25, 26: what was there before, and clocks ---------------------------------------------------


def test_25_leavings_of_a_run_before_go_and_its_backups_stay(cli: Cli, guard: Guard) -> None:
    config, state = guard.box.home / ".config", guard.box.home / STATE
    old = "20250101t000000-abcd"
    left = [config / f".kwinrc.wt-{old}", config / f".kwinrc.wt-{old}.lock"]
    backup = state / f"runs/{old}/live-1/before/1"
    backup.parent.mkdir(parents=True)
    left.append(state / f"lock.{old}")
    for path in (*left, backup, config / "kwinrc.bak"):
        path.write_text("half")
    (config / "kwinrc.lock").write_text(f"999999999\nkwin_x11\n{os.uname().nodename}\n")
    run = cli(guard.box.inventory, "deploy.py", "-y")
    assert run.code == 0, run.out + run.err
    assert not any(path.exists() for path in left)
    assert backup.read_text() == (config / "kwinrc.bak").read_text() == "half"
    guard.after(run)
    guard.converges()


def test_26_a_lock_of_a_controller_whose_clock_is_ahead_is_told_without_nonsense(
    cli: Cli, desktop: Box
) -> None:
    lock = desktop.home / STATE / "lock"
    lock.parent.mkdir(parents=True)
    start = Path("/proc/self/stat").read_text().rpartition(") ")[2].split()[19]
    lock.write_text(
        f"run 29990101t000000-abcd\nhost h\nuser u\npid 7\nsince 32472144000\n"
        f"anchor {os.getpid()}\nstart {start}\nboot {BOOT}\n"
    )
    run = cli(desktop.inventory, "deploy.py", "-y")
    assert run.code == 7
    assert "for 0 min" in run.out


def test_26_the_newest_run_is_rolled_back_whatever_the_clocks_of_the_controllers_say(
    cli: Cli, guard_applied: Guard
) -> None:
    """A run id begins with the controller's time; one from the future must not stay the newest."""
    guard = guard_applied
    first = transaction(guard.box).parent
    future = first.with_name("29990101t000000-abcd")
    first.rename(future)
    for name in ("plan", "status"):
        path = future / "transaction" / name
        path.write_text(path.read_text().replace(first.name, future.name))
    guard.box.config("kwinrc").write_bytes(guard.before[guard.box.config("kwinrc")][0])
    second = cli(guard.box.inventory, "deploy.py", "-y")
    assert second.code == 0, second.out
    back = cli(guard.box.inventory, "tasks/rollback.py", "--dry")
    assert f"run {second.journal[0]['run']} can be rolled back" in back.out
    script = subprocess.run(
        [str(guard.box.home / STATE / "rollback"), "--list"],
        env={**os.environ, **dict(sandbox.environment(guard.box.root))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.split()[0] for line in script.stdout.splitlines()] == [
        future.name,
        second.journal[0]["run"],
    ]


# ---- 32, 34, 35: tools, checks, rollback ---------------------------------------------------------


def test_32_without_chezmoi_kreadconfig_and_nix_the_rest_is_done_and_said(
    cli: Cli, make_box: Callable[..., Box], tmp_path: Path
) -> None:
    box = make_box(layers=DESKTOP)
    programs = tmp_path / "bin"
    programs.mkdir()
    for directory in ("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin"):
        for tool in Path(directory).iterdir() if Path(directory).is_dir() else ():
            if not re.match(r"chezmoi|kreadconfig|kwriteconfig|nix", tool.name):
                (programs / tool.name).unlink(missing_ok=True)
                (programs / tool.name).symlink_to(tool)
    environment = {**dict(sandbox.environment(box.root)), "PATH": str(programs)}
    box = make_box(layers=[*DESKTOP, "home-manager"], _env=environment)
    box.source("baloofilerc").unlink()
    before = box.config("kwinrc").read_bytes(), box.source("kwinrc").read_bytes()
    run = cli(box.inventory, "deploy.py", "-y")
    assert run.code in (0, 4), run.out + run.err
    assert "nix is not installed" in run.out
    # A file that has a source is not written without the program that keeps the two in step.
    assert (box.config("kwinrc").read_bytes(), box.source("kwinrc").read_bytes()) == before
    stands = {one["setting"]: one for one in run.kinds("plan")[-1]["settings"]}
    assert stands["kwin.contrast"]["stand"] == "held back"
    assert (
        f"chezmoi is not found here, and {box.source('kwinrc')}" in stands["kwin.contrast"]["why"]
    )
    assert "chezmoi is not found here" in " ".join(run.out.split()), "a person is told as well"
    # The rest is done: a KDE file without a source, and the files of the session.
    assert b"only basic indexing=true" in box.config("baloofilerc").read_bytes()
    assert (box.home / ".config/environment.d/60-video-variables.conf").is_file()
    effects = {str(record["setting"]): record["effect"] for record in run.kinds("finding")}
    assert effects["baloo.basic-indexing"] != "effective", "what nobody could look at is not proved"
    assert effects.get("kwin.contrast") != "effective"


def test_34_a_check_that_hangs_is_unknown_which_is_not_verified(
    cli: Cli, make_box: Callable[..., Box], tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    hanging = programs / Path(need("kreadconfig")).name
    hanging.write_text("#!/bin/sh\ntrap '' TERM\nsleep 604801\nsleep 604801\n")
    hanging.chmod(0o755)
    environment = dict(sandbox.environment(make_box(layers=DESKTOP).root))
    environment["PATH"] = f"{programs}:{cli.environment['PATH']}"
    others = [
        setting.id
        for setting in ALL
        if setting.layer is Layer.PLASMA and setting.id != "kwin.contrast"
    ]
    choices = {"phases": ["4"], "exclude": others}
    assert cli(make_box(layers=DESKTOP, **choices).inventory, "deploy.py", "-y").code == 0
    box = make_box(layers=DESKTOP, _env=environment, **choices)
    run = cli(box.inventory, "tasks/verify.py")
    assert run.code == 4, run.out + run.err
    (hung,) = [r for r in run.kinds("finding") if r["setting"] == "kwin.contrast"]
    assert hung["effect"] == "unknown"
    assert "no answer in 10 s" in str(hung["reason"])
    sleeping = subprocess.run(["pgrep", "-f", "sleep 604801"], capture_output=True, text=True)
    assert sleeping.stdout == "", "what hung was left behind"


def test_35_a_rollback_that_fails_says_what_is_left_to_do_by_hand(
    cli: Cli, guard_applied: Guard
) -> None:
    guard = guard_applied
    plan = transaction(guard.box) / "plan"
    profile, new, old = (guard.box.root / name for name in ("p/home-manager", "new", "collected"))
    profile.parent.mkdir()
    new.mkdir()
    profile.with_name("home-manager-2-link").symlink_to(new)
    profile.symlink_to("home-manager-2-link")
    plan.write_text(plan.read_text() + f"home {new} {profile} 1 {old}\n")
    for name in ("programs.sums", "programs.spare"):  # else the plan would be mended
        plan.with_name(name).unlink()
    every = "layers=nixos,home-manager,plasma,session"
    back = cli(guard.box.inventory, "tasks/rollback.py", "-y", "--data", every)
    assert back.code == 4, back.out
    assert f"{old} is gone; by hand: home-manager generations" in back.out
    assert back.last_line.startswith("rollback failed (exit 4)")
    guard.after(back)
    assert guard.held == guard.before, "what could be undone was"
    guard.converges()
