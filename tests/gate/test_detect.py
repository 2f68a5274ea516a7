"""detect.sh reads, writes and evaluates nothing; the parser makes a machine of its lines."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converge.gate.declare import CannotDeclare, declare
from converge.gate.detect import NotDetected, parse
from converge.gate.gate import differences
from converge.gate.machine import Machine, NvidiaGpu, SwapArea, ZramDevice
from converge.gate.roles import roles
from converge.hardware import cpus
from converge.profile.profile import load_profile
from tasks.reach.remote import program
from tests.gate.machines import MACHINES, detect, grow, recorded

INVENTORY = Path(__file__).parents[2] / "inventory" / "hardware"
RECORDED = sorted(path.stem for path in MACHINES.glob("*.tree"))


def need(program: str, package: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.fail(f"{program} is missing: install the package {package}")
    return found


# ---- recorded machines ---------------------------------------------------------------------------


def test_shoshin_is_read_completely() -> None:
    machine = recorded("shoshin")
    assert machine.unseen == ()
    assert (machine.arch, machine.platform, machine.kernel) == ("x86_64", "nixos", "6.12.58")
    assert (machine.cpu_vendor, machine.cores, machine.threads) == ("intel", 4, 8)
    assert machine.memory_gb == 16
    assert machine.module_type == "DDR4"
    assert machine.zram == (ZramDevice(name="zram0", size_bytes=12530470912, algorithm="zstd"),)
    assert machine.swaps == (SwapArea(file="/dev/zram0", size_kib=12236784, priority=100),)
    (card,) = machine.gpus or ()
    assert (card.pci_id, card.driver, card.boot_vga) == ("10de:1401", "nvidia", True)
    assert card.connected == ("HDMI-A-1",)
    assert roles([card]) == ("draws",)
    assert machine.nvidia == (
        NvidiaGpu(
            name="GeForce GTX 960",
            compute_capability="5.2",
            driver="580.105.08",
            memory_mb=4096,
            pci_id="10de:1401",
        ),
    )
    assert (machine.nvidia_driver, machine.nvidia_open) == ("580.105.08", False)
    assert (machine.session_type, machine.desktop, machine.x11_offered) == ("x11", "plasma6", True)


def test_system_disk_is_found_below_an_encrypted_volume() -> None:
    (disk,) = recorded("shoshin").system_disks
    assert (disk.name, disk.kind, disk.size_gb, disk.scheduler) == ("nvme0n1", "nvme", 500, "none")


def test_system_disk_is_found_below_an_ostree_overlay() -> None:
    (disk,) = recorded("kinoite").system_disks
    assert (disk.name, disk.kind, disk.scheduler) == ("sda", "ssd", "mq-deadline")


def test_kinoite_offers_no_x11_session_and_nobody_is_logged_in() -> None:
    machine = recorded("kinoite")
    assert (machine.platform, machine.desktop) == ("ostree", "plasma6")
    assert (machine.session_type, machine.x11_offered) == (None, False)
    assert any(text.startswith("session type:") for text in machine.unseen)


def test_wsl_has_virtual_disks_and_no_gpu() -> None:
    machine = recorded("gyakusatsu")
    assert machine.platform == "wsl"
    assert machine.gpus == ()
    assert {disk.kind for disk in machine.disks} == {"virtual"}
    assert [disk.name for disk in machine.system_disks] == ["sdc"]


def test_flags_are_those_that_every_cpu_has(tmp_path: Path) -> None:
    root = grow("shoshin", tmp_path)
    path = root / "proc/cpuinfo"
    head, last = path.read_text().rsplit("flags", 1)
    path.write_text(head + "flags" + last.replace(" avx2 ", " "))
    flags = parse(detect(root)).cpu_flags
    assert flags is not None
    assert "avx2" not in flags
    assert "avx" in flags


@pytest.mark.parametrize(
    ("path", "content", "found"),
    [
        ("commands/nvidia-smi", "NVIDIA-SMI has failed because it couldn't communicate\n", ()),
        ("commands/nvidia-smi", "No devices were found\n", ()),
        ("commands/nvidia-smi", "GeForce, [N/A], 580.1, [N/A], [N/A]\n", ()),
    ],
)
def test_nvidia_smi_without_an_answer_gives_nothing(
    tmp_path: Path, path: str, content: str, found: tuple[NvidiaGpu, ...]
) -> None:
    root = grow("shoshin", tmp_path)
    (root / path).write_text(content)
    machine = parse(detect(root))
    assert machine.nvidia == found
    assert any("nvidia-smi gives no answer" in text for text in machine.unseen)


def test_open_kernel_module_is_told_from_the_closed_one(tmp_path: Path) -> None:
    root = grow("shoshin", tmp_path)
    line = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  595.71.05  Release Build\n"
    (root / "proc/driver/nvidia/version").write_text(line)
    machine = parse(detect(root))
    assert (machine.nvidia_driver, machine.nvidia_open) == ("595.71.05", True)


def test_session_type_comes_from_the_desktops_own_process_without_logind(tmp_path: Path) -> None:
    root = grow("shoshin", tmp_path)
    (root / "commands/loginctl").unlink()
    assert parse(detect(root)).session_type == "x11"


# ---- the program itself --------------------------------------------------------------------------


def test_this_machine_gives_a_profile_that_loads_and_is_true(tmp_path: Path) -> None:
    machine = parse(detect())
    path = tmp_path / "here.yaml"
    path.write_text(declare(machine, "here"), encoding="utf-8")
    profile = load_profile(path)
    assert (
        cpus.missing_flags(profile.build.compiler.march, machine.cpu_flags or frozenset())
        == frozenset()
    )
    assert differences(profile, machine) == ()


def test_detect_writes_nothing_and_changes_nothing(tmp_path: Path) -> None:
    strace = need("strace", "strace")
    log = tmp_path / "log"
    calls = "openat,open,creat,unlink,unlinkat,rename,renameat2,mkdir,mkdirat,chmod,fchmodat"
    argv = [strace, "-f", "-o", str(log), "-e", f"trace={calls}", need("dash", "dash")]
    argv += ["-c", program("detect"), "workspace-detect"]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, timeout=120)
    lines = log.read_text().splitlines()
    assert sum("/proc/cpuinfo" in line for line in lines) == 1, "the kernel asks each CPU for it"
    changing = [
        line
        for line in lines
        if re.search(r"O_WRONLY|O_RDWR|O_CREAT|unlink|rename|mkdir|chmod|creat\(", line)
        and not re.search(r'"/dev/(?:null|tty)"', line)
    ]
    assert changing == []


def test_values_of_a_hostile_tree_are_never_evaluated(tmp_path: Path) -> None:
    root = grow("shoshin", tmp_path / "tree")
    proof = tmp_path / "proof"
    evil = f"$(touch {proof}) `touch {proof}`; touch {proof} \\\\ * ' \" \x1b[31m\ttab"
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size:
            path.write_text(f"{evil}\nprocessor\t: 0\nmodel name\t: {evil}\n{evil}: {evil}\n")
    odd = root / "sys/block/$(touch x)"
    odd.mkdir()
    (odd / "size").write_text("1\n")
    machine = parse(detect(root))
    assert not proof.exists()
    assert not list(tmp_path.rglob("x"))  # nor by the name of a device
    assert "\x1b" not in repr(machine)
    assert machine.arch is None
    seen = dataclasses.replace(machine, cpu_flags=frozenset({"sse2"}), memory_kib=1 << 20)
    text = declare(seen, "x")
    assert not set("$`;*\\\x1b") & set(text.partition("schemaVersion")[2])
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    load_profile(path)


@pytest.mark.parametrize("missing", ["proc", "sys", "run", "etc", "commands"])
def test_a_part_of_the_system_that_is_missing_leaves_its_facts_unseen(
    tmp_path: Path, missing: str
) -> None:
    root = grow("shoshin", tmp_path)
    shutil.rmtree(root / missing)
    parse(detect(root))


def test_nothing_at_all_leaves_everything_unseen(tmp_path: Path) -> None:
    machine = parse(detect(tmp_path))
    assert machine == Machine()
    assert len(machine.unseen) >= 5


def test_a_fifo_in_place_of_a_file_does_not_hang(tmp_path: Path) -> None:
    root = grow("shoshin", tmp_path)
    path = root / "sys/bus/pci/devices/0000:01:00.0/boot_vga"
    path.unlink()
    os.mkfifo(path)
    assert [gpu.boot_vga for gpu in parse(detect(root)).gpus or ()] == [None]


# ---- the parser ----------------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["", "detect\t2\ndetected\n", "sh: not found\n", "detect\t1\n"])
def test_other_output_is_refused(output: str) -> None:
    with pytest.raises(NotDetected):
        parse(output)


def test_output_that_was_cut_off_is_refused_at_every_line() -> None:
    lines = "detect\t1\nkernel\t6.12\nmark\tnixos\ndetected\n".splitlines(keepends=True)
    for length in range(len(lines)):
        with pytest.raises(NotDetected):
            parse("".join(lines[:length]))
    assert parse("".join(lines)).kernel == "6.12"


def test_endless_output_is_refused() -> None:
    with pytest.raises(NotDetected):
        parse("detect\t1\n" + "os\tx\n" * 300_000 + "detected\n")


KEYS = (
    "arch kernel proc-version cpu memory swap zram dmi module pci-bus pci connector disk part dm "
    "dev member mount nvidia nvidia-smi device mark os session process offered program"
)
WORDS = (
    "vendor family number model flags count cores MemTotal rc out proc module type 0 1 -1 0x10de "
    "0x1401 0x030000 sda sda1 dm-0 / /dev/sda [none] GenuineIntel nixos x11 plasmashell 5.2 "
    "NVIDIA,5.2,580,4096,0x140110DE 99999999999999999999"
)
LINE = st.builds(
    lambda key, values: "\t".join([key, *values]),
    st.sampled_from(KEYS.split()),
    st.lists(st.sampled_from(WORDS.split()) | st.text(max_size=12), max_size=7),
)


@given(st.lists(LINE, max_size=25))
@settings(deadline=None)
def test_any_lines_give_a_machine_and_its_profileloads(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    try:
        machine = parse("\n".join(["detect\t1", *lines, "detected", ""]))
    except NotDetected:
        return
    loads(tmp_path_factory, machine)


def loads(factory: pytest.TempPathFactory, machine: Machine) -> None:
    try:
        text = declare(machine, "here")
    except CannotDeclare:
        assert (
            machine.cpu_flags is None
            or machine.memory_gb is None
            or machine.arch not in {None, "x86_64"}
        )
        return
    path = factory.getbasetemp() / "here.yaml"
    path.write_text(text, encoding="utf-8")
    load_profile(path)
