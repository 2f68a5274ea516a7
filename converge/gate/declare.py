"""A ``Machine`` goes in, the text of a hardware profile comes out.

The profile passes the schema. What could not be seen is called unknown or left out, so that nothing
is done because of it, and a comment says so. It is a first draft for a person to read.
"""

from __future__ import annotations

import json
import re

from converge.gate import graphics, hardware, memory_kind
from converge.gate.machine import FoundGpu, Machine
from converge.gate.roles import UNKNOWN, roles

_ALGORITHMS = ("zstd", "lz4", "lzo-rle", "lzo", "842", "lz4hc", "deflate")


#: The schema as seen from inventory/hardware.
SCHEMA = "../../schemas/hardware-profile.schema.json"


class CannotDeclare(Exception):
    """The machine lacks what no profile can do without."""


def declare(machine: Machine, workspace: str, *, schema: str = SCHEMA) -> str:
    """Write the profile of ``machine`` as YAML. Raises CannotDeclare.

    ``schema``: where the profile's schema lies, as seen from the file; editors read it."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", workspace):
        raise CannotDeclare("a workspace's name has small letters, digits and - only, at most 63")
    if machine.arch not in {None, "x86_64"}:
        raise CannotDeclare(f"the machine is {machine.arch}; profiles are for x86_64 only")
    if machine.cpu_flags is None:
        raise CannotDeclare("the CPU's features could not be seen")
    if machine.memory_gb is None:
        raise CannotDeclare("the amount of memory could not be seen")
    lines = [
        f"# yaml-language-server: $schema={schema}",
        f"# {workspace}: written from what the machine shows. Read it before it is used.",
        *(f"# Not seen: {_comment(text)}." for text in machine.unseen),
        "schemaVersion: 1",
        f"workspace: {workspace}",
        "system: x86_64-linux",
        "",
        *_cpu(machine),
        "",
        *_build(machine),
        "",
        *_gpus(machine),
        "",
        *_memory(machine),
        "",
        *_storage(machine),
        "",
        *_session(machine),
        "",
        f"platform: {machine.platform or 'linux # not seen'}",
    ]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _text(value: str | None) -> str:
    """Quote a name that the machine gave, without the characters a profile does not take."""
    name = re.sub(r"[^A-Za-z0-9 ()\[\].,:+/_@&#'-]+", " ", value or "")
    name = re.sub(r" +", " ", name).strip().lstrip(" )[].,:+/_@&#'-")[:128].strip()
    return json.dumps(name or "not known")


def _march(machine: Machine) -> str:
    return hardware.family_march(
        machine.cpu_vendor,
        machine.cpu_family,
        machine.cpu_number,
        machine.cpu_flags or frozenset(),
    )


def _counts(machine: Machine) -> tuple[int, int]:
    threads = min(machine.threads or machine.cores or 1, 1024)
    return min(machine.cores or threads, threads), threads


def _memory_gb(machine: Machine) -> int:
    return max(1, min(machine.memory_gb or 1, 65536))


def _cpu(machine: Machine) -> list[str]:
    cores, threads = _counts(machine)
    vendor, march = machine.cpu_vendor, _march(machine)
    known = vendor if vendor in {"intel", "amd"} else "other" if vendor else "unknown"
    maker = hardware.vendor_of_march(march)
    if known in {"intel", "amd"} and maker not in {None, known}:
        march = hardware.best_march(machine.cpu_flags or frozenset())
    return [
        "cpu:",
        f"  vendor: {known}",
        f"  model: {_text(machine.cpu_model)}",
        f"  family: {march}",
        f"  cores: {cores}" + ("" if machine.cores else " # not seen"),
        f"  threads: {threads}" + ("" if machine.threads else " # not seen"),
    ]


def _build(machine: Machine) -> list[str]:
    march = _march(machine)
    flags = hardware.marches()[march]
    level = hardware.best_march(flags)
    go = next(name for name, psabi in hardware.GO_LEVELS.items() if psabi == level)
    if go == "v4":
        go = "v3"  # gains nothing in Go, and AVX-512 slows some of these CPUs down
    tune = "generic" if march.startswith("x86-64") else march
    threads, memory = min(256, _counts(machine)[1]), min(1024, _memory_gb(machine))
    most = max(1, threads - 1)  # one thread stays free for the person at the machine
    medium = max(1, min(3, memory // 4, most))
    light = max(1, min(threads + 4, memory // 2, 256))
    return [
        "build:",
        "  compiler:",
        f"    march: {march}",
        f"    mtune: {tune}",
        "    optimizationLevel: 3",
        f"  goamd64: {go}",
        f"  rustTargetCpu: {march}",
        "  parallelism: # as much as memory and threads bear: a choice, not a fact",
        "    tiers:",
        f"      heavy: {{ jobs: 1, cores: {most}, memoryGB: {max(1, memory * 7 // 8)} }}",
        f"      medium: {{ jobs: {medium}, cores: {max(1, min(most, threads // 2))},"
        f" memoryGB: {max(1, memory // medium)} }}",
        f"      light: {{ jobs: {light}, cores: {min(most, 2)}, memoryGB: {min(2, memory)} }}",
    ]


def _gpus(machine: Machine) -> list[str]:
    found = [] if machine.platform == "wsl" else list(machine.gpus or ())[:32]
    if not found:
        why = "Windows drives what there is" if machine.platform == "wsl" else "none was seen"
        why = "there is no PCI bus to look at" if machine.gpus is None else why
        return [f"gpus: [] # {why}"]
    lines = ["gpus:"]
    ids = [gpu.pci_id for gpu in found]
    for gpu, role in zip(found, roles(found), strict=True):
        own = _card(machine, gpu, role, twin=ids.count(gpu.pci_id) > 1)
        lines += [f"  - {own[0]}", *(f"    {line}" for line in own[1:])]
    return lines


def _card(machine: Machine, gpu: FoundGpu, role: str, *, twin: bool) -> list[str]:
    vendor, smi = graphics.vendor(gpu.vendor), machine.nvidia_of(gpu)
    said = graphics.generation_of_capability(smi.compute_capability) if smi else None
    known = graphics.architecture(gpu.pci_id)
    # What nvidia-smi and the list of devices both say has to agree; one of them is enough.
    name = said.name if said and known in {None, said.name} else None if said else known
    driver = gpu.driver if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", gpu.driver) else ""
    if driver and not _of_vendor(driver, vendor):
        driver = ""
    note = f" # the driver is {_comment(gpu.driver)}" if gpu.driver and not driver else ""
    why = " # no display and no mark of the firmware tells which card draws"
    if driver == "nvidia" and name is None and role != UNKNOWN:
        # Without its generation nobody knows which branch drives it, so no setting may ask for it.
        role, why = UNKNOWN, f" # it {role}, but its generation, and so its driver, is in no list"
    if not driver:
        driver, role = "none", "unused"
    lines = [f"vendor: {vendor}"]
    if smi:
        lines.append(f"model: {_text(smi.name)}")
    if name:
        lines.append(f"architecture: {name}")
    elif vendor in graphics.DRIVERS:
        lines.append("# its architecture is in no list")
    lines.append(f'pciId: "{gpu.pci_id}"')
    if twin:
        lines.append(f'slot: "{gpu.slot}" # there is another card of this id')
    if smi and said and name == said.name:
        lines.append(f'computeCapability: "{smi.compute_capability}"')
    if smi and smi.memory_mb:
        lines.append(f"memoryMB: {max(64, min(smi.memory_mb, 1 << 20))}")
    lines.append(f"driver: {driver}{note}")
    names = [one for one in gpu.connected if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,23}", one)]
    if names and len(names) == len(set(names)):
        lines.append(f"connectors: [{', '.join(names)}]")
    lines.append(f"role: {role}{why if role == UNKNOWN else ''}")
    return lines


def _of_vendor(driver: str, vendor: str) -> bool:
    """Say whether a driver can be of a vendor's card at all."""
    maker = next((name for name, own in graphics.DRIVERS.items() if driver in own), None)
    return maker in {None, vendor}


def _memory(machine: Machine) -> list[str]:
    total = _memory_gb(machine)
    lines = [
        "memory:",
        f"  totalGB: {total}",
        f"  type: {memory_kind.declared(machine.module_type)}",
    ]
    device = next((device for device in machine.zram if device.size_bytes), None)
    if device is None:
        return [*lines, "  # No zram is set up, and leaving it out leaves swap as it is."]
    percent = min(200, max(1, round(100 * device.size_bytes / (total << 30))))
    priorities = [swap.priority for swap in machine.swaps if swap.file.endswith(device.name)]
    priority = min(32767, max(0, priorities[0] if priorities else 100))
    algorithm = device.algorithm if device.algorithm in _ALGORITHMS else "zstd"
    algorithm = f'"{algorithm}"' if algorithm.isdecimal() else algorithm
    zram = f"{{ algorithm: {algorithm}, percent: {percent}, priority: {priority} }}"
    return [*lines, f"  zram: {zram}"]


def _storage(machine: Machine) -> list[str]:
    lines = ["storage:", "  disks:"]
    if not machine.system_disks:
        return [*lines, "    - kind: unknown # the root file system does not lead to a disk"]
    for disk in machine.system_disks[:256]:
        lines += [
            f"    - kind: {disk.kind} # {_comment(disk.name)}",
            f"      sizeGB: {min(disk.size_gb, 1_000_000)}",
        ]
        own = {other.scheduler for other in machine.system_disks if other.kind == disk.kind}
        if len(own) > 1:
            lines.append(
                f"      # disks of this kind have different schedulers: {_comment(disk.scheduler)}"
            )
        elif re.fullmatch(r"[a-z][a-z0-9-]{0,31}", disk.scheduler):
            lines.append(f"      scheduler: {disk.scheduler}")
    return lines


def _session(machine: Machine) -> list[str]:
    name = machine.desktop or "none"
    if name == "none" or not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,31}", name):
        seen = "" if machine.desktop else " # neither a session nor session files were seen"
        return ["session:", f"  desktop: none{seen}", "  type: none"]
    kind = machine.session_type or "unknown # nobody of this user is logged in graphically"
    return ["session:", f"  desktop: {_word(name)}", f"  type: {kind}"]


def _word(name: str) -> str:
    """Quote a name that a reader of YAML could take for a number or a truth value."""
    plain = re.fullmatch(r"[a-z][a-z0-9-]+", name) and name not in {"true", "false", "null"}
    return name if plain and name not in {"yes", "no", "on", "off"} else json.dumps(name)
