"""The gate catches one false fact at a time, with its verdict, the settings and the fix."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from converge.gate.gate import FACTS, FORMER, FactOutcome, FactVerdict, blocking, differences, gate
from converge.gate.machine import BlockDevice, FoundGpu, Machine, NvidiaGpu, SwapArea
from converge.hardware import graphics
from converge.plan.standing import standings
from converge.profile.profile import Profile, load_profile
from converge.setting import Layer, Phase, Setting
from converge.subjects.settings import ALL
from converge.subjects.video.rows import KERNEL_CEILING
from tests.gate.machines import recorded

INVENTORY = Path(__file__).parents[2] / "inventory" / "hardware"
SHOSHIN = INVENTORY / "shoshin.yaml"
TRUE, DIFFERS, UNKNOWN, BLOCKS = (
    FactOutcome.TRUE,
    FactOutcome.DIFFERS,
    FactOutcome.UNKNOWN,
    FactOutcome.BLOCKS,
)


def in_force(
    profile: Profile,
    *,
    layers: frozenset[Layer] = frozenset(Layer),
    include: frozenset[str] = frozenset(),
) -> tuple[Setting, ...]:
    rows = standings(
        ALL,
        facts=profile.facts,
        not_applicable={layer: "not here" for layer in Layer if layer not in layers},
        phases=frozenset(Phase),
        layers=layers,
        include=include,
    )
    return tuple(row.setting for row in rows if row.in_force)


def altered(tmp_path: Path, *changes: tuple[str, str]) -> Profile:
    """Load shoshin's profile with some of its text changed."""
    text = SHOSHIN.read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) >= 1, old
        text = text.replace(old, new, 1)
    path = tmp_path / "shoshin.yaml"
    path.write_text(text, encoding="utf-8")
    return load_profile(path)


def verdict_on(fact: str, verdicts: tuple[FactVerdict, ...]) -> FactVerdict:
    (found,) = [verdict for verdict in verdicts if verdict.fact == fact]
    return found


def first_on(fact: str, verdicts: tuple[FactVerdict, ...]) -> FactVerdict:
    return next(verdict for verdict in verdicts if verdict.fact == fact)


def but(machine: Machine, **changes: object) -> Machine:
    return dataclasses.replace(machine, **changes)  # type: ignore[arg-type]


# ---- the machines of the plan --------------------------------------------------------------------


def test_an_id_is_a_setting_or_a_fact_and_the_former_name_has_a_hint() -> None:
    settings = {setting.id for setting in ALL}
    assert not settings & set(FACTS)
    assert FORMER.keys() <= settings
    assert set(FORMER.values()) <= set(FACTS)


def test_shoshin_is_true_in_every_fact() -> None:
    profile = load_profile(SHOSHIN)
    verdicts = gate(profile, recorded("shoshin"), in_force(profile))
    assert {v.fact: v.outcome for v in verdicts} == dict.fromkeys(FACTS, TRUE)


@pytest.mark.parametrize("workspace", ["kinoite", "gyakusatsu"])
def test_the_other_workspaces_are_not_blocked_on_their_machines(workspace: str) -> None:
    profile = load_profile(INVENTORY / f"{workspace}.yaml")
    layers = frozenset({Layer.HOME_MANAGER, Layer.PLASMA, Layer.SESSION})
    verdicts = gate(profile, recorded(workspace), in_force(profile, layers=layers))
    assert blocking(verdicts) == ()
    assert verdict_on("build.compiler.march", verdicts).outcome is TRUE


def test_facts_come_in_their_documented_order() -> None:
    profile = load_profile(SHOSHIN)
    facts = [v.fact for v in gate(profile, recorded("shoshin"), in_force(profile))]
    assert facts == sorted(facts, key=FACTS.index)


# ---- one false fact in the profile ---------------------------------------------------------------

AMD_CARD = [
    ("vendor: nvidia", "vendor: amd"),
    ("    architecture: maxwell", "    #"),
    ("    chip: GM206", "    #"),
    ('    computeCapability: "5.2"\n    memoryMB: 4096\n', ""),
    ("driver: nvidia", "driver: none"),
    ("role: draws", "role: unused"),
]
ANOTHER_CARD = '  - { vendor: amd, pciId: "1002:73ff", driver: amdgpu, role: draws }'
FALSE_IN_PROFILE = [
    ("platform", [("platform: nixos", "platform: ostree")], DIFFERS),
    (
        "cpu.vendor",
        [("vendor: intel", "vendor: amd"), ("family: skylake", "family: znver3")],
        DIFFERS,
    ),
    ("cpu.cores", [("cores: 4\n", "cores: 6\n")], DIFFERS),
    ("cpu.threads", [("threads: 8", "threads: 16")], DIFFERS),
    (
        "build.compiler.march",
        [("family: skylake", "family: alderlake"), ("march: skylake", "march: alderlake")],
        BLOCKS,
    ),
    (
        "build.tiers",
        [("totalGB: 16", "totalGB: 32"), ("memoryGB: 6", "memoryGB: 18")],
        BLOCKS,
    ),
    ("gpus", [("10de:1401", "1002:73ff"), *AMD_CARD], DIFFERS),
    ("gpus.pciId", [("10de:1401", "10de:1402")], DIFFERS),
    (
        "gpus.architecture",
        [
            ("architecture: maxwell", "architecture: turing"),
            ("GM206", "TU116"),
            ("10de:1401", "10de:2182"),
            ('"5.2"', '"7.5"'),
        ],
        BLOCKS,
    ),
    ("gpus.computeCapability", [('"5.2"', '"5.0"')], DIFFERS),
    ("gpus.memoryMB", [("memoryMB: 4096", "memoryMB: 2048")], DIFFERS),
    ("gpus.driver", [("driver: nvidia", "driver: nouveau")], DIFFERS),
    ("gpus.role", [("role: draws", f"role: offload\n{ANOTHER_CARD}")], BLOCKS),
    ("memory.totalGB", [("totalGB: 16", "totalGB: 32")], DIFFERS),
    ("memory.type", [("type: DDR4", "type: DDR5")], DIFFERS),
    ("memory.zramDevice", [("percent: 75", "percent: 100")], DIFFERS),
    ("storage.kind", [("kind: nvme", "kind: ssd")], DIFFERS),
    ("storage.sizeGB", [("sizeGB: 500", "sizeGB: 1000")], DIFFERS),
    ("storage.queue", [("scheduler: none", "scheduler: bfq")], DIFFERS),
    (
        "session.desktop",
        [("desktop: plasma6", "desktop: none"), ("type: x11", "type: none")],
        DIFFERS,
    ),
    ("session.type", [("type: x11", "type: wayland")], DIFFERS),
]


@pytest.mark.parametrize(("fact", "changes", "outcome"), FALSE_IN_PROFILE)
def test_false_fact_in_the_profile(
    tmp_path: Path, fact: str, changes: list[tuple[str, str]], outcome: FactOutcome
) -> None:
    profile = altered(tmp_path, *changes)
    verdict = first_on(fact, gate(profile, recorded("shoshin"), in_force(profile)))
    assert verdict.outcome is outcome
    assert verdict.declared not in {"", verdict.found}
    assert verdict.why or verdict.fix
    if outcome is BLOCKS:
        assert verdict.settings
        assert verdict.fix
        assert all(setting in str(verdict) for setting in verdict.settings)


@pytest.mark.parametrize(("fact", "changes", "outcome"), FALSE_IN_PROFILE)
def test_false_fact_is_a_difference_when_nothing_is_in_force(
    tmp_path: Path, fact: str, changes: list[tuple[str, str]], outcome: FactOutcome
) -> None:
    profile = altered(tmp_path, *changes)
    verdicts = gate(profile, recorded("shoshin"), ())
    assert first_on(fact, verdicts).outcome is DIFFERS
    assert blocking(verdicts) == ()
    assert fact in {verdict.fact for verdict in differences(profile, recorded("shoshin"))}


# ---- one other fact in the machine ---------------------------------------------------------------

AMPERE = FoundGpu(slot="0000:01:00.0", vendor="10de", device="2504", driver="nvidia")
BLACKWELL = FoundGpu(slot="0000:01:00.0", vendor="10de", device="2c05")
RADEON = FoundGpu(slot="0000:01:00.0", vendor="1002", device="73ff", driver="amdgpu")
KEPLER = FoundGpu(slot="0000:01:00.0", vendor="10de", device="1187", driver="nouveau")
NEW_CARD = FoundGpu(slot="0000:01:00.0", vendor="10de", device="3fff", driver="nvidia")
NOUVEAU = FoundGpu(slot="0000:01:00.0", vendor="10de", device="1401", driver="nouveau")
GUEST = FoundGpu(slot="0000:01:00.0", vendor="10de", device="1401", driver="vfio-pci")
BARE = FoundGpu(slot="0000:01:00.0", vendor="10de", device="1401")
DARK = FoundGpu(slot="0000:01:00.0", vendor="10de", device="1401", driver="nvidia")
LIT = FoundGpu(
    slot="0000:00:02.0",
    vendor="8086",
    device="1912",
    driver="i915",
    boot_vga=True,
    connectors=(("HDMI-A-1", "connected"),),
)
UNLIT = dataclasses.replace(LIT, boot_vga=None, connectors=(("HDMI-A-1", "disconnected"),))
SATA = BlockDevice(name="sda", kind="ssd", size_gb=500, schedulers=("none", "bfq"), scheduler="bfq")
NVME = dataclasses.replace(SATA, name="nvme0n1", kind="nvme")
HDD = dataclasses.replace(SATA, kind="hdd")
NO_NVIDIA: dict[str, object] = {"nvidia": (), "nvidia_driver": None, "nvidia_open": None}
UNBOUND: dict[str, object] = {"gpus": (NOUVEAU,)}

OTHER_MACHINE = [
    ("system", {"arch": "aarch64"}, BLOCKS, "another processor"),
    ("system", {"arch": None}, UNKNOWN, ""),
    ("platform", {"platform": "linux"}, DIFFERS, "layers"),
    ("build.compiler.march", {"cpu_flags": None}, BLOCKS, "nobody knows"),
    ("build.tiers", {"memory_kib": None, "module_bytes": None}, UNKNOWN, ""),
    ("build.tiers", {"threads": 4}, DIFFERS, "wait for each other"),
    ("gpus", {"gpus": (RADEON,), **NO_NVIDIA}, BLOCKS, "no display"),
    ("gpus", {"gpus": (), **NO_NVIDIA}, BLOCKS, "no display"),
    ("gpus", {"gpus": None, **NO_NVIDIA}, BLOCKS, "could be seen"),
    ("gpus", {"gpus": (), "platform": "wsl", **NO_NVIDIA}, BLOCKS, "not there"),
    ("gpus.architecture", {"gpus": (AMPERE,), **NO_NVIDIA}, DIFFERS, "drives it as well"),
    ("gpus.architecture", {"gpus": (BLACKWELL,), **NO_NVIDIA}, BLOCKS, "only the open"),
    ("gpus.architecture", {"gpus": (KEPLER,), **NO_NVIDIA}, BLOCKS, "drivers after 470"),
    ("gpus.architecture", {"gpus": (NEW_CARD,), **NO_NVIDIA}, BLOCKS, "nobody knows"),
    ("gpus.driver", {"gpus": (NOUVEAU,), **NO_NVIDIA}, BLOCKS, "change who drives"),
    ("gpus.driver", {"gpus": (BARE,), **NO_NVIDIA}, BLOCKS, "change who drives"),
    ("gpus.driver", {"gpus": (GUEST, LIT), **NO_NVIDIA}, BLOCKS, "virtual machine"),
    ("gpus", {"gpus": (NOUVEAU,), "platform": "wsl"}, BLOCKS, "not there"),
    ("gpus.role", {"gpus": (DARK, LIT)}, BLOCKS, "would meet the other one"),
    ("gpus.role", {"gpus": (DARK, UNLIT)}, BLOCKS, "could meet the other one"),
    ("gpus.branch", {"nvidia_driver": "595.71.05"}, DIFFERS, "drivers after 580 ignore"),
    ("kernel", {**UNBOUND, "kernel": "7.2.1", "nvidia_driver": "580.173.02"}, DIFFERS, "may not"),
    ("kernel", {**UNBOUND, "kernel": "7.2.1"}, DIFFERS, "may not build"),
    ("kernel", {**UNBOUND, "kernel": "7.1.1"}, DIFFERS, "before 580.173"),
    ("kernel", {**UNBOUND, "kernel": "7.1.1", "nvidia_driver": "580.173.02"}, TRUE, ""),
    ("kernel", {"kernel": "7.2.1"}, TRUE, ""),  # it runs with it, so it builds with it
    ("kernel", {"kernel": "7.0.9"}, TRUE, ""),
    ("kernel", {"kernel": None}, UNKNOWN, ""),
    ("memory.totalGB", {"module_bytes": 8 << 30}, DIFFERS, "larger than the memory"),
    ("memory.zramDevice", {"zram": ()}, UNKNOWN, "this run sets it up"),
    (
        "memory.zramDevice",
        {"swaps": (SwapArea(file="/dev/sda2", size_kib=9, priority=200),)},
        DIFFERS,
        "disk is swapped to before",
    ),
    ("storage.kind", {"system_disks": (SATA,)}, DIFFERS, "matches nothing"),
    ("storage.kind", {"system_disks": (NVME, SATA)}, DIFFERS, "left as they are"),
    ("storage.kind", {"system_disks": ()}, UNKNOWN, ""),
    ("storage.sizeGB", {"system_disks": (NVME, SATA)}, DIFFERS, ""),
    ("storage.queue", {"system_disks": (NVME,)}, DIFFERS, "this run sets it"),
    ("session.desktop", {"desktop": "none"}, DIFFERS, "read by nobody"),
    ("session.type", {"session_type": "wayland"}, DIFFERS, "no effect in the other"),
    ("session.type", {"session_type": None}, UNKNOWN, ""),
    ("session.type", {"session_type": "wayland", "plasma": "6.7.4"}, DIFFERS, "in the other"),
    ("session.type", {"session_type": "wayland", "plasma": "6.8.0"}, BLOCKS, "until early 2027"),
    ("session.type", {"session_type": None, "plasma": "6.7.80"}, BLOCKS, "until early 2027"),
    ("session.type", {"plasma": "6.7.5"}, TRUE, ""),
    ("session.type", {"session_type": None, "x11_offered": False}, DIFFERS, "no effect"),
]


@pytest.mark.parametrize(("fact", "changes", "outcome", "why"), OTHER_MACHINE)
def test_other_fact_in_the_machine(
    fact: str, changes: dict[str, object], outcome: FactOutcome, why: str
) -> None:
    profile = load_profile(SHOSHIN)
    machine = but(recorded("shoshin"), **changes)
    verdict = first_on(fact, gate(profile, machine, in_force(profile)))
    assert verdict.outcome is outcome
    assert why in verdict.why
    assert outcome is not BLOCKS or (verdict.settings and verdict.fix)


def test_every_fact_is_tested() -> None:
    tested = {row[0] for row in FALSE_IN_PROFILE} | {row[0] for row in OTHER_MACHINE}
    assert tested == set(FACTS)


# ---- who is asked --------------------------------------------------------------------------------


def test_a_machine_without_the_card_blocks_with_consent_where_no_driver_is_chosen() -> None:
    profile = load_profile(SHOSHIN)
    layers = frozenset({Layer.PLASMA, Layer.SESSION, Layer.HOME_MANAGER})
    machine = but(recorded("shoshin"), gpus=(), platform="linux", **NO_NVIDIA)
    verdicts = gate(profile, machine, in_force(profile, layers=layers))
    (verdict,) = blocking(verdicts)
    assert (verdict.fact, verdict.overridable) == ("gpus", True)
    assert verdict.settings == ("video.variables",)


def test_an_x11_flag_is_named_where_the_session_is_wayland() -> None:
    profile = load_profile(SHOSHIN)
    settings = in_force(profile, include=frozenset({"electron.flag.ozone-x11"}))
    machine = but(recorded("shoshin"), session_type="wayland")
    verdict = verdict_on("session.type", gate(profile, machine, settings))
    assert "electron.flag.ozone-x11" in verdict.settings


def test_the_gate_and_the_driver_row_have_the_same_kernel_ceilings() -> None:
    profile = load_profile(SHOSHIN)
    (driver,) = [s for s in in_force(profile) if s.id == "video.driver"]
    found = {
        release: ".".join(map(str, graphics.kernel_ceiling(int(release[:3]), release) or ()))
        for release in KERNEL_CEILING
    }
    assert found == KERNEL_CEILING
    assert driver.value["kernelCeiling"] == KERNEL_CEILING
    verdict = verdict_on("kernel", gate(profile, recorded("shoshin"), (driver,)))
    assert verdict.declared == "at most 7.0 with 580.105.08"
    assert verdict.settings == ("video.driver",)


def test_gpu_of_a_profile_without_one_is_reported(tmp_path: Path) -> None:
    text = SHOSHIN.read_text(encoding="utf-8")
    start, end = text.index("gpus:\n"), text.index("memory:\n")
    path = tmp_path / "shoshin.yaml"
    path.write_text(text[:start] + "gpus: []\n" + text[end:], encoding="utf-8")
    profile = load_profile(path)
    verdict = verdict_on("gpus", gate(profile, recorded("shoshin"), in_force(profile)))
    assert (verdict.outcome, verdict.found) == (DIFFERS, "10de:1401 (nvidia, draws)")


def test_zram_setting_without_declared_zram_is_not_in_force(tmp_path: Path) -> None:
    text = (
        SHOSHIN.read_text(encoding="utf-8")
        .replace("  zram: { algorithm: zstd, percent: 75, priority: 100 }\n", "")
        .replace("jobs: 3, cores: 4, memoryGB: 6", "jobs: 2, cores: 4, memoryGB: 6")
        .replace("jobs: 12, cores: 2, memoryGB: 2", "jobs: 8, cores: 2, memoryGB: 2")
    )
    path = tmp_path / "shoshin.yaml"
    path.write_text(text, encoding="utf-8")
    profile = load_profile(path)
    assert "zram" not in profile.facts
    (zram,) = [setting for setting in ALL if setting.id == "memory.zram"]
    (block,) = blocking(gate(profile, recorded("shoshin"), (zram,)))
    assert block.fact == "memory.zramDevice"


def test_memory_of_an_integrated_gpu_is_not_missing_memory() -> None:
    profile = load_profile(SHOSHIN)
    machine = but(recorded("shoshin"), module_bytes=None, memory_kib=14_600_000)
    assert verdict_on("memory.totalGB", gate(profile, machine, ())).outcome is TRUE


def test_the_gpu_that_nvidia_smi_names_counts_more_than_the_list_of_devices() -> None:
    profile = load_profile(SHOSHIN)
    smi = NvidiaGpu(name="X", compute_capability="8.6", driver="580.1", pci_id="10de:3fff")
    machine = but(recorded("shoshin"), gpus=(NEW_CARD,), nvidia=(smi,))
    verdict = verdict_on("gpus.architecture", gate(profile, machine, in_force(profile)))
    assert (verdict.outcome, verdict.found) == (DIFFERS, "ampere")


def test_a_scheduler_that_the_kernel_does_not_offer_is_named_with_those_it_does(
    tmp_path: Path,
) -> None:
    profile = altered(tmp_path, ("scheduler: none", "scheduler: bfq"))
    (disk,) = recorded("shoshin").system_disks
    disk = dataclasses.replace(disk, schedulers=("none", "mq-deadline"))
    machine = but(recorded("shoshin"), system_disks=(disk,))
    verdict = verdict_on("storage.queue", gate(profile, machine, in_force(profile)))
    assert verdict.outcome is DIFFERS
    assert verdict.found == "none mq-deadline"
    rotating = but(recorded("shoshin"), system_disks=(HDD,))
    text = altered(tmp_path, ("kind: nvme", "kind: hdd"))
    assert "rotating" in verdict_on("storage.queue", gate(text, rotating, ())).why
    assert "does not offer bfq" in verdict.why
    assert verdict.settings == ("storage.scheduler",)
