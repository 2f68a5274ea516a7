"""The profile must be true of the machine before anything is written."""

from __future__ import annotations

from tasks.begin import Work


def hardware(work: Work) -> None:
    """Compare the profile with the machine that was read."""
