"""Recorded machines go the whole way: detect, profile, gate, plan. No plan hands one a driver that
none of its cards uses."""

from __future__ import annotations

import dataclasses

import pytest

from converge.gate.facts.cards import DRAWN
from converge.gate.gate import FACTS, FactOutcome, blocking, differences, gate
from converge.gate.machine import FoundGpu, Machine
from converge.gate.roles import roles
from converge.hardware import graphics
from converge.profile.profile import Gpu, Profile
from converge.setting import NEEDS
from tests.gate.machines import recorded
from tests.gate.machines_page import (
    NAMES,
    PAGE,
    cards_on_page,
    in_force,
    page,
    profile_of,
    verdicts_of,
)


def test_there_are_many_machines_and_the_page_says_what_each_gets() -> None:
    assert len(NAMES) >= 48
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "the machines or what they get have changed: python -m tests.gate.machines_page"
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_profile_that_detect_writes_passes_its_own_gate(name: str) -> None:
    assert blocking(verdicts_of(name)) == ()
    assert differences(profile_of(name), recorded(name)) == ()
    assert {verdict.fact for verdict in verdicts_of(name)} <= set(FACTS)


@pytest.mark.parametrize("name", NAMES)
def test_no_plan_names_a_driver_whose_card_does_not_draw_or_offload_by_it(name: str) -> None:
    force = {setting.id: setting for setting in in_force(profile_of(name))}
    found = recorded(name).gpus or ()
    held = dict(zip(found, roles(found), strict=True))
    by_nvidia = [gpu for gpu, role in held.items() if gpu.driver == "nvidia" and role != "unknown"]
    drawing = [gpu for gpu, role in held.items() if role == "draws"]
    assert ("video.driver" in force) <= bool(by_nvidia)
    assert ("video.modesetting" in force) <= bool(by_nvidia)
    variables = force.get("video.variables")
    if variables is None:
        return
    assert isinstance(variables.value, dict)
    (card,) = drawing
    driver = variables.value["variables"]["LIBVA_DRIVER_NAME"]
    assert (driver == "nvidia") == (card.driver == "nvidia")
    assert graphics.DECODES[card.driver] in {"nvidia", "mesa", "intel"}
    text = " ".join(f"{s.title} {s.reason} {s.value}" for s in force.values() if s.needs & DRAWN)
    assert card.driver == "nvidia" or "nvidia" not in text.lower()


def test_every_need_holds_on_some_recorded_machine() -> None:
    found = frozenset[str]().union(*(profile_of(name).facts for name in NAMES))
    assert found == NEEDS.keys()


@pytest.mark.parametrize(
    ("name", "march"),
    [
        ("desktop-sandybridge", "sandybridge"),
        ("netbook-goldmont", "goldmont"),
        ("desktop-arrowlake", "arrowlake-s"),
        ("laptop-meteorlake", "meteorlake"),
        ("laptop-zen5", "znver5"),
        ("hybrid-undriven", "znver5"),
        ("desktop-terascale", "bdver2"),
        ("server-bcachefs", "sapphirerapids"),
    ],
)
def test_a_march_is_found_by_numbers_and_features(name: str, march: str) -> None:
    assert profile_of(name).build.compiler.march == march


@pytest.mark.parametrize(
    ("name", "disks"),
    [
        ("nas-haswell", ["sdd", "sdf"]),  # a ZFS mirror
        ("desktop-sandybridge", ["sda", "sdb"]),  # a partition of an array
        ("desktop-terascale", ["sda"]),  # a logical volume
        ("server-a100", ["sda", "sdb"]),  # a logical volume on an array
        ("desktop-navi24", ["sda", "sdb"]),  # btrfs
        ("server-bcachefs", ["nvme0n1", "nvme1n1"]),
        ("laptop-luks-bcachefs", ["nvme0n1"]),
        ("netbook-goldmont", ["mmcblk0"]),
        ("laptop-alderlake", ["nvme0n1"]),  # a root in memory
        ("server-multipath", ["sda", "sdb"]),  # a volume on two units, each with two paths
        ("desktop-eight-disks", ["nvme0n1", "sda", "sdb", "sdc", "sdd", "sde", "sdf"]),
        ("desktop-diskless", []),  # the stick beside it is no disk of the system
        ("ostree-silverblue", ["nvme0n1"]),
    ],
)
def test_the_disks_below_every_kind_of_pool_are_found(name: str, disks: list[str]) -> None:
    assert [disk.name for disk in recorded(name).system_disks] == disks


# ---- cards that are not as the profile says ------------------------------------------------------


#: By the page, since a hundred machines would be detected wherever the tests are only listed.
CARDS = [name for name in NAMES if cards_on_page(name)]
HYBRIDS = [
    name for name in CARDS if "<br>" in cards_on_page(name) and ": draws" in cards_on_page(name)
]


def test_the_cards_on_the_page_are_those_of_the_machines() -> None:
    assert [name for name in NAMES if profile_of(name).gpus] == CARDS
    several = [name for name in NAMES if len(profile_of(name).gpus) > 1]
    assert [name for name in several if profile_of(name).drawing] == HYBRIDS


def _with(profile: Profile, cards: tuple[Gpu, ...]) -> Profile:
    return dataclasses.replace(profile, gpus=cards)


@pytest.mark.parametrize("name", CARDS)
def test_nvidias_driver_for_a_card_that_does_not_use_it_is_never_set(name: str) -> None:
    """The profile claims that each card in turn draws by NVIDIA's driver."""
    profile, machine = profile_of(name), recorded(name)
    for index, card in enumerate(profile.gpus):
        if card.driver == "nvidia":
            continue
        lie = dataclasses.replace(
            card, vendor="nvidia", architecture="maxwell", driver="nvidia", role="draws"
        )
        others = [
            dataclasses.replace(gpu, role="offload") if gpu.role == "draws" else gpu
            for gpu in profile.gpus
        ]
        claimed = _with(profile, (*others[:index], lie, *others[index + 1 :]))
        settings = in_force(claimed)
        blocked = blocking(gate(claimed, machine, settings))
        assert any(s.id == "video.variables" for s in settings)
        assert {verdict.fact for verdict in blocked} & {"gpus", "gpus.driver", "gpus.role"}
        assert all(verdict.settings and verdict.fix for verdict in blocked)


@pytest.mark.parametrize("name", HYBRIDS)
def test_roles_that_are_swapped_are_caught(name: str) -> None:
    profile, machine = profile_of(name), recorded(name)
    swap = {"draws": "offload", "offload": "draws"}
    cards = tuple(
        dataclasses.replace(card, role=swap.get(card.role, card.role)) for card in profile.gpus
    )
    swapped = _with(profile, cards)
    verdicts = gate(swapped, machine, in_force(swapped))
    wrong = [verdict for verdict in verdicts if verdict.fact == "gpus.role"]
    assert {verdict.outcome for verdict in wrong} & {FactOutcome.DIFFERS, FactOutcome.BLOCKS}


@pytest.mark.parametrize("name", CARDS)
def test_a_card_that_goes_or_comes_is_seen(name: str) -> None:
    profile, machine = profile_of(name), recorded(name)

    def outcomes(declared: Profile, seen: Machine) -> set[FactOutcome]:
        verdicts = gate(declared, seen, in_force(declared))
        return {verdict.outcome for verdict in verdicts if verdict.fact == "gpus"}

    assert outcomes(profile, machine) == {FactOutcome.TRUE}
    assert outcomes(_with(profile, profile.gpus[1:]), machine) >= {FactOutcome.DIFFERS}
    new = FoundGpu(slot="0000:ee:00.0", vendor="1234", device="1111", driver="bochs-drm")
    more = dataclasses.replace(machine, gpus=(*(machine.gpus or ()), new))
    assert FactOutcome.DIFFERS in outcomes(profile, more)
    none = dataclasses.replace(machine, gpus=())
    assert FactOutcome.TRUE not in outcomes(profile, none)
    unseen = dataclasses.replace(machine, gpus=None)
    needed = any(s.needs & (DRAWN | {"nvidia"}) for s in in_force(profile))
    assert outcomes(profile, unseen) == {FactOutcome.BLOCKS if needed else FactOutcome.UNKNOWN}
