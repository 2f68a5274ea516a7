"""A newcomer looks at a machine with nothing but its address, and gets the two files for it."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from types import SimpleNamespace

import pytest

from converge.profile.profile import load_profile
from converge.profile.schema import SCHEMAS
from tasks.reach import bare
from tasks.steps import lock
from tests import sshd
from tests.conftest import Cli
from tests.gate.machines import grow
from tests.run.test_workspaces import Copy, copy, project

__all__ = ["copy", "project"]


def test_this_machine_is_shown_as_a_profile_without_an_inventory(copy: Copy) -> None:
    before = sorted(copy.project.rglob("*"))
    shown = copy(Path("@local"), "tasks/detect.py")
    assert shown.code == 0, shown.out + shown.err
    assert "schemaVersion: 1" in shown.out
    assert "--data write=inventory/hardware/" in shown.out
    assert "profile shown" in shown.last_line
    assert [p for p in sorted(copy.project.rglob("*.*")) if p not in before] == []


def test_a_home_that_takes_no_journal_is_named_with_the_way_out(cli: Cli) -> None:
    cli.environment["XDG_STATE_HOME"] = "/dev/null"
    code, out, _ = cli.said("@local", "tasks/detect.py")
    said = " ".join(out.split())
    assert code == 1 and "journal.jsonl: Not a directory; nothing was touched; " in said
    assert "export XDG_STATE_HOME=DIRECTORY of yours" in said


@pytest.mark.parametrize("nameless", [False, True])
def test_the_user_is_whose_process_it_is_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, *, nameless: bool
) -> None:
    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "who-called-su")
    user = str(os.getuid()) if nameless else pwd.getpwuid(os.getuid()).pw_name
    if nameless:
        monkeypatch.setattr("pwd.getpwuid", unknown)
    host = SimpleNamespace(name="@local", data={})
    assert bare.choices(host)["user"] == user
    assert lock.controller().split()[1] == user


def test_it_writes_a_profile_and_an_inventory_that_a_dry_run_takes(copy: Copy) -> None:
    profile = copy.project / "inventory/hardware/mine.yaml"
    wrote = copy(
        Path("@local"), "tasks/detect.py", "--data", "workspace=mine", "--data", f"write={profile}"
    )
    assert wrote.code == 0, wrote.out + wrote.err
    assert load_profile(profile).workspace == "mine"
    inventory = copy.project / "inventory/mine.py"
    said = " ".join(wrote.out.split())
    assert "wrote inventory/hardware/mine.yaml and inventory/mine.py; read both" in said
    assert "then .venv/bin/pyinfra inventory/mine.py deploy.py --dry --diff" in said
    assert (
        '        "mine",\n        profile="inventory/hardware/mine.yaml",\n'
        in inventory.read_text()
    )
    assert "docs/keys.md has every key" in inventory.read_text()
    plan = copy(inventory, "deploy.py", "--dry")
    assert plan.code in (0, 2), plan.out + plan.err


def test_a_dry_run_writes_neither_profile_nor_inventory(copy: Copy) -> None:
    profile = copy.project / "inventory/hardware/mine.yaml"
    given = ("tasks/detect.py", "--dry", "--data", "workspace=mine", "--data", f"write={profile}")
    before = sorted(copy.project.rglob("*.*"))
    shown = copy(Path("@local"), *given)
    assert shown.code == 0, shown.out + shown.err
    assert "workspace: mine" in shown.out
    assert "profile shown (nothing was written; without --dry it would be)" in shown.out
    assert sorted(copy.project.rglob("*.*")) == before
    profile.write_text("mine\n")
    refused = copy(Path("@local"), *given)
    assert refused.code == 1 and "stays as it is; name a new file" in " ".join(refused.out.split())


def test_a_profile_outside_of_the_project_gets_no_inventory(copy: Copy, tmp_path: Path) -> None:
    """An inventory names a profile of this project, and would be refused."""
    profile = tmp_path / "mine.yaml"
    given = ("--data", "workspace=mine", "--data", f"write={profile}")
    wrote = copy(Path("@local"), "tasks/detect.py", *given)
    assert wrote.code == 0, wrote.out + wrote.err
    said = " ".join(wrote.out.split())
    assert f"wrote {profile}; read it before you use it" in said
    assert "deploy.py" not in said and not (copy.project / "inventory/mine.py").exists()


def test_an_inventory_that_is_there_stays_as_it_is(copy: Copy) -> None:
    inventory = copy.project / "inventory/mine.py"
    inventory.write_text("mine = True\n")
    profile = copy.project / "inventory/hardware/mine.yaml"
    copy(
        Path("@local"), "tasks/detect.py", "--data", "workspace=mine", "--data", f"write={profile}"
    )
    assert inventory.read_text() == "mine = True\n"


@pytest.mark.parametrize(
    "machine", ["hybrid-prime", "workstation-bmc", "container-docker", "laptop-usb-root"]
)
def test_the_command_writes_a_profile_of_any_machine_that_its_own_gate_passes(
    copy: Copy, tmp_path: Path, machine: str
) -> None:
    root = grow(machine, tmp_path / "root")
    profile = copy.project / f"inventory/hardware/{machine}.yaml"
    given = ("--data", f"root={root}")
    wrote = copy(Path("@local"), "tasks/detect.py", *given, "--data", f"write={profile}")
    assert wrote.code == 0, wrote.out + wrote.err
    assert load_profile(profile).workspace == machine
    head, _ = profile.read_text().split("\n", 1)
    schema = head.removeprefix("# yaml-language-server: $schema=")
    assert (profile.parent / schema).read_bytes() == (
        SCHEMAS / "hardware-profile.schema.json"
    ).read_bytes()
    inventory = copy.project / f"inventory/{machine}.py"
    same = copy(inventory, "tasks/detect.py", *given)
    assert (same.code, "as declared" in same.out) == (0, True), same.out + same.err


def test_the_command_overwrites_no_file_and_follows_no_link(copy: Copy, tmp_path: Path) -> None:
    given = ("--data", f"root={grow('laptop-gnome', tmp_path / 'root')}")
    elsewhere = tmp_path / "elsewhere.yaml"
    for name, make in (
        ("there", lambda path: path.write_text("mine\n")),
        ("link", lambda path: path.symlink_to(elsewhere)),
    ):
        profile = copy.project / f"inventory/hardware/{name}.yaml"
        make(profile)
        refused = copy(Path("@local"), "tasks/detect.py", *given, "--data", f"write={profile}")
        assert refused.code == 1, refused.out + refused.err
        assert "is there already, and stays as it is" in refused.out.replace("\n    ", " ")
        assert not (copy.project / f"inventory/{name}.py").exists()
    assert (copy.project / "inventory/hardware/there.yaml").read_text() == "mine\n"
    assert not elsewhere.exists()


@pytest.mark.parametrize("machine", ["asahi", "pentium-m"])
def test_the_command_makes_no_profile_of_another_processor(
    copy: Copy, tmp_path: Path, machine: str
) -> None:
    profile = copy.project / "inventory/hardware/other.yaml"
    given = ("--data", f"root={grow(f'refused/{machine}', tmp_path / 'root')}")
    refused = copy(Path("@local"), "tasks/detect.py", *given, "--data", f"write={profile}")
    assert refused.code == 1, refused.out + refused.err
    assert "x86_64 only" in refused.out.replace("\n    ", " ")
    assert not profile.exists()
    assert not (copy.project / "inventory/other.py").exists()


def test_a_directory_that_holds_no_machine_is_named(copy: Copy, tmp_path: Path) -> None:
    for place in (tmp_path / "missing", tmp_path):
        refused = copy(Path("@local"), "tasks/detect.py", "--data", f"root={place}")
        assert refused.code == 1, refused.out + refused.err
        assert f"does {place} hold a whole machine?" in " ".join(refused.out.split())


def test_another_machine_is_looked_at_by_its_address_and_only_where_its_key_is_known(
    cli: Cli, ssh_server: sshd.Server
) -> None:
    refused = cli(Path(f"{sshd.ONE}@127.0.0.1:{ssh_server.port}"), "tasks/detect.py")
    assert refused.code == 1
    assert "tasks.trust" in refused.out
    shown = cli(
        Path(f"{sshd.ONE}@127.0.0.1:{ssh_server.port}"),
        "tasks/detect.py",
        *("--data", f"ssh_known_hosts_file={ssh_server.directory}/known_hosts"),
        *("--data", f"ssh_key={ssh_server.directory}/client"),
    )
    assert shown.code == 0, shown.out + shown.err
    assert f"pyinfra {sshd.ONE}@127.0.0.1" in shown.out


@pytest.mark.parametrize("address", ["127.0.0.1:1", "localhost:1", "[::1]:1"])
def test_an_address_with_a_port_needs_no_user(cli: Cli, address: str) -> None:
    """pyinfra alone does not accept such a host; here its host key is asked for."""
    refused = cli(Path(address), "tasks/detect.py")
    assert refused.code == 1, refused.err
    assert f".venv/bin/python -m tasks.trust {address}" in refused.out.replace("\n    ", " ")


@pytest.mark.parametrize("address", ["localhost:99999", "no-such-host.invalid:22"])
def test_an_address_that_is_none_is_said_once(cli: Cli, address: str) -> None:
    refused = cli(Path(address), "tasks/detect.py")
    assert refused.code == 5
    assert refused.err.count(address) == 1, refused.err


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("box.lan", "box"),
        ("My_Box", "my-box"),
        ("192.168.1.5", "192-168-1-5"),
        ("fe80::1", "fe80-1"),
        ("---", "workspace"),
        ("x" * 90, "x" * 63),
    ],
)
def test_the_name_of_a_workspace_follows_from_that_of_the_host(host: str, name: str) -> None:
    assert bare.workspace_name(host) == name


def test_the_file_that_is_named_for_the_profile_names_the_workspace(copy: Copy) -> None:
    profile = copy.project / "inventory/hardware/atelier.yaml"
    wrote = copy(Path("@local"), "tasks/detect.py", "--data", f"write={profile}")
    assert wrote.code == 0, wrote.out + wrote.err
    assert load_profile(profile).workspace == "atelier"
    plan = copy(copy.project / "inventory/atelier.py", "deploy.py", "--dry")
    assert plan.code in (0, 2), plan.out + plan.err
    assert "atelier: " in plan.out
