"""A ``Machine`` goes in, the text of a hardware profile comes out.

The profile passes the schema. What could not be seen is declared so that nothing is done because of
it, and a comment says so. It is a first draft for a person to read, not a measurement.
"""

from __future__ import annotations

import json
import re

from converge.gate import hardware
from converge.gate.machine import Machine

_ALGORITHMS = ("zstd", "lz4", "lzo-rle", "lzo")
_MODULE_TYPES = {"DDR3", "DDR4", "DDR5", "LPDDR4", "LPDDR5"}


class CannotDeclare(Exception):
    """The machine lacks what no profile can do without."""


def declare(machine: Machine, workspace: str) -> str:
    """Write the profile of ``machine`` as YAML. Raises CannotDeclare."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", workspace):
        raise CannotDeclare("a workspace's name has small letters, digits and - only, at most 63")
    if machine.arch not in {None, "x86_64"}:
        raise CannotDeclare(f"the machine is {machine.arch}; profiles are for x86_64 only")
    if machine.cpu_flags is None:
        raise CannotDeclare("the CPU's features could not be seen")
    lines = [
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
        *_gpu(machine),
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
    name = re.sub(r"[^A-Za-z0-9 ().,+/_-]+", " ", value or "")
    return json.dumps(re.sub(r" +", " ", name).strip(" ().,+/_-")[:64].strip() or "not known")


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
    return max(1, min(machine.memory_gb or 1, 4096))


def _cpu(machine: Machine) -> list[str]:
    cores, threads = _counts(machine)
    vendor, march = machine.cpu_vendor, _march(machine)
    known = vendor in {"intel", "amd"}
    return [
        "cpu:",
        f"  vendor: {vendor}" if known else "  vendor: intel # not seen, or neither Intel nor AMD",
        f"  model: {_text(machine.cpu_model)}",
        f"  family: {march}",
        f"  cores: {cores}" + ("" if machine.cores else " # not seen"),
        f"  threads: {threads}" + ("" if machine.threads else " # not seen"),
    ]


def _build(machine: Machine) -> list[str]:
    march = _march(machine)
    level = hardware.best_march(hardware.marches()[march])
    fallback = "x86-64-v3" if hardware.runs_on("x86-64-v3", march) else level
    go = next(name for name, psabi in hardware.GO_LEVELS.items() if psabi == fallback)
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
        f"    fallback: {{ march: {fallback}, mtune: generic }}",
        f"  goamd64: {go}",
        f"  rustTargetCpu: {march}",
        "  parallelism: # as much as memory and threads bear: a choice, not a fact",
        f"    maxJobs: {max(medium, light)}",
        f"    maxCores: {most}",
        "    tiers:",
        f"      heavy: {{ jobs: 1, cores: {most}, memoryGB: {max(1, memory * 7 // 8)} }}",
        f"      medium: {{ jobs: {medium}, cores: {max(1, min(most, threads // 2))},"
        f" memoryGB: {max(1, memory // medium)} }}",
        f"      light: {{ jobs: {light}, cores: {min(most, 2)}, memoryGB: {min(2, memory)} }}",
    ]


def _gpu(machine: Machine) -> list[str]:
    found = machine.nvidia_gpu
    if found is None:
        other = next((g for g in machine.gpus or () if g.vendor in hardware.GPU_VENDORS), None)
        if other is None:
            return ["gpu:", "  vendor: none # no GPU of a known vendor was seen"]
        return [
            "gpu:",
            f"  vendor: {hardware.GPU_VENDORS[other.vendor]}",
            f'  pciId: "{other.pci_id}"',
            f"  kernelModule: {'true' if other.driver and machine.platform != 'wsl' else 'false'}",
        ]
    smi = next((gpu for gpu in machine.nvidia if gpu.pci_id in {"", found.pci_id}), None)
    by_device = hardware.generation_of_device(int(found.device, 16))
    said = hardware.generation_of_capability(smi.compute_capability) if smi else None
    generation = (said or by_device) if None in {said, by_device} or said is by_device else None
    if generation is None or machine.platform == "wsl":
        why = "Windows drives it" if generation else "its generation could not be told"
        return ["gpu:", f"  vendor: none # there is an NVIDIA GPU, {found.pci_id}, but {why}"]
    memory = max(64, min(smi.memory_mb, 1 << 20)) if smi and smi.memory_mb else None
    lines = [
        "gpu:",
        "  vendor: nvidia",
        f"  architecture: {generation.name}",
        f'  pciId: "{found.pci_id}"',
        f"  memoryMB: {memory}" if memory else "  memoryMB: 2048 # not seen, a cautious guess",
        "  kernelModule: true",
    ]
    if smi:
        lines.insert(2, f"  model: {_text(smi.name)}")
    if smi and said is generation:
        lines.append(f'  computeCapability: "{smi.compute_capability}"')
    return lines


def _memory(machine: Machine) -> list[str]:
    total = _memory_gb(machine)
    kind = machine.module_type if machine.module_type in _MODULE_TYPES else None
    lines = [
        "memory:",
        f"  totalGB: {total}" + ("" if machine.memory_gb else " # not seen"),
        f"  type: {kind or 'unknown'}",
    ]
    device = next((device for device in machine.zram if device.size_bytes), None)
    if device is None:
        return [*lines, "  # No zram is set up, and leaving it out leaves swap as it is."]
    percent = min(200, max(1, round(100 * device.size_bytes / (total << 30))))
    priorities = [swap.priority for swap in machine.swaps if swap.file.endswith(device.name)]
    priority = min(32767, max(0, priorities[0] if priorities else 100))
    algorithm = device.algorithm if device.algorithm in _ALGORITHMS else "zstd"
    zram = f"{{ algorithm: {algorithm}, percent: {percent}, priority: {priority} }}"
    return [*lines, f"  zram: {zram}"]


def _storage(machine: Machine) -> list[str]:
    disk = machine.system_disk
    if disk is None:
        return [
            "storage:",
            "  kind: virtual # not seen",
            "  sizeGB: 1 # not seen",
            "  scheduler: none",
        ]
    known = {"none", "mq-deadline", "kyber", "bfq"}
    scheduler = disk.scheduler if disk.scheduler in known else "none # not seen"
    return [
        "storage:",
        f"  kind: {disk.kind} # {_comment(disk.name)}",
        f"  sizeGB: {min(disk.size_gb, 1_000_000)}",
        f"  scheduler: {scheduler}",
    ]


def _session(machine: Machine) -> list[str]:
    if machine.desktop != "plasma6":
        found = f" # {machine.desktop} was found" if machine.desktop == "plasma5" else ""
        return ["session:", f"  desktop: none{found}", "  type: none"]
    if machine.session_type:
        return ["session:", "  desktop: plasma6", f"  type: {machine.session_type}"]
    why = "not seen running, so settings that need X11 do not apply"
    return ["session:", "  desktop: plasma6", f"  type: wayland # {why}"]
