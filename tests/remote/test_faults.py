"""Faults on a workspace that is this machine: what holds in each, and that the next run succeeds.

Every row of the fault matrix, and the tests that have it.
W: test_faults_wire.py, F: test_faults_files.py, D: test_faults_desktop.py,
S: test_faults_state.py, T: test_transaction.py.

row  fault                                 tests
1    cut before connect                    W, test_fleet.py, test_run_ssh.py
2    cut at every step                     W
3    cut during upload                     W; F: a payload that ends at any byte
4    cut during the switch                 W (activate), test_run_ssh.py, T
5    cut between switch and proof          W (prove), T: nobody confirms
6    the line flaps while confirming       W (keep or undo), T: confirming twice
7    disk full on the workspace            test_write.py; F: a small home
8    disk full on the controller           here, test_journal.py
9    controller killed at every step       here
10   program killed on the workspace       test_write.py, T; F: while a dead lock is cleared
11   Ctrl-C, once and twice                here, test_run_local.py
12   two runs at once                      here, test_two_runs.py, test_run_local.py
13   the desktop writes during a run       D
14   corrupt KDE file                      tests/kde, test_plan_kde.py; S: a refused line
15   corrupt record, status, journal       S, test_read.py, test_snapshot.py, test_journal.py
16   symbolic link in place of a file      test_run_local.py, test_read.py, test_plan_refusals.py
17   symbolic link above a file            F
18   directory, FIFO, device               test_run_local.py, test_read.py, test_write.py
19   owner, mode, setuid, immutable, ACL   F, test_run_local.py, test_plan_refusals.py
20   read-only or missing directory        F, test_fleet.py (canary)
21   malformed profile                     test_profile.py, test_document.py
22   YAML traps                            test_document.py, test_profile.py
23   hostile values                        test_choices.py, test_property.py; S
24   hostile names of hosts                test_choices.py, test_connection.py
25   leavings of a run before              S
26   clocks that are wrong or jump         S, test_read.py, test_rollout.py, test_report.py
27   reboot before it is proved            T
28   switch exits with 4                   T
29   old generation is gone                T
30   sudo                                  test_run_sudo.py, test_plan_refusals.py
31   locale and terminal                   test_show.py
32   a tool is missing                     S, test_checks_wire.py
33   one of two hosts is dead or slow      test_fleet.py, test_run_ssh.py
34   a check hangs                         S, test_checks_wire.py
35   the rollback fails                    S, T
36   nothing to do                         here, test_run_local.py
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cli, tree
from tests.remote.faults import STEPS, Guard, end_of_power, until
from tests.tools import need

STATE = ".local/state/workspace-tuning/workspace"
pytestmark = pytest.mark.usefixtures("chezmoi")


# ---- 8: disk full on the controller --------------------------------------------------------------


# The journal of such a run has 36 kB; the disk is full while the plan is made, while the run looks
# before the change, and while it proves the change: on the last page that the journal needs.
@pytest.mark.parametrize("size", ["12k", "24k", "32k"])
def test_8_without_room_for_the_journal_nothing_is_changed_or_it_is_taken_back(
    cli: Cli, guard: Guard, small_disk: Callable[[str], Path], size: str
) -> None:
    roomy, cli.state = cli.state, small_disk(size)
    cli.environment["XDG_STATE_HOME"] = str(cli.state)
    run = cli(guard.box.inventory, "deploy.py", "-y")
    assert run.code in (1, 3), run.out
    assert "No space left on device" in run.out
    assert "Traceback" not in run.err
    assert run.last_line.startswith(
        f"{'failed' if run.code == 1 else 'not proved, rolled back'} (exit {run.code})"
    )
    guard.after(None)
    assert guard.held == guard.before, "something is in force that no journal tells of"
    cli.state = roomy
    cli.environment["XDG_STATE_HOME"] = str(roomy)
    guard.converges()


def test_8_a_plan_that_cannot_be_saved_is_still_shown(cli: Cli, guard: Guard) -> None:
    plans = cli.state / "workspace-tuning/controller/plans"
    plans.parent.mkdir(parents=True)
    plans.write_text("a file where the directory belongs")
    run = cli(guard.box.inventory, "deploy.py", "--dry")
    assert run.code == 2, run.out + run.err
    assert "the plan could not be saved" in run.out
    assert "contrastEnabled" in run.out
    guard.after(run)


# ---- 9: the controller is killed at each step ----------------------------------------------------


@pytest.mark.parametrize("step", STEPS)
def test_9_a_controller_killed_at_any_step_leaves_whole_files_and_a_stale_lock(
    cli: Cli, guard: Guard, step: str
) -> None:
    process = cli.start(guard.box.inventory, "deploy.py", "-vy")
    until(process, f"{step}: started")
    process.send_signal(signal.SIGKILL)
    run = cli.end(process)
    assert run.code == -signal.SIGKILL
    assert run.journal[-1]["kind"] == "step"
    guard.after(None)
    end_of_power(guard.box)  # else the workspace itself would undo it, after its deadline
    guard.after(None)
    guard.converges()


# ---- 11: Ctrl-C ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "at_terminal"),
    [
        ("take the lock and write the user's layer", True),
        ("activate", False),
        ("activate", True),
        ("prove", False),
        ("prove", True),
    ],
)
def test_11_ctrl_c_ends_after_the_running_step_and_leaves_nothing_undecided(
    cli: Cli, guard: Guard, step: str, at_terminal: bool
) -> None:
    """At a terminal every program of the foreground gets the signal, not only the controller."""
    process = cli.start(guard.box.inventory, "deploy.py", "-vy", own_group=True)
    until(process, f"{step}: started")
    if at_terminal:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)
    run = cli.end(process)
    assert run.code == 130, run.out + run.err
    assert "SIGINT: waiting for the running step" in run.out
    assert "Traceback" not in run.err
    guard.after(run)
    assert guard.held == guard.before, run.out
    if step != "take the lock and write the user's layer":
        assert "undone" in str(run.kinds("result")[0]["why"])
    guard.converges()  # at once: nothing is left to be decided


@pytest.mark.parametrize("arguments", [("-y",), ("--dry",)], ids=["run", "dry run"])
def test_11_ctrl_c_while_a_workspace_is_read_changes_nothing(
    cli: Cli, guard: Guard, arguments: tuple[str, ...]
) -> None:
    process = cli.start(guard.box.inventory, "deploy.py", *arguments, own_group=True)
    until(process, "on sandbox (run ")  # the first line: nothing is planned yet
    os.killpg(process.pid, signal.SIGINT)
    run = cli.end(process)
    assert run.code == 130, run.out + run.err
    guard.after(run)
    assert guard.held == guard.before
    assert not (guard.box.home / STATE).exists()


def test_11_ctrl_c_twice_stops_waiting_and_says_what_goes_on(cli: Cli, guard: Guard) -> None:
    process = cli.start(guard.box.inventory, "deploy.py", "-vy", own_group=True)
    until(process, "activate: started")
    process.send_signal(signal.SIGINT)
    until(process, "SIGINT: waiting for the running step")
    process.send_signal(signal.SIGINT)
    run = cli.end(process)
    assert run.code == 130
    if "SIGINT again" in run.out:  # else the step had ended before
        assert "may run to its end" in run.out
    guard.after(run)
    end_of_power(guard.box)
    guard.converges()


@pytest.mark.parametrize(
    ("number", "step"),
    [(signal.SIGTERM, "activate"), (signal.SIGHUP, "activate"), (signal.SIGHUP, "prove")],
)
def test_11_an_end_that_is_asked_for_in_another_way_is_the_same(
    cli: Cli, guard: Guard, number: signal.Signals, step: str
) -> None:
    process = cli.start(guard.box.inventory, "deploy.py", "-vy")
    until(process, f"{step}: started")
    process.send_signal(number)
    run = cli.end(process)
    assert run.code == 130
    guard.after(run)
    assert guard.held == guard.before
    guard.converges()


# ---- 12: two runs at once ------------------------------------------------------------------------


def test_12_of_two_runs_at_once_one_changes_and_the_other_is_refused_or_finds_it_done(
    cli: Cli, tmp_path: Path, guard: Guard
) -> None:
    other = Cli(tmp_path / "other")
    other.directory.mkdir()
    both = [(one, one.start(guard.box.inventory, "deploy.py", "-y")) for one in (cli, other)]
    runs = [one.end(process) for one, process in both]
    codes = sorted(run.code for run in runs)
    assert codes in ([0, 7], [0, 0]), [run.out + run.err for run in runs]
    for run in runs:
        assert run.journal[-1]["exit"] == run.code
        if run.code == 7:
            assert re.search(
                r"locked by run \S+|has held this|waits there for its controller|changed this",
                run.out,
            )
    guard.after(None)
    guard.converges()


# ---- 36: nothing to do ---------------------------------------------------------------------------

_WRITES = (
    "trace=rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,"
    "symlinkat,chmod,fchmod,fchmodat,chown,fchown,fchownat,lchown,truncate,ftruncate,openat,open,"
    "creat,utimensat"
)


def test_36_a_run_with_nothing_to_do_makes_no_call_that_writes_below_the_workspace(
    cli: Cli, guard_applied: Guard, tmp_path: Path
) -> None:
    strace = need("strace")
    guard = guard_applied
    before = tree(guard.box.root)
    log = tmp_path / "calls"
    command = [strace, "-f", "-z", "-qq", "-o", str(log), "-e", _WRITES, "-s", "500"]
    run = cli(guard.box.inventory, "deploy.py", "-y", under=command)
    assert run.code == 0, run.out + run.err
    calls = [
        line
        for line in log.read_text(errors="replace").splitlines()
        if f'"{guard.box.root}' in line
        and (not re.search(r" open(at)?\(", line) or re.search(r"O_(WRONLY|RDWR|CREAT)", line))
        and "/home/.cache/" not in line
    ]
    assert log.stat().st_size > 0
    assert calls == []
    assert tree(guard.box.root) == before
