"""Kinds of machines: what each one gets, what belongs to its host, and what is unknown."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from converge.gate.declare import CannotDeclare, declare
from converge.gate.gate import FactOutcome, blocking, differences, gate
from converge.gate.machine import BlockDevice, FoundGpu, Machine
from converge.gate.roles import roles
from converge.hardware import cpus
from converge.profile.profile import Profile, load_profile
from converge.setting import Layer
from tests.gate.machines import MACHINES, recorded
from tests.gate.machines_page import in_force, plan_of, profile_of

CONTAINERS = ("container-docker", "container-lxc", "container-nspawn")
REFUSED = sorted(f"refused/{path.stem}" for path in (MACHINES / "refused").glob("*.tree"))


def written(machine: Machine, tmp_path: Path) -> Profile:
    path = tmp_path / "any.yaml"
    path.write_text(declare(machine, "any"), encoding="utf-8")
    return load_profile(path)


# ---- processors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "march"),
    [
        ("desktop-zhaoxin", "lujiazui"),
        ("server-hygon", "znver1"),
        ("server-diamondrapids", "diamondrapids"),
        ("laptop-pantherlake", "pantherlake"),
        ("server-nvmeof", "znver5"),
        ("laptop-without-avx", "x86-64-v2"),  # by its numbers a Skylake
        ("laptop-ironlake", "westmere"),
        ("desktop-r500", "k8-sse3"),
        ("thin-via", "x86-64"),
        ("vm-bochs", "x86-64"),
        ("laptop-displaylink", "alderlake"),
    ],
)
def test_code_is_built_for_what_the_cpu_does_and_not_for_its_name(name: str, march: str) -> None:
    flags = recorded(name).cpu_flags or frozenset()
    assert profile_of(name).build.compiler.march == march
    assert not cpus.missing_flags(march, flags)


@pytest.mark.parametrize("name", REFUSED)
def test_no_profile_is_made_of_another_processor(name: str) -> None:
    with pytest.raises(CannotDeclare, match=r"the machine is (aarch64|i686); .*x86_64 only"):
        declare(recorded(name), "any")


# ---- memory --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "total", "heavy"),
    [
        ("handheld-z1", 16, 7),  # half of it is the GPU's
        ("xen-dom0", 4, 3),  # of 64 GB, which are for other domains
        ("vm-virtio", 1, 1),
        ("server-hygon", 1024, 882),
    ],
)
def test_builds_are_limited_by_the_memory_that_programs_have(
    name: str, total: int, heavy: int
) -> None:
    profile = profile_of(name)
    assert (profile.memory.total_gb, profile.build.parallelism.heavy.memory_gb) == (total, heavy)


def test_a_build_of_all_modules_is_refused_where_the_gpu_has_half_of_them() -> None:
    profile = profile_of("handheld-z1")
    heavy = dataclasses.replace(profile.build.parallelism.heavy, memory_gb=14)
    limits = dataclasses.replace(profile.build.parallelism, heavy=heavy)
    build = dataclasses.replace(profile.build, parallelism=limits)
    more = dataclasses.replace(profile, build=build)
    wrong = {difference.fact for difference in differences(more, recorded("handheld-z1"))}
    assert wrong == {"build.tiers"}


# ---- disks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "disks"),
    [
        ("server-stack", ["nvme0n1", "nvme1n1"]),  # LUKS on LVM on md
        ("server-zfs-partitions", ["sda", "sdb"]),
        ("desktop-btrfs-kinds", ["nvme0n1", "sda"]),
        ("chromebook-jasperlake", ["mmcblk0"]),
        ("laptop-usb-root", ["sda"]),  # and not the one inside, which is Windows'
        ("server-iscsi", ["sda"]),
        ("live-medium", []),
        ("laptop-loop-root", []),
        ("wsl1", []),
        *((name, []) for name in CONTAINERS),
    ],
)
def test_the_disks_of_the_system_are_those_that_it_lies_on(name: str, disks: list[str]) -> None:
    assert [disk.name for disk in recorded(name).system_disks] == disks


@pytest.mark.parametrize(
    "name", ["server-iscsi", "server-nvmeof", "server-multipath", "laptop-usb-root"]
)
def test_a_disk_whose_kind_nothing_tells_gets_no_scheduler(name: str) -> None:
    profile = profile_of(name)
    assert {disk.kind for disk in profile.storage.disks} == {"unknown"}
    assert all(disk.size_gb and not disk.scheduler for disk in profile.storage.disks)
    assert "scheduler" not in profile.facts


def test_the_swap_file_behind_zram_stays_where_it_is() -> None:
    zram = profile_of("desktop-btrfs-kinds").memory.zram
    assert zram is not None
    assert (zram.algorithm, zram.priority) == ("zstd", 100)


@pytest.mark.parametrize("scheduler", ["noop", "deadline", "cfq"])
def test_a_scheduler_of_an_old_kernel_is_not_declared(tmp_path: Path, scheduler: str) -> None:
    disk = BlockDevice(
        name="sda", kind="hdd", size_gb=500, schedulers=(scheduler,), scheduler=scheduler
    )
    machine = dataclasses.replace(recorded("shoshin"), system_disks=(disk,))
    assert written(machine, tmp_path).storage.disks[0].scheduler is None
    assert differences(written(machine, tmp_path), machine) == ()


# ---- cards ---------------------------------------------------------------------------------------


def _card(driver: str, **more: object) -> FoundGpu:
    found: dict[str, object] = {"slot": f"0000:0{len(driver)}:00.0", "vendor": "10de"}
    return FoundGpu(**{**found, "device": "2204", "driver": driver, **more})  # type: ignore[arg-type]


LIT, DARK = (("DP-1", "connected"),), (("DP-1", "disconnected"),)


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        # Its console's connector is called connected whether anybody looks or not.
        ([_card("ast", connectors=LIT, boot_vga=True), _card("nvidia", connectors=LIT)], "od"),
        ([_card("mgag200", connectors=LIT, boot_vga=True), _card("amdgpu", connectors=DARK)], "do"),
        # NVIDIA's driver without mode setting shows no connectors: it may be the one.
        ([_card("ast", connectors=LIT, boot_vga=True), _card("nvidia")], "??"),
        ([_card("ast", connectors=LIT, boot_vga=True), _card("nvidia", is_display=False)], "do"),
        ([_card("ast", connectors=DARK, boot_vga=True), _card("nvidia", connectors=DARK)], "?o"),
        ([_card("hibmc-drm", connectors=DARK, boot_vga=True)], "?"),
        ([_card("ast", connectors=LIT)], "d"),
        ([_card("i915", connectors=DARK, boot_vga=True)], "d"),
        ([_card("i915", connectors=LIT, boot_vga=True), _card("nvidia", is_display=False)], "do"),
    ],
)
def test_a_console_chip_draws_only_what_nobody_else_does(
    cards: list[FoundGpu], expected: str
) -> None:
    words = {"d": "draws", "o": "offload", "?": "unknown"}
    assert roles(cards) == tuple(words[one] for one in expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("workstation-bmc", ("draws", "offload")),
        ("server-hygon", ("unknown",)),
        ("laptop-egpu", ("draws", "offload")),
        ("hybrid-apu-idle", ("draws", "offload")),
        ("hybrid-apu-prime", ("offload", "draws")),
        ("desktop-two-nvidia", ("draws", "offload")),
        ("vfio-single", ("guest",)),
        ("xen-dom0", ("draws", "guest")),
        ("desktop-simpledrm", ("unused",)),
        ("vm-virtio", ("draws",)),
        *((name, ()) for name in (*CONTAINERS, "wsl1", "wsl2-nvidia", "vm-ec2", "xen-domu-pv")),
    ],
)
def test_the_role_of_a_card_is_that_of_the_machine(name: str, expected: tuple[str, ...]) -> None:
    assert tuple(card.role for card in profile_of(name).gpus) == expected


@pytest.mark.parametrize("name", ["server-hygon", "server-bmc", "server-iscsi", "server-a100"])
def test_a_console_chip_is_handed_no_setting(name: str) -> None:
    profile = profile_of(name)
    consoles = [card for card in profile.gpus if card.driver in {"ast", "mgag200"}]
    assert consoles
    assert not profile.facts & {"video", "video-mesa", "video-intel", "video-nvidia"}
    assert blocking(gate(profile, recorded(name), in_force(profile))) == ()


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_is_given_nothing_of_its_hosts(name: str) -> None:
    profile = profile_of(name)
    assert (profile.gpus, profile.platform, profile.memory.zram) == ((), "linux", None)
    assert any("container" in text for text in recorded(name).unseen)
    assert {setting.layer.value for setting in in_force(profile)} <= {"home-manager", "session"}


def test_a_card_on_a_cable_is_said_to_be_one() -> None:
    text = declare(recorded("laptop-egpu"), "any")
    card = text[text.index("10de:2786") : text.index("memory:\n")]
    assert "    # on a cable: while it is not plugged in, the gate says that it is missing" in card


def test_a_virtual_cards_connector_lies_below_its_virtio_device() -> None:
    (card,) = recorded("vm-virtio").gpus or ()
    assert card.connected == ("Virtual-1",)


@pytest.mark.parametrize(
    ("vendor", "driver", "decodes"),
    [
        ("8086", "i915", False),  # from 2004 on, long before there was a decoder
        ("1002", "radeon", False),
        ("8086", "xe", True),
        ("1002", "amdgpu", True),
    ],
)
def test_video_is_for_cards_that_are_known_to_decode(
    tmp_path: Path, vendor: str, driver: str, *, decodes: bool
) -> None:
    card = FoundGpu(slot="0000:01:00.0", vendor=vendor, device="ffff", driver=driver)
    machine = dataclasses.replace(recorded("desktop-amd"), gpus=(card,))
    assert ("video" in written(machine, tmp_path).facts) is decodes


@pytest.mark.parametrize("name", ["laptop-cantiga", "desktop-r500"])
def test_a_card_before_every_decoder_is_given_none(name: str) -> None:
    assert not any(fact.startswith("video") for fact in profile_of(name).facts)


@pytest.mark.parametrize(
    ("name", "driver", "outcome", "said"),
    [
        ("laptop-meteorlake", "xe", FactOutcome.DIFFERS, "by the same driver with both"),
        ("laptop-meteorlake", "", FactOutcome.BLOCKS, "video is not decoded by it"),
        ("desktop-amd", "vfio-pci", FactOutcome.BLOCKS, "kept for a virtual machine"),
        ("desktop-kepler", "nouveau", FactOutcome.BLOCKS, "who drives the card"),
    ],
)
def test_another_driver_stops_a_run_for_what_it_would_break(
    name: str, driver: str, outcome: FactOutcome, said: str
) -> None:
    """No run changes the driver of an Intel or AMD card, so no verdict says so."""
    profile = profile_of(name)
    cards = tuple(dataclasses.replace(gpu, driver=driver) for gpu in recorded(name).gpus or ())
    machine = dataclasses.replace(recorded(name), gpus=cards)
    found = gate(profile, machine, in_force(profile))
    (verdict,) = [one for one in found if one.fact == "gpus.driver"]
    assert (verdict.outcome, said in verdict.why) == (outcome, True)


# ---- sessions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("plasma", [None, "6.5.3", "6.7.79"])
def test_before_plasma_68_it_is_said_what_becomes_of_an_x11_session(plasma: str | None) -> None:
    machine = dataclasses.replace(recorded("shoshin"), plasma=plasma)
    (verdict,) = [v for v in gate(profile_of("shoshin"), machine, ()) if v.fact == "session.type"]
    assert verdict.outcome is FactOutcome.TRUE
    assert "Plasma 6.8 takes the X11 session away" in verdict.why
    assert "stay on Plasma 6.7" in verdict.fix
    assert "write session.type: wayland" in verdict.fix


@pytest.mark.parametrize("plasma", ["6.7.80", "6.8.0", "6.10.1"])
@pytest.mark.parametrize("declared", ["wayland", "unknown", "none"])
def test_nobody_is_told_to_declare_an_x11_session_that_the_update_took_away(
    plasma: str, declared: str
) -> None:
    """The session began before the update, and runs until the logout."""
    machine = dataclasses.replace(recorded("shoshin"), plasma=plasma)
    profile = profile_of("shoshin")
    session = dataclasses.replace(profile.session, type=declared)
    profile = dataclasses.replace(profile, session=session)
    (verdict,) = [v for v in gate(profile, machine, ()) if v.fact == "session.type"]
    assert "x11" not in verdict.fix
    assert verdict.fix == "log out, and in to the Wayland session"


@pytest.mark.parametrize("name", ["desktop-amd", "desktop-sandybridge", "laptop-gnome"])
def test_who_has_wayland_or_another_desktop_is_told_nothing_of_it(name: str) -> None:
    verdicts = gate(profile_of(name), recorded(name), ())
    assert not any("6.8" in verdict.why + verdict.fix for verdict in verdicts)


@pytest.mark.parametrize(
    ("name", "desktop"),
    [
        ("laptop-gnome", "gnome"),
        ("laptop-alderlake", "hyprland"),
        ("laptop-luks-bcachefs", "sway"),
        ("laptop-zen5", "niri"),
        ("desktop-btrfs-kinds", "cosmic"),
        ("desktop-sandybridge", "xfce"),
        ("handheld-z1", "gamescope"),
    ],
)
def test_on_another_desktop_kdes_rows_do_not_apply_for_one_reason(name: str, desktop: str) -> None:
    assert profile_of(name).session.desktop == desktop
    of_kde = [
        one
        for one in plan_of(profile_of(name))
        if one.setting.layer is Layer.PLASMA or one.setting.needs & {"kwin", "baloo"}
    ]
    assert {one.why for one in of_kde} == {"the profile has no Plasma desktop"}
    assert len(of_kde) > 12
