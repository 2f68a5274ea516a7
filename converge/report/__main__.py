"""Report a run from its journal: on the terminal, and as HTML, JSON and JUnit XML where asked.

usage: python -m converge.report [RUN]... [--html FILE] [--json FILE] [--junit FILE] [--quiet]

RUN is the id of a run on this controller, the path of a journal, or a directory that holds one;
without it, it is the newest run. Further runs add what they checked and measured, where the first
one did not; without any RUN that is the newest run with a measurement of one of its workspaces.
Nothing is connected and nothing is read but journals. Exit: 0 written, 1 not, 5 no such run.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from converge.exits import Exit
from converge.journal.journal import controller_state
from converge.report.model import Journal, Report, build, load
from converge.report.terminal import Terminal

NAME = "journal.jsonl"


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


def choose(names: Sequence[str]) -> list[Journal]:
    """The journals of a report. Raises ``NoRun`` and ``OSError``."""
    if names:
        return [load(find(name)) for name in names]
    newest = next(iter(runs()), None)
    if newest is None:
        raise NoRun(f"{controller_state()} has no run yet; run deploy.py first")
    first = load(newest)
    workspaces = {one.get("workspace") for one in first.records} - {"", None}

    def measured(journal: Journal) -> bool:
        return any(
            one.get("kind") == "measurement" and one.get("workspace") in workspaces
            for one in journal.records
        )

    others = () if measured(first) else (load(path) for path in runs()[1:])
    return [first, *[journal for journal in others if measured(journal)][:1]]


def write(path: Path, content: str) -> None:
    """Replace a file wholly or not at all; only its owner reads it. Raises ``OSError``."""
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


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit code."""
    assert __doc__ is not None
    about, _, details = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python -m converge.report",
        description=about,
        epilog=details.partition("\n\n")[2],
    )
    parser.add_argument("run", nargs="*", help="id of a run, or path of a journal")
    for name in FORMS:
        parser.add_argument(f"--{name}", metavar="FILE", type=Path, help=f"write {name} there")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    given = parser.parse_args(arguments)
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
    if not given.quiet:
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
    except BrokenPipeError:  # the reader has had enough (``| head``), which is no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
