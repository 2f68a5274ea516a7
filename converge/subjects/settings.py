"""All settings, in the order of the plan's phases. Each room of ``converge/subjects`` has the rows
of one subject."""

from __future__ import annotations

from converge.setting import Setting
from converge.subjects.applications import rows as applications
from converge.subjects.builds import rows as builds
from converge.subjects.latency import rows as latency
from converge.subjects.libraries import rows as libraries
from converge.subjects.memory import rows as memory
from converge.subjects.monitoring import rows as monitoring
from converge.subjects.plasma import rows as plasma
from converge.subjects.runtimes import rows as runtimes
from converge.subjects.session import rows as session
from converge.subjects.video import rows as video

ALL: tuple[Setting, ...] = (
    *libraries.ROWS,
    *runtimes.ROWS,
    *applications.ROWS,
    *plasma.ROWS,
    *session.ROWS,
    *monitoring.ROWS,
    *video.ROWS,
    *memory.ROWS,
    *latency.ROWS,
    *builds.ROWS,
)
BY_ID = {setting.id: setting for setting in ALL}
if len(BY_ID) != len(ALL):
    raise ValueError("two settings have the same id")
