"""An undo restores each file by itself, and its status is true. U1 to U3, U14: faults found.

A run is applied, somebody changes something, then ``transact.sh undo`` or ``tasks/rollback.py``
undoes the run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

import sandbox
from converge.kde.merge import values
from tasks.steps import activate
from tests.conftest import DESKTOP, PROJECT, Applied, Box, Cli, Outcome
from tests.remote.faults import transaction
from tests.tools import missing, need

FILES = ("kwinrc", "baloofilerc", "kdeglobals")
#: Else the inventory's own choice of layers would make it a part of the run.
ALL = ("--data", "layers=nixos,home-manager,plasma,session")
BACKEND = {("Compositing",): ["Backend"]}


def write_key(box: Box, file: str, group: str, key: str, *value: str) -> None:
    """As a program of the desktop does."""
    subprocess.run(
        [need("kwriteconfig"), "--file", file, "--group", group, "--key", key, *value],
        env={
            **os.environ,
            "XDG_CONFIG_HOME": str(box.config("")),
            "QT_LOGGING_RULES": "*=false",
        },
        check=True,
        capture_output=True,
        timeout=60,
    )


def said(run: Outcome) -> str:
    """What a run printed, without the ends of its lines."""
    return " ".join(run.out.split())


def shell(box: Box, program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """On the workspace alone, without Python or a controller."""
    path = f"{PROJECT / '.tools/bin'}:{os.environ['PATH']}"
    places = {**dict(sandbox.environment(box.root)), "PATH": path, "ROOT": str(box.root)}
    return subprocess.run(
        ["dash", str(program), *arguments],
        env={**os.environ, **places},
        capture_output=True,
        text=True,
        timeout=120,
    )


def undo(box: Box, *parts: str) -> str:
    """The status that an undo on the workspace prints."""
    place = transaction(box)
    done = shell(box, place / "transact.sh", "undo", str(place), *parts)
    done.check_returncode()
    return done.stdout.splitlines()[-1].removeprefix("status ")


def spare_gone(box: Box) -> None:
    """The second copies of a record, without which a damaged file of it cannot be mended."""
    for spare in transaction(box).parent.rglob("*.spare"):
        spare.unlink()


def script(box: Box) -> subprocess.CompletedProcess[str]:
    """What a person runs on the workspace."""
    return shell(box, transaction(box).parents[2] / "rollback")


@pytest.fixture
def box(make_box: Callable[..., Box]) -> Box:
    """A desktop whose KDE files are nobody else's."""
    box = make_box(layers=DESKTOP)
    alone(box)
    return box


def alone(box: Box) -> None:
    for name in sandbox.KDE_FILES:
        box.source(name).unlink()


def look(box: Box) -> dict[str, tuple[bytes, int]]:
    found = {}
    for path in sorted(box.home.rglob("*")):
        inside = ".local" not in path.parts and ".cache" not in path.parts
        if path.is_file() and inside and "chezmoi" not in path.parts:
            found[str(path)] = (path.read_bytes(), path.stat().st_mode & 0o7777)
    return found


@pytest.fixture
def applied(make_applied: Callable[..., Applied]) -> Applied:
    """The same to which the plan was applied."""
    box = make_applied(layers=DESKTOP, prepare=alone, look=look)
    assert look(box) != box.before
    return box


@pytest.fixture
def before(applied: Applied) -> dict[str, tuple[bytes, int]]:
    return applied.before


@pytest.fixture
def immutable() -> Iterator[Callable[[Path], None]]:
    held: list[Path] = []

    def hold(path: Path) -> None:
        if subprocess.run(["chattr", "+i", str(path)], capture_output=True).returncode != 0:
            missing("chattr +i needs root and a file system that knows it: run as root on ext4")
        held.append(path)

    yield hold
    for path in held:
        subprocess.run(["chattr", "-i", str(path)], check=True)


def test_u1_one_file_that_kde_writes_holds_no_other_up(
    cli: Cli, applied: Box, before: dict[str, tuple[bytes, int]]
) -> None:
    write_key(applied, "kwinrc", "Tiling", "n", "1")
    back = cli(applied.inventory, "tasks/rollback.py", "-y", *ALL)
    assert back.code == 0, back.out
    now = look(applied)
    kwinrc = str(applied.config("kwinrc"))
    assert values(now[kwinrc][0], {("Tiling",): ["n"]}) == {(("Tiling",), "n"): "1"}
    assert values(now[kwinrc][0], BACKEND) == values(before[kwinrc][0], BACKEND)
    del now[kwinrc], before[kwinrc]
    assert now == before
    again = cli(applied.inventory, "tasks/rollback.py", "-y", *ALL)
    assert "nothing left to roll back" in said(again)


def test_u2_what_somebody_changed_since_is_left_alone_named_and_exit_1(
    cli: Cli, applied: Box, before: dict[str, tuple[bytes, int]]
) -> None:
    write_key(applied, "kwinrc", "Compositing", "Backend", "Vulkan")
    back = cli(applied.inventory, "tasks/rollback.py", "-y", *ALL)
    assert back.code == 1, back.out
    assert "kwinrc [Compositing] Backend" in said(back)
    kwinrc = str(applied.config("kwinrc"))
    now = look(applied)
    assert values(now[kwinrc][0], BACKEND) == {(("Compositing",), "Backend"): "Vulkan"}
    others = {("Plugins",): ["contrastEnabled"], ("Compositing",): ["GLPreferBufferSwap"]}
    assert values(now[kwinrc][0], others) == values(before[kwinrc][0], others)


def test_u3_of_a_file_that_the_run_made_what_kde_wrote_since_stays(cli: Cli, box: Box) -> None:
    box.config("kwinrc").unlink()
    assert cli(box.inventory, "deploy.py", "-y").code == 0
    write_key(box, "kwinrc", "Desktops", "Number", "4")
    assert undo(box).startswith("undone")
    assert box.config("kwinrc").read_bytes() == b"[Desktops]\nNumber=4\n"


def test_u3_a_file_that_the_run_made_goes_while_it_is_exactly_ours(cli: Cli, box: Box) -> None:
    box.config("kwinrc").unlink()
    assert cli(box.inventory, "deploy.py", "-y").code == 0
    assert box.config("kwinrc").exists()
    assert undo(box).startswith("undone")
    assert not box.config("kwinrc").exists()


def test_no_command_by_hand_takes_with_it_what_somebody_wrote_since(
    cli: Cli, applied: Box, immutable: Callable[[Path], None]
) -> None:
    """It was to copy the bytes from before over the file, and what was written since was lost."""
    kwinrc = applied.config("kwinrc")
    kwinrc.write_bytes(kwinrc.read_bytes() + b"[Mine]\nnew=1\n")
    immutable(kwinrc)
    back = cli(applied.inventory, "tasks/rollback.py", "-y", *ALL)
    assert back.last_line.startswith("rollback failed (exit 4)"), back.out
    assert "by hand: mend that, then repeat the undo; somebody wrote" in said(back)
    assert "cp -p" not in said(back)
    assert not (transaction(applied).parents[2] / "lock").exists()
    subprocess.run(["chattr", "-i", str(kwinrc)], check=True)
    again = cli(applied.inventory, "tasks/rollback.py", "-y", *ALL)
    assert again.code == 0, again.out
    assert b"[Mine]\nnew=1\n" in kwinrc.read_bytes()


def test_u14_an_immutable_file_is_broken_the_others_are_back_and_it_can_be_repeated(
    cli: Cli,
    applied: Box,
    before: dict[str, tuple[bytes, int]],
    immutable: Callable[[Path], None],
) -> None:
    kwinrc = applied.config("kwinrc")
    immutable(kwinrc)
    back = cli(applied.inventory, "tasks/rollback.py", "-y", *ALL)
    assert back.last_line.startswith("rollback failed (exit 4)"), back.out
    assert f"{kwinrc}: it cannot be replaced" in said(back)
    assert f"by hand: cp -p -- '{transaction(applied).parent}/live-1/before/" in said(back)
    assert {k: v for k, v in look(applied).items() if k != str(kwinrc)} == {
        k: v for k, v in before.items() if k != str(kwinrc)
    }
    subprocess.run(["chattr", "-i", str(kwinrc)], check=True)
    again = cli(applied.inventory, "tasks/rollback.py", "-y", *ALL)
    assert again.code == 0, again.out
    assert look(applied) == before


@pytest.mark.parametrize("part", ["before", "manifest"])
def test_u14_a_damaged_record_is_broken_and_repeatable(
    applied: Box, before: dict[str, tuple[bytes, int]], part: str
) -> None:
    record = transaction(applied).parent / "live-1"
    kept = shutil.copytree(record, record.with_name("kept"))
    for path in record.rglob("*"):
        if path.suffix == ".spare" or (path.is_file() and part in path.relative_to(record).parts):
            path.unlink()
    status = undo(applied)
    assert status.startswith("broken"), status
    assert "damaged" in status
    shutil.copytree(kept, record, dirs_exist_ok=True)
    assert undo(applied).startswith("undone")
    assert look(applied) == before


def test_u14_a_lock_that_is_held_is_broken_with_its_holder_and_the_rest_is_back(
    applied: Box, before: dict[str, tuple[bytes, int]]
) -> None:
    lock = applied.config("kwinrc.lock")
    name = Path("/proc/self/exe").resolve().name
    lock.write_text(f"{os.getpid()}\n{name}\n{os.uname().nodename}\n")
    status = undo(applied)
    assert status.startswith("broken"), status
    assert f"KConfig's lock is held by process {os.getpid()} ({name})" in status
    lock.unlink()
    now = look(applied)
    kwinrc = str(applied.config("kwinrc"))
    assert now.pop(kwinrc) != before[kwinrc]
    assert now == {k: v for k, v in before.items() if k != kwinrc}
    assert undo(applied).startswith("undone")
    assert look(applied) == before


@pytest.mark.parametrize("full", [".config", ".local/state/workspace-tuning"])
def test_u14_a_full_disk_is_broken_and_repeatable(cli: Cli, box: Box, full: str) -> None:
    if os.getuid() != 0:
        missing("only root can mount a small disk: run as root")
    place = box.home / full
    place.mkdir(parents=True, exist_ok=True)
    held = place.with_name("held")
    shutil.copytree(place, held, symlinks=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2M", "none", str(place)], check=True)
    try:
        shutil.copytree(held, place, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(held)
        was = look(box)
        assert cli(box.inventory, "deploy.py", "-y").code == 0
        write_key(box, "kwinrc", "Tiling", "n", "1")
        filler = place / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        back = cli(box.inventory, "tasks/rollback.py", "-y", *ALL)
        filler.unlink()
        # Where the record itself has no room, the lock cannot be taken and nothing is begun.
        assert back.code == (4 if full == ".config" else 1), back.out
        back = cli(box.inventory, "tasks/rollback.py", "-y", *ALL)
        assert back.code == 0, back.out
        now = look(box)
        kwinrc = str(box.config("kwinrc"))
        assert values(now[kwinrc][0], BACKEND) == values(was[kwinrc][0], BACKEND)
        assert b"\nn=1\n" in now[kwinrc][0]
        del now[kwinrc], was[kwinrc]
        assert now == was
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_u14_repeating_an_undo_leaves_alone_what_was_written_in_between(applied: Box) -> None:
    """An entry that is restored already stays as somebody sets it afterwards."""
    lock = applied.config("baloofilerc.lock")
    name = Path("/proc/self/exe").resolve().name
    lock.write_text(f"{os.getpid()}\n{name}\n{os.uname().nodename}\n")
    assert undo(applied).startswith("broken")
    lock.unlink()
    write_key(applied, "kwinrc", "Tiling", "n", "1")
    held = applied.config("kwinrc").read_bytes()
    assert undo(applied).startswith("undone")
    assert applied.config("kwinrc").read_bytes() == held


def test_u1_what_the_undo_of_a_failed_proof_leaves_alone_is_said() -> None:
    reason = "not proved; changed since, left alone: ~/.config/kwinrc [A] x"
    text, code = activate.meaning(cast(Any, None), "undone", reason, disproved="kwin.blur: no")
    assert text == "undone: kwin.blur: no; changed since, left alone: ~/.config/kwinrc [A] x"
    assert code == 3


#: Undos under fire. ``make undos`` does 200.
UNDOS = int(os.environ.get("UNDOS", "3"))


def test_u1_undos_while_kde_writes_all_the_time_leave_nothing_and_lose_nothing(
    cli: Cli, applied: Box, before: dict[str, tuple[bytes, int]], tmp_path: Path
) -> None:
    place = transaction(applied)
    kept = {path: path.read_bytes() for path in place.iterdir() if path.is_file()}
    ours = {name: applied.config(name).read_bytes() for name in FILES}
    program = (
        'n=0; while [ ! -e "$STOP" ]; do n=$((n + 1)); '
        '"$KWRITE" --file kwinrc --group Theirs --key "k$n" "$n" && echo "$n" >"$DONE"; done'
    )
    for number in range(UNDOS):
        for path, content in kept.items():
            path.write_bytes(content)
        for name, content in ours.items():
            applied.config(name).write_bytes(content)
        stop, done = tmp_path / f"stop{number}", tmp_path / f"done{number}"
        writer = subprocess.Popen(
            ["dash", "-c", program],
            env={
                **os.environ,
                "XDG_CONFIG_HOME": str(applied.config("")),
                "QT_LOGGING_RULES": "*=false",
                "KWRITE": need("kwriteconfig"),
                "STOP": str(stop),
                "DONE": str(done),
            },
            stdout=sys.stderr,
        )
        try:
            while not done.exists() and writer.poll() is None:
                pass
            status = undo(applied)
        finally:
            stop.touch()
            assert writer.wait(timeout=60) == 0
        assert status.startswith("undone"), status
        text = applied.config("kwinrc").read_bytes()
        for n in range(1, int(done.read_text()) + 1):
            assert f"\nk{n}={n}\n".encode() in text, f"a write of KDE's is lost in undo {number}"
        kwinrc = str(applied.config("kwinrc"))
        assert values(text, BACKEND) == values(before[kwinrc][0], BACKEND)
        for name in FILES[1:]:
            path = applied.config(name)
            assert path.read_bytes() == before[str(path)][0], name


def test_an_undo_removes_the_directories_that_the_run_made_while_nothing_is_in_them(
    cli: Cli, applied: Box
) -> None:
    box, made = applied, applied.config("environment.d")
    mine = made / "10-mine.conf"
    mine.write_text("A=1\n")
    assert undo(box).startswith("undone")
    assert list(made.iterdir()) == [mine]
    shutil.rmtree(made)
    assert cli(box.inventory, "deploy.py", "-y").code == 0
    assert undo(box).startswith("undone")
    assert not made.exists()
