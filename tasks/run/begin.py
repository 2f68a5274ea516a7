"""The work on one workspace: what was given, what was read, what is planned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from converge.exits import Exit
from converge.plan.layers import system_layer
from converge.plan.plan import Build, Change, Plan
from converge.plan.snapshot import Snapshot, Transaction
from converge.profile.choices import Choices
from converge.profile.profile import Profile
from converge.proof.effect import Finding
from tasks.reach.remote import Answer, reconnect
from tasks.reach.remote import run as remote
from tasks.run import run as runs


@dataclass(eq=False)
class Work:
    """Passed from step to step. ``open`` is false once this workspace's part is over."""

    host: Any
    run: runs.Run
    choices: Choices
    profile: Profile
    snapshot: Snapshot | None = None
    plan: Plan | None = None
    open: bool = True
    paths: dict[str, str] = field(default_factory=dict)  # layer -> store path built in this run
    records: list[tuple[str, str, str]] = field(default_factory=list)  # place, owner, part
    known: tuple[Finding, ...] = ()  # the faults that were there before this run
    disproved: str = ""  # the check that says the change has not the effect it should have
    holds_lock: bool = False
    take_back: Callable[[], None] | None = None  # undoes what is active and not decided about
    undoing: Transaction | None = None  # in a rollback
    undone: str = ""
    not_known: str = ""  # what could not be looked at, so that it is not proved either

    def __repr__(self) -> str:
        return self.choices.workspace

    def remote(self, program: str, *arguments: str, **options: Any) -> Answer:
        """Run one program on the workspace (``tasks.reach.remote.run``)."""
        return remote(self.host, program, arguments, **options)

    def stop(self, code: Exit, why: str) -> None:
        """End this workspace's part with a reason; the other workspaces go on."""
        self.open = False
        self.run.stop_host(self.host.name, code, why)

    def step(self, name: str, status: str, why: str = "") -> None:
        self.run.record("step", self.host.name, step=name, status=status, why=why)

    def record(self, kind: str, **fields: object) -> None:
        self.run.record(kind, self.host.name, **fields)

    @property
    def acts(self) -> bool:
        """Whether there is something to do for the operations of this workspace."""
        return self.open and self.plan is not None and not self.plan.empty

    @property
    def transacts(self) -> bool:
        """Whether anything takes effect in this run, and has to be proved."""
        return self.acts and bool(self.live or self.needed_builds)

    @property
    def root_changes(self) -> tuple[Change, ...]:
        """The files of the NixOS layer that a run changes."""
        changes = self.plan.changes if self.acts and self.plan else ()
        return tuple(one for one in changes if one.root)

    @property
    def root_sweep(self) -> tuple[str, ...]:
        """What a killed run left beside them."""
        ours = f"{system_layer(self.choices.root)}/"
        left = self.plan.sweep if self.acts and self.plan else ()
        return tuple(path for path in left if path.startswith(ours))

    @property
    def live(self) -> tuple[Change, ...]:
        return self.plan.live if self.plan else ()

    @property
    def needed_builds(self) -> tuple[Build, ...]:
        return self.plan.needed_builds if self.acts and self.plan else ()

    @property
    def lock(self) -> str:
        assert self.snapshot is not None
        return f"{self.snapshot.state}/lock"

    @property
    def record_directory(self) -> str:
        """Where the workspace keeps this run's new and old bytes, 0700."""
        assert self.snapshot is not None
        return f"{self.snapshot.state}/runs/{self.run.id}"

    @property
    def system_record(self) -> str:
        """The same for the files of root."""
        return f"{system_layer(self.choices.root).rpartition('/')[0]}/runs/{self.run.id}"

    def reconnect(self) -> bool:
        """Open a lost connection again (pyinfra does not). True when the workspace answers."""
        return reconnect(self.host)


def workspace(host: Any) -> Work:
    """The work for pyinfra's ``host``. Its input was checked before the connection was made."""
    run = runs.current
    if run is None or host.name not in run.inputs:
        raise RuntimeError("run pyinfra in the project's directory, where config.py is")
    choices, profile = run.inputs[host.name]
    run.set(host.name, Exit.FAILED, "ended unexpectedly while it was prepared")
    return Work(host=host, run=run, choices=choices, profile=profile)
