"""Sentences and tones that the page and the terminal share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from converge.effect import WORST_FIRST, Effect
from converge.exits import Exit, Outcome, kept, known
from converge.problem import count

if TYPE_CHECKING:  # a run shows its progress by these words, and makes no report
    from converge.report.model import Report, ReportedWorkspace
    from converge.report.parts import ReportedFinding

PHASES = {
    "1": "Phase 1, libraries",
    "2": "Phase 2, language runtimes",
    "3": "Phase 3, desktop applications",
    "4": "Phase 4, Plasma",
    "5": "Phase 5, video",
    "memory": "Memory and storage",
    "": "The workspace as a whole",
}

_GOOD = frozenset(("met", "true", "in force"))
_BAD = frozenset((*("worse", "blocks"),))
_WAITING = frozenset(
    (
        *("pending", "unknown"),
        *("no end recorded", "no result", "stale", "below", "needs consent"),
    )
)


_CODES = {
    **dict.fromkeys(Exit, "bad"),
    **dict.fromkeys((Exit.CHANGES, Exit.LOCKED, Exit.INTERRUPTED), "waiting"),
    Exit.DONE: "good",
}
_TONES = dict.fromkeys((Outcome.NOWHERE, Outcome.UNSEEN, Outcome.DIFFERS), "waiting")


def tone(word: str) -> str:
    """good, bad, waiting or plain. An unknown word is never good."""
    outcome = known(word)
    if outcome is not None:
        return _TONES.get(outcome, _CODES[outcome.exit])
    if word in _GOOD:
        return "good"
    if word in _BAD:
        return "bad"
    return "waiting" if word in _WAITING or not word else "plain"


def outcome(report: Report) -> str:
    """The word for the whole run. A run without an end is never a good one."""
    if report.cut or not report.outcome:
        return "no end recorded"
    return report.outcome


def exit_sentence(code: int, word: str = "") -> str:
    """A sentence on an exit code: the sentence of the outcome ``word`` where the word has this
    code, else the meaning of the code."""
    try:
        outcome = known(word)
        says = outcome is not None and outcome is not Outcome.DONE and outcome.exit == code
        return f"Exit {code}: {outcome.sentence if says and outcome else Exit(code).meaning}."
    except ValueError:
        return f"Exit {code}: not a code of this program."


def duration(seconds: float | None) -> str:
    """Seconds for a person."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def total(report: Report) -> str:
    """The subject of the run, in a few words."""
    files = sum(len(workspace.changes) for workspace in report.workspaces)
    measured = sum(bool(m.n) and not m.control for w in report.workspaces for m in w.measurements)
    checks = sum(len(workspace.findings) for workspace in report.workspaces)
    if files:
        ended = "changed" if kept(report.outcome) else "in the plan"
        return f"{count(files, 'file')} {'would change' if report.dry else ended}"
    if report.task == "measure":
        return count(measured, "measurement")
    if checks:
        return count(checks, "check")
    return "No file to change" if report.task in ("deploy", "") else f"Task {report.task}"


def effects(findings: Iterable[ReportedFinding]) -> list[tuple[Effect, int]]:
    """The number of findings by effect, worst first, without effects that no finding has."""
    counts = Counter(finding.effect for finding in findings)
    return [(effect, counts[effect]) for effect in WORST_FIRST if counts[effect]]


def proof(one: ReportedWorkspace) -> str:
    """How many of the settings that apply are effective. Reminders to a person do not count."""
    found = [each for each in one.findings if each.counts]
    if not found:
        return "not checked in this run" + _recorded(one)
    applicable = [each for each in found if each.effect is not Effect.NOT_APPLICABLE]
    good = sum(each.effect is Effect.EFFECTIVE for each in applicable)
    return f"{good} of {len(applicable)} effective"


def _recorded(one: ReportedWorkspace) -> str:
    """What the workspace's own record had of the settings in force."""
    known = [each.effect for each in one.settings if each.effect]
    applicable = [effect for effect in known if effect != Effect.NOT_APPLICABLE]
    good = sum(effect == Effect.EFFECTIVE for effect in applicable)
    return f"; by the workspace's record {good} of {len(applicable)} effective" if known else ""
