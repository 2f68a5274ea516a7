"""A workspace for one step: it gives the answers that a test sets, and keeps what it was asked."""

from __future__ import annotations

import base64
import io
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from converge.plan.plan import Plan
from converge.plan.snapshot import Snapshot
from converge.profile.choices import check_choices
from converge.subjects.settings import BY_ID
from tasks.reach import commands, remote
from tasks.reach.remote import program
from tasks.run.journal import Journal
from tasks.run.run import Run
from tasks.run.stages import Planned
from tests.plan.plans import DESKTOP, found, plan, profile

DONE = ("done",)


_PART = re.compile(r"""'([^']*)'|"((?:[^"\\]|\\\\)*)"|([^\s'"\\]+)""")
_WORD = re.compile(rf"(?:{_PART.pattern})+")


def words_of(given: Any) -> list[str]:
    """The words of a command, as ``shlex.split`` has them, which goes letter by letter: that takes
    a tenth of a second for the program of a reading."""
    text = given.get_raw_value()
    assert not _WORD.sub("", text).strip(), "a word that this function does not know"
    return [
        "".join(
            single or double.replace("\\\\", "\\") or bare
            for single, double, bare in _PART.findall(word[0])
        )
        for word in _WORD.finditer(text)
    ]


@dataclass
class Host:
    """A workspace that answers one prepared answer after the other, and remembers the commands.

    An answer is what a program printed; True: nothing, and it went well; False: nothing at all."""

    answers: list[tuple[str, ...] | BaseException | bool]
    name: str = "shoshin"
    data: dict[str, Any] = field(default_factory=lambda: {"_timeout": 900})
    connector: Any = field(default_factory=SimpleNamespace)
    commands: list[tuple[list[str], dict[str, Any]]] = field(default_factory=list)

    def run_shell_command(self, given: Any, **options: Any) -> tuple[bool, Any]:
        self.commands.append((words_of(given), options))
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        lines = [] if isinstance(answer, bool) else list(answer)
        return answer is not False, SimpleNamespace(stdout_lines=lines, stderr_lines=[])

    def words(self, number: int = -1) -> list[str]:
        """The arguments of a command, without ``sh -c PROGRAM``, what root begins with, and where
        the program is."""
        given, options = self.commands[number]
        assert given[2].startswith("cd / && ") is options.get("_sudo", False)
        if options.get("_sudo"):
            given = given[4:]
        shell, flag, text, *rest = given[given.index("sh") :]
        assert (shell, flag) == ("sh", "-c")
        if text == commands._BEGIN:  # the seven words of the beginning, then those of a look
            _, text, *rest = rest[:8]
        if text == commands._ASK:
            name, _, first, _, count, *rest = rest
            assert first.endswith(remote.without_common(name.removeprefix("workspace-")))
            return [name, *rest[: int(count)]]
        if text in (remote._KEPT, remote._CARRIED):
            name, copy, _, *rest = rest
            assert copy == (f"{rest[1]}/transact.sh" if text == remote._KEPT else "transact.sh")
            return [name, *rest]
        assert text == program(rest[0].removeprefix("workspace-"))
        return rest

    def stdin(self, number: int = -1) -> dict[str, bytes]:
        packed = base64.b64decode(self.commands[number][1]["_stdin"])
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            return {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}  # type: ignore[union-attr]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Any]:
    journals: list[Journal] = []

    def make(
        *answers: tuple[str, ...] | BaseException | bool,
        snapshot: Snapshot | None = None,
        made: Plan | None = None,
        stage: type[Planned] = Planned,
        known: dict[str, object] = {},  # noqa: B006 - never changed
        **choices: object,
    ) -> Any:
        given = {"workspace": "shoshin", "profile": "p.yaml", "user": "mitsio", **choices}
        run = Run({"dry": False, "diff": False, "yes": True, "operations": ["deploy.py"]})
        checked = check_choices("shoshin", given, known_settings=BY_ID)
        run.inputs["shoshin"] = (checked, profile())
        run.journal = Journal(tmp_path / f"runs{len(journals)}", run.id)  # 4 digits a second repeat
        journals.append(run.journal)
        here = snapshot or found()
        host = Host(list(answers))
        return stage(
            host=host,
            run=run,
            choices=checked,
            profile=profile(),
            snapshot=here,
            plan=made or plan(here, selected=DESKTOP),
            **known,
        )

    yield make
    for journal in journals:  # a run has one, and its process ends with it
        os.close(journal._fd)
