"""flake.nix of the project, evaluated with the real nix: the modules for a configuration of one's
own, the app that starts a run, the development shell."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nix import harness
from tests.nix.harness import Nix, path
from tests.tools import need

PROJECT = harness.PROJECT
#: nixpkgs' names that the flake uses and the miniature does not have. Python is the one that runs
#: the tests, after what it is asked for was evaluated; ``asked`` says what that was.
STAND_IN = """\
{
  description = "the miniature, and what a development shell takes";
  inputs.miniature.url = "path:@MINIATURE@";
  outputs = { self, miniature }: {
    legacyPackages.x86_64-linux = miniature.legacyPackages.x86_64-linux.extend (final: prev:
      let
        package = name: prev.runCommand name { } "mkdir $out";
        packages = builtins.listToAttrs (map (name: { inherit name; value = package name; }) [
          "click" "configobj" "distro" "gevent" "hypothesis" "jinja2" "jsonschema" "mypy"
          "packaging" "paramiko" "pydantic" "pytest" "pytest-xdist" "python-dateutil" "pyyaml"
          "typeguard" "types-pyyaml"
        ]) // { fetchPypi = given: given; buildPythonPackage = given: given; };
        named = one: one.name or "${one.pname}-${one.version}";
      in
      builtins.listToAttrs (map (name: { inherit name; value = package name; }) [
        "chezmoi" "git" "gnumake" "nixpkgs-fmt" "ruff" "shellcheck" "uv"
      ]) // {
        python3.withPackages = ask: {
          outPath = "@PYTHON@";
          asked = map named (ask packages);
          sources = builtins.filter (one: one != null) (map (one: one.src or null) (ask packages));
        };
        mkShell = given: prev.runCommand "shell" { } "mkdir $out" // { inherit (given) packages; };
      });
  };
}
"""


@pytest.fixture(scope="module")
def nix(tmp_path_factory: pytest.TempPathFactory) -> Nix:
    need("nix")
    return Nix(tmp_path_factory.mktemp("flake"))


@pytest.fixture(scope="module")
def flake(nix: Nix) -> Path:
    """What of the project the flake reads, as git would hand it over."""
    place = nix.directory / "project"
    place.mkdir(parents=True)
    shutil.copy(PROJECT / "flake.nix", place)
    shutil.copytree(PROJECT / "files", place / "files", symlinks=True)
    return place


@pytest.fixture(scope="module")
def overridden(nix: Nix) -> tuple[str, ...]:
    stand_in = nix.directory / "stand-in"
    stand_in.mkdir(parents=True)
    python = stand_in / "python/bin"
    python.mkdir(parents=True)
    (python / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (python / "python3").chmod(0o755)
    text = STAND_IN.replace("@MINIATURE@", str(harness.MINIATURE / "nixpkgs"))
    (stand_in / "flake.nix").write_text(text.replace("@PYTHON@", str(python.parent)))
    return ("--override-input", "nixpkgs", f"path:{stand_in}", "--no-write-lock-file")


def value(nix: Nix, flake: Path, overridden: tuple[str, ...], name: str, apply: str) -> object:
    command = (need("nix"), "eval", "--json", f"path:{flake}#{name}", "--apply", apply)
    return json.loads(nix.must(*command, *overridden))


def test_the_flake_is_formatted_and_names_the_release_of_the_lock(nix: Nix) -> None:
    subprocess.run([need("nixpkgs-fmt"), "--check", PROJECT / "flake.nix"], check=True)
    lock = (PROJECT / "uv.lock").read_text()
    (wheel,) = re.findall(r'/pyinfra-(\S+)-py3-none-any\.whl", hash = "sha256:(\w+)"', lock)
    text = (PROJECT / "flake.nix").read_text()
    named = re.findall(r'pname = "pyinfra";\s+version = "(.+)";', text)
    assert {*named, *re.findall(r'sha256 = "(\w+)"', text)} == set(wheel)


@pytest.mark.parametrize(
    ("layer", "module", "own", "with_layer", "of"),
    [
        (
            *("nixos", "nixosModules", "baseSystem", "system"),
            "config.system.build.toplevel.drvPath",
        ),
        ("home-manager", "homeModules", "baseHome", "home", "activationPackage.drvPath"),
    ],
)
def test_the_projects_own_module_gives_what_the_layer_of_a_run_gives(
    nix: Nix, flake: Path, layer: str, module: str, own: str, with_layer: str, of: str
) -> None:
    layers = harness.make_layers(nix.directory / f"layers-{layer}", harness.profile_data())
    profile = path(layers / layer / "profile.json")
    ours = (
        f"let outputs = (import {path(flake / 'flake.nix')}).outputs "
        "{ self = null; nixpkgs = null; }; in "
        f"({own}.extendModules {{ modules = [ outputs.{module}.default "
        f"{{ workspaceTuning.profile = {profile}; }} ]; }}).{of}"
    )
    sources = harness.sources(nix.directory / "sources")
    found = nix.evaluate(f"[ ({ours}) {with_layer}.{of} {own}.{of} ]", layers=layers, **sources)
    assert found[0] == found[1]
    assert found[0] != found[2], "the module changed nothing"


def test_a_module_without_a_profile_says_which_option_is_missing(nix: Nix, flake: Path) -> None:
    layers = harness.make_layers(nix.directory / "layers-none", harness.profile_data())
    sources = harness.sources(nix.directory / "sources")
    with pytest.raises(harness.NixError, match=r"workspaceTuning\.profile"):
        nix.evaluate(
            f"let outputs = (import {path(flake / 'flake.nix')}).outputs "
            "{ self = null; nixpkgs = null; }; in (baseSystem.extendModules "
            "{ modules = [ outputs.nixosModules.default ]; }).config.system.build.toplevel.drvPath",
            layers=layers,
            **sources,
        )


def test_the_shell_has_what_the_tests_need_and_python_what_the_project_needs(
    nix: Nix, flake: Path, overridden: tuple[str, ...]
) -> None:
    names = "shell: map (one: one.asked or one.name) shell.packages"
    asked, *rest = value(nix, flake, overridden, "devShells.x86_64-linux.default", names)  # type: ignore[misc]
    text = (PROJECT / "pyproject.toml").read_text()
    wanted = re.findall(r'^  "([a-z0-9]+)', text.partition("dependencies = [")[2], re.MULTILINE)
    assert len(wanted) >= 5
    assert not set(wanted) - {re.sub(r"-[0-9.]+$", "", str(one)) for one in asked}
    assert {"chezmoi", "git", "gnumake", "nixpkgs-fmt", "ruff", "shellcheck", "uv"} <= set(rest)


def test_nix_run_starts_pyinfra_by_our_own_start_in_a_checkout_and_nowhere_else(
    nix: Nix, flake: Path, overridden: tuple[str, ...], tmp_path: Path
) -> None:
    run = (need("nix"), "run", f"path:{flake}", *overridden, "--")
    command = [*map(str, run), "inventory/sandbox.py", "deploy.py", "--dry", "--data", "phases=7"]
    (nix.directory / "home").mkdir(exist_ok=True)
    environment = {**nix.environment, "SANDBOX": str(tmp_path / "sandbox")}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    for name in ("NIXPKGS", "HOME_MANAGER"):  # of make real; a sandbox takes both or none
        environment.pop(name, None)
    for directory, said in ((PROJECT, '"7" is not known'), (tmp_path, "not here")):
        done = subprocess.run(
            command, cwd=directory, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 5, done.stdout + done.stderr
        assert said in done.stdout + done.stderr
