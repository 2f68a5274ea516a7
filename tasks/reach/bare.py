"""A machine that no inventory names: ``pyinfra @local tasks/detect.py``, ``pyinfra HOST ...``.

A newcomer has only an address. Name, user and the place of a profile follow from the address, so
that the machine can be read, and a profile and an inventory file can be offered.
"""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

from converge.problem import InvalidInput, Problem
from tasks.reach import connection
from tasks.reach.address import FORM, parse, shown
from tasks.reach.login import own_name

INVENTORY = '''\
"""{title}: written from what the machine shows; docs/keys.md has every key."""

from tasks.reach.connection import workspace

hosts = [
    workspace(
        {name},
{at}        profile={profile},
        user={user},
    )
]
'''


def is_bare(host: Any) -> bool:
    """Whether pyinfra's ``host`` has no choices of an inventory."""
    return not host.data.get("profile")


def choices(host: Any) -> dict[str, object]:
    """The choices that follow from the address of ``host``. Sets the connection data of ``host``.

    Raises InvalidInput where the address is malformed."""
    if host.name == "@local":
        name, user = socket.gethostname(), own_name()
    else:
        try:
            found = parse(host.name)
        except ValueError as error:
            raise InvalidInput(
                [
                    Problem(
                        shown(host.name), 0, 0, "", f"{error}; not of the form {FORM}", "me@host:22"
                    )
                ]
            ) from error
        host.connector.data.update(connection.ssh(found))
        name, user = found["host"], found["user"] or own_name()
    # A profile is named after its workspace, so --data write=FILE also names the workspace.
    written = Path(str(host.data.get("write") or "")).stem
    name = host.data.get("workspace") or workspace_name(written or name)
    return {"workspace": name, "profile": f"inventory/hardware/{name}.yaml", "user": user}


def workspace_name(host: str) -> str:
    """A name for the workspace: the first label of a host's name, in allowed characters."""
    label = host if re.fullmatch(r"[0-9a-f.:]+", host.lower()) else host.partition(".")[0]
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")[:63] or "workspace"


def inventory(host: Any, *, name: str, user: str, profile: str) -> str:
    """The inventory file of a machine that had none; ``profile`` is relative to the project."""
    at = "" if host.name == "@local" else f"        at={json.dumps(host.name)},\n"
    values = {"name": name, "user": user, "profile": profile}
    return INVENTORY.format(
        title=name, at=at, **{key: json.dumps(text) for key, text in values.items()}
    )
