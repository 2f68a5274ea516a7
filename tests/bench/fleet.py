"""Many workspaces at once: sandboxes without Nix, each with a connection of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from tests import sshd
from tests.bench.cases import NOOP, PYINFRA, Case, Place

DESKTOP = ("plasma", "session")  # what needs no Nix
CONNECT = """\
import os, subprocess, sys
number, command = int(os.environ["BENCH_HOSTS"]), sys.argv[1:]
running = [subprocess.Popen(command) for _ in range(number)]
sys.exit(max(one.wait() for one in running))
"""


def cases(place: Place, number: int) -> list[Case]:
    """Nothing to do on ``number`` workspaces; the floor connects as often and does nothing."""
    boxes = [
        {**place.box(sshd.USERS[index % 2], f"fleet-{index}"), "layers": DESKTOP}
        for index in range(number)
    ]
    all_of_them = place.inventory("fleet", *boxes)
    place.converge(all_of_them)
    return [
        Case(
            name=f"{number} x `ssh host true`",
            command=[sys.executable, "-c", CONNECT, *place.ssh(), "true"],
            environment={"BENCH_HOSTS": str(number)},
        ),
        Case(
            name="`pyinfra HOSTS exec -- true`",
            command=[PYINFRA, all_of_them, "exec", "--", "true"],
            directory=Path(place.directory),
        ),
        Case(name="**deploy.py, nothing to change**", command=[PYINFRA, all_of_them, *NOOP]),
    ]
