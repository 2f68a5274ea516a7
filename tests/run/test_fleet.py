"""Several workspaces in one run: each gets its own outcome, whatever happens to the others."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import sandbox
from converge.journal.journal import Line
from converge.report import fleet
from converge.report.terminal import Terminal
from tests import sshd
from tests.conftest import Cli, Outcome, tree
from tests.tools import need

NO_NIX = {"layers": ["plasma", "session"]}


@pytest.fixture
def box(
    ssh_server: sshd.Server, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Callable[..., dict[str, object]]:
    """A workspace of one Unix user, with the layers that need no Nix, so that it is quick."""
    need("chezmoi")
    monkeypatch.setattr(sandbox, "_generations", lambda *_, **__: None)
    of_the_test = hashlib.sha256(request.node.name.encode()).hexdigest()[:8]

    def make(user: str, name: str, **choices: object) -> dict[str, object]:
        made = ssh_server.box(user, f"{name}-{of_the_test}")
        return {**made, **NO_NIX, "name": name, **choices}

    return make


def root_of(made: dict[str, object]) -> Path:
    return Path(str(made["root"]))


def outcomes(run: Outcome) -> dict[object, object]:
    return {record["workspace"]: record["outcome"] for record in run.kinds("result")}


def seq(run: Outcome, workspace: str, step: str, status: str) -> int:
    (found,) = [
        record["seq"]
        for record in run.kinds("step")
        if (record["workspace"], record["step"], record["status"]) == (workspace, step, status)
    ]
    assert isinstance(found, int)
    return found


def until(process: subprocess.Popen[str], text: str) -> list[str]:
    """Read what a run prints up to the line with ``text``, however that is wrapped."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if " ".join(text.split()) in " ".join("".join(lines).split()):
            return lines
    raise AssertionError(f"the run ended without {text!r}:\n{''.join(lines)}")


def lie(root: Path) -> None:
    """The machine lacks a feature that code for the declared march executes."""
    cpuinfo = root / "proc/cpuinfo"
    text = cpuinfo.read_text()
    assert " avx2 " in text
    cpuinfo.write_text(text.replace(" avx2 ", " "))


def test_a_wrong_profile_a_dying_workspace_and_a_good_one_each_get_their_verdict(
    cli: Cli, ssh_server: sshd.Server, box: Callable[..., dict[str, object]]
) -> None:
    need("nix")
    wrong = {**box(sshd.ONE, "wrong"), "layers": ["home-manager", "plasma", "session"]}
    lie(root_of(wrong))
    dying, good = box(sshd.TWO, "dying"), box(sshd.THREE, "good")
    before = tree(root_of(wrong), without=("nix", "home/.cache", "run/user"))
    process = cli.start(cli.inventory(wrong, dying, good), "deploy.py", "-vy")
    until(process, "  dying: prove: started")
    subprocess.run(["pkill", "-KILL", "-u", sshd.TWO], check=True)
    run = cli.end(process)
    assert outcomes(run) == {
        "wrong": "hardware gate refused",
        "dying": "state unknown",
        "good": "applied, some pending",
    }, run.out + run.err
    assert run.code == 4
    assert run.last_line.startswith("state unknown (exit 4)")
    assert tree(root_of(wrong), without=("nix", "home/.cache", "run/user")) == before
    (why,) = [r["why"] for r in run.kinds("result") if r["workspace"] == "wrong"]
    for word in ("build.compiler.march", "avx2", "to do:"):
        assert word in str(why)

    # The next run of all three: what was cut off is undone and done again; nobody else changes.
    again = cli(cli.inventory(wrong, dying, good), "deploy.py", "-y")
    assert outcomes(again) == {
        "wrong": "hardware gate refused",
        "dying": "applied, some pending",
        "good": "nothing to change",
    }, again.out
    assert again.code == 6


def test_a_slow_workspace_does_not_hold_up_the_others(
    cli: Cli, ssh_server: sshd.Server, box: Callable[..., dict[str, object]]
) -> None:
    """The slow workspace is held in its activation until the other workspace has ended."""
    slow, quick = box(sshd.ONE, "slow"), box(sshd.TWO, "quick")
    hold, shell = ssh_server.directory / "hold", ssh_server.directory / "shell"
    hold.touch()
    hold.chmod(0o666)
    shell.write_text(
        '#!/bin/sh\ncase "$(printf %s "$*" | tail -c 3000)" in\n'
        f"*transaction\\'\\ \\'20*)\n"
        f"    while [ -e {hold} ]; do echo >>{hold}; sleep 0.1; done ;;\nesac\n"
        'exec /bin/sh "$@"\n'
    )
    shell.chmod(0o755)
    sshd.account("usermod", "-s", str(shell), sshd.ONE)
    watchdog = threading.Timer(120, hold.unlink, kwargs={"missing_ok": True})
    try:
        process = cli.start(cli.inventory(slow, quick), "deploy.py", "-vy")
        watchdog.start()
        until(process, "  quick: release the lock (")
        assert hold.exists(), "the quick one waited for the slow one"
        sshd.wait_for(lambda: bool(hold.read_text()), "the slow one to be held", patience_s=60)
        hold.unlink()
        run = cli.end(process)
    finally:
        watchdog.cancel()
        hold.unlink(missing_ok=True)
        sshd.account("usermod", "-s", "/bin/sh", sshd.ONE)
    assert run.code == 0, run.out
    assert seq(run, "quick", "release the lock", "done") < seq(run, "slow", "activate", "done")


@pytest.mark.parametrize(
    "program",
    [
        "kill -KILL $PPID",
        "exit 3",
        "echo workspace-read 1; echo end",
        "printf '\\377\\0\\033[2J\\n'",
    ],
    ids=["cut off", "refuses", "half an answer", "not text"],
)
def test_a_workspace_that_cannot_be_read_is_its_own_matter(
    cli: Cli, ssh_server: sshd.Server, box: Callable[..., dict[str, object]], program: str
) -> None:
    broken, good = box(sshd.ONE, "broken"), box(sshd.TWO, "good")
    shell = ssh_server.directory / "shell"
    shell.write_text(f"#!/bin/sh\n{program}\n")
    shell.chmod(0o755)
    sshd.account("usermod", "-s", str(shell), sshd.ONE)
    try:
        run = cli(cli.inventory(broken, good), "deploy.py", "-y")
    finally:
        sshd.account("usermod", "-s", "/bin/sh", sshd.ONE)
    assert outcomes(run) == {"broken": "failed", "good": "applied, some pending"}, run.out + run.err
    assert run.code == 1
    assert "\033" not in run.out


# ---- a canary first ------------------------------------------------------------------------------


def test_the_others_change_nothing_before_the_canary_is_kept(
    cli: Cli, box: Callable[..., dict[str, object]]
) -> None:
    made = [box(user, name) for user, name in zip(sshd.FLEET, "abc", strict=True)]
    run = cli(cli.inventory(*made), "deploy.py", "-y", "--data", "canary=b")
    assert run.code == 0, run.out
    kept = seq(run, "b", "release the lock", "done")
    for other in "ac":
        assert seq(run, other, "wait for the canary b", "done") > kept
        first = next(
            r["seq"]
            for r in run.kinds("step")
            if r["workspace"] == other and not str(r["step"]).startswith("wait")
        )
        assert isinstance(first, int)
        assert first > kept
    assert not [r for r in run.kinds("step") if r["workspace"] == "b" and "canary" in str(r)]


def test_a_canary_that_is_undone_stops_the_others_before_they_change_anything(
    cli: Cli, box: Callable[..., dict[str, object]]
) -> None:
    canary, other = box(sshd.ONE, "canary"), box(sshd.TWO, "other")
    # Its plan can be made; writing fails.
    blocked = root_of(canary) / "home/.config/environment.d"
    blocked.mkdir()
    blocked.chmod(0o555)
    before = tree(root_of(other))
    run = cli(cli.inventory(canary, other), "deploy.py", "-y", "--data", "canary=canary")
    (ended,) = [r for r in run.kinds("result") if r["workspace"] == "canary"]
    assert run.code in (1, 3)
    assert f"{ended['outcome']} (exit {run.code})" in run.last_line, run.out
    (result,) = [r for r in run.kinds("result") if r["workspace"] == "other"]
    assert result["outcome"] == "not started"
    assert f"the canary canary ended: {ended['outcome']}" in str(result["why"])
    assert tree(root_of(other)) == before

    blocked.chmod(0o755)
    os.chown(blocked, root_of(canary).stat().st_uid, root_of(canary).stat().st_gid)
    again = cli(cli.inventory(canary, other), "deploy.py", "-y", "--data", "canary=canary")
    assert again.code == 0, again.out


def test_a_canary_that_cannot_be_reached_stops_the_others(
    cli: Cli, ssh_server: sshd.Server, box: Callable[..., dict[str, object]]
) -> None:
    dead = ssh_server.choices(sshd.ONE, name="dead", profile="inventory/hardware/shoshin.yaml")
    dead["at"] = f"{sshd.ONE}@127.0.0.1:1"
    dead["ssh_known_hosts_file"] = ssh_server.known_as("[127.0.0.1]:1")
    other = box(sshd.TWO, "other")
    before = tree(root_of(other))
    run = cli(cli.inventory(dead, other), "deploy.py", "-y", "--data", "canary=dead")
    assert run.code == 1
    assert outcomes(run) == {"dead": "failed", "other": "not started"}, run.out
    assert tree(root_of(other)) == before


def test_ctrl_c_ends_those_that_wait_for_their_canary_as_well(
    cli: Cli, box: Callable[..., dict[str, object]]
) -> None:
    canary, other = box(sshd.ONE, "canary"), box(sshd.TWO, "other")
    before = tree(root_of(other))
    process = cli.start(cli.inventory(canary, other), "deploy.py", "-vy", "--data", "canary=canary")
    until(process, "  canary: take the lock and write the user's layer: started")
    process.send_signal(signal.SIGINT)
    run = cli.end(process)
    assert run.code == 130, run.out
    assert outcomes(run)["other"] == "interrupted"
    assert tree(root_of(other)) == before


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--data", "canary=c"), "canary: c is not a workspace of this run"),
        (("--data", "canary=a", "--serial"), "--serial"),
        (("--data", "canary=a", "--parallel", "1"), "--parallel 2"),
    ],
)
def test_a_canary_that_nobody_could_wait_for_is_bad_input(
    cli: Cli, ssh_server: sshd.Server, arguments: tuple[str, ...], word: str
) -> None:
    profile = "inventory/hardware/shoshin.yaml"
    two = [
        ssh_server.choices(user, name=name, profile=profile)
        for user, name in ((sshd.ONE, "a"), (sshd.TWO, "b"))
    ]
    connections = ssh_server.connections
    run = cli(cli.inventory(*two), "deploy.py", "-y", *arguments)
    assert run.code == 5
    assert word in run.err
    assert ssh_server.connections == connections


# ---- the summary ---------------------------------------------------------------------------------


def test_a_dry_run_shows_every_setting_by_workspace_in_80_columns(
    cli: Cli, box: Callable[..., dict[str, object]]
) -> None:
    desktop = box(sshd.ONE, "desktop")
    server = box(sshd.TWO, "server", profile="inventory/hardware/gyakusatsu.yaml")
    lie(root_of(desktop))
    run = cli(cli.inventory(desktop, server), "deploy.py", "--dry")
    assert outcomes(run)["desktop"] == "changes found", run.out
    table = run.out.partition("fleet: 2 workspaces")[2].splitlines()
    assert max(len(line) for line in table if "/" not in line) <= 80  # a path is not cut
    rows = [line.split() for line in table]
    mark = next(
        row[0] for row in rows if row[1:] == ["the", "profile", "has", "no", "Plasma", "desktop"]
    )
    marks = [row[-1] for row in rows if row and row[0].startswith("kwin.")]
    assert marks and set(marks) == {mark}
    (video,) = [row for row in rows if row and row[0] == "video.variables"]
    assert video[1:4] == ["to", "apply", "n/a"]
    held = [row for row in rows if row[1:3] == ["held", "back"] or row[2:4] == ["held", "back"]]
    assert all(any("(" in word for word in row[2:5]) for row in held), "held back says why"


def test_settings_that_stand_alike_share_a_line_and_a_blocked_one_says_why() -> None:
    stream = io.StringIO()
    standing = {"a.one": "in force", "a.two": "in force", "b.one": "withheld", "b.two": "in force"}
    rows = [{"setting": name, "stand": stand, "why": ""} for name, stand in standing.items()]
    records: list[dict[str, object]] = []
    for name, outcome, why in (
        ("good", "applied, some pending", ""),
        ("wrong", "hardware gate refused", "storage.kind: not so; to do: mend it"),
        ("dead", "failed", "no connection: refused"),
    ):
        if name != "dead":
            records.append({"kind": "plan", "workspace": name, "settings": rows})
        records.append({"kind": "result", "workspace": name, "outcome": outcome, "why": why})
    fleet.show(Terminal(stream), map(Line.of, records))
    assert [line.split() for line in stream.getvalue().splitlines() if line] == [
        ["fleet:", "3", "workspaces"],
        ["good", *["applied,", "some", "pending"]],
        ["wrong", "hardware", "gate", "refused", "storage.kind:", "not", "so"],
        ["dead", "failed", "no", "connection:", "refused"],
        ["setting", "good", "wrong", "dead"],
        ["a.*", "(2)", "applied", "blocked", "(a)", "unknown", "(b)"],
        ["b.one", "withheld", "withheld", "unknown", "(b)"],
        ["b.two", "applied", "blocked", "(a)", "unknown", "(b)"],
        ["(a)", "storage.kind:", "not", "so;", "to", "do:", "mend", "it"],
        ["(b)", "it", "could", "not", "be", "read"],
    ]


def test_one_workspace_has_no_fleet_and_ten_have_several_tables() -> None:
    def shown(number: int) -> str:
        stream = io.StringIO()
        rows = [{"setting": "a.one", "stand": "in force", "why": ""}]
        records: list[dict[str, object]] = []
        for name in (f"w{index}" for index in range(number)):
            records.append({"kind": "plan", "workspace": name, "settings": rows})
            ended = {"outcome": "applied and proved", "why": ""}
            records.append({"kind": "result", "workspace": name, **ended})
        fleet.show(Terminal(stream), map(Line.of, records))
        return stream.getvalue()

    assert shown(1) == ""
    ten = shown(10)
    assert ten.count("setting ") == 4
    assert max(len(line) for line in ten.splitlines()) <= 80
