"""The texts of a workspace's sections on the page; the templates lay them out."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from converge.effect import WORST_FIRST, Effect
from converge.exits import Outcome, kept, well
from converge.journal.kinds import FACT_WORDS
from converge.problem import count
from converge.report.ending import EndingRow, open_ends
from converge.report.model import Report, ReportedWorkspace
from converge.report.parts import (
    ReportedChange,
    ReportedFact,
    ReportedFinding,
    ReportedMeasurement,
    signed,
)
from converge.report.picture import spread
from converge.report.words import PHASES
from converge.report.words import effects as counted

#: Effects that a person has to look at; the others are counted, and stand behind a fold.
OPEN = (Effect.NOT_EFFECTIVE, Effect.UNKNOWN)


def anchor(workspace: str, section: str) -> str:
    """An HTML id for a section; a digest stands for the workspace, whose name may be anything."""
    return f"{section}-{hashlib.sha256(workspace.encode()).hexdigest()[:8]}"


def files(report: Report, one: ReportedWorkspace) -> str:
    """How many files the run changed, or would change."""
    if not one.plan:
        return "no plan was made"
    if not one.changes:
        return "no change"
    done = "changed" if kept(one.outcome) else "to change"
    return f"{len(one.changes)} {'would change' if report.dry else done}"


def problems(one: ReportedWorkspace) -> Sequence[str]:
    """The problems of the run, and the reason of its result where this is not among them."""
    why = "" if well(one.outcome) or one.outcome == Outcome.CHANGES else one.why
    return [*one.problems, *([why] if why and why not in one.problems else [])]


def untrue(one: ReportedWorkspace) -> Sequence[ReportedFact]:
    """The facts of the profile that are not true of the machine, worst first."""
    lies = (each for each in one.gates if each.outcome != "true")
    return sorted(lies, key=lambda each: FACT_WORDS.index(each.outcome))


@dataclass(frozen=True, kw_only=True)
class PhaseFindings:
    """The findings of one phase, worst first: ``open`` ones in full, the ``rest`` in a fold."""

    title: str
    counts: Sequence[tuple[Effect, int]]
    open: Sequence[ReportedFinding]
    rest: Sequence[ReportedFinding]

    @property
    def summary(self) -> str:
        """The visible line of the fold."""
        if self.open:
            return f"the other {len(self.rest)} in detail"
        return "this one in detail" if len(self.rest) == 1 else f"all {len(self.rest)} in detail"


def phases(one: ReportedWorkspace) -> Iterable[PhaseFindings]:
    """What the checks found, by phase."""
    order = list(PHASES)

    def place(each: ReportedFinding) -> tuple[int, str]:
        return (order.index(each.phase) if each.phase in order else len(order), each.phase)

    for phase, some in groupby(sorted(one.findings, key=place), key=lambda each: each.phase):
        found = sorted(some, key=lambda each: WORST_FIRST.index(each.effect))
        yield PhaseFindings(
            title=PHASES.get(phase, f"Phase {phase}"),
            counts=counted(found),
            open=[each for each in found if each.effect in OPEN],
            rest=[each for each in found if each.effect not in OPEN],
        )


def waits(one: ReportedWorkspace) -> Sequence[EndingRow]:
    """What a person has to do, or to know, before all is well."""
    return [*_wrong(one.findings), *_blocking(one), *_drifted(one), *_open(one.findings)]


def still_open(findings: Sequence[ReportedFinding]) -> Sequence[EndingRow]:
    """``waits`` for findings alone, of any runs."""
    return [*_wrong(findings), *_open(findings)]


def _wrong(findings: Iterable[ReportedFinding]) -> Iterator[EndingRow]:
    names = [
        finding.setting or finding.check
        for finding in findings
        if finding.effect is Effect.NOT_EFFECTIVE
    ]
    if names:
        yield EndingRow(word=Effect.NOT_EFFECTIVE.value, text=", ".join(names), tone="bad")


def _blocking(one: ReportedWorkspace) -> Iterator[EndingRow]:
    for fact in one.gates:
        if fact.outcome == "blocks":
            text = f"{fact.fact}: {fact.fix or fact.why}"
            yield EndingRow(word=fact.outcome, text=text, tone="bad")


def _drifted(one: ReportedWorkspace) -> Iterator[EndingRow]:
    if one.drift and not kept(one.outcome):
        text = f"{count(len(one.drift), 'value')} changed by somebody else; deploy.py heals them"
        yield EndingRow(word="drift", text=text, tone="waiting")


def _open(findings: Iterable[ReportedFinding]) -> Iterator[EndingRow]:
    return open_ends(tuple(finding.finding for finding in findings if finding.finding.counts))


def machine(one: ReportedWorkspace) -> str:
    """User and machine of the workspace."""
    names = (one.facts.get(name, "") for name in ("user", "hostname"))
    return " on ".join(filter(None, names)) or "not read"


def pieces(text: str) -> Sequence[str]:
    """``text`` in parts: a line of the page may break after each of them."""
    return re.findall(r"[^/.,:;=@_-]*[/.,:;=@_-]+|[^/.,:;=@_-]+", str(text))


def changed_title(report: Report, one: ReportedWorkspace) -> str:
    if report.dry:
        return "What would change"
    return "What changed" if kept(one.outcome) else "What was to change"


def layers(one: ReportedWorkspace) -> Sequence[tuple[str, Sequence[ReportedChange]]]:
    """The files that change, by layer."""
    names = sorted({each.layer for each in one.changes})
    return [(name, [each for each in one.changes if each.layer == name]) for name in names]


def layer_summary(layer: str, found: Sequence[ReportedChange]) -> str:
    """The line that counts the files of a layer."""
    verbs = Counter(each.verb for each in found)
    said = ", ".join(f"{number} {verb}" for verb, number in verbs.items())
    return f"{layer}: {count(len(found), 'file')} ({said})"


def claimed(each: ReportedMeasurement) -> str:
    """The range that the plan claims."""
    return "" if each.claimed_low is None else f"{each.claimed_low:g} to {each.claimed_high:g} %"


def gained(each: ReportedMeasurement) -> str:
    """What was measured, with its interval."""
    if each.value is None:
        return ""
    return f"{signed(each.value)} % {each.word}" + (f" ({spread(each)})" if spread(each) else "")


def measured_where(one: ReportedWorkspace) -> str:
    """In which runs, and on which CPU, the figures of a workspace were measured."""
    cpus = sorted({each.cpu for each in one.measurements if each.cpu})
    runs = sorted({each.run for each in one.measurements})
    return f"Measured in run {', '.join(runs)}" + (f" on {', '.join(cpus)}" if cpus else "") + "."
