"""What undoes a change, what does not, and what the record says of each setting then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from converge.effect import BY_A_RESTART, Effect, Finding, remedy
from converge.plan.rollout import Clock, Stage
from converge.plan.standing import Stand, Standing
from converge.plan.written import OWN, SettingProof, digest_of
from converge.proof import keep
from converge.proof.touched import Touched, touched
from converge.setting import Layer, Phase
from converge.subjects.checks import ITEMS
from converge.subjects.settings import ALL, BY_ID

EVERYTHING = touched(frozenset(Layer), (), ALL, ITEMS)
DESKTOP = touched(frozenset({Layer.PLASMA, Layer.SESSION}), ("kwinrc",), ALL, ITEMS)
CLOCK = Clock(boot="b", uptime_s=50)
BLUR = BY_ID["kwin.blur"]


def item(check: str, effect: Effect = Effect.NOT_EFFECTIVE, **fields: object) -> Finding:
    return Finding(check=check, effect=effect, **fields)  # type: ignore[arg-type]


def setting(name: str, effect: Effect, **fields: object) -> Finding:
    return item(BY_ID[name].check, effect, setting=name, **fields)


def undoing(*after: Finding, before: tuple[Finding, ...] = (), by: Touched = EVERYTHING) -> bool:
    brought = frozenset(one.id for one in ITEMS if one.brought)
    return bool(keep.against(before, after, by, brought=brought))


# -- what undoes a change -------------------------------------------------------------------------


def test_a_fault_that_was_there_before_is_known_by_its_check_and_not_by_its_words() -> None:
    """U19: the error of a build names another store path each time."""
    assert undoing(item("nix.build", found="/nix/store/b failed"))
    before = (item("nix.build", found="/nix/store/a failed"),)
    assert not undoing(item("nix.build", found="/nix/store/b failed"), before=before)


def test_a_check_of_what_the_run_did_not_touch_never_undoes_it() -> None:
    """U19: nix cannot build, and the run changes kwinrc and a variable."""
    assert not undoing(item("nix.build"), by=DESKTOP)
    assert not undoing(setting("libraries.leaf.home", Effect.NOT_EFFECTIVE), by=DESKTOP)
    assert not undoing(setting("baloo.basic-indexing", Effect.NOT_EFFECTIVE), by=DESKTOP)
    assert undoing(setting("kwin.blur", Effect.NOT_EFFECTIVE), by=DESKTOP)
    assert undoing(item("user.state", faults=frozenset({"x.service"})), by=DESKTOP)


def test_a_new_fault_beside_an_old_one_undoes_the_change() -> None:
    old = item("system.state", faults=frozenset({"x.service"}))
    assert not undoing(old, before=(old,))
    worse = item("system.state", faults=frozenset({"x.service", "y.service"}))
    assert undoing(worse, before=(old,))
    assert not undoing(old, before=(worse,))


def test_what_the_run_brings_about_has_no_excuse() -> None:
    old = item("generation.system")
    assert undoing(old, before=(old,))


def test_a_setting_has_no_excuse_and_a_reminder_decides_nothing() -> None:
    old = setting("kwin.blur", Effect.NOT_EFFECTIVE)
    assert undoing(old, before=(old,))
    assert not undoing(item("journal.crashes", counts=False))


@pytest.mark.parametrize("name", ["kwin.blur", "video.variables", "journal.memory"])
def test_a_proof_that_could_not_be_had_is_none(name: str) -> None:
    """U18: a question about what the change can have touched has no answer."""
    made = setting if name in BY_ID else item
    assert undoing(made(name, Effect.UNKNOWN, answered=False))
    assert not undoing(made(name, Effect.UNKNOWN, reason="vainfo is not installed"))
    assert not undoing(setting("memory.zram", Effect.UNKNOWN, answered=False), by=DESKTOP)


def test_a_question_that_nobody_answered_before_either_is_not_the_runs() -> None:
    silent = item("journal.memory", Effect.UNKNOWN, answered=False)
    assert not undoing(silent, before=(silent,))
    assert undoing(silent, before=(item("journal.memory", Effect.EFFECTIVE),))


# -- what a change can have touched ---------------------------------------------------------------


def test_what_has_to_hold_after_any_change_is_asked_after_each() -> None:
    always = {"system.state", "user.state", "journal.crashes", "journal.memory", "kwin.compositing"}
    for layer in Layer:
        found = touched(frozenset({layer}), (), ALL, ITEMS)
        assert always <= found.items


def test_a_new_system_can_have_touched_every_setting() -> None:
    assert touched(frozenset({Layer.NIXOS}), (), ALL, ITEMS).settings == BY_ID.keys()


def test_a_new_home_touches_no_setting_of_the_system() -> None:
    found = touched(frozenset({Layer.HOME_MANAGER}), (), ALL, ITEMS).settings
    assert found == {one.id for one in ALL if one.layer is not Layer.NIXOS}


def test_a_kde_file_touches_the_rows_of_the_program_that_reads_it() -> None:
    found = touched(frozenset({Layer.PLASMA}), ("kdeglobals",), ALL, ITEMS).settings
    assert {"kwin.blur", "desktop.animation-speed"} <= found
    assert not {one for one in found if one.startswith(("baloo.", "video.", "libraries."))}


def test_no_change_touches_nothing() -> None:
    found = touched(frozenset(), (), ALL, ITEMS)
    assert (found.settings, found.items) == (frozenset(), frozenset())


# -- the record -----------------------------------------------------------------------------------


def proof(effect: str, **fields: object) -> SettingProof:
    held = {"run": "old", "boot": "b", "uptime_s": 5, "digest": digest_of(BLUR), **fields}
    return SettingProof(effect=effect, **held)  # type: ignore[arg-type]


def planned(old: SettingProof | None, stand: Stand = Stand.IN_FORCE) -> dict[str, SettingProof]:
    recorded = {BLUR.id: old} if old else {}
    standings = [Standing(setting=BLUR, stand=stand)]
    return keep.intended(recorded, standings, run="new", clock=CLOCK)


def after(
    old: SettingProof | None, effect: Effect, *, by: Touched | None = EVERYTHING
) -> SettingProof:
    findings = [setting(BLUR.id, effect)]
    return keep.proved(planned(old), findings, by, run="new", clock=CLOCK)[BLUR.id]


def test_what_is_newly_in_force_is_not_proved_before_somebody_looked() -> None:
    one = planned(None)[BLUR.id]
    assert (one.effect, one.holds, one.run, one.uptime_s) == ("unknown", False, "new", 50)
    assert planned(proof("effective", digest="another"))[BLUR.id].effect == "unknown"
    assert planned(proof("effective"))[BLUR.id] == proof("effective")


@pytest.mark.parametrize(
    "stand", [Stand.EXCLUDED, Stand.WITHHELD, Stand.CONSENT, Stand.NOT_APPLICABLE]
)
def test_what_is_taken_out_of_force_loses_its_proof(stand: Stand) -> None:
    assert planned(proof("effective"), stand) == {}


@pytest.mark.parametrize("stand", [Stand.LOCKED, Stand.HELD])
def test_what_is_locked_or_held_back_is_wanted_and_has_to_be_looked_at_anew(stand: Stand) -> None:
    """Such a setting was never let in, so a staged rollout never came past its phase."""
    assert planned(proof("effective"), stand)[BLUR.id].never
    assert planned(proof("not effective"), stand)[BLUR.id] == proof("not effective")
    assert planned(proof(OWN), Stand.HELD)[BLUR.id].holds, "it is the user's own choice"


def test_a_run_looks_at_what_nobody_looked_at_and_a_rollout_at_what_may_have_come() -> None:
    standings = [Standing(setting=BLUR, stand=Stand.IN_FORCE)]
    for old, plain, staged in (
        (None, True, True),
        (proof("pending"), False, True),
        (proof("not effective"), False, True),
        (proof("effective"), False, False),
    ):
        recorded = planned(old)
        assert bool(keep.to_prove(recorded, standings, staged=False)) is plain, old
        assert bool(keep.to_prove(recorded, standings, staged=True)) is staged, old


def test_a_look_lets_nothing_in_and_keeps_a_proof_that_nobody_could_have_now() -> None:
    standings = [Standing(setting=BLUR, stand=Stand.IN_FORCE)]

    def since(old: SettingProof | None, effect: Effect) -> str:
        recorded = {BLUR.id: old} if old else {}
        found = [setting(BLUR.id, effect)]
        now = keep.found_since(recorded, standings, found, run="new", clock=CLOCK)
        return now[BLUR.id].effect if now else ""

    assert since(None, Effect.EFFECTIVE) == "", "it was not let in"
    assert since(proof("pending"), Effect.EFFECTIVE) == "effective"
    assert since(proof("effective"), Effect.NOT_EFFECTIVE) == "not effective"
    assert since(proof("effective"), Effect.PENDING) == "effective"
    assert since(proof("pending", digest="another"), Effect.EFFECTIVE) == "pending"


def test_what_belongs_to_another_phase_keeps_its_proof_and_gets_none() -> None:
    assert planned(proof("effective"), Stand.OTHER_PHASE) == {BLUR.id: proof("effective")}
    assert planned(None, Stand.OTHER_PHASE) == {}


def test_an_effect_is_kept_with_the_time_since_when_it_is_so() -> None:
    assert after(proof("effective"), Effect.EFFECTIVE) == proof("effective")
    now = after(proof("pending"), Effect.EFFECTIVE)
    assert (now.effect, now.run, now.boot, now.uptime_s) == ("effective", "new", "b", 50)


@pytest.mark.parametrize("effect", [Effect.PENDING, Effect.UNKNOWN])
def test_a_proof_stays_where_nobody_is_there_to_ask_and_nothing_was_touched(effect: Effect) -> None:
    nothing = Touched(settings=frozenset(), items=frozenset())
    assert after(proof("effective"), effect, by=nothing) == proof("effective")
    assert after(proof("effective"), effect).effect == effect.value
    assert after(proof("effective"), Effect.NOT_EFFECTIVE, by=nothing).holds is False


def test_pending_is_no_proof() -> None:
    assert after(None, Effect.PENDING).holds is False
    assert after(None, Effect.NOT_APPLICABLE).holds is True


def test_what_the_user_decided_otherwise_holds_no_rollout_up() -> None:
    findings = [setting(BLUR.id, Effect.NOT_EFFECTIVE, counts=False)]
    found = keep.proved(planned(None), findings, EVERYTHING, run="new", clock=CLOCK)[BLUR.id]
    assert found.holds


# -- the next phase of a staged rollout -----------------------------------------------------------

NEXT = Stage(phases=frozenset(Phase), entering=Phase.RUNTIMES, after=Phase.LIBRARIES)


@pytest.mark.parametrize("check", sorted(keep.HEALTH))
@pytest.mark.parametrize("effect", [Effect.UNKNOWN, Effect.NOT_EFFECTIVE])
def test_a_phase_is_not_let_in_where_health_is_bad_or_cannot_be_seen(
    check: str, effect: Effect
) -> None:
    why = keep.held_back(NEXT, [item("disk.room"), item(check, effect, title="T", reason="R")])
    assert why == f"phase 2 is not let in after phase 1: T: {effect}: R"


@pytest.mark.parametrize("effect", [Effect.EFFECTIVE, Effect.PENDING, Effect.NOT_APPLICABLE])
def test_a_healthy_workspace_lets_the_next_phase_in(effect: Effect) -> None:
    assert keep.held_back(NEXT, [item(check, effect) for check in keep.HEALTH]) == ""


def test_health_is_asked_before_each_change_and_decides_only_about_a_next_phase() -> None:
    assert {one.id for one in ITEMS} >= keep.HEALTH
    bad = [item("system.state")]
    first = Stage(phases=frozenset({Phase.LIBRARIES}), entering=Phase.LIBRARIES)
    assert keep.held_back(first, bad) == ""
    assert keep.held_back(Stage(phases=frozenset(Phase)), bad) == ""


# -- what is open since an earlier run ------------------------------------------------------------

THEN = "then tasks/verify.py"
AT_LOGIN = "log out and in, then tasks/verify.py"
AT_BOOT = "restart the machine, then tasks/verify.py"


def left(one: SettingProof, *, boot: str = CLOCK.boot) -> str:
    clock = replace(CLOCK, boot=boot)
    stands = [Standing(setting=BLUR, stand=Stand.IN_FORCE)]
    return keep.still_open({BLUR.id: one}, stands, clock)


@pytest.mark.parametrize("how", [AT_LOGIN, AT_BOOT])
def test_what_is_pending_since_an_earlier_run_is_named_with_what_makes_it_effective(
    how: str,
) -> None:
    waiting = proof("pending", boot=CLOCK.boot, waits=how)
    act = how.partition(", then")[0]
    assert left(waiting) == f"1 pending since an earlier run: {act} (kwin.blur); {THEN}"
    restarted = "the machine was restarted since (kwin.blur)"
    assert left(waiting, boot="later") == f"1 pending since an earlier run: {restarted}; {THEN}"


def test_what_waits_for_a_program_or_for_a_group_says_so_and_waits_for_no_restart() -> None:
    one = Finding(
        check="baloo.config",
        title="",
        phase=Phase.DESKTOP,
        effect=Effect.PENDING,
        reason="Baloo is not installed; the file is right",
    )
    assert remedy(one) == "once Baloo is installed, then tasks/verify.py"
    assert remedy(one) not in BY_A_RESTART
    closed = replace(
        one,
        effect=Effect.UNKNOWN,
        reason="not permitted to read the kernel messages of the journal",
    )
    assert remedy(closed) == (
        "add the user to the group systemd-journal, log in again, then tasks/verify.py"
    )


def test_a_restart_starts_no_application_and_answers_no_question() -> None:
    menu = "start one from the menu, then tasks/verify.py"
    assert "start one from the menu (kwin.blur)" in left(proof("pending", waits=menu), boot="later")
    silent = "vainfo is not installed; then tasks/verify.py"
    assert "vainfo is not installed (kwin.blur)" in left(
        proof("unknown", waits=silent), boot="later"
    )


def test_what_was_proved_meanwhile_is_not_named() -> None:
    assert not left(proof("effective"))


def test_what_nobody_looked_at_and_what_has_no_effect_is_named_too() -> None:
    assert left(proof("unknown")) == f"1 not looked at yet: kwin.blur; {THEN}"
    text = f"1 not effective since an earlier run: kwin.blur; {THEN}"
    assert left(proof("not effective")) == text


def test_the_record_says_what_an_effect_waits_for_and_another_wait_changes_no_time() -> None:
    first = keep.proved(
        planned(None),
        [setting(BLUR.id, Effect.PENDING, reason="at the next login")],
        EVERYTHING,
        run="new",
        clock=CLOCK,
    )[BLUR.id]
    assert first.waits == AT_LOGIN
    later = keep.proved(
        {BLUR.id: replace(first, run="old")},
        [setting(BLUR.id, Effect.PENDING, reason="at the next boot")],
        EVERYTHING,
        run="new",
        clock=CLOCK,
    )[BLUR.id]
    assert (later.waits, later.run) == (AT_BOOT, "old")
