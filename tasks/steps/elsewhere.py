"""Build the layers of a workspace on another machine, which ``build_on`` names.

The workspace evaluates its flake. The derivations are copied to the builder, and the result is
copied back, each time only what the other side lacks. The controller drives all of this with its
own Nix, so neither machine needs a key for the other. Of the answers of both machines, only checked
store paths get into commands.
"""

from __future__ import annotations

import os
from typing import Any

from gevent.lock import BoundedSemaphore

from converge.journal.journal import controller_state
from converge.plan.plan import Build
from converge.problem import InvalidInput
from converge.profile.profile import load_profile
from tasks.reach import nix, remote
from tasks.reach.builder import LOCAL, name
from tasks.run.stages import Planned
from tasks.run.start import PROJECT

TRUST = (
    "{workspace} does not take store paths from its user: make {user} a trusted user of its Nix, "
    "or let it trust a key that {builder} signs with (docs/builds-elsewhere.md)"
)
UNCONFINED = (
    "Nix on this machine builds without its sandbox: what {workspace} sends runs with the rights "
    "of its build users, or yours where Nix is yours alone (docs/builds-elsewhere.md)"
)
_connecting = BoundedSemaphore()


def build(work: Planned, one: Build) -> str:
    """Build a layer elsewhere and copy the result to the workspace, where ``build.sh`` finds it in
    the store. Returns why this failed, or the empty string."""
    builder = name(work.choices, work.host)
    limit = work.choices.build_limit_s
    try:
        machine = None if builder == LOCAL else _machine(work, builder)
    except Exception as error:  # a connection may raise anything
        return f"{builder}, which is to build, cannot be reached: {error}"
    impure = "--impure" if one.base.impure else ""
    words = ("derive", one.nix.directory, one.nix.attribute, one.base.url, impure)
    answer = work.remote("elsewhere", *words, timeout=limit)
    if not answer.first("derivation"):
        return answer.last_error
    try:
        store = nix.store_directory(work.host)
        derivation = nix.store_path(answer.first("derivation"), store, derivation=True)
        ends = [(work.host, answer.first("daemon"))]
        if machine is not None:
            ends.append((machine, _daemon(machine)))
        with nix.reached(*ends) as stores:
            at = stores[1] if machine is not None else None
            return _build(work, one, derivation, workspace=stores[0], at=at)
    except nix.Refused as error:
        return str(error)


def _build(
    work: Planned, one: Build, derivation: str, *, workspace: nix.Store, at: nix.Store | None
) -> str:
    """Copy the derivation to the builder ``at`` (None: this machine), build, and copy back."""
    builder, limit = name(work.choices, work.host), work.choices.build_limit_s
    with work.waits(f"send what is to be built to {builder}"):
        sent = nix.copy(derivation, source=workspace, to=at, derivation=True, limit=limit)
    if not sent.ok:
        return f"{derivation} could not be sent to {builder}: {sent.last_error}"
    if at is None and nix.unconfined():
        work.problem(UNCONFINED.format(workspace=work.choices.workspace))
    jobs, cores = ("-", "-") if at is None else limits(work, _machine(work, builder))
    root = None
    if at is None:
        roots = controller_state() / "elsewhere"
        roots.mkdir(mode=0o700, parents=True, exist_ok=True)
        root = roots / f"{work.choices.workspace}-{one.nix.layer.value}"
    with work.waits(f"build on {builder}"):
        made = nix.realise(
            derivation,
            at=at,
            jobs=jobs,
            cores=cores,
            root=root,
            limit=limit,
            host=work.host.name,
        )
    if not made.ok or not made.lines:
        return f"on {builder}: {made.last_error}"
    store = nix.store_directory(work.host)
    last = made.lines[-1].strip()
    path = nix.store_path(os.path.realpath(last) if root else last, store)
    with work.waits(f"bring the result from {builder}"):
        back = nix.copy(path, source=at, to=workspace, derivation=False, limit=limit)
    if back.ok:
        return ""
    why = back.last_error
    if any("signature" in line or "trusted" in line for line in back.errors):
        names = {"workspace": work.choices.workspace, "user": work.choices.user}
        return f"{TRUST.format(builder=builder, **names)}: {why}"
    return f"{path} could not be brought from {builder}: {why}"


def _daemon(machine: Any) -> str:
    answer = remote.run(machine, "elsewhere", ("daemon",))
    if not answer.first("daemon"):
        raise nix.Refused(f"the builder has no Nix that answers: {answer.last_error}")
    return answer.first("daemon")


def limits(work: Planned, machine: Any) -> tuple[str, str]:
    """Jobs and cores for a build on ``machine``: those of the heavy tier of its profile where a
    language runtime is built, which needs gigabytes for each job; else "-", Nix's own values."""
    runtimes = any(
        standing.in_force and standing.setting.id.startswith("runtimes.")
        for standing in work.plan.standings
    )
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
    found = next(one for one in inventory if one.data.get("workspace") == builder)
    with _connecting:
        if not found.connected:
            found.connector.connect()
            found.connected = True
        elif not remote.connected(found):
            remote.reconnect(found)
    return found
