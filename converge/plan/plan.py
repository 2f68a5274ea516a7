"""The plan, desired - snapshot, as values: what a dry run shows and a run applies, byte for byte.

``converge.plan.planning`` makes a ``Plan``. The id of a plan is a digest of all that the plan would
do, so a saved plan is either exactly the plan computed now, or stale.
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
KEEP = None  # the mode of an existing file stays; a new file gets 0600


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
    entries: tuple[Back, ...] = ()  # of a KDE file or its source: what an undo takes back
    link: str = ""  # the user's own link to "path", if any; an undo looks at the link too
    chezmoi_target: str = ""  # the live file, whose new bytes chezmoi's own record has to learn

    @property
    def verb(self) -> str:
        if self.after is None:
            return "remove"
        return "create" if self.before is None else "replace"


@dataclass(frozen=True, kw_only=True)
class FileDrift:
    """A file or an entry that somebody else changed since a run wrote it."""

    path: str
    what: str  # "the file", or "[Group] key"
    old: str
    found: str
    wanted: str


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Something in the way of the plan that a run does not touch, and what to do about it."""

    path: str
    what: str
    fix: str
    given: bool = False  # the inventory or --data named the path


@dataclass(frozen=True, kw_only=True)
class Build:
    """A Nix layer that applies: whether it has to be built, and why or why not."""

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
    recorded: bool  # whether the workspace's record is the same as ``written`` already
    to_prove: tuple[str, ...] = ()  # settings that are looked at whatever changes

    @property
    def empty(self) -> bool:
        """Whether the run has nothing to change, nothing to record and nothing to prove."""
        return self.quiet and self.recorded and not self.to_prove

    @property
    def quiet(self) -> bool:
        """Whether the run changes nothing on the workspace except its own record."""
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
        """Twelve hex digits, a digest of ``summary``.

        The first digit is a letter, so that no command line parser reads an id as a number."""
        text = sha256(json.dumps(plain(self.summary()), sort_keys=True).encode()).hexdigest()
        return "abcdef"[int(text[0], 16) % 6] + text[1:12]

    def summary(self) -> PlanSummary:
        """All that the plan would do, with digests in place of bytes."""
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
