"""home-manager as a module of NixOS: the layer of the home, in the system that the user has."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.nix import harness
from tests.nix.harness import Nix
from tests.tools import need

SYSTEM = 'nixosConfigurations."shoshin".config.system.build.toplevel'
OPTIONS = "  home-manager.useGlobalPkgs = true;\n  home-manager.useUserPackages = true;\n"
HOME = "etc/workspace-tuning/home"

Over = tuple[str, ...]


@pytest.fixture
def over(tmp_path: Path) -> Callable[..., Over]:
    """The user's flake with these options of home-manager, as arguments of Nix."""

    def make(options: str = OPTIONS, *edits: tuple[str, str, str]) -> Over:
        base = harness.make_base(tmp_path / "base", within=True)
        for file, old, new in (("within.nix", OPTIONS, options), *edits):
            text = (base / file).read_text()
            assert old in text
            (base / file).write_text(text.replace(old, new))
        return "--override-input", "base", f"path:{base}"

    return make


def made(tmp_path: Path, **choices: list[str]) -> str:
    data = harness.profile_data(**choices)
    return f"path:{harness.make_layers(tmp_path / 'layers', data, within=True)}/nixos"


def asked(nix: Nix, layer: str, over: Over, attribute: str) -> dict:
    words = ("eval", "--json", f"{layer}#{attribute}", *over, "--no-write-lock-file")
    return json.loads(nix.must(need("nix"), *words))


@pytest.mark.parametrize(
    "options",
    [
        OPTIONS,
        "  home-manager.useUserPackages = true;\n",
        "  home-manager.useGlobalPkgs = true;\n",
        "",
    ],
)
def test_the_home_of_the_system_is_the_users_own_with_the_layer(
    nix: Nix, tmp_path: Path, over: Callable[..., Over], options: str
) -> None:
    base = over(options)
    before = nix.build(f"{base[2]}#{SYSTEM}")
    layer = made(tmp_path)
    system = nix.build(f"{layer}#{SYSTEM}", *base)
    home = system / HOME
    marker = json.loads(
        (home / "home-files/.config/workspace-tuning/home-manager.json").read_text()
    )
    assert "monitoring.sysmon" in marker["settings"]
    assert "alias ll=" in (home / "home-files/.bashrc").read_text()
    assert "alias sysmon=" in (home / "home-files/.bashrc").read_text()
    unit = "etc/systemd/system/home-manager-mitsio.service"
    assert f" {home.resolve()}\n" in (system / unit).read_text()
    # The packages go where the user has them.
    profile = system / "etc/profiles/per-user/mitsio"
    assert profile.exists() is ("useUserPackages" in options)
    # The user's own flake is as it was.
    assert nix.build(f"{base[2]}#{SYSTEM}") == before


@pytest.mark.parametrize("options", [OPTIONS, "  home-manager.useUserPackages = true;\n"])
def test_the_report_is_that_of_the_same_home_by_itself(
    nix: Nix, tmp_path: Path, over: Callable[..., Over], options: str
) -> None:
    base = over(options)
    within = asked(nix, made(tmp_path), base, "home.report")
    alone = harness.make_base(tmp_path / "alone/base")
    layers = harness.make_layers(tmp_path / "alone/layers", harness.profile_data())
    other = ("--override-input", "base", f"path:{alone}")
    report = asked(nix, f"path:{layers}/home-manager", other, "report")
    assert within.keys() == report.keys()
    assert within["packages"]
    assert within["rebuilt"] == report["rebuilt"] == []
    for key in ("wanted", "found", "missing", "lost", "attributeRebuilt"):
        assert {name: one[key] for name, one in within["packages"].items()} == {
            name: one[key] for name, one in report["packages"].items()
        }
    for name, one in report["runtimes"].items():
        assert [two["flags"] for two in within["runtimes"][name]["adopted"]] == [
            two["flags"] for two in one["adopted"]
        ]


def test_a_package_set_that_was_handed_over_still_answers(
    nix: Nix, tmp_path: Path, over: Callable[..., Over]
) -> None:
    handed = "extraSpecialArgs = { inherit host; inherit (import ./given.nix) pkgs; };"
    base = over("", ("within.nix", "extraSpecialArgs.host = host;", handed))
    used = harness.sources(tmp_path / "sources", build=True)["nixpkgs"]
    given = f'{{ pkgs = import {used} {{ system = "x86_64-linux"; }}; }}\n'
    (Path(base[2].removeprefix("path:")) / "given.nix").write_text(given)
    report = asked(nix, made(tmp_path), (*base, "--impure"), "home.report")
    assert all("-march=skylake" in one["found"] for one in report["packages"].values())


def test_a_value_of_the_users_stands_and_is_named_with_its_file(
    nix: Nix, tmp_path: Path, over: Callable[..., Over]
) -> None:
    own = ("home.nix", 'll = "ls -l";', 'll = "ls -l"; home.shellAliases.sysmon = "top";')
    system = nix.build(f"{made(tmp_path)}#{SYSTEM}", *over(OPTIONS, own))
    files = system / HOME / "home-files"
    assert re.search(r"^alias sysmon='?top'?$", (files / ".bashrc").read_text(), re.M)
    marker = json.loads((files / ".config/workspace-tuning/home-manager.json").read_text())
    assert marker["theirs"]["monitoring.sysmon"] == [
        {"option": "home.shellAliases.sysmon", "files": ["home.nix"]}
    ]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (
            ("flake.nix", "home-manager.users.${host.user}", "home-manager.users.anna"),
            r'no home-manager\.users\.mitsio\. It has "anna"',
        ),
        (
            ("flake.nix", "home-manager.nixosModules.home-manager\n", "./no-module.nix\n"),
            r"has no home-manager as a module",
        ),
        (
            ("within.nix", "useGlobalPkgs = true", "startAsUserService = true"),
            r"startAsUserService .* Switch it off",
        ),
    ],
)
def test_what_cannot_be_extended_is_refused_by_name_with_the_remedy(
    nix: Nix, tmp_path: Path, over: Callable[..., Over], edit: tuple[str, str, str], said: str
) -> None:
    base = over(OPTIONS, edit)
    place = Path(base[2].removeprefix("path:"))
    if "no-module" in edit[2]:
        (place / "no-module.nix").write_text("{ }\n")
        (place / "within.nix").write_text("{ }\n")
        lines = (place / "flake.nix").read_text().splitlines(keepends=True)
        (place / "flake.nix").write_text("".join(x for x in lines if "manager.users" not in x))
    with pytest.raises(harness.NixError, match=said) as refused:
        nix.build(f"{made(tmp_path)}#{SYSTEM}", *base)
    assert "--data layers=nixos,plasma,session" in str(refused.value)


def test_an_overlay_of_a_home_with_the_systems_packages_is_refused(
    nix: Nix, tmp_path: Path, over: Callable[..., Over]
) -> None:
    wanted = ["libraries.overlay.home"]
    layer = made(tmp_path, accept=wanted)
    base = over()
    with pytest.raises(harness.NixError, match=r"accept libraries\.overlay\.system instead"):
        nix.build(f"{layer}#{SYSTEM}", *base)


def test_without_the_layer_of_a_home_the_system_has_none_of_ours(
    nix: Nix, tmp_path: Path, over: Callable[..., Over]
) -> None:
    layers = harness.make_layers(tmp_path / "layers", harness.profile_data())
    system = nix.build(f"path:{layers}/nixos#{SYSTEM}", *over())
    assert not (system / HOME).exists()
