"""The targets of a home that a dry run names: answers.nix, evaluated with the real nix."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.nix import harness
from tests.nix.harness import Nix, path
from tests.nix.test_miniature import MINIATURE
from tests.tools import need

ANSWERS = harness.PROJECT / "files/home-manager/answers.nix"


@pytest.mark.parametrize("told", [True, False])
def test_a_directory_of_links_is_named_by_its_files(tmp_path: Path, *, told: bool) -> None:
    """home-manager makes a link for each file of a recursive source; the directory itself, which
    may hold files of the user's beside the links, is not in the way."""
    need("nix")
    nix = Nix(tmp_path / "nix")
    source = tmp_path / "source"
    (source / "lua/deep").mkdir(parents=True)
    for name in ("init.lua", "lua/deep/x.lua"):
        (source / name).write_text("ours\n")
    type_ = "{ readFileType = type; }" if told else "{ }"  # Nix has it since 2.14
    expression = f"""
      let
        lib = import {path(MINIATURE)};
        file = target: more: {{ enable = true; inherit target; }} // more;
        home.home.file = {{
          a = file "plain" {{ source = {path(source)}; }};
          b = file "nvim" {{ source = {path(source)}; recursive = true; }};
          c = file "one" {{ source = {path(source / "init.lua")}; recursive = true; }};
          d = file "built" {{ source = throw "looked into"; recursive = false; }};
          e = file "later" {{ source = "/nix/store/later"; recursive = true; }};
          f = file "off" {{ enable = false; }};
        }};
        type = path: (builtins.readDir (dirOf path)).${{baseNameOf path}};
        known = removeAttrs builtins [ "readFileType" ] // {type_};
      in (scopedImport {{ builtins = known; }} {path(ANSWERS)} {{
        profile = {{ }}; base = {{ }}; basePkgs = {{ }}; inherit home; pkgs = {{ inherit lib; }};
      }}).targets
    """
    ask = (need("nix-instantiate"), "--eval", "--strict", "--json", "-E", expression)
    files = ["nvim/init.lua", "nvim/lua/deep/x.lua", "one"] if told else ["nvim/", "one/"]
    assert json.loads(nix.must(*ask)).splitlines() == ["plain", *files, "built", "later/"]
