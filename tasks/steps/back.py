"""Roll a run back: choose it, take the lock, undo it, say what could not be restored."""

from __future__ import annotations

from converge.exits import Exit
from converge.plan.setting import Layer
from converge.plan.snapshot import Transaction
from tasks.reach.payload import pack
from tasks.run.begin import Work
from tasks.run.operations import Action, perform
from tasks.steps.write import controller, verdict

#: Part of a transaction (``remote/transact.sh``) -> the layers that it undoes together.
PARTS = {
    "system": {Layer.NIXOS},
    "home": {Layer.HOME_MANAGER},
    "live": {Layer.PLASMA, Layer.SESSION},
}


def chosen(work: Work) -> Transaction | None:
    """The transaction to roll back: the named run's, else the newest that is in force."""
    assert work.snapshot is not None
    found = [
        one
        for one in work.snapshot.transactions
        if one.ended and (one.run == work.choices.run if work.choices.run else one.word != "undone")
    ]
    return found[-1] if found else None


def parts(work: Work) -> list[str] | None:
    """The parts that the chosen layers name; all of it is the empty list, None where a part would
    be torn in two."""
    layers = work.choices.layers
    if layers == frozenset(Layer):
        return []
    split = [name for name, held in PARTS.items() if held & layers and not held <= layers]
    return None if split else [name for name, held in PARTS.items() if held <= layers]


def choose(work: Work) -> None:
    """Say what would be undone; it decides what the run ends with if nothing more happens."""
    run = work.run
    if work.open and work.snapshot is not None:
        one, some = chosen(work), parts(work)
        if one is None:
            known = ", ".join(t.run for t in work.snapshot.transactions) or "none"
            why = f"no run to roll back; runs that are known there: {known}"
            work.stop(Exit.INVALID if work.choices.run else Exit.FAILED, why)
        elif some is None:
            work.stop(Exit.INVALID, "plasma and session files are undone together: name both")
        elif one.word == "undone":
            run.set(work.host.name, Exit.CONVERGED, f"run {one.run} is undone already")
        else:
            work.undoing = one
            what = ", ".join(some) or "all of it"
            work.record("problem", text=f"run {one.run} ({one.word} {one.reason}): undo {what}")
            run.changes(work.host.name, f"run {one.run} can be rolled back")
    run.prepared(work.host.name)


def _perform(work: Work, name: str, step: str, action: Action) -> None:
    noop = "" if work.open and work.undoing else "nothing to undo"
    perform(name=name, work=work, step=step, action=action, noop=noop)


def lock(work: Work) -> None:
    """Take the workspace's lock, with a write of nothing."""

    def action() -> str:
        assert work.snapshot is not None
        answer = work.remote(
            "write",
            work.run.id,
            f"{work.record_directory}/lock",
            work.lock,
            controller(),
            "keep",
            stdin=pack((), home=work.snapshot.home),
        )
        return verdict(work, answer)

    _perform(work, "Take the lock", "take the lock", action)


def undo(work: Work) -> None:
    """Undo it, on the workspace."""

    def action() -> str:
        one = work.undoing
        assert one is not None
        assert work.snapshot is not None
        sudo = work.snapshot.needs_sudo and not one.directory.startswith(work.snapshot.state)
        answer = work.remote(
            "transact", "undo", one.directory, *(parts(work) or ()), sudo=sudo, timeout=1800
        )
        word, _, reason = answer.first("status").partition(" ")
        work.undone = f"{word}: {reason}" if word else ""
        if word == "broken":
            work.stop(Exit.UNKNOWN, f"not all could be undone: {reason}")
            return "broken"
        if not word:
            work.stop(
                Exit.UNKNOWN, f"it is not known how far the rollback came: {answer.last_error}"
            )
            return "unknown"
        work.step("roll back", "found", work.undone)
        return ""

    _perform(work, "Roll back", "roll back", action)


def release(work: Work) -> None:
    """Give the lock back; what was left alone makes it less than a full rollback."""

    def action() -> str:
        work.remote("release", work.run.id, work.lock)
        work.open = False
        _, _, left = work.undone.partition("; ")
        code = Exit.FAILED if left and "left alone" in left else Exit.CONVERGED
        work.run.set(work.host.name, code, work.undone)
        return ""

    _perform(work, "Release the lock", "release the lock", action)
