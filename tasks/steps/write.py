"""Write the changed files of a workspace: one remote command for the user's and for root's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from converge.exits import Exit
from converge.plan.layers import below, system_layer
from converge.plan.plan import Change, Plan
from converge.plan.snapshot import Snapshot
from converge.plan.written import LastWritten, SettingProof
from converge.setting import Layer
from tasks.reach.payload import pack, pack_both
from tasks.reach.remote import Answer, write_both
from tasks.run.operations import step
from tasks.run.stages import Looked, Over, Planned, Read, Written
from tasks.run.waits import PROGRAMS
from tasks.steps import read
from tasks.steps.lock import controller, done


def record(work: Planned, proof: Mapping[str, SettingProof] | None = None) -> Change:
    """``written.json`` as one more file to write. ``proof``: the record of each setting. The run in
    it is the last run that changed anything else."""
    before = work.snapshot.written.run
    run = before if before and work.plan.quiet else work.run.id
    written = replace(work.plan.written, run=run)
    return _record(work, written if proof is None else replace(written, settings=proof))


def _record(work: Planned, written: LastWritten) -> Change:
    path = f"{work.snapshot.state}/written.json"
    node = work.snapshot.nodes.get(path)
    return Change(
        path=path,
        layer=Layer.SESSION,
        before=node.content if node else None,
        after=written.encode(),
        mode=0o600,
    )


@step(
    "take the lock and write the user's layer",
    gives=Written,
    idle=lambda planned: "" if planned.acts else "nothing to change",
)
def layer_files(looked: Looked) -> Written:
    """Take the workspace's lock and write the user's files that have no effect by themselves; as
    root, in the same command, the NixOS layer where it changes.

    Where the run changes nothing else, the record is written too and the lock released.
    """
    changes = [change for change in looked.plan.inert if not change.root]
    if not looked.proves:
        changes.append(record(looked))
    root = (looked.root_changes, looked.root_sweep)
    with_root = any(root)
    holds = looked.proves or with_root
    place, home, roots = f"{looked.record_directory}/layer", looked.snapshot.home, None
    if looked.holds_lock:
        return Written.of(looked)
    if with_root:
        roots_alone(looked, *root)
        with looked.waits(PROGRAMS["write"]):
            answer, roots = write_both(
                looked.host,
                looked.run.id,
                user=place,
                root=f"{looked.system_record}/layer",
                lock=looked.lock,
                controller=controller(),
                stdin=pack_both((changes, looked.plan.sweep), root, home=home),
                sudo=looked.snapshot.needs_sudo,
            )
    else:
        answer = looked.remote(
            "write",
            looked.run.id,
            place,
            looked.lock,
            controller(),
            "keep" if holds else "release",
            stdin=pack(changes, home=home, sweep=looked.plan.sweep),
        )
    if answer.of("stale"):
        title = layer_files.title(looked)
        snapshot, plan = _overtaken(looked, answer, title, unwritten="this run wrote nothing")
        return Written.of(looked, snapshot=snapshot, plan=plan)
    done(answer)
    return Written.of(
        looked,
        holds_lock=holds,
        records=((place, "user", Layer.HOME_MANAGER.value),),
        roots=roots,
    )


def _overtaken(
    work: Planned, answer: Answer, title: str, *, unwritten: str
) -> tuple[Snapshot, Plan]:
    """A file was changed after it was read. The workspace as it is now, where another run has done
    all of it and nothing is left to do. Raises ``Over``, with what was not written."""
    now = read.take_again(work)
    if now is not None:
        plan = read.plan_for(work, now)
        if plan.empty and not plan.refusals:
            work.step(title, "stale", answer.first("stale"))
            return now, plan
        other = now.written.run
        if other != work.snapshot.written.run:
            raise Over(
                f"run {other} changed this workspace after this run had read it; {unwritten}; "
                "run it again",
                Exit.LOCKED,
                short="another run was faster",
            )
    done(answer)
    raise AssertionError("a stale answer is no success")


def proof(work: Planned, found: Mapping[str, SettingProof], *, keep: str = "release") -> None:
    """Write what was found into the record, and give the lock back unless it is to ``keep``. Where
    another run has written the record meanwhile, that one stands. Raises ``Over``."""
    _write(work, record(work, found), keep)


def note(work: Planned, found: Mapping[str, SettingProof]) -> None:
    """The same of a look: nothing else of the record changes. Raises ``Over``."""
    _write(work, _record(work, replace(work.snapshot.written, settings=found)), "release")


def _write(work: Planned, record: Change, keep: str) -> None:
    answer = work.remote(
        "write",
        work.run.id,
        f"{work.record_directory}/proof",
        work.lock,
        controller(),
        keep,
        stdin=pack([record], home=work.snapshot.home),
    )
    if answer.of("stale"):
        nothing = "what this run found was not written"
        _overtaken(work, answer, "write what was found", unwritten=nothing)
        return
    done(answer)


def roots_alone(work: Read, changes: Iterable[Change], sweep: Iterable[str]) -> None:
    """Raise ``Over`` for a file outside the NixOS layer: neither an answer of the workspace nor the
    record of its user tells root where to write."""
    layer = system_layer(work.choices.root)
    for path in (*(one.path for one in changes), *sweep):
        if not below(path, layer):
            raise Over(f"{path}: no file of the NixOS layer; root writes no other")


def by_root(work: Read, changes: Iterable[Change], sweep: Iterable[str] = ()) -> Answer:
    """Write files of the NixOS layer as root. Raises ``Over`` for any other."""
    changes, sweep = tuple(changes), tuple(sweep)
    roots_alone(work, changes, sweep)
    return work.remote(
        "write",
        work.run.id,
        f"{work.system_record}/layer",
        "",
        controller(),
        "keep",
        stdin=pack(changes, home=work.snapshot.home, sweep=sweep),
        sudo=work.snapshot.needs_sudo,
    )


@step(
    "write the NixOS layer as root",
    gives=Written,
    idle=lambda planned: (
        ""
        if planned.acts and (planned.root_changes or planned.root_sweep)
        else "no file of root changes"
    ),
)
def root_files(written: Written) -> Written:
    """Write the NixOS layer as root, where ``layer_files`` has no answer about it; the lock is the
    user's."""
    if not (written.root_changes or written.root_sweep):  # another run has written them meanwhile
        return written
    done(written.roots or by_root(written, written.root_changes, written.root_sweep))
    place = f"{written.system_record}/layer"
    owner = "root" if written.snapshot.needs_sudo else "user"
    return Written.of(written, records=(*written.records, (place, owner, Layer.NIXOS.value)))
