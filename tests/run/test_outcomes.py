"""The ends that need trouble: locked, refused, rolled back, unknown, not all known, declined,
undone in part. Each is driven in the product and told alike everywhere, as in ``test_words``."""

from __future__ import annotations

import os
import pty
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from converge.exits import Outcome
from tests.conftest import DESKTOP, Box, Cli
from tests.conftest import Outcome as Ended
from tests.remote.faults import end_of_power, transaction
from tests.run.test_words import agree

CONTRAST = b"contrastEnabled=false"


def drift(box: Box, value: bytes = b"contrastEnabled=true") -> None:
    """Somebody else changes a key of ours, so that the next run has something to write."""
    kwinrc = box.config("kwinrc")
    assert CONTRAST in kwinrc.read_bytes()
    kwinrc.write_bytes(kwinrc.read_bytes().replace(CONTRAST, value))


def typed(verb: str) -> list[str]:
    """What a person writes after the inventory."""
    name, _, dry = verb.partition(" ")
    return ["deploy.py" if name == "deploy" else f"tasks/{name}.py", dry or "-y"]


@pytest.fixture
def applied(cli: Cli, desktop: Box) -> Box:
    assert cli(desktop.inventory, "deploy.py", "-y").code == 0
    return desktop


@pytest.fixture
def reader(cli: Cli) -> Callable[[str], None]:
    """Put a program in the place of KDE's own reader of its files."""
    place = cli.directory / "bin"
    place.mkdir()
    cli.environment["PATH"] = f"{place}:{cli.environment['PATH']}"

    def becomes(script: str) -> None:
        for name in ("kreadconfig6", "kreadconfig5"):
            (place / name).write_text(f"#!/bin/sh\n{script}\n")
            (place / name).chmod(0o755)

    return becomes


def test_who_finds_another_run_there_says_locked_by_every_command(cli: Cli, applied: Box) -> None:
    """The lock of a process that lives: this one."""
    start = Path("/proc/self/stat").read_text().rpartition(") ")[2].split()[19]
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    (applied.home / ".local/state/workspace-tuning/workspace/lock").write_text(
        "run 20260101t000000-abcd\nhost elsewhere\nuser somebody\npid 4711\nsince 1700000000\n"
        f"anchor {os.getpid()}\nstart {start}\nboot {boot}\n"
    )
    before = applied.config("kwinrc").read_bytes()
    for verb in Outcome.LOCKED.verbs:
        if not verb.endswith("--dry"):
            agree(cli(applied.inventory, *typed(verb)), Outcome.LOCKED, verb=verb)
    assert applied.config("kwinrc").read_bytes() == before


def test_a_machine_that_its_profile_does_not_describe_is_refused(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    box = make_box(layers=DESKTOP)
    driver = box.root / "sys/bus/pci/devices/0000:01:00.0/driver"
    driver.unlink()
    driver.symlink_to("../../../bus/pci/drivers/nouveau")
    before = box.config("kwinrc").read_bytes()
    for verb in Outcome.REFUSED.verbs:
        agree(cli(box.inventory, *typed(verb)), Outcome.REFUSED, verb=verb)
    assert box.config("kwinrc").read_bytes() == before


def test_what_is_disproved_is_rolled_back_and_what_nobody_can_tell_is_kept_and_named(
    cli: Cli, desktop: Box, reader: Callable[[str], None]
) -> None:
    before = desktop.config("kwinrc").read_bytes()
    reader("echo other")
    ended = cli(desktop.inventory, "deploy.py", "-y")
    agree(ended, Outcome.ROLLED_BACK, verb="deploy")
    assert desktop.config("kwinrc").read_bytes() == before
    reader("exit 3")
    ended = cli(desktop.inventory, "deploy.py", "-y")
    agree(ended, Outcome.UNPROVED, verb="deploy")
    assert CONTRAST in desktop.config("kwinrc").read_bytes()
    assert "kwin.contrast" in ended.out.partition("unknown ")[2], "what is unknown is named"
    agree(cli(desktop.inventory, "tasks/verify.py"), Outcome.NOT_KNOWN, verb="verify")


def test_a_change_whose_record_lost_a_part_leaves_the_state_unknown(cli: Cli, applied: Box) -> None:
    """The power went before the change was confirmed, and the disk kept half of its record."""
    end_of_power(applied)
    place = transaction(applied)
    (place / "status").write_text("activated x\n")
    agree(cli(applied.inventory, "tasks/remove.py", "--dry"), Outcome.LOCKED, verb="remove --dry")
    (place / "transact.sh").unlink()
    ended = cli(applied.inventory, "deploy.py", "-y")
    agree(ended, Outcome.UNKNOWN, verb="deploy")
    assert str(place.parent) in ended.out, "what is in the way"
    shutil.rmtree(place)
    agree(cli(applied.inventory, "deploy.py", "-y"), Outcome.UNCHANGED, verb="deploy")


def test_what_somebody_changed_since_makes_it_undone_in_part(cli: Cli, applied: Box) -> None:
    drift(applied, b"contrastEnabled=maybe")
    ended = cli(applied.inventory, "tasks/rollback.py", "-y")
    agree(ended, Outcome.LEFT, verb="rollback")
    assert "changed since, left alone" in " ".join(ended.out.split())
    assert b"contrastEnabled=maybe" in applied.config("kwinrc").read_bytes()


#: An answer needs a change that is on trial: tests/vm has one.
@pytest.mark.parametrize("verb", sorted({*Outcome.DECLINED.verbs} - {"confirm"}))
def test_who_says_no_is_left_as_before_and_told_so(cli: Cli, applied: Box, verb: str) -> None:
    drift(applied)
    before = applied.config("kwinrc").read_bytes()
    agree(answering(cli, applied, typed(verb)[0], "no"), Outcome.DECLINED, verb=verb)
    assert applied.config("kwinrc").read_bytes() == before


def answering(cli: Cli, box: Box, name: str, answer: str) -> Ended:
    """A run whose questions are answered by a person at a terminal."""
    person, terminal = pty.openpty()
    os.write(person, f"{answer}\n".encode())
    try:
        return cli.end(cli.start(box.inventory, name, stdin=terminal))
    finally:
        os.close(terminal)
        os.close(person)
