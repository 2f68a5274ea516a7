"""Programs on the machine, over one SSH connection for each user and boot."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.vm.image import Image

#: Seconds until a boot, or a program there, counts as failed. A boot takes 40 alone on two cores,
#: several times that beside other tests; a machine that goes back by itself boots twice.
PATIENCE_S = 1200


@dataclass(frozen=True)
class Done:
    """How a program on the machine ended."""

    code: int
    out: str
    err: str


class Remote:
    """The server of the machine whose disks are ``image``, on ``port`` of this one."""

    def __init__(self, image: Image, known_hosts: Path) -> None:
        self.image, self.known_hosts, self.port = image, known_hosts, 0
        self._control = tempfile.TemporaryDirectory(prefix="vm-")  # a socket's path is short

    def socket(self, name: str) -> Path:
        """Where a socket of the machine's lies: a path that is short enough for one."""
        return Path(self._control.name, f"{name}.socket")

    def run(self, *command: str, user: str = "root", stdin: str = "") -> Done:
        """Run a program there, as root or as the workspace's user."""
        self._connect(user)
        done = subprocess.run(
            [*self._client(user), shlex.join(command)],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def _client(self, user: str, *options: str) -> list[str]:
        """OpenSSH; all commands of a boot and a user share one connection."""
        given = {
            "UserKnownHostsFile": str(self.known_hosts),
            "GlobalKnownHostsFile": "none",
            "StrictHostKeyChecking": "yes",
            "IdentityFile": str(self.image.key),
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "LogLevel": "ERROR",
            "ConnectTimeout": "120",
            "KexAlgorithms": "curve25519-sha256",  # the others take seconds in software
            "ControlPath": f"{self._control.name}/{user}",
        }
        named = [f"-o{name}={value}" for name, value in given.items()]
        return [
            "ssh",
            "-F",
            "none",
            "-T",
            "-p",
            str(self.port),
            *named,
            *options,
            f"{user}@127.0.0.1",
        ]

    def _connect(self, user: str) -> None:
        if not Path(self._control.name, user).exists():
            subprocess.run(
                self._client(user, "-M", "-N", "-f"),
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=PATIENCE_S,
            )

    def disconnect(self) -> None:
        """A connection to a boot that is over would wait for ever."""
        for user in os.listdir(self._control.name):
            if user.endswith(".socket"):
                continue
            subprocess.run(self._client(user, "-O", "exit"), check=False, capture_output=True)
            Path(self._control.name, user).unlink(missing_ok=True)

    def ssh(self, *command: str, user: str = "root", stdin: str = "") -> str:
        """The same, for a program that has to end well: its standard output."""
        done = self.run(*command, user=user, stdin=stdin)
        assert done.code == 0, f"{shlex.join(command)}: exit {done.code}\n{done.out}{done.err}"
        return done.out.strip()

    def sh(self, script: str, *arguments: str, user: str = "root") -> str:
        """Run lines of shell there; their standard output."""
        return self.ssh("sh", "-euc", script, "sh", *arguments, user=user)

    def close(self) -> None:
        self._control.cleanup()
