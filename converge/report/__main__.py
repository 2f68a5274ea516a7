"""Report a run from its journal: on the terminal, and as HTML, JSON and JUnit XML where asked.

usage: python -m converge.report [RUN]... [--html FILE] [--json FILE] [--junit FILE] [--quiet]
       python -m converge.report --workspace NAME --html FILE
       python -m converge.report --list

RUN is the id of a run on this controller, the path of a journal, or a directory that holds one;
without it, it is the newest run of deploy.py, and the newest run of any kind where there is none.
Further runs add what they checked and measured, where the first one did not; without any RUN that
is the newest run that measured one of its workspaces. FILE may be - for standard output. With
--workspace it is a page of that workspace over its runs. --list says which runs there are. Nothing
is connected and nothing is read but journals.
Exit: 0 written, 1 not, 5 no such run or a wrong call.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from converge.exits import Exit
from converge.journal.form import taken
from converge.journal.journal import Line, controller_state, of_kind
from converge.journal.kinds import RunEndRecord, RunStartRecord
from converge.journal.measured import MeasurementRecord
from converge.report.arguments import Arguments
from converge.report.model import JournalFile, Report, build, load
from converge.report.terminal import Terminal
from converge.text.limits import document

NAME = "journal.jsonl"
END = 64 * 1024  # bytes of either end of a journal that are looked at


class NoRun(Exception):
    """There is no journal for what was named."""


def runs() -> list[Path]:
    """The journals of this controller, newest first; a run's id begins with its time."""
    return sorted((controller_state() / "runs").glob(f"*/{NAME}"), reverse=True)


def find(name: str) -> Path:
    """The journal that ``name`` means. Raises ``NoRun``."""
    given = Path(name)
    for path in (given, given / NAME, controller_state() / "runs" / name / NAME):
        if path.is_file():
            return path
    last = next((path.parent.name for path in runs()), "")
    hint = f"the newest here is {last}" if last else f"{controller_state()} has no run yet"
    raise NoRun(f"no journal for {name!r}; {hint}")


@dataclass(frozen=True, kw_only=True)
class Glance:
    """What the two ends of a journal say; the rest of the file is not read."""

    path: Path
    task: str
    mode: str
    workspaces: tuple[str, ...]
    outcome: str  # "" where the run recorded no end


def glance(path: Path) -> Glance:
    """Read the two ends of a journal. The fields are empty where it cannot be read."""
    first = last = b""
    with contextlib.suppress(OSError), path.open("rb") as file:
        first = file.readline(END)
        file.seek(max(0, path.stat().st_size - END))
        last = file.read(END).rstrip(b"\n").rpartition(b"\n")[2]
    start = next(of_kind([_line(first)], RunStartRecord), taken(RunStartRecord, {}))
    end = _line(last).record
    return Glance(
        path=path,
        task=start.task,
        mode=start.mode,
        workspaces=start.workspaces,
        outcome=end.outcome if isinstance(end, RunEndRecord) else "",
    )


def _line(content: bytes) -> Line:
    try:
        found = document(content)
    except ValueError:
        found = {}
    return Line.of(found if isinstance(found, dict) else {})


def choose(names: Sequence[str]) -> list[JournalFile]:
    """The journals of a report. Raises ``NoRun`` and ``OSError``.

    Only journals that belong to the report are read wholly; of all others only the ends are."""
    if names:
        return [load(find(name)) for name in names]
    there = runs()
    if not there:
        raise NoRun(f"{controller_state()} has no run yet; run deploy.py first")
    newest = next((path for path in there if glance(path).task == "deploy"), there[0])
    first = load(newest)
    workspaces = {line.workspace for line in first.lines} - {""}
    if any(of_kind(first.lines, MeasurementRecord)):
        return [first]
    seen = (glance(path) for path in there)
    measured = (one for one in seen if one.task == "measure" and workspaces & {*one.workspaces})
    for one in measured:
        journal = load(one.path)
        if any(of_kind(journal.lines, MeasurementRecord)):
            return [first, journal]
    return [first]


def show_list(terminal: Terminal) -> None:
    """The runs of this controller, newest first."""
    there = runs()
    if not there:
        terminal.line(f"{controller_state()} has no run yet; run deploy.py first")
    for path in there:
        one = glance(path)
        what = f"{one.task or '?'}{', dry run' if one.mode == 'dry run' else ''}"
        end = one.outcome or "no end recorded"
        on = " ".join(one.workspaces)
        terminal.row((path.parent.name, what, f"{end}: {on}"), (20, 16))


def write(path: Path, content: str) -> None:
    """Replace a file wholly or not at all, with mode 0600. ``-`` is standard output. A link stays,
    and a device or a pipe is written to: root would put a file in the place of /dev/null. Raises
    ``OSError``."""
    if str(path) == "-":
        sys.stdout.write(content)
        return
    if path.exists() and not path.is_file():
        path.write_text(content, encoding="utf-8", newline="\n")
        return
    path = path.resolve()
    stage = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(stage, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(content)
        stage.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            stage.unlink()
        raise


def _html(report: Report) -> str:
    from converge.report.html import page

    return page(report)


def _json(report: Report) -> str:
    from converge.report.data import data

    return data(report)


def _junit(report: Report) -> str:
    from converge.report.junit import xml

    return xml(report)


FORMS: dict[str, Callable[[Report], str]] = {"html": _html, "json": _json, "junit": _junit}


def over_time(name: str, place: Path) -> int:
    """Write the page of a workspace over its runs. Returns an exit code."""
    from converge.report.html import timeline_page
    from converge.report.timeline import RUNS, timeline

    there = [(path, glance(path).workspaces) for path in runs()]
    own = [path for path, names in there if name in names]
    if not own:
        known = sorted({each for _, names in there for each in names})
        hint = f"there are runs of {', '.join(known)}" if known else "there is no run yet"
        print(f"no run of a workspace {name!r}; {hint}", file=sys.stderr)
        return int(Exit.INVALID)
    try:
        reports = [build([load(path)]) for path in own[:RUNS]]
        found = timeline(name, reports, left_out=len(own[RUNS:]))
        write(place, timeline_page(found))
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return int(Exit.FAILED)
    if str(place) != "-":
        print(f"html: {place}")
    return int(Exit.DONE)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit code."""
    assert __doc__ is not None
    about, _, details = __doc__.partition("\n\n")
    parser = Arguments(
        prog="python -m converge.report",
        description=about,
        epilog=details.partition("\n\n")[2],
    )
    parser.add_argument("run", nargs="*", help="id of a run, or path of a journal")
    for name in FORMS:
        parser.add_argument(
            f"--{name}", metavar="FILE", type=Path, help=f"write {name} there; - prints it"
        )
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    parser.add_argument("--list", action="store_true", help="the runs that there are, newest first")
    parser.add_argument("--workspace", metavar="NAME", help="its page over all its runs (--html)")
    given = parser.parse_args(arguments)
    if given.workspace and (given.run or given.list or given.json or given.junit or not given.html):
        parser.error("--workspace NAME is a page over every run: give --html FILE with it alone")
    if given.list and (given.run or any(getattr(given, name) for name in FORMS)):
        parser.error("--list is about every run, and writes no file: give it alone")
    if given.list:
        show_list(Terminal())
        return 0
    printed = [name for name in FORMS if str(getattr(given, name)) == "-"]
    if len(printed) > 1:
        print(f"only one of {' and '.join(printed)} fits on standard output", file=sys.stderr)
        return int(Exit.INVALID)
    if given.workspace:
        return over_time(given.workspace, given.html)
    try:
        report = build(choose(given.run))
        for name, form in FORMS.items():
            path = getattr(given, name)
            if path is not None:
                write(path, form(report))
    except NoRun as error:
        print(error, file=sys.stderr)
        return int(Exit.INVALID)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return int(Exit.FAILED)
    if not given.quiet and not printed:
        from converge.report.summary import show

        terminal = Terminal()
        show(terminal, report)
        for name in FORMS:
            if getattr(given, name) is not None:
                terminal.line(f"{name}: {getattr(given, name)}")
    return 0


if __name__ == "__main__":
    code = main()
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has closed the pipe (``| head``), which is no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
