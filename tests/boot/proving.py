"""Run the programs of a trial by dash without a machine: a record, and programs that answer."""

from __future__ import annotations

import getpass
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tasks.reach.remote import PARTS, PROGRAMS, text
from tests.tools import need

#: All that trial.sh is made of, but for what its verbs do.
FUNCTIONS = "".join(
    text(PROGRAMS / f"{name}.sh") for name in ("common", *PARTS["trial"], "trial")
).partition("\ncase $verb in\n")[0]


@dataclass
class Record:
    """A transaction of the user's own, ``run`` below ``runs``, and its trial."""

    runs: Path
    run: str = "20261126t000000-abcd"
    number: int = 1

    def __post_init__(self) -> None:
        self.transaction.mkdir(parents=True)
        self.trial.mkdir()
        lines = (
            f"run {self.run}",
            f"number {self.number}",
            f"user {getpass.getuser()}",
            "nixos a b",
        )
        (self.transaction / "plan").write_text("".join(f"{line}\n" for line in lines))
        (self.transaction / "status").write_text(f"kept {self.run}\n")

    @property
    def transaction(self) -> Path:
        return self.runs / self.run / "transaction"

    @property
    def trial(self) -> Path:
        return self.runs / self.run / "trial"

    def sh(self, script: str, *arguments: str, path: Path | None = None, root: str = "") -> str:
        """Lines of shell behind the program's functions; ``path``: programs that come first."""
        places = f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"]
        done = subprocess.run(
            [need("dash"), "-c", f"{FUNCTIONS}\n{script}", "x", "x", self.transaction, *arguments],
            env={"PATH": places, "HOME": str(self.runs), "ROOT": root},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return done.stdout.strip() + done.stderr


def programs(directory: Path, **texts: str) -> Path:
    """A directory of programs of sh; ``_`` of a name stands for ``-``."""
    directory.mkdir(exist_ok=True)
    for name, script in texts.items():
        place = directory / name.replace("_", "-")
        place.write_text(f"#!/bin/sh\n{script}")
        place.chmod(0o755)
    return directory
