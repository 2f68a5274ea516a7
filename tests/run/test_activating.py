"""Activating and undoing, as steps of a run: what is sent, and how each end is reported."""

from __future__ import annotations

import base64
import io
import tarfile
from dataclasses import replace
from typing import Any

import pytest

from converge.exits import Exit, Outcome
from converge.plan.snapshot import Transaction
from tasks.reach.remote import program
from tasks.reach.remote import text as plain
from tasks.run.stages import Built, Kept, Over, Proved, Workspace
from tasks.steps import activate, back, finish, transaction
from tasks.steps import read as reading
from tests.plan.plans import EVERY, found, plan
from tests.proof.checks import PROJECT
from tests.run.steps import make

__all__ = ["make"]


def test_a_transaction_is_sent_whole_and_its_secrets_for_its_owner_alone(make: Any) -> None:
    work = make(("started process", "status activated r"), stage=Built)
    assert activate.begin(work).take_back
    assert work.host.words(0) == [
        *("workspace-transact", "start"),
        *(f"{work.snapshot.state}/runs/{work.run.id}/transaction", "20"),
    ]
    assert len(work.host.commands) == 1, "the activation is waited for where it is begun"
    packed = base64.b64decode(work.host.commands[0][1]["_stdin"])
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        modes = {member.name: member.mode for member in archive}
    assert {name for name, mode in modes.items() if mode == 0o600} == {"live", "written"}
    sent = work.host.stdin(0)
    for name in ("transact", "write", "rollback"):
        assert sent[f"{name}.sh"].decode() == program(name)
    for part in activate.UNDO:
        assert plain(PROJECT / f"converge/remote/{part}.sh").encode() in sent["undo.sh"]
    assert sent["entries.awk"].decode() == plain(PROJECT / "converge/remote/entries.awk")


def test_an_activation_that_takes_longer_than_one_question_is_asked_about_again(make: Any) -> None:
    slow = ("started process", "status activating r"), ("status activating r",)
    work = make(*slow, ("status activated r",), stage=Built)
    assert activate.begin(work).take_back
    assert [work.host.words(number)[1] for number in range(3)] == ["start", "wait", "wait"]


def test_the_plan_of_a_transaction_says_from_which_state_it_is_undone(make: Any) -> None:
    here = found(running_system="/nix/store/running")
    here = replace(
        here,
        facts={**here.facts, "XDG_DATA_HOME": "/d here"},
        transactions=(
            Transaction(
                directory="/s/runs/r/transaction",
                number=6,
                alive=False,
                left_s=0,
                word="kept",
                reason="",
            ),
        ),
    )
    work = make(
        snapshot=here,
        made=plan(here, selected=EVERY),
        deadline_s=77,
        stage=Built,
        known={
            "paths": {"nixos": "/nix/store/new-system", "home-manager": "/nix/store/new-home"},
            "records": (("/a/layer", "user", "home-manager"), ("/b/layer", "root", "nixos")),
        },
    )
    lines = list(activate.plan_lines(work, 2))
    for line in (
        *(f"run {work.run.id}", "number 7", "deadline 77", "user mitsio"),
        *("record /a/layer user home-manager", "record /b/layer root nixos"),
        *(f"variable HOME={here.home}", "variable XDG_DATA_HOME=/d here"),
        f"live {work.record_directory}/live-2 user",
        "nixos /nix/store/new-system /nix/var/nix/profiles/system 42 /nix/store/running",
        f"home-manager /nix/store/new-home {here.profiles['home']} 7 /nix/store/home-7",
    ):
        assert line in lines
    runs = f"/var/lib/workspace-tuning/runs/{work.choices.user}"
    assert transaction.directory(work) == f"{runs}/{work.run.id}/transaction"
    assert work.as_root


@pytest.mark.parametrize(
    ("stale_by", "says"),
    [
        ("/x", "kept changing while it was to be written; nothing was changed"),
        (
            "/x: KConfig's lock is held by process 7 (kwin) on h",
            "^/x: KConfig's lock is held by process 7 .kwin. on h; nothing was changed; run again",
        ),
    ],
)
def test_a_file_that_cannot_be_had_is_tried_three_times_and_then_left(
    make: Any, monkeypatch: pytest.MonkeyPatch, stale_by: str, says: str
) -> None:
    stale = (("started process",), (f"status undone nothing was changed: stale {stale_by}",))
    work = make(*stale * 3, stage=Built)
    monkeypatch.setattr(reading, "take_again", lambda _: found())
    monkeypatch.setattr(reading, "plan_for", lambda _, here: plan(here))
    with pytest.raises(Over, match=says):
        activate.begin(work)
    sent = [c[1]["_stdin"] for c in work.host.commands if "_stdin" in c[1]]
    assert len(sent) == 3


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("status undone nothing was changed: refused /x: is a link", Exit.FAILED),
        ("status undone the system was switched, but units failed (exit 4)", Exit.ROLLED_BACK),
        ("status broken by hand: this", Outcome.ROLLBACK_FAILED),
        ("gone activating", Exit.UNKNOWN),
        ("gone activating /x: cannot be written: No space left on device", Exit.UNKNOWN),
        ("none", Exit.FAILED),
    ],
)
def test_every_end_of_an_activation_has_its_exit_code(
    make: Any, status: str, code: Exit | Outcome
) -> None:
    with pytest.raises(Over) as over:
        activate.begin(make(("started process",), (status,), stage=Built))
    assert over.value.code is code


@pytest.mark.parametrize(
    ("disproved", "verb", "answer", "code"),
    [
        ("", "confirm", ("status kept r",), None),
        ("kwin.contrast: found true", "undo", ("status undone not proved",), Exit.ROLLED_BACK),
        ("", "confirm", ("status undone nobody confirmed it within 30 s",), Exit.ROLLED_BACK),
        ("x", "undo", ("status broken by hand: this",), Outcome.ROLLBACK_FAILED),
    ],
)
def test_what_was_proved_is_confirmed_and_what_was_not_is_undone(
    make: Any,
    disproved: str,
    verb: str,
    answer: tuple[str, ...],
    code: Exit | Outcome | None,
) -> None:
    work = make(answer, stage=Proved, known={"disproved": disproved})
    if code is None:
        assert type(activate.decide(work)) is Kept
    else:
        with pytest.raises(Over) as over:
            activate.decide(work)
        assert over.value.code is code
    assert work.host.words()[3] == verb


@pytest.mark.parametrize("released", [True, False])
def test_a_lock_that_went_with_the_decision_is_not_released_again(
    make: Any, released: bool
) -> None:
    answer = ("status kept r", *(["released"] if released else []))
    work = make(answer, (), stage=Proved, known={"holds_lock": True})
    finish.run(activate.decide(work))
    assert work.host.words(0)[-1] == work.lock
    assert [words[3] for words, _ in work.host.commands[1:]] == (
        [] if released else ["workspace-release"]
    )


def test_a_line_that_stays_dead_ends_as_unknown_with_the_time_until_it_is_undone(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Workspace, "reconnect", lambda _: False)
    with pytest.raises(Over, match="undone there within 45 s") as over:
        activate.decide(make(False, deadline_s=45, stage=Proved))
    assert (over.value.short, over.value.code) == ("connection lost", Exit.UNKNOWN)


def test_a_question_is_asked_again_on_a_new_line_but_a_transaction_is_never_begun_twice(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Workspace, "reconnect", lambda _: True)
    work = make(False, ("status activated r",), False, ("status kept r",))
    assert transaction.ask(work, "start", stdin="x").of("status") == ("activated r",)
    assert transaction.ask(work, "decide", "confirm").of("status") == ("kept r",)
    verbs = [work.host.words(number)[1] for number in range(4)]
    assert verbs == ["start", "wait", "decide", "decide"]


def test_a_rollback_names_the_parts_and_never_tears_one(make: Any) -> None:
    assert back.parts(make()) == ()
    assert back.parts(make(layers=["plasma", "session"])) == ("plasma+session",)
    assert back.parts(make(layers=["nixos", "home-manager"])) == ("nixos", "home-manager")
    assert back.parts(make(layers=["plasma"])) == ("plasma+session",), "an inventory's half"
    asked = make(layers=["plasma"])
    asked.run.given = frozenset({"layers"})
    with pytest.raises(Over, match="name both"):
        back.parts(asked)


def kept(number: int, run: str, word: str = "kept") -> Transaction:
    place = f"/s/runs/{run}/transaction"
    return Transaction(directory=place, number=number, alive=False, left_s=0, word=word, reason="")


def test_the_newest_run_in_force_is_rolled_back_or_the_one_that_is_named(make: Any) -> None:
    runs = (kept(1, "b"), kept(2, "a"), kept(3, "c", "undone"))
    here = replace(found(), transactions=runs)
    newest = back.chosen(make(snapshot=here), ())
    assert newest is not None
    assert newest.run == "a"
    parts = {"home-manager": "in-force", "plasma+session": "undone"}
    halved = (runs[0], replace(runs[1], parts=parts))
    older = back.chosen(make(snapshot=replace(here, transactions=halved)), ("plasma+session",))
    assert older is not None
    assert older.run == "b"
    named = make(snapshot=here, run="20260101t000000-abcd")
    assert back.chosen(named, ()) is None
