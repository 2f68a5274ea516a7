"""Faults on the way to a workspace: a real sshd behind a line that can be cut at any moment.

The table of all rows is in test_faults.py. A workspace of its own for each test, in the home of a
Unix user; only the layers that need no Nix, so that a run takes seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import sandbox
from tests import sshd
from tests.conftest import DESKTOP, Box, Cli, Outcome
from tests.remote.faults import STEPS, Guard, Proxy, end_of_power, until

USER = sshd.ONE


@pytest.fixture
def line(ssh_server: sshd.Server) -> Iterator[Proxy]:
    with Proxy(ssh_server.port).serving() as proxy:
        yield proxy


@pytest.fixture
def guard(
    cli: Cli,
    ssh_server: sshd.Server,
    line: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Guard:
    """A workspace that is reached over the line."""
    monkeypatch.setattr(sandbox, "_generations", lambda *_, **__: None)
    name = "f" + re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[-40:].strip("-")
    made = ssh_server.box(USER, name)
    made |= {
        "at": f"{USER}@127.0.0.1:{line.at}",
        "layers": DESKTOP,
        "deadline_s": 30,
        "ssh_known_hosts_file": ssh_server.known_as(f"[127.0.0.1]:{line.at}"),
    }
    # The users of the server have no chezmoi: theirs are the live files alone.
    return Guard(cli, Box(Path(str(made["root"])), cli.inventory(made)), chezmoi=False)


def settled(guard: Guard, run: Outcome) -> None:
    """Whatever the cut did, the next run ends well; a change that is being proved is undone first,
    as after a power failure, because nobody confirms it before its deadline."""
    guard.after(run)
    if run.code != 0:
        end_of_power(guard.box)
    guard.converges()


def test_1_a_line_that_is_dead_from_the_start_touches_nothing(guard: Guard, line: Proxy) -> None:
    line.refuses = True
    run = guard.cli(guard.box.inventory, "deploy.py", "-y")
    assert run.code == 1, run.out
    assert "no connection" in run.out
    guard.after(run)
    assert guard.held == guard.before
    line.refuses = False
    guard.converges()


@pytest.mark.parametrize("step", STEPS)
def test_2_a_line_that_is_cut_at_any_step_leaves_whole_files_and_no_false_success(
    guard: Guard, line: Proxy, step: str
) -> None:
    process = guard.cli.start(guard.box.inventory, "deploy.py", "-vy")
    until(process, f"{step}: started")
    line.cut()
    run = guard.cli.end(process)
    assert run.code in (0, 1, 3, 4), run.out + run.err
    if run.code == 0:  # it came back on a new connection
        kept = [r for r in run.kinds("step") if r["step"] == "kept"]
        assert [r["status"] for r in kept] == ["done"]
        # Kept is only what was looked at: no setting was left without an answer.
        last = {str(record["setting"]): record["effect"] for record in run.kinds("finding")}
        assert last.pop("", "") and "unknown" not in last.values(), last
    else:
        assert not re.search(r"^(applied|nothing to change)", run.last_line)
    settled(guard, run)


@pytest.mark.parametrize("sent", [200, 30_000, 40_000, 60_000])
def test_3_a_line_that_is_cut_after_some_bytes_leaves_whole_files(
    guard: Guard, line: Proxy, sent: int
) -> None:
    """The first bytes are the handshake, then come the programs and their payloads."""
    line.budget = sent
    run = guard.cli(guard.box.inventory, "deploy.py", "-y")
    assert line.budget is None or run.code == 0, "the line was never cut"
    settled(guard, run)


def test_36_a_run_with_nothing_to_do_costs_one_command_over_a_line(
    guard: Guard, ssh_server: sshd.Server
) -> None:
    guard.after(guard.cli(guard.box.inventory, "deploy.py", "-y"))
    used = ssh_server.commands(USER)
    assert guard.cli(guard.box.inventory, "deploy.py", "-y").code == 0
    assert ssh_server.commands(USER) == used + 1
    guard.converges()
