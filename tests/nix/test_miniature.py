"""The miniature nixpkgs behaves like the real one as far as the layers use it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.nix import harness
from tests.nix.harness import Nix
from tests.tools import need

CASE = harness.HERE / "modules-case.nix"
MINIATURE = harness.MINIATURE / "nixpkgs/lib"


def answers(nix: Nix, library: Path) -> dict[str, Any]:
    expression = f"import {harness.path(CASE)} {{ lib = import {harness.path(library)}; }}"
    ask = (need("nix-instantiate"), "--eval", "--strict", "--json", "-E", expression)
    found: dict[str, Any] = json.loads(nix.must(*ask))
    return found


def test_options_priorities_conditions_and_submodules(nix: Nix) -> None:
    found = answers(nix, MINIATURE)
    throwing = {name for name, value in found.items() if value is None}
    assert throwing == {
        *("requiredIsMissing", "unknownOption", "wrongType", "conflict", "twoDefaults"),
        *("notInEnum", "unitUnknown", "freeList", "bothForms", "nullOrBoth"),
        *("samePackageTwice", "sameRawTwice", "sameOnceTwice", "readOnlyTwice", "uniqueTwice"),
        "readOnlyTwiceOnPaper",
    }
    assert {name: found[name] for name in ("agreement", "userBeatsDefault", "forceBeatsUser")} == {
        "agreement": 3,
        "userBeatsDefault": 4,
        "forceBeatsUser": 3,
    }
    assert (found["between"], found["conditionOnConfig"], found["defaultInsideCondition"]) == (
        *(5, 3, 5),
    )
    assert found["merged"] == ["a", "c"]
    assert found["ordered"] == ["a", "m", "z"]
    assert found["unit"]["one"] == {"label": "forced", "size": 3, "double": 6}
    assert found["unitCondition"] == []
    assert found["freeform"] == {"features": ["more"], "max-jobs": 3}
    assert (found["argument"], found["specialArgument"]) == (42, 7)
    assert (found["extended"], found["extendedTwice"]) == (4, ["b", "a"])


def test_the_real_library_gives_the_same_answers(nix: Nix) -> None:
    """Where NIXPKGS_LIB or NIXPKGS names one; the recorded answers elsewhere."""
    named = os.environ.get("NIXPKGS_LIB") or os.environ.get("NIXPKGS")
    recorded = harness.HERE / "modules-case.json"
    if named:
        expected = answers(nix, Path(named) / "lib")
        assert json.loads(recorded.read_text()) == expected
    else:
        expected = json.loads(recorded.read_text())
    assert answers(nix, MINIATURE) == expected


def test_its_packages_follow_nixpkgs_rules_for_env(nix: Nix) -> None:
    found = nix.evaluate(
        """let make = pkgs.stdenv.mkDerivation; base = { name = "x"; }; in {
          overlap = attempt (make (base // { A = "1"; env.A = "2"; })).A;
          list = attempt (make (base // { env.A = [ "1" ]; })).A;
          missing = attempt (make (base // { env.A = null; })).A;
          scalars = [
            (make (base // { env.A = true; })).A
            (make (base // { env.A = 3; })).A
            (make (base // { env.A = "s"; })).A
          ];
          structured = (make (base // { __structuredAttrs = true; NIX_CFLAGS_COMPILE = "-DX"; }))
            .NIX_CFLAGS_COMPILE or null;
        }""",
        layers="null",
    )
    assert found == {
        "overlap": None,
        "list": None,
        "missing": None,
        "scalars": [True, 3, "s"],
        "structured": None,
    }


def test_an_overlay_reaches_the_stages_that_the_stdenv_is_made_of(nix: Nix) -> None:
    found = nix.evaluate(
        """let
          changed = name: (pkgs.extend (final: prev: {
            ${name} = prev.${name}.overrideAttrs { changed = true; };
          }));
          rebuilt = name: lib.filter
            (other: (changed name).${other}.drvPath != pkgs.${other}.drvPath)
            [ "bash" "git" "firefox" "stdenv" "zlib" "glibc" ];
        in lib.genAttrs [ "zlib" "glibc" "lz4" "expat" ] rebuilt""",
        layers="null",
    )
    everything = ["bash", "git", "firefox", "stdenv"]
    assert found["zlib"] == [*everything, "zlib"]
    assert found["glibc"] == [*everything, "glibc"]
    assert found["lz4"] == []
    assert found["expat"] == ["git"]


def test_two_packages_with_the_same_command_collide_unless_one_is_preferred(nix: Nix) -> None:
    expression = f"""with {harness.path(harness.MINIATURE / "nixpkgs")}; let
      pkgs = import {harness.path(harness.MINIATURE / "nixpkgs")} {{ }};
      other = pkgs.writeShellScriptBin "zstd" "echo other";
      env = paths: pkgs.buildEnv {{ name = "env"; inherit paths; }};
    in {{
      both = env [ pkgs.zstd.bin other ];
      preferred = env [ pkgs.zstd.bin (pkgs.lib.hiPrio other) ];
    }}""".replace(f"with {harness.path(harness.MINIATURE / 'nixpkgs')}; ", "")
    build = ("nix-build", "--no-out-link", "-E", expression, "-A")
    with pytest.raises(harness.NixError, match="collision between"):
        nix.must(*build, "both")
    assert nix.must(Path(nix.must(*build, "preferred").strip()) / "bin/zstd") == "other\n"


def test_nothing_of_the_real_nixpkgs_is_in_the_miniature() -> None:
    """Its module system and types are its own: none of the real library's files is among them."""
    names = {path.name for path in MINIATURE.iterdir()}
    assert names == {"default.nix", "basics.nix", "packages.nix", "modules.nix", "types.nix"}
    total = sum(len(path.read_text().splitlines()) for path in MINIATURE.iterdir())
    assert total < 900
