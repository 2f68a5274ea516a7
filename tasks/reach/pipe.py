"""Join two programs of ``converge/remote`` on two machines: what one says, the other hears.

The bytes pass through this process, on the connections that it has to both: neither machine can
reach the other by them, and nothing of what passes is kept.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import gevent
from gevent import subprocess

from tasks.reach.remote import LOST, command, limited

CHUNK = 65536
PATIENCE_S = 60  # for one side to end once the other has
KEPT = 64  # last pieces of what a program complains


@dataclass(frozen=True, kw_only=True)
class End:
    """A program on a machine (pyinfra's host)."""

    host: Any
    program: str
    arguments: Sequence[str]


class _Process(Protocol):
    """A running program: ``read`` and ``complaint`` return an empty text at the end."""

    def read(self) -> bytes: ...
    def complaint(self) -> bytes: ...
    def write(self, data: bytes) -> None: ...
    def hang_up(self) -> None: ...
    def wait(self) -> int: ...
    def kill(self) -> None: ...


class _Remote:
    def __init__(self, host: Any, text: str) -> None:
        self.channel = host.connector.client.get_transport().open_session()
        self.channel.exec_command(text)

    def read(self) -> bytes:
        return bytes(self.channel.recv(CHUNK))

    def complaint(self) -> bytes:
        return bytes(self.channel.recv_stderr(CHUNK))

    def write(self, data: bytes) -> None:
        self.channel.sendall(data)

    def hang_up(self) -> None:
        self.channel.shutdown_write()

    def wait(self) -> int:
        return int(self.channel.recv_exit_status())

    def kill(self) -> None:
        self.channel.close()


class _Local:
    def __init__(self, text: str) -> None:
        self.process = subprocess.Popen(
            ["sh", "-c", text],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )

    def read(self) -> bytes:
        return bytes(self.process.stdout.read(CHUNK))

    def complaint(self) -> bytes:
        return bytes(self.process.stderr.read(CHUNK))

    def write(self, data: bytes) -> None:
        while data:
            data = data[self.process.stdin.write(data) :]

    def hang_up(self) -> None:
        self.process.stdin.close()

    def wait(self) -> int:
        return int(self.process.wait())

    def kill(self) -> None:
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()
        self.process.kill()


def _start(end: End) -> _Process:
    from pyinfra.connectors.util import make_unix_command_for_host

    options = {"_env": end.host.data.get("_env")} if end.host.data.get("_env") else {}
    text = make_unix_command_for_host(
        end.host.state, end.host, command(end.program, end.arguments), **options
    ).get_raw_value()
    over_ssh = getattr(end.host.connector, "client", None) is not None
    return _Remote(end.host, text) if over_ssh else _Local(text)


@contextlib.contextmanager
def _both(one: End, other: End) -> Iterator[tuple[_Process, _Process]]:
    with contextlib.ExitStack() as stack:
        running = []
        for end in (one, other):
            running.append(_start(end))
            stack.callback(running[-1].kill)
        yield running[0], running[1]


def join(one: End, other: End, *, limit: int) -> str:
    """Run both until the first has ended, and the other after it. ``limit`` in seconds.

    Returns the empty string, or why it did not succeed: what the other one said last, else the
    first. Never raises for what happens on the machines or on the way there."""
    try:
        with limited(limit), _both(one, other) as (first, second):
            said: list[deque[bytes]] = [deque(maxlen=KEPT), deque(maxlen=KEPT)]
            pumps = [
                gevent.spawn(_pump, first.read, second.write, second.hang_up),
                gevent.spawn(_pump, second.read, first.write, first.hang_up),
                gevent.spawn(_pump, first.complaint, said[0].append),
                gevent.spawn(_pump, second.complaint, said[1].append),
            ]
            codes = [first.wait()]
            with gevent.Timeout(PATIENCE_S, TimeoutError):
                codes.append(second.wait())
                gevent.joinall(pumps)
    except LOST as error:
        return str(error) or type(error).__name__
    if codes == [0, 0]:
        return ""
    texts = [_last(lines) for lines in reversed(said)]
    return next((text for text in texts if text), f"exit codes {codes[0]} and {codes[1]}")


def _pump(
    read: Callable[[], bytes],
    write: Callable[[bytes], None],
    hang_up: Callable[[], None] = lambda: None,
) -> None:
    with contextlib.suppress(*LOST, ValueError):
        while data := read():
            write(data)
    with contextlib.suppress(*LOST, ValueError):
        hang_up()


def _last(pieces: Iterable[bytes]) -> str:
    lines = b"".join(pieces).decode(errors="replace").splitlines()
    told = [line.strip() for line in lines if line.strip()]
    errors = [line for line in told if line.startswith("error:")]
    return (errors or told or [""])[-1]
