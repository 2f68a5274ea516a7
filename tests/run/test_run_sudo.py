"""A workspace whose system belongs to root: a user with sudo converges it, and sees it as it is."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests import sshd
from tests.conftest import Cli, tree
from tests.remote.faults import until
from tests.tools import need

USER = sshd.ONE


@pytest.fixture
def sudo(ssh_server: sshd.Server) -> Iterator[None]:
    """Sudo without a password for one of the server's users."""
    need("sudo")
    need("nix")
    rule = Path(f"/etc/sudoers.d/workspace-tuning-test-{sshd.SLOT}")
    rule.write_text(f"{USER} ALL=(ALL) NOPASSWD: ALL\n")
    rule.chmod(0o440)
    try:
        yield
    finally:
        rule.unlink()


def journal(cli: Cli) -> str:
    """The journal of the newest run."""
    runs = (cli.state / "workspace-tuning/controller/runs").glob("*/journal.jsonl")
    return str(max(runs, key=lambda path: path.stat().st_mtime_ns))


def give_to_root(root: Path) -> None:
    """What belongs to root on a NixOS machine."""
    for top in ("var/lib", "run/current-system", "etc/nixos", "boot"):
        os.chown(root / top, 0, 0, follow_symlinks=False)
        for directory, names, files in os.walk(root / top):
            for name in (*names, *files):
                os.chown(Path(directory) / name, 0, 0, follow_symlinks=False)


def test_a_user_with_sudo_converges_verifies_and_rolls_back_a_system_of_roots(
    cli: Cli, ssh_server: sshd.Server, sudo: None
) -> None:
    made = ssh_server.box(USER, "rooted")
    root = Path(str(made["root"]))
    give_to_root(root)
    inventory = cli.inventory(made)
    profile = root / "nix/var/nix/profiles/system"
    first = cli(inventory, "deploy.py", "-y")
    assert first.code == 0, first.out + first.err
    assert os.readlink(profile) == "system-2-link"
    for path in (root / "var/lib/workspace-tuning/nixos").rglob("*"):
        assert path.stat().st_uid == 0, path
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o644), path
    for path in (root / "home/.config/kwinrc", root / "home/.local/share/workspace-tuning"):
        assert path.owner() == USER

    again = cli(inventory, "deploy.py", "-y")
    assert again.code == 0, again.out
    assert "nothing to change" in again.out
    assert cli(inventory, "deploy.py", "--dry").code == 0

    left = root / "var/lib/workspace-tuning/nixos/lib/.profile.nix.wt-20260101t000000-abcd"
    left.write_text("half")
    os.chown(left, 0, 0)
    swept = cli(inventory, "deploy.py", "-y")
    assert swept.code == 0, swept.out
    assert not left.exists()
    assert "nothing to change" in cli(inventory, "deploy.py", "-y").out

    back = cli(inventory, "tasks/rollback.py", "-y")
    assert back.code == 0, back.out
    assert os.readlink(profile) == "system-1-link"
    assert (root / "home/.config/kwinrc").owner() == USER


def test_a_change_of_roots_that_was_cut_off_is_seen_and_undone_by_the_next_run(
    cli: Cli, ssh_server: sshd.Server, sudo: None
) -> None:
    made = ssh_server.box(USER, "cutroot")
    root = Path(str(made["root"]))
    give_to_root(root)
    inventory = cli.inventory(made)
    process = cli.start(inventory, "deploy.py", "-vy")
    until(process, "prove: started")
    process.send_signal(signal.SIGKILL)
    cli.end(process)
    (place,) = (root / "var/lib/workspace-tuning/runs" / USER).glob("*/transaction")
    os.kill(int((place / "process").read_text().split()[0]), signal.SIGKILL)  # power fails as well
    again = cli(inventory, "deploy.py", "-y")
    assert again.code == 0, again.out + again.err
    assert "was cut off while activated: it is undone first" in " ".join(again.out.split())
    assert (place / "status").read_text().startswith("undone its process was gone")
    assert os.readlink(root / "nix/var/nix/profiles/system") == "system-2-link"
    assert cli(inventory, "deploy.py", "--dry").code == 0


def test_a_user_with_sudo_takes_all_of_it_off_roots_records_and_files_too(
    cli: Cli, ssh_server: sshd.Server, sudo: None
) -> None:
    made = ssh_server.box(USER, "removed")
    root = Path(str(made["root"]))
    give_to_root(root)
    inventory = cli.inventory(made)
    before = (root / "home/.config/kwinrc").read_bytes()
    first = cli(inventory, "deploy.py", "-y")
    assert first.code == 0, first.out + first.err
    assert cli(inventory, "tasks/remove.py", "--dry").code == 2
    run = cli(inventory, "tasks/remove.py", "-y")
    assert run.code == 0, run.out
    assert run.last_line.startswith("removed (exit 0)")
    assert os.readlink(root / "nix/var/nix/profiles/system") == "system-1-link"
    assert not (root / "var/lib/workspace-tuning").exists()
    assert not (root / "home/.local/state/workspace-tuning").exists()
    assert not (root / "home/.local/share/workspace-tuning").exists()
    assert (root / "home/.config/kwinrc").read_bytes() == before
    again = cli(inventory, "tasks/remove.py", "-y")
    assert again.last_line.startswith("nothing to change (exit 0)"), again.out


def test_on_the_plans_own_layout_the_four_layers_apply_and_the_users_flakes_stay(
    cli: Cli, ssh_server: sshd.Server, sudo: None
) -> None:
    """A system flake of root's, named shoshin, and a home of its own flake behind a link."""
    made = ssh_server.box(USER, "shoshin")
    root = Path(str(made["root"]))
    link, dotfiles = root / "home/.config/home-manager", root / "home/dotfiles"
    link.rename(dotfiles)
    link.symlink_to(dotfiles)
    give_to_root(root)
    flakes = (root / "etc/nixos", dotfiles)
    before = [tree(flake) for flake in flakes]
    inventory = cli.inventory(made)
    run = cli(inventory, "deploy.py", "-y")
    assert run.code == 0, run.out + run.err
    assert "contrastEnabled=false" in (root / "home/.config/kwinrc").read_text()
    assert (root / "home/.config/environment.d/60-video-variables.conf").is_file()
    assert os.readlink(root / "nix/var/nix/profiles/system") == "system-2-link"
    assert os.readlink(root / "home/.local/state/nix/profiles/home-manager").startswith(
        "home-manager-2"
    )
    assert (root / "run/current-system/etc/workspace-tuning/nixos.json").is_file()
    assert (root / "home/.config/workspace-tuning/home-manager.json").is_file()
    again = cli(inventory, "deploy.py", "-y")
    assert (again.code, "nothing to change" in again.out) == (0, True), again.out
    assert link.is_symlink()
    assert [tree(flake) for flake in flakes] == before


def test_a_home_within_a_system_of_roots_is_activated_as_the_user_and_goes_back(
    cli: Cli, ssh_server: sshd.Server, sudo: None
) -> None:
    """home-manager as a module of NixOS, for a user whose name has a dash; and what reports say."""
    made = ssh_server.box(USER, "within", within=True)
    root = Path(str(made["root"]))
    give_to_root(root)
    inventory = cli.inventory({**made, "layers": ["nixos", "home-manager"]})
    marker = root / "home/.config/workspace-tuning/home-manager.json"
    assert "-" in USER
    first = cli(inventory, "deploy.py", "-y")
    assert first.code == 0, first.out + first.err
    assert marker.resolve().is_relative_to(root / "nix/store")
    layer = root / "var/lib/workspace-tuning/nixos/home-manager"
    assert {path.stat().st_uid for path in (layer, layer / "profile.json")} == {0}
    for directory, names, files in os.walk(root / "home"):
        for name in (*names, *files):
            assert (Path(directory) / name).lstat().st_uid != 0, name
    report = [sys.executable, "-m", "converge.report", "--quiet", "--junit", "-", journal(cli)]
    xml = subprocess.run(report, capture_output=True, text=True, check=True).stdout
    cases = {case.get("name"): case for case in ElementTree.fromstring(xml).iter("testcase")}
    assert any("monitoring.sysmon" in str(name) for name in cases)
    assert not [case for case in cases.values() if case.find("failure") is not None]

    assert "nothing to change" in cli(inventory, "deploy.py", "-y").out
    back = cli(inventory, "tasks/rollback.py", "-y")
    assert back.code == 0, back.out
    assert not os.path.lexists(marker)
    assert not layer.exists()
