"""Disk of the system: kind, size, and the scheduler that the kernel offers for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from converge.gate.facts.verdict import Look, Outcome, Verdict


def storage(look: Look) -> Iterator[Verdict]:
    declared, disk = look.profile.storage, look.machine.system_disk
    needed = look.ids(look.named("storage.scheduler"))
    kind = look.same("storage.kind", declared.kind, disk.kind if disk else None)
    if kind.outcome is Outcome.DIFFERS and disk:
        kind = replace(
            kind,
            found=f"{disk.kind} ({disk.name})",
            why="a rule for another kind of disk matches nothing",
            settings=needed,
        )
    yield kind
    size = look.same("storage.sizeGB", declared.size_gb, disk.size_gb if disk else None)
    if disk and abs(disk.size_gb - declared.size_gb) <= declared.size_gb // 10:
        size = replace(size, outcome=Outcome.TRUE, fix="")  # 500 GB as sold can be 512
    yield size
    yield _scheduler(look, needed)


def _scheduler(look: Look, needed: tuple[str, ...]) -> Verdict:
    wanted, disk = look.profile.storage.scheduler, look.machine.system_disk
    verdict = Verdict(
        fact="storage.scheduler",
        outcome=Outcome.TRUE,
        declared=wanted,
        found=disk.scheduler if disk and disk.scheduler else "nothing",
        settings=needed,
    )
    if disk is None or not disk.schedulers:
        return replace(verdict, outcome=Outcome.UNKNOWN)
    if wanted not in disk.schedulers:
        return replace(
            verdict,
            outcome=Outcome.DIFFERS,
            found=" ".join(disk.schedulers),
            why=f"the kernel does not offer {wanted} for {disk.name}",
            fix=look.edit("storage.scheduler", disk.scheduler),
        )
    if disk.kind == "hdd" and wanted == "none":
        return replace(
            verdict,
            outcome=Outcome.DIFFERS,
            found=f"{disk.scheduler}, on a rotating disk",
            why="without a scheduler a rotating disk seeks in the order of requests",
            fix=look.edit("storage.scheduler", "bfq"),
        )
    if disk.scheduler == wanted:
        return replace(verdict, settings=())
    why = "this run sets it" if needed else "nothing in force sets it"
    return replace(verdict, outcome=Outcome.DIFFERS, why=why)
