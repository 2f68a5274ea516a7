"""Every step that asks a workspace is answered wrongly: no step takes this for a proof, an absence
or a success, and no step ends more than the part of its own workspace.

The steps are those of ``deploy.py`` and ``tasks/*.py``; new steps, and new programs that they ask,
are tried here automatically.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import re
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from types import SimpleNamespace
from typing import Any

import gevent
import pytest

from converge.effect import Effect
from converge.exits import Outcome
from converge.journal.kinds import FindingRecord, ProblemRecord
from converge.measure.memory import MemoryUse
from converge.measure.options import Options
from converge.plan import held, layers
from converge.plan.snapshot import Snapshot, Transaction
from converge.trial import Trial, TrialState
from tasks.reach import remote
from tasks.run import operations
from tasks.run.stages import Workspace
from tasks.steps import away, back, sample, trial
from tests.conftest import PROJECT
from tests.fuzz.test_readers import programs
from tests.plan.plans import EVERY, file, found, plan
from tests.proof.checks import HOME
from tests.proof.test_every_probe import UNASKED
from tests.run.steps import make, words_of

__all__ = ["make"]  # the fixture
Reply = tuple[bool, list[str], list[str]]

COPY = f"/nix/store/{'a' * 32}-source/configuration.nix"
#: How a program ended, and what it printed on its two streams; an exception: the line broke.
BROKEN: dict[str, Reply | BaseException] = {
    "empty": (True, [], []),
    "blank": (True, ["", "   ", ""], []),
    "garbage": (True, ["\x1b[31m\x00\xff%s = : [] {}", "\\udc80 9" * 50, "end"], []),
    "words alone": (True, ["status", "trial", "wrote", "path", "found", "answer", "done"], []),
    "another's words": (True, ["trial 7", "status perhaps", "answer x", "path ../x", "boot"], []),
    "numbers": (True, ["9" * 400, f"status {'9' * 400}", "-1"], []),
    "an error": (False, [], ["error: it broke"]),
    "half an answer": (False, ["workspace-begin", "half of it"], ["error: it broke"]),
    "an error in a copy": (False, [], ["error: it broke", f"       at {COPY}:3:5:"]),
    "killed": (False, [], []),
    "no time": TimeoutError("timed out"),
}
#: No person reads Python.
PYTHONS = re.compile(
    r"\w(Error|Exception)\b|Traceback|NoneType|invalid literal|unpack|out of range"
)
#: What only holds after an answer.
PROUD = {
    *(Outcome.PROVED, Outcome.PENDING, Outcome.EFFECTIVE, Outcome.AWAITED, Outcome.AS_DECLARED),
    *(Outcome.UNDONE, Outcome.REMOVED, Outcome.MEASURED, Outcome.ANSWERED, Outcome.NOWHERE),
    *(Outcome.WRITTEN, Outcome.SHOWN),
}
#: These ask for no more than that the lock is given back: what they say was found out before. The
#: program prints nothing, so its exit code is the answer; where it failed, that is said.
LOCK_ALONE = {"back.release", "finish.run"}
#: Asked where another workspace of the run builds: tests/run/test_build_elsewhere.py.
BY_ANOTHER_MACHINE = {"elsewhere"}


@dataclass
class Host:
    """A workspace that answers all alike."""

    reply: Reply | BaseException
    name: str = "shoshin"
    data: dict[str, Any] = field(default_factory=lambda: {"_timeout": 900})
    connector: Any = field(default_factory=SimpleNamespace)
    asked: list[str] = field(default_factory=list)

    def run_shell_command(self, given: Any, **_: Any) -> tuple[bool, Any]:
        words = words_of(given)
        if words[2] == remote._ROOTS:
            words = words[4:]
        self.asked.append(words[words.index("sh") + 3].removeprefix("workspace-"))
        assert len(self.asked) < 200, "it asks without end"
        if isinstance(self.reply, BaseException):
            raise self.reply
        ok, lines, errors = self.reply
        return ok, SimpleNamespace(stdout_lines=lines, stderr_lines=errors)


def steps() -> Iterator[str]:
    """``module.name`` of every step that a file names in ``look`` or ``change``."""
    for path in (PROJECT / "deploy.py", *sorted((PROJECT / "tasks").glob("*.py"))):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("look", "change"):
                for argument in call.args[1:]:
                    if isinstance(argument, ast.Attribute) and isinstance(argument.value, ast.Name):
                        yield f"{argument.value.id}.{argument.attr}"


#: With two builds that are named beforehand, for which no pair is asked.
NAMED = "sample.benchmarks with builds"
STEPS = (*dict.fromkeys(steps()), NAMED)


@cache
def here() -> Snapshot:
    """A workspace with a change in force that waits for a person's answer."""
    one = Transaction(
        directory=f"{found().state}/runs/20261126t000000-abcd/transaction",
        alive=False,
        left_s=0,
        word="kept",
        reason="",
        trial=Trial(state=TrialState.PROVING, boot="earlier", number=2, booted=True),
    )
    layer = f"{HOME}/{layers.HOME_LAYER.removeprefix('~/')}"
    read = found(*(file(f"{layer}/{name}", b"{ }\n") for name in ("flake.nix", "profile.json")))
    clock = {"soak_boot": "b", "uptime_s": "5"}
    return replace(read, transactions=(one,), facts={**read.facts, **clock})


@cache
def planned() -> Any:
    return plan(here(), selected=EVERY)


MEMORY = MemoryUse(boot="b", cpu="c", total_kb=1e6, available_kb=1e5)
#: What a stage of a task's own has besides those of the plan.
OWN: dict[type, Callable[[], dict[str, object]]] = {
    back.Chosen: lambda: {"undoing": here().transactions[0]},
    back.Undone: lambda: {"undoing": here().transactions[0], "undone": "undone: rolled back"},
    away.Leaving: lambda: {"undoing": here().transactions},
    trial.Waiting: lambda: {"waiting": here().transactions[0]},
    sample.Measuring: lambda: {"options": Options.read({}), "memory": MEMORY},
    sample.Measured: lambda: {"options": Options.read({}), "records": []},
}


def attempt(make: Any, name: str, how: str) -> tuple[Host, Any]:
    """Take a workspace through one step while it answers so."""
    module, _, attribute = name.partition(" ")[0].partition(".")
    one: Any = getattr(importlib.import_module(f"tasks.steps.{module}"), attribute)
    act = getattr(one, "act", one)
    hints = typing.get_type_hints(act)
    taken = next(kind for key, kind in hints.items() if key != "return")
    whole = make(
        snapshot=here(),
        made=planned(),
        trial_reboot="allowed",
        chezmoi_programs="run",
        **({"choose": "zram.algorithm"} if name == "choose.measured" else {}),
        **({"against": "path:/next"} if name == "proof.verify" else {}),
    )
    host = Host(BROKEN[how])
    stage: Any = taken.of(replace(whole, host=host), **OWN.get(taken, dict)())
    if name == NAMED:
        stage = replace(stage, options=replace(stage.options, stock="/old", optimized="/new"))
    assert issubclass(taken, Workspace)
    if hasattr(stage, "tried"):
        stage = replace(stage, tried=True)
    stage.run.pending = {"shoshin", "another"}  # else nobody is left, and the run is over
    stage.ends(Outcome.FAILED, "not reached")
    if act is one:
        operations.look(stage, one)
    else:
        operations.perform(stage, one)
    return host, stage


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits has waited for it."""
    clock = itertools.count(0, 400)
    monkeypatch.setattr(gevent, "sleep", lambda *_: None)
    monkeypatch.setattr(trial, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    # Every claim is measured, and one file has a source that is a program.
    monkeypatch.setattr(sample, "_why_not", lambda *_: "")
    monkeypatch.setattr(held, "to_modify", lambda *_: [(f"{HOME}/.config/kwinrc", b"")])


def told(stage: Any, effect: Effect) -> set[tuple[str, str]]:
    records = stage.run.records(FindingRecord, "shoshin")
    return {(record.check, record.setting) for record in records if record.effect == effect}


SAME: dict[str, set[tuple[str, str]]] = {}  # what a step finds not applicable without an answer


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("name", STEPS)
def test_no_step_takes_a_broken_answer_for_a_proof_an_absence_or_a_success(
    make: Any, quick: None, name: str, how: str
) -> None:
    host, stage = attempt(make, name, how)
    if not host.asked:
        return
    assert stage.run.pending == {"another"} or stage.run.pending == {"shoshin", "another"}
    assert told(stage, Effect.EFFECTIVE) <= {(one, "") for one in UNASKED}
    if name not in SAME:
        SAME[name] = told(attempt(make, name, "no time")[1], Effect.NOT_APPLICABLE)
    assert told(stage, Effect.NOT_APPLICABLE) == SAME[name]
    said = [record.text for record in stage.run.records(ProblemRecord, "shoshin")]
    reply = BROKEN[how]
    if name not in LOCK_ALONE:
        assert stage.run.outcomes["shoshin"] not in PROUD
    elif isinstance(reply, BaseException) or not reply[0]:
        assert any("the lock was not released" in text for text in said)
    for text in (stage.run.whys["shoshin"], *said):
        assert not PYTHONS.search(text.replace("error: it broke", "")), text


def test_every_program_that_is_asked_is_answered_wrongly_here(make: Any, quick: None) -> None:
    asked = set()
    for name in STEPS:
        for how in ("garbage", "an error in a copy", "no time"):
            asked |= set(attempt(make, name, how)[0].asked)
    parts = {"managed", "detect", "flakes", "read"}  # one answer: tests/remote/test_every_part.py
    assert "snapshot" in asked
    assert programs() - asked - parts == BY_ANOTHER_MACHINE
