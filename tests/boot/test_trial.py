"""The states of a trial, what its record says, and what is asked after the boot."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from converge.boot import checks, wanted
from converge.effect import Effect, Finding
from converge.exits import Exit, Outcome
from converge.profile.choices import Choices
from converge.subjects.checks import PROOFS
from converge.trial import MOVES, Trial, TrialState, parse
from tests.conftest import PROJECT

BY_ID = {proof.id: proof for proof in PROOFS}
CHOICES = Choices(workspace="w", profile="p.yaml", user="u", host="w")


def finding(check: str, effect: Effect, setting: str = "") -> Finding:
    return Finding(
        check=check,
        setting=setting,
        title="",
        phase="",
        effect=effect,
        expected="",
        found="",
        reason="after a reboot",
        counts=True,
        faults=frozenset(),
        answered=True,
    )


def test_every_state_has_an_end_and_no_end_goes_on() -> None:
    for state in TrialState:
        seen, next_ = {state}, set(MOVES[state])
        while next_ - seen:
            seen |= next_
            next_ = {after for one in next_ for after in MOVES[one]}
        assert any(not MOVES[one] for one in seen), state
    ends = {one for one in TrialState if not MOVES[one]}
    assert ends == {TrialState.KEPT, TrialState.UNDONE, TrialState.WENT_BACK, TrialState.BROKEN}
    assert not any(end.open for end in ends)
    assert not TrialState.NONE.open


def test_nothing_is_kept_that_was_not_proving() -> None:
    """The only way to the default leads through the proof."""
    assert {state for state in TrialState if TrialState.KEPT in MOVES[state]} == {
        TrialState.KEEPING
    }
    before = {state for state in TrialState if TrialState.KEEPING in MOVES[state]}
    assert before == {TrialState.PROVING, TrialState.KEEPING}


def test_the_program_writes_the_states_of_the_table_alone() -> None:
    text = "".join(
        (PROJECT / "converge/remote" / f"{name}.sh").read_text() for name in ("trial", "prove")
    )
    told = set(
        re.findall(r"^[^#\n]*?\b(?:state|ends|undo_all) ([a-z-]+) [\"$]", text, re.MULTILINE)
    )
    assert told <= {state.value for state in TrialState}
    assert {"booting", "proving", "keeping", "kept", "undoing", "undone", "went-back"} <= told


@pytest.mark.parametrize(
    ("now", "booted", "says"),
    [
        ("armed", False, "booting: generation 5 is booted once at the next start"),
        ("later", False, "went back: generation 5 did not come up"),
        ("later", True, "booting: generation 5 runs, and its proof has not begun"),
    ],
)
def test_a_trial_that_waits_is_told_from_one_that_did_not_come_up(
    now: str, booted: bool, says: str
) -> None:
    one = Trial(state=TrialState.BOOTING, boot="armed", number=5, booted=booted)
    assert one.stands(now).startswith(says)
    assert "tasks/rollback.py takes it back" in one.next_step(now)


def test_a_person_is_sent_to_an_answer_only_where_one_is_waited_for() -> None:
    text = (PROJECT / "converge/remote/prove.sh").read_text()
    reasons = re.findall(r'state proving "(.*?)"', text)
    asked = {
        reason: Trial(state=TrialState.PROVING, reason=reason).next_step("now")
        for reason in reasons
    }
    assert [next_.startswith("tasks/confirm.py keeps it") for next_ in asked.values()] == [
        "answer of a person" in reason for reason in reasons
    ]
    assert len(asked) == 2
    assert any("tasks/rollback.py takes it back" in next_ for next_ in asked.values())


def test_a_generation_that_was_undone_and_runs_is_left_by_a_restart() -> None:
    for state in (TrialState.UNDONE, TrialState.WENT_BACK):
        one = Trial(state=state, number=5, booted=True)
        assert one.next_step("now").startswith("restart the machine")
        assert replace(one, booted=False).next_step("now") == ""


def test_a_record_is_read_as_it_is_and_a_damaged_one_is_broken() -> None:
    directory, one = parse("/r/1/transaction abc 7 no booting generation 7 is booted once")
    assert (directory, one.number, one.boot) == ("/r/1/transaction", 7, "abc")
    assert (one.state, one.reason) == (TrialState.BOOTING, "generation 7 is booted once")
    assert parse("/r - 0 no nonsense here")[1].state is TrialState.BROKEN
    for wrong in ("/r abc 7 maybe kept", "/r abc x no kept", "/r abc"):
        with pytest.raises(ValueError, match=r".+"):
            parse(wrong)


def test_a_trial_is_due_where_the_boot_differs_and_the_machine_has_a_boot_of_its_own() -> None:
    pending = [finding(wanted.BOOTED, Effect.PENDING)]
    assert wanted.due(CHOICES, pending)
    assert not wanted.due(CHOICES, [finding(wanted.BOOTED, Effect.EFFECTIVE)])
    assert not wanted.due(replace(CHOICES, trial="off"), pending)
    assert not wanted.due(replace(CHOICES, root="/box"), pending)


def test_on_trial_is_no_proof() -> None:
    """Workspaces that wait for a canary's proof do not accept a trial as a proof."""
    assert Outcome.ON_TRIAL.exit is Exit.DONE
    assert Outcome.ON_TRIAL is not Outcome.PROVED
    text = (PROJECT / "tasks/run/canary.py").read_text()
    assert "is not Outcome.ON_TRIAL" in text


def test_checks_are_written_a_line_each_and_never_torn() -> None:
    one = checks.BootCheck(
        name="memory.zswap",
        ask=checks.Ask("file", ("/sys/x y",), limit=3),
        rules=(checks.is_("N"), checks.lines("^a", "b$")),
        within_s=9,
    )
    assert checks.written([one]).splitlines() == [
        "check memory.zswap",
        "within 9",
        "limit 3",
        "word file",
        "word /sys/x y",
        "is N",
        "lines ^a\tb$",
    ]
    torn = checks.BootCheck(name="x", ask=checks.Ask("file"), rules=(checks.is_("N\ncheck y"),))
    with pytest.raises(ValueError, match="line break"):
        checks.written([torn])


def test_what_waits_for_the_boot_is_asked_after_it() -> None:
    """Each proof of a setting that needs a boot has a question for after the boot."""
    for name in ("memory.zram", "memory.sysctl", "storage.scheduler", "latency.kernel"):
        assert BY_ID[name].after_boot is not None, name
    for name in ("gpu.driver", "gpu.modeset", "gpu.graphics", "gpu.vainfo"):
        assert BY_ID[name].after_boot is not None, name
