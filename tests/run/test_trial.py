"""A run whose change needs a reboot: what it sends for the trial, and how it ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from converge.effect import Effect
from converge.exits import Exit, Outcome
from converge.journal.kinds import FindingRecord, StepRecord, TrialRecord
from converge.plan.snapshot import Generation, LastBuild, Transaction
from converge.report.html import page
from converge.report.model import build, load
from converge.setting import Layer
from converge.trial import Trial, TrialState
from tasks.run.stages import Kept, Over, Proved
from tasks.steps import activate, finish, proof, read, trial
from tests.boot.test_trial import finding
from tests.plan.plans import EVERY, found, plan
from tests.run.steps import make

__all__ = ["make"]  # the fixture
READY = ("trial ready systemd-boot",)
BOOTING = "trial booting generation 2 is booted once at the next start; 1 stays the default"


def proved(make: Any, *answers: Any, **choices: object) -> Any:
    """A system that was activated and needs a reboot."""
    here = found()
    work = make(*answers, snapshot=here, made=plan(here, selected=EVERY), stage=Proved, **choices)
    assert any(one.nix.root for one in work.needed_builds)
    waits = finding("system.booted", Effect.PENDING)
    zswap = finding("latency.kernel", Effect.PENDING, "memory.zswap")
    swaps = finding("memory.sysctl", Effect.EFFECTIVE, "memory.swappiness")
    for one in (waits, zswap, swaps):
        work.record(FindingRecord.of(one))
    return work


def on_trial(what: Trial) -> Transaction:
    """A kept change of root's that is tried at a boot."""
    return Transaction(
        directory="/var/lib/workspace-tuning/runs/20261126t000000-abcd/transaction",
        alive=False,
        left_s=0,
        word="kept",
        reason="",
        trial=what,
    )


def test_what_needs_a_reboot_is_offered_as_a_trial_before_it_is_kept(make: Any) -> None:
    work = proved(make, READY, ("status kept r nixos 2", BOOTING), ("done",))
    kept = activate.decide(work)
    assert kept.tried
    assert [work.host.words(n)[1] for n in (0, 1)] == ["trial", "decide"]
    sent = work.host.stdin(0)
    assert sent.keys() == {"trial.sh", "check.sh", "probes", "checks", "options"}
    assert sent["options"].splitlines()[0] == b"confirm proof"
    assert b"check display\n" in sent["checks"]
    assert b"check memory.swappiness\n" in sent["checks"], "effective before it, so after it too"
    ended = finish.run(kept)
    assert ended.code is Outcome.ON_TRIAL
    assert "restart the machine" in ended.why


def test_a_change_on_trial_says_so_where_a_part_of_the_proof_is_not_known(make: Any) -> None:
    work = proved(make, READY, ("status kept r nixos 2", BOOTING), ("done",))
    work.record(FindingRecord.of(finding("before.boot-menu", Effect.UNKNOWN)))
    ended = finish.run(activate.decide(work))
    assert ended.code is Outcome.UNPROVED
    assert "restart the machine" in ended.why


@pytest.mark.parametrize("when", ["offered", "prepared"])
def test_where_it_cannot_be_tried_that_is_said_and_it_is_kept_as_before(
    make: Any, when: str
) -> None:
    why = "the boot menu does not list generation 2"
    none = f"trial none {why}"
    offered, kept = {
        "offered": ((none,), ("status kept r nixos 2",)),
        "prepared": (READY, ("status kept r nixos 2", none)),
    }[when]
    work = proved(make, offered, kept)
    assert not activate.decide(work).tried
    (step, *_) = [
        record for record in work.run.records(StepRecord, "shoshin") if record.step == "trial"
    ]
    assert step.why == f"not tried at the next boot: {why}; it is the default then"


def test_without_a_trial_nothing_is_offered(make: Any) -> None:
    work = proved(make, ("status kept r nixos 2",), trial="off")
    assert not activate.decide(work).tried
    assert work.host.words(0)[1] == "decide"


def test_another_change_is_refused_while_one_is_on_trial(make: Any) -> None:
    here = found()
    tried = Trial(state=TrialState.BOOTING, boot=here.facts["boot_id"], number=2)
    one = on_trial(tried)
    there = replace(here, transactions=(one,))
    assert read.on_trial(here) == ""
    why = read.on_trial(there)
    assert "run 20261126t000000-abcd is on trial there (booting" in why
    assert "tasks/rollback.py takes it back" in why
    work = make(snapshot=there)
    with pytest.raises(Over, match="waits for no answer now"):
        trial.choose(work)


def test_what_is_looked_at_while_a_change_is_on_trial_is_the_generation_that_is_tried(
    make: Any,
) -> None:
    """The profile is at the old one until the proof; what was activated is the new one."""
    here = found()
    one = on_trial(Trial(state=TrialState.BOOTING, boot=here.facts["boot_id"], number=2))
    both = (
        Generation(number=1, path="/nix/store/old", current=True),
        Generation(number=2, path="/nix/store/new", current=False),
    )
    here = replace(here, generations={**here.generations, "system": both})
    for transactions, path in (((), "/nix/store/old"), ((one,), "/nix/store/new")):
        now = replace(here, transactions=transactions)
        work = make(snapshot=now, made=plan(now, selected=EVERY))
        assert proof.context(work).generation(Layer.NIXOS) == path


def test_an_answer_ends_as_the_workspace_says(make: Any) -> None:
    here = found()
    tried = Trial(state=TrialState.PROVING, boot="earlier", number=2, booted=True)
    one = on_trial(tried)
    here = replace(here, transactions=(one,))
    cases = {
        ("keep", "kept generation 2"): Outcome.ANSWERED,
        ("undo", "undone the person said no"): Outcome.ANSWERED,
        ("keep", "undone display: found nothing"): Exit.ROLLED_BACK,
    }
    for (word, state), code in cases.items():
        shown = ("trial proving", "found effective display")
        answers = (shown, (f"answer {word}",), (f"trial {state}",))
        work = make(*answers, snapshot=here, answer=word)
        waiting = trial.choose(work)
        assert trial.answer(waiting).code is code
        assert work.host.words(1)[1:] == ["answer", one.directory, word]


@pytest.mark.parametrize(
    ("ended", "code"),
    [
        ("trial undone display: found nothing", Exit.ROLLED_BACK),
        ("trial went-back generation 2 did not come as far as its proof", Exit.ROLLED_BACK),
        ("trial broken by hand: this", Exit.UNKNOWN),
    ],
)
def test_a_run_that_may_restart_the_machine_ends_with_what_came_of_it(
    make: Any, ended: str, code: Exit
) -> None:
    here = found()
    busy = ("trial proving generation 2 runs since this boot", "boot another")
    work = make(
        ("restarting",),
        busy,
        (ended, "boot another"),
        snapshot=here,
        made=plan(here, selected=EVERY),
        stage=Kept,
        known={"tried": True},
        trial_reboot="allowed",
    )
    assert trial.boot.idle(work) == ""
    with pytest.raises(Over) as over:
        trial.boot(work)
    assert over.value.code is code
    assert work.host.words(0)[1] == "restart"


def test_a_restart_is_left_to_a_person_unless_the_inventory_allows_it(make: Any) -> None:
    here = found()
    work = make(snapshot=here, made=plan(here, selected=EVERY), stage=Kept, known={"tried": True})
    assert "left to a person" in trial.boot.idle(work)


def test_no_system_is_made_while_one_runs_whose_change_was_undone(make: Any) -> None:
    """It would be proved by what the next restart takes away, and be kept without a trial."""
    here = found()
    ran = Trial(state=TrialState.UNDONE, boot="earlier", number=2, booted=True)
    one = on_trial(ran)
    there = replace(here, transactions=(one,))
    work = make(snapshot=there, made=plan(there, selected=EVERY))
    with pytest.raises(Over, match="generation 2 still runs") as over:
        activate.preflight(work)
    assert over.value.code is Exit.LOCKED
    assert "restart the machine" in over.value.why
    later = replace(on_trial(replace(ran, state=TrialState.KEPT)), number=2)
    assert replace(here, transactions=(one, later)).runs_on is None, "it was proved since"
    assert replace(here, transactions=(on_trial(replace(ran, booted=False)),)).runs_on is None


def test_no_system_is_made_while_another_users_is_on_trial(make: Any) -> None:
    """A machine boots one change once; the other's record is not ours to read."""
    here = found()
    there = replace(here, facts={**here.facts, "trial_of": "other 20261126t000000-abcd"})
    work = make(snapshot=there, made=plan(there, selected=EVERY))
    with pytest.raises(Over, match="run 20261126t000000-abcd of other is on trial") as over:
        activate.preflight(work)
    assert over.value.code is Exit.LOCKED


def test_a_system_on_trial_is_not_called_one_that_has_to_be_built() -> None:
    """Its profile is at the old generation until it is proved."""
    here = found()
    both = (
        Generation(number=1, path="/nix/store/old", current=True),
        Generation(number=2, path="/nix/store/new", current=False),
    )
    here = replace(here, generations={**here.generations, "system": both})
    first = next(one for one in plan(here, selected=EVERY).builds if one.nix.root)
    built = {"nixos": LastBuild(inputs=first.inputs, path="/nix/store/new")}
    here = replace(here, built=built)
    assert next(one for one in plan(here, selected=EVERY).builds if one.nix.root).needed
    tried = on_trial(Trial(state=TrialState.BOOTING, number=2))
    here = replace(here, transactions=(tried,))
    assert not next(one for one in plan(here, selected=EVERY).builds if one.nix.root).needed


def test_a_trial_stands_in_the_journal_of_a_run_and_in_its_report(make: Any) -> None:
    here = found()
    ran = Trial(
        state=TrialState.WENT_BACK,
        reason="generation 2 did not come as far as its proof",
        number=2,
        found=("effective boot.kernel",),
        journal=("kernel: <nouveau> failed", "--", "the last line"),
    )
    work = make(snapshot=here)
    read.seen(work, replace(here, transactions=(on_trial(ran),)))
    (record,) = work.run.records(TrialRecord, "shoshin")
    assert record.stands == f"went back by itself: {ran.reason}"
    report = build([load(work.run.journal.path)])
    (told,) = report.workspaces
    assert told.trial == record
    text = page(report)
    assert "Trial at a boot" in text
    assert "kernel: &lt;nouveau&gt; failed" in text
