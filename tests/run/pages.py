"""The commands of the pages, as a person would run them: each line of a block marked ``sh``.

In: README.md and docs/. Out: commands, and a copy of the project in which they run unchanged, with
an environment of its own as ``make`` leaves it.
"""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import PROJECT

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LEFT_OUT = shutil.ignore_patterns(
    *(".git", ".venv", ".tools", ".sandbox", ".*_cache", ".hypothesis", "__pycache__"),
    *("known_hosts", "pyinfra-debug.log", "report.html"),
)


@dataclass(frozen=True)
class Command:
    """A line of a page, with its continuation. ``exits``: the codes that the page lets it have."""

    page: str
    text: str

    @property
    def exits(self) -> tuple[int, ...]:
        """What its comment says, else 0, or 2 for a dry run that found changes."""
        said = re.search(r"# exit (\d+)", self.text)
        if said:
            return (int(said[1]),)
        return (0, 2) if "--dry" in self.text else (0,)

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def commands(*pages: str) -> list[Command]:
    """Those of these pages, in their order; a page may name a section: ``README.md#First run``."""
    return [Command(page, line) for page in pages for line in _lines(page)]


def _lines(page: str) -> Iterator[str]:
    name, _, section = page.partition("#")
    text = (PROJECT / name).read_text(encoding="utf-8")
    if section:
        _, title, text = text.partition(f"\n## {section}\n")
        assert title, page
        text = text.partition("\n## ")[0]
    for block in BLOCK.findall(text):
        yield from filter(None, block.replace("\\\n", " ").splitlines())


@dataclass
class Person:
    """Somebody at a terminal of 80 columns, in one directory after another. ``words``: what is
    written for what a page cannot know, such as an address."""

    directory: Path
    environment: dict[str, str]
    words: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def does(self, command: Command, answers: Mapping[str, str] | None = None) -> str:
        """Run a command and return what it printed; its exit code has to be one of the page's.
        ``answers``: what is typed once, for the end of a question."""
        text = command.text
        for word, instead in self.words.items():
            text = text.replace(word, instead)
        moved = re.match(r"cd (\S+)$", text)
        if moved:
            self.directory /= moved[1]
            return ""
        code, out = at_a_terminal(["bash", "-c", text], self.directory, self.environment, answers)
        assert code in command.exits, f"{command}\n(exit {code})\n{out}"
        assert "Traceback" not in out, f"{command}\n{out}"
        self.said.append(out)
        return out


def at_a_terminal(
    argv: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    answers: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Run a program at a terminal: its exit code, and what is on it, without control sequences."""
    code, said = sent_to_a_terminal(argv, directory, environment, answers)
    kept = re.sub(r"[^\n]*\r\x1b\[K", "", said)  # a line that was taken away
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", kept)
    # What stays on a line that was written over: the last of it.
    lines = [re.sub(r"^.*\r(?=.)", "", line) for line in text.replace("\r\n", "\n").split("\n")]
    return code, "\n".join(lines)


def sent_to_a_terminal(
    argv: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    answers: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """The same, with every control sequence."""
    person, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (40, 80))
    process = subprocess.Popen(
        argv,
        cwd=directory,
        env={**environment, "COLUMNS": "80"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    open_questions = dict(answers or {})
    said = b""
    while True:
        ready, _, _ = select.select([person], [], [], 300)
        assert ready, f"silent for five minutes: {argv}\n{said.decode(errors='replace')}"
        try:
            part = os.read(person, 65536)
        except OSError:  # Linux: the other side was closed
            break
        if not part:
            break
        said += part
        for question in [one for one in open_questions if one in said.decode(errors="replace")]:
            os.write(person, f"{open_questions.pop(question)}\n".encode())
    os.close(person)
    return process.wait(), said.decode(errors="replace")


def repository(place: Path) -> Path:
    """The project as it is now, as a repository that can be cloned."""
    shutil.copytree(PROJECT, place, ignore=LEFT_OUT, symlinks=True)
    named = ("user.name=tests", "user.email=tests@localhost", "commit.gpgsign=false")
    git = ["git", "-C", str(place), *(part for one in named for part in ("-c", one))]
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "As it is"], check=True)
    return place


def environment(home: Path) -> dict[str, str]:
    """What a newcomer's shell has: a home of their own, the tools of this machine."""
    home.mkdir(exist_ok=True)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("XDG_", "AT_", "NIX_", "VIRTUAL_ENV", "PYTEST", "MAKE"))
    }
    cache = os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache/uv"))
    tools = PROJECT / ".tools/bin"
    return {
        **kept,
        "HOME": str(home),
        "PATH": f"{tools}:{os.environ['PATH']}",
        "UV_CACHE_DIR": cache,
        "UV_OFFLINE": "1",
        "PYINFRA_PROGRESS": "off",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }


def installed(clone: Path, environment: Mapping[str, str]) -> None:
    """What ``make`` does first. Where it cannot without the network, the environment that the tests
    run in takes its place."""
    made = subprocess.run(
        ["make", "-s", ".venv/bin/.made"], cwd=clone, env=environment, capture_output=True
    )
    if made.returncode != 0:
        shutil.rmtree(clone / ".venv", ignore_errors=True)
        lent(clone)


def lent(clone: Path) -> None:
    """The environment that the tests run in, with the clone's own modules: for commands that do not
    ask how it was made, which takes twelve seconds of a processor to compile all of it."""
    shutil.copytree(Path(sys.prefix), clone / ".venv", symlinks=True)
    old, new = str(Path(sys.prefix)), str(clone / ".venv")
    for script in (clone / ".venv/bin").iterdir():
        if script.is_file() and not script.is_symlink() and old in (text := _text(script)):
            script.write_text(text.replace(old, new))
    for path in (clone / ".venv").glob("lib/*/site-packages/*.pth"):
        path.write_text(path.read_text().replace(str(PROJECT), str(clone)))
    (clone / ".venv/bin/.made").touch()


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""
