"""Rooms that are furnished once and laid again, at the same path, for each test that wants one.

What a workspace holds names its own path: the store of Nix, the profiles, the records of runs. So a
copy is of use at that path alone. Each worker of the tests has rooms of its own, and runs one test
at a time. What a test has done to a room goes to the directory of that test.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Hashable
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


class Rooms:
    """``directory``: where they lie, on one file system with the directories of the tests."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._kept: dict[Hashable, tuple[Path, Any]] = {}
        self._open: set[Path] = set()
        self.aside = directory  # of the test that runs now
        self.known: dict[Hashable, Any] = {}  # what was found out about a room

    def lay(
        self,
        name: str,
        key: Hashable,
        furnish: Callable[[Path], T],
        *,
        upon: tuple[Hashable, Callable[[Path], object]] | None = None,
    ) -> tuple[Path, T]:
        """The room ``name`` as ``furnish`` leaves it, and what that returned. It is called once for
        a name and a ``key``; later the room is a copy of what it left, also within one test.
        ``upon``: the key and the function of what ``furnish`` goes on with."""
        room = self.directory / name
        kept = self._kept.get((name, key))
        if kept is None and upon:
            self.lay(name, *upon)
        elif room in self._open:
            self._put_aside(room)
        self._open.add(room)
        if kept is None:
            room.mkdir(exist_ok=upon is not None)
            made = furnish(room)
            copy = self.directory / f".kept-{len(self._kept)}"
            _copied(room, copy)
            self._kept[name, key] = (copy, deepcopy(made))
            return room, made
        _copied(kept[0], room)
        return room, deepcopy(kept[1])

    def leave(self) -> None:
        """A test has ended: nothing of it runs any more, and its rooms are in ``aside``."""
        rooms, self._open = self._open, set()
        for room in rooms:
            self._put_aside(room)

    def _put_aside(self, room: Path) -> None:
        end_what_runs_in(room)
        self.aside.mkdir(exist_ok=True)
        same = sum(one.name.partition(".")[0] == room.name for one in self.aside.iterdir())
        room.rename(self.aside / (f"{room.name}.{same}" if same else room.name))


def _copied(what: Path, to: Path) -> None:
    subprocess.run(["cp", "-a", "--reflink=auto", str(what), str(to)], check=True)


def end_what_runs_in(room: Path) -> None:
    """End the processes whose command or environment names something in ``room``: one that a test
    has left there, such as a change that waits for its decision, would act on the next test."""
    inside = f"{room}/".encode()
    found = [pid for pid in map(_number, os.listdir("/proc")) if pid and _names(pid, inside)]
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + 20
    while any(_names(pid, inside) for pid in found):
        assert time.monotonic() < end, f"{found}: do not end"
        time.sleep(0.01)


def _number(name: str) -> int:
    return int(name) if name.isdecimal() else 0


def _names(pid: int, inside: bytes) -> bool:
    with contextlib.suppress(OSError):  # somebody else's, or it has ended
        return any(
            inside in Path(f"/proc/{pid}/{part}").read_bytes() for part in ("environ", "cmdline")
        )
    return False
