"""Show a plan to a person: first what changes, then what needs consent, then a count of the rest.

In: a plan, or the records of a run. Out: lines on a terminal. ``whole`` (``-v``) also lists what
the run does not do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from converge.journal.kinds import VerdictRecord
from converge.plan.diff import short, unified
from converge.plan.plan import LIVE, Change, Plan
from converge.plan.standing import Stand, Standing
from converge.problem import count
from converge.report.terminal import Terminal, wrap
from converge.setting import Layer

_WIDTHS = (12, 20)
#: The standings about which a run does nothing, in the order in which they are shown.
_REST = tuple(one for one in Stand if one not in (Stand.IN_FORCE, Stand.CONSENT))


def show_plan(
    terminal: Terminal,
    plan: Plan,
    *,
    home: str,
    diff: bool = False,
    whole: bool = False,
    estimates: Mapping[str, str] | None = None,
) -> None:
    """Print the plan of one workspace. ``estimates``: layer -> what Nix says that its build takes.

    Of a plan that changes nothing, only what a person should look at is printed."""
    if not plan.empty or plan.refusals:
        terminal.line()
        title = f"{plan.workspace}: {_title(plan)}"
        terminal.line(f"{title:<{terminal.width - 18}} plan {plan.id}", "bold")
    for refusal in plan.refusals:
        terminal.line(f"  refused  {refusal.path}: {refusal.what}", "red")
        terminal.row(("", f"to do: {refusal.fix}"), (6,))
    if not plan.empty:
        for layer in reversed(Layer):
            terminal.row((layer.value, *_layer(plan, layer, estimates or {})), _WIDTHS)
        if plan.sweep:
            terminal.row(("left over", f"remove {count(len(plan.sweep), 'file')}", OLD), _WIDTHS)
        _show_entries(terminal, plan.changes, home=home)
    for drift in plan.drift:
        terminal.line(f"  drift  {short(drift.path, home)} {drift.what}", "yellow")
        terminal.row(
            ("", f"we wrote {drift.old}, found {drift.found}, will be {drift.wanted}"), (4,)
        )
    _show_notes(terminal, plan.warnings, brief=plan.empty and not (whole or plan.refusals))
    if diff:
        _show_diffs(terminal, plan.changes, home=home)
    if not plan.empty or whole:
        _show_settings(terminal, plan.standings, home=home, whole=whole)


OLD = "of a run that was killed"
#: Lines of notes in a run without changes, whose whole output has to fit into eight lines.
_BRIEF = 4


def _show_notes(terminal: Terminal, notes: Sequence[str], *, brief: bool) -> None:
    """Print the notes. ``brief``: print only their number where the notes are long."""
    room = terminal.width - len("  note  ")
    if brief and sum(len(wrap(note, room)) for note in notes) > _BRIEF:
        text = f"{count(len(notes), 'note')}; -v shows"
        notes = (f"{text} {'it' if len(notes) == 1 else 'them'}",)
    for note in notes:
        terminal.row(("note", note), (4,), "yellow")


def _title(plan: Plan) -> str:
    if plan.refusals:
        number = len(plan.refusals)
        return f"refused, {count(number, 'thing')} {'is' if number == 1 else 'are'} in the way"
    if plan.empty:
        return "nothing to change"
    builds = sum(build.needed for build in plan.builds)
    parts = [f"{count(len(plan.changes), 'file')} to change"] if plan.changes else []
    parts += [f"{count(builds, 'layer')} to build"] if builds else []
    return ", ".join(parts) or "the record of the last run to bring up to date"


def _layer(plan: Plan, layer: Layer, estimates: Mapping[str, str]) -> tuple[str, str]:
    if layer in plan.not_applicable:
        return "not applicable", plan.not_applicable[layer]
    verbs = Counter(change.verb for change in plan.changes if change.layer is layer)
    files = ", ".join(f"{verb} {number}" for verb, number in sorted(verbs.items()))
    build = next((b for b in plan.builds if b.nix.layer is layer), None)
    if build and build.needed:
        takes = estimates.get(layer.value, "")
        return files or "no file", f"build: {build.why}" + (f"; {takes}" if takes else "")
    if not build and layer.value in estimates:  # this layer is built as a part of another one
        return files or "no file", estimates[layer.value]
    if not files:
        return "no change", build.why if build else "as it should be"
    return files, build.why if build else ""


def _show_entries(terminal: Terminal, changes: Iterable[Change], *, home: str) -> None:
    """Print the entries of the user's files that change. A live file and its chezmoi source get the
    same entries, so each is printed once."""
    live = [change for change in changes if change.layer in LIVE]
    for change in (one for one in live if one.keys):
        terminal.line(f"  {change.verb}  {short(change.path, home)}", "bold")
        for key in change.keys:
            name = f"{''.join(f'[{part}]' for part in key.group)} {key.key}"
            found = "(absent)" if key.found is None else key.found
            wanted = "(deleted)" if key.wanted is None else key.wanted
            terminal.row((f"  {name}", f"{found} -> {wanted}"), (36,))
    for change in (one for one in live if not one.keys and not one.chezmoi_target):
        terminal.line(f"  {change.verb}  {short(change.path, home)}", "bold")


def _show_diffs(terminal: Terminal, changes: Iterable[Change], *, home: str) -> None:
    """Print all diffs: the user's own files first; a file that two layers share is printed once."""
    told: dict[tuple[bytes | None, bytes | None], str] = {}
    for change in sorted(changes, key=lambda one: one.layer not in LIVE):
        name = short(change.path, home)
        terminal.line(f"  {change.verb}  {name}", "bold")
        first = told.setdefault((change.before, change.after), name)
        if first != name:
            terminal.line(f"    the same bytes as {first}")
            continue
        for line in unified(change, home=home):
            style = {"+": "green", "-": "red", "@": "blue"}.get(line[:1], "")
            terminal.line(line, *([style] if style else []))


def _show_settings(
    terminal: Terminal, standings: tuple[Standing, ...], *, home: str, whole: bool
) -> None:
    """Print the settings that need consent with the words to type, and the number of the others
    that are not done."""
    for standing in standings:
        if standing.stand is Stand.CONSENT:
            terminal.row(("consent", standing.why), (7,), "yellow")
    for names, why in _held(standings):
        text = f"{', '.join(names)}: {why.replace(f'{home}/', '~/')}"
        terminal.row(("held back", text), (9,), "yellow")
    terminal.row(("settings", f"{stands(standings)}; {LIST}"), (12,), "dim")
    if whole:
        show_settings(terminal, standings)


def _held(standings: Iterable[Standing]) -> Iterator[tuple[list[str], str]]:
    """Settings that are held back, grouped by reason; the reason ends with the words that leave all
    settings of its group out."""
    alike: dict[str, list[str]] = {}
    for standing in standings:
        if standing.stand is Stand.HELD:
            alike.setdefault(
                standing.why.replace(_leave_out([standing.setting.id]), _LEAVE_OUT), []
            ).append(standing.setting.id)
    for why, names in alike.items():
        yield names, why.replace(_LEAVE_OUT, _leave_out(names))


def _leave_out(names: Iterable[str]) -> str:
    return f"--data exclude={','.join(names)}"


_LEAVE_OUT = _leave_out(["\0"])
LIST = "tasks/why.py lists them"


def stands(standings: Iterable[Standing]) -> str:
    """The number of settings by stand: ``54 in force, 5 need consent, 27 withheld``."""
    counts = Counter(standing.stand for standing in standings)
    parts = []
    for stand in (Stand.IN_FORCE, Stand.CONSENT, *_REST):
        if number := counts[stand]:
            word = stand.value
            if stand is Stand.CONSENT:
                word = "needs consent" if number == 1 else "need consent"
            parts.append(f"{number} {word}")
    return ", ".join(parts) or "no setting"


def show_settings(terminal: Terminal, standings: Iterable[Standing]) -> None:
    """Print all settings by stand; settings with the same reason share one."""
    order = (Stand.IN_FORCE, Stand.CONSENT, *_REST)
    rows = sorted(standings, key=lambda one: order.index(one.stand))
    for stand, some in groupby(rows, key=lambda one: one.stand):
        alike: dict[str, list[str]] = {}
        for one in some:
            alike.setdefault(one.why, []).append(one.setting.id)
        terminal.line(f"{stand.value}:", "bold")
        for why, names in alike.items():
            terminal.row((", ".join(names),), (), *(("dim",) if why else ()))
            if why:
                terminal.row(("", why), (2,), "dim")


def show_gate(terminal: Terminal, verdicts: Sequence[VerdictRecord]) -> None:
    """Print the verdicts of the gate: how many facts are true, and each that is not."""
    if not verdicts:
        return
    counts = Counter(verdict.outcome for verdict in verdicts)
    terminal.row(("hardware", ", ".join(f"{n} {word}" for word, n in counts.items())), (12,))
    for verdict in verdicts:
        if verdict.outcome != "true":
            text = f"{verdict.outcome}: declared {verdict.declared}, found {verdict.found}"
            style = "red" if verdict.outcome == "blocks" else "dim"
            terminal.row((verdict.fact, text), (26,), style)
