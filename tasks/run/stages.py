"""What is known of one workspace, stage by stage: given → read → planned → written → built →
activated → proved.

Each stage is a frozen value that has all fields of the stage before. A step takes the stage that it
needs and returns the next one. ``Over`` ends the part of one workspace.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from converge.effect import Finding
from converge.exits import Exit, Outcome
from converge.gate.facts.verdict import FactVerdict
from converge.journal.kinds import ProblemRecord, Record, StepRecord
from converge.plan.layers import below, system_layer
from converge.plan.plan import Build, Change, Plan
from converge.plan.snapshot import Snapshot, Transaction
from converge.plan.written import SettingProof
from converge.problem import Problem
from converge.profile.choices import Choices
from converge.profile.profile import Profile
from tasks.reach.remote import Answer, reconnect
from tasks.reach.remote import run as remote
from tasks.run import run as runs
from tasks.run.start import PROJECT, refuse
from tasks.run.waits import PROGRAMS


class Over(Exception):
    """The part of a workspace ends here with ``code``; without a code, the step has failed.

    ``short``: the reason for the step's own record, where ``why`` is longer. ``said``: whether
    ``why`` is printed as a problem."""

    def __init__(
        self, why: str, code: Exit | Outcome | None = None, *, short: str = "", said: bool = True
    ) -> None:
        super().__init__(why)
        self.why, self.code, self.short, self.said = why, code, short or why, said


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Workspace:
    """A workspace of this run: pyinfra's ``host``, and the workspace's choices."""

    host: Any
    run: runs.Run
    choices: Choices

    def __repr__(self) -> str:
        return self.choices.workspace

    @classmethod
    def of(cls, earlier: Workspace, **more: object) -> Self:
        """This stage, from an earlier stage and new fields."""
        held = {field.name: getattr(earlier, field.name) for field in fields(earlier)}
        known = {field.name for field in fields(cls)}
        return cls(**{**{k: v for k, v in held.items() if k in known}, **more})

    def remote(self, program: str, *arguments: str, what: str = "", **options: Any) -> Answer:
        """Run one program on the workspace (``tasks.reach.remote.run``). ``what``: it is waited
        for, where the program alone does not say that."""
        with self.waits(what or PROGRAMS[program]):
            return remote(self.host, program, arguments, **options)

    def waits(self, what: str) -> AbstractContextManager[object]:
        """Until the end of the block ``what`` is waited for here, and a person may see that."""
        return self.run.waits.waiting(self.host.name, repr(self), what)

    def reconnect(self) -> bool:
        """Open a lost connection again (pyinfra does not). True when the workspace answers."""
        with self.waits("connect again"):
            return reconnect(self.host)

    def ends(self, code: Exit | Outcome, why: str = "") -> None:
        """Set the outcome of this workspace, which counts unless it is set again."""
        self.run.set(self.host.name, code, why)

    def stop(self, over: Over) -> None:
        """End the part of this workspace for the reason in ``over``."""
        code = Exit.FAILED if over.code is None else over.code
        if over.said:
            self.run.stop_host(self.host.name, code, over.why)
        else:
            self.ends(code, over.why)

    def step(self, name: str, status: str, why: str = "") -> None:
        self.record(StepRecord(step=name, status=status, why=why))

    def problem(self, text: str) -> None:
        """Print a problem and write it into the journal."""
        self.record(ProblemRecord(text=text))

    def record(self, *records: Record) -> None:
        """Write records about this workspace into the journal."""
        self.run.record(self.host.name, *records)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Given(Workspace):
    """The input is checked; the machine was not read yet."""

    profile: Profile


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Read(Given):
    """The workspace was read."""

    snapshot: Snapshot

    @property
    def lock(self) -> str:
        return f"{self.snapshot.state}/lock"

    @property
    def record_directory(self) -> str:
        """The directory on the workspace for this run's new and old bytes; its mode is 0700."""
        return f"{self.snapshot.state}/runs/{self.run.id}"

    @property
    def system_record(self) -> str:
        """The same directory for files of root, below one that is this user's."""
        runs = f"{system_layer(self.choices.root).rpartition('/')[0]}/runs"
        return f"{runs}/{self.choices.user}/{self.run.id}"

    def undone_by_root(self, one: Transaction) -> bool:
        """Whether the record of a transaction is root's. Raises ``Over`` for a record outside both
        the user's and root's directories: a process of the user's could answer with any directory,
        and root would run the programs in it."""
        if not self.snapshot.needs_sudo or one.directory.startswith(f"{self.snapshot.state}/"):
            return False
        runs, user = f"{system_layer(self.choices.root).rpartition('/')[0]}/runs", self.choices.user
        form = rf"{re.escape(runs)}/(?:{re.escape(user)}/)?[0-9a-z-]+/transaction"
        if not re.fullmatch(form, one.directory):
            raise Over(f"{one.directory}: no record of root's; root reads none elsewhere")
        return True


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Planned(Read):
    """The plan was made."""

    plan: Plan
    blocks: tuple[FactVerdict, ...] = ()  # verdicts of the gate that refuse the run
    unbuildable: str = ""  # why Nix cannot evaluate a layer, in its own words

    @property
    def acts(self) -> bool:
        """Whether the run has anything to do."""
        return not self.plan.empty

    @property
    def transacts(self) -> bool:
        """Whether the run makes changes that take effect and have to be proved."""
        return self.acts and bool(self.live or self.needed_builds)

    @property
    def proves(self) -> bool:
        """Whether the run looks at effects: of its change, or for a staged rollout."""
        return self.transacts or bool(self.plan.to_prove)

    @property
    def live(self) -> tuple[Change, ...]:
        return self.plan.live

    @property
    def needed_builds(self) -> tuple[Build, ...]:
        return self.plan.needed_builds

    @property
    def root_changes(self) -> tuple[Change, ...]:
        """The files of the NixOS layer that a run changes."""
        return tuple(change for change in self.plan.changes if change.root)

    @property
    def root_sweep(self) -> tuple[str, ...]:
        """The staged files that a killed run left beside files of the NixOS layer."""
        ours = system_layer(self.choices.root)
        return tuple(path for path in self.plan.sweep if below(path, ours))

    @property
    def only_locks(self) -> bool:
        """Whether no file is written before the effects are looked at: the lock alone is taken."""
        inert = any(not change.root for change in self.plan.inert)
        return self.proves and not (inert or self.root_changes or self.plan.sweep)

    @property
    def as_root(self) -> bool:
        """Whether root carries out the transaction, because the system is a part of it."""
        return self.snapshot.needs_sudo and any(build.nix.root for build in self.needed_builds)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Looked(Planned):
    """The faults from before the change were recorded, so that they do not undo it."""

    known: tuple[Finding, ...] = ()
    holds_lock: bool = False


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Written(Looked):
    """The files that have no effect by themselves are written.

    ``records``: for each record of old bytes its directory, its owner and its part; ``roots``: what
    was said when root's files were written in the same command as the user's."""

    records: tuple[tuple[str, str, str], ...] = ()
    roots: Answer | None = None


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Built(Written):
    """The layers are built. ``paths``: layer -> store path; ``differs``: the lines of
    ``remote/difference.sh`` about what each changes."""

    paths: Mapping[str, str] = field(default_factory=dict)
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Activated(Built):
    """The change is in force and undecided. ``take_back``: a function that undoes the change, and
    takes the reason; None where nothing was activated. ``looked``: what the workspace answered,
    where it was asked in the command that began the change."""

    take_back: Callable[[str], None] | None = None
    looked: Answer | None = None


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Proved(Activated):
    """The effects were looked at. ``disproved``: a sentence on what is wrong, or the empty string;
    ``not_known``: what could not be looked at; ``proof``: the new record of each setting."""

    disproved: str = ""
    not_known: str = ""
    proof: Mapping[str, SettingProof] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Kept(Proved):
    """The change is kept. ``tried``: it is on trial until the next boot."""

    tried: bool = False


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Done(Workspace):
    """The part of this workspace is over, and all its steps went well."""

    code: Exit | Outcome = Exit.DONE
    why: str = ""


def addressed(host: Any) -> Workspace:
    """The workspace of pyinfra's ``host``, with or without a profile."""
    run = runs.current
    if run is None:
        refuse([_by_itself(sys.argv[0])])
    if host.name not in run.inputs:
        raise RuntimeError("run pyinfra in the project's directory, where config.py is")
    choices, _ = run.inputs[host.name]
    run.set(host.name, Exit.FAILED, "ended unexpectedly while it was prepared")
    return Workspace(host=host, run=run, choices=choices)


def workspace(host: Any) -> Given:
    """The workspace of pyinfra's ``host``; its input was checked before the connection."""
    known = addressed(host)
    _, profile = known.run.inputs[host.name]
    if profile is None:
        raise RuntimeError(f"{known} has no profile, and only tasks/detect.py can do without")
    return Given.of(known, profile=profile)


def _by_itself(program: str) -> Problem:
    """A command that was started as a program of its own: it is pyinfra's to run."""
    place = Path(program).resolve()
    name = place.relative_to(PROJECT).as_posix() if PROJECT in place.parents else place.name
    there = f".venv/bin/pyinfra inventory/<workspace>.py {name}"
    return Problem(name, 0, 0, "", "is run by pyinfra, and not by python", there)
