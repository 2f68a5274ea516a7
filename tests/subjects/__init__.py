"""A case for every check: answers that make it effective, and wrong values for them."""

from __future__ import annotations

from tests.subjects import applications, desktop, latency, layers, memory, video, workspace
from tests.subjects.case import Case

CASES: dict[str, Case] = {
    **workspace.CASES,
    **layers.CASES,
    **applications.CASES,
    **desktop.CASES,
    **video.CASES,
    **memory.CASES,
    **latency.CASES,
}
