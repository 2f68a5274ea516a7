"""Runs of pyinfra by fork from one process that has imported what they need.

Most of the processor time of a short run goes into imports. A run from here is a process of its
own, with its own arguments, environment and output. pyinfra as ``workspace_start`` has it, the
libraries, ``converge`` and the packages of ``tasks``, whose imports do nothing, are imported
already; ``config.py`` and the command are run anew. Its command line in /proc is that of the
process it was forked from.
"""

from __future__ import annotations

import _socket
import array
import contextlib
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

#: What an interpreter reads at its begin and no fork can change.
OF_THE_INTERPRETER = ("PYTHON", "LANG", "LC_", "GEVENT")
_SIZE = struct.Struct("!I")
_OURS = b"!"  # the run is a child of whoever asked
_C = ctypes.CDLL(None, use_errno=True)


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

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        stdin: int = subprocess.DEVNULL,
        own_group: bool = False,
    ) -> subprocess.Popen[str]:
        """Begin a run, which becomes a child of this process."""
        request = json.dumps([list(arguments), dict(environment), own_group]).encode()
        with contextlib.ExitStack() as opened:
            if stdin == subprocess.DEVNULL:
                stdin = os.open(os.devnull, os.O_RDONLY)
                opened.callback(os.close, stdin)
            pipes = [os.pipe() for _ in "12"]
            for _, write in pipes:
                opened.callback(os.close, write)
            fds = array.array("i", [stdin, *(write for _, write in pipes)])
            _inherit_orphans(True)
            opened.callback(_inherit_orphans, False)
            self._channel.sendmsg(
                [_SIZE.pack(len(request))], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fds)]
            )
            self._channel.sendall(request)
            (pid,) = _SIZE.unpack(_exactly(self._channel, _SIZE.size))
            _exactly(self._channel, len(_OURS))
        return Forked(arguments, pid, *(read for read, _ in pipes))


class Forked(subprocess.Popen[str]):
    """A run that this process did not start itself and has as its child."""

    def __init__(self, arguments: Sequence[str], pid: int, out: int, err: int) -> None:
        # What the methods of Popen read; its own __init__ would start a program.
        self.args = list(arguments)
        self.pid = pid
        self.returncode: int | None = None
        self.stdin = None
        self.stdout, self.stderr = (open(fd, encoding="utf-8") for fd in (out, err))  # noqa: SIM115
        self.text_mode = self.universal_newlines = True
        self._child_created = True
        self._communication_started = False
        self._input = None
        self._sigint_wait_secs = 0.25
        self._waitpid_lock = threading.Lock()


def _inherit_orphans(whether: bool) -> None:
    """Let a descendant whose parent ends become a child of this process: prctl(2)."""
    set_child_subreaper = 36
    if _C.prctl(set_child_subreaper, int(whether), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


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


def _serve(channel: _socket.socket) -> Sequence[str]:
    """Fork for each request; in the child return the arguments of its run."""
    from gevent import monkey

    fork, waitpid = monkey.get_original("os", ["fork", "waitpid"])
    while True:
        fds = array.array("i")
        head, rights, _, _ = channel.recvmsg(_SIZE.size, _socket.CMSG_SPACE(3 * fds.itemsize))
        if not head:
            os._exit(0)
        for _, _, data in rights:
            fds.frombytes(data)
        arguments, environment, own_group = json.loads(_exactly(channel, *_SIZE.unpack(head)))
        between = fork()
        if between == 0:  # ends at once, so that the run becomes a child of whoever asked
            pid = fork()
            if pid != 0:
                channel.sendall(_SIZE.pack(pid))
                os._exit(0)
            channel.close()
            for number, fd in enumerate(fds):
                os.dup2(fd, number)
                os.close(fd)
            if own_group:
                os.setpgid(0, 0)
            os.environ.clear()
            os.environ.update(environment)
            time.tzset()
            return [str(argument) for argument in arguments]
        for fd in fds:
            os.close(fd)
        waitpid(between, 0)
        channel.sendall(_OURS)


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
