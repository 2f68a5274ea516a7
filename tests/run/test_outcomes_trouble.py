"""The ends that need trouble: locked, refused, rolled back, unknown, not all known, declined,
not started, undone in part."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import sandbox
from converge.exits import Outcome
from tests import sshd
from tests.conftest import DESKTOP, Applied, Box, Cli
from tests.remote.faults import end_of_power, transaction
from tests.run.conftest import Becomes
from tests.run.ends import agree, answering, drives, typed
from tests.tools import need

CONTRAST = b"contrastEnabled=false"
READERS = ("kreadconfig6", "kreadconfig5")
#: An answer to ``tasks/confirm.py`` needs a change that is on trial: test_outcomes_trial.py.
SAYING_NO = [verb for verb in Outcome.DECLINED.verbs if verb != "confirm"]
LOST = [verb for verb in Outcome.UNKNOWN.verbs if verb != "confirm"]


def drift(box: Box, value: bytes = b"contrastEnabled=true") -> None:
    """Somebody else changes a key of ours, so that the next run has something to write."""
    kwinrc = box.config("kwinrc")
    assert CONTRAST in kwinrc.read_bytes()
    kwinrc.write_bytes(kwinrc.read_bytes().replace(CONTRAST, value))


@drives({Outcome.LOCKED: Outcome.LOCKED.verbs, Outcome.UNKNOWN: LOST})
def test_a_change_that_is_open_and_one_whose_record_lost_a_part(cli: Cli, applied: Box) -> None:
    """Another run holds the lock (this process lives); then the power went before a change was
    confirmed, and the disk kept half of its record."""
    start = Path("/proc/self/stat").read_text().rpartition(") ")[2].split()[19]
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    lock = applied.home / ".local/state/workspace-tuning/workspace/lock"
    lock.write_text(
        "run 20260101t000000-abcd\nhost elsewhere\nuser somebody\npid 4711\nsince 1700000000\n"
        f"anchor {os.getpid()}\nstart {start}\nboot {boot}\n"
    )
    before = applied.config("kwinrc").read_bytes()
    for verb in Outcome.LOCKED.verbs:
        if not verb.endswith("--dry"):
            agree(cli(applied.inventory, *typed(verb)), Outcome.LOCKED, verb=verb)
    assert applied.config("kwinrc").read_bytes() == before
    lock.unlink()
    end_of_power(applied)
    place = transaction(applied)
    (place / "status").write_text("activated x\n")
    (place / "process").write_text(f"{os.getpid()} {start} {boot}\n")
    agree(cli(applied.inventory, *typed("remove --dry")), Outcome.LOCKED, verb="remove --dry")
    (place / "process").unlink()
    for part in ("transact.sh", "programs.spare"):
        (place / part).unlink()
    for verb in LOST:
        (place / "status").write_text("activated x\n")
        ended = cli(applied.inventory, *typed(verb))
        agree(ended, Outcome.UNKNOWN, verb=verb)
        assert str(place.parent) in ended.out, "what is in the way"
    shutil.rmtree(place)
    assert cli(applied.inventory, "deploy.py", "-y").code == 0


@drives({Outcome.REFUSED: Outcome.REFUSED.verbs})
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


@drives(
    {
        Outcome.ROLLED_BACK: ["deploy"],
        Outcome.UNPROVED: ["deploy"],
        Outcome.NOT_KNOWN: ["verify", "status"],
    }
)
def test_what_is_disproved_is_rolled_back_and_what_nobody_can_tell_is_kept_and_named(
    cli: Cli, desktop: Box, program: Becomes
) -> None:
    before = desktop.config("kwinrc").read_bytes()
    program("echo other", *READERS)
    ended = cli(desktop.inventory, "deploy.py", "-y")
    agree(ended, Outcome.ROLLED_BACK, verb="deploy")
    assert desktop.config("kwinrc").read_bytes() == before
    program("exit 3", *READERS)
    ended = cli(desktop.inventory, "deploy.py", "-y")
    agree(ended, Outcome.UNPROVED, verb="deploy")
    assert CONTRAST in desktop.config("kwinrc").read_bytes()
    assert "kwin.contrast" in ended.out.partition("unknown ")[2], "what is unknown is named"
    agree(cli(desktop.inventory, "tasks/verify.py"), Outcome.NOT_KNOWN, verb="verify")
    program("exit 3", "df")
    agree(cli(desktop.inventory, "tasks/status.py"), Outcome.NOT_KNOWN, verb="status")


@drives({Outcome.ROLLBACK_FAILED: Outcome.ROLLBACK_FAILED.verbs})
def test_an_undo_that_is_not_whole_names_what_is_left_and_goes_on_when_that_can_be_undone(
    cli: Cli, desktop: Box, program: Becomes
) -> None:
    """While the change is looked at, a pipe comes to stand in the place of a file."""
    kwinrc = desktop.config("kwinrc")
    before = kwinrc.read_bytes()
    aside = desktop.root / "aside"
    ours = f"[ -f '{kwinrc}' ] && grep -q {CONTRAST.decode()} '{kwinrc}'"
    program(f"if {ours}; then mv '{kwinrc}' '{aside}'; mkfifo '{kwinrc}'; fi; echo other", *READERS)
    for verb in Outcome.ROLLBACK_FAILED.verbs:
        ended = cli(desktop.inventory, *typed(verb))
        agree(ended, Outcome.ROLLBACK_FAILED, verb=verb)
        assert f"{kwinrc}: a pipe is in its place" in " ".join(ended.out.split())
    aside.replace(kwinrc)
    back = cli(desktop.inventory, *typed("rollback"))
    assert back.code == 0, back.out
    assert kwinrc.read_bytes() == before


@drives({Outcome.INEFFECTIVE: ["deploy"]})
def test_what_the_user_locked_at_another_value_is_kept_and_not_effective(
    cli: Cli, desktop: Box
) -> None:
    kwinrc = desktop.config("kwinrc")
    for file in (kwinrc, desktop.source("kwinrc")):
        file.write_bytes(file.read_bytes().replace(b"[Plugins]", b"[Plugins][$i]"))
    ended = cli(desktop.inventory, "deploy.py", "-y")
    agree(ended, Outcome.INEFFECTIVE, verb="deploy")
    assert "kwin.contrast" in ended.out.partition("not effective")[2]
    assert b"contrastEnabled=true" in kwinrc.read_bytes()


@drives({Outcome.LEFT: Outcome.LEFT.verbs})
def test_what_somebody_changed_since_makes_it_undone_in_part(
    cli: Cli, make_applied: Callable[..., Applied]
) -> None:
    for verb in Outcome.LEFT.verbs:
        box = make_applied(layers=DESKTOP)
        drift(box, b"contrastEnabled=maybe")
        ended = cli(box.inventory, *typed(verb))
        agree(ended, Outcome.LEFT, verb=verb)
        assert "changed since, left alone" in " ".join(ended.out.split())
        assert b"contrastEnabled=maybe" in box.config("kwinrc").read_bytes()


@drives({Outcome.DECLINED: SAYING_NO})
def test_who_says_no_is_left_as_before_and_told_so(cli: Cli, applied: Box) -> None:
    drift(applied)
    before = applied.config("kwinrc").read_bytes()
    for verb in SAYING_NO:
        ended = answering(cli, applied.inventory, typed(verb)[0], "no")
        agree(ended, Outcome.DECLINED, verb=verb)
        assert applied.config("kwinrc").read_bytes() == before


@drives({Outcome.NOT_STARTED: ["deploy"]})
def test_who_waits_for_a_canary_that_is_refused_is_not_started(
    cli: Cli, ssh_server: sshd.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("chezmoi")
    monkeypatch.setattr(sandbox, "_generations", lambda *_, **__: None)
    made = [
        ssh_server.box(user, name)
        for user, name in zip(sshd.USERS, ("first", "second"), strict=True)
    ]
    driver = Path(str(made[0]["root"])) / "sys/bus/pci/devices/0000:01:00.0/driver"
    driver.unlink()
    driver.symlink_to("../../../bus/pci/drivers/nouveau")
    kwinrc = Path(str(made[1]["root"])) / "home/.config/kwinrc"
    before = kwinrc.read_bytes()
    boxes = [{**one, "layers": DESKTOP, "canary": "first"} for one in made]
    ended = cli(cli.inventory(*boxes), "deploy.py", "-y")
    agree(ended, Outcome.NOT_STARTED, verb="deploy", workspace="second")
    assert kwinrc.read_bytes() == before
