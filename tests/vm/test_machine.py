"""The machine itself: each start is of the generation that the menu says, and a generation that
was started once is not the default."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vm.image import Image
from tests.vm.machine import Machine, machine, where_timers_go


def _started_once(disks: Image, loader: str, place: Path) -> None:
    # Two cores in software wait for each other much, and take from what runs beside them.
    with machine(disks, loader, place, cores=1) as one:
        first = one.ssh("readlink", "-f", "/run/booted-system")
        _is_real(one)
        good = one.add_generation()
        assert (one.booted_generation(), one.default_generation(), good) == (1, 1, 2)
        assert set(one.entries()) == {1, 2}

        one.boot_once(good)
        once = one.reboot()
        assert once.system == one.generations()[good] != first

        one.power_cut()
        back = one.boot()
        assert back.system == first
        assert back.id != once.id

        bad = one.add_generation(parameters=("panic=5", "init=/nonexistent"))
        one.boot_once(bad)
        one.run("systemctl", "reboot")
        one.wait_for("Kernel panic - not syncing")
        assert one.wait_booted().system == first


@pytest.mark.parametrize("loader", ["systemd-boot", pytest.param("grub", marks=pytest.mark.small)])
def test_a_generation_that_was_started_once_is_not_the_default(
    disks: Image, tmp_path: Path, loader: str
) -> None:
    """Started once, it runs; cut the power there, and the one before comes up by itself. One whose
    kernel panics comes back by itself, by `panic=`."""
    where_timers_go(lambda place: _started_once(disks, loader, place), tmp_path)


def test_a_start_that_hangs_ends_with_the_power_button(systemd_boot: Machine) -> None:
    hung = systemd_boot.add_generation(initrd="initrd-hung")
    systemd_boot.boot_once(hung)
    systemd_boot.run("systemctl", "reboot")
    systemd_boot.wait_for("stage 1: hangs for ever")
    systemd_boot.power_cut()
    systemd_boot.boot()
    assert systemd_boot.booted_generation() == 1


def _is_real(one: Machine) -> None:
    """What a sandbox does not have: one control group tree, an NVMe disk, zram, both managers."""
    assert one.ssh("stat", "-fc", "%T", "/sys/fs/cgroup") == "cgroup2fs"
    assert "none" in one.ssh("cat", "/sys/block/nvme0n1/queue/scheduler")
    assert one.ssh("systemctl", "is-system-running") == "running"
    assert one.ssh("systemctl", "--user", "is-system-running", user="mitsio") == "running"
    assert one.ssh("modinfo", "-n", "zram").endswith((".ko", ".ko.xz"))
    assert one.ssh("systemctl", "--version").startswith("systemd 257")
    assert one.ssh("sudo", "-H", "-n", "sh", "-c", "id -u", user="mitsio") == "0"
