"""A run while it goes on: a line for each step with its time, from the records of the journal."""

from __future__ import annotations

from datetime import datetime

from converge.journal.journal import Record
from converge.report.terminal import Terminal
from converge.report.words import duration, tone

STYLES = {"good": ("green",), "bad": ("red",), "waiting": ("yellow",), "plain": ()}
#: Steps whose record is for the reports: the end of the run says it better.
_SILENT = frozenset({("prove", "found"), ("kept", "done"), ("roll back", "found")})


class Progress:
    """Prints the records of one run as they are written. ``whole`` (``-v``): also what begins."""

    def __init__(self, terminal: Terminal, *, whole: bool = False) -> None:
        self.terminal, self.whole = terminal, whole
        self._begun: dict[tuple[object, object], str] = {}

    def say(self, record: Record) -> None:
        if record["kind"] == "step":
            key = record["workspace"], record["step"]
            if record["status"] == "started":
                self._begun[key] = str(record.get("time", ""))
                if not self.whole:
                    self._wait(record)
                    return
            took = _took(self._begun.get(key, ""), record)
        else:
            took = ""
        try:
            text = describe(record, took=took)
        except Exception as error:  # it is in the journal, and what it is about goes on
            text = f"{record['kind']} {record['seq']} cannot be shown: {type(error).__name__}"
        if record["kind"] == "result":
            self.terminal.wrapped(text, *style(record), always=True)
        elif text and record["kind"] == "problem":
            self.terminal.wrapped(text, *style(record))
        elif text:
            self.terminal.line(text, *style(record))

    def _wait(self, record: Record) -> None:
        """On a terminal, what is waited for: until the next line takes its place."""
        self.terminal.passing(f"  {record['workspace']}: {record['step']} ...")


def _took(begun: str, record: Record) -> str:
    if record["status"] == "started" or not begun:
        return ""
    try:
        ended = datetime.fromisoformat(str(record.get("time")))
        return duration(max(0.0, (ended - datetime.fromisoformat(begun)).total_seconds()))
    except (ValueError, TypeError):
        return ""


def describe(record: Record, *, took: str = "") -> str:
    """The message of a journal record, or "" for one that only reports read."""
    name, kind = record["workspace"], record["kind"]
    match kind:
        case "run-start":
            workspaces = record.get("workspaces")
            names = ", ".join(map(str, workspaces)) if isinstance(workspaces, list) else ""
            dry = ", dry run," if record["mode"] == "dry run" else ""
            return f"{record['task']}{dry} on {names} (run {record['run']})"
        case "step":
            if (record["step"], record["status"]) in _SILENT:
                return ""
            status = "" if record["status"] == "done" and took else f": {record['status']}"
            why = f": {record['why']}" if record.get("why") else ""
            return f"  {name}: {record['step']}{status}{why}" + (f" ({took})" if took else "")
        case "problem":
            return f"  {name}: {record['text']}"
        case "result":
            why = f" ({record['why']})" if record.get("why") else ""
            return f"  {name}: {record['outcome']}{why}"
        case "run-end":
            return f"{record['outcome']} (exit {record['exit']}), journal {record['journal']}"
    return ""


def style(record: Record) -> tuple[str, ...]:
    """How the message of a record looks on a terminal."""
    match record["kind"], record.get("status"):
        case "run-end" | "result", _:
            return STYLES[tone(str(record.get("outcome")))]
        case "problem", _:
            return ("red",)
        case "step", "failed":
            return ("red",)
        case "step", "started" | "done":
            return ("dim",)
    return ()
