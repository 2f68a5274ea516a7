"""For tests of plans: shoshin before any run, and its plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from converge.plan import cascade, desired, layers, planning
from converge.plan.plan import Plan
from converge.plan.snapshot import Kind, Node, Snapshot
from converge.plan.standing import Standing, standings
from converge.plan.written import LastWritten, SettingProof
from converge.profile.profile import Profile, load_profile
from converge.setting import Layer, Phase
from converge.subjects.settings import ALL
from tests.proof import checks
from tests.proof.checks import HOME, PROJECT

EVERY = frozenset(Layer)
DESKTOP = frozenset({Layer.PLASMA, Layer.SESSION})
KWINRC = f"{HOME}/.config/kwinrc"
LIVED_IN = b"[Compositing]\nBackend=XRender\n\n# mine\n[Plugins]\ncontrastEnabled=true\nmy=1\n"


@cache
def profile(name: str = "shoshin") -> Profile:
    return load_profile(PROJECT / f"inventory/hardware/{name}.yaml")


def file(path: str, content: bytes, *, mode: int = 0o600, uid: int = 1000) -> Node:
    owner = {0: "root", 1000: "mitsio"}.get(uid, "somebody")
    return Node(path=path, kind=Kind.FILE, mode=mode, uid=uid, owner=owner, content=content)


def found(*nodes: Node, **changes: object) -> Snapshot:
    """A workspace with a lived-in kwinrc and these nodes; nothing of ours was ever written."""
    here = {node.path: node for node in (file(KWINRC, LIVED_IN), *nodes)}
    fresh = checks.snapshot(nodes=here, marks=frozenset({"nixos", "systemd", "sudo"}))
    return replace(fresh, **changes)  # type: ignore[arg-type]


def stands(
    snapshot: Snapshot,
    *,
    selected: frozenset[Layer] = EVERY,
    phases: Iterable[Phase] = Phase,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
) -> tuple[Standing, ...]:
    found = standings(
        ALL,
        facts=profile().facts,
        not_applicable=layers.not_applicable(snapshot, profile()),
        phases=frozenset(phases),
        layers=selected,
        include=frozenset(include),
        exclude=frozenset(exclude),
    )
    return cascade.with_locks(snapshot, found)


def wanted(
    snapshot: Snapshot, given: tuple[Standing, ...], *, selected: frozenset[Layer] = EVERY
) -> desired.Desired:
    return desired.desired(
        PROJECT,
        snapshot,
        given,
        identity=desired.Identity(workspace="shoshin", host="shoshin", user="mitsio"),
        hardware=profile().raw,
        root="",
        not_applicable=missing(snapshot, selected),
    )


def missing(snapshot: Snapshot, selected: frozenset[Layer]) -> dict[Layer, str]:
    unselected = {layer: "not part of this run" for layer in Layer if layer not in selected}
    return {**unselected, **layers.not_applicable(snapshot, profile())}


def plan(
    snapshot: Snapshot,
    *,
    selected: frozenset[Layer] = DESKTOP,
    want: desired.Desired | None = None,
    proved: dict[str, SettingProof] | None = None,
    staged: bool = False,
    **choices: Iterable[str],
) -> Plan:
    """The plan for a snapshot. ``choices``: include, exclude, phases."""
    given = stands(snapshot, selected=selected, **choices)  # type: ignore[arg-type]
    return planning.make_plan(
        "shoshin",
        snapshot,
        want or wanted(snapshot, given, selected=selected),
        nix_layers=layers.nix_layers(snapshot, root="", host="shoshin", user="mitsio"),
        standings=given,
        not_applicable=missing(snapshot, selected),
        proved=proved or {},
        staged=staged,
    )


def applied(snapshot: Snapshot, made: Plan) -> Snapshot:
    """The workspace after a run of this plan, as the next reading finds it."""
    nodes = dict(snapshot.nodes)
    for change in made.changes:
        held = nodes.get(change.path)
        if change.after is None:
            nodes.pop(change.path, None)
        else:
            mode = change.mode if change.mode is not None else held.mode if held else 0o600
            uid = 0 if change.root else 1000
            nodes[change.path] = file(change.path, change.after, mode=mode, uid=uid)
    written = LastWritten.parse(replace(made.written, run="20260101t000000-abcd").encode())
    return replace(snapshot, nodes=nodes, written=written, leftovers=())
