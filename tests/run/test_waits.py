"""What is waited for is said: on a terminal at once, elsewhere after two seconds."""

from __future__ import annotations

import ast
import io
import re

import pytest

from converge.report.terminal import Terminal
from tasks.reach.quiet import Builds
from tasks.run import waits
from tasks.run.waits import Waits
from tests.conftest import PROJECT, PYINFRA, Box, Cli
from tests.run import pages
from tests.run.ends import WAITING, Screen


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_elsewhere_than_on_a_terminal_a_line_stays_after_two_seconds_and_each_minute() -> None:
    clock, stream = Clock(), io.StringIO()
    told = Waits(Terminal(stream), clock=clock)
    with told.waiting("h", "box", "read the workspace"):
        for clock.now in (0.5, 1.9, 2.0, 3.0, 61.9, 62.0, 63.0, 123.0):
            told.tell()
    clock.now = 900.0
    told.tell()
    assert stream.getvalue().splitlines() == [
        "  box: waiting, 2 s so far: read the workspace",
        "  box: waiting, 62 s so far: read the workspace",
        "  box: waiting, 2 min 3 s so far: read the workspace",
    ]
    assert all(WAITING.fullmatch(f"{line}\n") for line in stream.getvalue().splitlines())


def test_what_is_asked_in_turns_is_one_wait() -> None:
    """It was said every twenty seconds to be two seconds old."""
    clock, stream = Clock(), io.StringIO()
    told = Waits(Terminal(stream), clock=clock)
    for begun in (0.0, 20.0, 40.0, 60.0):
        with told.waiting("h", "box", "the workspace is at work"):
            for clock.now in (begun + 2, begun + 20):
                told.tell()
    clock.now = 100.0
    with told.waiting("h", "box", "the workspace is at work"):
        clock.now = 102.0
        told.tell()
    lines = [line.partition(",")[2].partition(" so")[0] for line in stream.getvalue().splitlines()]
    assert lines == [" 2 s", " 62 s", " 2 s"], stream.getvalue()


def test_a_line_that_stays_fits_and_keeps_the_part_that_says_most() -> None:
    clock, stream = Clock(), io.StringIO()
    told = Waits(Terminal(stream), clock=clock)
    with told.waiting("h", "sandbox", "build the Nix layers"):
        for clock.now, note in ((2.0, "derivation 48, home-manager-path"), (62.0, "x" * 200)):
            told.progress("h", note)
            told.tell()
    first, second = stream.getvalue().splitlines()
    assert first == "  sandbox: waiting, 2 s so far: derivation 48, home-manager-path"
    assert second.startswith("  sandbox: waiting, 62 s so far: xxx") and len(second) == 80


def test_on_a_terminal_one_line_passes_and_nothing_of_it_stays() -> None:
    clock, screen = Clock(), Screen()
    told = Waits(Terminal(screen), clock=clock)
    with told.waiting("h", "box", "prove"), told.waiting("h", "box", "read the workspace"):
        assert screen.getvalue().endswith("  box: prove: read the workspace ...")
        clock.now = 3.0
        told.tell()
        assert screen.getvalue().endswith("\r\033[K  box: prove: read the workspace (3 s) ...")
        with told.waiting("i", "other", "connect"):
            assert screen.getvalue().endswith("read the workspace (3 s), and 1 more ...")
    assert screen.getvalue().endswith("\r\033[K") and "\n" not in screen.getvalue()


def test_with_v_no_line_passes_since_pyinfra_writes_there_too() -> None:
    clock, screen = Clock(), Screen()
    told = Waits(Terminal(screen), stays=True, clock=clock)
    with told.waiting("h", "box", "prove"):
        clock.now = 2.0
        told.tell()
    assert screen.getvalue() == "  box: waiting, 2 s so far: prove\n"


def test_a_passing_line_goes_before_a_line_of_the_other_stream_is_told() -> None:
    screen = Screen()
    out = Terminal(screen)
    told = Waits(Terminal(screen, beside=out))
    with told.waiting("h", "box", "build"):
        out.line("  box: note")
    assert "  box: build ...\r\033[K  box: note\n" in screen.getvalue()


def test_a_build_of_nix_is_a_counter_with_what_is_being_built() -> None:
    clock, stream = Clock(), io.StringIO()
    told = Waits(Terminal(stream), clock=clock)
    builds = Builds(told.terminal, told.progress)
    store = "/nix/store/" + 32 * "a"
    with told.waiting("@local", "box", "build the Nix layers"):
        builds.echo("[@local] these 3 derivations will be built:")
        builds.echo(f"[@local]   {store}-glibc-2.40.drv")
        for name in ("glibc-2.40", "zlib-1.3"):
            builds.echo(f"\033[32m[@local]\033[0m building '{store}-{name}.drv'...")
        clock.now = 2.0
        told.tell()
    assert stream.getvalue().endswith(": build the Nix layers: derivation 2 of 3, zlib-1.3\n")


def test_every_program_that_a_task_runs_has_words_for_who_waits_for_it() -> None:
    named = set()
    for path in sorted((PROJECT / "tasks").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            called = getattr(getattr(node, "func", None), "attr", "")
            if called == "remote" and isinstance(node, ast.Call):
                first = node.args[0]
                named |= {first.value} if isinstance(first, ast.Constant) else set()
    assert {"transact", "build", "measure"} <= named
    assert named <= set(waits.PROGRAMS)


@pytest.fixture
def slow(cli: Cli, desktop: Box) -> Box:
    """A workspace whose reading takes more than two seconds."""
    programs = cli.directory / "slow"
    programs.mkdir()
    tar = programs / "tar"
    tar.write_text('#!/bin/sh\nPATH=${PATH#*:}\nsleep 3\nexec tar "$@"\n')
    tar.chmod(0o755)
    cli.environment["PATH"] = f"{programs}:{cli.environment['PATH']}"
    return desktop


def test_a_slow_workspace_is_waited_for_with_a_line_that_says_why(cli: Cli, slow: Box) -> None:
    run = cli(slow.inventory, "deploy.py", "--dry")
    assert re.search(
        r"^  sandbox: waiting, \d+ s so far: read the workspace$", run.err, re.MULTILINE
    )
    assert "\r" not in run.err and "\033" not in run.err
    assert "waiting" not in run.out, "what a program reads is not mixed with it"


def test_at_a_terminal_the_seconds_are_counted_and_nothing_of_it_stays(cli: Cli, slow: Box) -> None:
    argv = [str(PYINFRA), str(slow.inventory), "tasks/why.py", "--data", "setting=kwin.blur"]
    _, sent = pages.sent_to_a_terminal(argv, PROJECT, cli.environment)
    assert re.search(r"  sandbox: read the workspace \(\d+ s\) \.\.\.\r\033\[K", sent)
    _, shown = pages.at_a_terminal(argv, PROJECT, cli.environment)
    assert "..." not in shown and "kwin.blur" in shown
