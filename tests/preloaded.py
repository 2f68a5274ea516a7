"""Runs of pyinfra by fork from one process that has imported what they need.

Most of the processor time of a short run goes into imports. A run from here is a process of its
own, with its own arguments, environment and output. pyinfra as ``workspace_start`` has it, the
libraries, ``converge`` and the packages of ``tasks``, whose imports do nothing, are imported
already; ``config.py`` and the command are run anew. A test that looks at a running run, or at its
interpreter, uses ``Cli.start``, which starts a new interpreter.
"""

from __future__ import annotations

import _socket
import array
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

#: What an interpreter reads at its begin and no fork can change.
OF_THE_INTERPRETER = ("PYTHON", "LANG", "LC_", "GEVENT")
_SIZE = struct.Struct("!I")


class Preloaded:
    """The process that runs are forked from; it ends with the one that made it."""

    def __init__(self, command: Path, directory: Path, environment: Mapping[str, str]) -> None:
        self._settled = _settled(environment)
        ours, theirs = _socket.socketpair()
        self._channel = ours
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), str(command), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        theirs.close()

    def close(self) -> None:
        """End the process."""
        self._channel.close()
        self._process.wait()

    def can(self, environment: Mapping[str, str]) -> bool:
        """Whether a run in ``environment`` would be the same in an interpreter of its own."""
        return self._settled == _settled(environment)

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], patience_s: float
    ) -> tuple[int, str, str]:
        """Exit code (minus a signal's number), output, errors.

        Raises ``TimeoutExpired`` when the run, or what holds its output, goes on for longer."""
        request = json.dumps([list(arguments), dict(environment)]).encode()
        pipes = [os.pipe() for _ in "12"]
        fds = array.array("i", [write for _, write in pipes])
        rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fds)]
        self._channel.sendmsg([_SIZE.pack(len(request))], rights)
        self._channel.sendall(request)
        for _, write in pipes:
            os.close(write)
        (pid,) = _SIZE.unpack(_exactly(self._channel, _SIZE.size))
        try:
            out, err = _read([read for read, _ in pipes], time.monotonic() + patience_s)
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(list(arguments), patience_s) from None
        finally:
            (status,) = _SIZE.unpack(_exactly(self._channel, _SIZE.size))
        return os.waitstatus_to_exitcode(status), out, err


def _settled(environment: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in environment.items() if k.startswith(OF_THE_INTERPRETER)}


def _exactly(channel: _socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        more = channel.recv(size - len(read))
        if not more:
            raise EOFError("the other end is gone")
        read += more
    return read


def _read(fds: Sequence[int], until: float) -> list[str]:
    """All that comes from each, which is closed then."""
    parts: dict[int, list[bytes]] = {fd: [] for fd in fds}
    try:
        with selectors.DefaultSelector() as selector:
            for fd in fds:
                selector.register(fd, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(until - time.monotonic())
                if not ready:
                    raise TimeoutError
                for key, _ in ready:
                    if part := os.read(key.fd, 65_536):
                        parts[key.fd].append(part)
                    else:
                        selector.unregister(key.fd)
    finally:
        for fd in fds:
            os.close(fd)
    return [b"".join(parts[fd]).decode() for fd in fds]


def _serve(channel: _socket.socket) -> Sequence[str]:
    """Fork for each request; in the child return the arguments of its run."""
    from gevent import monkey

    fork, waitpid = monkey.get_original("os", ["fork", "waitpid"])
    while True:
        fds = array.array("i")
        head, rights, _, _ = channel.recvmsg(_SIZE.size, _socket.CMSG_SPACE(2 * fds.itemsize))
        if not head:
            os._exit(0)
        for _, _, data in rights:
            fds.frombytes(data)
        arguments, environment = json.loads(_exactly(channel, *_SIZE.unpack(head)))
        pid = fork()
        if pid == 0:
            channel.close()
            for number, fd in enumerate(fds, 1):
                os.dup2(fd, number)
                os.close(fd)
            os.environ.clear()
            os.environ.update(environment)
            time.tzset()
            return [str(argument) for argument in arguments]
        for fd in fds:
            os.close(fd)
        channel.sendall(_SIZE.pack(pid))
        channel.sendall(_SIZE.pack(waitpid(pid, 0)[1]))


if __name__ == "__main__":
    command, fd = sys.argv[1:]
    sys.path[0] = str(Path(command).parent)  # as the interpreter of ``command`` has it
    importlib.import_module("workspace_start").install()
    main = importlib.import_module("pyinfra_cli.main")  # first: it patches the standard library
    for library in ("configobj", "jsonschema", "paramiko", "yaml"):
        importlib.import_module(library)
    for package in ("converge", "tasks.reach", "tasks.run", "tasks.steps"):
        ours = importlib.import_module(package)
        for one in pkgutil.walk_packages(ours.__path__, f"{package}."):
            if not one.name.endswith("__main__"):
                importlib.import_module(one.name)
    gc.collect()
    gc.freeze()  # a collection in a child writes to none of the pages that it shares with this one
    sys.argv = [command, *_serve(_socket.socket(fileno=int(fd)))]
    sys.exit(main.main())
