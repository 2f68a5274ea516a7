"""The end of a workspace's part for a person: what changed, what is pending, what to do next.

In: the lines of a journal. Out: rows for the terminal. Each pending or unknown setting is named,
with what makes its effect known.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from converge.effect import Effect, Finding, remedy, summary
from converge.exits import Exit, Outcome, kept
from converge.journal.journal import Line, last_of_kind, of_kind
from converge.journal.kinds import REFUSES, FindingRecord, PlanRecord, ProblemRecord, RunStartRecord
from converge.problem import count

PYINFRA = ".venv/bin/pyinfra"


@dataclass(frozen=True, kw_only=True)
class EndingRow:
    """A word and its text. ``tone``: as in ``converge.report.words.tone``; ``typed``: the text is a
    command, so it gets a line of its own."""

    word: str
    text: str
    tone: str = "plain"
    typed: bool = False


def latest(records: Iterable[FindingRecord]) -> tuple[Finding, ...]:
    """The last finding of each check and setting, without reminders to a person. Every count of a
    run comes from these."""
    last: dict[tuple[str, str], Finding] = {}
    for record in records:
        last[record.check, record.setting] = record.finding
    return tuple(finding for finding in last.values() if finding.counts)


def open_ends(findings: Sequence[Finding]) -> Iterator[EndingRow]:
    """Pending and unknown findings, grouped by what makes their effect known."""
    groups: dict[tuple[Effect, str], list[str]] = {}
    for finding in findings:
        if finding.effect in (Effect.PENDING, Effect.UNKNOWN):
            key = finding.effect, remedy(finding)
            groups.setdefault(key, []).append(finding.setting or finding.check)
    for effect in (Effect.PENDING, Effect.UNKNOWN):
        for (which, how), names in groups.items():
            if which is effect:
                text = f"{len(names)}, {how}: {', '.join(dict.fromkeys(names))}"
                yield EndingRow(word=effect.value, text=text, tone="waiting")


def ineffective(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Settings that are not effective although the run was kept: they are locked, or the run did
    not touch them."""
    return tuple(finding.setting for finding in findings if finding.setting and _wrong(finding))


def _wrong(finding: Finding) -> bool:
    return finding.counts and finding.effect is Effect.NOT_EFFECTIVE


def applied(
    findings: Sequence[Finding], not_known: str = "", *, earlier: Iterable[str] = ()
) -> Outcome:
    """The outcome of a run that was kept. ``not_known``: what its proof could not look at;
    ``earlier``: effects that the workspace's record has of settings that the run did not touch."""
    earlier = frozenset(earlier)
    held = {finding.effect.value for finding in findings} | earlier
    if ineffective(findings) or Effect.NOT_EFFECTIVE in earlier:
        return Outcome.INEFFECTIVE
    if not_known or Effect.UNKNOWN in held:
        return Outcome.UNPROVED
    if Effect.PENDING in held:
        return Outcome.PENDING
    looked = {finding.effect.value for finding in findings if finding.setting} | earlier
    return Outcome.PROVED if Effect.EFFECTIVE in looked else Outcome.UNSEEN


def verified(findings: Sequence[Finding]) -> Outcome:
    """The outcome of a verification: a fault decides first, then unknown, then pending."""
    held = {finding.effect for finding in findings if finding.counts}
    if Effect.NOT_EFFECTIVE in held:
        return Outcome.INEFFECTIVE
    if Effect.UNKNOWN in held or not held:
        return Outcome.NOT_KNOWN
    if Effect.PENDING in held:
        return Outcome.AWAITED
    looked = any(finding.setting and finding.effect is Effect.EFFECTIVE for finding in findings)
    return Outcome.EFFECTIVE if looked else Outcome.NOWHERE


def effects(findings: Iterable[Finding]) -> str:
    """``28 effective, 21 pending``: the counts of the findings that apply here."""
    return summary(finding for finding in findings if finding.effect is not Effect.NOT_APPLICABLE)


def rows(
    lines: Sequence[Line],
    workspace: str,
    outcome: Outcome,
    *,
    run: str,
    inventory: str,
    data: Iterable[str],
    wide: bool,
) -> Iterator[EndingRow]:
    """The end of one workspace's part. ``data``: the choices of the command line, as ``key=value``;
    ``wide``: the run has other workspaces too."""
    task = next((record.task for record in of_kind(lines, RunStartRecord)), "")
    plan = last_of_kind(lines, PlanRecord, workspace)
    findings = latest(of_kind(lines, FindingRecord, workspace))
    if task == "deploy" and kept(outcome):
        yield EndingRow(word="changed", text=_changed(plan), tone="good")
        yield EndingRow(word="effects", text=effects(findings))
        for finding in filter(_wrong, findings):
            why = finding.reason or f"found {finding.found}"
            yield EndingRow(
                word="not effective", text=f"{finding.setting or finding.check}: {why}", tone="bad"
            )
        yield from open_ends(findings)
        undo = rerun(inventory, workspace, "tasks/rollback.py", run, wide)
        yield EndingRow(word="undo", text=undo, typed=True)
    elif task == "deploy" and outcome is Outcome.UNCHANGED and findings:
        yield EndingRow(word="effects", text=effects(findings))
        yield from open_ends(findings)
    elif task == "verify":
        yield from _faults(findings)
        yield from open_ends(findings)
        if ineffective(findings):
            limit = f" --limit {shlex.quote(workspace)}" if wide else ""
            look = f"{PYINFRA} {shlex.quote(inventory)} deploy.py --dry{limit}"
            yield EndingRow(word="next", text=look, typed=True)
    elif task == "deploy" and outcome is Outcome.CHANGES:
        problems = of_kind(lines, ProblemRecord, workspace)
        if any(one.text.endswith(REFUSES) for one in problems):
            return  # the problem says what to do first
        limit = f" --limit {shlex.quote(workspace)}" if wide else ""
        from converge.plan.saved import NARROWING

        # The plan has the choices that narrowed it; the others are said again.
        again = [one for one in data if one.partition("=")[0] not in (*NARROWING, "plan")]
        shown = "".join(
            f" --data {shlex.quote(one)}" for one in (f"plan={plan.id if plan else ''}", *again)
        )
        text = f"{PYINFRA} {shlex.quote(inventory)} deploy.py -y{limit}{shown}"
        yield EndingRow(word="to apply", text=text, typed=True)
    elif task == "deploy" and outcome.exit is Exit.UNKNOWN:
        yield EndingRow(
            word="next", text=f"{PYINFRA} {shlex.quote(inventory)} tasks/status.py", typed=True
        )


def _faults(findings: Iterable[Finding]) -> Iterator[EndingRow]:
    for finding in filter(_wrong, findings):
        why = finding.reason or f"found {finding.found}"
        yield EndingRow(
            word="not effective", text=f"{finding.setting or finding.check}: {why}", tone="bad"
        )


def _changed(plan: PlanRecord | None) -> str:
    """What a run changed: files and layers of the plan that it kept."""
    files = len(plan.summary.changes) if plan else 0
    builds = sum(build.needed for build in plan.summary.builds) if plan else 0
    parts = [count(files, "file")] if files else []
    parts += [f"{count(builds, 'layer')} built and activated"] if builds else []
    return ", ".join(parts) or "the record of the workspace"


def rerun(inventory: str, workspace: str, task: str, run: str, wide: bool) -> str:
    """The command line of a task about one run of a workspace, as a person types it."""
    limit = f" --limit {shlex.quote(workspace)}" if wide else ""
    return f"{PYINFRA} {shlex.quote(inventory)} {task}{limit} --data run={run}"
