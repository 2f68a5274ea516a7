"""Remove this product from a workspace: undo every run, then remove its files and records.

A file that somebody changed since is not removed; it is named, with what to do by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from converge.exits import Exit, Outcome
from converge.plan.layers import HOME_LAYER, below, system_layer
from converge.plan.plan import Change
from converge.plan.snapshot import Kind, Snapshot, Transaction
from converge.plan.written import part_of
from converge.problem import count
from converge.setting import Layer
from tasks.reach.payload import pack
from tasks.run.operations import step
from tasks.run.stages import Done, Over, Read
from tasks.steps import back, read, write
from tasks.steps.lock import controller, done, take_lock

_LAYER = {"nixos": Layer.NIXOS, "home-manager": Layer.HOME_MANAGER, "plasma+session": Layer.SESSION}


#: What an undo says of a whole file that it does not touch (remote/restore.sh).
_LEFT = "changed since, left alone: "


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Leaving(Read):
    """``undoing``: the runs in force, newest first; ``wrote``: path -> digest, of the files that
    the record had before the undo; ``stays``: what is not removed, as sentences."""

    undoing: tuple[Transaction, ...] = ()
    wrote: Mapping[str, str] = field(default_factory=dict)
    stays: tuple[str, ...] = ()


def choose(work: Read) -> Leaving:
    """Print what would go, and set the outcome that counts if nothing more happens."""
    found = work.snapshot
    for one in found.transactions:
        if one.alive and not one.ended:
            raise Over(f"run {one.run} is {one.word} there: let it end first", Exit.LOCKED)
    undoing = tuple(
        reversed([transaction for transaction in found.transactions if back.held(transaction, ())])
    )
    ours = tuple(_ours(work, found, {}))
    places = tuple(f"{one}/" for one in (found.expand(HOME_LAYER), system_layer(work.choices.root)))
    wrote = {path: one for path, one in found.written.files.items() if path.startswith(places)}
    if not (undoing or ours or found.transactions or found.marks & {"remains", "roots_remain"}):
        raise Over("nothing of this is on the workspace", Outcome.UNCHANGED, said=False)
    for one in undoing:  # only in a dry run can one of them be cut off
        word = one.word if one.ended else f"cut off while {one.word}"
        work.problem(f"run {one.run} ({word}): to be rolled back")
    for change in ours:
        work.problem(f"{change.path}: to be removed, if no run gives it back")
    work.problem(f"{found.state}: to be removed, with the records of every run")
    what = f"{count(len(undoing), 'run')} can be rolled back, then all of it goes"
    work.run.changes(work.host.name, what)
    return Leaving.of(work, undoing=undoing, wrote=wrote)


def _ours(work: Read, found: Snapshot, wrote: Mapping[str, str]) -> Iterator[Change]:
    """Changes that remove the files that this product wrote and nobody changed since. KDE files
    are the user's own; what the record names elsewhere, root does not touch.

    ``wrote``: files of the record before the undo. A run that ended before its activation leaves
    files of its layers, and the undo of the next run goes back to these."""
    known = found.written.files
    for path, node in sorted(found.nodes.items()):
        if node.kind is Kind.FILE and node.sha256 in (known.get(path), wrote.get(path)):
            part = part_of(path, found.home)
            if part == "nixos" and not below(path, system_layer(work.choices.root)):
                continue
            yield Change(
                path=path,
                layer=_LAYER[part],
                before=node.content,
                after=None,
                root=part == "nixos",
            )


def _theirs(found: Snapshot) -> Iterator[str]:
    """Sentences: what stays although a run wrote it."""
    for path, last in sorted(found.written.files.items()):
        node = found.nodes.get(path)
        if node is not None and node.sha256 != last:
            yield f"{path}: changed since, left alone"
    for one in found.transactions:  # a rollback before this one left these files with our lines
        for text in one.reason.split("; ") if one.word == "undone" else ():
            node = found.nodes.get(text.removeprefix(_LEFT))
            if text.startswith(_LEFT) and node is not None and node.kind is Kind.FILE:
                yield text
    for path, entries in sorted(found.written.entries.items()):
        for (group, key), value in sorted(entries.items()):
            yield f"{path} [{']['.join(group)}] {key}={value}: what was there before is not known"


@step("take the lock", gives=Leaving)
def lock(work: Leaving) -> Leaving:
    """Take the workspace's lock."""
    take_lock(work)
    return work


@step("roll every run back", gives=Leaving)
def undo(work: Leaving) -> Leaving:
    """Undo the runs, newest first. Raises ``Over`` where an undo is not whole: a second attempt
    needs the run's record, so nothing more is removed."""
    stays = list(work.stays)
    for one in work.undoing:
        reason = back.undo_one(work, one)
        stays += [text for text in reason.split("; ")[1:] if text]
    return replace(work, snapshot=read.take(work), stays=tuple(stays))


@step("remove the files", gives=Leaving)
def files(work: Leaving) -> Leaving:
    """Remove the other files of the layers and the session: those of runs without a record."""
    found = work.snapshot
    stays = tuple(dict.fromkeys((*work.stays, *_theirs(found))))
    changes = tuple(_ours(work, found, work.wrote))
    if mine := tuple(one for one in changes if not one.root):
        done(
            work.remote(
                "write",
                work.run.id,
                f"{work.record_directory}/layer",
                work.lock,
                controller(),
                "keep",
                stdin=pack(mine, home=found.home),
            )
        )
    if roots := tuple(one for one in changes if one.root):
        done(write.by_root(work, roots))
    return replace(work, stays=stays)


@step("remove the records", gives=Done)
def records(work: Leaving) -> Done:
    """Remove root's records, then the user's, which have the lock. Print what stays."""
    found = work.snapshot
    # Files of the NixOS layer have their record among root's, also where the user transacted.
    theirs = [
        transaction
        for transaction in found.transactions
        if "nixos" in transaction.parts or not transaction.directory.startswith(found.state)
    ]
    left: tuple[str, ...] = ()
    if theirs or "roots_remain" in found.marks:
        roots = work.system_record.rpartition("/")[0]
        layer = system_layer(work.choices.root)
        answer = work.remote("transact", "discard", roots, layer, sudo=found.needs_sudo)
        if not answer.of("removed"):
            raise Over(f"root's records: {answer.last_error}")
        left = answer.of("left")
    layers = found.expand(HOME_LAYER).rpartition("/")[0]
    answer = work.remote("remove", work.run.id, work.lock, layers)
    if not answer.of("removed"):
        raise Over(answer.last_error)
    stays = (*work.stays, *(f"{path}: not of ours, left" for path in (*left, *answer.of("left"))))
    for text in stays:
        work.problem(text)
    why = "; ".join(stays) or "nothing of it is left"
    return Done.of(work, code=Outcome.LEFT if stays else Outcome.REMOVED, why=why)
