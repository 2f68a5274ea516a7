"""All rows of the plan, in the order of its phases. Each module holds the rows of one subject."""

from __future__ import annotations

from converge.plan.setting import Setting
from converge.settings import (
    electron,
    libraries,
    memory,
    monitoring,
    plasma,
    runtimes,
    session,
    video,
)

__all__ = [
    "ALL",
    "BY_ID",
    "electron",
    "libraries",
    "memory",
    "monitoring",
    "plasma",
    "runtimes",
    "session",
    "video",
]

ALL: tuple[Setting, ...] = (
    *libraries.ROWS,
    *runtimes.ROWS,
    *electron.ROWS,
    *plasma.ROWS,
    *session.ROWS,
    *monitoring.ROWS,
    *video.ROWS,
    *memory.ROWS,
)
BY_ID = {setting.id: setting for setting in ALL}
if len(BY_ID) != len(ALL):
    raise ValueError("two settings have the same id")
