"""A room that is laid again is as it was furnished, whatever the test before did and left in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rooms import Rooms


@pytest.fixture
def own(tmp_path: Path) -> Rooms:
    (tmp_path / "rooms").mkdir()
    rooms = Rooms(tmp_path / "rooms")
    rooms.aside = tmp_path / "aside"
    return rooms


def furnish(room: Path) -> list[str]:
    (room / "file").write_text("as furnished\n")
    (room / "file").chmod(0o640)
    os.utime(room / "file", (1, 1))
    (room / "link").symlink_to(room / "file")
    return ["made"]


def test_a_room_is_furnished_once_and_then_the_same_at_the_same_path(own: Rooms) -> None:
    calls: list[Path] = []
    rooms = []
    for _ in range(3):
        room, made = own.lay("one", "key", lambda room: calls.append(room) or furnish(room))
        stat = (room / "file").stat()
        assert (stat.st_mtime, stat.st_mode & 0o777, made) == (1, 0o640, ["made"])
        assert (room / "link").readlink() == room / "file"
        assert sorted(path.name for path in room.iterdir()) == ["file", "link"]
        (room / "file").write_text("changed\n")
        (room / "more").touch()
        made.append("and changed")
        rooms.append(room)
        own.leave()
        assert not room.exists()
        assert (own.aside / "one/file").read_text() == "changed\n", "a person may look at it"
        own.aside = own.aside.with_name(f"aside{len(rooms)}")
    assert len(calls) == 1 and len(set(rooms)) == 1


def test_another_key_is_furnished_anew_and_a_failure_is_not_kept(own: Rooms) -> None:
    def fails(_: Path) -> None:
        raise OSError("no such luck")

    with pytest.raises(OSError):
        own.lay("one", "key", fails)
    own.leave()
    for key in ("key", "another"):
        own.aside = own.aside.with_name(key)
        room, _ = own.lay("one", key, lambda room, key=key: (room / key).touch())
        assert [path.name for path in room.iterdir()] == [key]
        (room / "more").touch()
        again, _ = own.lay("one", key, furnish)
        assert again == room and [path.name for path in room.iterdir()] == [key]
        own.leave()
        assert {one.name for one in own.aside.iterdir()} == {"one", "one.1"}


def test_a_room_can_go_on_from_another_which_is_furnished_once_for_both(own: Rooms) -> None:
    calls: list[str] = []

    def first(room: Path) -> None:
        calls.append("first")
        furnish(room)

    def second(room: Path) -> str:
        calls.append("second")
        (room / "file").write_text("gone on\n")
        return "made"

    for _ in range(2):
        room, made = own.lay("one", "second", second, upon=("first", first))
        assert ((room / "file").read_text(), made) == ("gone on\n", "made")
        room, _ = own.lay("one", "first", first)
        assert (room / "file").read_text() == "as furnished\n"
        own.leave()
        own.aside = own.aside.with_name("aside2")
    assert calls == ["first", "second"]


@pytest.mark.parametrize("by", ["its command", "its environment"])
def test_what_a_test_leaves_running_in_a_room_is_ended_and_nothing_else(
    own: Rooms, by: str
) -> None:
    room, _ = own.lay("one", "key", furnish)
    inside = {"HOME": f"{room}/home"} if by == "its environment" else {}
    waits = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
    named = [f"{room}/x"] if by == "its command" else []
    left = subprocess.Popen([*waits, *named], env={**os.environ, **inside})
    other = subprocess.Popen([*waits, f"{room}-2/x"])
    try:
        own.leave()
        assert left.wait(timeout=20) == -9
        assert other.poll() is None
    finally:
        for one in (left, other):
            one.kill()
            one.wait()
