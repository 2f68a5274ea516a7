"""A change that needs a reboot, tried on a whole machine: kept where it is good, and where it is
not the machine comes back by itself with the home as before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from converge.boot.checks import BootCheck, is_
from converge.proof.check import Ask
from tests.vm.image import LOADERS, Image
from tests.vm.machine import Machine, machine
from tests.vm.trials import CHOICES, FILE, Tried

MARK = "workspace.tried=1"


def proves(text: str) -> BootCheck:
    """A check whose answer is there only after the boot, or never."""
    ask = Ask("file", ("/proc/sys/kernel/panic",))
    return BootCheck(name="boot.panic", ask=ask, rules=(is_(text),), within_s=5)


@pytest.fixture(params=LOADERS)
def one(request: pytest.FixtureRequest, disks: Image, tmp_path: Path) -> Iterator[Machine]:
    with machine(disks, request.param, tmp_path / "machine") as made:
        yield made


def test_a_good_change_is_booted_once_proved_and_kept(one: Machine) -> None:
    tried = Tried(one)
    said = tried.begin(parameters=("panic=7", MARK), asks=[proves("7")])
    assert "trial booting generation 2" in said, said
    assert one.generations()[one.default_generation()] == tried.old, "until then"
    assert one.reboot().system == tried.new
    assert tried.trial().startswith("kept generation 2")
    assert one.generations()[one.default_generation()] == tried.new
    assert one.ssh("cat", FILE) == "TRIAL=1"
    one.power_cut()
    one.start()
    assert one.wait_booted().system == tried.new


def test_a_check_that_fails_undoes_it_and_the_machine_restarts_where_it_may(one: Machine) -> None:
    tried = Tried(one)
    allowed = replace(CHOICES, trial_reboot="allowed")
    tried.begin(parameters=("panic=7",), asks=[proves("8")], choices=allowed)
    assert one.reboot().system == tried.new
    assert one.wait_booted().system == tried.old, "by itself"
    said = tried.trial()
    assert said.startswith("undone boot.panic: expected is 8, found 7"), said
    tried.as_before()


def test_a_kernel_that_panics_comes_back_by_itself(one: Machine) -> None:
    tried = Tried(one)
    tried.begin(parameters=("panic=5", "init=/nonexistent"))
    one.run("systemctl", "reboot")
    one.wait_for("Kernel panic - not syncing")
    assert one.wait_booted().system == tried.old
    said = tried.trial()
    assert said.startswith("went-back generation 2 did not come as far as its proof"), said
    tried.as_before()


def test_an_initrd_that_hangs_ends_with_the_power_button(one: Machine) -> None:
    tried = Tried(one)
    tried.begin(initrd="initrd-hung")
    one.run("systemctl", "reboot")
    one.wait_for("stage 1: hangs for ever")
    one.power_cut()
    one.start()
    assert one.wait_booted().system == tried.old
    assert "went-back" in tried.trial()
    tried.as_before()


def test_a_power_cut_while_it_is_proved_comes_back(one: Machine) -> None:
    tried = Tried(one)
    slow = replace(proves("8"), within_s=600)
    tried.begin(parameters=("panic=7",), asks=[slow])
    assert one.reboot().system == tried.new
    one.power_cut()
    one.start()
    assert one.wait_booted().system == tried.old
    said = tried.trial()
    assert said.startswith("went-back"), said
    tried.as_before()


def test_a_display_that_never_comes_undoes_it(systemd_boot: Machine) -> None:
    """No KWin runs there: the session is waited for, as long as the inventory says."""
    from converge.boot.checks import display

    tried = Tried(systemd_boot)
    allowed = replace(CHOICES, trial_reboot="allowed")
    tried.begin(parameters=(MARK,), asks=[display(within_s=60)], choices=allowed)
    assert systemd_boot.reboot().system == tried.new
    assert systemd_boot.wait_booted().system == tried.old
    assert tried.trial().startswith("undone display: expected has Compositing is active")
    tried.as_before()


def test_a_rollback_before_the_boot_takes_the_one_time_entry_back(one: Machine) -> None:
    tried = Tried(one)
    tried.begin(parameters=(MARK,))
    assert "status undone" in tried.transact("undo")
    assert tried.trial().startswith("undone its run was rolled back")
    assert one.reboot().system == tried.old
    tried.as_before()


@pytest.mark.parametrize("answer", ["keep", "undo", ""])
def test_a_person_decides_and_no_answer_undoes(systemd_boot: Machine, answer: str) -> None:
    tried = Tried(systemd_boot)
    asked = replace(CHOICES, trial_confirm="both", trial_answer_s=300 if answer else 30)
    tried.begin(parameters=(MARK,), choices=asked)
    assert systemd_boot.reboot().system == tried.new
    if answer:
        waits = (
            "until grep -q answer /var/lib/workspace-tuning/runs/*/*/trial/state; do sleep 1; done"
        )
        systemd_boot.sh(waits)
        assert f"answer {answer}" in tried.transact("answer", answer)
    said = tried.trial()
    assert said.startswith(
        {"keep": "kept", "undo": "undone the person said no"}.get(answer, "undone nobody said")
    ), said
