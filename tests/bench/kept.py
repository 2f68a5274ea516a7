"""What was measured, as ``measured.json`` keeps it for the page."""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from shutil import which
from typing import Any

PATH = Path(__file__).with_name("measured.json")
COLUMNS = ("s", "spread", "x floor", "CPU s here", "processes", "commands", "kB up", "kB down")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One case. ``s``: the median of the rounds in seconds, ``least`` and ``most``: their ends;
    ``times``: how often that is the first case's; ``cpu``: seconds of this side's processor;
    ``up`` and ``down``: kilobytes on the way to the workspaces."""

    name: str
    s: float
    least: float
    most: float
    times: float
    cpu: float
    processes: int
    commands: int
    up: int
    down: int

    def cells(self) -> Iterator[str]:
        yield self.name
        yield f"{self.s:.2f}"
        yield f"{self.least:.2f}-{self.most:.2f}"
        yield f"{self.times:.2f}"
        yield f"{self.cpu:.2f}"
        yield str(self.processes)
        for number in (self.commands, self.up, self.down):
            yield str(number or "-")


@dataclass(frozen=True)
class Table:
    title: str
    rows: Sequence[Row]

    def lines(self) -> Iterator[str]:
        """The table in Markdown."""
        yield f"| {self.title} | {' | '.join(COLUMNS)} |"
        yield f"|---{'|---' * len(COLUMNS)}|"
        for row in self.rows:
            yield f"| {' | '.join(row.cells())} |"


def keep(tables: Iterable[Table], arguments: str, rounds: int, path: str) -> None:
    """Write the tables, with the day, the machine and the versions. ``arguments``: those of the
    benchmark; ``path``: where programs are looked for."""
    made = {
        "day": datetime.date.today().isoformat(),
        "arguments": arguments,
        "rounds": rounds,
        "machine": f"{os.cpu_count()} cores of {_processor()}, Linux {_kernel()}",
        "versions": dict(_versions(path)),
        "tables": [asdict(table) for table in tables],
    }
    PATH.write_text(json.dumps(made, indent=1) + "\n")


def load() -> tuple[dict[str, Any], list[Table]]:
    """What ``keep`` wrote: all of it, and its tables."""
    made = json.loads(PATH.read_text())
    found = [Table(one["title"], [Row(**row) for row in one["rows"]]) for one in made["tables"]]
    return made, found


def _processor() -> str:
    names = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return str(names[0]) if names else platform.machine()


def _kernel() -> str:
    return ".".join(platform.release().split(".")[:2])


def _versions(path: str) -> Iterator[tuple[str, str]]:
    yield "Python", platform.python_version()
    for library in ("pyinfra", "paramiko"):
        yield library, version(library)
    for name, *command in (
        ("OpenSSH", "ssh", "-V"),
        ("Nix", "nix", "--version"),
        ("chezmoi", "chezmoi", "--version"),
        ("Ansible", "ansible-playbook", "--version"),
    ):
        if program := which(command[0], path=path):
            said = subprocess.run([program, *command[1:]], capture_output=True, text=True)
            number = re.search(r"\d+(\.\d+)+\w*", said.stdout + said.stderr)
            yield name, number[0] if number else "as built here"
