"""A real user manager and KWin under a virtual display, in a Debian root (make-root.sh)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from converge.proof import inquiry
from converge.proof.check import Answers, Ask, Context
from tasks.reach import remote
from tests.tools import missing

HERE = Path(__file__).parent
PROJECT = HERE.parent.parent
HOME = "/home/mitsio"
_ENVIRONMENT = {
    "HOME": HOME,
    "USER": "mitsio",
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "XDG_RUNTIME_DIR": "/run/user/1000",
    "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/1000/bus",
}
PROBES = remote.joined(*inquiry.PROBES)


def root() -> Path:
    """The root that make-root.sh made; TRIXIE names another one than .tools/trixie."""
    path = Path(os.environ.get("TRIXIE", PROJECT / ".tools/trixie"))
    if not (path / ".made").exists():
        missing(f"no KWin to ask: tests/kwin/make-root.sh {path} makes one (as root, a minute)")
    if os.getuid() != 0:
        missing("a root directory can only be entered by root")
    return path


@dataclass(frozen=True)
class Session:
    root: Path
    process: int  # the first process of the session's namespaces

    def run(self, *command: str, stdin: str = "") -> str:
        """What a program of the session's user prints. It is in the control group of the manager,
        as a login is: from elsewhere the manager could not move it."""
        groups = Path(f"/proc/{self.process}/cgroup").read_text().splitlines()
        group = next(line[3:] for line in groups if line.startswith("0::"))
        outcome = subprocess.run(
            [
                *("nsenter", f"--target={self.process}", "--mount", "--pid"),
                *("sh", "-c", 'echo "$$" >"$1" && shift && exec "$@"', "sh"),
                f"{self.root}/sys/fs/cgroup{group}/cgroup.procs",
                *("chroot", "--userspec=1000:1000", str(self.root), "env", "-i"),
                *(f"{name}={value}" for name, value in _ENVIRONMENT.items()),
                *command,
            ],
            input=stdin,
            text=True,
            capture_output=True,
            timeout=120,
            check=True,
        )
        return outcome.stdout

    def ask(self, known: Context, asked: Sequence[Ask]) -> Answers:
        """Ask all of this in one command, as a run does."""
        words = inquiry.arguments(known, asked)
        text = self.run(
            "dash", "-c", remote.program("check"), "workspace-check", *words, stdin=PROBES
        )
        return inquiry.read(known, asked, text.splitlines())

    def write(self, name: str, content: bytes) -> None:
        """Write a file in ``~/.config`` as its owner would."""
        path = self.root / HOME[1:] / ".config" / name
        missing_parents = [p for p in path.parents if not p.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        for one in (path, *missing_parents):
            os.chown(one, 1000, 1000)

    def remove(self, name: str) -> None:
        (self.root / HOME[1:] / ".config" / name).unlink()

    def systemctl(self, *words: str) -> str:
        return self.run("systemctl", "--user", *words)

    def set(self, file: str, group: str, key: str, value: str) -> None:
        """Change an entry as a user's program does, and let KWin read it."""
        self.run("kwriteconfig6", "--file", file, "--group", group, "--key", key, value)
        self.run("busctl", "--user", "call", "org.kde.KWin", "/KWin", "org.kde.KWin", "reconfigure")


def first(process: int) -> int:
    """The descendant of a process that is the first one of its own process namespace."""
    status = Path(f"/proc/{process}/status").read_text()
    numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
    if len(numbers) > 1 and numbers[-1] == "1":
        return process
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return first(int(children[0]))


@contextmanager
def session(files: Mapping[str, bytes], **variables: str) -> Iterator[Session]:
    """A session whose user has these files in ``~/.config``; ``variables`` are KWin's."""
    place = root()
    config = place / HOME[1:] / ".config"
    shutil.rmtree(config, ignore_errors=True)
    config.mkdir()
    for name, content in files.items():
        (config / name).parent.mkdir(parents=True, exist_ok=True)
        (config / name).write_bytes(content)
    for path in (config, *config.rglob("*")):
        os.chown(path, 1000, 1000)
    started = subprocess.Popen(
        [
            HERE / "session.sh",
            place,
            *(f"{name}={value}" for name, value in variables.items()),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert started.stdout is not None
        if started.stdout.readline() != "ready\n":
            raise RuntimeError("KWin did not start; what it said stands above")
        yield Session(place, first(started.pid))
    finally:
        started.communicate("")
