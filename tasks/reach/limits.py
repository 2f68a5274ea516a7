"""Limits on what a server sends, checked while it arrives, so that no memory fills up.

``Packets`` limits what comes before the host key is known, ``read_output_buffers`` the output of
every program. pyinfra 3.10 and paramiko 4.0 have no such limits.
"""

from __future__ import annotations

import contextlib
import hmac
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import gevent
from paramiko import ChannelStderrFile, SSHException, util  # type: ignore[attr-defined]
from paramiko.compress import ZlibCompressor, ZlibDecompressor
from paramiko.packet import Packetizer
from pyinfra.api.output import echo, format_text
from pyinfra.connectors.util import CommandOutput, OutputLine

from converge.report.terminal import plain
from tasks.reach.packing import Packer

vars(util)["constant_time_bytes_eq"] = hmac.compare_digest  # that of paramiko is slow

GREETING = 64 * 1024  # bytes before the SSH protocol begins; OpenSSH reads as many
PACKET = 256 * 1024  # bytes of one packet, as OpenSSH
ANSWER = 48 * 1024 * 1024  # bytes of one answer
LINE = 200  # bytes that a line takes in memory in addition to its text
SHOWN = 4000  # lines: only the last ones of a build's messages are kept, which may be long
CHUNK = 65536


class TooMuch(OSError):
    """A workspace sent more than any answer needs, so it is not known what its program did."""


class Packets(Packetizer):
    """paramiko's reader of packets with limits: it would allocate the 4 GiB that a server
    announces, and all that a packet unpacks to."""

    _greeting = 0

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        if n > PACKET:
            raise SSHException(f"the server sends a packet of {n} bytes; {PACKET} are allowed")
        return bytes(super().read_all(n, check_rekey))

    def set_inbound_compressor(self, compressor: ZlibDecompressor) -> None:
        super().set_inbound_compressor(Unpacker())

    def set_outbound_compressor(self, compressor: ZlibCompressor) -> None:
        super().set_outbound_compressor(Packer())

    def _read_timeout(self, timeout: float) -> bytes:
        """paramiko reads only the lines before the protocol begins by this method."""
        data = bytes(super()._read_timeout(timeout))  # type: ignore[misc]
        self._greeting += len(data)
        if self._greeting > GREETING:
            raise SSHException(f"the server says more than {GREETING} bytes before it speaks SSH")
        return data


class Unpacker(ZlibDecompressor):
    """Unpacks one packet after the other of a compressed connection."""

    def __call__(self, data: Any) -> bytes:
        try:
            text = bytes(self.z.decompress(data, PACKET))
        except zlib.error as error:
            raise SSHException(f"the server sends what cannot be unpacked: {error}") from error
        if self.z.unconsumed_tail:
            raise SSHException(f"the server sends a packet that unpacks to over {PACKET} bytes")
        return text


class _Answer:
    """What a program has printed so far. ``shown``: its errors are messages for a person, of which
    the last lines are enough."""

    def __init__(self, shown: bool) -> None:
        self.left = ANSWER
        self.stdout: list[OutputLine] = []
        self.stderr: deque[OutputLine] = deque(maxlen=SHOWN if shown else None)
        self.counted = ("stdout",) if shown else ("stdout", "stderr")

    def count(self, name: str, size: int) -> None:
        if name in self.counted:
            self.left -= size
        if self.left < 0:
            raise TooMuch(f"it said more than {ANSWER >> 20} MiB, and was not listened to any more")

    def lines(self, name: str, stream: Any) -> Iterator[str]:
        """The lines of a stream, decoded. Raises TooMuch, also for a line that does not end."""
        rest: list[bytes] = []
        held = 0
        for piece in iter(_reader(stream), b""):
            self.count(name, len(piece) + LINE * piece.count(b"\n"))
            first, *more = piece.split(b"\n")
            rest.append(first)
            held += len(first)
            if held > ANSWER:  # of what is shown: nothing else counts
                raise TooMuch(f"one line of it is longer than {ANSWER >> 20} MiB")
            if more:
                yield from _text(b"".join(rest), *more[:-1])
                rest, held = [more[-1]], len(more[-1])
        if any(rest):
            yield from _text(b"".join(rest))

    @property
    def output(self) -> CommandOutput:
        return CommandOutput([*self.stdout, *self.stderr])


def _text(*lines: bytes) -> Iterator[str]:
    return (line.decode(errors="replace") for line in lines)


def _reader(stream: Any) -> Callable[[], bytes]:
    channel = getattr(stream, "channel", None)
    if channel is None:  # a process of this machine
        return partial(stream.read1, CHUNK)
    receive = channel.recv_stderr if isinstance(stream, ChannelStderrFile) else channel.recv
    return partial(receive, CHUNK)


def read_output_buffers(
    stdout_buffer: Any,
    stderr_buffer: Any,
    timeout: int | None,
    print_output: bool,
    print_prefix: str,
) -> CommandOutput:
    """In place of pyinfra's function of this name: the same, with limits. ``timeout`` in seconds.

    Raises TimeoutError and TooMuch, after which nothing more of the program is read."""
    answer = _Answer(print_output)
    failed: list[Exception] = []

    def read(name: str, stream: Any, kept: list[OutputLine] | deque[OutputLine]) -> None:
        try:
            for line in answer.lines(name, stream):
                kept.append(OutputLine(name, line))
                if print_output and name == "stderr":  # the rest is words for the controller
                    text = format_text(plain(line), "red")
                    echo(f"{print_prefix}{text}", err=True)
        except Exception as error:  # raised in the caller; gevent would only print it
            failed.append(error)

    streams = {"stdout": stdout_buffer, "stderr": stderr_buffer}
    readers = [
        gevent.spawn(read, name, stream, getattr(answer, name)) for name, stream in streams.items()
    ]
    try:
        with gevent.Timeout(timeout, TimeoutError):
            for _ in gevent.iwait(readers):
                if failed:
                    raise failed[0]
    except BaseException:
        gevent.killall(readers)
        for stream in streams.values():
            with contextlib.suppress(Exception):
                (getattr(stream, "channel", None) or stream).close()
        raise
    return answer.output
