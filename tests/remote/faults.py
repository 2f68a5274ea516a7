"""For tests of faults: what must hold after each of them, and a line that can be cut."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import sandbox
from converge.exits import Exit, known
from tests.conftest import Box, Cli, Outcome
from tests.remote.reading import BOOT, start_time

STEPS = (
    "look before the change",
    "take the lock and write the user's layer",
    "activate",
    "prove",
    "keep or undo",
    "release the lock",
)
_MANAGED = re.compile(
    rb"(Backend|GLPreferBufferSwap|WindowsBlockCompositing|contrastEnabled|blurEnabled|"
    rb"wobblywindowsEnabled|magiclampEnabled|only basic indexing|index hidden folders|"
    rb"exclude folders|AnimationDurationFactor)\b"
)
Held = dict[Path, tuple[bytes, int, int]]


def until(process: subprocess.Popen[str], text: str) -> None:
    """Read what a run prints up to the line with ``text``, however that is wrapped."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if text in " ".join(said.split()):
            return
    raise AssertionError(f"the run ended without {text!r}:\n{said}")


def unmanaged(text: bytes) -> list[bytes]:
    """The lines that no setting declares."""
    return [line for line in text.splitlines(keepends=True) if not _MANAGED.match(line) and line]


def looked(box: Box) -> Held:
    """What a run may write: content, mode, owner."""
    places = [box.config(name) for name in sandbox.KDE_FILES]
    places += [box.source(name) for name in sandbox.KDE_FILES]
    places += (box.home / ".config/environment.d").glob("*.conf")
    return {
        path: (path.read_bytes(), path.stat().st_mode, path.stat().st_uid)
        for path in places
        if path.is_file()
    }


class Guard:
    """The invariants of one box. Made before the fault; ``after`` it; then ``converges``."""

    def __init__(self, cli: Cli, box: Box, *, chezmoi: bool = True) -> None:
        self.cli, self.box, self.chezmoi = cli, box, chezmoi
        self.before = looked(box)
        self.held: Held = {}

    def after(self, run: Outcome | None) -> None:
        """What holds right after the fault. ``run`` is None where the controller was killed."""
        self.held = looked(self.box)
        for path, (_, mode, uid) in self.before.items():
            assert (mode, uid) == self.held[path][1:], f"{path}: mode or owner changed"
        for directory in {path.parent for path in self.held}:
            stages = [one for one in directory.glob(".*.wt-*") if one.suffix != ".lock"]
            targets = [stage.name.partition(".wt-")[0] for stage in stages]
            assert len(targets) == len(set(targets)), f"more than one stage of a file: {stages}"
        if run:
            assert run.code in set(Exit), run.err
            outcome = known(str(run.journal[-1]["outcome"]))
            assert outcome is not None and outcome.exit == run.code
            assert f"{outcome} (exit {run.code})" in run.last_line
            assert [record["seq"] for record in run.journal] == list(range(1, len(run.journal) + 1))
            last = run.journal[-1]
            assert (last["kind"], last["exit"]) == ("run-end", run.code)
        assert not self.locked()

    def locked(self) -> bool:
        """Whether somebody who is alive holds the workspace."""
        lock = self.box.home / ".local/state/workspace-tuning/workspace/lock"
        if not lock.exists():
            return False
        said = dict(line.partition(" ")[::2] for line in lock.read_text().splitlines())
        with contextlib.suppress(OSError, KeyError):
            return said["boot"] == BOOT and start_time(int(said["anchor"])) == said["start"]
        return False

    def converges(self, *arguments: str) -> Outcome:
        """The next run does all that is left to do, and the one after it finds nothing."""
        run = self.cli(self.box.inventory, "deploy.py", "-y", *arguments)
        assert run.code == 0, run.out + run.err
        new = looked(self.box)
        for path, (content, _, _) in self.held.items():
            old = self.before.get(path, (None,))[0]
            assert content in (old, new[path][0]), f"{path} was torn by the fault"
        for path, (content, mode, uid) in self.before.items():
            kept = unmanaged(new[path][0])
            assert [line for line in unmanaged(content) if line not in kept] == [], path
            assert (mode, uid) == new[path][1:]
        for name in sandbox.KDE_FILES if self.chezmoi else ():
            assert new[self.box.config(name)][0] == new[self.box.source(name)][0]
        left = [one for one in self.box.root.rglob(".*.wt-*") if "state" not in one.parts]
        assert left == []
        assert not list((self.box.home / ".config").glob("*.lock"))
        assert not self.locked()
        assert self.cli(self.box.inventory, "deploy.py", "--dry").code == 0
        return run


@dataclass
class Proxy:
    """A TCP line to ``port`` that can be cut. ``budget``: bytes towards the server until it is."""

    port: int
    budget: int | None = None
    refuses: bool = False
    connections: int = 0
    at: int = 0
    _open: list[socket.socket] = field(default_factory=list)

    def cut(self) -> None:
        """Cut all connections at once, as a router that forgets them does."""
        open_, self._open = self._open, []
        for one in open_:
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _pump(self, source: socket.socket, into: socket.socket, *, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                if counted and self.budget is not None:
                    data, self.budget = data[: self.budget], self.budget - len(data)
                into.sendall(data)
                if counted and self.budget is not None and self.budget <= 0:
                    self.budget = None  # once
                    self.cut()
                    return
        with contextlib.suppress(OSError):
            into.shutdown(socket.SHUT_WR)

    def _serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                self.connections += 1
                if self.refuses:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self.port))
                self._open += [client, server]
                for source, into, counted in ((client, server, True), (server, client, False)):
                    threading.Thread(
                        target=self._pump, args=(source, into), kwargs={"counted": counted}
                    ).start()

    @contextlib.contextmanager
    def serving(self) -> Iterator[Proxy]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.at = listener.getsockname()[1]
            acceptor = threading.Thread(target=self._serve, args=(listener,))
            acceptor.start()
            try:
                yield self
            finally:
                self.cut()
                listener.shutdown(socket.SHUT_RDWR)
                acceptor.join(timeout=20)


def transaction(box: Box) -> Path:
    """The directory of the box's newest transaction."""
    places = (box.home / ".local/state/workspace-tuning/workspace/runs").glob("*/transaction")
    return sorted(places)[-1]


def end_of_power(box: Box) -> None:
    """Kill what a run left working on the workspace, as a power failure would."""
    with contextlib.suppress(IndexError, OSError, ValueError):
        pid, start, boot = (transaction(box) / "process").read_text().split()
        if (start_time(int(pid)), BOOT) == (start, boot):  # else a later process has its number
            os.kill(int(pid), signal.SIGKILL)
