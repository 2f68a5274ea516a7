"""Build the layers of a workspace on another machine: ``build_on`` names it.

The workspace evaluates: its flake, its lock and its layers stay where they are. What is to be built
goes to the builder as derivations, the result comes back, each time only what the other side lacks.
Neither machine needs a key for the other: both conversations pass through this process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gevent.lock import BoundedSemaphore

from converge.plan.plan import Build
from converge.problem import InvalidInput, Problem, did_you_mean
from converge.profile.choices import Choices
from converge.profile.profile import load_profile
from tasks.reach import connection, pipe, remote
from tasks.reach.pipe import End

if TYPE_CHECKING:
    from tasks.run.stages import Planned

LOCAL = "local"
TRUST = (
    "{workspace} does not take store paths from its user: make {user} a trusted user of its Nix, "
    "or let it trust a key that {builder} signs with (docs/builds-elsewhere.md)"
)
_connecting = BoundedSemaphore()


def name(choices: Choices, host: Any) -> str:
    """The machine that builds, where it is not the workspace itself; else the empty string."""
    here = choices.build_on == LOCAL and host.name == "@local"
    return "" if here or choices.build_on == choices.workspace else choices.build_on


def problems(inventory: Any, chosen: Mapping[str, Choices]) -> Iterator[Problem]:
    """What is wrong with the builders of a run, by pyinfra's host name. Connects to nothing."""
    known = {str(host.data.get("workspace")): host for host in inventory}
    seen = set(chosen)
    for host_name, choices in chosen.items():
        wanted = name(choices, inventory.get_host(host_name))
        if wanted in ("", LOCAL):
            continue
        if wanted not in known:
            hint = did_you_mean(wanted, known, f"write local, or one of {', '.join(known)}")
            message = f"{wanted} is not a workspace of this inventory"
            yield Problem(f"inventory host {host_name}", 0, 0, "build_on", message, hint)
        elif known[wanted].name not in seen:  # it builds without being part of the run
            seen.add(known[wanted].name)
            yield from connection.problems(known[wanted])
            connection.guard(known[wanted])


def build(work: Planned, one: Build) -> str:
    """Build a layer elsewhere and bring the result: ``build.sh`` then finds it in the workspace's
    store. Returns why that did not succeed, or the empty string."""
    builder = name(work.choices, work.host)
    try:
        machine = _machine(work, builder)
    except Exception as error:  # whatever a connection makes of it
        return f"{builder}, which is to build, cannot be reached: {error}"
    limit = work.choices.build_limit_s

    answer = work.remote(
        "elsewhere", "derive", one.nix.directory, one.nix.attribute, one.base, timeout=limit
    )
    derivation = answer.first("derivation")
    if not derivation:
        return answer.last_error
    why = _send("derivation", derivation, source=work.host, to=machine, limit=limit)
    if why:
        return f"{derivation} could not be sent to {builder}: {why}"
    answer = remote.run(
        machine,
        "elsewhere",
        (
            "build",
            f"{work.choices.workspace}-{one.nix.layer.value}",
            derivation,
            *limits(work, machine),
        ),
        show=True,
        timeout=limit,
    )
    path = answer.first("path")
    if not path:
        return f"on {builder}: {answer.last_error}"
    why = _send("result", path, source=machine, to=work.host, limit=limit)
    if "signature" in why or "trusted" in why:
        names = {"workspace": work.choices.workspace, "user": work.choices.user}
        return f"{TRUST.format(builder=builder, **names)}: {why}"
    return f"{path} could not be brought from {builder}: {why}" if why else ""


def _send(what: str, path: str, *, source: Any, to: Any, limit: int) -> str:
    return pipe.join(
        End(host=source, program="elsewhere", arguments=("send", what, path)),
        End(host=to, program="elsewhere", arguments=("serve",)),
        limit=limit,
    )


def limits(work: Planned, machine: Any) -> tuple[str, str]:
    """Jobs and cores for a build on ``machine``: the heavy tier of its profile where a language
    runtime is built, which needs gigabytes for each job; else as Nix is set up there ("-")."""
    runtimes = any(
        one.in_force and one.setting.id.startswith("runtimes.") for one in work.plan.standings
    )
    from tasks.run.run import PROJECT

    file = machine.data.get("profile")
    if not runtimes or not file:
        return "-", "-"
    try:
        profile = work.profile if machine is work.host else load_profile(PROJECT / file)
    except InvalidInput:  # a builder that is not part of this run
        return "-", "-"
    heavy = profile.build.parallelism.heavy
    return str(heavy.jobs), str(heavy.cores)


def _machine(work: Planned, builder: str) -> Any:
    """pyinfra's host for the builder, connected. Raises ConnectError."""
    inventory = work.host.inventory
    if builder == LOCAL:
        return _controller(work)
    found = next(one for one in inventory if one.data.get("workspace") == builder)
    with _connecting:
        if not found.connected:
            found.connector.connect()
            found.connected = True
        elif not remote.connected(found):
            remote.reconnect(found)
    return found


def _controller(work: Planned) -> Any:
    """This machine as pyinfra's host, although no inventory names it."""
    from pyinfra.api.host import Host
    from pyinfra.connectors.local import LocalConnector

    machine = Host("controller", work.host.inventory, groups=[], connector_cls=LocalConnector)
    machine.init(work.host.state)
    return machine
