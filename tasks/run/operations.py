"""Do the steps of one workspace: ``look`` for those that change nothing, ``change`` for the rest.

All steps that change something are one operation of pyinfra, because pyinfra waits after every
operation for the slowest workspace (3.10, ``api/operations.py``). With several operations, an
activated change would pass its deadline while another workspace still builds, and a workspace that
waits for its canary would hold up the canary itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pyinfra import host as current_host
from pyinfra import state as current_state
from pyinfra.api.command import FunctionCommand
from pyinfra.api.operation import operation

from converge.exits import Exit, Outcome
from tasks.run import canary
from tasks.run.journal import JournalError
from tasks.run.stages import Activated, Done, Looked, Over, Planned, Read, Workspace

NO_LIMIT_S = 7 * 24 * 3600  # pyinfra needs a number, and 0 would end every step at once
S = TypeVar("S", bound=Workspace)
T = TypeVar("T", bound=Workspace)


@dataclass(frozen=True, kw_only=True)
class Step(Generic[S, T]):
    """A step that changes something. ``title``: its name in the journal; ``idle``: a function that
    says why the step has nothing to do, or returns the empty string; ``gives``: the stage that the
    step makes, also when idle; ``decides``: the step decides about the activated change, so that a
    failure does not undo it."""

    title: Callable[[Any], str]
    act: Callable[[S], T]
    gives: type[T]
    idle: Callable[[Any], str]
    decides: bool = False

    def __call__(self, stage: S) -> T:
        return self.act(stage)


def step(
    title: str | Callable[[Any], str],
    *,
    gives: type[T],
    idle: Callable[[Any], str] = lambda _: "",
    decides: bool = False,
) -> Callable[[Callable[[S], T]], Step[S, T]]:
    """Make a step of a function from one stage to the next, which raises ``Over`` on failure."""
    named = (lambda _: title) if isinstance(title, str) else title

    def made(act: Callable[[S], T]) -> Step[S, T]:
        return Step(title=named, act=act, gives=gives, idle=idle, decides=decides)

    return made


def look(workspace: S, *steps: Callable[[Any], Any]) -> Any:
    """Take a workspace through steps that change nothing. Returns the last stage; None where the
    part of the workspace is over. An error ends the part of this workspace only."""
    stage: Workspace | None = workspace
    interrupted = Over("nothing was changed", Outcome.INTERRUPTED, said=False)
    try:
        for one in steps:
            if workspace.run.interrupted:
                raise interrupted
            stage = one(stage)
    except JournalError:
        raise
    except Exception as error:
        stage = None
        if workspace.run.interrupted:  # the interrupt may be why the step failed
            workspace.stop(interrupted)
        elif isinstance(error, Over):
            workspace.stop(error)
        else:  # an unexpected answer of the workspace
            workspace.stop(Over(f"{type(error).__name__} while it was prepared: {error}"[:500]))
    if stage is None:
        canary.over(workspace)  # this workspace has no step to do, so no other waits for it
    workspace.run.prepared(workspace.host.name)
    return stage


def change(stage: Workspace | None, *steps: Step[Any, Any]) -> None:
    """Do these steps when pyinfra executes, one after the other.

    A step that fails ends the part of this workspace: its later steps are not tried."""
    if stage is not None:
        # Each remote command has its own time limit, and the wait for a canary may be long.
        _all(name="Converge", stage=stage, steps=steps, _timeout=NO_LIMIT_S)


class _Part:
    """How far one workspace has come; None once its part is over."""

    def __init__(self, stage: Workspace) -> None:
        self.stage: Workspace | None = stage


@operation()
def _all(
    stage: Workspace, steps: tuple[Step[Any, Any], ...]
) -> Generator[FunctionCommand, None, None]:
    """Do the steps, as one operation of pyinfra."""
    idle = [one.idle(stage) for one in steps]
    if not current_state.is_executing:
        if not all(idle):
            yield FunctionCommand(_do, (_Part(stage), steps[0]), {})
        return
    part, waited = _Part(stage), False
    for one, nothing in zip(steps, idle, strict=True):
        title = one.title(stage)
        if nothing or part.stage is None:
            current_host.noop(f"{title}: {nothing or 'its part is over'}")
            if part.stage is not None:
                part.stage = one.gives.of(part.stage)
            continue
        if not waited:
            waited = True
            yield FunctionCommand(_wait, (part,), {})
        yield FunctionCommand(_do, (part, one), {})
    canary.over(stage)


def _wait(state: Any, host: Any, part: _Part) -> bool:
    assert part.stage is not None
    try:
        if canary.wait(state, host, part.stage):
            return True
    except Over as over:
        part.stage.stop(over)
        canary.over(part.stage)
    part.stage = None
    return False


def _do(state: Any, host: Any, part: _Part, one: Step[Any, Any]) -> bool:
    stage, part.stage = part.stage, None
    assert stage is not None
    try:
        part.stage = perform(stage, one)
    finally:
        if part.stage is None:  # makes pyinfra do no further step of this workspace
            canary.over(stage)
    return part.stage is not None


def perform(stage: Workspace, one: Step[Any, Any]) -> Workspace | None:
    """Do one step, with a record in the journal before and after. None: the part is over."""
    run, title = stage.run, one.title(stage)
    if run.interrupted:
        _take_back(stage, "interrupted")
        _give_back(stage)
        return None
    over: Over | None = None
    unexpected = False
    after: Workspace | None = None
    reached: Workspace | None = stage  # the stage to undo from where the journal fails
    try:
        stage.step(title, "started")
        # From here on, only the step's report tells what the workspace holds.
        stage.ends(Exit.UNKNOWN, f"ended during: {title}")
        reached = None if one.decides else stage
        try:
            with stage.waits(title):
                reached = after = one.act(stage)
        except Over as error:
            over = error
        except JournalError:
            raise
        except Exception as error:  # an unexpected answer: it is not known how far the step came
            unexpected = True
            code = Exit.UNKNOWN if isinstance(stage, Looked) else Exit.FAILED
            over = Over(f"{title}: {type(error).__name__}: {error}"[:500], code)
        if isinstance(after, Done):
            stage.ends(after.code, after.why)
        elif over is None or over.code is None:
            stage.ends(Exit.FAILED, over.why if over else f"ended after: {title}")
        stage.step(title, "failed" if over else "done", over.short if over else "")
    except JournalError as error:
        stage.ends(Exit.FAILED, f"stopped before the next step: {error}")
        if reached is not None:
            _take_back(reached, str(error))
            _give_back(reached)
        return None
    if over is None:
        return after
    if unexpected and isinstance(stage, Activated) and stage.take_back:
        _take_back(stage, over.why)
        over = Over(over.why, run.outcomes[stage.host.name])
    stage.stop(over if over.code is not None else Over(f"{title}: {over.why}"))
    _give_back(stage)
    return None


def _take_back(stage: Workspace, because: str) -> None:
    """Undo an activated change, since this run cannot go on and nobody would decide about it."""
    if isinstance(stage, Activated) and stage.take_back:
        with contextlib.suppress(JournalError):
            stage.take_back(because)


def _give_back(stage: Workspace) -> None:
    """Release the workspace's lock. Where its state is unknown, the lock stays, so that it tells
    the next run which run was there."""
    outcome = stage.run.outcomes[stage.host.name]
    known = outcome.exit is not Exit.UNKNOWN or outcome is Outcome.ROLLBACK_FAILED
    if isinstance(stage, Read) and known:
        stage.remote("release", stage.run.id, stage.lock)


def transacts(nothing: str) -> Callable[[Planned], str]:
    """``idle`` for a step that only changes with an effect need. ``nothing``: the reason."""
    return lambda stage: "" if stage.transacts else nothing


def proves(nothing: str) -> Callable[[Planned], str]:
    """``idle`` for a step that looks at effects. ``nothing``: the reason."""
    return lambda stage: "" if stage.proves else nothing
