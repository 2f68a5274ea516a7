"""An interrupt that reaches the process while one of its greenlets runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Container, Iterator
from typing import Any

import click
import gevent
import pytest

from converge.exits import Outcome
from converge.journal.kinds import ProblemRecord
from tasks.run import operations, signals, start
from tasks.run.stages import Over, Workspace
from tests.run.steps import make

__all__ = ["make"]

CODE = 130


class Handler:
    """Answers SIGUSR1. ``within``: the greenlets that may end where they are."""

    within: Container[object] = ()

    def __call__(self, *_: object) -> None:
        signals.end(CODE, self.within)


@pytest.fixture
def handler() -> Iterator[Handler]:
    before = signal.getsignal(signal.SIGUSR1)
    one = Handler()
    signal.signal(signal.SIGUSR1, one)
    yield one
    signal.signal(signal.SIGUSR1, before)


def _read(told: list[str]) -> None:
    os.kill(os.getpid(), signal.SIGUSR1)
    told.append("whole")


def test_an_answer_that_is_being_read_is_read_whole(handler: Handler) -> None:
    told: list[str] = []
    reader = gevent.spawn(_read, told)
    with pytest.raises(SystemExit) as ended:
        gevent.sleep(60)
    assert ended.value.code == CODE
    assert told == ["whole"] and reader.successful()


def test_the_part_of_a_workspace_ends_where_it_is(handler: Handler) -> None:
    told: list[str] = []
    part = gevent.spawn(_read, told)
    handler.within = {part}
    with pytest.raises(SystemExit) as ended:
        gevent.sleep(60)
    assert ended.value.code == CODE
    assert told == [] and not part.successful()


def test_the_main_greenlet_ends_where_it_is(handler: Handler) -> None:
    told: list[str] = []
    with pytest.raises(SystemExit) as ended:
        _read(told)
    assert ended.value.code == CODE and told == []


@pytest.mark.parametrize("error", [Over("it could not be read"), ValueError("half an answer")])
def test_what_fails_during_an_interrupt_says_nothing_about_the_workspace(
    make: Callable[..., Any], capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    work = make()

    def broken(stage: Workspace) -> Workspace:
        stage.run.interrupted = True
        raise error

    work.run.pending = {work.host.name, "another"}
    assert operations.look(work, broken) is None
    assert work.run.outcomes[work.host.name] is Outcome.INTERRUPTED
    assert capsys.readouterr().out == "" and not work.run.records(ProblemRecord, "shoshin")


class Unexpected(click.ClickException):
    """As ``UnexpectedExternalError`` of pyinfra, whose import would patch this process."""

    def __init__(self, inner: Exception) -> None:
        self.exception = inner


@pytest.mark.parametrize("interrupted", [False, True])
def test_an_error_of_a_command_is_one_line_and_none_after_an_interrupt(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], interrupted: bool
) -> None:
    """An interrupt ends a greenlet where it is; an import there may raise another error then."""
    monkeypatch.setattr(start, "begun", True)
    monkeypatch.setattr(start, "interrupted", interrupted)
    start._show(Unexpected(RuntimeError("half a module")))
    said = "" if interrupted else "RuntimeError: half a module\n"
    assert capsys.readouterr().err == said
