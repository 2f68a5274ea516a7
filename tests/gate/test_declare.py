"""The profile that is written of a machine loads and passes the gate of this machine."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converge.gate.declare import CannotDeclare, declare
from converge.gate.gate import differences
from converge.gate.machine import (
    BlockDevice,
    FoundGpu,
    Machine,
    NvidiaGpu,
    SwapArea,
    ZramDevice,
)
from converge.hardware import cpus
from converge.profile.profile import load_profile
from tests.gate.machines import recorded
from tests.gate.test_detect import INVENTORY, RECORDED, loads


@pytest.mark.parametrize("name", RECORDED)
def test_profile_of_a_recorded_machine_loads_and_differs_in_nothing(
    tmp_path: Path, name: str
) -> None:
    machine = recorded(name)
    path = tmp_path / f"{name}.yaml"
    path.write_text(declare(machine, name), encoding="utf-8")
    assert differences(load_profile(path), machine) == ()


def test_profile_of_shoshin_agrees_with_the_one_of_the_plan(tmp_path: Path) -> None:
    path = tmp_path / "shoshin.yaml"
    path.write_text(declare(recorded("shoshin"), "shoshin"), encoding="utf-8")
    found, plan = load_profile(path), load_profile(INVENTORY / "shoshin.yaml")
    assert found.build.compiler == plan.build.compiler
    (card,) = found.gpus
    assert card.connectors == ("HDMI-A-1",)
    assert (dataclasses.replace(card, chip="GM206", connectors=()),) == plan.gpus
    assert (found.storage, found.session, found.platform) == (
        plan.storage,
        plan.session,
        plan.platform,
    )
    assert (found.memory.total_gb, found.memory.type) == (16, "DDR4")
    assert found.facts == plan.facts


@pytest.mark.parametrize(("threads", "memory"), [(64, 16), (8, 16), (2, 1), (16, 256)])
def test_no_tier_runs_more_compilers_than_there_are_gigabytes(
    tmp_path: Path, threads: int, memory: int
) -> None:
    kib = memory * 1024**2
    small = dataclasses.replace(recorded("shoshin"), threads=threads, memory_kib=kib)
    small = dataclasses.replace(small, module_bytes=kib * 1024)
    path = tmp_path / "small.yaml"
    path.write_text(declare(small, "small"), encoding="utf-8")
    tiers = load_profile(path).build.parallelism
    for tier in (tiers.heavy, tiers.medium):
        assert 1 <= tier.jobs * tier.cores <= max(memory, 1)
    if memory > 16:
        assert tiers.heavy.cores == threads - 1  # there, the threads are the limit


def test_profile_says_what_could_not_be_seen() -> None:
    text = declare(recorded("gyakusatsu"), "gyakusatsu")
    assert all(len(line) <= 80 for line in text.splitlines() if line.startswith("# Not"))
    whole = " ".join(text.replace("\n#   ", " ").split())
    for sentence in recorded("gyakusatsu").unseen:
        assert f"# Not seen: {sentence}." in whole


FLAG_SETS = st.sampled_from(sorted(cpus.marches())).map(lambda m: cpus.marches()[m])
COUNT = st.none() | st.integers(1, 512)
GPU = st.builds(
    FoundGpu,
    slot=st.just("0"),
    vendor=st.sampled_from(["10de", "1002", "8086", "1af4"]),
    device=st.integers(0, 0xFFFF).map(lambda n: f"{n:04x}"),
    driver=st.sampled_from(["", "nouveau", "nvidia", "amdgpu", "i915", "vfio-pci", "ast", "a b"]),
    boot_vga=st.sampled_from([None, False, True]),
    connectors=st.lists(
        st.tuples(st.sampled_from(["DP-1", "eDP-1"]), st.sampled_from(["connected", "unknown"])),
        max_size=2,
    ).map(tuple),
)
SMI = st.builds(
    NvidiaGpu,
    name=st.text(max_size=80),
    compute_capability=st.sampled_from(["5.2", "8.6", "12.0", "99.9"]),
    driver=st.just("580.1"),
    memory_mb=st.none() | st.integers(256, 100_000),
)
DISK = st.builds(
    BlockDevice,
    name=st.text(max_size=9),
    kind=st.sampled_from(["nvme", "ssd", "hdd", "emmc", "virtual"]),
    size_gb=st.integers(1, 100_000),
    schedulers=st.just(("none",)),
    scheduler=st.sampled_from(["none", "bfq", ""]),
)
ZRAM = st.builds(
    ZramDevice,
    name=st.just("zram0"),
    size_bytes=st.integers(0, 1 << 44),
    algorithm=st.sampled_from(["zstd", "lz4", "842", "", "lzo-rle"]),
)
MACHINE = st.builds(
    Machine,
    platform=st.sampled_from([None, "nixos", "ostree", "wsl", "linux"]),
    cpu_vendor=st.sampled_from([None, "intel", "amd", "CentaurHauls"]),
    cpu_model=st.none() | st.text(max_size=120),
    cpu_family=st.sampled_from([None, 6, 23, 25, 26]),
    cpu_number=st.none() | st.integers(0, 255),
    cpu_flags=FLAG_SETS,
    cores=COUNT,
    threads=COUNT,
    memory_kib=st.none() | st.integers(1, 1 << 31),
    module_type=st.none() | st.text(max_size=9) | st.just("DDR5"),
    zram=st.lists(ZRAM, max_size=1).map(tuple),
    gpus=st.none()
    | st.lists(GPU, max_size=3).map(
        lambda gpus: tuple(
            dataclasses.replace(gpu, slot=f"0000:0{n}:00.0") for n, gpu in enumerate(gpus)
        )
    ),
    nvidia=st.lists(SMI, max_size=1).map(tuple),
    system_disks=st.lists(DISK, max_size=2).map(tuple),
    session_type=st.sampled_from([None, "x11", "wayland"]),
    desktop=st.sampled_from([None, "plasma6", "plasma5", "none", "gnome", "4dwm", "y", "-"]),
    unseen=st.lists(st.text(max_size=40), max_size=2).map(tuple),
)


@given(MACHINE)
@settings(deadline=None)
def test_the_profile_of_any_machineloads(
    tmp_path_factory: pytest.TempPathFactory, machine: Machine
) -> None:
    loads(tmp_path_factory, machine)


@pytest.mark.parametrize("name", ["", "../x", "A", "a b", "x" * 64, "a\nb"])
def test_a_profile_is_not_written_for_a_hostile_name(name: str) -> None:
    with pytest.raises(CannotDeclare):
        declare(recorded("shoshin"), name)


def test_a_profile_is_not_written_for_another_processor() -> None:
    with pytest.raises(CannotDeclare, match="aarch64"):
        declare(dataclasses.replace(recorded("shoshin"), arch="aarch64"), "x")


def test_a_card_of_no_known_generation_gets_no_driver_by_a_guess() -> None:
    card = FoundGpu(
        slot="0000:01:00.0", vendor="10de", device="0640", driver="nvidia", boot_vga=True
    )
    machine = dataclasses.replace(recorded("shoshin"), gpus=(card,), nvidia=())
    text = declare(machine, "old")
    assert "driver: nvidia" in text
    assert "# it draws, but its generation" in text and "role: unknown\n" in text


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("0640", "architecture tesla, which the plan has nothing for: its last driver was 340"),
        ("1201", "architecture fermi, which the plan has nothing for: its last driver was 390"),
        ("ffff", "its architecture is in no list"),
    ],
)
@pytest.mark.parametrize(("driver", "role"), [("nvidia", "unknown"), ("nouveau", "draws")])
def test_a_card_before_kepler_is_named_and_nothing_is_set_for_it(
    tmp_path: Path, device: str, said: str, driver: str, role: str
) -> None:
    card = FoundGpu(slot="0000:01:00.0", vendor="10de", device=device, driver=driver, boot_vga=True)
    machine = dataclasses.replace(recorded("shoshin"), gpus=(card,), nvidia=())
    path = tmp_path / "old.yaml"
    path.write_text(declare(machine, "old"), encoding="utf-8")
    assert f"    # {said}\n" in path.read_text()
    profile = load_profile(path)
    assert (profile.gpus[0].driver, profile.gpus[0].role) == (driver, role)
    assert not profile.facts & {"nvidia", "video"}
    assert differences(profile, machine) == ()


@pytest.mark.parametrize(
    ("device", "fact"), [("22b1", "video-i965"), ("161e", "video-intel"), ("5a85", "video-intel")]
)
def test_braswell_decodes_by_the_driver_that_knows_it(
    tmp_path: Path, device: str, fact: str
) -> None:
    """iHD does not know Cherryview's graphics, which are of the generation of Broadwell's."""
    card = FoundGpu(slot="0000:00:02.0", vendor="8086", device=device, driver="i915", boot_vga=True)
    machine = dataclasses.replace(recorded("shoshin"), gpus=(card,), nvidia=())
    path = tmp_path / "small.yaml"
    path.write_text(declare(machine, "small"), encoding="utf-8")
    profile = load_profile(path)
    assert profile.facts & {"video-i965", "video-intel"} == {fact}
    assert differences(profile, machine) == ()


GIB = 1 << 30


@pytest.mark.parametrize(
    ("sizes", "swapped", "percent"),
    [
        ((6,), ("zram0",), 50),  # of the 12 GiB that the kernel manages; 16 are installed
        ((1, 12), ("zram1",), 100),
        ((6,), (), None),  # a file system
        ((3, 3), ("zram0", "zram1"), None),
    ],
)
def test_the_zram_that_is_swapped_to_is_declared_as_nixos_reckons_it(
    tmp_path: Path, sizes: tuple[int, ...], swapped: tuple[str, ...], percent: int | None
) -> None:
    machine = dataclasses.replace(
        recorded("shoshin"),
        memory_kib=12 << 20,
        module_bytes=16 * GIB,
        zram=tuple(
            ZramDevice(name=f"zram{number}", size_bytes=size * GIB, algorithm="zstd")
            for number, size in enumerate(sizes)
        ),
        swaps=tuple(SwapArea(file=f"/dev/{name}", size_kib=1, priority=5) for name in swapped),
    )
    path = tmp_path / "packed.yaml"
    path.write_text(declare(machine, "packed"), encoding="utf-8")
    profile = load_profile(path)
    zram = profile.memory.zram
    assert (zram.percent if zram else None) == percent
    assert differences(profile, machine) == ()


@pytest.mark.parametrize(
    ("vendor", "driver", "declared"),
    [
        ("10de", "i915", "other # i915"),
        ("8086", "nouveau", "other # nouveau"),
        ("1414", "hyperv_drm", "hyperv_drm"),
        ("1414", "My_Driver", "other # My_Driver"),
        ("10de", "nvgrace_gpu_vfio_pci", "vfio-pci # nvgrace_gpu_vfio_pci"),
        ("8086", "xe-vfio-pci", "vfio-pci # xe-vfio-pci"),
        ("1002", "pciback", "pciback"),
    ],
)
def test_a_driver_of_no_list_is_called_other_and_the_profile_passes_its_own_gate(
    tmp_path: Path, vendor: str, driver: str, declared: str
) -> None:
    card = FoundGpu(slot="0000:01:00.0", vendor=vendor, device="1234", driver=driver)
    machine = dataclasses.replace(
        recorded("shoshin"), gpus=(card,), nvidia=(), nvidia_driver=None, nvidia_open=None
    )
    path = tmp_path / "odd.yaml"
    path.write_text(declare(machine, "odd"), encoding="utf-8")
    assert f"    driver: {declared}\n" in path.read_text()
    assert differences(load_profile(path), machine) == ()
    changed = dataclasses.replace(machine, gpus=(dataclasses.replace(card, driver="nvidia"),))
    assert differences(load_profile(path), changed) or vendor != "10de"


def test_a_session_of_before_an_update_to_plasma_without_x11_is_not_declared(
    tmp_path: Path,
) -> None:
    machine = dataclasses.replace(recorded("shoshin"), session_type="x11", plasma="6.8.0")
    path = tmp_path / "between.yaml"
    path.write_text(declare(machine, "between"), encoding="utf-8")
    assert "type: unknown # x11 still runs; Plasma 6.8.0, which is installed, has none" in (
        path.read_text()
    )
    assert differences(load_profile(path), machine) == ()


@pytest.mark.parametrize("desktop", ["i3", None])
def test_another_desktop_on_x11_beside_a_plasma_without_it_passes(
    tmp_path: Path, desktop: str | None
) -> None:
    machine = dataclasses.replace(
        recorded("shoshin"), session_type="x11", plasma="6.8.0", desktop=desktop
    )
    path = tmp_path / "beside.yaml"
    path.write_text(declare(machine, "beside"), encoding="utf-8")
    assert load_profile(path).session.type == "x11"
    assert differences(load_profile(path), machine) == ()
