"""Memory and zram: whether the declared amount, kind and zram device are those of the machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from converge.gate.facts.verdict import FactOutcome, FactVerdict, Look
from converge.hardware import memory_kind


def memory(look: Look) -> Iterator[FactVerdict]:
    declared, machine = look.profile.memory, look.machine
    found = machine.memory_gb
    verdict = look.same("memory.totalGB", declared.total_gb, found)
    if (
        found is not None
        and found < declared.total_gb <= found * 1.15 + (found >= 4)
        and (machine.module_bytes is None)
    ):
        # Firmware and an integrated GPU keep a part: 16 GB installed can be 14 GB to the kernel.
        verdict = replace(verdict, outcome=FactOutcome.TRUE, fix="")
    elif verdict.outcome is FactOutcome.DIFFERS and found is not None and found < declared.total_gb:
        limits = look.named("memory.", "electron.app", "electron.budget", "build.")
        verdict = replace(
            verdict,
            why="limits in proportion to it are larger than the memory",
            settings=look.ids(limits),
        )
    yield verdict
    if declared.type != "unknown":
        kind = look.same("memory.type", declared.type, machine.module_type)
        if machine.module_type and memory_kind.agree(declared.type, machine.module_type):
            kind = replace(kind, outcome=FactOutcome.TRUE, fix="")
        yield kind
    yield from _zram(look)


def _zram(look: Look) -> Iterator[FactVerdict]:
    zram, machine = look.profile.memory.zram, look.machine
    needed = tuple(s for s in look.named("memory.") if "zram" in s.id)
    devices = machine.zram_swaps
    if zram is None:
        if needed:
            yield FactVerdict(
                fact="memory.zramDevice",
                outcome=FactOutcome.BLOCKS,
                declared="nothing",
                found=f"{len(devices)} devices",
                why="a setting in force takes its values from here",
                fix=f"declare memory.zram in {look.profile.file}, or exclude the setting",
                settings=look.ids(needed),
                overridable=False,
            )
        return
    declared = f"{zram.algorithm}, {zram.percent} percent, priority {zram.priority}"
    rivals = [
        swap for swap in machine.swaps if "zram" not in swap.file and swap.priority >= zram.priority
    ]
    if rivals:
        yield FactVerdict(
            fact="memory.zramDevice",
            outcome=FactOutcome.DIFFERS,
            declared=declared,
            found=f"{rivals[0].file} with priority {rivals[0].priority}",
            why="a disk is swapped to before the memory is compressed",
            fix=f"give {rivals[0].file} a priority below {zram.priority}",
            settings=look.ids(needed),
        )
        return
    if not devices:
        yield FactVerdict(
            fact="memory.zramDevice",
            outcome=FactOutcome.UNKNOWN if needed else FactOutcome.DIFFERS,
            declared=declared,
            found="no zram device",
            why="this run sets it up" if needed else "nothing in force sets it up",
            settings=look.ids(needed),
        )
        return
    percent = machine.percent_of_memory(devices[0])
    if percent is None:
        yield FactVerdict(
            fact="memory.zramDevice",
            outcome=FactOutcome.UNKNOWN,
            declared=declared,
            found=devices[0].algorithm,
            why="how much memory the kernel manages is not known",
            settings=look.ids(needed),
        )
        return
    close = abs(percent - zram.percent) <= 5 and devices[0].algorithm in {"", zram.algorithm}
    yield FactVerdict(
        fact="memory.zramDevice",
        outcome=FactOutcome.TRUE if close else FactOutcome.DIFFERS,
        declared=declared,
        found=f"{devices[0].algorithm}, {percent} percent",
        why="" if close else "the running device is another; the new values hold after a reboot",
        settings=look.ids(needed) if not close else (),
    )
