"""What is timed. Each case is a whole process, as a user would start it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sandbox
from tests import sshd
from tests.bench import peers
from tests.bench.relay import Relay

PROJECT = Path(__file__).parent.parent.parent
PYINFRA = str(Path(sys.executable).parent / "pyinfra")
INVENTORY = """\
import json
from pathlib import Path

from tasks.reach.connection import workspace

hosts = [workspace(**one) for one in json.loads(Path(__file__).with_suffix(".json").read_text())]
"""
#: pyinfra's own way to connect: without the project's transport.
AS_SHIPPED = {"ssh_paramiko_connect_kwargs": {"banner_timeout": 30}}
NOOP = ("deploy.py", "-y")
#: OpenSSH's option for the key exchange that paramiko takes first.
CURVE = ("-o", "KexAlgorithms=curve25519-sha256")
DRIFT = (b"contrastEnabled=false", b"contrastEnabled=true")
Workspace = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    command: Sequence[str]
    code: int = 0  # what it has to end with
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path = PROJECT
    before: Callable[[], object] = lambda: None  # not timed
    rounds: int | None = None  # at most so many, and none before them; None: as all


@dataclass(frozen=True)
class Place:
    """Where the cases live: sandboxes, inventories, the journals of the controller."""

    directory: Path
    environment: Mapping[str, str]
    server: sshd.Server | None = None
    relay: Relay = field(default_factory=Relay)

    def commands(self) -> int:
        """How many remote commands there were until now."""
        return sum(self.server.commands(user) for user in sshd.USERS) if self.server else 0

    def box(self, user: str, name: str) -> dict[str, Any]:
        """A fresh sandbox of a user, reached through the relay."""
        assert self.server is not None
        box: dict[str, Any] = self.server.box(user, name)
        box["_env"]["PATH"] = f"{PROJECT / '.tools/bin'}:/usr/local/bin:/usr/bin:/bin"
        return {**box, "at": f"{user}@127.0.0.1:{self.relay.port}"}

    def ssh(self, *more: str, user: str = sshd.USERS[0]) -> list[str]:
        """OpenSSH's own client, to a user."""
        assert self.server is not None
        keys = self.server.directory
        command = ["ssh", "-F", "none", "-p", str(self.relay.port), "-i", str(keys / "client")]
        known = f"UserKnownHostsFile={keys / 'known_hosts'}"
        return [*command, "-o", known, *more, f"{user}@127.0.0.1"]

    def inventory(self, name: str, *workspaces: Workspace) -> str:
        path = self.directory / f"{name}.py"
        path.write_text(INVENTORY)
        path.with_suffix(".json").write_text(json.dumps(workspaces))
        return str(path)

    def converge(self, inventory: str) -> None:
        """Bring the workspaces to where there is nothing to do."""
        done = subprocess.run(
            [PYINFRA, inventory, *NOOP],
            cwd=PROJECT,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"the workspaces do not converge:\n{done.stdout}\n{done.stderr}")

    def managed(self, name: str, roots: Mapping[str, Path]) -> dict[str, str]:
        """The files of the workspaces that are ours, for the peers."""
        rows = {workspace: list(map(_row, _files(root))) for workspace, root in roots.items()}
        path = self.directory / f"{name}.json"
        path.write_text(json.dumps(rows))
        return {"BENCH_FILES": str(path)}


def _files(root: Path) -> list[Path]:
    """Every managed file of a sandbox, from its record of what was written."""
    record = root / "home/.local/state/workspace-tuning/workspace/written.json"
    names = set(json.loads(record.read_text())["files"])
    names |= {str(root / "home/.config" / name) for name in sandbox.KDE_FILES}
    return [Path(name) for name in sorted(names)]


def _row(path: Path) -> tuple[str, str, str]:
    return str(path), str(path), f"{path.stat().st_mode & 0o777:o}"


def reading(data: Workspace) -> str:
    """The command that reads a workspace, as text for a shell: what a run that changes nothing
    does there."""
    from pyinfra.connectors.util import make_unix_command

    from converge.profile.choices import check_choices
    from tasks.reach.commands import read_command
    from tasks.reach.reading import arguments

    given = {key: value for key, value in data.items() if key not in ("name", "at")}
    given["workspace"] = data["name"]
    choices = check_choices(str(data["name"]), given, known_settings=())
    command = read_command(choices.root, arguments(choices))
    return make_unix_command(command, _env=data["_env"]).get_raw_value()


def within(data: Workspace, command: str) -> str:
    """A command in the environment of a sandbox, as text for a shell."""
    pairs = " ".join(shlex.quote(f"{name}={value}") for name, value in data["_env"].items())
    return f"env {pairs} {command}"


def local(place: Place) -> list[Case]:
    root = place.directory / "box"
    data = dict(sandbox.data(root))
    data["name"] = data.pop("workspace")
    inventory = place.inventory("local", data)
    place.converge(inventory)
    files = place.managed("local-files", {"sandbox": root})
    nothing = place.directory / "nothing.py"
    nothing.write_text("")
    return [
        Case(name="the reading alone, from sh", command=["sh", "-c", reading(data)]),
        Case(
            name="pyinfra, an empty deploy",
            command=[PYINFRA, "@local", str(nothing), "-y"],
            directory=place.directory,
        ),
        Case(name="**deploy.py**", command=[PYINFRA, inventory, *NOOP]),
        Case(
            name=f"pyinfra, files.put for {peers.count(files)} files",
            command=[PYINFRA, inventory, str(peers.PUT), "-y"],
            environment=files,
        ),
    ]


def over_ssh(place: Place, *, slow: bool) -> list[Case]:
    """A workspace with chezmoi and Nix on which nothing is to do. ``slow``: peers that take long
    too."""
    boxes = [place.box(user, f"bench-{user[3:]}") for user in sshd.USERS]
    roots = {box["name"]: Path(box["root"]) for box in boxes}
    one, both = place.inventory("one", boxes[0]), place.inventory("both", *boxes)
    slow_one = place.inventory("slow", {**boxes[0], **AS_SHIPPED})
    place.converge(both)
    files = place.managed("ssh-files", roots)
    chezmoi = within(boxes[0], "chezmoi apply")
    peers_too = [
        Case(
            name=f"pyinfra, files.put for {peers.count(files)} files",
            command=[PYINFRA, slow_one, str(peers.PUT), "-y"],
            environment=files,
            rounds=1,
        ),
        *peers.ansible(place, boxes[0], files, before=lambda: None),
    ]
    return [
        Case(
            name="`pyinfra HOST exec -- true`",
            command=[PYINFRA, one, "exec", "--", "true"],
            directory=place.directory,  # without the project's config.py
        ),
        Case(name="`ssh host true`", command=[*place.ssh(), "true"]),
        Case(name="the same, curve25519", command=[*place.ssh(*CURVE), "true"]),
        Case(name="the reading alone, by `ssh`", command=[*place.ssh(), reading(boxes[0])]),
        Case(name="**deploy.py**", command=[PYINFRA, one, *NOOP]),
        Case(name="deploy.py on two workspaces", command=[PYINFRA, both, *NOOP]),
        Case(name="tasks/verify.py", command=[PYINFRA, one, "tasks/verify.py", "-y"]),
        Case(name="chezmoi alone, by `ssh`", command=[*place.ssh(), chezmoi]),
        *(peers_too if slow else ()),
    ]


def changes(place: Place, *, slow: bool) -> list[Case]:
    """One key that somebody changed is set again; and all of a workspace, for the first time.
    ``slow``: peers that take long too."""
    box = place.box(sshd.USERS[0], "bench-change")
    one, fresh = place.inventory("changed", box), place.directory / "fresh.py"
    place.converge(one)
    files = place.managed("changed-files", {box["name"]: Path(box["root"])})
    live = Path(box["root"]) / "home/.config/kwinrc"

    def drift() -> None:
        text = live.read_bytes()
        assert DRIFT[0] in text, text
        live.write_bytes(text.replace(*DRIFT))

    def another() -> None:
        place.inventory("fresh", place.box(sshd.USERS[0], "bench-first"))

    return [
        Case(name="deploy.py, nothing to change", command=[PYINFRA, one, *NOOP]),
        Case(name="**one key**", command=[PYINFRA, one, *NOOP], before=drift),
        Case(
            name="one key, chezmoi alone",
            command=[*place.ssh(), within(box, "chezmoi apply --force")],
            before=drift,
        ),
        *(peers.ansible(place, box, files, before=drift) if slow else ()),
        Case(name="**first apply**", command=[PYINFRA, str(fresh), *NOOP], before=another),
    ]
