"""A confirmed change is kept; any other is undone, by the controller or by the workspace."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import sandbox
from tasks.reach.remote import program
from tests.conftest import DESKTOP, PROJECT, Applied, Box, Cli
from tests.tools import need

PROFILES = ("nix/var/nix/profiles/system", "home/.local/state/nix/profiles/home-manager")


@pytest.fixture(autouse=True)
def _real_tools() -> None:
    need("nix")
    need("chezmoi")


def state(box: Box) -> dict[str, object]:
    """Bytes, modes and links of everything that a run may change, and where the pointers point."""
    found: dict[str, object] = {}
    for top in ("home", "var/lib/workspace-tuning"):
        for directory, names, files in os.walk(box.root / top):
            relative = os.path.relpath(directory, box.root)
            names[:] = [n for n in names if f"{relative}/{n}" not in _APART]
            links = [n for n in names if os.path.islink(f"{directory}/{n}")]
            for name in (n for n in files + links if not n.endswith("-link")):  # other generations
                path = Path(directory, name)
                if path.is_symlink():
                    found[str(path)] = os.readlink(path)
                else:
                    found[str(path)] = (path.read_bytes(), path.stat().st_mode)
    for profile in PROFILES:
        found[profile] = os.readlink(box.root / profile)
    found["running"] = os.readlink(box.root / "run/current-system")
    return found


def kde_files(box: Box) -> dict[str, bytes]:
    """What the user's KDE files have."""
    return {name: box.config(name).read_bytes() for name in sandbox.KDE_FILES}


_APART = {  # kept for the next run, not part of any layer
    "home/.local/state/workspace-tuning",
    "home/.cache",
    "home/.config/chezmoi",
    "home/.local/state/home-manager",
    "var/lib/workspace-tuning/runs",
}


def transaction(box: Box) -> Path:
    (found,) = (box.home / ".local/state/workspace-tuning/workspace/runs").glob("*/transaction")
    return found


def until(box: Box, *words: str, patience_s: float = 60) -> str:
    """The status of the box's only transaction once it is one of ``words``."""
    end = time.monotonic() + patience_s
    text = "nothing"
    while time.monotonic() < end:
        try:
            text = (transaction(box) / "status").read_text()
        except (OSError, ValueError):
            text = "nothing"
        if text.split()[0] in words:
            return text
        time.sleep(0.05)
    raise AssertionError(f"the transaction is still: {text}")


def ask(box: Box, *arguments: str) -> str:
    """Call the transaction's own program on the workspace, as a person there would."""
    verb, *rest = arguments
    place = transaction(box)
    path = f"{PROJECT / '.tools/bin'}:{os.environ['PATH']}"
    return subprocess.run(
        ["sh", str(place / "transact.sh"), verb, str(place), *rest],
        env={**os.environ, **dict(sandbox.environment(box.root)), "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout


def test_units_that_fail_after_the_switch_undo_every_layer(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    box = make_box()
    box = make_box(_env={**_environment(box), "MINIATURE_EXIT": "4"})
    before = state(box)
    run = cli(box.inventory, "deploy.py", "-y")
    assert run.code == 3, run.out
    assert "units failed (exit 4)" in run.out
    assert run.last_line.startswith("not proved, rolled back (exit 3)")
    assert run.journal[-1]["exit"] == 3
    assert state(box) == before


def test_a_proof_that_fails_undoes_every_layer_and_names_the_check_and_the_value(
    cli: Cli, make_box: Callable[..., Box], tmp_path: Path
) -> None:
    box = make_box()
    # KDE's own reader says something else than the file, for a reason that nobody foresaw.
    reader = tmp_path / "bin/kreadconfig6"
    reader.parent.mkdir()
    reader.write_text(
        f"""#!/bin/sh
case $* in *contrastEnabled*) echo true ;; *) exec {need("kreadconfig")} "$@" ;; esac
"""
    )
    reader.chmod(0o755)
    cli.environment["PATH"] = f"{reader.parent}:{cli.environment['PATH']}"
    before = state(box)
    run = cli(box.inventory, "deploy.py", "-y")
    assert run.code == 3, run.out
    assert "kwin.contrast: expected contrastEnabled=false" in run.out
    assert "found KDE reads contrastEnabled=true" in run.out
    assert (run.journal[-1]["outcome"], run.journal[-1]["exit"]) == ("not proved, rolled back", 3)
    assert state(box) == before

    reader.unlink()
    assert cli(box.inventory, "deploy.py", "-y").code == 0


def _environment(box: Box) -> dict[str, str]:
    return dict(sandbox.environment(box.root))


def begun(cli: Cli, box: Box, *arguments: str) -> subprocess.Popen[str]:
    """A run that has activated its change; it is not asked to go on (stopped)."""
    process = cli.start(box.inventory, "deploy.py", "-vy", *arguments)
    assert process.stdout is not None
    for line in process.stdout:
        if "activate: started" in line:
            return process
    raise AssertionError("the run ended before it activated anything")


def test_a_controller_that_is_killed_leaves_a_change_that_undoes_itself(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    box = make_box(deadline_s=30)
    before = state(box)
    process = begun(cli, box)
    until(box, "activating", "activated")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    status = until(box, "activated", "undone", "kept")
    if status.startswith("activated"):
        locked = cli(box.inventory, "deploy.py", "-y")
        assert locked.code == 7
        assert "waits there for its controller" in locked.out
        status = until(box, "undone", "kept")
    if status.startswith("undone"):
        assert state(box) == before
    again = cli(box.inventory, "deploy.py", "-y")
    assert again.code == 0, again.out
    assert "within 30 s" in again.out or status.startswith("kept")


def test_a_rollback_does_not_wait_for_a_controller_that_was_killed(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    box = make_box()
    before = state(box)
    process = begun(cli, box)
    until(box, "activating", "activated")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    until(box, "activated")
    back = cli(box.inventory, "tasks/rollback.py", "-y")
    assert back.code == 0, back.out
    assert state(box) == before


def test_confirming_twice_and_undoing_twice_change_nothing_more(
    make_applied: Callable[..., Applied],
) -> None:
    box = make_applied(look=state)
    before = box.before
    kept = state(box)
    assert "status kept" in ask(box, "decide", "confirm")
    assert "status kept" in ask(box, "decide", "undo")  # the first word stands
    assert state(box) == kept
    assert "status undone rolled back" in ask(box, "undo")
    assert state(box) == before
    assert "status undone rolled back" in ask(box, "undo")
    assert state(box) == before


def test_a_reboot_before_the_word_undoes_the_home_and_the_files(
    make_applied: Callable[..., Applied],
) -> None:
    box = make_applied(look=state)
    before = box.before
    # As if the machine had gone down while the change was being proved: another boot, the old
    # system running, the process gone, nothing decided.
    place = transaction(box)
    plan = (place / "plan").read_text().replace("boot ", "boot 0000-before-")
    (place / "plan").write_text(plan)
    (place / "decision").unlink()
    (place / "written-before").unlink()
    (place / "status").write_text("activated\n")
    process = (place / "process").read_text().split()
    (place / "process").write_text(f"{process[0]} {process[1]} another-boot\n")
    for profile in PROFILES:
        link = box.root / profile
        link.unlink()
        link.symlink_to(f"{link.name}-1-link")
    running = box.root / "run/current-system"
    running.unlink()
    running.symlink_to(str(before["running"]))
    ask(box, "reboot")
    assert (place / "status").read_text().startswith("undone rebooted before it was confirmed")
    assert state(box) == before


def test_an_old_generation_that_was_collected_is_said_and_the_rest_is_undone(
    make_applied: Callable[..., Applied],
) -> None:
    box = make_applied(look=state)
    old = box.root / PROFILES[1]
    old = old.with_name(str(box.before[PROFILES[1]])).resolve()
    subprocess.run(["chmod", "-R", "u+w", str(old)], check=True)
    old.rename(old.with_name("collected"))
    said = ask(box, "undo")
    assert "status broken" in said
    assert f"{old} is gone; by hand: home-manager generations" in said
    kwinrc = box.config("kwinrc")
    assert kwinrc.read_bytes() == box.before[str(kwinrc)][0]
    assert os.readlink(box.root / PROFILES[0]) == "system-1-link"


def test_a_profile_that_somebody_else_switched_is_left_alone_and_said(
    cli: Cli, make_applied: Callable[..., Applied]
) -> None:
    box = make_applied(look=state)
    profile = box.root / PROFILES[1]
    theirs = profile.with_name("home-manager-3-link")
    theirs.symlink_to(os.readlink(profile.with_name("home-manager-1-link")) + "-theirs")
    profile.unlink()
    profile.symlink_to(theirs.name)
    assert cli(box.inventory, "tasks/rollback.py", "-y").code == 1  # the home is not undone
    said = ask(box, "undo")
    assert "status undone" in said
    assert "is somebody else's generation 3" in said
    assert os.readlink(profile) == theirs.name
    assert os.readlink(box.root / PROFILES[0]) == "system-1-link"


def test_what_the_desktop_wrote_since_stays_and_ours_goes_back(
    make_applied: Callable[..., Applied],
) -> None:
    box = make_applied(layers=DESKTOP, look=kde_files)
    globals_, kwinrc = (box.before[name] for name in ("kdeglobals", "kwinrc"))
    wrote = b"[Xwayland]\nScale=1\n"
    box.config("kwinrc").write_bytes(box.config("kwinrc").read_bytes() + wrote)
    assert ask(box, "undo").startswith("status undone")
    assert box.config("kwinrc").read_bytes() == kwinrc + wrote
    assert box.config("kdeglobals").read_bytes() == globals_


def test_the_records_of_the_newest_ten_runs_are_kept(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for number in range(13):
        place = runs / f"202611{number:02d}t000000-abcd" / "transaction"
        place.mkdir(parents=True)
        (place / "plan").write_text(f"number {number}\n")
    (runs / "not-a-run").mkdir()
    words = ("dash", "-c", program("transact"), "workspace-transact", "prune", str(runs))
    subprocess.run(words, check=True)
    kept = sorted(path.name for path in runs.iterdir())
    assert kept == [*(f"202611{number:02d}t000000-abcd" for number in range(3, 13)), "not-a-run"]
