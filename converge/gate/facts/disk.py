"""Disks of the system: kind, size, and the I/O scheduler of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from converge.gate.facts.verdict import FactOutcome, FactVerdict, Look
from converge.gate.machine import BlockDevice
from converge.profile.profile import Disk


def storage(look: Look) -> Iterator[FactVerdict]:
    """Compare the disks sorted by kind and size, since a profile does not name them."""
    needed = look.ids(look.named("storage.scheduler"))
    declared = sorted(look.profile.storage.disks, key=lambda disk: (disk.kind, disk.size_gb or 0))
    found = sorted(look.machine.system_disks, key=lambda disk: (disk.kind, disk.size_gb))
    yield _kinds(look, declared, found, needed)
    yield _sizes(look, declared, found)
    yield _scheduler(look, declared, found, needed)


def _kinds(
    look: Look, declared: list[Disk], found: list[BlockDevice], needed: tuple[str, ...]
) -> FactVerdict:
    kinds = [disk.kind for disk in declared]
    verdict = FactVerdict(
        fact="storage.kind",
        outcome=FactOutcome.TRUE,
        declared=", ".join(kinds),
        found=", ".join(f"{disk.kind} ({disk.name})" for disk in found) or "nothing",
    )
    if not found:
        return replace(verdict, outcome=FactOutcome.UNKNOWN)
    if kinds == [disk.kind for disk in found]:
        return verdict
    same_number = len(kinds) == len(found)
    return replace(
        verdict,
        outcome=FactOutcome.DIFFERS,
        why="a rule for another kind of disk matches nothing"
        if same_number
        else "a rule finds every disk of its kind; those of other kinds are left as they are",
        fix=look.edit("storage.disks", " and ".join(disk.kind for disk in found)),
        settings=needed,
    )


def _sizes(look: Look, declared: list[Disk], found: list[BlockDevice]) -> FactVerdict:
    verdict = FactVerdict(
        fact="storage.sizeGB",
        outcome=FactOutcome.TRUE,
        declared=", ".join(str(disk.size_gb) for disk in declared if disk.size_gb) or "nothing",
        found=", ".join(str(disk.size_gb) for disk in found) or "nothing",
    )
    if not found or not all(disk.size_gb for disk in declared):
        return replace(verdict, outcome=FactOutcome.UNKNOWN)
    sizes = sorted(disk.size_gb or 0 for disk in declared)
    there = sorted(disk.size_gb for disk in found)
    # A disk that is sold as 500 GB can have 512.
    close = len(sizes) == len(there) and all(
        abs(a - b) <= a // 10 for a, b in zip(sizes, there, strict=True)
    )
    if close:
        return verdict
    return replace(
        verdict,
        outcome=FactOutcome.DIFFERS,
        fix=look.edit("storage.disks", f"sizeGB {verdict.found}"),
    )


def _scheduler(
    look: Look, declared: list[Disk], found: list[BlockDevice], needed: tuple[str, ...]
) -> FactVerdict:
    wanted = {disk.kind: disk.scheduler for disk in declared if disk.scheduler}
    pairs = [(wanted[disk.kind], disk) for disk in found if disk.kind in wanted]
    verdict = FactVerdict(
        fact="storage.queue",
        outcome=FactOutcome.TRUE,
        declared=", ".join(dict.fromkeys(wanted.values())) or "nothing",
        found=", ".join(dict.fromkeys(disk.scheduler for disk in found if disk.scheduler))
        or "nothing",
        settings=needed,
    )
    if not pairs or not all(disk.schedulers for _, disk in pairs):
        return replace(verdict, outcome=FactOutcome.UNKNOWN)
    for name, disk in pairs:
        if name not in disk.schedulers:
            return replace(
                verdict,
                outcome=FactOutcome.DIFFERS,
                found=" ".join(disk.schedulers),
                why=f"the kernel does not offer {name} for {disk.name}",
                fix=look.edit("storage.disks scheduler", disk.scheduler),
            )
    for name, disk in pairs:
        if disk.kind == "hdd" and name == "none":
            return replace(
                verdict,
                outcome=FactOutcome.DIFFERS,
                found=f"{disk.scheduler}, on a rotating disk",
                why="without a scheduler a rotating disk seeks in the order of requests",
                fix=look.edit("storage.disks scheduler", "bfq"),
            )
    if all(disk.scheduler == name for name, disk in pairs):
        return replace(verdict, settings=())
    why = "this run sets it" if needed else "nothing in force sets it"
    return replace(verdict, outcome=FactOutcome.DIFFERS, why=why)
