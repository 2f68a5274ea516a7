"""KDE honours our lock on a config file, and only a lock that names its holder rightly."""

from __future__ import annotations

import ctypes
import os
import select
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from converge.kde.merge import merge
from tests.kde.oracle import KDE

SUFFIX = ".lock"  # what KConfig adds to the name of the file
LIBC = ctypes.CDLL(None, use_errno=True)
IN_OPEN = 0x20
ONE_EVENT = 16  # a struct inotify_event without a name
EXECUTABLE = Path("/proc/self/exe").readlink().name


def ours(pid: int | None = None, executable: str = EXECUTABLE) -> bytes:
    return f"{pid or os.getpid()}\n{executable}\n{socket.gethostname()}\n".encode()


def wait_until_opened_twice(path: Path) -> None:
    """Until somebody looked into `path`, left it alone, and came back."""
    watch = LIBC.inotify_init()
    assert LIBC.inotify_add_watch(watch, os.fsencode(path), IN_OPEN) >= 0
    try:
        for _ in range(2):
            ready, _, _ = select.select([watch], [], [], 30)
            assert ready, "KDE does not look at the lock"
            assert os.read(watch, ONE_EVENT)
    finally:
        os.close(watch)


class Writer:
    """kwriteconfig about to write `x=kde` into the file."""

    def __init__(self, kde: KDE) -> None:
        self.file = kde.home / "judged"
        self.file.write_bytes(b"[A]\nx=1\n")
        self.lock = self.file.with_name(self.file.name + SUFFIX)
        self.started: list[subprocess.Popen[bytes]] = []
        self._kde = kde

    def start(self) -> subprocess.Popen[bytes]:
        command = self._kde.command(self._kde.write_tool, ["A"], "x", "--", "kde")
        self.started.append(subprocess.Popen(command, env=self._kde.env))
        return self.started[-1]


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(KDE(tmp_path / "home"))
    yield writer
    for process in writer.started:
        process.kill()
        process.wait()


def test_kde_waits_for_our_lock_and_keeps_what_we_wrote(writer: Writer) -> None:
    writer.lock.write_bytes(ours())
    process = writer.start()
    wait_until_opened_twice(writer.lock)
    merged = merge(writer.file.read_bytes(), {("A",): {"ours": "1"}})
    writer.file.write_bytes(merged.text)
    assert process.poll() is None
    writer.lock.unlink()
    assert process.wait() == 0
    assert writer.file.read_bytes() == b"[A]\nours=1\nx=kde\n"


@pytest.mark.parametrize(
    "content",
    [ours(pid=2**22 - 1), ours(executable=f"not {EXECUTABLE}")],
    ids=["a process that is gone", "a process that runs something else"],
)
def test_kde_removes_a_lock_whose_holder_is_gone(writer: Writer, content: bytes) -> None:
    writer.lock.write_bytes(content)
    assert writer.start().wait() == 0
    assert writer.file.read_bytes() == b"[A]\nx=kde\n"
    assert not writer.lock.exists()


def test_the_lock_lies_beside_the_file_that_a_symlink_leads_to(writer: Writer) -> None:
    real = writer.file.with_name("real")
    writer.file.rename(real)
    writer.file.symlink_to(real)
    lock = real.with_name(real.name + SUFFIX)
    lock.write_bytes(ours())
    process = writer.start()
    wait_until_opened_twice(lock)
    lock.unlink()
    assert process.wait() == 0
    assert writer.file.is_symlink()
    assert real.read_bytes() == b"[A]\nx=kde\n"
