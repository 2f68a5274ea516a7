"""A failure at any step of an undo, in the home, the files or the record, makes the undo broken and
repeatable. The tests run dash, and stand-ins for the Nix tools."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.remote.recording import run_id
from tests.remote.test_record_parts import Homes
from tests.remote.test_undo import immutable
from tests.remote.test_undo_state import DAMAGE
from tests.rooms import Rooms
from tests.tools import missing, need

__all__ = ["immutable"]

RUN = run_id(2)


def _changed(root: Path) -> Homes:
    homes = Homes(root)
    homes.change(1, 1)
    homes.change(2, 2)
    return homes


@pytest.fixture
def changed(rooms: Rooms) -> Homes:
    """Two changes of a file and of the home."""
    need("dash")
    _, homes = rooms.lay("homes", "changed", _changed)
    return homes


#: The step that fails -> what is immutable meanwhile.
STEPS: dict[str, Callable[[Homes], Path]] = {
    "the home's profile": lambda one: one.profile.parent,
    "a file": lambda one: one.workspace.file(),
    "the directory of a file": lambda one: one.workspace.file().parent,
    "the record of what was written": lambda one: one.workspace.written,
    "the status": lambda one: one.workspace.place(RUN) / "status",
}


@pytest.mark.parametrize("part", ["", "plasma+session", "home-manager"])
@pytest.mark.parametrize("step", STEPS)
def test_u14_what_is_immutable_at_any_step_is_broken_or_whole_and_repeatable(
    changed: Homes, immutable: Callable[[Path], None], step: str, part: str
) -> None:
    held = STEPS[step](changed)
    immutable(held)
    back = changed.workspace.script(*filter(None, [part]))
    subprocess.run(["chattr", "-i", str(held)], check=True)
    _whole_or_broken(changed, back, part)


@pytest.mark.parametrize("part", ["", "plasma+session", "home-manager"])
def test_u14_a_part_that_cannot_be_noted_is_broken_or_whole_and_repeatable(
    changed: Homes, immutable: Callable[[Path], None], part: str
) -> None:
    parts = changed.workspace.place(RUN) / "parts"
    immutable(parts)
    back = changed.workspace.script(*filter(None, [part]))
    subprocess.run(["chattr", "-i", str(parts)], check=True)
    assert (back.returncode == 4) is bool(part), back.stdout
    _whole_or_broken(changed, back, part)


def _whole_or_broken(changed: Homes, back: subprocess.CompletedProcess[str], part: str) -> None:
    if back.returncode != 0:
        assert back.returncode == 4, back.stdout + back.stderr
        assert back.stdout.startswith("status broken"), back.stdout
        again = changed.workspace.script(RUN, *filter(None, [part]))
        assert again.returncode == 0, again.stdout + again.stderr
    if part != "home-manager":
        assert changed.content == "run 1\n"
    if part != "plasma+session":
        assert changed.home == "home-1"
    (_, last) = changed.workspace.read().transactions
    assert last.word == ("kept" if part else "undone")
    if part:
        assert last.parts[part] == "undone"


@pytest.mark.parametrize("where", ["the home", "the record"])
def test_u14_a_full_disk_at_an_undo_is_broken_or_whole_and_repeatable(
    changed: Homes, where: str
) -> None:
    if os.getuid() != 0:
        missing("only root can mount a small disk: run as root")
    place = changed.workspace.home / ".config" if where == "the home" else changed.workspace.state
    copy = shutil.copytree(place, place.with_name("copy"), symlinks=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "none", str(place)], check=True)
    try:
        shutil.copytree(copy, place, symlinks=True, dirs_exist_ok=True)
        filler = place / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * 512):
                    pass
            except OSError:
                pass
        back = changed.workspace.script()
        filler.unlink()
        _whole_or_broken(changed, back, "")
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["transact.sh", "undo.sh", "plan", "live"])
def test_u14_a_transaction_that_is_damaged_ends_in_no_word_that_is_not_true(
    changed: Homes, name: str, damage: str
) -> None:
    place = changed.workspace.place(RUN)
    (place / "programs.spare").unlink()
    whole = (place / name).read_bytes()
    DAMAGE[damage](place / name)
    back = changed.workspace.script(RUN)
    if back.returncode == 0:
        assert (changed.content, changed.home) == ("run 1\n", "home-1")
        return
    (place / name).write_bytes(whole)
    again = changed.workspace.script(RUN)
    assert again.returncode == 0, again.stdout + again.stderr
    assert (changed.content, changed.home) == ("run 1\n", "home-1")
