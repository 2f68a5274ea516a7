"""A report on the terminal: the result, what needs attention, and where the rest is."""

from __future__ import annotations

from converge.effect import Effect
from converge.problem import count
from converge.report.model import Report, ReportedWorkspace, clock
from converge.report.parts import ReportedFinding
from converge.report.picture import figures
from converge.report.terminal import Terminal
from converge.report.words import PHASES, duration, exit_sentence, outcome, proof, tone, total

_STYLES = {"good": "green", "bad": "red", "waiting": "yellow", "plain": "dim"}
NAMES = (14,)
WIDE = (32,)


def show(terminal: Terminal, report: Report) -> None:
    """Print the report. What is as it should be is counted, the rest is named."""
    word = outcome(report)
    terminal.line(f"run {report.run}: {word}", "bold", _STYLES[tone(word)])
    took = f", {duration(report.seconds)}" if report.seconds is not None else ""
    terminal.row(
        (report.mode or "run", f"{total(report)}, begun {clock(report.started)}{took}"), NAMES
    )
    if report.exit is not None:
        terminal.row(
            ("exit", exit_sentence(report.exit, report.outcome).removeprefix("Exit ")), NAMES
        )
    if report.cut:
        terminal.row(
            ("journal", f"{report.cut}; what follows is all that was recorded"), NAMES, "yellow"
        )
    for workspace in report.workspaces:
        _workspace(terminal, workspace)


def _workspace(terminal: Terminal, one: ReportedWorkspace) -> None:
    terminal.line()
    result = one.outcome or "no result"
    terminal.line(f"{one.name}: {result}", "bold", _STYLES[tone(one.outcome)])
    if one.why and one.why not in one.problems:
        terminal.row(("why", one.why), NAMES)
    for text in one.problems:
        terminal.row(("problem", text), NAMES, "red")
    for gate in one.gates:
        if gate.outcome == "blocks":
            text = f"{gate.fact}: declared {gate.declared}, found {gate.found}; to do: {gate.fix}"
            terminal.row(("blocks", text), NAMES, "red")
    if one.changes:
        layers = sorted({change.layer for change in one.changes})
        text = ", ".join(
            f"{sum(c.layer == layer for c in one.changes)} {layer}" for layer in layers
        )
        terminal.row(("files", text), NAMES)
    for entry in one.entries:
        terminal.row((f"{entry.group} {entry.key}", f"{entry.before} -> {entry.after}"), WIDE)
    for drift in one.drift:
        text = f"{drift.path} {drift.what}: wrote {drift.old}, found {drift.found}"
        terminal.row(("drift", text), NAMES, "yellow")
    terminal.row(("effects", proof(one)), NAMES)
    for finding in one.findings:
        if finding.effect in (Effect.NOT_EFFECTIVE, Effect.UNKNOWN):
            terminal.row((finding.setting or finding.check, _finding(finding)), WIDE)
    pending = [finding for finding in one.findings if finding.effect is Effect.PENDING]
    if pending:
        reason = f", such as {pending[0].setting or pending[0].check}: {pending[0].reason}"
        terminal.row(("pending", f"{count(len(pending), 'setting')}{reason}"), NAMES)
    for measurement in one.measurements:
        if measurement.value is not None and not measurement.control:
            terminal.row((measurement.label, figures(measurement)), WIDE)
        if measurement.control and measurement.verdict == "worse":
            terminal.row(("control", measurement.why), NAMES, "yellow")
    silent = [each for each in one.measurements if each.value is None]
    if silent:
        text = ", ".join(dict.fromkeys(each.label for each in silent))
        terminal.row(("not measured", f"{count(len(silent), 'claim')}: {text}"), NAMES)
    for step in one.steps:
        if step.status not in ("done", "note", "found"):
            terminal.row((f"step {step.status}", f"{step.name}: {step.why}"), NAMES, "yellow")
    ended = [step for step in one.steps if step.seconds is not None]
    if ended:
        slowest = max(ended, key=lambda step: step.seconds or 0)
        text = f"{count(len(ended), 'step')}, longest: {slowest.name} {duration(slowest.seconds)}"
        terminal.row(("steps", text), NAMES)
    commands = [text[2:] for text in one.undo if text.startswith("$ ")]
    terminal.row(("undo", (commands or list(one.undo))[0]), NAMES)


def _finding(finding: ReportedFinding) -> str:
    parts = [
        f"{word} {value}"
        for word, value in (("expected", finding.expected), ("found", finding.found))
        if value
    ]
    said = [str(finding.effect), ", ".join(parts), finding.reason]
    return ": ".join(filter(None, said)) + f" ({PHASES.get(finding.phase, finding.phase)})"
