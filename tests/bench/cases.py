"""What is timed. Each case is a whole process, as a user would start it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sandbox
from tests import sshd

PROJECT = Path(__file__).parent.parent.parent
STOCK = Path(__file__).with_name("stock.py")
PYINFRA = str(Path(sys.executable).parent / "pyinfra")
INVENTORY = """\
import json
from pathlib import Path

from tasks.reach.connection import workspace

hosts = [workspace(**one) for one in json.loads(Path(__file__).with_suffix(".json").read_text())]
"""
#: pyinfra's own way to connect: without the project's transport.
AS_SHIPPED = {"ssh_paramiko_connect_kwargs": {"banner_timeout": 30}}
Workspace = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    command: Sequence[str]
    commands: Callable[[], int] = lambda: 0  # remote ones, until now
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path = PROJECT


@dataclass(frozen=True)
class Place:
    """Where the cases live: sandboxes, inventories, the journals of the controller."""

    directory: Path
    environment: Mapping[str, str]
    server: sshd.Server | None = None
    port: int = 0

    def inventory(self, name: str, *workspaces: Workspace) -> str:
        path = self.directory / f"{name}.py"
        path.write_text(INVENTORY)
        path.with_suffix(".json").write_text(json.dumps(workspaces))
        return str(path)

    def converge(self, inventory: str) -> None:
        """Bring the workspaces to where there is nothing to do."""
        done = subprocess.run(
            [PYINFRA, inventory, "deploy.py", "-y"],
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
        """The files of the workspaces that are ours, for ``stock.py``."""
        rows = {workspace: list(map(_row, _files(root))) for workspace, root in roots.items()}
        path = self.directory / f"{name}.json"
        path.write_text(json.dumps(rows))
        return {"BENCH_FILES": str(path)}


def _count(environment: Mapping[str, str]) -> str:
    rows = json.loads(Path(environment["BENCH_FILES"]).read_text())
    return f"pyinfra, files.put for each of the {len(next(iter(rows.values())))} files"


def _files(root: Path) -> list[Path]:
    """Every managed file of a sandbox, from its record of what was written."""
    record = root / "home/.local/state/workspace-tuning/workspace/written.json"
    names = set(json.loads(record.read_text())["files"])
    names |= {str(root / "home/.config" / name) for name in sandbox.KDE_FILES}
    return [Path(name) for name in sorted(names)]


def _row(path: Path) -> tuple[str, str, str]:
    return str(path), str(path), f"{path.stat().st_mode & 0o777:o}"


def _reading(data: Workspace) -> str:
    """The command that reads a workspace, as text for a shell: what a run that changes nothing
    does there."""
    from pyinfra.connectors.util import make_unix_command

    from converge.plan import layers
    from tasks.reach.remote import read_command

    root = str(data["root"])
    arguments = [str(data["base_nixos"]), "", str(data["base_home"]), ""]
    for name in layers.KDE_FILES:
        arguments += ["-k", f"~/.config/{name}"]
    for directory in (layers.HOME_LAYER, layers.system_layer(root)):
        arguments += ["-d", directory]
    return make_unix_command(read_command(root, arguments), _env=data["_env"]).get_raw_value()


def local_cases(place: Place) -> list[Case]:
    root = place.directory / "box"
    data = dict(sandbox.data(root))
    data["name"] = data.pop("workspace")
    inventory = place.inventory("local", data)
    place.converge(inventory)
    files = place.managed("local-files", {"sandbox": root})
    nothing = place.directory / "nothing.py"
    nothing.write_text("")
    return [
        Case(name="the reading alone, from sh", command=["sh", "-c", _reading(data)]),
        Case(
            name="pyinfra, an empty deploy",
            command=[PYINFRA, "@local", str(nothing), "-y"],
            directory=place.directory,
        ),
        Case(
            name="**deploy.py, nothing to change**", command=[PYINFRA, inventory, "deploy.py", "-y"]
        ),
        Case(
            name=_count(files),
            command=[PYINFRA, inventory, str(STOCK), "-y"],
            environment=files,
        ),
    ]


def ssh_cases(place: Place) -> list[Case]:
    server = place.server
    assert server is not None
    boxes, roots = [], {}
    for user in sshd.USERS:
        name = f"bench-{user[3:]}"
        box: dict[str, Any] = server.box(user, name)
        box["_env"]["PATH"] = f"{PROJECT / '.tools/bin'}:/usr/local/bin:/usr/bin:/bin"
        boxes.append({**box, "at": f"{user}@127.0.0.1:{place.port}"})
        roots[name] = Path(box["root"])
    one, both = place.inventory("one", boxes[0]), place.inventory("both", *boxes)
    slow_one = place.inventory("slow", {**boxes[0], **AS_SHIPPED})
    place.converge(both)
    files = place.managed("ssh-files", roots)
    user = sshd.USERS[0]
    ssh = ["ssh", "-F", "none", "-p", str(place.port), "-i", str(server.directory / "client")]
    ssh += ["-o", f"UserKnownHostsFile={server.directory / 'known_hosts'}", f"{user}@127.0.0.1"]

    def commands() -> int:
        return sum(server.commands(user) for user in sshd.USERS)

    def case(name: str, *command: str, **environment: str) -> Case:
        return Case(name=name, command=command, commands=commands, environment=environment)

    noop = ("deploy.py", "-y")
    return [
        case("`ssh host true`", *ssh, "true"),
        case("the reading alone, from `ssh`", *ssh, _reading(boxes[0])),
        case("**deploy.py, nothing to change**", PYINFRA, one, *noop),
        case("the same without TCP_NODELAY", PYINFRA, slow_one, *noop),
        case("the same on two workspaces", PYINFRA, both, *noop),
        case(_count(files), PYINFRA, slow_one, str(STOCK), "-y", **files),
        case("the same with TCP_NODELAY", PYINFRA, one, str(STOCK), "-y", **files),
    ]
