"""Why a tool failed: the reason that Nix, git and chezmoi print, in every form they have for it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from converge.reason import reason
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
            "builder for '/nix/store/eeee-b.drv' failed with exit code 3;",
            "> error: x.c:1: no such thing",
        ),
        (
            BUILD_NEW,
            "Cannot build '/nix/store/eeee-b.drv'. Reason: builder failed with exit code 3.",
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
