"""Machines for Nix on one kernel: each has its own store at the same path.

A closure can be copied only between stores that have the same path, as ``/nix/store`` everywhere.
So each machine here is an sshd in a mount namespace of its own, in which its own directory is bound
to a path that all share. Outside of the namespaces this path is the store of the controller.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import sandbox
from tests import sshd
from tests.tools import need

DAEMON = """\
export NIX_STORE_DIR="$1/nix/store" NIX_STATE_DIR="$1/nix/var/nix" NIX_CONF_DIR="$1/etc/nix"
export NIX_LOG_DIR="$1/nix/var/log/nix" NIX_REMOTE=local
exec nix-daemon
"""
CHECK = "-workspace-check"
MAKE = """\
import json, sys
from pathlib import Path
import sandbox
print(json.dumps(sandbox.data(Path(sys.argv[1]), workspace=sys.argv[2], user=sys.argv[3])))
"""


@dataclass
class Machine:
    """One workspace; ``data`` are the arguments of ``tasks.reach.connection.workspace`` for it."""

    name: str
    user: str
    shared: Path  # the path that all machines have
    disk: Path  # what is there on this machine
    pid: int  # of its sshd
    data: dict[str, object] = field(default_factory=dict)
    daemon: subprocess.Popen[bytes] | None = None

    @property
    def _where(self) -> tuple[str, str]:
        return f"--mount=/proc/{self.pid}/ns/mnt", f"--wd={sandbox.PROJECT}"

    def inside(self, *arguments: str, **environment: str) -> str:
        """Run a program as root on this machine."""
        return subprocess.run(
            ["nsenter", *self._where, *arguments],
            env={**os.environ, **environment},
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        ).stdout

    def nix(self, *arguments: str) -> str:
        """Run a Nix command as root, on the store itself."""
        return self.inside(*arguments, **dict(sandbox.environment(self.shared)))

    @property
    def built(self) -> set[str]:
        """All that was ever built here, of which Nix keeps logs, but what a check built to see
        whether Nix can."""
        logs = (self.disk / "nix/var/log/nix/drvs").glob("*/*")
        return {path.parent.name + path.name for path in logs if CHECK not in path.name}

    def configure(self, *lines: str) -> None:
        with (self.disk / "etc/nix/nix.conf").open("a") as stream:
            stream.write("".join(f"{line}\n" for line in lines))

    def serve_store(self) -> None:
        """Give the store to root, and serve it to the user, whom the daemon does not trust."""
        self.stop_store()
        for path in ("nix", "etc/nix"):
            subprocess.run(["chown", "-R", "root:", str(self.disk / path)], check=True)
        profiles = self.disk / "nix/var/nix/profiles"
        shutil.chown(profiles, self.user)
        socket = self.disk / "nix/var/nix/daemon-socket/socket"
        socket.unlink(missing_ok=True)
        self.daemon = subprocess.Popen(
            [
                *("nsenter", *self._where),
                *("sh", "-c", DAEMON, "daemon", str(self.shared)),
            ]
        )
        environment = self.data["_env"]
        assert isinstance(environment, dict)
        environment["NIX_REMOTE"] = "daemon"
        sshd.wait_for(socket.exists, "nix-daemon")

    def stop_store(self) -> None:
        if self.daemon:
            self.daemon.terminate()
            self.daemon.wait()


@contextlib.contextmanager
def machine(server: sshd.Server, user: str, name: str) -> Iterator[Machine]:
    """A workspace of ``user`` on a machine of its own."""
    need("unshare")
    need("nsenter")
    shared, disk = server.directory / "machine", server.directory / f"disk-{name}"
    for path in (shared, disk):
        path.mkdir(exist_ok=True)
    bind = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    within = ("unshare", "--mount", "--propagation", "private", "sh", "-c", bind, "bind")
    with server.again(*within, str(disk), str(shared)) as (port, pid):
        one = Machine(name, user, shared, disk, pid)
        data = json.loads(one.inside(sys.executable, "-c", MAKE, str(shared), name, user))
        sshd.own(disk, user)
        for key in ("workspace", "user"):
            data.pop(key)
        one.data = server.choices(user, name=name, **data)
        one.data["at"] = f"{user}@127.0.0.1:{port}"
        try:
            yield one
        finally:
            one.stop_store()
