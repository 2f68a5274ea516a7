"""Recorded machines: ``tests/data/machines/<name>.tree`` becomes a directory that detect.sh reads.

A line ``>>> PATH`` begins a file, ``>>> PATH -> TARGET`` is a symbolic link, and lines with #
before the first file are comments. The output of a program is a file under ``commands/``.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

import sandbox
from converge.gate.detect import parse
from converge.gate.machine import Machine
from tasks.reach.remote import program

MACHINES = Path(__file__).parents[1] / "data" / "machines"


def grow(name: str, into: Path) -> Path:
    """Make the tree of machine ``name`` under ``into``."""
    return sandbox.grow(MACHINES / f"{name}.tree", into)


def detect(root: Path | None = None) -> str:
    """Run detect.sh with dash, on this machine or on a recorded tree."""
    dash = shutil.which("dash")
    if dash is None:
        pytest.fail("dash is missing: install the package dash")
    argv = [dash, "-c", program("detect"), "workspace-detect", *([str(root)] if root else [])]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout


@cache
def recorded(name: str) -> Machine:
    """Return the machine called ``name``, as detect.sh and its parser see it."""
    with tempfile.TemporaryDirectory() as directory:
        return parse(detect(grow(name, Path(directory))))
