"""Write a hardware profile. In: a ``Machine``. Out: the text of the profile, YAML.

The profile passes the schema. A fact that could not be seen is written as unknown or left out, with
a comment, so no setting acts on it. The profile is a draft that a person reads before its use.
"""

from __future__ import annotations

import json
import re
from textwrap import wrap

from converge.gate.facts.session import without_x11
from converge.gate.machine import BlockDevice, FoundGpu, Machine
from converge.gate.roles import UNKNOWN, roles
from converge.hardware import cpus, graphics, memory_kind
from converge.text.limits import count

_CONNECTOR = re.compile(r"(?!card[0-9])[A-Za-z][A-Za-z0-9-]*-[1-9][0-9]*")
#: I/O schedulers that Linux 5.0 removed: a profile does not take them.
_REMOVED = ("noop", "deadline", "cfq", "anticipatory")
_ALGORITHMS = ("zstd", "lz4", "lzo-rle", "lzo", "842", "lz4hc", "deflate")


WIDTH = 80  # columns of a terminal
#: The schema as seen from inventory/hardware.
SCHEMA = "../../schemas/hardware-profile.schema.json"


class CannotDeclare(Exception):
    """A fact that every profile needs could not be seen, or profiles are not for this machine."""


def declare(machine: Machine, workspace: str, *, schema: str = SCHEMA) -> str:
    """Write the profile of ``machine`` as YAML. Raises CannotDeclare.

    ``schema``: path of the profile's schema, relative to the profile; editors read it."""
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
        *(line for text in machine.unseen for line in _wrapped(f"Not seen: {_comment(text)}.")),
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
        f"platform: {machine.platform or 'linux # not seen'}{_guest(machine)}",
    ]
    return "".join(f"{each}\n" for line in lines for each in _narrow(line))


def _narrow(line: str) -> list[str]:
    """The line; its comment goes above the line where both are too wide for a terminal."""
    text, mark, comment = line.partition(" # ")
    if len(line) <= WIDTH or not mark or not text.strip() or text.count('"') % 2:
        return [line]
    lead = text[: len(text) - len(text.lstrip())]
    return [*(f"{lead}{each}" for each in _wrapped(comment)), text]


def _wrapped(text: str) -> list[str]:
    """A comment in lines of at most WIDTH columns."""
    form = {"initial_indent": "# ", "subsequent_indent": "#   "}
    return wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False, **form)  # type: ignore[arg-type]


def _guest(machine: Machine) -> str:
    """A comment on the platform: a container, or WSL 1, whose kernel release ends in -Microsoft
    with a capital letter."""
    if machine.container:
        return " # a container: its host has the kernel, so the NixOS layer has no part in it"
    first = machine.platform == "wsl" and (machine.kernel or "").endswith("-Microsoft")
    return " # WSL 1, which has no kernel of its own" if first else ""


def _comment(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _text(value: str | None) -> str:
    """Quote a name from the machine, without the characters that a profile does not take."""
    name = re.sub(r"[^A-Za-z0-9 ()\[\].,:+/_@&#'-]+", " ", value or "")
    name = re.sub(r" +", " ", name).strip().lstrip(" )[].,:+/_@&#'-")[:128].strip()
    return json.dumps(name or "not known")


def _march(machine: Machine) -> str:
    return cpus.family_march(
        machine.cpu_vendor,
        machine.cpu_family,
        machine.cpu_number,
        machine.cpu_flags or frozenset(),
    )


def _counts(machine: Machine) -> tuple[int, int]:
    threads = machine.threads or machine.cores or 1
    return min(machine.cores or threads, threads), threads


def _memory_gb(machine: Machine) -> int:
    return machine.memory_gb or 1


def _cpu(machine: Machine) -> list[str]:
    cores, threads = _counts(machine)
    vendor, march = machine.cpu_vendor, _march(machine)
    known = vendor if vendor in {"intel", "amd"} else "other" if vendor else "unknown"
    maker = cpus.vendor_of_march(march)
    if known in {"intel", "amd"} and maker not in {None, known}:
        march = cpus.best_march(machine.cpu_flags or frozenset())
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
    flags = cpus.marches()[march]
    level = cpus.best_march(flags)
    go = next(name for name, psabi in cpus.GO_LEVELS.items() if psabi == level)
    if go == "v4":
        go = "v3"  # v4 gains nothing in Go, and AVX-512 slows some of these CPUs down
    tune = "generic" if march.startswith("x86-64") else march
    threads, memory = min(256, _counts(machine)[1]), min(1024, machine.usable_gb or 1)
    most = max(1, threads - 1)  # one thread stays free for the person at the machine
    medium = max(1, min(3, memory // 4, most))
    light = max(1, min(threads + 4, memory // 2, 256))
    # A compiler of C++ takes about a gigabyte; so do not run more of them than there are.
    heavy, each = min(most, memory), min(most, threads // 2, memory // medium)
    return [
        "build:",
        "  compiler:",
        f"    march: {march}",
        f"    mtune: {tune}",
        "    optimizationLevel: 3",
        f"  goamd64: {go}",
        f"  rustTargetCpu: {cpus.rust_cpu(march)}",
        "  parallelism: # as much as memory and threads bear: a choice, not a fact",
        "    tiers:",
        f"      heavy: {{ jobs: 1, cores: {heavy}, memoryGB: {max(1, memory * 7 // 8)} }}",
        f"      medium: {{ jobs: {medium}, cores: {max(1, each)},"
        f" memoryGB: {max(1, memory // medium)} }}",
        f"      light: {{ jobs: {light}, cores: {min(most, 2)}, memoryGB: {min(2, memory)} }}",
    ]


def _gpus(machine: Machine) -> list[str]:
    found = [] if machine.platform == "wsl" else list(machine.gpus or ())
    if not found:
        why = "Windows drives what there is" if machine.platform == "wsl" else "none was seen"
        why = "none could be seen; see above" if machine.gpus is None else why
        why = "a container has none; its host drives them" if machine.container else why
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
    # nvidia-smi and the list of device ids must agree where both know the card; one is enough.
    name = said.name if said and known in {None, said.name} else None if said else known
    driver = graphics.declared_driver(vendor, gpu.driver)
    note = "" if driver in {gpu.driver, graphics.NONE} else f" # {_comment(gpu.driver)}"
    why = " # no display and no mark of the firmware tells which card draws"
    if driver == "nvidia" and role != UNKNOWN and (name is None or not _loaded_for(machine, name)):
        # The driver branch follows from the generation: without it no setting may act on the card.
        role, why = UNKNOWN, f" # it {role}, but its generation, and so its driver, is not known"
        name = None
    lines = [f"vendor: {vendor}"]
    if smi:
        lines.append(f"model: {_text(smi.name)}")
    if name:
        lines.append(f"architecture: {name}")
    elif vendor in graphics.VENDORS.values():
        lines.append(f"# {_no_architecture(gpu)}")
    lines.append(f'pciId: "{gpu.pci_id}"')
    if twin:
        lines.append(f'slot: "{gpu.slot}" # there is another card of this id')
    if smi and said and name == said.name:
        lines.append(f'computeCapability: "{smi.compute_capability}"')
    if smi and smi.memory_mb and 64 <= smi.memory_mb <= 1 << 20:
        lines.append(f"memoryMB: {smi.memory_mb}")
    lines.append(f"driver: {driver}{note}")
    if gpu.removable:
        lines.append("# on a cable: while it is not plugged in, the gate says that it is missing")
    names = [one for one in gpu.connected if len(one) <= 24 and _CONNECTOR.fullmatch(one)]
    if names and len(names) == len(set(names)):
        lines.append(f"connectors: [{', '.join(map(_word, names))}]")
    lines.append(f"role: {role}{why if role == UNKNOWN else ''}")
    return lines


def _loaded_for(machine: Machine, name: str) -> bool:
    """Say whether the loaded driver drives a generation. True where either is not known."""
    generation, loaded = graphics.generation(name), machine.nvidia_driver
    last = generation.last_branch if generation else None
    return last is None or loaded is None or (count(loaded.partition(".")[0]) or 0) <= last


def _no_architecture(gpu: FoundGpu) -> str:
    older = graphics.before_kepler(gpu.pci_id)
    if older:
        name, last = older
        return f"architecture {name}, which the plan has nothing for: its last driver was {last}"
    return "its architecture is in no list"


def _memory(machine: Machine) -> list[str]:
    total = _memory_gb(machine)
    lines = [
        "memory:",
        f"  totalGB: {total}",
        f"  type: {memory_kind.declared(machine.module_type)}",
    ]
    device = next(iter(machine.zram_swaps), None)
    if machine.container:
        return [*lines, "  # Swap is the host's."]
    if device is None:
        return [*lines, "  # No zram is swapped to, and leaving it out leaves swap as it is."]
    if len(machine.zram_swaps) > 1:
        found = f"{len(machine.zram_swaps)} devices"
        return [*lines, f"  # zram is left as it is ({found}): a profile sets one."]
    percent = machine.percent_of_memory(device) or 0
    priority = next(area.priority for area in machine.swaps if area.file == f"/dev/{device.name}")
    rival = any(s.priority >= priority for s in machine.swaps if "zram" not in s.file)
    fits = 1 <= percent <= 200 and 0 <= priority <= 32767 and not rival
    if device.algorithm not in _ALGORITHMS or not fits:
        found = f"{device.algorithm or 'no algorithm'}, {percent} percent, priority {priority}"
        why = "a disk comes before it" if rival else "out of what a profile sets"
        return [*lines, f"  # zram is left as it is ({_comment(found)}): {why}."]
    algorithm = f'"{device.algorithm}"' if device.algorithm.isdecimal() else device.algorithm
    zram = f"{{ algorithm: {algorithm}, percent: {percent}, priority: {priority} }}"
    return [*lines, f"  zram: {zram}"]


def _storage(machine: Machine) -> list[str]:
    lines = ["storage:", "  disks:"]
    if not machine.system_disks:
        why = "a container has its host's" if machine.container else "the root leads to no disk"
        return [*lines, f"    - kind: unknown # {why}"]
    for disk in machine.system_disks[:256]:
        lines += [
            f"    - kind: {disk.kind} # {_comment(disk.name)}{_why_unknown(disk)}",
            *([f"      sizeGB: {disk.size_gb}"] if disk.size_gb <= 1_000_000 else []),
        ]
        own = {other.scheduler for other in machine.system_disks if other.kind == disk.kind}
        if disk.kind == "unknown":
            continue  # a udev rule finds disks by their kind, so it finds none of these
        if len(own) > 1:
            lines.append(
                f"      # disks of this kind have different schedulers: {_comment(disk.scheduler)}"
            )
        elif disk.scheduler in _REMOVED:
            lines.append(f"      # Linux 5.0 removed {disk.scheduler}, which this kernel still has")
        elif disk.kind == "hdd" and disk.scheduler == "none":
            lines.append("      # its scheduler is none, with which a rotating disk seeks a lot")
        elif disk.scheduler in disk.schedulers and len(disk.scheduler) <= 32:
            lines.append(f"      scheduler: {_word(disk.scheduler)}")
    return lines


def _why_unknown(disk: BlockDevice) -> str:
    why = ": from another machine, behind a USB bridge, or of a kind that no rule finds"
    return why if disk.kind == "unknown" else ""


def _session(machine: Machine) -> list[str]:
    name, kind = machine.desktop, machine.session_type
    if name and not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,31}", name):
        name = None
    if name is None and kind:
        why = "# a session runs, of no desktop of a known name"
        return ["session:", f"  desktop: unknown {why}", f"  type: {kind}"]
    if name in {None, "none"}:
        seen = "" if name else " # neither a session nor session files were seen"
        return ["session:", f"  desktop: none{seen}", "  type: none"]
    kind = kind or "unknown # nobody of this user is logged in graphically"
    if name == "plasma6" and kind == "x11" and without_x11(machine.plasma):
        kind = f"unknown # x11 still runs; Plasma {machine.plasma}, which is installed, has none"
    return ["session:", f"  desktop: {_word(str(name))}", f"  type: {kind}"]


def _word(name: str) -> str:
    """Quote a name that a reader of YAML could take for a number or a truth value."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9-]+", name)
    words = {"true", "false", "null", "yes", "no", "on", "off"}
    return name if plain and name.casefold() not in words else json.dumps(name)
