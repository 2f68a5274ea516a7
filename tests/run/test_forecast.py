"""What an update would break is said by name before it, and nothing is changed for that."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import sandbox
from tasks.steps import forecast
from tests.conftest import Box, Cli, tree
from tests.tools import need


def next_release(directory: Path, *changes: tuple[str, str, str]) -> str:
    """A second miniature nixpkgs, one release on: file, old text, new text of each change."""
    there = directory / "next"
    shutil.copytree(sandbox.NIX / "nixpkgs", there)
    for name, old, new in (("lib/default.nix", '"26.05"', '"26.11"'), *changes):
        text = (there / name).read_text()
        assert old in text, (name, old)
        (there / name).write_text(text.replace(old, new))
    return f"path:{there}"


@pytest.fixture
def box(make_box: Callable[..., Box]) -> Box:
    need("nix")
    made = make_box()
    system = made.root / "etc/nixos/configuration.nix"
    text = system.read_text().rstrip().removesuffix("}")
    system.write_text(f"{text}  services.desktopManager.plasma6.enable = true;\n}}\n")
    return made


def kept(box: Box) -> tuple[object, ...]:
    """All but what Nix and chezmoi remember for themselves."""
    places = (box.config(""), box.root / "etc", box.root / "var", box.home / ".local/share")
    return tuple(tree(place, without=("chezmoi",)) for place in places)


def said(text: str) -> str:
    return " ".join(text.split())


def test_an_update_that_takes_x11_and_renames_an_option_is_foreseen_by_name(
    cli: Cli, box: Box, tmp_path: Path
) -> None:
    before = kept(box)
    x11 = ("pkgs/programs.nix", '"6.7.3"', '"6.8.0"')
    run = cli(box.inventory, "tasks/verify.py", "--data", f"against={next_release(tmp_path, x11)}")
    assert run.code == 1, run.out
    (found,) = (one for one in run.kinds("finding") if one["check"] == "forecast.nixos")
    assert found["effect"] == "not effective"
    assert "this update brings Plasma 6.8.0, which has no X11 session" in said(run.out)
    assert "write session.type: wayland in the profile" in said(run.out)
    (home,) = (one for one in run.kinds("finding") if one["check"] == "forecast.home-manager")
    assert home["effect"] == "effective"
    assert "to build" in home["found"]

    shutil.rmtree(tmp_path / "next")
    renamed = ("nixos/options.nix", "memoryPercent =", "memoryShare =")
    use = ("nixos/toplevel.nix", "zramSwap.memoryPercent", "zramSwap.memoryShare")
    run = cli(
        box.inventory,
        "tasks/verify.py",
        "--data",
        f"against={next_release(tmp_path, renamed, use)}",
    )
    assert run.code == 1, run.out
    assert "zramSwap.memoryPercent' does not exist" in said(run.out)
    assert kept(box) == before


def test_an_update_that_breaks_nothing_is_said_to_evaluate_and_a_wrong_input_by_name(
    cli: Cli, box: Box, tmp_path: Path
) -> None:
    reference = next_release(tmp_path)
    run = cli(box.inventory, "tasks/verify.py", "--data", f"against={reference}")
    found = {
        one["check"]: one for one in run.kinds("finding") if one["check"].startswith("forecast.")
    }
    assert {one["effect"] for one in found.values()} == {"effective"}, run.out
    assert found.keys() == {"forecast.nixos", "forecast.home-manager"}
    assert "go_1_24" not in run.out
    run = cli(box.inventory, "tasks/verify.py", "--data", f"against=unstable={reference}")
    assert run.code == 1, run.out
    assert "your flake has no input unstable; name one that it has" in said(run.out)
    for wrong in ("--impure", "x y"):
        assert cli(box.inventory, "tasks/verify.py", "--data", f"against={wrong}").code == 5
    assert cli(box.inventory, "deploy.py", "--data", f"against={reference}").code == 5


def test_a_reference_without_a_name_is_for_nixpkgs() -> None:
    given = frozenset({"path:/a?rev=1", "home-manager=github:x/y"})
    assert forecast.inputs(given) == ("home-manager", "github:x/y", "nixpkgs", "path:/a?rev=1")
