"""Phase 1 in both layers: no flag of a package is lost, and what each strategy rebuilds is known.

Nothing is built here: flags are read back from the evaluated derivations, and what would be built
from a dry run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from converge.setting import Layer, Risk, State
from converge.subjects.libraries import rows
from tests.nix import harness
from tests.nix.harness import Make, Nix, NixError

ARCHITECTURE = ["-march=skylake", "-mtune=skylake"]
FLAGS = [*ARCHITECTURE, "-O3"]


def packages(where: str) -> set[str]:
    """All packages that the groups of a layer name."""
    return {
        name
        for row in rows.ROWS
        if row.id.startswith(f"libraries.group.{where}.")
        for names in row.value.values()
        for name in names
    }


def test_every_library_of_the_plan_gets_its_flags_and_loses_none(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    report = nix.evaluate("report", layers=layers(), **sources)
    for layer, where in (("nixos", "system"), ("home", "home")):
        found = report[layer]["packages"]
        assert set(found) == packages(where)
        assert report[layer]["absent"] == []
        for name, one in found.items():
            assert one["missing"] == [], name
            assert one["lost"] == [], name
            # The package's own flags come first, in their order, then ours.
            assert one["found"] == one["kept"] + one["wanted"], name
            assert one["wanted"] == (ARCHITECTURE if name == "libgcrypt" else FLAGS), name


def test_the_flags_that_the_plan_would_lose_are_there(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    report = nix.evaluate("report", layers=layers(), **sources)
    assert report["nixos"]["packages"]["zlib"]["kept"] == ["-static-libgcc"]
    sqlite = report["home"]["packages"]["sqlite"]["found"]
    assert sum(flag.startswith("-DSQLITE_") for flag in sqlite) == 21
    assert {"-DSQLITE_ENABLE_FTS5", "-DSQLITE_ENABLE_RTREE"} <= set(sqlite)


def test_the_plans_own_snippet_loses_flags_or_throws(nix: Nix, layers: Make) -> None:
    """On the miniature, which also has packages that keep their flags at top level."""
    found = nix.evaluate(
        """
        let
          plans = package: attempt (package.overrideAttrs (old: {
            env = (old.env or { }) // { NIX_CFLAGS_COMPILE = "-march=skylake"; };
          })).NIX_CFLAGS_COMPILE;
          optimize = import (layers + "/nixos/lib/optimize.nix") { inherit lib; };
          add = optimize.mkOptimized [ "-march=skylake" ];
          ours = package: toString (add package).NIX_CFLAGS_COMPILE;
        in
        lib.genAttrs [ "zlib" "sqlite" "openssl" "zstd" "glibc" "oldstyle-list" "oldstyle-string" ]
          (name: { plan = plans pkgs.${name}; ours = ours pkgs.${name}; })
        """,
        layers=layers(),
    )
    assert found["zlib"] == {"plan": "-march=skylake", "ours": "-static-libgcc -march=skylake"}
    assert "FTS5" not in found["sqlite"]["plan"]
    assert "FTS5" in found["sqlite"]["ours"]
    assert found["oldstyle-list"] == {"plan": None, "ours": "-DTOP -DLIST -march=skylake"}
    assert found["oldstyle-string"] == {"plan": None, "ours": "-DTOP -march=skylake"}
    for name in ("openssl", "zstd", "glibc"):
        assert found[name] == {"plan": "-march=skylake", "ours": "-march=skylake"}


def test_a_built_copy_was_compiled_with_the_flags_it_shows(nix: Nix, layers: Make) -> None:
    """Of packages with flags nowhere, in env, at top level, and with structured attributes."""
    expression = harness.miniature(layers())
    for name, flags in (
        ("zlib", "-static-libgcc -march=skylake -mtune=skylake -O3"),
        ("openssl", "-march=skylake -mtune=skylake -O3"),
        ("libgcrypt", "-march=skylake -mtune=skylake"),
    ):
        layer = "system" if name == "zlib" else "home"
        out = nix.must(
            *("nix-build", "--no-out-link", "-E", f"{expression}.{layer}.pkgs.optimized.{name}.out")
        )
        assert Path(out.strip(), "nix-support/cflags").read_text().strip() == flags


#: Packages whose commands are worth the flags, as a user may have them.
HAS = """({ lib, pkgs, ... }: { home.packages = [
  pkgs.lz4 (lib.getBin pkgs.bzip2) (pkgs.xz.overrideAttrs { ownOf = "user"; })
  (lib.lowPrio pkgs.curl)
]; })"""


def test_the_users_own_package_gets_the_flags_in_place(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    """Its overrides, its output and its priority stay, and nothing else is installed."""
    found = nix.evaluate(
        """lib.listToAttrs (map (p: lib.nameValuePair (lib.getName p) {
          flags = toString (p.NIX_CFLAGS_COMPILE or "");
          own = p.ownOf or null;
          priority = p.meta.priority or null;
          output = p.outputName or "out";
        }) home.config.home.packages)""",
        layers=layers(),
        userHome=HAS,
        **sources,
    )
    for name in ("zstd", "lz4", "bzip2", "xz", "curl"):
        assert "-march=skylake" in found[name]["flags"], name
    assert found["xz"]["own"] == "user"
    assert found["bzip2"]["output"] == "bin"
    assert found["curl"]["priority"] == 10
    assert not {"openssl", "sqlite", "pcre2"} & set(found)


def test_the_report_names_what_was_adopted_and_counts_none_of_it_as_rebuilt(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    report = nix.evaluate("report.home", layers=layers(), userHome=HAS, **sources)
    assert set(report["adopted"]) == {"zstd", "lz4", "bzip2", "xz", "curl"}
    assert report["rebuilt"] == []


def test_no_command_without_its_configuration_is_changed_outside_nixos(
    nix: Nix, layers: Make
) -> None:
    """On Fedora, curl and openssl from nixpkgs look for certificates where there are none."""
    found = nix.evaluate("report.home.adopted", layers=layers(profile="kinoite"), userHome=HAS)
    assert {"zstd", "xz", "lz4"} <= set(found)
    assert "curl" not in found


def test_an_overlaid_library_gets_its_flags_once_whatever_is_derived_from_it(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    made = layers(accept=["libraries.overlay.home"])
    found = nix.evaluate("report.home.packages", layers=made, **sources)
    for name, one in found.items():
        assert one["found"] == one["kept"] + one["wanted"], name
        assert one["attributeRebuilt"], name


def test_copies_rebuild_nothing_that_the_user_has(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    report = nix.evaluate("report", layers=layers(), **sources)
    for layer in report.values():
        assert layer["strategy"] == "leaf"
        assert layer["rebuilt"] == []
        assert not any(one["attributeRebuilt"] for one in layer["packages"].values())


def test_an_overlay_names_the_users_packages_that_it_rebuilds(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    made = layers(accept=["libraries.overlay.system", "libraries.overlay.home"])
    report = nix.evaluate("report", layers=made, **sources)
    assert {"git", "firefox", "zstd", "lz4"} <= set(report["nixos"]["rebuilt"])
    assert {"git", "zstd"} <= set(report["home"]["rebuilt"])


def test_the_rebuild_of_each_strategy_shows_in_a_dry_run(tmp_path: Path) -> None:
    """The user's own system is built first, so that a dry run shows what a strategy adds."""
    nix = Nix(tmp_path / "nix")
    base = harness.make_base(tmp_path / "base")
    system = "nixosConfigurations.shoshin.config.system.build.toplevel"
    nix.build(f"path:{base}#{system}")

    def rebuilt(name: str, **choices: Iterable[str]) -> set[str]:
        data = harness.profile_data(exclude=[*harness.NOT_LIBRARIES], **choices)
        made = harness.make_layers(tmp_path / name, data)
        names = nix.to_build(
            f"path:{made}/nixos#{system}", "--override-input", "base", f"path:{base}"
        )
        return {re.sub(r"-[0-9.]+(miniature)?$", "", one) for one in names}

    own = {"git", "firefox", "lz4", "zstd", "linux"}
    assert rebuilt("leaf") & own == set()
    assert rebuilt("graft", accept=["libraries.graft.system"]) & own == set()
    zlib = rebuilt("zlib", accept=["libraries.overlay.system"])
    assert own | {"zlib", "stdenv-linux", "curl", "openssl"} <= zlib
    assert "glibc" not in zlib
    glibc = rebuilt("glibc", accept=["libraries.overlay.system", "libraries.overlay.glibc"])
    assert zlib < glibc
    assert "glibc" in glibc
    march = ["libraries.march.feature", "libraries.march.system"]
    assert rebuilt("march", accept=march) > own | {"glibc", "stdenv-linux"}


def test_no_strategy_that_rebuilds_the_world_is_on_without_consent() -> None:
    for row in rows.ROWS:
        if row.id.startswith(("libraries.overlay.", "libraries.march.system", "libraries.graft.")):
            assert row.risk is Risk.HIGH, row.id
    for row in rows.ROWS:
        if row.id.startswith(("libraries.flag.", "libraries.mold")):
            assert row.state is State.WITHHELD, row.id


def test_glibc_is_never_a_copy_and_never_grafted(
    nix: Nix, sources: dict[str, Path], tmp_path: Path
) -> None:
    data = harness.profile_data(accept=["libraries.graft.system", "libraries.overlay.glibc"])
    settings = data[Layer.NIXOS]["settings"]
    settings["libraries.group.system.compression"]["packages"] = ["zlib", "glibc"]
    settings["libraries.graft.system"]["packages"] = ["glibc"]
    made = harness.make_layers(tmp_path / "layers", data)
    found = nix.evaluate(
        "{ copies = lib.attrNames system.pkgs.optimized; failed = failed system.config; }",
        layers=made,
        **sources,
    )
    assert found["copies"] == ["zlib"]
    assert [one for one in found["failed"] if "glibc is never grafted" in one]


def test_glibc_never_comes_into_the_overlay_with_a_group(
    nix: Nix, sources: dict[str, Path], tmp_path: Path
) -> None:
    data = harness.profile_data(accept=["libraries.overlay.system"])
    settings = data[Layer.NIXOS]["settings"]
    settings["libraries.group.system.compression"]["packages"] = ["zlib", "glibc"]
    made = harness.make_layers(tmp_path / "layers", data)
    found = nix.evaluate("report.nixos.packages", layers=made, **sources)
    assert set(found) == {"zlib"}


def test_glibc_in_the_overlay_gets_march_and_mtune_whatever_else_was_consented(
    nix: Nix, sources: dict[str, Path], tmp_path: Path
) -> None:
    data = harness.profile_data(accept=["libraries.overlay.system", "libraries.overlay.glibc"])
    data[Layer.NIXOS]["settings"]["libraries.flag.no-plt"] = {
        "flag": "-fno-plt",
        "packages": ["zlib", "glibc"],
    }
    made = harness.make_layers(tmp_path / "layers", data)
    found = nix.evaluate("report.nixos.packages", layers=made, **sources)
    assert found["glibc"]["found"] == ARCHITECTURE
    assert found["zlib"]["found"] == ["-static-libgcc", *FLAGS, "-fno-plt"]
    assert found["glibc"]["attributeRebuilt"]


def test_a_graft_keeps_name_and_length_and_the_right_output(
    nix: Nix, sources: dict[str, Path], tmp_path: Path
) -> None:
    data = harness.profile_data(accept=["libraries.graft.system"])
    data[Layer.NIXOS]["settings"]["libraries.graft.system"]["packages"] = ["zlib", "openssl"]
    made = harness.make_layers(tmp_path / "layers", data)
    found = nix.evaluate(
        """map (r: { old = toString r.oldDependency; new = toString r.newDependency;
             flags = toString r.newDependency.NIX_CFLAGS_COMPILE; })
           system.config.system.replaceDependencies.replacements""",
        layers=made,
        **sources,
    )
    assert len(found) == 2
    for one in found:
        assert one["old"] != one["new"]
        assert Path(one["old"]).name[33:] == Path(one["new"]).name[33:]
        assert not one["old"].endswith("-bin")
        assert "-march=skylake" in one["flags"]


def test_march_yields_to_the_user_and_its_feature_comes_alone(
    nix: Nix, sources: dict[str, Path], layers: Make, tmp_path: Path
) -> None:
    both = layers(accept=["libraries.march.feature", "libraries.march.system"])
    expression = """{
      platform = system.config.nixpkgs.hostPlatform.gcc or null;
      features = system.config.nix.settings.extra-system-features;
      standard = system.config.nix.settings.system-features;
    }"""
    found = nix.evaluate(expression, layers=both, **sources)
    assert found["platform"]["arch"] == "skylake"
    assert "gccarch-skylake" in found["features"]
    assert {"big-parallel", "kvm"} <= set(found["standard"])
    users = nix.evaluate(
        expression, layers=both, userSystem='{ nixpkgs.hostPlatform = "x86_64-linux"; }', **sources
    )
    assert users["platform"] is None
    data = harness.profile_data(accept=["libraries.march.feature"])
    first = harness.make_layers(tmp_path / "first", data)
    found = nix.evaluate(expression, layers=first, **sources)
    assert "gccarch-skylake" in found["features"]
    assert found["platform"] is None


def test_strategies_that_exclude_each_other_are_refused_by_name(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    made = layers(accept=["libraries.overlay.system", "libraries.graft.system"])
    (message,) = nix.evaluate("failed system.config", layers=made, **sources)
    assert "overlay graft exclude each other" in message


def test_without_a_strategy_there_are_no_copies(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    made = layers(exclude=["libraries.leaf.system", "libraries.leaf.home"])
    report = nix.evaluate("report", layers=made, **sources)
    for layer in report.values():
        assert layer["strategy"] == "none"
        assert layer["packages"] == {}


def test_mold_as_linker_of_its_own_libraries_never_ends(nix: Nix, layers: Make) -> None:
    closure = '(import (layers + "/home-manager/lib/exceptions.nix")).inMoldClosure'
    names = nix.evaluate(closure, layers=layers())
    assert len(names) == 13
    for name in names:
        with pytest.raises(NixError, match="infinite recursion"):
            nix.evaluate(
                f"""(pkgs.extend (final: prev: {{ {name} = prev.{name}.overrideAttrs (old: {{
                  nativeBuildInputs = (old.nativeBuildInputs or [ ]) ++ [ final.mold ]; }}); }}))
                  .{name}.drvPath""",
                layers="null",
            )


def test_mold_by_consent_links_copies_through_the_compiler_driver(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    made = layers(include=["libraries.mold"])
    found = nix.evaluate(
        """{
          link = home.pkgs.optimized.lz4.NIX_CFLAGS_LINK or null;
          tools = map lib.getName (home.pkgs.optimized.lz4.nativeBuildInputs or [ ]);
          ld = home.pkgs.optimized.lz4.NIX_LDFLAGS or null;
          plain = home.pkgs.lz4.NIX_CFLAGS_LINK or null;
          zstd = home.pkgs.optimized.zstd.NIX_CFLAGS_LINK or null;
        }""",
        layers=made,
        **sources,
    )
    assert found["link"] == "-fuse-ld=mold"
    assert any("mold" in tool for tool in found["tools"])
    assert (found["ld"], found["plain"], found["zstd"]) == (None, None, None)


def test_no_row_asks_mold_for_a_library_that_mold_is_made_of(nix: Nix, layers: Make) -> None:
    closure = nix.evaluate(
        '(import (layers + "/nixos/lib/exceptions.nix")).inMoldClosure', layers=layers()
    )
    row = next(row for row in rows.ROWS if row.id == "libraries.mold")
    assert not set(row.value["packages"]) & set(closure)


def test_a_library_that_a_release_lacks_is_named_and_left_out(nix: Nix, tmp_path: Path) -> None:
    data = harness.profile_data()
    data[Layer.HOME_MANAGER]["settings"]["libraries.group.home.events"]["packages"] += ["libgone"]
    made = harness.make_layers(tmp_path / "layers", data)
    found = nix.evaluate(
        "{ inherit (home.config) warnings; inherit (report.home) absent; }", layers=made
    )
    assert found["absent"] == ["libgone"]
    assert [one for one in found["warnings"] if "no `libgone`" in one]


def test_the_overlay_output_gives_the_same_copies_to_a_users_own_flake(
    nix: Nix, layers: Make
) -> None:
    made = layers()
    found = nix.evaluate(
        """let
          flake = import (layers + "/home-manager/flake.nix");
          overlay = (flake.outputs { self = { }; base = { }; }).overlays.default;
        in {
          theirs = (pkgs.extend overlay).optimized.zstd.drvPath;
          ours = home.pkgs.optimized.zstd.drvPath;
        }""",
        layers=made,
    )
    assert found["theirs"] == found["ours"]


def test_every_row_can_be_handed_to_nix() -> None:
    for row in rows.ROWS:
        assert json.loads(json.dumps(row.value)) == row.value
