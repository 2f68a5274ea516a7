"""How many programs and processes one reading starts: time on a workspace is mostly that."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from converge.plan import flakes, unread
from converge.plan.observed import parse
from tasks.reach.commands import read_command
from tests.remote.reading import Reader
from tests.remote.test_flakes import repository
from tests.tools import need

FORK = re.compile(r"(?:clone3?|v?fork)(?:\(.*|.* resumed.*)= \d+$", re.MULTILINE)
EXEC = re.compile(r'(\d+) +(?:execve\("(?:[^"]*/)?([^"/]+)"|<\.\.\. execve resumed>).*= 0')
BEGUN = re.compile(r'(\d+) +execve\("(?:[^"]*/)?([^"/]+)".*<unfinished')
KDE = ("kwinrc", "kdeglobals", "baloofilerc")


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """A workspace with all that a reading looks at, where nothing was changed."""
    chezmoi = Path(need("chezmoi"))
    reader = Reader(tmp_path / "box")
    reader.environment["PATH"] = f"{chezmoi.parent}:{os.environ['PATH']}"
    source = reader.home / ".local/share/chezmoi/dot_config"
    lower = reader.root / "etc/xdg"
    for directory in (source, lower, reader.home / ".local/share/ours"):
        directory.mkdir(parents=True)
    for name in KDE:
        for place in (source, reader.home / ".config", lower):
            (place / name).write_text(f"[{name}]\n")
    (reader.home / ".local/share/ours/file").write_text("ours\n")
    repository(reader.home / ".config/home-manager")
    (reader.root / "etc/nixos").mkdir()
    (reader.root / "etc/nixos/flake.nix").write_text("{ }\n")
    reader.transaction("20261101t000000-aaaa", "kept yes")
    return reader


def started(reader: Reader, root: str | None = None) -> tuple[Counter[str], int, list[str]]:
    """The programs of a reading, the processes, and what it prints."""
    files = [word for name in KDE for word in ("-k", f"~/.config/{name}")]
    names = (str(reader.root / "etc/nixos"), "", "~/.config/home-manager", "")
    given = read_command(
        str(reader.root) if root is None else root, [*names, *files, "-d", "~/.local/share/ours"]
    )
    log = reader.root.parent / "log"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "GIT_"))}
    done = subprocess.run(
        [*traced(log), need("dash"), "-c", given.get_raw_value()],
        env={**kept, "HOME": str(reader.home), **reader.environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return *counted(log.read_text()), done.stdout.splitlines()


def traced(log: Path) -> list[str]:
    """What runs a command so that ``log`` has the processes and programs that it starts."""
    calls = "trace=execve,clone,clone3,fork,vfork"
    return [need("strace"), "-f", "-qq", "-e", calls, "-e", "signal=none", "-o", str(log)]


def counted(log: str) -> tuple[Counter[str], int]:
    """The programs that a log of strace has, and the number of processes."""
    programs: Counter[str] = Counter()
    waiting: dict[str, str] = {}  # process -> what it is about to become
    for line in log.splitlines():
        if begun := BEGUN.match(line):
            waiting[begun[1]] = begun[2]
        elif ran := EXEC.match(line):
            programs[ran[2] or waiting[ran[1]]] += 1
    processes = [line for line in FORK.findall(log) if "CLONE_THREAD" not in line]
    return programs, len(processes)


def test_a_reading_starts_few_programs(reader: Reader) -> None:
    programs, processes, lines = started(reader)
    found = parse(unread.framed(lines) or ())
    assert len(found.chezmoi) == 3 and {one.scheme for one in found.flakes.values()} == {
        "git",
        "path",
    }
    assert len(found.lower) == 3 and len(found.transactions) == 1
    assert programs["chezmoi"] == 1
    assert programs["git"] <= 8
    assert programs.total() <= 44, programs
    assert processes <= 70


@pytest.mark.parametrize("end", ["", "/", "//"])
def test_the_users_manager_is_asked_once_where_the_files_are(reader: Reader, end: str) -> None:
    manager = reader.root / "bin/systemctl"
    manager.parent.mkdir()
    manager.write_text(f"#!/bin/sh\necho XDG_CONFIG_HOME={reader.home}/.config/desktop{end}\n")
    manager.chmod(0o755)
    reader.environment["PATH"] = f"{manager.parent}:{reader.environment['PATH']}"
    programs, _, lines = started(reader, root="")
    assert programs["systemctl"] == 1
    assert f"absent {reader.home}/.config/desktop/kwinrc" in lines
    assert f"fact config {reader.home}/.config/desktop" in lines


def test_it_starts_no_program_more_for_each_change_of_before(reader: Reader) -> None:
    few, _, _ = started(reader)
    for number in range(2, 12):
        place = reader.transaction(f"20261101t000000-aa{number:02}", "kept yes", number=number)
        with (place / "plan").open("a") as plan:
            plan.write("nixos /nix/store/a\nhome-manager /nix/store/b\nlive /nowhere user\n")
        (place / "parts").write_text("plasma+session in-force\nnixos undone\nhome-manager broken\n")
    many, _, lines = started(reader)
    assert many == few
    parts = [one.parts for one in parse(unread.framed(lines) or ()).transactions[1:]]
    stands = {"plasma+session": "in-force", "nixos": "undone", "home-manager": "broken"}
    assert parts == [stands] * 10


@pytest.mark.parametrize("kind", ["git", "path", "absent"])
def test_a_flake_of_both_layers_is_read_once_by_git_and_told_of_both(
    reader: Reader, kind: str
) -> None:
    flake = reader.home / ".config/home-manager"
    (flake / "more.nix").write_text("{ }\n")  # untracked
    if kind == "path":
        (flake / ".git").rename(reader.root / "elsewhere")
        (flake / "flake.nix").write_text("{ nixConfig = { }; }\n")
    elif kind == "absent":
        (flake / "flake.nix").unlink()
    log = reader.root / "calls"
    real = need("git")
    other = reader.root / "bin/git"
    other.parent.mkdir()
    other.write_text(f'#!/bin/sh\necho "$*" >>{log}\nexec {real} "$@"\n')
    other.chmod(0o755)
    reader.environment["PATH"] = f"{other.parent}:{reader.environment['PATH']}"
    words = ("system", str(flake), "impure", "home", str(flake), "impure")
    found = flakes.parse(reader.run("flakes", *words)[1:-1])
    calls = log.read_text().splitlines() if log.exists() else []
    alone = flakes.parse(reader.run("flakes", *words[3:])[1:-1])
    assert found["system"] == found["home"] == alone["home"]
    assert found["home"].scheme == kind
    assert len(calls) == (8 if kind == "git" else 0)
