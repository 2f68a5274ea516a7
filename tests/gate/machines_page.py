"""``python -m tests.gate.machines_page``: write docs/machines.md, what each recorded machine gets.

In: the machines of ``tests/data/machines``. Each goes the whole way: detect, profile, gate, plan.
Out: a Markdown table, compared by ``tests/gate/test_machines.py``; nothing is written by hand.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from converge.gate.declare import declare
from converge.gate.gate import FactOutcome, FactVerdict, gate
from converge.plan.standing import Standing, standings
from converge.profile.profile import Gpu, Profile, load_profile
from converge.setting import Layer, Phase, Setting
from converge.subjects.settings import ALL
from tests.gate.machines import MACHINES, recorded

PAGE = Path(__file__).parents[2] / "docs" / "machines.md"
NAMES = sorted(path.stem for path in MACHINES.glob("*.tree"))
HEAD = """\
# Recorded machines

What `tasks/detect.py --data write=` and a run make of each machine of `tests/data/machines`. Made
by `python -m tests.gate.machines_page`; not edited by hand. The head of each file there names where
its facts come from. A driver is set only where a card draws or offloads by it; video is decoded by
the card that draws.

| machine | march | cards | driver set | video decoded by | disks | session | why not more |
|---|---|---|---|---|---|---|---|
"""
_DECODERS = {
    "video-nvidia": "NVIDIA",
    "video-mesa": "Mesa, radeonsi",
    "video-r600": "Mesa, r600",
    "video-intel": "Intel, iHD",
    "video-i965": "Intel, i965",
}


@cache
def profile_of(name: str) -> Profile:
    """The profile that detect writes of a recorded machine, loaded as any profile is."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / f"{name}.yaml"
        path.write_text(declare(recorded(name), name), encoding="utf-8")
        return load_profile(path)


def layers_missing(profile: Profile) -> dict[Layer, str]:
    """What the platform alone says about the layers (``converge.plan.layers``)."""
    missing = {}
    if profile.platform != "nixos":
        missing[Layer.NIXOS] = f"the platform of the profile is {profile.platform}"
    if not profile.facts & {"kwin", "baloo"}:
        missing[Layer.PLASMA] = "the profile has no Plasma desktop"
    return missing


def plan_of(profile: Profile) -> tuple[Standing, ...]:
    return standings(
        ALL,
        facts=profile.facts,
        not_applicable=layers_missing(profile),
        phases=frozenset(Phase),
        layers=frozenset(Layer),
    )


def in_force(profile: Profile) -> tuple[Setting, ...]:
    return tuple(one.setting for one in plan_of(profile) if one.in_force)


def verdicts_of(name: str) -> tuple[FactVerdict, ...]:
    profile = profile_of(name)
    return gate(profile, recorded(name), in_force(profile))


def row(name: str) -> str:
    profile, plan = profile_of(name), plan_of(profile_of(name))
    force = {one.setting.id: one.setting for one in plan if one.in_force}
    decoder = next((text for fact, text in _DECODERS.items() if fact in profile.facts), "nothing")
    seen = [disk for disk in profile.storage.disks if disk.size_gb]
    disks = ", ".join(f"{disk.kind} {disk.size_gb} GB" for disk in seen)
    session = profile.session
    cells = (
        f"`{name}`",
        profile.build.compiler.march,
        "<br>".join(_card(card) for card in profile.gpus) or "none",
        ", ".join(_drivers(profile, force)) or "none",
        decoder if "video.variables" in force else "nothing",
        disks or "not seen",
        session.desktop if session.desktop == "none" else f"{session.desktop}, {session.type}",
        "; ".join(_why(name, plan)) or "",
    )
    return f"| {' | '.join(cells)} |"


def _card(card: Gpu) -> str:
    return f"{card.pci_id} {card.architecture or card.vendor}: {card.role} ({card.driver})"


def _drivers(profile: Profile, force: dict[str, Setting]) -> Iterator[str]:
    if "video.driver" in force:
        draws = any(card.role == "draws" for card in profile.by_nvidia)
        yield "nvidia" if draws else "nvidia's branch, for offload"


def _why(name: str, plan: tuple[Standing, ...]) -> Iterator[str]:
    """Reasons of this machine: why layers and video do not apply, what could not be seen."""
    reasons = {
        one.why
        for one in plan
        if one.setting.id in {"video.variables", "kwin.contrast", "storage.scheduler"}
        and not one.in_force
    }
    yield from sorted(reasons)
    unknown = [v.fact for v in verdicts_of(name) if v.outcome is FactOutcome.UNKNOWN]
    if unknown:
        yield f"not seen: {', '.join(dict.fromkeys(unknown))}"


def cards_on_page(name: str) -> str:
    """The cards of a machine as the page has them; empty where it has none."""
    rows = PAGE.read_text(encoding="utf-8").splitlines()
    (cards,) = [row.split(" | ")[2] for row in rows if row.startswith(f"| `{name}` |")] or [""]
    return "" if cards == "none" else cards


def page() -> str:
    return HEAD + "\n".join(row(name) for name in NAMES) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
