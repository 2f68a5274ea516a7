"""home-manager as a module of NixOS: one generation for both, and the same checks and way back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Box, Cli
from tests.tools import need

MARKER = ".config/workspace-tuning/home-manager.json"
#: A target of the layer, and what the system's own home has there.
TARGET = ".config/systemd/user/app-tuned.slice"
CONSENT = ("--data", "accept=home.files")
NIX = ["nixos", "home-manager"]


@pytest.fixture(autouse=True)
def _real_tools() -> None:
    need("nix")


@pytest.fixture
def box(make_box: Callable[..., Box]) -> Box:
    return make_box(within=True, layers=NIX)


def current(box: Box) -> Path:
    """The home that was activated last."""
    return (box.home / ".local/state/home-manager/gcroots/current-home").resolve()


def running(box: Box) -> Path:
    return (box.root / "run/current-system").resolve()


def links(box: Box) -> dict[str, str]:
    return {
        str(Path(directory, name)): os.readlink(Path(directory, name))
        for directory, _, names in os.walk(box.home)
        for name in names
        if Path(directory, name).is_symlink() and ".cache" not in directory
    }


def write(box: Box, name: str) -> Path:
    path = box.home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"# mine\n")
    path.chmod(0o640)
    return path


def aside(box: Box) -> list[Path]:
    state = box.home / ".local/state/workspace-tuning"
    found = (*box.home.rglob("*.before-*"), *box.home.rglob("*.theirs"))
    return [one for one in found if not one.is_relative_to(state)]


def said(text: str) -> str:
    return " ".join(text.split())


def test_one_generation_has_both_and_goes_back_whole(cli: Cli, box: Box) -> None:
    flake = {path: path.read_bytes() for path in (box.root / "etc/nixos").iterdir()}
    before, first = links(box), current(box)
    look = cli(box.inventory, "deploy.py", "--dry")
    assert look.code == 2, look.out
    assert "home-manager create" in said(look.out)
    assert "a part of the NixOS system" in said(look.out)

    run = cli(box.inventory, "deploy.py", "-y")
    assert run.code == 0, run.out
    assert current(box) == (running(box) / "etc/workspace-tuning/home").resolve()
    assert (box.home / MARKER).resolve().is_relative_to(running(box).parent)
    assert "alias sysmon=" in (box.home / ".bashrc").read_text()
    effects = {record["setting"]: record for record in run.kinds("finding") if record["setting"]}
    assert effects["monitoring.sysmon"]["effect"] == "effective"
    assert effects["runtimes.python"]["effect"] == "effective"
    assert effects["libraries.group.home.compression"]["effect"] == "effective"

    assert cli(box.inventory, "deploy.py", "-y").last_line.startswith("nothing to change")
    back = cli(box.inventory, "tasks/rollback.py", "-y")
    assert back.code == 0, back.out
    assert (links(box), current(box)) == (before, first)
    assert not (box.root / "var/lib/workspace-tuning/nixos").exists()
    assert {path: path.read_bytes() for path in flake} == flake


def test_what_is_said_of_the_home_names_the_generation_that_has_it(cli: Cli, box: Box) -> None:
    assert cli(box.inventory, "deploy.py", "-y").code == 0
    status = cli(box.inventory, "tasks/status.py")
    assert "home within the system's generations" in said(status.out)
    assert "effective: the home in generation 2 of the system" in said(status.out)
    why = cli(box.inventory, "tasks/why.py", "--data", "setting=monitoring.sysmon")
    place = "var/lib/workspace-tuning/nixos/home-manager/profile.json, settings.monitoring.sysmon"
    assert place in said(why.out)
    verify = cli(box.inventory, "tasks/verify.py", "--data", "layers=home-manager")
    assert verify.code == 0, verify.out
    (box.home / MARKER).unlink()
    lost = cli(box.inventory, "tasks/verify.py")
    found = {record["check"]: record for record in lost.kinds("finding") if not record["setting"]}
    assert found["generation.home"]["effect"] == "pending"
    assert "the system's home-manager unit of " in found["generation.home"]["reason"]


def test_a_home_that_is_not_activated_undoes_the_whole_change(cli: Cli, box: Box) -> None:
    before, first = links(box), running(box)
    cli.environment["MINIATURE_HOME_EXIT"] = "1"
    run = cli(box.inventory, "deploy.py", "-y")
    assert run.code != 0, run.out
    del cli.environment["MINIATURE_HOME_EXIT"]
    assert running(box) == first
    assert (box.home / MARKER).exists() is False
    assert links(box) == before


@pytest.mark.parametrize("extension", ["", "theirs"])
def test_a_file_of_the_users_own_is_shown_needs_consent_and_comes_back(
    cli: Cli, box: Box, extension: str
) -> None:
    """Also where the user's own system would have home-manager rename it without a word."""
    if extension:
        within = box.root / "etc/nixos/within.nix"
        option = f'  home-manager.backupFileExtension = "{extension}";\n}}'
        within.write_text(within.read_text().rstrip().removesuffix("}") + option)
    own = write(box, TARGET)
    time = own.stat().st_mtime_ns
    look = cli(box.inventory, "deploy.py", "--dry")
    (row,) = (record for record in look.kinds("estimate") if record["layer"] == "home-manager")
    assert f"{own} is yours" in row["text"]
    assert "accept=home.files" in look.out

    run = cli(box.inventory, "deploy.py", "-y")
    assert run.code == 1, run.out
    assert "nothing was activated" in run.out + run.err
    assert own.read_bytes() == b"# mine\n"

    run = cli(box.inventory, "deploy.py", "-y", *CONSENT)
    assert run.code == 0, run.out
    assert own.is_symlink()
    assert [one.name for one in aside(box)] == [f"{own.name}.before-{run.journal[0]['run']}"]
    back = cli(box.inventory, "tasks/rollback.py", "-y")
    assert back.code == 0, back.out
    assert not own.is_symlink()
    assert (own.read_bytes(), own.stat().st_mode & 0o777) == (b"# mine\n", 0o640)
    assert own.stat().st_mtime_ns == time
    assert not aside(box)


def test_the_home_alone_leaves_the_settings_of_the_system_as_they_are(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    box = make_box(within=True)
    run = cli(box.inventory, "deploy.py", "-y", "--data", "layers=home-manager")
    assert run.code == 0, run.out
    layer = box.root / "var/lib/workspace-tuning/nixos"
    assert json.loads((layer / "profile.json").read_text())["settings"] == {}
    assert json.loads((layer / "home-manager/profile.json").read_text())["settings"]
    assert (box.home / MARKER).exists()
    held = (box.home / MARKER).resolve()

    run = cli(box.inventory, "deploy.py", "-y", "--data", "layers=nixos")
    assert run.code == 0, run.out
    assert json.loads((layer / "profile.json").read_text())["settings"]
    assert (box.home / MARKER).resolve() == held

    one = cli(box.inventory, "tasks/rollback.py", "-y", "--data", "layers=home-manager")
    assert one.code == 5, one.out
    assert "name both nixos and home-manager" in one.out + one.err
    gone = cli(box.inventory, "tasks/remove.py", "-y")
    assert gone.code == 0, gone.out
    assert not (box.home / MARKER).exists()
    assert not (box.root / "var/lib/workspace-tuning").exists()


def test_two_homes_are_refused_with_what_to_do(cli: Cli, box: Box) -> None:
    other = box.home / ".config/home-manager"
    other.mkdir()
    (other / "flake.nix").write_text("{ outputs = _: { }; }\n")
    run = cli(box.inventory, "deploy.py", "-y")
    assert run.code == 5, run.out
    assert "activates another home at each boot" in said(run.out + run.err)
    chosen = cli(box.inventory, "deploy.py", "--dry", "--data", f"base_home={box.root}/none")
    assert chosen.code == 2, chosen.out
    assert "a part of the NixOS system" in said(chosen.out)


def test_a_user_without_a_home_in_the_system_has_no_home_layer(cli: Cli, box: Box) -> None:
    units = box.root / "etc/systemd/system"
    (box.root / "run/current-system").unlink()
    units.mkdir(parents=True)
    (units / "home-manager-anna.service").touch()
    look = cli(box.inventory, "deploy.py", "--dry")
    assert "is not in home-manager.users" in said(look.out)
