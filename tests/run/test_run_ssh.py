"""The main job over SSH: a real sshd on loopback, two Unix users as two workspaces."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import sshd
from tests.conftest import Cli, tree
from tests.remote.faults import Proxy
from tests.tools import need


@pytest.fixture(autouse=True)
def _real_tools() -> None:
    need("nix")
    need("chezmoi")


def test_two_workspaces_converge_and_each_run_costs_few_commands(
    cli: Cli, ssh_server: sshd.Server
) -> None:
    boxes = [ssh_server.box(user, f"box-{user}") for user in sshd.USERS]
    start = {user: ssh_server.commands(user) for user in sshd.USERS}
    with Proxy(ssh_server.port, budget=1_000_000).serving() as line:
        counted = {
            "at": f"{sshd.ONE}@127.0.0.1:{line.at}",
            "ssh_known_hosts_file": ssh_server.known_as(f"[127.0.0.1]:{line.at}"),
        }
        first = cli(cli.inventory({**boxes[0], **counted}, boxes[1]), "deploy.py", "-y")
    inventory = cli.inventory(*boxes)
    assert first.code == 0, first.out
    assert {r["workspace"]: r["outcome"] for r in first.kinds("result")} == {
        f"box-{sshd.ONE}": "applied, some pending",
        f"box-{sshd.TWO}": "applied, some pending",
    }
    used = {user: ssh_server.commands(user) for user in sshd.USERS}
    assert max(used[user] - start[user] for user in sshd.USERS) == 7, (start, used)
    # Both layers, every program and the handshake: what was sent before is not sent again.
    assert 1_000_000 - (line.budget or 0) < 150_000, line

    roots = [Path(str(box["root"])) for box in boxes]
    before = [tree(root) for root in roots]
    again = cli(inventory, "deploy.py", "-y")
    assert again.code == 0, again.out
    assert {user: ssh_server.commands(user) - used[user] for user in sshd.USERS} == {
        sshd.ONE: 1,
        sshd.TWO: 1,
    }
    assert [tree(root) for root in roots] == before

    kwinrc = roots[0] / "home/.config/kwinrc"
    declared = kwinrc.read_bytes()
    kwinrc.write_bytes(declared.replace(b"contrastEnabled=false", b"contrastEnabled=true"))
    assert kwinrc.read_bytes() != declared
    used = {user: ssh_server.commands(user) for user in sshd.USERS}
    one = cli(inventory, "deploy.py", "-y")
    assert one.code == 0, one.out
    assert kwinrc.read_bytes() == declared
    assert {user: ssh_server.commands(user) - used[user] for user in sshd.USERS} == {
        sshd.ONE: 4,  # read; lock and ask; begin, read and ask; decide
        sshd.TWO: 1,
    }


def test_a_dry_run_over_ssh_writes_nothing(cli: Cli, ssh_server: sshd.Server) -> None:
    box = ssh_server.box(sshd.ONE, "dry")
    root = Path(str(box["root"]))
    apart = ("nix", "home/.cache", "run/user")
    before = tree(root, without=apart)
    run = cli(cli.inventory(box), "deploy.py", "--dry", "--diff")
    assert run.code == 2, run.out
    assert "+contrastEnabled=false" in run.out
    assert tree(root, without=apart) == before


def test_the_connection_is_cut_while_it_is_proved_and_the_change_is_kept_or_undone(
    cli: Cli, ssh_server: sshd.Server
) -> None:
    box = ssh_server.box(sshd.ONE, "cut")
    kwinrc = Path(str(box["root"])) / "home/.config/kwinrc"
    before = kwinrc.read_bytes()
    inventory = cli.inventory({**box, "deadline_s": 30})
    process = cli.start(inventory, "deploy.py", "-vy")
    assert process.stdout is not None
    for line in process.stdout:
        if "activate: started" in line:
            break
    subprocess.run(["pkill", "-KILL", "-f", f"sshd: {sshd.ONE}"], check=False)
    run = cli.end(process)
    assert run.code in (0, 1, 3, 4), run.out  # 1: before anything was activated
    assert f"(exit {run.code})" in run.last_line
    again = cli(inventory, "deploy.py", "-y")
    while again.code == 7:  # it is still being proved there: at most the deadline
        again = cli(inventory, "deploy.py", "-y")
    assert again.code == 0, again.out
    assert kwinrc.read_bytes() != before
    assert cli(inventory, "deploy.py", "--dry").code == 0


def test_an_unknown_host_key_is_refused(cli: Cli, ssh_server: sshd.Server) -> None:
    (cli.directory / "empty").write_text("")
    box = ssh_server.choices(sshd.ONE, name="stranger", profile="inventory/hardware/shoshin.yaml")
    box["ssh_known_hosts_file"] = str(cli.directory / "empty")
    commands = ssh_server.commands(sshd.ONE)
    run = cli(cli.inventory(box), "deploy.py", "-y")
    assert run.code == 1
    assert "no connection" in run.out
    assert ssh_server.commands(sshd.ONE) == commands
    assert (cli.directory / "empty").read_text() == ""


def test_one_dead_host_does_not_stop_the_verdict_of_the_other(
    cli: Cli, ssh_server: sshd.Server
) -> None:
    dead = ssh_server.choices(sshd.ONE, name="dead", profile="inventory/hardware/shoshin.yaml")
    dead["at"] = f"{sshd.ONE}@127.0.0.1:1"
    alive = ssh_server.box(sshd.TWO, "alive", nix=False)
    run = cli(cli.inventory(dead, alive), "deploy.py", "-y")
    assert run.code == 1
    assert {r["workspace"]: r["outcome"] for r in run.kinds("result")} == {
        "dead": "failed",
        "alive": "applied, some pending",
    }
