"""What a built layer changes, in the words of Nix and of the system; a failure is unknown."""

from __future__ import annotations

import subprocess

import pytest

from converge.plan.difference import packages, units
from converge.text.limits import frame
from tests.conftest import PROJECT
from tests.tools import need

COMMON = (PROJECT / "converge/remote/common.sh").read_text()


def framed(script: str, cap: str = "") -> str:
    """A program as the workspace hands it over."""
    text = f"{COMMON}\n{cap}\nit() {{ {script}; }}\nframe it"
    done = subprocess.run(
        [need("dash"), "-c", text], capture_output=True, text=True, check=True, timeout=20
    )
    return done.stdout.rstrip("\n")


def test_a_frame_holds_every_byte_of_the_output_the_code_and_the_errors() -> None:
    script = r"""printf 'a\n\nend =\000\377\n\n'; printf 'one\ntwo = 0 =' >&2; return 3"""
    assert frame(framed(script)) == (3, b"a\n\nend =\0\xff\n\n", "one\ntwo = 0 =")


@pytest.mark.parametrize(("script", "code"), [("exit 9", 9), ("kill -9 $$", None), ("true", 0)])
def test_a_program_that_ends_in_any_way_ends_nothing_but_its_frame(
    script: str, code: int | None
) -> None:
    if code is not None:
        assert frame(framed(script)) == (code, b"", "")
    else:  # the shell of the program itself is killed: no answer, never a good one
        with pytest.raises((subprocess.CalledProcessError, ValueError)):
            frame(framed(script))


def test_of_an_output_without_end_so_many_bytes_are_kept_as_was_said() -> None:
    _, output, _ = frame(framed("yes | head -c 5000", cap="cap=100"))
    assert len(output) == 100


@pytest.mark.parametrize("text", ["", "=", "= 0", "= 0 = =", "a 0 =", "= 0 a", "=* 0 =", "= x ="])
def test_what_is_no_frame_is_said(text: str) -> None:
    with pytest.raises(ValueError):
        frame(text)


def test_packages_are_named_without_colours_and_a_warning_is_none() -> None:
    said = framed(r"""printf 'zlib: \033[31m1.3\033[0m\n'; echo 'warning: dirty' >&2""")
    assert list(packages(said)) == ["package zlib: 1.3"]


def test_what_nix_complains_of_is_never_a_package() -> None:
    said = framed("echo half; echo \"error: path '/x' is not valid\" >&2; return 1")
    assert list(packages(said)) == ["unknown path '/x' is not valid"]
    assert list(packages(framed("return 7"))) == ["unknown exit 7"]
    assert list(packages("torn")) == ["unknown the answer is damaged"]


def test_units_are_those_that_restart_and_a_failure_is_not_one() -> None:
    said = framed(
        "echo 'would activate the configuration...'; echo 'would restart the units: a.service'"
    )
    assert list(units(said)) == ["unit would restart the units: a.service"]
    failed = framed(
        "echo 'Failed to connect to bus: x'; echo 'would restart the units: b'; return 1"
    )
    assert list(units(failed)) == ["unknown Failed to connect to bus: x"]
    assert list(units(framed("return 7"))) == ["unknown exit 7"]
