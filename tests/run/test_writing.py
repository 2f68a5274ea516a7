"""Writing, as steps of a run: what is sent, which run holds the lock, what an answer means."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from converge.exits import Exit
from converge.proof import inquiry
from tasks.reach import remote
from tasks.reach.payload import pack
from tasks.reach.remote import program
from tasks.run.stages import Kept, Looked, Over, Written
from tasks.steps import activate, back, build, finish, write
from tasks.steps import read as reading
from tests.plan.plans import EVERY, found, plan
from tests.proof.checks import HOME
from tests.run.steps import DONE, make

__all__ = ["make"]
#: The lock is taken, and the questions behind it have no answer.
ASKED = (*DONE, inquiry.FIRST, "end")


def test_a_plan_without_changes_has_no_step_to_do(make: Any) -> None:
    work = make(made=replace(plan(found()), changes=(), builds=(), recorded=True))
    for step in (
        *(activate.preflight, write.layer_files, write.root_files, build.layers),
        *(activate.begin, activate.prove, activate.decide, finish.run),
    ):
        assert step.idle(work)


def test_the_lock_is_taken_with_the_users_layer_and_kept_for_what_follows(make: Any) -> None:
    left = "/home/me/.config/.kwinrc.wt-20260101t000000-aaaa"
    work = make(DONE, made=replace(plan(found()), sweep=(left,)), stage=Looked)
    written = write.layer_files(work)
    assert written.holds_lock and len(written.records) == 1
    name, run, place, lock, holder, keep = work.host.words()
    assert (name, run, keep) == ("workspace-write", work.run.id, "keep")
    assert place == f"{work.snapshot.state}/runs/{run}/layer"
    assert lock == f"{work.snapshot.state}/lock"
    assert len(holder.split(" ")) == 4
    assert "_sudo" not in work.host.commands[0][1]
    manifest = work.host.stdin()["manifest"]
    assert left in manifest.decode() and manifest.endswith(b"end\n")


def test_where_no_layer_of_the_users_changes_the_lock_is_taken_alone(make: Any) -> None:
    """In one command with the questions, and without a record of it."""
    work = make(ASKED)
    looked = activate.preflight(work)
    name, run, lock, holder = work.host.words(0)
    assert (name, run, lock) == ("workspace-take", work.run.id, f"{work.snapshot.state}/lock")
    assert len(holder.split(" ")) == 4
    written = write.layer_files(looked)
    assert written.holds_lock and written.records == ()
    ((command, _),) = work.host.commands
    assert command.count(remote.text(remote.PROGRAMS / "common.sh")) == 1


@pytest.mark.parametrize(
    "what", ["a file", "a file of root's", "a staged file", "nothing to prove"]
)
def test_the_lock_is_not_taken_before_something_else_is_written(make: Any, what: str) -> None:
    made = plan(found())
    inert = plan(found(), selected=EVERY).inert
    made = {
        "a file": replace(made, changes=tuple(one for one in inert if not one.root)),
        "a file of root's": replace(made, changes=tuple(one for one in inert if one.root)),
        "a staged file": replace(made, sweep=("/home/mitsio/.config/.kwinrc.wt-x",)),
        "nothing to prove": replace(made, changes=(), builds=(), recorded=False),
    }[what]
    assert make().only_locks and made != plan(found())
    assert not make(made=made).only_locks


def test_a_lock_that_another_run_holds_is_told_and_nothing_was_asked(make: Any) -> None:
    with pytest.raises(Over, match=r"^locked by run r of h$") as over:
        activate.preflight(make(("lock run r", "lock host h", "locked")))
    assert over.value.code is Exit.LOCKED


def test_a_lock_whose_answer_was_lost_is_asked_for_again(make: Any) -> None:
    work = make(TimeoutError(), ASKED)
    assert activate.preflight(work).holds_lock
    assert work.host.words(0) == work.host.words(1)


def test_questions_that_the_lock_did_not_answer_are_asked_alone(make: Any) -> None:
    work = make(DONE, ASKED[1:])
    assert activate.preflight(work).holds_lock
    assert [words[3] for words, _ in work.host.commands] == ["workspace-take", "workspace-check"]


def test_a_run_that_only_brings_the_record_up_to_date_gives_the_lock_back_at_once(
    make: Any,
) -> None:
    made = replace(plan(found()), changes=(), builds=(), recorded=False)
    work = make(DONE, made=made, stage=Looked)
    written = write.layer_files(work)
    assert work.host.words()[-1] == "release"
    assert f"{work.snapshot.state}/written.json" in work.host.stdin()["manifest"].decode()
    finish.run(Kept.of(written))
    assert len(work.host.commands) == 1, "the lock is not given back twice"


@pytest.mark.parametrize(("uid", "sudo"), [("0", True), ("1000", False)])
def test_files_of_root_are_written_with_sudo_where_it_is_needed_and_without_a_lock(
    make: Any, uid: str, sudo: bool
) -> None:
    here = found()
    here = replace(here, facts={**here.facts, "system_uid": uid})
    work = make(DONE, snapshot=here, made=plan(here, selected=EVERY), stage=Written)
    written = write.root_files(work)
    _, _, place, lock, _, keep = work.host.words()
    assert (place, lock, keep) == (
        f"/var/lib/workspace-tuning/runs/{work.choices.user}/{work.run.id}/layer",
        "",
        "keep",
    )
    assert work.host.commands[0][1].get("_sudo", False) is sudo
    assert written.records == ((place, "root" if sudo else "user", "nixos"),)


@pytest.mark.parametrize(("uid", "sudo"), [("0", True), ("1000", False)])
def test_both_layers_are_written_in_one_command_and_their_equal_files_sent_once(
    make: Any, uid: str, sudo: bool
) -> None:
    here = found()
    here = replace(here, facts={**here.facts, "system_uid": uid})
    made = plan(here, selected=EVERY)
    work = make(("done", "workspace-root", "done"), snapshot=here, made=made, stage=Looked)
    written = write.root_files(write.layer_files(work))
    (command,) = work.host.commands
    assert command[0].count(program("write")) == 1
    assert command[0][-1].startswith("cd / && PATH=") is sudo, (
        "root begins with nothing of a user's"
    )
    runs = f"/var/lib/workspace-tuning/runs/{work.choices.user}/{work.run.id}/layer"
    assert [place for place, _, _ in written.records] == [f"{work.record_directory}/layer", runs]
    user = [change for change in made.inert if not change.root]
    apart = [len(pack(changes, home=HOME)) for changes in (user, work.root_changes)]
    assert len(command[1]["_stdin"]) < sum(apart) - 10_000, "ten files of lib/ are the same"
    sent = work.host.stdin()
    assert {name.partition("/")[0] for name in sent} == {"user", "root"}
    for part, changes in (("user", user), ("root", work.root_changes)):
        for number, change in enumerate(changes, 1):
            assert sent[f"{part}/new/{number}"] == change.after


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (("failed no room",), "no room"),
        (("stale /x",), "/x was changed since it was read; nothing was written"),
        (("done", "workspace-root", "refused /y: is a link"), "/y: is a link"),
        (("done", "workspace-root", "failed no room"), "no room"),
        (("done", "workspace-root"), "connection lost: it gave no reason"),
        (OSError("cut"), "connection lost: cut"),
    ],
)
def test_every_answer_of_a_write_for_both_has_its_meaning(
    make: Any, answer: Any, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "take_again", lambda _: None)
    work = make(answer, made=plan(found(), selected=EVERY), stage=Looked)
    with pytest.raises(Over) as over:
        write.root_files(write.layer_files(work))
    assert over.value.short == why


def test_what_a_killed_run_left_beside_files_of_root_is_swept_by_root(make: Any) -> None:
    left = "/var/lib/workspace-tuning/nixos/.flake.nix.wt-20260101t000000-abcd"
    here = replace(found(), leftovers=(left, f"{HOME}/.config/.kwinrc.wt-1"))
    work = make(DONE, snapshot=here, made=plan(here), stage=Written)
    assert not write.root_files.idle(work)
    write.root_files(work)
    assert work.host.stdin()["manifest"].decode().startswith(f"sweep - - - {left}\nwhole")


@pytest.mark.parametrize(
    ("said", "do"),
    [
        ("No space left on device", "make room there"),
        ("Read-only file system", "make that file system writable"),
        ("Permission denied", "let this user write there"),
        ("Disk quota exceeded", "make room within the quota"),
    ],
)
def test_a_place_that_cannot_be_written_is_said_with_what_is_safe_and_what_to_do(
    make: Any, said: str, do: str
) -> None:
    work = make((f"failed /home/me/lock: cannot be written: {said}",))
    with pytest.raises(Over) as over:
        activate.preflight(work)
    assert str(over.value) == (
        f"/home/me/lock: cannot be written: {said}; this run has changed nothing; {do}, "
        "then run it again"
    )


def test_a_rollback_that_cannot_take_the_lock_does_not_call_the_change_undone(make: Any) -> None:
    """It said "no change is in force" of the change that it was to undo."""
    said = "failed /home/me/lock: cannot be written: Read-only file system"
    with pytest.raises(Over) as over:
        back.lock(make((said,), stage=Looked))
    assert "in force" not in str(over.value)
    assert "; this run has changed nothing; make that file system writable" in str(over.value)


@pytest.mark.parametrize(
    ("answer", "code", "why"),
    [
        (("stale /x",), None, "/x was changed since it was read; nothing was written"),
        (("refused /x: is a link",), None, "/x: is a link"),
        (("failed no room",), None, "no room"),
        (("lock run r", "lock host h", "locked"), Exit.LOCKED, "locked by another run"),
        (False, Exit.UNKNOWN, "connection lost: it gave no reason"),
        (TimeoutError(), Exit.UNKNOWN, "connection lost: TimeoutError"),
        (OSError("cut"), Exit.UNKNOWN, "connection lost: cut"),
        (PermissionError("sudo asks"), None, "sudo asks"),
    ],
)
@pytest.mark.parametrize("step", [write.layer_files, back.lock], ids=["write", "lock"])
def test_every_answer_of_a_write_has_its_meaning(
    make: Any,
    step: Any,
    answer: Any,
    code: Exit | None,
    why: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "take_again", lambda _: None)
    with pytest.raises(Over) as over:
        step(make(answer, stage=Looked))
    assert (over.value.short, over.value.code) == (why, code)
