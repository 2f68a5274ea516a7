"""The records of a journal, one frozen class a kind: what a run writes and what reports read.

``schemas/journal.schema.json`` is made from these (``converge.journal.schema``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated as A

from converge.effect import Effect, Finding
from converge.exits import Exit, Outcome
from converge.journal.form import Says, copied
from converge.journal.measured import MeasurementRecord, MemoryRecord
from converge.setting import Layer
from converge.trial import Trial, TrialState

#: Words of a fact of the gate, worst first. Any other word is read as unknown.
FACT_WORDS = ("blocks", "unknown", "differs", "true")

_LAYER = Says("Where a change lands", rules={"enum": [one.value for one in Layer]})
_OUTCOME = Says(
    "How a workspace's part or the run ended; converge/exits.py has the table",
    rules={"enum": [one.value for one in Outcome]},
)
_DIGEST = {"pattern": "^(absent|[0-9a-f]{64})$"}


@dataclass(frozen=True, kw_only=True)
class RunStartRecord:
    """The first record: what this process was asked to do."""

    version: A[str, Says("Version of the project")]
    task: A[str, Says("Name of the deploy file without .py: deploy, verify, measure, rollback")]
    mode: A[str, Says("A dry run changes nothing", rules={"enum": ["run", "dry run"]})]
    workspaces: A[
        tuple[str, ...], Says("Every workspace of the run, before anything was connected")
    ]
    inventory: A[str, Says("The inventory as the command line named it")] = ""


@dataclass(frozen=True, kw_only=True)
class SnapshotRecord:
    """The workspace was read."""

    facts: A[
        Mapping[str, str], Says("User, home, state directory, kernel, boot and so on, by name")
    ]
    marks: A[
        tuple[str, ...], Says("What kind of system it is: nixos, ostree, wsl, systemd, user_bus")
    ]


@dataclass(frozen=True, kw_only=True)
class VerdictRecord:
    """A fact of the profile was compared with the machine."""

    fact: A[str, Says("Its name in the profile, such as cpu.threads")]
    outcome: A[
        str,
        Says(
            "differs: not true, and nothing in force breaks because of it; "
            "blocks: the run is refused",
            otherwise="unknown",
            rules={"enum": list(FACT_WORDS)},
        ),
    ]
    declared: A[str, Says("What the profile says")]
    found: A[str, Says("What the machine says")]
    why: A[str, Says("What the difference means")]
    fix: A[str, Says("What to do")]
    settings: A[tuple[str, ...], Says("Settings in force that need the fact")]


@dataclass(frozen=True, kw_only=True)
class PlannedFile:
    """A file that the plan creates, replaces or removes."""

    path: A[str, Says("Absolute path on the workspace")]
    layer: A[str, _LAYER]
    before: A[str, Says("sha256 of the bytes that were read, or absent", rules=_DIGEST)]
    after: A[
        str, Says("sha256 of the bytes to write, or absent for a file to remove", rules=_DIGEST)
    ]
    mode: A[int | None, Says("Permission bits; null: as the file has them")]
    root: A[bool, Says("Whether the file belongs to root")]


@dataclass(frozen=True, kw_only=True)
class PlannedBuild:
    """A Nix layer that applies on the workspace."""

    layer: A[str, _LAYER]
    needed: A[bool, Says("Whether it has to be built")]
    base: A[str, Says("URL of the user's own flake")]
    inputs: A[str, Says("Digest of the layer's files and of the user's flake")]


@dataclass(frozen=True, kw_only=True)
class PlanSummary:
    """All that the plan does; bytes as digests."""

    workspace: A[str, Says("Name of the workspace")]
    changes: A[tuple[PlannedFile, ...], Says("Files that change")]
    builds: A[tuple[PlannedBuild, ...], Says("Nix layers")]
    sweep: A[tuple[str, ...], Says("Staged files that a killed run left")]


@dataclass(frozen=True, kw_only=True)
class PlannedEntry:
    """One entry of a KDE file."""

    path: A[str, Says("Path of the file")]
    group: A[str, Says("Its group as KConfig prints it, such as [Plugins]")]
    key: A[str, Says("Its key")]
    before: A[str | None, Says("Value found, null for none")]
    after: A[str | None, Says("Value to write, null to delete it")]


@dataclass(frozen=True, kw_only=True)
class PlannedSetting:
    """Where one setting stands."""

    setting: A[str, Says("Id of the setting")]
    stand: A[
        str,
        Says("in force, withheld, needs consent, excluded, not applicable, not selected"),
    ]
    why: A[str, Says("Why it is not in force")]
    effect: A[
        str, Says("What the workspace's record has of it before this run; empty for nothing")
    ] = ""


@dataclass(frozen=True, kw_only=True)
class PlanRecord:
    """The plan of the workspace was made; nothing has changed up to here."""

    id: A[
        str,
        Says(
            "Digest of the plan's summary, 12 hex digits, the first a letter",
            rules={"pattern": "^[a-f][0-9a-f]{11}$"},
        ),
    ]
    empty: A[bool, Says("Whether there is nothing to do")]
    summary: A[PlanSummary, Says("All that the plan does; bytes as digests")]
    entries: A[tuple[PlannedEntry, ...], Says("Entries of KDE files that change")] = ()
    settings: A[tuple[PlannedSetting, ...], Says("Where every setting of the plan stands")] = ()
    notes: A[tuple[str, ...], Says("What the user should know of the plan")] = ()


@dataclass(frozen=True, kw_only=True)
class DriftRecord:
    """A managed value was changed by somebody else since it was last written."""

    path: A[str, Says("Path of the file")]
    what: A[str, Says("the file, or group and key of an entry")]
    old: A[str, Says("What was written last")]
    found: A[str, Says("What is there")]
    wanted: A[str, Says("What the plan writes")]


@dataclass(frozen=True, kw_only=True)
class EstimateRecord:
    """What Nix says a build would do."""

    layer: A[str, _LAYER]
    text: A[str, Says("In one line")]
    derivations: A[tuple[str, ...], Says("Derivations to build, as store paths")]


@dataclass(frozen=True, kw_only=True)
class DifferenceRecord:
    """What a built layer changes, before it is activated."""

    layer: A[str, _LAYER]
    lines: A[tuple[str, ...], Says("package, unit or unknown, and what was said of it")]


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """A step began, ended, or found something on its way."""

    step: A[str, Says("Name of the step, the same at its begin and its end")]
    status: A[
        str,
        Says(
            "stale: what was read had changed meanwhile, it begins again; "
            "found and note: a moment within it",
            rules={"enum": ["started", "done", "failed", "stale", "found", "note"]},
        ),
    ]
    why: A[str, Says("Why it failed, or what was found")]


@dataclass(frozen=True, kw_only=True)
class FindingRecord:
    """A check looked at the workspace."""

    check: A[str, Says("Id of the check")]
    setting: A[str, Says("Id of the setting that it is about, or empty")]
    title: A[str, Says("What should hold")] = ""
    phase: A[str, Says("Phase of the setting, or empty")] = ""
    effect: A[
        Effect,
        Says(
            "pending: after the next login or reboot; unknown never counts as passed",
            otherwise=Effect.UNKNOWN,
        ),
    ]
    expected: A[str, Says("Value that should be there")]
    found: A[str, Says("Value that is there")]
    reason: A[str, Says("Why the effect is what it is")]
    counts: A[bool, Says("False for a reminder to a person, which decides nothing")] = True

    @classmethod
    def of(cls, finding: Finding) -> FindingRecord:
        return copied(cls, finding)

    @property
    def finding(self) -> Finding:
        return Finding(**vars(self))


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """How a change stands that is booted once, or was (docs/next-boot.md)."""

    run: A[str, Says("The run whose change it is")]
    state: A[
        str,
        Says(
            "Where it stands", rules={"enum": [one.value for one in TrialState]}, otherwise="broken"
        ),
    ]
    stands: A[str, Says("The same for a person, with the reason")]
    next: A[str, Says("What a person does about it, or empty")] = ""
    found: A[tuple[str, ...], Says("What each check found after the boot")] = ()
    journal: A[
        tuple[str, ...],
        Says("Of a boot that failed: what was wrong in it, then -- and its last lines"),
    ] = ()

    @classmethod
    def of(cls, run: str, trial: Trial, *, boot: str) -> TrialRecord:
        """The record of a run's trial. ``boot``: the id of the workspace's present boot."""
        return cls(
            run=run,
            state=trial.state.value,
            stands=trial.stands(boot),
            next=trial.next_step(boot),
            found=trial.found,
            journal=trial.journal,
        )


#: The end of a problem that a dry run goes on with, and that a run is refused for.
REFUSES = " (a run refuses)"


@dataclass(frozen=True, kw_only=True)
class ProblemRecord:
    """Something that a person should read."""

    text: A[str, Says("What happened, where, what to do")]


@dataclass(frozen=True, kw_only=True)
class ResultRecord:
    """How the run ended for a workspace."""

    outcome: A[str, _OUTCOME]
    why: A[str, Says("Why")]


@dataclass(frozen=True, kw_only=True)
class RunEndRecord:
    """The last record: without it the run was stopped, or still runs."""

    outcome: A[str, _OUTCOME]
    exit: A[
        int | None, Says("Exit code of the process", rules={"enum": [int(code) for code in Exit]})
    ]
    journal: A[str, Says("Path of this file on the controller")]


@dataclass(frozen=True, kw_only=True)
class OtherRecord:
    """A record of no kind that is known: of another version, or damaged."""

    kind: str = ""
    fields: Mapping[str, object] = field(default_factory=dict)


Record = (
    RunStartRecord
    | SnapshotRecord
    | VerdictRecord
    | PlanRecord
    | DriftRecord
    | EstimateRecord
    | DifferenceRecord
    | StepRecord
    | FindingRecord
    | TrialRecord
    | MemoryRecord
    | MeasurementRecord
    | ProblemRecord
    | ResultRecord
    | RunEndRecord
    | OtherRecord
)
#: The ``kind`` of a journal's line -> the class of its record.
KINDS: Mapping[str, type[Record]] = {
    "run-start": RunStartRecord,
    "snapshot": SnapshotRecord,
    "verdict": VerdictRecord,
    "plan": PlanRecord,
    "drift": DriftRecord,
    "estimate": EstimateRecord,
    "difference": DifferenceRecord,
    "step": StepRecord,
    "finding": FindingRecord,
    "trial": TrialRecord,
    "memory": MemoryRecord,
    "measurement": MeasurementRecord,
    "problem": ProblemRecord,
    "result": ResultRecord,
    "run-end": RunEndRecord,
}
WORDS = {kind: word for word, kind in KINDS.items()}
#: Records of the run itself: their lines name no workspace.
OF_THE_RUN = (RunStartRecord, RunEndRecord)
