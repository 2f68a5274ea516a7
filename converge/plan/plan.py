"""The difference desired - snapshot: what a dry run shows and a run applies, byte for byte.

In: a snapshot and what is desired. Out: a frozen ``Plan``. Its id is a digest of all that it would
do, so a saved plan is either exactly the one computed now, or stale.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from converge.journal.form import plain
from converge.journal.kinds import PlannedBuild, PlannedFile, PlanSummary
from converge.kde import merge
from converge.kde.back import Back
from converge.plan.flakes import Flake
from converge.plan.layers import NixLayer
from converge.plan.standing import Standing
from converge.plan.written import LastWritten
from converge.setting import Layer

LIVE = (Layer.PLASMA, Layer.SESSION)
KEEP = None  # mode of a file that stays as it is; 0600 for a new one


@dataclass(frozen=True, kw_only=True)
class Change:
    """One file that a run would create, replace or remove (``after`` is None)."""

    path: str
    layer: Layer
    before: bytes | None
    after: bytes | None
    mode: int | None = KEEP
    root: bool = False
    kde: bool = False  # written under KConfig's own lock
    keys: tuple[merge.EntryChange, ...] = ()
    entries: tuple[Back, ...] = ()  # what an undo takes back of a KDE file, or of its source
    link: str = ""  # of the user's own, through which "path" is written: an undo looks at it
    chezmoi_target: str = ""  # of a live file or its source: chezmoi takes note of the target

    @property
    def verb(self) -> str:
        if self.after is None:
            return "remove"
        return "create" if self.before is None else "replace"


@dataclass(frozen=True, kw_only=True)
class FileDrift:
    """A file or an entry of ours that somebody else changed since we last wrote it."""

    path: str
    what: str  # "the file", or "[Group] key"
    old: str
    found: str
    wanted: str


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Something in place of a managed file that we do not touch, and what to do about it."""

    path: str
    what: str
    fix: str
    given: bool = False  # it is what the inventory or --data named


@dataclass(frozen=True, kw_only=True)
class Build:
    """A Nix layer: whether it has to be built, and why or why not."""

    nix: NixLayer
    needed: bool
    why: str
    base: Flake  # the user's own
    inputs: str  # digest of the layer's files and of the user's flake


@dataclass(frozen=True, kw_only=True)
class Plan:
    workspace: str
    changes: tuple[Change, ...]
    drift: tuple[FileDrift, ...]
    refusals: tuple[Refusal, ...]
    builds: tuple[Build, ...]
    sweep: tuple[str, ...]  # staged files that a killed run left
    warnings: tuple[str, ...]
    standings: tuple[Standing, ...]
    not_applicable: Mapping[Layer, str]
    written: LastWritten  # the record after this plan
    recorded: bool  # whether the workspace's record says so already
    to_prove: tuple[str, ...] = ()  # settings of a staged rollout that wait for their proof

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do, not even to look at."""
        return self.quiet and self.recorded and not self.to_prove

    @property
    def quiet(self) -> bool:
        """Whether nothing changes on the workspace but our own record of it."""
        return not (self.changes or self.sweep or self.needed_builds)

    @property
    def live(self) -> tuple[Change, ...]:
        """The files that take effect when they are written; those of the Nix layers do not."""
        return tuple(change for change in self.changes if change.layer in LIVE)

    @property
    def inert(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.layer not in LIVE)

    @property
    def needed_builds(self) -> tuple[Build, ...]:
        return tuple(build for build in self.builds if build.needed)

    @property
    def id(self) -> str:
        """Twelve hex digits: the same for the same bytes before and after on the same workspace.

        The first is a letter, so that no command line takes an id for a number."""
        text = sha256(json.dumps(plain(self.summary()), sort_keys=True).encode()).hexdigest()
        return "abcdef"[int(text[0], 16) % 6] + text[1:12]

    def summary(self) -> PlanSummary:
        """All that the plan does; bytes as digests."""
        return PlanSummary(
            workspace=self.workspace,
            changes=tuple(
                PlannedFile(
                    path=change.path,
                    layer=change.layer.value,
                    before=digest(change.before),
                    after=digest(change.after),
                    mode=change.mode,
                    root=change.root,
                )
                for change in self.changes
            ),
            builds=tuple(
                PlannedBuild(
                    layer=build.nix.layer.value,
                    needed=build.needed,
                    base=build.base.url,
                    inputs=build.inputs,
                )
                for build in self.builds
            ),
            sweep=self.sweep,
        )


def digest(content: bytes | None) -> str:
    return "absent" if content is None else sha256(content).hexdigest()
