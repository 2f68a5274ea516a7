"""Which machine builds for a workspace, and the problems of this choice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from converge.problem import Problem, did_you_mean
from converge.profile.choices import Choices
from tasks.reach import connection, nix

LOCAL = "local"


def name(choices: Choices, host: Any) -> str:
    """The name of the machine that builds; empty where the workspace builds for itself."""
    here = choices.build_on == LOCAL and host.name == "@local"
    return "" if here or choices.build_on == choices.workspace else choices.build_on


def problems(inventory: Any, chosen: Mapping[str, Choices]) -> Iterator[Problem]:
    """Yield the problems with the builders of a run. ``chosen``: by pyinfra's host name. Connects
    to nothing."""
    known = {str(host.data.get("workspace")): host for host in inventory}
    seen = set(chosen)
    for host_name, choices in chosen.items():
        wanted = name(choices, inventory.get_host(host_name))
        if not wanted:
            continue
        if why := nix.missing():
            hint = "install it here, or leave build_on out"
            yield Problem(f"inventory host {host_name}", 0, 0, "build_on", why, hint)
        if wanted == LOCAL:
            continue
        if wanted not in known:
            hint = did_you_mean(wanted, known, f"write local, or one of {', '.join(known)}")
            message = f"{wanted} is not a workspace of this inventory"
            yield Problem(f"inventory host {host_name}", 0, 0, "build_on", message, hint)
        elif known[wanted].name not in seen:  # the builder itself is not part of the run
            seen.add(known[wanted].name)
            yield from connection.problems(known[wanted])
            connection.guard(known[wanted])
