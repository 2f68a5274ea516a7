"""A run while it goes on: a line for each step with its time, from the lines of the journal."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from converge.journal.journal import Line
from converge.journal.kinds import (
    ProblemRecord,
    Record,
    ResultRecord,
    RunEndRecord,
    RunStartRecord,
    StepRecord,
)
from converge.report.terminal import Terminal
from converge.report.words import duration, tone

STYLES = {"good": ("green",), "bad": ("red",), "waiting": ("yellow",), "plain": ()}
#: (step, status) of records that are not printed: the end of the run says the same.
_SILENT = frozenset({("prove", "found"), ("kept", "done"), ("roll back", "found")})


class Progress:
    """Prints the lines of a journal as they are written. ``whole`` (``-v``): also begun steps."""

    def __init__(self, terminal: Terminal, *, whole: bool = False) -> None:
        self.terminal, self.whole = terminal, whole
        self._begun: dict[tuple[str, str], str] = {}
        self._said: set[tuple[str, str]] = set()  # problems, by workspace

    def say(self, line: Line) -> None:
        record, took = line.record, ""
        if isinstance(record, StepRecord):
            key = line.workspace, record.step
            if record.status == "started":
                self._begun[key] = line.time
                if not self.whole:  # on a terminal, show the step that runs until the next line
                    self.terminal.passing(f"  {line.workspace}: {record.step} ...")
                    return
            took = _took(self._begun.get(key, ""), line)
        if isinstance(record, ProblemRecord):
            self._said.add((line.workspace, record.text))
        if isinstance(record, ResultRecord) and (line.workspace, record.why) in self._said:
            line = replace(line, record=replace(record, why=""))
        try:
            text = describe(line, took=took)
        except Exception as error:  # the line is in the journal; its step must go on
            text = f"{line.kind} {line.seq} cannot be shown: {type(error).__name__}"
        match record:
            case ResultRecord() | StepRecord() | RunStartRecord():
                if text:
                    self.terminal.wrapped(text, *style(record), always=True)
            case ProblemRecord() if text:
                self.terminal.wrapped(text, *style(record))
            case _ if text:
                self.terminal.line(text, *style(record))


def _took(begun: str, line: Line) -> str:
    assert isinstance(line.record, StepRecord)
    if line.record.status == "started" or not begun:
        return ""
    try:
        ended = datetime.fromisoformat(line.time)
        return duration(max(0.0, (ended - datetime.fromisoformat(begun)).total_seconds()))
    except (ValueError, TypeError):
        return ""


def describe(line: Line, *, took: str = "") -> str:
    """The message of a line of the journal; "" for a line that is for reports only."""
    name = line.workspace
    match line.record:
        case RunStartRecord() as start:
            dry = ", dry run," if start.mode == "dry run" else ""
            return f"{start.task}{dry} on {', '.join(start.workspaces)} (run {line.run})"
        case StepRecord() as step:
            if (step.step, step.status) in _SILENT:
                return ""
            status = "" if step.status == "done" and took else f": {step.status}"
            failed = step.status == "failed"  # the reason is the problem that follows
            why = f": {step.why}" if step.why and not failed else ""
            return f"  {name}: {step.step}{status}{why}" + (f" ({took})" if took else "")
        case ProblemRecord(text=text):
            return f"  {name}: {text}"
        case ResultRecord() as end:
            return f"  {name}: {end.outcome}" + (f" ({end.why})" if end.why else "")
        case RunEndRecord() as end:
            return f"{end.outcome} (exit {end.exit}), journal {end.journal}"
    return ""


def style(record: Record) -> tuple[str, ...]:
    """How the message of a record looks on a terminal."""
    match record:
        case RunEndRecord(outcome=outcome) | ResultRecord(outcome=outcome):
            return STYLES[tone(outcome)]
        case ProblemRecord() | StepRecord(status="failed"):
            return ("red",)
        case StepRecord(status="started" | "done"):
            return ("dim",)
    return ()
