"""For tests of checks: a workspace and replies, as values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from converge.effect import Finding
from converge.plan import layers
from converge.plan.flakes import Flake
from converge.plan.layers import session_file
from converge.plan.snapshot import Generation, Kind, Node, Snapshot
from converge.plan.standing import Stand, Standing
from converge.profile.profile import load_profile
from converge.proof import inquiry
from converge.proof.check import ABSENT, Answers, Ask, Context, Reply, When
from converge.proof.touched import Touched
from converge.setting import Layer
from converge.subjects.checks import ITEMS, PROOFS
from converge.subjects.settings import ALL, BY_ID

PROJECT = Path(__file__).parents[2]
DATA = Path(__file__).parents[1] / "data" / "checks"
SAMPLES = PROJECT.parent / "shared" / "data" / "samples"  # beside a checkout, where it is there
HOME = "/home/mitsio"
SYSTEM, HOME_GENERATION = "/nix/store/system-42", "/nix/store/home-7"
PROFILE = b'{"settings": {}}\n'
#: A question -> its reply. A key is a probe, or a probe and a part of its arguments.
Replies = Mapping[str | tuple[str, str], Reply | str]


def node(path: str, content: bytes) -> Node:
    return Node(path=path, kind=Kind.FILE, mode=0o644, uid=1000, owner="mitsio", content=content)


def plasma_file(name: str) -> bytes:
    """A KDE file that holds every declared entry of the plan's rows."""
    lines: list[str] = []
    for setting in ALL:
        if setting.layer is Layer.PLASMA:
            assert isinstance(setting.value, Mapping)
            if setting.value["file"] == name:
                for group, keys in setting.value["entries"].items():
                    lines.append(f"[{group}]")
                    for key, entry in keys.items():
                        text = entry["value"] if isinstance(entry, Mapping) else entry
                        lines.append(f"{key}={text}")
    return ("\n".join(lines) + "\n").encode()


def snapshot(**changes: object) -> Snapshot:
    """shoshin after a whole run: both layers built, every file in place."""
    nodes = {f"{HOME}/.config/{name}": plasma_file(name) for name in layers.KDE_FILES}
    for directory in (layers.SYSTEM_LAYER, f"{HOME}/{layers.HOME_LAYER[2:]}"):
        nodes[f"{directory}/profile.json"] = PROFILE
        nodes[f"{directory}/flake.nix"] = b"{ }\n"
    for setting in ALL:
        if setting.layer is Layer.SESSION:
            path, content = session_file(setting)
            nodes[f"{HOME}/{path[2:]}"] = content
    made = Snapshot(
        facts={
            "uid": "1000",
            "system_uid": "0",
            "user": "mitsio",
            "home": HOME,
            "state": f"{HOME}/.local/state/workspace-tuning/workspace",
            "hostname": "shoshin",
            "boot_id": "b",
        },
        marks=frozenset({"nixos", "systemd", "user_bus"}),
        tools={"nix": "/run/current-system/sw/bin/nix"},
        profiles={
            "system": "/nix/var/nix/profiles/system",
            "home": f"{HOME}/.local/state/nix/profiles/home-manager",
        },
        generations={
            "system": (
                Generation(number=41, path="/nix/store/system-41", current=False),
                Generation(number=42, path=SYSTEM, current=True),
            ),
            "home": (
                Generation(number=6, path="/nix/store/home-6", current=False),
                Generation(number=7, path=HOME_GENERATION, current=True),
            ),
        },
        flakes={
            "system": Flake(scheme="path", digest="d", directory="/etc/nixos"),
            "home": Flake(scheme="git", digest="d", directory=f"{HOME}/.config/home-manager"),
        },
        nodes={path: node(path, content) for path, content in nodes.items()},
        absent=frozenset(),
        unreadable=frozenset(),
        leftovers=(),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def context(*, root: str = "", profile: str = "shoshin", **changes: object) -> Context:
    """Every setting in force, even the withheld ones: a check is tested, not the consent."""
    loaded = load_profile(PROJECT / f"inventory/hardware/{profile}.yaml")
    found = snapshot(**changes)
    return Context(
        profile=loaded,
        snapshot=found,
        standings=tuple(
            Standing(setting=setting.on(loaded.facts), stand=Stand.IN_FORCE) for setting in ALL
        ),
        not_applicable={},
        layers=layers.nix_layers(found, root=root, host="shoshin", user="mitsio"),
        root=root,
    )


def marker(
    profile: bytes = PROFILE,
    settings: tuple[str, ...] = tuple(BY_ID),
    theirs: Mapping[str, object] | None = None,
) -> str:
    digest = sha256(profile).hexdigest()
    names = list(settings)
    return json.dumps({"profileSha256": digest, "settings": names, "theirs": theirs or {}})


#: Both layers are built and in use, and no reboot is due.
IN_USE: Replies = {
    ("file", "workspace-tuning/nixos.json"): marker(),
    ("file", "workspace-tuning/home-manager.json"): marker(),
    "booted": f"booted {SYSTEM}\ncurrent {SYSTEM}\n",
}


def reply(text: str = "", status: int = 0, errors: str = "") -> Reply:
    return Reply(status=status, output=text.encode(), errors=errors)


def failing(status: int, errors: str, text: str = "") -> Reply:
    return reply(text, status, errors)


def answers(asked: tuple[Ask, ...], replies: Replies, *, sandbox: bool = False) -> Answers:
    """Replies for these questions; one that nothing matches finds nothing there."""

    def find(ask: Ask) -> Reply:
        best: Reply | str | None = None
        length = -1
        for key, value in replies.items():
            probe, part = (key, "") if isinstance(key, str) else key
            meant = ask.probe == probe and any(part in word for word in (*ask.arguments, ""))
            if meant and len(part) > length:
                best, length = value, len(part)
        if best is None:
            return failing(ABSENT, " ".join(ask.arguments))
        return reply(best) if isinstance(best, str) else best

    return Answers({ask: find(ask) for ask in asked}, sandbox=sandbox)


def jobs(name: str, known: Context) -> tuple[inquiry.Job, ...]:
    """The one check of an item, or of a setting."""
    one = Touched(settings=frozenset((name,)), items=frozenset((name,)))
    found = inquiry.jobs(known, ITEMS, PROOFS, when=frozenset(When), wanted=one)
    assert len(found) == 1, f"{name}: {len(found)} checks"
    return found


def questions(name: str, known: Context) -> tuple[Ask, ...]:
    """What the check of an item or of a setting asks."""
    return inquiry.questions(known, jobs(name, known))


def judge(name: str, replies: Replies, *, known: Context | None = None) -> Finding:
    """The finding of one item (its id) or of one setting (its id), from these replies."""
    known = known or context()
    todo = jobs(name, known)
    asked = inquiry.questions(known, todo)
    found = inquiry.findings(known, todo, answers(asked, replies, sandbox=known.sandbox))
    return found[0]


def sample(name: str) -> str:
    """A real output: the one beside the checkout, else the small case kept here."""
    for directory in (SAMPLES, DATA):
        if (directory / name).is_file():
            return (directory / name).read_text()
    raise FileNotFoundError(f"{name}: neither in {SAMPLES} nor in {DATA}")
