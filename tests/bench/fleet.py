"""Many workspaces at once: sandboxes without Nix, each with a connection of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tests import sshd
from tests.bench.cases import CURVE, NOOP, PYINFRA, Case, Place, reading

DESKTOP = ("plasma", "session")  # what needs no Nix
CONNECT = """\
import json, subprocess, sys
running = [subprocess.Popen(command) for command in json.load(open(sys.argv[1]))]
sys.exit(max(one.wait() for one in running))
"""


def cases(place: Place, number: int) -> list[Case]:
    """Nothing to do on ``number`` workspaces; the floor connects to each, with paramiko's key
    exchange, and reads it."""
    users = [sshd.USERS[index % 2] for index in range(number)]
    boxes = [
        {**place.box(user, f"fleet-{index}"), "layers": DESKTOP} for index, user in enumerate(users)
    ]
    all_of_them = place.inventory("fleet", *boxes)
    place.converge(all_of_them)
    readings = [
        [*place.ssh(*CURVE, user=user), reading(box)]
        for user, box in zip(users, boxes, strict=True)
    ]
    return [
        Case(
            name=f"{number} x the reading alone, by `ssh`, curve25519",
            command=_at_once(place.directory / f"readings-{number}.json", readings),
        ),
        Case(
            name=f"{number} x `ssh host true`",
            command=_at_once(
                place.directory / f"bare-{number}.json", [[*place.ssh(), "true"]] * number
            ),
        ),
        Case(
            name="`pyinfra HOSTS exec -- true`",
            command=[PYINFRA, all_of_them, "exec", "--", "true"],
            directory=Path(place.directory),
        ),
        Case(name="**deploy.py, nothing to change**", command=[PYINFRA, all_of_them, *NOOP]),
    ]


def _at_once(path: Path, commands: Sequence[Sequence[str]]) -> list[str]:
    """The command that runs all these side by side; ``path``: where it finds them."""
    path.write_text(json.dumps(commands))
    return [sys.executable, "-c", CONNECT, str(path)]
