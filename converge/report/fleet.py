"""The summary of a run over several workspaces. In: the lines of a journal. Out: one table.

First comes a line for each workspace, then the settings by workspace: applied, n/a, blocked and so
on. Settings that stand alike on all workspaces share a line; each reason is given once, below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_lowercase

from converge.exits import Exit, Outcome, known, well
from converge.journal.journal import Line
from converge.journal.kinds import PlannedSetting, PlanRecord, ProblemRecord, ResultRecord
from converge.plan.standing import Stand
from converge.report.terminal import Terminal, fit

NAME = 24  # columns of the settings
CELL = 15  # columns of a workspace: three of them fit into 80

_WORDS = {
    Stand.WITHHELD: "withheld",
    Stand.OFFERED: "offered",
    Stand.CONSENT: "consent",
    Stand.EXCLUDED: "excluded",
    Stand.HELD: "held back",
    Stand.LOCKED: "locked",
    Stand.NOT_APPLICABLE: "n/a",
    Stand.OTHER_PHASE: Stand.OTHER_PHASE.value,
}
#: Words whose reason depends on the workspace. The other reasons are in the plan.
_EXPLAINED = frozenset({"n/a", "blocked", "not applied", "held back", "locked"})


@dataclass(frozen=True, kw_only=True)
class Cell:
    """How a setting stands on a workspace, in a word or two."""

    word: str
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One workspace of the run. ``cells``: by setting; empty where the workspace was not read."""

    workspace: str
    outcome: str
    why: str
    cells: Mapping[str, Cell] = field(default_factory=dict)


def parts(lines: Iterable[Line], *, dry: bool = False) -> tuple[Part, ...]:
    """Each workspace that has a result, in the order of the results. A reason that was printed as a
    problem is left out."""
    lines = tuple(lines)
    said = {
        (one.workspace, one.record.text) for one in lines if isinstance(one.record, ProblemRecord)
    }
    plans = {one.workspace: one.record for one in lines if isinstance(one.record, PlanRecord)}
    found = []
    for line in lines:
        if isinstance(end := line.record, ResultRecord):
            plan = plans.get(line.workspace)
            why = "" if (line.workspace, end.why) in said else end.why
            found.append(
                Part(
                    workspace=line.workspace,
                    outcome=end.outcome,
                    why=why,
                    cells={
                        row.setting: _cell(row, end.outcome, why, dry=dry)
                        for row in (plan.settings if plan else ())
                    },
                )
            )
    return tuple(found)


def _cell(row: PlannedSetting, outcome: str, why: str, *, dry: bool) -> Cell:
    stand = Stand(row.stand)
    if stand is not Stand.IN_FORCE:
        word = _WORDS[stand]
        return Cell(word=word, why=row.why if word in _EXPLAINED else "")
    match known(outcome):
        case ended if ended is not None and ended.exit is Exit.DONE:
            return Cell(word="applied")
        case Outcome.INEFFECTIVE:  # kept all the same; which setting it is, the end says
            return Cell(word="applied")
        case Outcome.CHANGES if dry:
            return Cell(word="to apply")
        case Outcome.REFUSED:
            return Cell(word="blocked", why=why)
    return Cell(word="not applied", why=f"{outcome}: {why}" if why else outcome)


def lines(settings: Sequence[str], columns: Sequence[Part]) -> list[tuple[str, tuple[Cell, ...]]]:
    """The rows of the table. Neighbouring settings of one subject that stand alike on all
    ``columns`` share a row, such as ``kwin.* (6)``."""
    nothing = Cell(word="unknown", why="it could not be read")
    groups: dict[tuple[str, tuple[Cell, ...]], list[str]] = {}
    for setting in settings:
        cells = tuple(part.cells.get(setting, nothing) for part in columns)
        groups.setdefault((setting.partition(".")[0], cells), []).append(setting)
    sizes = {family: 0 for family, _ in groups}
    for family, _ in groups:
        sizes[family] += 1
    found = []
    for (family, cells), members in groups.items():
        if len(members) == 1:
            name = members[0]
        elif sizes[family] == 1:
            name = f"{family}.* ({len(members)})"
        else:
            name = f"{members[0]} +{len(members) - 1}"
        found.append((name, cells))
    return found


def show(terminal: Terminal, journal: Iterable[Line], *, dry: bool = False) -> None:
    """Print the summary; nothing for a run over one workspace."""
    found = parts(journal, dry=dry)
    if len(found) < 2:
        return
    terminal.line()
    terminal.line(f"fleet: {len(found)} workspaces", "bold")
    for part in found:
        style = () if well(part.outcome) else ("yellow",)
        first = part.why.partition("; ")[0]  # the rest, what to do, was printed above
        terminal.row((part.workspace, part.outcome, first), (16, 24), *style)
    settings = list(dict.fromkeys(name for part in found for name in part.cells))
    if not settings:
        return
    reasons: dict[str, str] = {}
    at_once = max(1, (terminal.width - NAME - 2) // (CELL + 2))
    for start in range(0, len(found), at_once):
        columns = found[start : start + at_once]
        widths = (NAME, *[CELL] * (len(columns) - 1))
        terminal.line()
        names = [fit(part.workspace, CELL) for part in columns]
        terminal.row(("setting", *names), widths, "bold")
        for name, cells in lines(settings, columns):
            terminal.row((name, *[_text(cell, reasons) for cell in cells]), widths)
    for why, mark in reasons.items():
        terminal.row((f"({mark})", why), (4,), "dim")
    terminal.line()


def _text(cell: Cell, reasons: dict[str, str]) -> str:
    if not cell.why:
        return cell.word
    if cell.why not in reasons:
        number = len(reasons)
        tens, ones = divmod(number, len(ascii_lowercase))
        reasons[cell.why] = (ascii_lowercase[tens - 1] if tens else "") + ascii_lowercase[ones]
    return f"{cell.word} ({reasons[cell.why]})"
