"""The ends of a change that needs a reboot, after a boot that a sandbox only seems to have made.

What only a machine has, a boot loader that boots the change, is driven by ``tests/vm``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from converge.exits import Outcome
from tests.conftest import Box, Cli
from tests.run.ends import agree, answering, drives, typed, well_said
from tests.run.trials import Tried

CONTRAST = b"contrastEnabled=false"
Trying = Callable[..., Tried]


@pytest.fixture
def tried(applied: Box) -> Iterator[Trying]:
    """Put the change of a sandbox on trial; no unit of it is left behind."""
    made: list[Tried] = []

    def trying(**how: str) -> Tried:
        made.append(Tried.of(applied, **how))
        return made[-1]

    yield trying
    for one in made:
        if one.unit and one.unit.poll() is None:
            one.unit.kill()
            one.unit.wait()


@drives(
    {
        Outcome.ON_TRIAL: ["status"],
        Outcome.CHANGES: ["confirm --dry"],
        Outcome.DECLINED: ["confirm"],
        Outcome.ANSWERED: ["confirm"],
    }
)
def test_a_change_on_trial_waits_for_its_boot_and_then_for_a_person(
    cli: Cli, applied: Box, tried: Trying
) -> None:
    trial = tried()
    waits = cli(applied.inventory, *typed("status"))
    agree(waits, Outcome.ON_TRIAL, verb="status")
    well_said(waits.out)
    assert "booted once at the next start" in " ".join(waits.out.split())
    trial.reboots()
    runs = cli(applied.inventory, *typed("status"))
    agree(runs, Outcome.ON_TRIAL, verb="status")
    well_said(runs.out)
    assert "tasks/confirm.py keeps it" in " ".join(runs.out.split())
    agree(cli(applied.inventory, *typed("confirm --dry")), Outcome.CHANGES, verb="confirm --dry")
    said_no = answering(cli, applied.inventory, "tasks/confirm.py", "no")
    agree(said_no, Outcome.DECLINED, verb="confirm")
    well_said(said_no.out)
    assert "waits for the answer" in trial.state, "nothing was said to the workspace"
    agree(cli(applied.inventory, *typed("confirm")), Outcome.ANSWERED, verb="confirm")
    assert trial.ends().startswith("kept generation 2")
    assert os.readlink(applied.root / "nix/var/nix/profiles/system") == "system-2-link"
    assert CONTRAST in applied.config("kwinrc").read_bytes()


@drives({Outcome.ANSWERED: ["confirm"]})
def test_who_says_undo_has_the_home_as_before(cli: Cli, applied: Box, tried: Trying) -> None:
    trial = tried()
    trial.reboots()
    ended = cli(applied.inventory, *typed("confirm"), "--data", "answer=undo")
    agree(ended, Outcome.ANSWERED, verb="confirm")
    well_said(ended.out)
    assert trial.ends() == "undone the person said no"
    assert CONTRAST not in applied.config("kwinrc").read_bytes()


@drives({Outcome.ROLLED_BACK: ["confirm"]})
def test_what_a_loader_does_not_take_goes_back_though_the_person_kept_it(
    cli: Cli, applied: Box, tried: Trying
) -> None:
    trial = tried(default="old")
    trial.reboots()
    ended = cli(applied.inventory, *typed("confirm"))
    agree(ended, Outcome.ROLLED_BACK, verb="confirm")
    well_said(ended.out)
    assert "did not take generation 2 as its default" in " ".join(ended.out.split())
    trial.ends()
    assert CONTRAST not in applied.config("kwinrc").read_bytes()


@drives({Outcome.UNKNOWN: ["confirm"]})
def test_an_undo_that_fails_after_the_answer_leaves_a_state_that_is_not_known(
    cli: Cli, applied: Box, tried: Trying
) -> None:
    trial = tried()
    trial.reboots()
    for kept in trial.record.parent.glob("live-*/before/*"):
        kept.unlink()
    for second in trial.record.parent.rglob("*.spare"):  # else the record mends itself
        second.unlink()
    ended = cli(applied.inventory, *typed("confirm"), "--data", "answer=undo")
    agree(ended, Outcome.UNKNOWN, verb="confirm")
    well_said(ended.out)
    assert trial.ends().startswith("broken")
