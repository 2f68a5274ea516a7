"""Faults of files and places: an upload that ends early, full disks, killed programs, links,
owners. The table of all rows is in test_faults.py."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import sandbox
from tasks.reach.remote import program
from tests.conftest import DESKTOP, Box, Cli, tree
from tests.remote.faults import Guard
from tests.remote.reading import BOOT
from tests.tools import missing, need

STATE = ".local/state/workspace-tuning/workspace"
pytestmark = pytest.mark.usefixtures("chezmoi")


# ---- 3: an upload that ends early ----------------------------------------------------------------


def test_3_a_payload_that_ends_at_any_byte_changes_nothing(tmp_path: Path) -> None:
    from tests.remote.test_write import Place

    need("dash")
    place = Place(tmp_path)
    payload = place.payload()
    cut = 0
    for length in range(0, len(payload), len(payload) // 30):
        code, said = place.write(payload[:length], f"run-{length}")
        held = [path.read_bytes() if path.exists() else None for path in place.files]
        if code == 0:  # of base64, which is read without its last signs
            assert held == [after for _, after in place.files.values()]
            break
        cut += 1
        assert (code, said[-1].split()[0]) == (70, "failed"), f"{length} of {len(payload)}: {said}"
        assert held == [before for before, _ in place.files.values()]
        assert not place.leftovers()
        assert not (place.root / "state/lock").exists()
    assert cut > 20


# ---- 7: disk full on the workspace ---------------------------------------------------------------


def test_7_a_full_home_keeps_its_files_and_the_message_names_the_place(
    cli: Cli, guard: Guard, small_disk: Callable[..., Path]
) -> None:
    disk = small_disk("16k", "mode=700")
    environment = guard.box.home / ".config/environment.d"
    environment.symlink_to(disk)
    (disk / "filler").write_bytes(b"x" * 16_000)
    run = cli(guard.box.inventory, "deploy.py", "-y")
    assert run.code in (1, 3), run.out
    assert f"{environment}/" in run.out
    guard.after(run)
    assert [run.kinds("step")[-1]["status"]] == ["failed"]
    (disk / "filler").unlink()
    guard.converges()


# ---- 10: a program is killed on the workspace ----------------------------------------------------


def test_10_killed_while_a_dead_lock_is_cleared_the_next_run_still_gets_it(tmp_path: Path) -> None:
    from tests.remote.test_write import Place, killed, shims

    need("dash")
    dead = f"run old\nhost h\nuser u\npid 1\nsince 1\nanchor 999999999\nstart 1\nboot {BOOT}\n"
    for at in range(1, 22):
        place = Place(tmp_path / str(at))
        lock = place.root / "state/lock"
        lock.parent.mkdir()
        lock.write_text(dead)
        killed(place, at, shims(place))
        code, said = place.write(place.payload(), "run-2")
        assert (code, said[-1]) == (0, "done"), f"after a kill at program {at}: {said}"
        assert not lock.exists()
        assert not list(lock.parent.glob("lock.clearing"))


@pytest.mark.parametrize("call", ["rename,renameat,renameat2", "fsync,syncfs", "fchmod,fchmodat"])
def test_10_a_system_call_that_fails_leaves_each_file_old_or_new(tmp_path: Path, call: str) -> None:
    from tests.remote.test_write import Place

    for when in (1, 2, 3):
        place = Place(tmp_path / f"{call[:5]}{when}")
        state = place.root / "state"
        arguments = ("run-1", str(state / "runs/run-1"), str(state / "lock"), "h u 1 1", "release")
        inject = f"inject={call}:error=EIO:when={when}"
        done = subprocess.run(
            [
                *(need("strace"), "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject),
                *(need("dash"), "-c", program("write"), "workspace-write", *arguments),
            ],
            input=place.payload(),
            env={**os.environ, "HOME": str(place.home)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        for path, (before, after) in place.files.items():
            held = path.read_bytes() if path.exists() else None
            assert held in (before, after), f"{path}: {done.stdout}"
            assert (held == after) or done.returncode != 0
        assert done.stdout.splitlines()[-1].split()[0] in ("done", "failed")
        left = tuple(map(str, place.leftovers()))
        assert place.write(place.payload(sweep=left), "run-2")[0] == 0
        assert not place.leftovers()


# ---- 17, 19, 20: links above, attributes, places that cannot be written --------------------------


def test_17_a_directory_that_is_a_link_of_ones_own_stays_one(cli: Cli, guard: Guard) -> None:
    config = guard.box.home / ".config"
    elsewhere = guard.box.home / "dotfiles"
    config.rename(elsewhere)
    config.symlink_to("dotfiles")
    run = cli(guard.box.inventory, "deploy.py", "-y")
    assert run.code == 0, run.out + run.err
    guard.after(run)
    assert config.readlink() == Path("dotfiles")
    guard.converges()


def test_17_a_link_into_a_directory_of_somebody_else_is_refused(cli: Cli, guard: Guard) -> None:
    if os.getuid() != 0:
        missing("only root can give a directory away: run as root")
    theirs = guard.box.root / "theirs"
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    place = guard.box.home / ".config/environment.d"
    place.symlink_to(theirs)
    run = cli(guard.box.inventory, "deploy.py", "-y")
    assert run.code in (1, 3), run.out
    assert f"{place}: belongs to another user" in run.out
    assert list(theirs.iterdir()) == []
    place.unlink()
    guard.after(run)
    assert guard.held == guard.before
    guard.converges()


def test_19_mode_access_list_and_a_setuid_bit_are_kept(cli: Cli, guard: Guard) -> None:
    need("setfacl")
    kwinrc, globals_ = guard.box.config("kwinrc"), guard.box.config("kdeglobals")
    for name in ("kwinrc", "kdeglobals"):
        guard.box.source(name).rename(guard.box.source(name).with_suffix(".gone"))
    kwinrc.chmod(0o600)
    subprocess.run(["setfacl", "-m", "u:nobody:r", str(kwinrc)], check=True)
    globals_.chmod(0o4400)

    def access() -> str:
        listed = ["getfacl", "--omit-header", "--absolute-names", str(kwinrc), str(globals_)]
        return subprocess.run(listed, capture_output=True, text=True, check=True).stdout

    before = access()
    assert "user:nobody:r--" in before
    run = cli(guard.box.inventory, "deploy.py", "-y")
    assert run.code == 0, run.out + run.err
    assert access() == before
    assert globals_.stat().st_mode & 0o7777 == 0o4400
    assert cli(guard.box.inventory, "tasks/rollback.py", "-y").code == 0
    assert access() == before
    assert kwinrc.read_bytes() == guard.before[kwinrc][0]


def test_19_an_immutable_file_stops_the_run_and_nothing_is_changed(cli: Cli, guard: Guard) -> None:
    kwinrc = guard.box.config("kwinrc")
    if subprocess.run(["chattr", "+i", str(kwinrc)], capture_output=True).returncode != 0:
        missing("chattr +i needs root and a file system that knows it: run as root on ext4")
    try:
        run = cli(guard.box.inventory, "deploy.py", "-y")
    finally:
        subprocess.run(["chattr", "-i", str(kwinrc)], check=True)
    assert run.code in (1, 3), run.out
    assert str(kwinrc) in run.out
    guard.after(run)
    assert guard.held == guard.before
    guard.converges()


@pytest.mark.parametrize("place", [".config/environment.d", ".config", STATE])
def test_20_a_place_that_cannot_be_written_stops_the_run_before_any_change(
    cli: Cli, guard: Guard, small_disk: Callable[..., Path], place: str
) -> None:
    where = guard.box.home / place
    where.mkdir(parents=True, exist_ok=True)
    for command in (["mount", "--bind", str(where)], ["mount", "-o", "remount,bind,ro"]):
        subprocess.run([*command, str(where)], check=True)
    try:
        run = cli(guard.box.inventory, "deploy.py", "-y")
        guard.after(run)
    finally:
        subprocess.run(["umount", "--lazy", str(where)], check=True)
    assert run.code in (1, 3), run.out + run.err
    assert str(where) in run.out
    assert guard.held == guard.before
    guard.converges()


@pytest.mark.parametrize("home", ["nowhere", "with a blank"])
def test_20_a_home_that_is_missing_or_has_a_blank_is_refused(
    cli: Cli, make_box: Callable[..., Box], tmp_path: Path, home: str
) -> None:
    box = make_box(layers=DESKTOP)
    environment = dict(sandbox.environment(box.root))
    environment["HOME"] = str(tmp_path / home)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        del environment[name]
    if " " in home:
        shutil.copytree(box.home, tmp_path / home)
    box = make_box(layers=DESKTOP, _env=environment)
    before = tree(tmp_path)
    run = cli(box.inventory, "deploy.py", "-y")
    assert run.code == 1, run.out + run.err
    assert ("does not exist" if home == "nowhere" else "there is a blank in its name") in run.out
    changed = {path for path in tree(tmp_path).keys() ^ before.keys() if "/controller" not in path}
    assert changed == set()
