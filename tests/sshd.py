"""A throw-away OpenSSH server on loopback, with separate Unix users and its own keys."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import sandbox
from tests.tools import find, missing, need


def _slot() -> int:
    """The first number that no other run of the tests on this machine has, kept until this process
    ends: its Unix users, and nobody else's processes, are those of this run."""
    for number in range(100):
        lock = os.open(f"/run/lock/workspace-tuning-tests.{number}", os.O_CREAT | os.O_RDWR, 0o666)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return number
        os.close(lock)
    raise RuntimeError("a hundred runs of the tests at once")


SLOT = _slot()
ONE, TWO, THREE = (f"wt-{name}{SLOT}" for name in ("one", "two", "three"))
USERS = (ONE, TWO)
FLEET = (*USERS, THREE)


@dataclass
class Server:
    directory: Path
    port: int
    homes: dict[str, Path]

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    def commands(self, user: str) -> int:
        """How many commands ran for a user since the server started."""
        return len(re.findall(rf"Starting session: \S+ for {user} ", self.log))

    @property
    def connections(self) -> int:
        return self.log.count("Connection from ")

    def choices(self, user: str, **more: object) -> dict[str, object]:
        """Arguments of ``tasks.reach.connection.workspace`` for a user of this server."""
        return {
            "at": f"{user}@127.0.0.1:{self.port}",
            "ssh_key": str(self.directory / "client"),
            "ssh_known_hosts_file": str(self.directory / "known_hosts"),
            "ssh_look_for_keys": False,
            "ssh_allow_agent": False,
            "user": user,
            **more,
        }

    def known_as(self, name: str) -> str:
        """A known_hosts file that says the server's key is that of ``name``."""
        path = self.directory / f"known_hosts.{len(list(self.directory.iterdir()))}"
        path.write_text(f"{name} {(self.directory / 'host.pub').read_text()}")
        return str(path)

    def box(
        self, user: str, name: str, *, within: bool = False, nix: bool = True
    ) -> dict[str, object]:
        """A fresh sandbox in the user's home directory, and the choices that reach it over SSH;
        ``within``: its home is a part of the system; without ``nix`` its layers are those of the
        desktop, and it has no generations.

        The server is shared: what an earlier test of the same name left, or still runs, stays in a
        directory of its own."""
        places = (self.homes[user] / f"{name}-{number}" for number in itertools.count(1))
        root = next(place for place in places if not place.exists())
        with mock.patch.object(sandbox, "catch_up"):
            data = sandbox.data(root, workspace=name, user=user, within=within)
        if within:  # a home within a system is activated as its user, at the first switch
            own(root, user)  # git of root's would refuse a flake that is another's
        with contextlib.nullcontext() if nix else mock.patch.object(sandbox, "_generations"):
            sandbox.catch_up(root, host=name, user=user)
        if not nix:
            data["layers"] = ["plasma", "session"]
        self._chezmoi(root / "home/.local/bin/chezmoi")
        own(root, user)
        for key in ("workspace", "user"):
            data.pop(key)
        return self.choices(user, name=name, **data)

    def _chezmoi(self, link: Path) -> None:
        """Where people have it: a login over SSH has nothing of this process's PATH, and a source
        without its program holds back what the source manages."""
        found, copy = find("chezmoi"), self.directory / "chezmoi"
        if found is None:
            return
        if not copy.exists():
            shutil.copy(found, copy)  # the project's directory may be closed to other users
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(copy)

    @contextlib.contextmanager
    def again(self, *within: str, config: Path | None = None) -> Iterator[tuple[int, int]]:
        """One more sshd for the same users and keys, run by ``within``: its port and its pid.

        ``config``: in place of the configuration of the first one."""
        port = _free_port()
        log = self.directory / f"log.{port}"
        with (self.directory / "known_hosts").open("a") as stream:
            stream.write(f"[127.0.0.1]:{port} {(self.directory / 'host.pub').read_text()}")
        options = ("-p", str(port), "-o", f"PidFile={self.directory}/pid.{port}")
        file = ("-f", str(config or self.directory / "config"))
        with log.open("w") as stream:
            process = subprocess.Popen(
                [*within, need("sshd"), "-D", "-e", *file, *options], stderr=stream
            )
        try:
            _wait(port, process)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait(timeout=20)


def own(path: Path, user: str) -> None:
    entry = pwd.getpwnam(user)
    os.chown(path, entry.pw_uid, entry.pw_gid)
    for directory, names, files in os.walk(path):
        for name in (*names, *files):
            os.chown(Path(directory) / name, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


@contextlib.contextmanager
def serve() -> Iterator[Server]:
    """Start the server; the users of ``FLEET`` live until the end.

    Their homes are not below pytest's directory: each start of pytest closes that to other users.
    """
    program = need("sshd")
    if os.getuid() != 0:
        missing("separate Unix users need root: run the tests as root to include SSH")
    with tempfile.TemporaryDirectory(prefix="workspace-tuning-sshd-") as directory:
        yield from _serve(Path(directory), program)


def _serve(directory: Path, program: str) -> Iterator[Server]:
    directory.chmod(0o755)
    for name in ("host", "client"):
        key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)]
        subprocess.run(key, check=True)
    _forget_users()  # of a run that was killed
    homes = {user: directory / "homes" / user for user in FLEET}
    (directory / "homes").mkdir()
    for user, home in homes.items():
        account("useradd", "-m", "-d", str(home), "-s", "/bin/sh", user)
        account("usermod", "-p", "*", user)  # not locked: sshd lets keys in
        home.chmod(0o755)
    port = _free_port()
    public = (directory / "host.pub").read_text()
    (directory / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")
    shutil.copy(directory / "client.pub", directory / "authorized_keys")
    (directory / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {directory}/host\n"
        f"AuthorizedKeysFile {directory}/authorized_keys\nStrictModes no\nUsePAM no\n"
        f"PidFile {directory}/pid\nLogLevel VERBOSE\nMaxStartups 100\nMaxSessions 20\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(
            [program, "-D", "-e", "-f", str(directory / "config")], stderr=log, stdout=log
        )
    try:
        _wait(port, process)
        server = Server(directory, port, homes)
        while not server.connections and process.poll() is None:  # that of _wait, not of a test
            time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=20)
        _forget_users()


def _forget_users() -> None:
    for user in FLEET:
        subprocess.run(["pkill", "-KILL", "-u", user], check=False, capture_output=True)
        account("userdel", "-f", user, check=False)


def account(*command: str, check: bool = True) -> None:
    """Change the accounts of this machine, one run of the tests at a time: the programs for it do
    not wait for each other."""
    with open("/run/lock/workspace-tuning-accounts", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(command, check=check, capture_output=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    def answers() -> bool:
        assert process.poll() is None, "sshd ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    wait_for(answers, "sshd")


def wait_for(ready: Callable[[], bool], what: str, *, patience_s: float = 20) -> None:
    """Ask until something that was started is there."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if ready():
            return
        time.sleep(0.02)
    raise RuntimeError(f"waited {patience_s} s in vain: {what}")
