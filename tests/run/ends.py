"""The end of a command is the same in all places; and the rows of the table that the tests drive.

A test declares with ``drives`` which verbs it brings to which ends, and fails if it does not.
``ROWS`` has the ends of all tests, once their modules are imported.
"""

from __future__ import annotations

import functools
import io
import os
import pty
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest

from converge.exits import Exit, Outcome
from converge.journal.journal import Line
from converge.journal.kinds import ProblemRecord
from converge.report.junit import xml
from converge.report.model import build, load
from converge.report.progress import Progress
from converge.report.terminal import Terminal, _words, plain
from converge.report.words import outcome as shown_outcome
from tests.conftest import Cli
from tests.conftest import Outcome as Ended

Row = tuple[Outcome, str]
ROWS: set[Row] = set()
#: The same for the tests of ``tests/vm``, which ``make vm`` runs.
ON_A_MACHINE: set[Row] = set()
_driven: set[Row] = set()  # by the test that runs now


def drives(
    rows: Mapping[Outcome, Sequence[str]], *, among: set[Row] = ROWS
) -> Callable[[Callable[..., None]], object]:
    """The rows that a test drives: all of them, and no other."""
    named = {(word, verb) for word, verbs in rows.items() for verb in verbs}
    among.update(named)

    def around(test: Callable[..., None]) -> object:
        @functools.wraps(test)
        def run(**fixtures: object) -> None:
            _driven.clear()
            test(**fixtures)
            assert _driven == named

        return run

    return around


def typed(verb: str) -> list[str]:
    """What a person writes after the inventory."""
    name, _, dry = verb.partition(" ")
    asks = name not in ("verify", "status", "why", "detect")
    command = "deploy.py" if name == "deploy" else f"tasks/{name}.py"
    return [command, *([dry] if dry else ["-y"] if asks else [])]


#: What is left of a sentence whose part was empty, or was cut.
DEBRIS = re.compile(r"[;:,(]\s*\)|\(\s*[;,)]|;\s*[;,.:](?:\s|$)|,\s*[,;]|\s[;,](?:\s|$)|:\s*;|;$")
_NOUNS = (
    "setting|file|layer|value|workspace|check|fact|line|run|thing|unit|problem|generation|phase"
)
#: A number and its noun; what is counted by name ("phase 1 settings") is no number of them.
COUNTED = re.compile(rf"(?<![\w.:/-])(?<!phase )(\d+) ({_NOUNS})(s?)\b")


def well_said(text: str) -> None:
    """No debris of a sentence, and each noun in the number that stands before it."""
    for line in (*text.splitlines()[-1:], " ".join(text.split())):
        assert not DEBRIS.search(line), line
    for line in text.splitlines():
        for number, noun, plural in COUNTED.findall(line):
            assert (number == "1") == (not plural), f"{number} {noun}{plural}: {line}"


WIDTH, LEAD = 80, len("not effective")
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_PASSING = re.compile(r"[^\n]*\r\x1b\[K|[^\n]+ \.\.\.$")


class Screen(io.StringIO):
    """A terminal of ``WIDTH`` columns that keeps what is shown."""

    def isatty(self) -> bool:
        return True

    def since(self, moment: int) -> list[str]:
        """The lines that stay of what was written since then: what is passing is taken away."""
        written = _PASSING.sub("", self.getvalue()[moment:])
        return [line.rstrip() for line in _STYLE.sub("", written).splitlines()]


def _fits(line: str) -> bool:
    """Whether a line is narrow enough, or holds one thing that is never broken: a path, an id, a
    command to type, with no more before it than what it is."""
    *before, _ = [word for word in _words(line.strip()) if word] or [""]
    return len(line) <= WIDTH or len(" ".join(before)) <= LEAD


#: Asked on the stream that is no part of what a program would read (``tasks.reach.quiet``).
QUESTION = "  Press enter to apply this, write no to leave it: "
#: Where the machine is slow: what is waited for (``tasks.run.waits``).
WAITING = re.compile(r"  \S+: waiting, (?:\d+ (?:h|min|s) ?)+ ?so far: .+\n")


def readable(ended: Ended) -> None:
    """What a person reads: on a terminal of 80 columns each line fits, nothing is cut, and no
    sentence has debris. Elsewhere only a problem is one long line, to search."""
    said = [line for line in ended.err.splitlines(keepends=True) if not WAITING.fullmatch(line)]
    assert "".join(said) in ("", QUESTION), ended.err
    well_said(ended.out)
    problems = {f"  {kind['workspace']}: {kind['text']}" for kind in ended.kinds("problem")}
    for line in ended.out.splitlines()[:-1]:
        assert _fits(line) or plain(line) in problems, line
    screen = Screen()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(WIDTH))
        patch.setenv("LINES", "24")
        told = Progress(Terminal(screen))
        for record in ended.journal:
            moment = screen.tell()
            line = Line.of(record)
            told.say(line)
            for text in (str(record.get(name, "")) for name in ("text", "why")):
                well_said(text)
            shown = screen.since(moment)
            for one in shown:
                assert _fits(one) or record["kind"] == "run-end", one
            if isinstance(line.record, ProblemRecord):
                whole = " ".join(" ".join(shown).split())
                assert " ".join(line.record.text.split()) in whole, "nothing is cut"


def legible(problems: str) -> None:
    """What is wrong with a command line, for a person: no debris of a sentence; on a terminal of 80
    columns each line fits, and nothing is cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(WIDTH))
        patch.setenv("LINES", "24")
        for line in problems.splitlines():
            well_said(line)
            screen = Screen()
            Terminal(screen).wrapped(line)
            shown = screen.since(0)
            for one in shown:
                assert _fits(one), one
            assert " ".join(" ".join(shown).split()) == " ".join(line.split()), "nothing is cut"


def agree(ended: Ended, word: Outcome, *, verb: str, workspace: str = "") -> None:
    """Everything that tells how a run ended tells ``word``, and ``verb`` may end with it.

    ``workspace``: of a run over several, the one that ended so; the run ends with the worst."""
    assert verb in word.verbs
    _driven.add((word, verb))
    readable(ended)
    end = ended.journal[-1]
    (result,) = [
        record
        for record in ended.kinds("result")
        if not workspace or record["workspace"] == workspace
    ]
    assert result["outcome"] == word.value
    assert end["kind"] == "run-end"
    report = build([load(Path(str(end["journal"])))])
    (told,) = [one for one in report.workspaces if not workspace or one.name == workspace]
    assert told.outcome == word.value
    if not workspace:
        assert f"{word} (exit {int(word.exit)}), journal " in ended.last_line, ended.out + ended.err
        assert ended.code == word.exit
        assert (end["outcome"], end["exit"]) == (word.value, int(word.exit))
        assert shown_outcome(report) == word.value
    (case,) = [
        one
        for one in ElementTree.fromstring(xml(report)).iter("testcase")
        if one.get("name") == "result" and one.get("classname") == told.name
    ]
    assert (len(case) == 0) == (word.exit is Exit.DONE or word is Outcome.CHANGES)


def refused(ended: Ended, *, verb: str) -> None:
    """A command that never began: the word, the code, and no record of a run."""
    _driven.add((Outcome.INVALID, verb))
    assert ended.code == Exit.INVALID, ended.out + ended.err
    assert ended.out == "invalid input (exit 5): nothing was touched\n"
    assert ended.err.strip(), "what is wrong is said"
    legible(ended.err)
    assert ended.journal == ()


def answering(cli: Cli, inventory: Path, command: str, answer: str) -> Ended:
    """A run whose questions are answered by a person at a terminal."""
    person, terminal = pty.openpty()
    os.write(person, f"{answer}\n".encode())
    try:
        return cli.end(cli.start(inventory, command, stdin=terminal))
    finally:
        os.close(terminal)
        os.close(person)
