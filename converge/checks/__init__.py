"""The registry of checks: every item of the plan's checklists, and what proves each setting.

``ITEMS`` are judged once for a workspace, ``PROOFS`` once for each setting that names them. What
runs them is ``converge.checks.prove``.
"""

from __future__ import annotations

from converge.checks import (
    desktop,
    electron,
    generations,
    libraries,
    limits,
    machine,
    memory,
    runtimes,
    session,
    video,
)
from converge.proof.check import Item, Proof

ITEMS: tuple[Item, ...] = (
    *machine.ITEMS,
    *generations.ITEMS,
    *libraries.ITEMS,
    *limits.ITEMS,
    *electron.ITEMS,
    *desktop.ITEMS,
    *video.ITEMS,
)
PROOFS: tuple[Proof, ...] = (
    *libraries.PROOFS,
    *runtimes.PROOFS,
    *limits.PROOFS,
    *electron.PROOFS,
    *desktop.PROOFS,
    *session.PROOFS,
    *video.PROOFS,
    *memory.PROOFS,
    *generations.PROOFS,
)
BY_ID = {check.id: check for check in (*ITEMS, *PROOFS)}
if len(BY_ID) != len(ITEMS) + len(PROOFS):
    raise ValueError("two checks have the same id")
