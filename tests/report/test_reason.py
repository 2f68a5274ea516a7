"""Why a tool failed: the reason that Nix, git and chezmoi print, in every form they have for it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from converge.text.reason import reason, reason_of, trouble, with_remedy
from tests.nix.harness import Nix
from tests.tools import need

OLD = """\
warning: Git tree '/home/me/flake' is dirty
error: attribute 'nothing' missing

       at /nix/store/aaaa-source/flake.nix:2:13:

            1| { outputs = { self }: {
            2|   missing = self.nothing.here;
             |             ^
            3|   thrown = throw "x";
(use '--show-trace' to show detailed location information)
"""
#: From 2.20 on: the trace first, the reason last; from 2.14 on with blank lines in between.
NEW = """\
error:
       … while calling the 'head' builtin
         at /nix/store/bbbb-source/lib/attrsets.nix:1574:11:
         1573|         || pred here (elemAt values 1) (head values) then
         1574|           head values
             |           ^
         1575|         else

       … while evaluating the option `home.activationPackage':

       (stack trace truncated; use '--show-trace' to show the full, detailed trace)

       error: attribute 'nothing' missing
       at /nix/store/aaaa-source/flake.nix:2:13:
            1| { outputs = { self }: {
            2|   missing = self.nothing.here;
             |             ^
            3|   thrown = throw "x";
       Did you mean something?
"""
CONFLICT = """\
error:
       … while evaluating the attribute 'config'
         at /nix/store/bbbb-source/lib/modules.nix:1227:5:
         1226|
         1227|     optionalValue = if isDefined then { value = mergedValue; } else { };
             |     ^

       … while evaluating definitions from `/nix/store/cccc-source/x.nix':

       (16 duplicate frames omitted)

       error: The option `boot.loader.timeout' has conflicting definition values:
       - In `/nix/store/cccc-source/x.nix': 3
       - In `/nix/store/dddd-source/y.nix': 5
       Use `lib.mkForce value' or `lib.mkDefault value' to change the priority on any of these.
"""
ASSERTION = """\
error:
       Failed assertions:
       - You must configure `hardware.nvidia.open`.
       - and another
(use '--show-trace' to show detailed location information)
"""
BUILD = """\
building '/nix/store/eeee-b.drv'...
error: builder for '/nix/store/eeee-b.drv' failed with exit code 3;
       last 2 log lines:
       > error: x.c:1: no such thing
       > two
       For full logs, run 'nix log /nix/store/eeee-b.drv'.
error: 1 dependencies of derivation '/nix/store/ffff-n.drv' failed to build
"""
BUILD_NEW = """\
error: Cannot build '/nix/store/eeee-b.drv'.
       Reason: builder failed with exit code 3.
       Output paths:
         /nix/store/gggg-b
       Last 1 log lines:
       > two
error: Cannot build '/nix/store/ffff-n.drv'.
       Reason: 1 dependency failed.
"""
GIT = """\
fatal: detected dubious ownership in repository at '/etc/nixos'
To add an exception for this directory, call:

\tgit config --global --add safe.directory /etc/nixos
"""
CHEZMOI = """\
chezmoi: dot_config/kwinrc.tmpl: template: dot_config/kwinrc.tmpl:3:12: executing at <.nothing>:
map has no entry for key "nothing"
"""


@pytest.mark.parametrize(
    ("printed", "first", "held"),
    [
        (OLD, "attribute 'nothing' missing (at /nix/store/aaaa-source/flake.nix:2:13)", ""),
        (
            NEW,
            "attribute 'nothing' missing (at /nix/store/aaaa-source/flake.nix:2:13)",
            "Did you mean something?",
        ),
        (
            CONFLICT,
            "The option `boot.loader.timeout' has conflicting definition values: "
            "In `/nix/store/cccc-source/x.nix': 3",
            "- In `/nix/store/dddd-source/y.nix': 5",
        ),
        (
            ASSERTION,
            "Failed assertions: You must configure `hardware.nvidia.open`.",
            "- and another",
        ),
        (
            BUILD,
            "builder for '/nix/store/eeee-b.drv' failed with exit code 3: "
            "error: x.c:1: no such thing",
            "> error: x.c:1: no such thing",
        ),
        (
            BUILD_NEW,
            "Cannot build '/nix/store/eeee-b.drv'. Reason: builder failed with exit code 3: two",
            "> two",
        ),
        (
            GIT,
            "fatal: detected dubious ownership in repository at '/etc/nixos'",
            "git config --global --add safe.directory /etc/nixos",
        ),
        (
            CHEZMOI,
            "chezmoi: dot_config/kwinrc.tmpl: template: dot_config/kwinrc.tmpl:3:12: executing at "
            '<.nothing>: map has no entry for key "nothing"',
            "",
        ),
    ],
)
def test_the_reason_is_what_the_tool_says_is_wrong_with_its_place(
    printed: str, first: str, held: str
) -> None:
    for text in (printed, printed.replace("error:", "\x1b[31;1merror:\x1b[0m")):
        found = reason(text.splitlines())
        assert found is not None
        assert found.first == first
        assert held in found.text
        assert "stack trace" not in found.text
        assert "|" not in found.text.replace("||", "")
        assert "1 dependenc" not in found.text


def test_what_no_line_calls_an_error_has_no_reason() -> None:
    assert reason([]) is None
    assert reason(["warning: x", "error (ignored): y", "> error: z", "it ended"]) is None


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("{ outputs = { self }: { x = self.nothing.here; }; }", "attribute 'nothing' missing"),
        ("{ outputs = { self }: { x = ; }; }", "syntax error, unexpected ';'"),
        ('{ outputs = { self }: { x = throw "one\\ntwo"; }; }', "one"),
    ],
)
def test_the_nix_of_this_machine_says_its_reason_in_a_form_that_is_known(
    tmp_path: Path, text: str, first: str
) -> None:
    (tmp_path / "flake").mkdir()
    (tmp_path / "flake/flake.nix").write_text(text)
    done = Nix(tmp_path / "nix").run(need("nix"), "eval", f"path:{tmp_path}/flake#x")
    assert done.returncode
    found = reason(done.stderr.splitlines())
    assert found is not None
    assert found.first.startswith(first), done.stderr
    if first != "one":
        assert "flake.nix:1:" in found.first


def test_the_git_of_this_machine_too(tmp_path: Path) -> None:
    done = subprocess.run(
        [need("git"), "-C", str(tmp_path), "rev-parse"], capture_output=True, text=True, check=False
    )
    found = reason(done.stderr.splitlines())
    assert found is not None
    assert found.first.startswith("fatal: not a git repository")


MISSING = "error: attribute 'x' missing\n\n       at /home/me/flake.nix:1:2:\n"
SSH_OF_GIT = """\
{}
fatal: Could not read from remote repository.

Please make sure you have the correct access rights
and the repository exists.
error: program 'git' failed with exit code 128
"""
FULL = """\
error: builder for '/nix/store/eeee-b.drv' failed with exit code 1;
       last 3 log lines:
       > unpacking
       > cp: error writing 'x': No space left on device
       > note: build failure may have been caused by lack of free disk space
       For full logs, run 'nix log /nix/store/eeee-b.drv'.
"""


@pytest.mark.parametrize(
    ("notice", "why", "first"),
    [
        (
            "sudo: unable to resolve host tanuki: Name or service not known",
            MISSING,
            "attribute 'x' missing (at /home/me/flake.nix:1:2)",
        ),
        (
            "chezmoi: warning: config file template has changed, run chezmoi init to regenerate it",
            'chezmoi: a.tmpl:1:3: executing "a.tmpl" at <.a>: map has no entry for key "a"',
            'chezmoi: a.tmpl:1:3: executing "a.tmpl" at <.a>: map has no entry for key "a"',
        ),
        (
            "tar: Removing leading `/' from member names",
            "tar: x: Cannot write: Disk quota exceeded",
            "tar: x: Cannot write: Disk quota exceeded",
        ),
    ],
)
def test_what_a_tool_only_mentions_is_not_taken_for_its_reason(
    notice: str, why: str, first: str
) -> None:
    assert reason_of(f"{notice}\n{why}") == first
    assert trouble(notice) == ""
    assert reason_of(notice) == notice, "the only line there is"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("git@host: Permission denied (publickey).", "refused"),
        ("Host key verification failed.\r", "refused"),
        ("kex_exchange_identification: Connection closed by remote host", "unreachable"),
        ("ERROR: Repository not found.", "absent"),
    ],
)
def test_the_words_of_ssh_come_before_the_general_ones_of_git(said: str, kind: str) -> None:
    told = reason_of("Cloning into 'x'...\n" + SSH_OF_GIT.format(said))
    assert told.startswith(said.strip().rstrip("."))
    assert "fatal: Could not read from remote repository." in told
    assert trouble(told) == kind


def test_a_builders_own_words_are_in_the_last_line_with_the_remedy() -> None:
    why = "cp: error writing 'x': No space left on device"
    assert reason_of(FULL) == (
        f"builder for '/nix/store/eeee-b.drv' failed with exit code 1: {why}"
    )
    assert "; make room there, then run it again" in with_remedy(reason_of(FULL), "nothing is")


def test_both_hashes_of_a_mismatch_are_said() -> None:
    told = reason_of(
        "error: hash mismatch in fixed-output derivation '/nix/store/xxx-s.drv':\n"
        "         specified: sha256-AAAA=\n            got:    sha256-BBBB=\n"
        "error: 1 dependencies of derivation '/nix/store/y.drv' failed to build\n"
    )
    assert told.endswith("'/nix/store/xxx-s.drv': specified: sha256-AAAA=, got: sha256-BBBB=")


def test_a_message_keeps_its_own_lines_that_look_like_an_error_or_an_excerpt() -> None:
    text = "error:\n       … while x\n\n       error: bad:\n       | a |\n       error: see below\n"
    found = reason(text.splitlines())
    assert found is not None
    assert found.lines == ("bad:", "| a |", "error: see below")


def test_a_branch_that_github_does_not_have_is_absent() -> None:
    assert trouble("error: unable to download 'https://api.github.com/x': HTTP error 422") == (
        "absent"
    )


@pytest.mark.parametrize(
    ("why", "remedy"),
    [
        ("committing transaction: database or disk is full", "make room there"),
        ("fatal: Unable to create '/x/.git/index.lock': File exists.", "end the other git"),
        ("fatal: detected dubious ownership in repository at '/x'", "git's safe.directory"),
        ("repository path '/x' is not owned by current user", "git's safe.directory"),
        ("me@host: Permission denied (publickey,password).", "let a key of this user log in"),
        ("cannot open '/x': Permission denied", "let this user write there"),
    ],
)
def test_a_reason_that_a_person_can_end_has_its_own_remedy(why: str, remedy: str) -> None:
    assert remedy in with_remedy(why, "nothing was activated")
