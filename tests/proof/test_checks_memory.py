"""Limits of a slice that systemd alone has, and the disk of a virtual machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from converge.effect import Effect
from converge.profile.profile import Disk, Storage
from converge.subjects.memory.checks import DISKS
from tests.proof.checks import IN_USE, Replies, context, judge
from tests.proof.test_checks_wire import one
from tests.subjects.case import GIB, MEMINFO

SLICE: Replies = {
    **IN_USE,
    ("file", "/proc/meminfo"): MEMINFO,
    "group": "kernel memory.high max\nkernel memory.max max\n",
}


@pytest.mark.parametrize(
    ("read", "effect"),
    [
        (f"MemoryHigh={12 * GIB}\nMemoryMax=infinity\n", Effect.PENDING),
        (f"MemoryHigh={6 * GIB}\nMemoryMax=infinity\n", Effect.NOT_EFFECTIVE),
        ("MemoryHigh=infinity\nMemoryMax=infinity\n", Effect.NOT_EFFECTIVE),
        ("", Effect.NOT_EFFECTIVE),
    ],
    ids=["as wanted", "another limit", "none", "nothing"],
)
def test_limits_that_systemd_has_and_the_kernel_not_yet_are_pending(
    read: str, effect: Effect
) -> None:
    """As after `daemon-reload`, while the user is logged in: tests/vm/test_effects.py."""
    finding = judge("memory.user-slice", {**SLICE, "properties": read})
    assert finding.effect is effect, finding


@pytest.mark.parametrize(
    ("read", "limit", "effect"),
    [
        ("infinity", 8 * GIB, Effect.PENDING),
        (str(8 * GIB), 8 * GIB, Effect.NOT_EFFECTIVE),
        (str(14 * GIB), 14 * GIB, Effect.EFFECTIVE),
    ],
    ids=["of an earlier run", "a lower one of the user's own", "a higher one of the user's own"],
)
def test_a_limit_of_the_whole_user_is_told_where_it_acts_before_that_of_the_applications(
    read: str, limit: int, effect: Effect
) -> None:
    replies: Replies = {
        **SLICE,
        "group": f"kernel memory.high {limit}\nkernel memory.max max\n",
        ("group", "app.slice"): f"kernel memory.high {12 * GIB}\nkernel memory.max max\n",
        ("properties", "system"): f"MemoryHigh={read}\n",
    }
    finding = judge("memory.user-slice", replies)
    assert finding.effect is effect, finding
    assert ("KWin" in finding.reason) is (effect is Effect.PENDING)
    assert finding.counts is (effect is not Effect.NOT_EFFECTIVE)


def test_a_limit_of_the_cpu_alone_does_not_wait_for_memory() -> None:
    """MemoryMax is wanted beside it, and systemd has not read that."""
    read = f"MemoryHigh={12 * GIB}\nMemoryMax=infinity\n"
    finding = judge("memory.user-slice-max", {**SLICE, "properties": read})
    assert finding.effect is Effect.NOT_EFFECTIVE, finding


@pytest.mark.parametrize(
    ("kinds", "disk", "effect"),
    [
        (("virtual",), "nvme0n1", Effect.EFFECTIVE),
        (("virtual",), "xvda", Effect.EFFECTIVE),
        (("virtual",), "vda", Effect.EFFECTIVE),
        (("virtual",), "mmcblk0", Effect.NOT_EFFECTIVE),
        (("virtual", "nvme"), "nvme0n1", Effect.NOT_EFFECTIVE),
    ],
)
def test_a_virtual_disk_is_called_as_the_machine_calls_it(
    kinds: tuple[str, ...], disk: str, effect: Effect
) -> None:
    """A disk that is declared as NVMe is not the virtual one too."""
    known = context()
    disks = tuple(Disk(kind=record, scheduler="mq-deadline") for record in kinds)
    known = replace(known, profile=replace(known.profile, storage=Storage(disks=disks)))
    line = f"disk {disk} 0 none [mq-deadline]\n"
    finding = judge("storage.scheduler", {**IN_USE, "disks": line}, known=known)
    assert finding.effect is effect, finding


def test_a_stick_that_says_that_it_rotates_is_no_disk_of_the_profiles(tmp_path: Path) -> None:
    """The rule of udev passes it over, by its place below USB; a disk of flash there is one."""
    for name, place, rotates in (
        ("sda", "pci0000:00/ata1/block", 1),
        ("sdb", "pci0000:00/usb2/2-1/block", 1),
        ("sdc", "pci0000:00/usb2/2-2/block", 0),
    ):
        queue = tmp_path / "sys/devices" / place / name / "queue"
        queue.mkdir(parents=True)
        (queue / "rotational").write_text(f"{rotates}\n")
        (queue / "scheduler").write_text("none [bfq]\n")
        (tmp_path / "sys/block").mkdir(exist_ok=True)
        (tmp_path / "sys/block" / name).symlink_to(queue.parent)
    reply = one(DISKS, root=str(tmp_path))
    assert reply.text == "disk sda 1 none [bfq]\ndisk sdc 0 none [bfq]\n"
