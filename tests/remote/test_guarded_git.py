"""common.sh and git: no program that a repository names is run by git, nor by what calls git.

Each case is also tried with plain git, which runs the program: so the case is a real one.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.remote.test_common import joined
from tests.tools import need

GIVEN = "echo 'a filter=x' >.gitattributes && "
OWN = "git config filter.x.clean $EVIL"
ELSEWHERE = "git config -f $HOME/more filter.x.clean $EVIL && "
SUB = (
    f"git init -q ../sub && cd ../sub && echo 1 >a && {GIVEN} git add . && git $WHO commit -qm 1 &&"
    " cd ../tree && git -c protocol.file.allow=always submodule --quiet add ../sub sub &&"
    " git $WHO commit -qm 2 && cd sub && echo 2 >a && % && cd .."
)
#: Kind of place -> what makes it so that git's filter for "a", or its monitor, is "$EVIL".
FILTERS = {
    "the repository": GIVEN + OWN,
    "a directory below": "mkdir d && echo 1 >d/a && git add d && echo 2 >d/a &&"
    f" echo 'a filter=x' >d/.gitattributes && {OWN}",
    "info/attributes": f"echo 'a filter=x' >.git/info/attributes && {OWN}",
    "attributes of all": "echo 'a filter=x' >$HOME/attributes &&"
    f" git config core.attributesFile $HOME/attributes && {OWN}",
    "a macro": f"printf '[attr]mine filter=x\na mine\n' >.gitattributes && {OWN}",
    "a quoted name": f"echo '\"a\" filter=x' >.gitattributes && {OWN}",
    "any case": "echo 'a filter=X' >.gitattributes && git config FILTER.X.CLEAN $EVIL",
    "a name with =": "echo 'a filter=x=y' >.gitattributes && git config filter.x=y.clean $EVIL",
    "a name with a dot": "echo 'a filter=x.y' >.gitattributes && git config filter.x.y.clean $EVIL",
    "a process": f"{GIVEN} git config filter.x.process $EVIL && git config filter.x.required true",
    "an include": f"{GIVEN}{ELSEWHERE} git config include.path $HOME/more",
    "an include for a branch": f"{GIVEN}{ELSEWHERE} git checkout -qb one &&"
    " git config includeIf.onbranch:one.path $HOME/more",
    "an include for a directory": f"{GIVEN}{ELSEWHERE}"
    " git config --global 'includeIf.gitdir:**.path' $HOME/more",
    "the work tree's own": f"{GIVEN} git config extensions.worktreeConfig true &&"
    " git config --worktree filter.x.clean $EVIL",
    "the user's own": "echo 'a filter=lfs' >.gitattributes &&"
    " git config --global filter.lfs.clean $EVIL && git config --global filter.lfs.required true",
    "a submodule": SUB.replace("%", OWN),
    "a submodule's monitor": SUB.replace("%", "git config core.fsmonitor $EVIL"),
}
TREE = '"$HOME/tree"'
CALLED = {
    "in it": f"cd {TREE} && git diff HEAD --quiet; git status --porcelain",
    "by -C": f"cd / && git -C {TREE} diff HEAD --quiet; git -C {TREE} status --porcelain",
    "by --git-dir": f"cd {TREE} && git --git-dir .git -c a.b=c diff HEAD --quiet;"
    " git --git-dir=.git status --porcelain",
}


def run(script: str, at: Path, evil: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if "GIT_" not in name}
    environment |= {"HOME": str(at), "EVIL": str(evil), "GIT_CONFIG_NOSYSTEM": "1"}
    environment |= {"WHO": "-c user.name=me -c user.email=me@localhost", "XDG_RUNTIME_DIR": ""}
    return subprocess.run(
        [need("dash"), "-c", joined() + script], env=environment, capture_output=True, text=True
    )


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    program = tmp_path / "evil"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\ncat\n")
    program.chmod(0o755)
    return program


GUARD = "leave_git_alone; run_nothing_of_git; trap 'rm -rf -- \"$guard\"' EXIT\n"


@pytest.mark.parametrize("kind", FILTERS)
def test_wherever_a_repository_says_it_no_filter_or_monitor_is_run(
    tmp_path: Path, evil: Path, kind: str
) -> None:
    ran = tmp_path / "ran"
    begin = 'cd "$HOME" && git init -q tree && cd tree && echo 1 >a && git add a &&'
    begin += f" git $WHO commit -qm 1 && {FILTERS[kind]} && echo 2 >a"
    made = run(begin, tmp_path, evil)
    assert made.returncode == 0, made.stderr
    for how in CALLED.values():
        ran.unlink(missing_ok=True)
        found = run(GUARD + how, tmp_path)
        assert "M a" in found.stdout, found.stderr
        assert not ran.exists(), how
        os.utime(tmp_path / "tree/a")
    run(CALLED["in it"], tmp_path)
    assert ran.exists(), "git runs it when left as it is"
    assert not list(Path(os.environ.get("TMPDIR", "/tmp")).glob("workspace-git.*"))


def test_nothing_that_the_callers_environment_says_comes_before_that(
    tmp_path: Path, evil: Path
) -> None:
    made = """
    cd "$HOME" && git init -q tree && cd tree && echo 1 >a && git add a || exit
    echo 'a filter=x' >.gitattributes && echo 2 >a
    """
    assert run(made, tmp_path).returncode == 0
    said = f"export GIT_CONFIG_PARAMETERS=\"'filter.x.clean'='{evil}'\" GIT_CONFIG_COUNT=1\n"
    said += f'export GIT_CONFIG_KEY_0=core.fsmonitor GIT_CONFIG_VALUE_0={evil}\ncd "$HOME/tree"\n'
    assert "+2" in run(said + GUARD + "git diff", tmp_path).stdout
    assert not (tmp_path / "ran").exists()
    run(said + "git diff", tmp_path)
    assert (tmp_path / "ran").exists(), "git runs it when left as it is"


def test_the_users_own_way_to_fetch_is_kept_and_that_of_a_repository_is_not(tmp_path: Path) -> None:
    script = """
    git config --global core.sshCommand "ssh -i mine" && git init -q "$HOME/tree" || exit
    (GUARD git -C "$HOME/tree" config core.sshCommand)
    git -C "$HOME/tree" config core.sshCommand "ssh -i theirs"
    (GUARD git -C "$HOME/tree" config core.sshCommand)
    """
    found = run(script.replace("GUARD", GUARD.replace("\n", ";")), tmp_path)
    assert found.stdout == "ssh -i mine\nssh\n", found.stderr


def test_where_no_program_may_be_started_git_is_not_run_without_the_guard(tmp_path: Path) -> None:
    """On a /tmp that is mounted noexec the guard cannot be started."""
    script = "chmod() { :; }; " + GUARD + "git --version"
    found = run(script, tmp_path)
    assert found.returncode == 70
    assert "git cannot be kept from programs of your repositories" in found.stdout
    assert "git version" not in found.stdout
