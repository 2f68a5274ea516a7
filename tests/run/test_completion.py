"""The real bash completes what a person begins to type, from the tables that the commands read."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from converge.profile.schema import load_schema
from converge.setting import State
from converge.subjects.settings import ALL
from tasks import completion
from tasks.run.start import COMMANDS
from tests.conftest import PROJECT
from tests.tools import need

IDS = {one.id for one in ALL}


def completed(typed: str, script: str, **environment: str) -> set[str]:
    """What bash offers at the end of ``typed``, split at = as it splits a line."""
    words = [one for one in re.split(r"\s+|(=)", typed) if one]
    if typed.endswith((" ", "=")) and not typed.endswith("="):
        words.append("")
    array = " ".join(map(shlex.quote, words))
    text = (
        f"{script}\nCOMP_WORDS=({array}) COMP_CWORD={len(words) - 1}\n"
        'compopt() { :; }\n_workspace_tuning\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        [need("bash"), "--norc", "-c", text],
        cwd=PROJECT,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nowhere", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def script() -> str:
    """What the documented command prints."""
    command = [sys.executable, "-m", "tasks.completion", "bash"]
    return subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("pyinfra inv", {f"inventory/{one.name}" for one in (PROJECT / "inventory").glob("*.py")}),
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
    ],
)
def test_bash_offers_what_fits(script: str, typed: str, offered: set[str]) -> None:
    assert completed(typed, script) == offered


def test_every_key_and_every_setting_is_offered_and_what_cannot_be_forced_is_not(
    script: str,
) -> None:
    keys = completed("pyinfra W deploy.py --data ", script)
    assert keys == {f"{key}=" for key in load_schema("workspace")["properties"]}
    assert completed("pyinfra W tasks/why.py --data setting=", script) == IDS
    included = completed("pyinfra W deploy.py --data include=", script)
    for one in ALL:
        withheld = one.state in (State.WITHHELD, State.OFFERED)
        assert (one.id in included) == (withheld and one.forcible), one.id


def test_plans_and_runs_of_the_controller_are_offered(script: str, tmp_path: Path) -> None:
    state = tmp_path / "workspace-tuning/controller"
    for name in ("runs/20261126t043836-b2b5", "runs/20261126t043831-df72", "plans"):
        (state / name).mkdir(parents=True)
    (state / "plans/bc727d8d7232.json").touch()
    own = {"XDG_STATE_HOME": str(tmp_path)}
    assert completed("pyinfra W deploy.py --data plan=", script, **own) == {"bc727d8d7232"}
    found = completed("pyinfra W tasks/rollback.py --data run=20261126t04383", script, **own)
    assert found == {"20261126t043836-b2b5", "20261126t043831-df72"}


def test_a_shell_that_does_not_split_at_an_equals_sign_gets_the_whole_word(script: str) -> None:
    text = (
        f"{script}\nCOMP_WORDS=(pyinfra W tasks/why.py --data setting=kwin.c) COMP_CWORD=4\n"
        '_workspace_tuning\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        [need("bash"), "--norc", "-c", text], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["setting=kwin.contrast"]
    assert completion.script("zsh").startswith("autoload -U +X bashcompinit")
