"""Unusual or missing answers of a machine are read as they are meant, or are unknown.

The lines of a case replace lines of detect.sh of a recorded machine.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from converge.gate.declare import declare
from converge.gate.detect import parse
from converge.gate.gate import FactOutcome, gate
from converge.gate.machine import FoundGpu, Machine
from converge.gate.roles import roles
from converge.hardware import cpus, graphics
from tests.gate.machines import recorded
from tests.gate.machines_page import in_force, profile_of
from tests.gate.test_any_machine import assert_passes, printed

DISKS = ("disk", "dev", "part", "dm", "member", "mount")
CARDS = ("pci-bus", "pci", "connector", "nvidia", "nvidia-smi", "device")
SESSION = ("session", "process", "offered", "program", "plasma")


def machine(*lines: str, without: Sequence[str]) -> Machine:
    """The recorded desktop-amd with these lines in the place of all that have such a key."""
    kept = ["\t".join(row) for row in printed("desktop-amd") if row[0] not in without]
    made = parse("\n".join(["detect\t1", *kept, *lines, "detected", ""]))
    assert_passes(made)
    return made


# ---- disks ---------------------------------------------------------------------------------------

LOCAL = (
    "disk\tsda\t1953125000\t1\t0\tmq-deadline [bfq]\t../devices/pci0000:00/ata1/block/sda\tDisk\t",
    "dev\tsda\t8:0",
    "part\tsda1\tsda",
    "dev\tsda1\t8:1",
)


@pytest.mark.parametrize(
    "lines",
    [
        ("mount\t/\text4\t/dev/nbd0\t43:0",),
        ("mount\t/\text4\t/dev/zd0\t230:0",),
        ("mount\t/\text4\t/dev/mapper/root\t254:0", "dev\tdm-0\t254:0", "dm\tdm-0\troot\tloop0"),
        ("mount\t/\tceph\t10.0.0.1:/\t0:30",),
        ("mount\t/\tfuse.sshfs\tme@server:/\t0:30",),
        ("mount\t/\trootfs\trootfs\t0:2",),
        ("mount\t/\tubifs\tubi0:rootfs\t0:30",),
        ("mount\t/\tbtrfs\t/dev/sdz9\t0:30",),
        (),
    ],
    ids=("nbd", "zvol", "loop", "ceph", "fuse", "memory", "flash", "gone", "no-mounts"),
)
def test_a_disk_that_the_system_does_not_lie_on_is_never_taken_for_its_own(
    lines: tuple[str, ...],
) -> None:
    assert machine(*LOCAL, *lines, without=DISKS).system_disks == ()


@pytest.mark.parametrize("source", ["/dev/root", "/dev/disk/by-partlabel/system", "UUID=1-2"])
def test_the_only_disk_is_the_one_where_the_mount_names_none(source: str) -> None:
    (disk,) = machine(*LOCAL, f"mount\t/\tbtrfs\t{source}\t0:30", without=DISKS).system_disks
    assert disk.name == "sda"


@pytest.mark.parametrize(
    ("mount", "member"),
    [
        ("btrfs\t/dev/disk/by-uuid/1-2", "btrfs\t1-2\tpool"),
        ("btrfs\t/dev/disk/by-label/pool", "btrfs\t1-2\tpool"),
        ("bcachefs\tUUID=1-2", "bcachefs\t1-2\t"),
        ("zfs\tmy\\040pool/root", "zfs_member\t7\tmy pool"),
    ],
)
def test_a_file_system_that_is_named_otherwise_is_found_on_all_its_disks(
    mount: str, member: str
) -> None:
    second = [line.replace("sda", "sdb").replace("8:", "9:") for line in LOCAL]
    third = [line.replace("sda", "sdc").replace("8:", "10:") for line in LOCAL]
    members = [f"member\t{name}1\t{member}" for name in ("sda", "sdb")]
    lines = (*LOCAL, *second, *third, *members, f"mount\t/\t{mount}\t0:30")
    assert [disk.name for disk in machine(*lines, without=DISKS).system_disks] == ["sda", "sdb"]


@pytest.mark.parametrize(
    ("name", "rotates"),
    [
        ("rbd0", "0"),
        ("drbd0", "1"),
        ("pmem0", "0"),
        ("ublkb0", "0"),
        ("mtdblock0", "0"),
        ("etherd!e0.0", "1"),
        ("sda", ""),
        ("sda", "yes"),
    ],
)
def test_the_kind_of_a_disk_is_unknown_where_nothing_tells_it(name: str, rotates: str) -> None:
    disk = f"disk\t{name}\t1953125000\t{rotates}\t0\t[none]\t../devices/x/block/{name}\tDisk\t"
    lines = (disk, f"dev\t{name}\t250:0", f"mount\t/\text4\t/dev/{name.replace('!', '/')}\t250:0")
    (found,) = machine(*lines, without=DISKS).system_disks
    assert (found.name, found.kind) == (name, "unknown")


def test_a_word_with_a_control_character_in_it_is_no_fact() -> None:
    odd = LOCAL[0].replace("[bfq]", "[bf\x1bq]")
    (disk,) = machine(odd, *LOCAL[1:], "mount\t/\text4\t/dev/sda1\t8:1", without=DISKS).system_disks
    assert disk.scheduler == ""


# ---- memory --------------------------------------------------------------------------------------

GIB = 1 << 30


@pytest.mark.parametrize(
    ("kernel", "modules", "expected"),
    [
        (16, [("DDR4", 17), ("Flash", 1)], (17, "DDR4")),
        (16, [("Flash", 1)], (16, None)),
        (96, [("DDR4", 97), ("Logical non-volatile device", 512)], (97, "DDR4")),
        (64, [("DDR4", 8)], (64, "DDR4")),  # modules that were added later, or are not listed
        (16, [("DDR4", 8), ("DDR5", 8)], (16, None)),
    ],
)
def test_memory_is_what_the_modules_of_main_memory_are(
    kernel: int, modules: list[tuple[str, int]], expected: tuple[int, str | None]
) -> None:
    lines = [f"module\t{kind}\t{size * GIB}" for kind, size in modules]
    found = machine(f"memory\tMemTotal\t{kernel << 20}", *lines, without=("memory", "module"))
    assert (found.memory_gb, found.module_type) == expected
    if found.module_type is None:
        assert any("kind of memory" in text for text in found.unseen)


def test_a_kind_of_memory_is_not_made_of_what_follows_its_name() -> None:
    found = machine(f"module\tDDR4\x1b[31m${{x}}\t{64 * GIB}", without=("module",))
    assert "type: unknown" in declare(found, "any")


# ---- cards ---------------------------------------------------------------------------------------

CARD = "pci\t0000:03:00.0\t0x1002\t0x744c\t0x030000\tamdgpu\t1\t"


@pytest.mark.parametrize("driver", ["my driver", "foo+bar", "none", "unknown", "$(id)"])
def test_a_card_with_a_driver_of_an_odd_name_is_not_called_unused(driver: str) -> None:
    (card,) = machine("pci-bus\tseen", CARD.replace("amdgpu", driver), without=CARDS).gpus or ()
    assert (card.driver, roles([card])) == ("other", ("draws",))


@pytest.mark.parametrize(
    ("right", "wrong"), [("0x1002", ""), ("0x744c", "\ufffd"), ("0x030000", ""), ("0x744c", "744c")]
)
def test_a_card_that_cannot_be_read_leaves_all_of_them_unseen(right: str, wrong: str) -> None:
    other = "pci\t0000:04:00.0\t0x10de\t0x2684\t0x030000\tnvidia\t0\t"
    found = machine("pci-bus\tseen", CARD.replace(right, wrong), other, without=CARDS)
    assert found.gpus is None
    assert any("GPUs: a device of the PCI bus cannot be read" in text for text in found.unseen)
    assert "gpus: []" in declare(found, "any")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("server-instinct", ("offload", "offload", "unknown")),
        ("vm-hyperv-nvidia", ("unknown",)),
        ("hybrid-lunarlake-egpu", ("offload", "draws")),
        ("desktop-shijidadao", ("unused", "draws")),
        ("workstation-four-cards", ("offload", "draws", "offload", "guest", "offload")),
    ],
)
def test_a_card_that_can_show_nothing_draws_nothing(name: str, expected: tuple[str, ...]) -> None:
    assert tuple(card.role for card in profile_of(name).gpus) == expected
    if "draws" not in expected:
        assert not profile_of(name).facts & {"video", "video-mesa", "video-nvidia"}


@pytest.mark.parametrize(
    ("pci_id", "name"),
    [
        ("10de:1676", "maxwell"),  # Quadro M2200 Mobile
        ("10de:1613", "maxwell"),
        ("10de:15fc", "pascal"),
        ("10de:2080", "ampere"),
        ("10de:2348", "hopper"),
        ("10de:31c2", "blackwell"),  # GB300
        ("10de:3021", None),  # GR100, which no list of this project has
        ("8086:4c80", "xe-lp"),
        ("8086:d741", None),
    ],
)
def test_an_architecture_is_that_of_the_public_lists_or_unknown(
    pci_id: str, name: str | None
) -> None:
    assert graphics.architecture(pci_id) == name


# ---- processors ----------------------------------------------------------------------------------


#: What GCC 16 takes for -march on x86-64 (gcc/common/config/i386/i386-common.cc), without its other
#: names for the same processors (corei7, atom, opteron, ...).
OF_GCC = """
x86-64 x86-64-v2 x86-64-v3 x86-64-v4 eden-x2 nano nano-1000 nano-2000 nano-3000 nano-x2 eden-x4
nano-x4 lujiazui yongfeng shijidadao k8 k8-sse3 amdfam10 barcelona bdver1 bdver2 bdver3 bdver4
znver1 znver2 znver3 znver4 znver5 znver6 btver1 btver2 nocona core2 nehalem westmere sandybridge
ivybridge haswell broadwell skylake skylake-avx512 cannonlake icelake-client rocketlake
icelake-server cascadelake tigerlake cooperlake sapphirerapids emeraldrapids alderlake raptorlake
meteorlake graniterapids graniterapids-d arrowlake arrowlake-s lunarlake pantherlake wildcatlake
novalake diamondrapids bonnell silvermont goldmont goldmont-plus tremont gracemont sierraforest
grandridge clearwaterforest
"""


def test_every_march_that_gcc_has_for_x86_64_is_known() -> None:
    assert set(OF_GCC.split()) == cpus.marches().keys()


@pytest.mark.parametrize("vendor", ["Shanghai", "CentaurHauls"])
def test_a_new_processor_of_zhaoxin_has_its_own_march(vendor: str) -> None:
    flags = cpus.marches()["shijidadao"]
    assert cpus.family_march(vendor, 7, 107, flags) == "shijidadao"
    assert cpus.family_march(vendor, 7, 107, flags - {"avx2"}) == "x86-64-v2"


# ---- sessions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("process\topenbox\tx11", "process\txfce4-session\tx11"), ("xfce", "x11")),
        (("process\topenbox\tx11", "process\tlxsession\tx11"), ("lxde", "x11")),
        (("process\tlabwc\twayland", "process\tlxqt-session\twayland"), ("lxqt", "wayland")),
        (("session\ttype\tx11", "session\tdesktop\tnone+xmonad"), ("xmonad", "x11")),
        (("session\ttype\tx11", "session\tdesktop\thome-manager"), (None, "x11")),
        (("process\tplasmashell\tx11", "plasma\t7.0.1"), ("plasma7", "x11")),
        (("process\tplasmashell\twayland", "plasma\t6.10.0"), ("plasma6", "wayland")),
        (("process\tplasmashell\tx11", "plasma\t5.27.11"), ("plasma5", "x11")),
    ],
)
def test_a_session_has_the_name_of_its_desktop(
    lines: tuple[str, ...], expected: tuple[str | None, str]
) -> None:
    found = machine(*lines, without=SESSION)
    assert (found.desktop, found.session_type) == expected


@pytest.mark.parametrize("line", ['ID="nixos"', "ID='nixos'", "ID=nixos"])
def test_the_name_of_a_system_may_stand_in_quotes(line: str) -> None:
    assert machine(f"os\t{line}", without=("mark", "os")).platform == "nixos"


# ---- all of them ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vm-hyperv-nvidia", "server-instinct", "server-ceph-root"])
def test_what_is_unknown_of_a_machine_stops_nothing_of_its_own_profile(name: str) -> None:
    profile, seen = profile_of(name), recorded(name)
    outcomes = {verdict.outcome for verdict in gate(profile, seen, in_force(profile))}
    assert FactOutcome.UNKNOWN in outcomes
    assert not outcomes & {FactOutcome.BLOCKS, FactOutcome.DIFFERS}


def test_a_card_of_hyper_v_that_is_on_no_bus_is_not_counted_as_one() -> None:
    cards = recorded("vm-hyperv-nvidia").gpus or ()
    assert [(card.slot, card.connected) for card in cards] == [("e1b2:00:00.0", ())]
    lit = FoundGpu(slot="0000:01:00.0", vendor="10de", device="2236", driver="nvidia")
    assert roles([lit]) == ("draws",)  # alone, and nothing else has the display
