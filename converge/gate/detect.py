"""Read the output of ``remote/detect.sh``. In: the text. Out: a ``Machine``.

The output is not trusted: only known lines with values of the expected form are taken, control
characters are replaced, sizes have limits. Where a line is missing, its fact is not seen.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from converge.gate import pools
from converge.gate.machine import BlockDevice, FoundGpu, Machine, NvidiaGpu, SwapArea, ZramDevice
from converge.gate.roles import UNKNOWN, roles
from converge.gate.rows import Rows, field, one, pairs, word
from converge.gate.sessions import session
from converge.hardware import memory_kind
from converge.hardware.cpus import missing_flags
from converge.hardware.graphics import NONE, OTHER, UNSEEN
from converge.text.limits import count

FORMAT = "1"
_MAX_CHARACTERS = 1 << 20
MOST_CPUS = 8192
MOST_GB = 65536  # of memory, in GiB
_VENDORS = {"GenuineIntel": "intel", "AuthenticAMD": "amd", "HygonGenuine": "hygon"}
_VIRTUAL_DISK = re.compile(r"/(?:virtio|vmbus|xen|vbd)|VMBUS", re.IGNORECASE)
_VIRTUAL_MODEL = re.compile(
    r"virtual|vbox|qemu|vmware|amazon elastic|persistentdisk|nvme_card|msft nvme", re.IGNORECASE
)
#: iSCSI, Fibre Channel and NVMe over fabrics: the disk itself is in another machine.
_FROM_ELSEWHERE = re.compile(r"/session\d+/|/rport-\d|/nvme-fabrics/")
#: PCI classes of cards that the firmware can draw on: VGA and XGA. A "3D controller" or plain
#: "display controller" may have no way to a display: its connectors tell.
_DISPLAYS = ("0x0300", "0x0301")
_SLOT = re.compile(r"[0-9a-f]{4,6}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")

_OF_THE_HOST = frozenset(
    {"disk", "part", "dm", "dev", "member", "mount", "pci", "pci-bus", "connector"}
    | {"nvidia", "nvidia-smi", "device", "zram", "swap", "module"}
)


class NotDetected(Exception):
    """The text is not the output of ``detect.sh``, or the output was cut off."""


def parse(output: str) -> Machine:
    """Make a ``Machine`` of the output of ``detect.sh``. Raises NotDetected for any other text."""
    rows = _rows(output)
    cpu, marks = pairs(rows, "cpu"), {row[0] for row in rows["mark"] if row}
    if "container" in marks:  # disks, cards, swap and modules are those of the host
        rows = {key: [] if key in _OF_THE_HOST else found for key, found in rows.items()}
        rows = defaultdict(list, rows)
    if "dom0" in marks:
        rows["module"] = []  # all memory of the machine, most of which other domains have
    disks = _disks(rows)
    facts: dict[str, object] = {
        "arch": one(rows, "arch", r"[a-z0-9_]{1,16}"),
        "kernel": one(rows, "kernel", r"[0-9][A-Za-z0-9._+~-]{0,80}"),
        "platform": _platform(rows, marks),
        **_cpu(cpu),
        **_memory(rows),
        "gpus": _gpus(rows),
        **_nvidia(rows),
        "disks": tuple(disks.values()),
        "system_disks": pools.system_disks(rows, disks),
        **session(rows),
        "container": "container" in marks,
    }
    machine = Machine(**facts)  # type: ignore[arg-type]  # the helpers return the fields' types
    return Machine(**{**facts, "unseen": _unseen(machine, rows)})  # type: ignore[arg-type]


def _rows(output: str) -> dict[str, list[list[str]]]:
    """Split the lines by key. A key without a line has no rows."""
    if len(output) > _MAX_CHARACTERS:
        raise NotDetected("detect.sh printed more than 1 MiB")
    lines = output.split("\n")
    if lines[0] != f"detect\t{FORMAT}":
        raise NotDetected(f"expected detect.sh format {FORMAT}, found {lines[0][:60]!r}")
    if "detected" not in lines:
        raise NotDetected("the output of detect.sh ends before its last line")
    rows: dict[str, list[list[str]]] = defaultdict(list)
    for line in lines[1 : lines.index("detected")]:
        key, *values = line.split("\t")
        # U+FFFD fits no expected form, so a word with a character that cannot be shown is not seen.
        if not line.replace("\t", "").isprintable():
            values = [
                "".join(c if c.isprintable() else "\ufffd" for c in value) for value in values
            ]
        rows[key].append(values)
    return rows


def _only(values: Sequence[str]) -> str | None:
    """Return the value where there is one and the same for all CPUs, else None."""
    return values[0] if len(values) == 1 and values[0] else None


def _cpu(cpu: Mapping[str, list[str]]) -> dict[str, object]:
    vendor = _only(cpu["vendor"])
    flags = [frozenset(line.split()) for line in cpu["flags"] if line]
    every = frozenset.intersection(*flags) if flags else frozenset()
    cores, threads = (_few(_only(cpu[name])) for name in ("cores", "count"))
    return {
        "cpu_vendor": _VENDORS.get(vendor, vendor) if vendor else None,
        "cpu_model": cpu["model"][0] if cpu["model"] else None,
        "cpu_family": count(_only(cpu["family"]) or ""),
        "cpu_number": count(_only(cpu["number"]) or ""),
        # A line without the features of every x86-64 CPU is no line of features.
        "cpu_flags": None if missing_flags("x86-64", every) else every,
        "cores": None if cores and threads and cores > threads else cores,
        "threads": threads,
    }


def _few(text: str | None) -> int | None:
    """A number of CPUs; None beyond what Linux allows on x86 (NR_CPUS is 8192 at most)."""
    number = count(text or "") or 0
    return number if 0 < number <= MOST_CPUS else None


def _memory(rows: Rows) -> dict[str, object]:
    memory = pairs(rows, "memory")
    modules = [
        (kind, size)
        for row in rows["module"]
        if (size := count(field(row, 1))) and memory_kind.is_main(kind := field(row, 0))
    ]
    types, total = {kind for kind, _ in modules}, sum(size for _, size in modules)
    kernel = count(memory["MemTotal"][0]) if memory["MemTotal"] else None
    if total >> 10 < (kernel or 0):  # the table lacks modules, or was made before some were added
        total = 0
    swaps = []
    for row in rows["swap"]:
        size, priority = count(field(row, 2)), field(row, 3)
        if size is not None and re.fullmatch(r"-?[0-9]{1,6}", priority):
            swaps.append(SwapArea(file=field(row, 0), size_kib=size, priority=int(priority)))
    return {
        "memory_kib": kernel if kernel and kernel >> 20 < MOST_GB else None,
        "module_bytes": total if 0 < total >> 20 <= MOST_GB << 10 else None,
        "module_type": types.pop() if len(types) == 1 else None,
        "swaps": tuple(swaps),
        "zram": tuple(
            ZramDevice(
                name=word(row, 0),
                size_bytes=count(field(row, 1)) or 0,
                algorithm=_bracketed(field(row, 2)),
            )
            for row in rows["zram"]
        ),
    }


def _bracketed(text: str) -> str:
    """Return the choice that sysfs shows in brackets, else the only choice, else ""."""
    found = re.search(r"\[([a-z0-9-]+)\]", text)
    words = text.split()
    return found.group(1) if found else words[0] if len(words) == 1 else ""


def _platform(rows: Rows, marks: set[str]) -> str | None:
    version = one(rows, "proc-version") or ""
    system = {re.sub(r"[\"']", "", row[0]) for row in rows["os"] if row}
    if "wsl" in marks or "microsoft" in version.lower():
        return "wsl"
    if "container" in marks:
        return "linux"  # even a container of NixOS: kernel, boot and disks are those of the host
    if "nixos" in marks or "ID=nixos" in system:
        return "nixos"
    if "ostree" in marks:
        return "ostree"
    return "linux" if system else None


def _driver(row: Sequence[str]) -> str:
    """The driver of a card; ``other`` for a name that is malformed or a reserved word."""
    name = word(row, 4)
    return OTHER if field(row, 4) and name in {"", NONE, UNSEEN} else name


def _gpus(rows: Rows) -> tuple[FoundGpu, ...] | None:
    found = []
    slots: set[str] = set()
    connectors: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in rows["connector"]:
        name, status = word(row, 1), word(row, 2)
        if name and status and not name.startswith("Writeback"):
            connectors[word(row, 0)].append((name, status))
    for row in rows["pci"]:
        vendor, device = (
            re.fullmatch(r"0x([0-9a-f]{4})", field(row, 1)),
            re.fullmatch(r"0x([0-9a-f]{4})", field(row, 2)),
        )
        slot = word(row, 0)
        known = vendor and device and re.fullmatch(r"0x03[0-9a-f]{4}", field(row, 3))
        if not (known and vendor and device and _SLOT.fullmatch(slot)):
            return None  # this unreadable card may be the one that draws
        if slot not in slots:
            slots.add(slot)
            found.append(
                FoundGpu(
                    slot=slot,
                    vendor=vendor.group(1),
                    device=device.group(1),
                    driver=_driver(row),
                    removable=field(row, 6) == "removable",
                    is_display=field(row, 3).startswith(_DISPLAYS),
                    boot_vga={"0": False, "1": True}.get(field(row, 5)),
                    connectors=tuple(sorted(connectors[slot])),
                )
            )
    if any(status == "connected" for _, status in connectors["vmbus"]):
        # Hyper-V's own card shows the session, unless a card that was handed through has a display.
        found = [
            gpu if gpu.connected else replace(gpu, is_display=False, connectors=()) for gpu in found
        ]
    return tuple(found) if found or rows["pci-bus"] else None


def _nvidia(rows: Rows) -> dict[str, object]:
    said = pairs(rows, "nvidia")
    line = said["proc"][0] if said["proc"] else ""
    version = re.search(r"\b([0-9]{3,4}\.[0-9.]+)\b", line)
    module = re.fullmatch(r"[0-9]{3,4}(?:\.[0-9]+)+", said["module"][0] if said["module"] else "")
    smi = pairs(rows, "nvidia-smi")
    gpus = []
    for text in smi["out"] if smi["rc"] == ["0"] else []:
        cells = [cell.strip() for cell in text.split(",")]
        if len(cells) == 5 and re.fullmatch(r"[0-9]{1,2}\.[0-9]", cells[1]):
            device = re.fullmatch(r"0x([0-9A-Fa-f]{4})10DE", cells[4], re.IGNORECASE)
            gpus.append(
                NvidiaGpu(
                    name=cells[0].removeprefix("NVIDIA "),
                    compute_capability=cells[1],
                    driver=cells[2],
                    memory_mb=count(cells[3]),
                    pci_id=f"10de:{device.group(1).lower()}" if device else "",
                )
            )
    return {
        "nvidia_driver": version.group(1) if version else module and module.group(),
        "nvidia_open": "Open Kernel Module" in line if version else None,
        "nvidia": tuple(gpus),
    }


def _disks(rows: Rows) -> dict[str, BlockDevice]:
    disks = {}
    for row in rows["disk"]:
        name, sectors = field(row, 0), count(field(row, 1))
        if not re.fullmatch(r"[A-Za-z0-9_.:!-]{1,64}", name):  # ! stands for a slash in sysfs
            continue
        if not sectors:
            continue
        schedulers = field(row, 4)
        disks[name] = BlockDevice(
            name=name,
            kind=_kind(name, field(row, 2), field(row, 5), field(row, 6), field(row, 7)),
            size_gb=max(1, round(sectors * 512 / 1e9)),
            schedulers=tuple(re.findall(r"[a-z][a-z0-9-]*", schedulers)),
            scheduler=_bracketed(schedulers),
            removable=field(row, 3) == "1",
            model=field(row, 6),
        )
    return disks


def _kind(name: str, rotational: str, link: str, model: str, transport: str) -> str:
    """The kind of a disk. It is unknown where another machine serves the disk, and where a USB
    bridge says that the disk rotates: sticks and many bridges of flash say so too."""
    if _FROM_ELSEWHERE.search(link) or transport not in {"", "pcie", "sata", "sas", "spi"}:
        return "unknown"
    if "/usb" in link and rotational == "1":
        return "unknown"
    if name.startswith(("vd", "xvd")) or _VIRTUAL_DISK.search(link) or _VIRTUAL_MODEL.search(model):
        return "virtual"
    if name.startswith("nvme") or "/nvme/" in link:
        return "nvme"
    if name.startswith("mmcblk"):
        return "emmc"
    # No udev rule could find the others (Ceph, DRBD) by a kind.
    of_scsi = re.fullmatch(r"[sh]d[a-z]+", name)
    return {"0": "ssd", "1": "hdd"}.get(rotational, "unknown") if of_scsi else "unknown"


def _unseen(machine: Machine, rows: Rows) -> tuple[str, ...]:
    """Sentences: what could not be seen, and why."""
    found: list[str] = []
    if machine.container:
        found.append("disks, cards and swap: this is a container, and they are its host's")
    if machine.cpu_flags is None:
        found.append("CPU features: /proc/cpuinfo has none that can be read")
    if machine.module_type is None:
        why = "no record of udev, and the firmware's table is for root only"
        why = "the modules are of different kinds" if rows["module"] else why
        found.append(f"kind of memory: {why}")
    if machine.gpus is None and not machine.container:
        why = "there is no PCI bus to look at"
        why = "a device of the PCI bus cannot be read" if rows["pci"] else why
        found.append(f"GPUs: {why}")
    elif machine.gpus is not None:
        if any(gpu.driver == "nvidia" for gpu in machine.gpus) and not machine.nvidia:
            found.append("memory and compute capability of the GPU: nvidia-smi gives no answer")
        if UNKNOWN in roles(machine.gpus):
            found.append("which card draws: no display and no mark of the firmware tells it")
    if not machine.system_disks and not machine.container:
        found.append("the disk of the system: the root file system does not lead to one")
    if machine.session_type is None:
        found.append("session type: nobody of this user is logged in graphically")
    if machine.desktop is None and machine.session_type:
        found.append("desktop: a session runs, of no desktop of a known name")
    elif machine.desktop is None:
        found.append("desktop: no session and no session files were found")
    return tuple(found)
