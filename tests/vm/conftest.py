"""Fixtures: the disks, and a machine that is up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.vm.image import Image, image
from tests.vm.machine import Machine, machine
from tests.vm.remote import PATIENCE_S


@pytest.fixture(scope="session")
def disks() -> Image:
    return image()


@pytest.fixture
def systemd_boot(disks: Image, tmp_path: Path) -> Iterator[Machine]:
    with machine(disks, "systemd-boot", tmp_path / "machine") as one:
        yield one


@pytest.fixture
def grub(disks: Image, tmp_path: Path) -> Iterator[Machine]:
    with machine(disks, "grub", tmp_path / "machine") as one:
        yield one


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """A run takes minutes on a machine in software, many beside other tests."""
    patient = Cli(tmp_path)
    patient.patience_s = PATIENCE_S
    return patient
