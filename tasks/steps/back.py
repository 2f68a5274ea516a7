"""Roll a run back: choose the run, take the lock, undo, and name what could not be restored."""

from __future__ import annotations

from dataclasses import dataclass

from converge.exits import Exit, Outcome
from converge.plan.layers import home_within
from converge.plan.snapshot import Transaction
from converge.setting import Layer
from converge.text.reason import spoken
from tasks.run.operations import step
from tasks.run.stages import Done, Over, Read
from tasks.steps.lock import take_lock

#: Part of a change (``remote/transact.sh``) -> the layers that are undone together.
PARTS = {
    "nixos": frozenset({Layer.NIXOS}),
    "home-manager": frozenset({Layer.HOME_MANAGER}),
    "plasma+session": frozenset({Layer.PLASMA, Layer.SESSION}),
}


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Chosen(Read):
    """The run to roll back, and the chosen parts; no parts: the whole run."""

    undoing: Transaction
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Undone(Chosen):
    """The rollback has ended on the workspace. ``undone``: word and reason."""

    undone: str = ""


def chosen(work: Read, parts: tuple[str, ...]) -> Transaction | None:
    """The transaction to roll back: that of the named run, else the newest one of which one of
    these parts (without names: any part) is in force."""
    found = [
        transaction
        for transaction in work.snapshot.transactions
        if transaction.ended
        and (transaction.run == work.choices.run if work.choices.run else held(transaction, parts))
    ]
    return found[-1] if found else None


def held(one: Transaction, parts: tuple[str, ...]) -> bool:
    """Whether one of ``parts`` is in force. Where a record has no parts, its word tells."""
    if one.word == "undone" or not one.parts:
        return one.word != "undone"
    return bool(one.in_force & frozenset(parts)) if parts else bool(one.in_force)


def parts(work: Read) -> tuple[str, ...]:
    """The parts of the chosen layers; empty for the whole run. Raises ``Over`` where ``--data``
    names a half of a part. A half in an inventory means the whole part: what a run of this
    inventory changed can be undone as the run said."""
    layers, asked = work.choices.layers, "layers" in work.run.given
    if asked and any(held & layers and not held <= layers for held in PARTS.values()):
        raise Over("plasma and session files are undone together: name both", Exit.INVALID)
    nix = frozenset({Layer.NIXOS, Layer.HOME_MANAGER})
    if home_within(work.snapshot) and layers & nix:
        if asked and not nix <= layers:
            raise Over(
                "the home is a part of the NixOS system here, and goes back with its generation: "
                "name both nixos and home-manager",
                Exit.INVALID,
            )
        layers |= nix
    names = tuple(name for name, held in PARTS.items() if held & layers)
    return () if len(names) == len(PARTS) else names


def choose(work: Read) -> Chosen:
    """Print what would be undone, and set the outcome that counts if nothing more happens."""
    some = parts(work)
    cut = work.snapshot.open_transaction  # a run has undone it before; a dry run has not
    if cut is not None and not cut.alive and work.choices.run in ("", cut.run):
        work.problem(f"run {cut.run} was cut off while {cut.word}: undo all of it")
        work.run.changes(work.host.name, f"run {cut.run} can be rolled back")
        return Chosen.of(work, undoing=cut)
    one = chosen(work, some)
    if one is None and work.choices.run:
        known = ", ".join(t.run for t in work.snapshot.transactions) or "none"
        raise Over(f"no run to roll back; runs that are known there: {known}", Exit.INVALID)
    if one is None:
        of = f" of {' and '.join(some)}" if some else ""
        why = f"nothing left to roll back{of}"
        last = work.snapshot.written
        if (last.files or last.entries) and not any(
            held(one, ()) for one in work.snapshot.transactions
        ):
            why += f"; the record of run {last.run} is gone, so what it wrote stays"
            why += ": tasks/remove.py removes our files and names the rest"
        raise Over(why, Outcome.NOTHING_LEFT, said=False)
    if not held(one, some):
        of = f" for {' and '.join(some)}" if some and one.word != "undone" else ""
        raise Over(f"run {one.run} is undone already{of}", Outcome.NOTHING_LEFT, said=False)
    left = [part for part in PARTS if part in one.in_force and part in (some or PARTS)]
    whole = not some and len(left) == len(one.parts)
    what = "all of it" if whole or not left else ", ".join(left)
    work.problem(f"run {one.run} ({one.word}): undo {what}")
    work.run.changes(work.host.name, f"run {one.run} can be rolled back")
    return Chosen.of(work, undoing=one, parts=some)


@step("take the lock", gives=Chosen)
def lock(work: Chosen) -> Chosen:
    """Take the workspace's lock."""
    take_lock(work)
    return work


@step("roll back", gives=Undone)
def undo(work: Chosen) -> Undone:
    """Undo the chosen run, on the workspace."""
    return Undone.of(work, undone=undo_one(work, work.undoing, work.parts))


def undo_one(work: Read, one: Transaction, parts: tuple[str, ...] = ()) -> str:
    """Undo a transaction, or parts of it. Returns word and reason. Raises ``Over`` where the undo
    is not whole."""
    sudo = work.undone_by_root(one)
    answer = work.remote("transact", "undo", one.directory, *parts, sudo=sudo, timeout=1800)
    word, _, reason = answer.first("status").partition(" ")
    reason = spoken(reason)
    if word == "broken":
        raise Over(f"not all could be undone: {reason}", Outcome.ROLLBACK_FAILED, short="broken")
    if not word:
        raise Over(
            f"it is not known how far the rollback came: {answer.last_error}",
            Exit.UNKNOWN,
            short="unknown",
        )
    work.step("roll back", "found", f"{word}: {reason}")
    return f"{word}: {reason}"


#: The reason of a transaction of which nothing stays changed, and of one that has parts in force
#: (record.sh).
WHOLE, _PART = "rolled back", "rolled back: "


@step("release the lock", gives=Done)
def release(work: Undone) -> Done:
    """Release the lock. Where something was left alone, the outcome is "undone in part"."""
    answer = work.remote("release", work.run.id, work.lock)
    if not answer.ok:
        said = answer.last_error or "it gave no reason"
        work.problem(f"the lock was not released: {said}; the next run clears it")
    first, *texts = work.undone.split("; ")
    word, _, first = first.partition(": ")
    if word == "kept":  # a part went back alone; the last "rolled back: PART..." is of this undo
        last = max(at for at, text in enumerate(texts) if text.startswith(_PART))
        back = ", ".join(texts[last].removeprefix(_PART).split())
        stay = [part for part in PARTS if part in work.undoing.in_force and part not in back]
        first = f"{back} of run {work.undoing.run}; still in force: {', '.join(stay)}"
        texts = texts[last + 1 :]
    elif first == WHOLE:
        first = ""
    code = Outcome.LEFT if any("left alone" in text for text in texts) else Outcome.UNDONE
    return Done.of(work, code=code, why="; ".join([first, *texts] if first else texts))
