"""A run that cannot go on undoes its active change, and no workspace ends the part of another."""

from __future__ import annotations

from typing import Any

import pytest

from converge.exits import Exit
from tasks.run import operations
from tasks.run.journal import Journal, JournalError
from tasks.run.stages import Built, Looked, Over, Planned, Proved
from tasks.steps import activate, transaction
from tests.plan.plans import EVERY, found, plan
from tests.run.steps import make

__all__ = ["make"]


def step_of(act: Any) -> operations.Step[Any, Any]:
    return operations.step("prove", gives=Proved)(act)


def never(_: Any) -> Any:
    pytest.fail("it goes on")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (("status undone not proved",), Exit.ROLLED_BACK),
        (("status broken by hand: this",), Exit.UNKNOWN),
        (("gone activated",), Exit.UNKNOWN),
    ],
)
def test_what_is_active_is_taken_back_when_a_run_is_interrupted(
    make: Any, answer: tuple[str, ...], code: Exit
) -> None:
    """The lock is released too, unless the state of the workspace is unknown (U20)."""
    work = make(("started process",), ("status activated r",), answer, True, stage=Built)
    active = activate.begin(work)
    work.run.interrupted = True
    assert operations.perform(active, step_of(never)) is None
    assert work.host.words(2)[1:] == ["decide", transaction.directory(work), "undo"]
    assert work.run.exits["shoshin"] is code
    released = [words[3] for words, _ in work.host.commands if words[3] == "workspace-release"]
    assert bool(released) is (answer != ("gone activated",))
    assert len(work.host.commands) == 3 + len(released), "it is taken back once"


def test_u20_a_run_that_is_interrupted_before_anything_is_active_gives_the_lock_back(
    make: Any,
) -> None:
    work = make(True, stage=Built)
    work.run.interrupted = True
    work.ends(Exit.FAILED, "ended after: build")
    assert operations.perform(work, step_of(never)) is None
    assert work.host.words() == ["workspace-release", work.run.id, work.lock]


def test_what_is_active_is_taken_back_when_there_is_no_journal_any_more(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = found()
    work = make(
        *(("started unit",), ("status activated r",), ("status undone not proved",), True),
        snapshot=here,
        made=plan(here, selected=EVERY),
        stage=Built,
        known={"paths": {"nixos": "/nix/store/new-system", "home-manager": "/nix/store/new-home"}},
    )
    active = activate.begin(work)

    def full(*_: object, **__: object) -> None:
        raise JournalError("no room")

    monkeypatch.setattr(Journal, "extend", full)
    assert operations.perform(active, step_of(never)) is None
    verb, place, word = work.host.words(2)[1:]
    assert (verb, word) == ("decide", "undo")
    assert place.startswith("/var/lib/workspace-tuning/")
    assert work.host.commands[2][1]["_sudo"] is True
    assert work.host.words() == ["workspace-release", work.run.id, work.lock]
    assert work.run.exits["shoshin"] is Exit.ROLLED_BACK
    assert work.run.whys["shoshin"] == "undone: no room"


@pytest.mark.parametrize(("code", "released"), [(None, True), (Exit.UNKNOWN, False)])
def test_a_step_that_fails_gives_the_lock_back_unless_the_state_is_unknown(
    make: Any, code: Exit | None, released: bool
) -> None:
    work = make(True)

    def act(_: Any) -> Any:
        raise Over("no room", code)

    assert operations.perform(work, step_of(act)) is None
    assert bool(work.host.commands) is released
    assert work.run.exits["shoshin"] is (code or Exit.FAILED)


@pytest.mark.parametrize(
    ("stage", "code"), [(Planned, Exit.FAILED), (Looked, Exit.UNKNOWN), (Built, Exit.UNKNOWN)]
)
def test_a_step_that_ends_unexpectedly_ends_its_own_part_alone(
    make: Any, stage: type[Planned], code: Exit
) -> None:
    work = make(True, stage=stage)

    def act(_: Any) -> Any:
        raise OverflowError("a number of 400 digits")

    assert operations.perform(work, step_of(act)) is None
    assert work.run.exits["shoshin"] is code
    assert "OverflowError" in work.run.whys["shoshin"]


def test_what_is_active_is_taken_back_when_a_step_ends_unexpectedly(make: Any) -> None:
    work = make(
        *(("started process",), ("status activated r",), ("status undone not proved",), True),
        stage=Built,
    )
    active = activate.begin(work)

    def act(_: Any) -> Any:
        raise RecursionError("nested JSON")

    assert operations.perform(active, step_of(act)) is None
    assert work.host.words(-2)[1:] == ["decide", transaction.directory(work), "undo"]
    assert work.host.words()[0] == "workspace-release"
    assert work.run.exits["shoshin"] is Exit.ROLLED_BACK


def test_a_mistake_while_a_workspace_is_prepared_ends_its_part_alone(make: Any) -> None:
    work = make()
    work.run.pending = {"shoshin", "another"}

    def broken(_: Any) -> Any:
        raise RecursionError("too deep")

    assert operations.look(work, broken, never) is None
    assert work.run.exits["shoshin"] is Exit.FAILED
    assert "RecursionError" in work.run.whys["shoshin"]
    assert work.run.pending == {"another"}
