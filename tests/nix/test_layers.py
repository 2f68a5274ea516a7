"""The layer flakes find, extend and mark a user's flake, and leave no trace without the layer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from converge.setting import Layer
from tests.nix import harness
from tests.nix.harness import Nix, NixError

SYSTEM = "nixosConfigurations.shoshin.config.system.build.toplevel"
HOME = 'homeConfigurations."mitsio@shoshin".activationPackage'


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return harness.make_base(tmp_path_factory.mktemp("user") / "flake")


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return harness.make_layers(tmp_path_factory.mktemp("made") / "layers", harness.profile_data())


def over(base: Path) -> tuple[str, str, str]:
    return "--override-input", "base", f"path:{base}"


def digest(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_both_layers_build_and_neither_flake_changes(nix: Nix, base: Path, layers: Path) -> None:
    before = digest(base), digest(layers)
    nix.build(f"path:{layers}/nixos#{SYSTEM}", *over(base))
    nix.build(f"path:{layers}/home-manager#{HOME}", *over(base))
    assert (digest(base), digest(layers)) == before  # so no flake.lock either


def test_without_the_layer_the_users_generation_is_what_it_was(
    nix: Nix, base: Path, layers: Path
) -> None:
    for layer, output in (("nixos", SYSTEM), ("home-manager", HOME)):
        plain = nix.build(f"path:{base}#{output}")
        assert nix.build(f"path:{layers}/{layer}#{output}", *over(base)) != plain
        assert nix.build(f"path:{base}#{output}") == plain


def test_a_generation_carries_the_marker_of_its_profile(nix: Nix, base: Path, layers: Path) -> None:
    for layer, output, place in (
        (Layer.NIXOS, SYSTEM, "etc/workspace-tuning/nixos.json"),
        (Layer.HOME_MANAGER, HOME, "home-files/.config/workspace-tuning/home-manager.json"),
    ):
        made = layers / harness.LAYERS[layer]
        marker = json.loads((nix.build(f"path:{made}#{output}", *over(base)) / place).read_text())
        profile = (made / "profile.json").read_bytes()
        assert marker["profileSha256"] == hashlib.sha256(profile).hexdigest()
        assert marker["settings"] == sorted(json.loads(profile)["settings"])
        assert (marker["layer"], marker["strategy"]) == (layer, "leaf")
        assert not (nix.build(f"path:{base}#{output}") / place).exists()


def test_an_edit_of_the_users_flake_is_seen_at_once(nix: Nix, layers: Path, tmp_path: Path) -> None:
    mine = harness.make_base(tmp_path / "flake")
    ask = ("eval", "--raw", "--no-write-lock-file", f"path:{layers}/nixos#{EDITOR}", *over(mine))
    assert nix.must(harness.need("nix"), *ask) == "ed"
    configuration = mine / "configuration.nix"
    configuration.write_text(configuration.read_text().replace('"ed"', '"nano"'))
    assert nix.must(harness.need("nix"), *ask) == "nano"


EDITOR = "nixosConfigurations.shoshin.config.environment.sessionVariables.EDITOR"


def test_a_host_that_the_users_flake_lacks_is_refused_with_those_it_has(
    nix: Nix, layers: Path, tmp_path: Path
) -> None:
    other = harness.make_base(tmp_path / "flake", host="kujira", user="else")
    with pytest.raises(NixError) as system:
        nix.build(f"path:{layers}/nixos#{SYSTEM}", *over(other))
    assert 'has no nixosConfigurations."shoshin"' in str(system.value)
    assert 'It has "kujira"' in str(system.value)
    with pytest.raises(NixError) as home:
        nix.build(f"path:{layers}/home-manager#{HOME}", *over(other))
    assert 'no homeConfigurations."mitsio@shoshin", "mitsio"' in str(home.value)
    assert 'It has "else@kujira"' in str(home.value)


def test_a_flake_without_any_configuration_says_so(nix: Nix, layers: Path, tmp_path: Path) -> None:
    (tmp_path / "flake.nix").write_text("{ outputs = { self }: { }; }\n")
    with pytest.raises(NixError, match="It has no nixosConfigurations at all"):
        nix.build(f"path:{layers}/nixos#{SYSTEM}", *over(tmp_path))


def test_a_home_named_by_the_user_alone_is_found(nix: Nix, layers: Path, tmp_path: Path) -> None:
    base = harness.make_base(tmp_path / "flake")
    flake = base / "flake.nix"
    text = flake.read_text()
    assert '"${host.user}@${host.host}" =' in text
    flake.write_text(text.replace('"${host.user}@${host.host}" =', '"${host.user}" ='))
    assert nix.build(f"path:{layers}/home-manager#{HOME}", *over(base)).exists()


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda data: data.update(schemaVersion=2), "schemaVersion is 2, and this layer reads"),
        (lambda data: data.pop("settings"), "settings is missing"),
        (
            lambda data: data["hardware"]["build"]["compiler"].update(optimizationLevel=3.0),
            "the integer 2 or 3 is needed",
        ),
        (
            lambda data: data["hardware"]["build"]["compiler"].update(march="native"),
            'never "native"',
        ),
        (
            lambda data: data["hardware"]["build"]["compiler"].update(mtune="generic -O9"),
            "a name that GCC knows",
        ),
        (lambda data: data["hardware"]["build"].pop("compiler"), "compiler is missing"),
    ],
)
def test_a_profile_that_nix_would_misread_is_refused_by_name(
    nix: Nix, tmp_path: Path, break_it: Callable[[dict[str, Any]], object], message: str
) -> None:
    data = harness.profile_data()
    break_it(data[Layer.NIXOS])
    made = harness.make_layers(tmp_path / "layers", data)
    with pytest.raises(NixError) as refused:
        nix.evaluate("system.config.system.build.toplevel.drvPath", layers=made)
    assert message in str(refused.value)
    assert "profile.json" in str(refused.value)


def test_a_missing_profile_says_who_writes_it(nix: Nix, tmp_path: Path) -> None:
    made = harness.make_layers(tmp_path / "layers", harness.profile_data())
    (made / "nixos/profile.json").unlink()
    with pytest.raises(NixError, match=r"belongs beside flake\.nix; a run of deploy\.py writes it"):
        nix.evaluate("system.config.system.build.toplevel.drvPath", layers=made)


def test_the_layer_can_be_imported_in_a_users_own_flake(nix: Nix, base: Path, layers: Path) -> None:
    """The modules without the flake give the system that the layer gives."""
    sources = harness.sources(nix.directory / "sources")
    imported = nix.evaluate(
        "baseSystem.config.system.build.toplevel.drvPath",
        layers=layers,
        base=base,
        userSystem=f"{{ imports = [ {harness.path(layers / 'nixos')} ]; }}",
        **sources,
    )
    layered = nix.evaluate(
        "system.config.system.build.toplevel.drvPath", layers=layers, base=base, **sources
    )
    assert imported == layered


def test_what_the_user_defines_wins_over_every_default_of_the_layers(
    nix: Nix, layers: Path
) -> None:
    sources = harness.sources(nix.directory / "sources")
    found = nix.evaluate(
        """{
          zram = system.config.zramSwap.memoryPercent;
          swappiness = system.config.boot.kernel.sysctl."vm.swappiness";
          backend = system.config.environment.variables.NVD_BACKEND;
          timeout = system.config.boot.loader.timeout;
          jobs = system.config.nix.settings.max-jobs;
          slice = system.config.systemd.slices."user-".sliceConfig.MemoryHigh;
          open = system.config.hardware.nvidia.open;
          alias = home.config.home.shellAliases.sysmon;
          discord = home.config.systemd.user.slices.app-tuned-discord.Slice.MemoryMax;
          rust = home.config.home.sessionVariables.CARGO_BUILD_RUSTFLAGS;
        }""",
        layers=layers,
        userSystem="""{
          zramSwap.memoryPercent = 25;
          boot.kernel.sysctl."vm.swappiness" = 10;
          environment.sessionVariables.NVD_BACKEND = "egl";
          boot.loader.timeout = 9;
          nix.settings.max-jobs = 1;
          systemd.slices."user-".sliceConfig.MemoryHigh = "1G";
          hardware.nvidia.open = true;
        }""",
        userHome="""{
          home.shellAliases.sysmon = "htop";
          systemd.user.slices.app-tuned-discord.Slice.MemoryMax = "8G";
          home.sessionVariables.CARGO_BUILD_RUSTFLAGS = "-g";
        }""",
        **sources,
    )
    assert found == {
        "zram": 25,
        "swappiness": 10,
        "backend": "egl",
        "timeout": 9,
        "jobs": 1,
        "slice": "1G",
        "open": True,
        "alias": "htop",
        "discord": "8G",
        "rust": "-g",
    }


def test_the_users_own_overlays_packages_and_variables_stay(nix: Nix, layers: Path) -> None:
    found = nix.evaluate(
        """{
          tool = system.pkgs.userTool.fromUser;
          editor = [
            system.config.environment.sessionVariables.EDITOR
            home.config.home.sessionVariables.EDITOR
          ];
          alias = home.config.home.shellAliases.ll;
          git = lib.any (package: package.outPath == pkgs.git.outPath) home.config.home.packages;
          unfree = home.pkgs.config.allowUnfree;
        }""",
        layers=layers,
        **harness.sources(nix.directory / "sources"),
    )
    assert found == {
        "tool": 1,
        "editor": ["ed", "ed"],
        "alias": "ls -l",
        "git": True,
        "unfree": True,
    }


def test_the_profile_is_offered_to_other_flakes(nix: Nix, base: Path, layers: Path) -> None:
    text = nix.must(
        harness.need("nix"),
        *("eval", "--json", "--no-write-lock-file"),
        f"path:{layers}/nixos#hardwareProfiles.shoshin.build.compiler",
        *over(base),
    )
    assert json.loads(text)["march"] == "skylake"
