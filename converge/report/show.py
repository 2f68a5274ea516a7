"""What a person sees of a plan and of a run. Every line comes from a journal record or the plan."""

from __future__ import annotations

import difflib
import re
from collections import Counter

from converge.journal.journal import Record
from converge.plan.plan import Change, Plan
from converge.plan.setting import Layer
from converge.plan.standing import Stand
from converge.report.terminal import Terminal, fit
from converge.report.words import tone

_LINES = re.compile(r"[^\n]*\n|[^\n]+")  # a line ends at \n only, as in these files
_STYLES = {"good": "green", "bad": "red", "waiting": "yellow", "plain": "dim"}
BINARY = "(not text: {} bytes)"


def show_plan(terminal: Terminal, plan: Plan, *, home: str, diff: bool) -> None:
    """The plan of one workspace: layers, files with their keys, drift, what is not done and why."""
    terminal.line()
    title = f"{plan.workspace}: {_title(plan)}"
    terminal.line(f"{title:<{terminal.width - 18}} plan {plan.id}", "bold")
    widths = (12, 24)
    for layer in Layer:
        terminal.row((layer.value, *_layer(plan, layer)), widths)
    if plan.sweep:
        terminal.row(
            ("left over", f"remove {len(plan.sweep)} files", "of a run that was killed"), widths
        )
    for change in plan.changes:
        if change.keys or diff:
            _show_change(terminal, change, home=home, diff=diff)
    for drift in plan.drift:
        terminal.line(f"  drift  {short(drift.path, home)} {drift.what}", "yellow")
        terminal.row(
            ("", f"we wrote {drift.old}, found {drift.found}, will be {drift.wanted}"), (4,)
        )
    for refusal in plan.refusals:
        terminal.line(f"  refused  {refusal.path}: {refusal.what}", "red")
        terminal.row(("", f"to do: {refusal.fix}"), (6,))
    for warning in plan.warnings:
        terminal.row(("note", warning), (4,), "yellow")
    _show_settings(terminal, plan, reasons=diff)


def _title(plan: Plan) -> str:
    if plan.refusals:
        return f"refused, {len(plan.refusals)} things are in the way"
    if plan.not_applicable.keys() >= set(Layer):
        return "no layer applies here"
    if plan.empty:
        return "nothing to change"
    builds = sum(build.needed for build in plan.builds)
    parts = [f"{len(plan.changes)} files to change"] if plan.changes else []
    parts += [f"{builds} layers to build"] if builds else []
    return ", ".join(parts) or "the record of the last run to bring up to date"


def _layer(plan: Plan, layer: Layer) -> tuple[str, str]:
    if layer in plan.not_applicable:
        return "not applicable", plan.not_applicable[layer]
    verbs = Counter(change.verb for change in plan.changes if change.layer is layer)
    files = ", ".join(f"{verb} {number}" for verb, number in sorted(verbs.items()))
    build = next((b for b in plan.builds if b.nix.layer is layer), None)
    if build and build.needed:
        return files or "files as they should be", f"build: {build.why}"
    return files or "no change", build.why if build else ("" if files else "as it should be")


def _show_change(terminal: Terminal, change: Change, *, home: str, diff: bool) -> None:
    terminal.line(f"  {change.verb}  {short(change.path, home)}", "bold")
    for key in change.keys:
        name = f"{''.join(f'[{part}]' for part in key.group)} {key.key}"
        found = "(absent)" if key.found is None else key.found
        wanted = "(deleted)" if key.wanted is None else key.wanted
        terminal.row((name, f"{found} -> {wanted}"), (36,))
    if diff:
        for line in unified(change, home=home):
            style = {"+": "green", "-": "red", "@": "blue"}.get(line[:1], "")
            terminal.line(line, *([style] if style else []))


def unified(change: Change, *, home: str) -> list[str]:
    """A unified diff of the very bytes that a run writes; a missing last newline is said."""
    try:
        before, after = ((b or b"").decode() for b in (change.before, change.after))
    except UnicodeDecodeError:
        return [BINARY.format(len(change.after or b""))]
    name = short(change.path, home)
    absent = "/dev/null"
    lines = difflib.unified_diff(
        _LINES.findall(before),
        _LINES.findall(after),
        fromfile=absent if change.before is None else name,
        tofile=absent if change.after is None else name,
        n=2,
    )
    shown: list[str] = []
    for line in lines:
        shown.append(line.removesuffix("\n").replace("\r", "\\r"))
        if not line.endswith("\n"):
            shown.append("\\ No newline at end of file")
    return shown


def _show_settings(terminal: Terminal, plan: Plan, *, reasons: bool) -> None:
    """How many settings stand how; those not done with a line each, or with their whole reason."""
    counts = Counter(standing.stand for standing in plan.standings)
    text = ", ".join(f"{number} {stand}" for stand, number in counts.items())
    terminal.row(("settings", text), (12,))
    for standing in plan.standings:
        if standing.stand in (Stand.CONSENT, Stand.WITHHELD):
            text = f"{standing.stand}: {standing.why}"
            if not reasons:
                text = fit(text, terminal.width - 30)
            terminal.row((standing.setting.id, text), (26,), "dim")


def show_gate(terminal: Terminal, verdicts: list[Record]) -> None:
    """The facts of the profile against the machine: how many are true, and each that is not."""
    if not verdicts:
        return
    counts = Counter(str(verdict["outcome"]) for verdict in verdicts)
    terminal.row(("hardware", ", ".join(f"{n} {word}" for word, n in counts.items())), (12,))
    for verdict in verdicts:
        if verdict["outcome"] != "true":
            text = f"{verdict['outcome']}: declared {verdict['declared']}, found {verdict['found']}"
            style = "red" if verdict["outcome"] == "blocks" else "dim"
            terminal.row((str(verdict["fact"]), text), (26,), style)


def short(path: str, home: str) -> str:
    return f"~{path[len(home) :]}" if path.startswith(f"{home}/") else path


def describe(record: Record) -> str:
    """The message of a journal record, or "" for one that only reports read."""
    name, kind = record["workspace"], record["kind"]
    match kind:
        case "run-start":
            return (
                f"run {record['run']}: {record['mode']} on {', '.join(_list(record, 'workspaces'))}"
            )
        case "step":
            why = f": {record['why']}" if record.get("why") else ""
            return f"  {name}: {record['step']}: {record['status']}{why}"
        case "estimate":
            return f"  {name}: {record['layer']}: {record['text']}"
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
            return (_STYLES[tone(str(record.get("outcome")))],)
        case "problem", _:
            return ("red",)
        case "step", "failed":
            return ("red",)
        case "step", "started" | "done":
            return ("dim",)
    return ()


def _list(record: Record, key: str) -> list[str]:
    value = record.get(key)
    return [str(item) for item in value] if isinstance(value, list) else []
