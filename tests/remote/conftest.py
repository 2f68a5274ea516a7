"""Fixtures of more than one file: a guarded workspace, a reader, a small disk."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import DESKTOP, Applied, Box, Cli
from tests.remote.faults import Guard, looked
from tests.remote.reading import Reader
from tests.tools import missing, need


@pytest.fixture
def chezmoi() -> str:
    """The real program."""
    return need("chezmoi")


@pytest.fixture
def guard(cli: Cli, desktop: Box) -> Guard:
    return Guard(cli, desktop)


@pytest.fixture
def guard_applied(cli: Cli, make_applied: Callable[..., Applied]) -> Guard:
    """The same after a run that applied the plan; "before" is the time before that."""
    box = make_applied(layers=DESKTOP, look=looked)
    guard = Guard(cli, box)
    guard.before = box.before
    return guard


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path / "workspace")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A mounted disk of a given size."""
    if os.getuid() != 0:
        missing("only root can mount a small disk: run as root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounts = 0

    def mount(size: str, *options: str) -> Path:
        nonlocal mounts
        option = ",".join((f"size={size}", *options))
        subprocess.run(["mount", "-t", "tmpfs", "-o", option, "none", str(disk)], check=True)
        mounts += 1
        return disk

    try:
        yield mount
    finally:
        for _ in range(mounts):
            subprocess.run(["umount", "--lazy", str(disk)], check=True)
