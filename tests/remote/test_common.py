"""remote/common.sh: the places of programs, and which programs run for a look at a repository."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tasks.reach.payload import archive, encoded
from tasks.reach.remote import PROGRAMS, joined, text
from tests.remote.reading import BOOT
from tests.tools import missing, need

COMMON = text(PROGRAMS / "common.sh")


def run(script: str, home: Path, **environment: str) -> str:
    done = subprocess.run(
        [need("dash"), "-c", COMMON + script],
        env={"HOME": str(home), "PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def tool(path: Path, says: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho {says}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("name", ["TAR_OPTIONS", "GZIP", "POSIXLY_CORRECT"])
def test_what_leads_the_programs_of_the_user_leads_none_of_ours(tmp_path: Path, name: str) -> None:
    """With POSIXLY_CORRECT df counts other blocks, and options end at the first name."""
    assert run(f'say "${{{name}-unset}}"', tmp_path, **{name: "1"}) == "unset\n"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("mkdir: /x: No space left on device", "No space left on device"),
        ("sh: 1: cannot create /x: Read-only file system\nmore: of it", "Read-only file system"),
        ("\ngzip: stdout: No space left on device", "No space left on device"),
        ("tar: plan: Wrote only 4096 of 6656 bytes\ntar: Exiting", "No space left on device"),
        ("", ""),
    ],
)
def test_the_reason_is_the_end_of_the_first_line_that_says_one(
    tmp_path: Path, said: str, reason: str
) -> None:
    assert run('reason "$SAID"', tmp_path, SAID=said) == f"{reason}\n"


def test_a_look_at_a_process_and_its_boot_starts_no_program(tmp_path: Path) -> None:
    """A wait for a change looks thirty times a second."""
    name = tmp_path / "a) Z 1\nb"  # the kernel puts the name of a program between parentheses
    name.symlink_to(need("sleep"))
    other = subprocess.Popen([name, "60"])
    look = """
PATH=/nowhere
boot_id
lives "$OTHER" "$(start_time "$OTHER")" "$(boot_id)" && say lives
lives "$OTHER" 1 "$(boot_id)" || say another
say "<$(start_time 999999999)>"
"""
    try:
        said = run(look, tmp_path, OTHER=str(other.pid))
        assert said.splitlines() == [BOOT, "lives", "another", "<>"]
    finally:
        other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie then
    assert run('say "<$(start_time "$OTHER")>"', tmp_path, OTHER=str(other.pid)) == "<>\n"
    other.wait()


@pytest.mark.parametrize(
    "place",
    [
        ".nix-profile/bin",
        ".local/state/nix/profile/bin",
        ".local/bin",
        "bin",
        ".linuxbrew/bin",
    ],
)
def test_a_program_is_found_where_a_person_has_it(tmp_path: Path, place: str) -> None:
    tool(tmp_path / place / "wt-only-here", "found")
    assert run("wt-only-here", tmp_path) == "found\n"


def test_the_state_directory_of_the_user_is_where_the_profile_is_looked_for(tmp_path: Path) -> None:
    tool(tmp_path / "state/nix/profile/bin/wt-only-here", "found")
    found = run("wt-only-here", tmp_path, XDG_STATE_HOME=str(tmp_path / "state"))
    assert found == "found\n"


def test_root_for_another_runs_no_program_of_the_users_places(tmp_path: Path) -> None:
    if os.getuid() != 0:
        missing("needs root: run the tests as root")
    mine = tmp_path / "mine"
    tool(mine / "base64", "swapped")
    tool(tmp_path / "bin/base64", "swapped")
    words = "command -v base64"
    path = f"{mine}:{os.environ['PATH']}"
    assert run(words, tmp_path, PATH=path) == f"{mine}/base64\n"  # a user's own PATH counts
    found = run(words, tmp_path, PATH=path, SUDO_UID="1000")
    assert found.strip() and str(tmp_path) not in found
    assert str(tmp_path) not in run('echo "$PATH"', tmp_path, PATH=path, SUDO_UID="1000")


def test_a_look_at_a_repository_runs_no_program_that_it_names(tmp_path: Path) -> None:
    tool(tmp_path / "evil/run", "x")
    (tmp_path / "evil/run").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hooks = tmp_path / "tree/.git/hooks"
    script = """
    cd "$HOME" && git init -q tree && cd tree && echo a >file && git add file || exit
    git config core.fsmonitor "$HOME/evil/run"
    git config core.hooksPath "$HOME/evil"
    git status >/dev/null
    """
    run(script, tmp_path, GIT_CONFIG_GLOBAL="/dev/null")
    assert hooks.parent.is_dir() and (tmp_path / "ran").exists(), "git runs it when left as it is"
    (tmp_path / "ran").unlink()
    run('leave_git_alone; cd "$HOME/tree" && git status >/dev/null && git diff', tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("user", ["CORP\\new.user", "a.b", "me@corp.example", "svc$"])
def test_a_user_of_a_domain_keeps_the_name_and_the_records(tmp_path: Path, user: str) -> None:
    """A backslash is no escape, a dot no pattern: records of one user are not those of another."""
    for name, owner in (("own", user), ("other", user.replace(".", "x").replace("\\", "/"))):
        (tmp_path / name / "transaction").mkdir(parents=True)
        (tmp_path / name / "transaction/plan").write_text(f"run r\nuser {owner}\n")
    script = joined(PROGRAMS / "record.sh") + 'plan user; of_another "$3" && echo other; exit 0\n'
    for name in ("own", "other"):
        places = (str(tmp_path / "own/transaction"), str(tmp_path / name))
        done = subprocess.run(
            [need("dash"), "-c", script, "sh", "verb", *places], capture_output=True, text=True
        )
        found = done.stdout.splitlines()
        assert found[:1] == [user], done.stderr
        different = name == "other" and user != user.replace(".", "x").replace("\\", "/")
        assert (found[1:] == ["other"]) is different, found


def test_root_for_another_reads_no_settings_of_the_users(tmp_path: Path) -> None:
    """Where sudo keeps HOME and more, Nix as root would load the plugins that the user names."""
    if os.getuid() != 0:
        missing("needs root: run the tests as root")
    log = tmp_path / "log"
    settings = tmp_path / ".config/nix/nix.conf"
    settings.parent.mkdir(parents=True)
    settings.touch()
    script = f"""
    {need("strace")} -f -o {log} -e trace=open,openat {need("nix-store")} --version >/dev/null
    echo "${{NIX_CONFIG:-none}} ${{XDG_STATE_HOME:-none}}"
    """
    more = {"NIX_CONFIG": "plugin-files = /evil", "XDG_STATE_HOME": f"{tmp_path}/state"}
    assert run(script, tmp_path, SUDO_UID="1000", **more) == "none none\n"
    assert str(tmp_path) not in log.read_text()
    run(script, tmp_path)  # as the user
    assert str(settings) in log.read_text()


def test_a_payload_is_unpacked_whole_or_not_taken(tmp_path: Path) -> None:
    data = archive({"a": (b"1", 0o644), "b": (os.urandom(3000), 0o600)})
    packed = encoded(data)
    script = 'mkdir "$HOME/$1" && unpack "$HOME/$1"; echo $?'
    without_its_sum = encoded(data[:-8])  # tar has all of it then
    for number, sent in enumerate((packed, without_its_sum, packed[: len(packed) // 2], "")):
        done = subprocess.run(
            [need("dash"), "-c", COMMON + script, "unpack", str(number)],
            input=sent,
            env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=True,
        )
        assert (done.stdout == "0\n") is (sent == packed), (number, done.stdout, done.stderr)
    assert (tmp_path / "0/a").read_bytes() == b"1"
    assert (tmp_path / "0/b").stat().st_mode & 0o777 == 0o600


def test_no_program_ends_where_a_file_cannot_be_opened() -> None:
    """A redirection of a special builtin that fails ends the shell, without a word."""
    special = re.compile(r"(?:^|[;&|({] *|\b(?:then|do|else) +)(?::|export|eval|set|trap) +>")
    for path in (*PROGRAMS.rglob("*.sh"), *(PROGRAMS.parent / "subjects").rglob("*.sh")):
        found = [line for line in text(path).splitlines() if special.search(line.strip())]
        assert not found, (path.name, found)
