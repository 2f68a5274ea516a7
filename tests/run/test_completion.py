"""The real bash, zsh and fish complete what a person begins to type, from the tables that the
commands read."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from converge.profile.schema import load_schema
from converge.setting import State
from converge.subjects.settings import ALL
from tasks import completion
from tasks.run.start import COMMANDS
from tests.conftest import PROJECT
from tests.tools import need

IDS = {setting.id for setting in ALL}


def in_bash(typed: str, script: str, **environment: str) -> set[str]:
    """What bash offers at the end of ``typed``, split at = as it splits a line."""
    words = [one for one in re.split(r"\s+|(=)", typed) if one]
    if typed.endswith((" ", "=")) and not typed.endswith("="):
        words.append("")
    array = " ".join(map(shlex.quote, words))
    text = (
        f"{script}\nCOMP_WORDS=({array}) COMP_CWORD={len(words) - 1}\n"
        'compopt() { :; }\n_workspace_tuning\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    return _said([need("bash"), "--norc", "-c", text], environment)


def in_fish(typed: str, script: str, **environment: str) -> set[str]:
    text = f"{script}\ncomplete -C $argv[1]"
    return _said([need("fish"), "--no-config", "-c", text, typed], environment)


def _said(argv: list[str], environment: Mapping[str, str]) -> set[str]:
    with TemporaryDirectory() as home:  # fish makes directories in it
        done = subprocess.run(
            argv,
            cwd=PROJECT,
            env={"PATH": "/usr/bin:/bin", "HOME": home, **environment},
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stderr == ""
    return set(done.stdout.split())


#: Said by a widget of zsh: what was offered since the last time, and what stands on the line.
WIDGET = r"""
PS1= PS2= RPS1=; unsetopt prompt_sp prompt_cr
typeset -a offered
compadd() { local -a some; builtin compadd -O some "$@"; offered+=($some); builtin compadd "$@" }
tell() { print -rn -- "<<$offered|$BUFFER>>"; offered=(); BUFFER= }
zle -N tell; bindkey '^G' tell
print BEG''UN
"""


class Zsh:
    """A real zsh at a terminal that was given the script, for one line after another."""

    def __init__(self, script: str, place: Path, **environment: str) -> None:
        setup = place / "setup.zsh"
        setup.write_text(script + WIDGET)
        self.person, terminal = pty.openpty()
        self.process = subprocess.Popen(
            [need("zsh"), "-f", "-i"],
            cwd=PROJECT,
            env={"PATH": "/usr/bin:/bin", "HOME": str(place), "TERM": "dumb", **environment},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        os.write(self.person, f"source {shlex.quote(str(setup))}\n".encode())
        self._until("BEGUN")

    def _until(self, pattern: str) -> re.Match[str]:
        said = ""
        while True:
            assert select.select([self.person], [], [], 60)[0], f"silent for a minute: {said}"
            said += os.read(self.person, 65536).decode(errors="replace")
            if found := re.search(pattern, said, re.DOTALL):
                return found

    def __call__(self, typed: str) -> tuple[set[str], str]:
        """What is offered when tab is pressed behind ``typed``, and the line after that."""
        os.write(self.person, f"{typed}\t\a".encode())
        offered, line = self._until(r"<<([^|>]*)\|(.*?)>>").groups()
        return set(offered.split()), line

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.person)


@pytest.fixture
def zsh(tmp_path: Path) -> Iterator[Callable[..., Zsh]]:
    begun: list[Zsh] = []

    def begin(**environment: str) -> Zsh:
        begun.append(Zsh(completion.script("zsh"), tmp_path, **environment))
        return begun[-1]

    yield begin
    for one in begun:
        one.end()


def last_part(words: set[str]) -> set[str]:
    """What is behind the last = or comma, which zsh and fish keep apart in other ways than bash."""
    return {re.sub(r".*[=,](?=.)", "", word).rstrip("=") for word in words}


@pytest.fixture(scope="module")
def script() -> str:
    """What the documented command prints."""
    command = [sys.executable, "-m", "tasks.completion", "bash"]
    return subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout


#: What was typed, and what fits.
TYPED: tuple[tuple[str, set[str]], ...] = (
    ("pyinfra inv", {f"inventory/{path.name}" for path in (PROJECT / "inventory").glob("*.py")}),
    ("pyinfra @l", {"@local"}),
    ("pyinfra inventory/shoshin.py tasks/", {one for one in COMMANDS if "/" in one}),
    ("pyinfra inventory/shoshin.py dep", {"deploy.py"}),
    ("pyinfra inventory/shoshin.py deploy.py --d", {"--data", "--diff", "--dry"}),
    ("pyinfra W deploy.py --data soa", {"soak_hours="}),
    ("pyinfra W deploy.py --data rollout=", {"all", "staged"}),
    ("pyinfra W deploy.py --data layers=plasma,se", {"plasma,session"}),
    ("pyinfra W tasks/why.py --data setting=kwin.c", {"kwin.contrast"}),
    ("pyinfra W deploy.py --data exclude=kwin.blur,kwin.con", {"kwin.blur,kwin.contrast"}),
    ("pyinfra W deploy.py --data accept=libraries.gr", {"libraries.graft.system"}),
    ("pyinfra W deploy.py --data accept=home.", {"home.files"}),
    ("pyinfra W deploy.py --data include=off", {"offered"}),
)


@pytest.mark.parametrize(("typed", "offered"), TYPED)
def test_bash_offers_what_fits(script: str, typed: str, offered: set[str]) -> None:
    assert in_bash(typed, script) == offered


@pytest.mark.parametrize(("typed", "offered"), TYPED)
def test_fish_offers_what_fits(typed: str, offered: set[str]) -> None:
    assert last_part(in_fish(typed, completion.script("fish"))) == last_part(offered)


def test_zsh_offers_what_fits_and_puts_it_on_the_line(zsh: Callable[..., Zsh]) -> None:
    """bashcompinit did not suffice: `words`, a variable of the script, is zsh's own."""
    shell = zsh()
    for typed, offered in TYPED:
        found, line = shell(typed)
        assert found == last_part(offered), typed
        if len(offered) == 1:
            (word,) = offered
            assert line.rstrip() == typed[: re.search(r"[^\s=]*$", typed).start()] + word  # type: ignore[union-attr]


def test_every_key_and_every_setting_is_offered_and_what_cannot_be_forced_is_not(
    script: str,
) -> None:
    keys = in_bash("pyinfra W deploy.py --data ", script)
    assert keys == {f"{key}=" for key in load_schema("workspace")["properties"]}
    assert in_bash("pyinfra W tasks/why.py --data setting=", script) == IDS
    included = in_bash("pyinfra W deploy.py --data include=", script)
    for setting in ALL:
        withheld = setting.state in (State.WITHHELD, State.OFFERED)
        assert (setting.id in included) == (withheld and setting.forcible), setting.id


def test_plans_and_runs_of_the_controller_are_offered(script: str, tmp_path: Path) -> None:
    state = tmp_path / "workspace-tuning/controller"
    for name in ("runs/20261126t043836-b2b5", "runs/20261126t043831-df72", "plans"):
        (state / name).mkdir(parents=True)
    (state / "plans/bc727d8d7232.json").touch()
    own = {"XDG_STATE_HOME": str(tmp_path)}
    assert in_bash("pyinfra W deploy.py --data plan=", script, **own) == {"bc727d8d7232"}
    typed = "pyinfra W tasks/rollback.py --data run=20261126t04383"
    runs = {"20261126t043836-b2b5", "20261126t043831-df72"}
    assert in_bash(typed, script, **own) == runs


def test_fish_and_zsh_look_plans_and_runs_up_too(tmp_path: Path, zsh: Callable[..., Zsh]) -> None:
    own = {"XDG_STATE_HOME": str(tmp_path)}
    for name in ("runs/20261126t043836-b2b5", "plans"):
        (tmp_path / "workspace-tuning/controller" / name).mkdir(parents=True)
    typed = "pyinfra W tasks/rollback.py --data"
    shell, fish = zsh(**own), completion.script("fish")
    assert shell(f"{typed} plan=") == (set(), f"{typed} plan="), "none is there"
    assert in_fish(f"{typed} plan=", fish, **own) == set()
    (tmp_path / "workspace-tuning/controller/plans/bc727d8d7232.json").touch()
    for key, kept in (("plan", "bc727d8d7232"), ("run", "20261126t043836-b2b5")):
        assert shell(f"{typed} {key}=")[0] == {kept}
        assert in_fish(f"{typed} {key}=", fish, **own) == {f"{key}={kept}"}


def test_a_shell_that_does_not_split_at_an_equals_sign_gets_the_whole_word(script: str) -> None:
    text = (
        f"{script}\nCOMP_WORDS=(pyinfra W tasks/why.py --data setting=kwin.c) COMP_CWORD=4\n"
        '_workspace_tuning\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        [need("bash"), "--norc", "-c", text], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["setting=kwin.contrast"]
