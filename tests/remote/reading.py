"""For tests of reading: remote/read.sh as a program, on a home and a root of the test's own."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from converge.plan.flakes import Flake
from converge.plan.flakes import parse as parse_flakes
from converge.plan.observed import parse
from converge.plan.snapshot import Snapshot
from tasks.reach.remote import program
from tests.tools import need

HOME_FLAKE = "~/.config/home-manager"
FILES = ("-k", "~/.config/kwinrc", "-f", "~/.config/plain", "-d", "~/.local/share/ours")
BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> str:
    """When a process started, as proc_pid_stat(5) has it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[19]


@dataclass
class Reader:
    """A workspace in ``root``, with its home in it, read by ``dash``."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    user: tuple[str, ...] = ()  # how to become somebody else
    errors: str = ""  # of the last program

    def __post_init__(self) -> None:
        (self.home / ".config").mkdir(parents=True)
        (self.root / "var/lib").mkdir(parents=True)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def state(self) -> Path:
        return self.home / ".local/state/workspace-tuning/workspace"

    @property
    def kwinrc(self) -> Path:
        return self.home / ".config/kwinrc"

    def run(self, name: str, *arguments: str, stdin: bytes = b"", within: float = 20) -> list[str]:
        """What a program prints; it has to end well and soon."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "GIT_"))}
        words = (need("dash"), "-c", program(name), f"workspace-{name}", *arguments)
        done = subprocess.run(
            [*self.user, *words],
            env={**environment, "HOME": str(self.home), **self.environment},
            input=stdin,
            capture_output=True,
            timeout=within,
            check=True,
        )
        self.errors = done.stderr.decode(errors="replace")
        return done.stdout.decode(errors="replace").removesuffix("\n").split("\n")

    def output(self, *files: str, within: float = 20) -> list[str]:
        """What managed.sh and read.sh print together, as one command has them."""
        words = (str(self.root), *(files or FILES))
        managed = "\n".join(self.run("managed", *words, within=within)) + "\n"
        return self.run("read", *words, stdin=managed.encode(), within=within)

    def flakes(self, flake: str = HOME_FLAKE, choices: str = "") -> list[str]:
        names = ("system", "/etc/none", "", "home", flake, choices)
        return self.run("flakes", *names)

    def read(self, *files: str, flake: str = HOME_FLAKE, choices: str = "") -> Snapshot:
        return parse([*self.flakes(flake, choices), *self.output(*files)])

    def flake(self, flake: str = HOME_FLAKE, choices: str = "") -> Flake:
        return parse_flakes(self.flakes(flake, choices)[1:-1])["home"]

    def transaction(self, run: str, status: str, *, number: int = 1, system: bool = False) -> Path:
        """A transaction that was kept on the workspace; its process is gone."""
        runs = self.root / "var/lib/workspace-tuning/runs" if system else self.state / "runs"
        place = runs / run / "transaction"
        place.mkdir(parents=True)
        (place / "plan").write_text(f"run {run}\nnumber {number}\n")
        (place / "status").write_text(f"{status}\n")
        (place / "process").write_text(f"999999999 1 {BOOT}\n")
        return place
