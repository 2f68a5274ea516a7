"""The registry of checks: every item of the plan's checklists, and what proves each setting.

``ITEMS`` are judged once for a workspace, ``PROOFS`` once for each setting that names them.
``tasks.steps.proof`` runs them.
"""

from __future__ import annotations

from converge.proof.check import Item, Proof
from converge.subjects.applications import checks as applications
from converge.subjects.applications import limits
from converge.subjects.builds import checks as builds
from converge.subjects.latency import checks as latency
from converge.subjects.libraries import checks as libraries
from converge.subjects.memory import checks as memory
from converge.subjects.monitoring import checks as monitoring
from converge.subjects.plasma import checks as plasma
from converge.subjects.runtimes import checks as runtimes
from converge.subjects.session import checks as session
from converge.subjects.video import checks as video
from converge.subjects.workspace import generations, machine

ITEMS: tuple[Item, ...] = (
    *machine.ITEMS,
    *generations.ITEMS,
    *libraries.ITEMS,
    *limits.ITEMS,
    *applications.ITEMS,
    *plasma.ITEMS,
    *video.ITEMS,
)
PROOFS: tuple[Proof, ...] = (
    *libraries.PROOFS,
    *runtimes.PROOFS,
    *limits.PROOFS,
    *applications.PROOFS,
    *plasma.PROOFS,
    *session.PROOFS,
    *video.PROOFS,
    *memory.PROOFS,
    *monitoring.PROOFS,
    *latency.PROOFS,
    *builds.PROOFS,
    *generations.PROOFS,
)
BY_ID = {check.id: check for check in (*ITEMS, *PROOFS)}
if len(BY_ID) != len(ITEMS) + len(PROOFS):
    raise ValueError("two checks have the same id")
