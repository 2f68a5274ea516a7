"""Every definition of somebody else's wins, in every form, and the generation names it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.nix import harness
from tests.nix.harness import Nix


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("layers") / "layers"
    return harness.make_layers(directory, harness.profile_data())


SYSTEM = {
    "zramSwap.memoryPercent": ("30", "memory.zram"),
    "boot.loader.timeout": ("9", "boot.menu"),
    'boot.kernel.sysctl."vm.swappiness"': ("10", "memory.swappiness"),
    "nix.settings.max-jobs": ("2", "build.parallelism"),
    "hardware.nvidia.open": ("true", "video.driver"),
    "hardware.nvidia.modesetting.enable": ("false", "video.modesetting"),
    "services.xserver.videoDrivers": ('[ "modesetting" ]', "video.driver"),
    "hardware.graphics.enable32Bit": ("false", "video.graphics"),
    "environment.variables.NVD_BACKEND": ('"egl"', "video.variables"),
    "systemd.user.slices.app.sliceConfig.MemoryHigh": ('"50%"', "memory.user-slice"),
    "services.udev.extraRules": (
        '"KERNEL==\\"sda\\", ATTR{queue/scheduler}=\\"bfq\\""',
        "storage.scheduler",
    ),
    "hardware.block.defaultScheduler": ('"bfq"', "storage.scheduler"),
    "hardware.block.defaultSchedulerRotational": ('"kyber"', "storage.scheduler"),
}
HOME = {
    "home.shellAliases.sysmon": ('"top"', "monitoring.sysmon"),
    "home.sessionVariables.NVD_BACKEND": ('"egl"', "video.variables"),
    "systemd.user.slices.app-tuned-discord.Slice.MemoryHigh": ('"1G"', "electron.app.discord"),
    "systemd.user.slices.app-tuned.Slice.MemoryHigh": ('"40%"', "electron.budget"),
}
FORMS = ("plain", "mkDefault", "mkForce", "mkOverride 1100", "mkIf true")


def _defined(option: str, value: str, form: str) -> str:
    given = value if form == "plain" else f"lib.{form} ({value})"
    return f"({{ lib, ... }}: {{ {option} = {given}; }})"


def _marker(config: str, where: str) -> str:
    return f"(builtins.fromJSON {config}.{where}.text).theirs"


ETC = 'environment.etc."workspace-tuning/nixos.json"'
FILE = 'home.file.".config/workspace-tuning/home-manager.json"'


@pytest.mark.parametrize("form", FORMS)
def test_a_definition_of_the_users_stands_and_is_named(
    nix: Nix, sources: dict[str, Path], layers: Path, form: str
) -> None:
    """Beside every value of the layers, in every strength; mkDefault is that of nixos-hardware."""
    for whose, module, where, cases in (
        ("system", "userSystem", ETC, SYSTEM),
        ("home", "userHome", FILE, HOME),
    ):
        users = " ".join(_defined(o, value, form) for o, (value, _) in cases.items())
        shown = " ".join(f"({whose}.config.{option})" for option in cases)
        wanted = [json.loads(_json(value)) for value, _ in cases.values()]
        found = nix.evaluate(
            f"{{ values = [ {shown} ]; theirs = {_marker(f'{whose}.config', where)}; }}",
            layers=layers,
            **{module: f"{{ imports = [ {users} ]; }}"},
            **sources,
        )
        assert found["values"] == wanted
        for option, (_, setting) in cases.items():
            named = [one["option"] for one in found["theirs"][setting]]
            assert option.replace('"', "") in named


def _json(value: str) -> str:
    return value.replace("[ ", "[").replace(" ]", "]")


def test_what_only_the_layer_says_is_nobody_elses(
    nix: Nix, sources: dict[str, Path], layers: Path
) -> None:
    found = nix.evaluate(
        f"[ {_marker('system.config', ETC)} {_marker('home.config', FILE)} ]",
        layers=layers,
        **sources,
    )
    assert found == [{}, {}]


def test_the_file_that_says_it_is_named_by_its_place_in_the_users_flake(
    nix: Nix, tmp_path: Path, layers: Path
) -> None:
    user = tmp_path / "nix/store" / ("a" * 32 + "-source")
    user.mkdir(parents=True)
    (user / "hardware.nix").write_text("{ zramSwap.memoryPercent = 30; }")
    found = nix.evaluate(
        _marker("system.config", ETC), layers=layers, userSystem=user / "hardware.nix"
    )
    assert found == {
        "memory.zram": [{"option": "zramSwap.memoryPercent", "files": ["hardware.nix"]}]
    }


@pytest.mark.parametrize("form", FORMS)
def test_a_scheduler_of_the_users_for_one_disk_is_read_after_ours(
    nix: Nix, sources: dict[str, Path], layers: Path, form: str
) -> None:
    """By the kernel's name of the disk, which no pattern of ours is."""
    ask = f"""{{
      rules = map (one: one.destination or one.name) system.config.services.udev.packages;
      kept = system.config.hardware.block.scheduler;
      theirs = {_marker("system.config", ETC)};
    }}"""
    users = _defined('hardware.block.scheduler."nvme0n1"', '"kyber"', form)
    found = nix.evaluate(ask, layers=layers, userSystem=users, **sources)
    assert found["kept"] == {"nvme0n1": "kyber"}
    [rules] = found["rules"]  # NixOS writes those of its option into 98-...
    assert rules.rpartition("/")[2] == "10-workspace-tuning.rules"
    named = [one["option"] for one in found["theirs"]["storage.scheduler"]]
    assert named == ["hardware.block.scheduler"]
    card = _defined('hardware.block.scheduler."mmcblk1"', '"bfq"', form)  # the profile has none
    assert nix.evaluate(_marker("system.config", ETC), layers=layers, userSystem=card) == {}


@pytest.mark.parametrize(
    ("module", "setting", "option"),
    [
        ("boot.kernel.sysctl = M;", "memory.dirty-ratio", "boot.kernel.sysctl.vm.dirty_ratio"),
        ("nix.settings = M;", "build.parallelism", "nix.settings.max-jobs"),
        ("zramSwap = M;", "memory.zram", "zramSwap.memoryMax"),
        (
            'systemd.user.slices.app = { ... }: { sliceConfig.MemoryHigh = "50%"; };',
            "memory.user-slice",
            "systemd.user.slices.app.sliceConfig.MemoryHigh",
        ),
        (
            'boot.kernel.sysctl."vm.dirty_bytes" = 268435456;',
            "memory.dirty-ratio",
            "boot.kernel.sysctl.vm.dirty_bytes",
        ),
    ],
)
def test_what_takes_the_place_of_a_value_or_of_the_whole_set_is_named(
    nix: Nix, sources: dict[str, Path], layers: Path, module: str, setting: str, option: str
) -> None:
    whole = "lib.mkForce { cores = 2; }" if "nix." in module else "lib.mkForce { }"
    whole = "{ memoryMax = 4294967296; }" if "zram" in module else whole
    found = nix.evaluate(
        _marker("system.config", ETC),
        layers=layers,
        userSystem=f"({{ lib, ... }}: {{ {module.replace('M;', whole + ';')} }})",
        **sources,
    )
    assert option in [one["option"] for one in found[setting]]


def test_a_number_of_bytes_of_the_users_takes_the_place_of_our_ratio(
    nix: Nix, sources: dict[str, Path], layers: Path
) -> None:
    """The kernel holds one of both, and NixOS would write the ratio last."""
    ask = "system.config.boot.kernel.sysctl"
    users = '{ boot.kernel.sysctl."vm.dirty_bytes" = 268435456; }'
    found = nix.evaluate(ask, layers=layers, userSystem=users, **sources)
    assert (found["vm.dirty_bytes"], found["vm.dirty_ratio"]) == (268435456, None)
    assert found["vm.dirty_background_ratio"] == 5
    own = '{ boot.kernel.sysctl."vm.dirty_ratio" = 15; }'
    assert nix.evaluate(ask, layers=layers, userSystem=own, **sources)["vm.dirty_ratio"] == 15


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_an_alias_of_one_shell_stands_beside_ours_in_the_others(
    nix: Nix, sources: dict[str, Path], layers: Path, shell: str, form: str
) -> None:
    found = nix.evaluate(
        f"""{{
          each = lib.genAttrs [ "bash" "zsh" "fish" ]
            (one: home.config.programs.${{one}}.shellAliases);
          theirs = {_marker("home.config", FILE)};
        }}""",
        layers=layers,
        userHome=_defined(f"programs.{shell}.shellAliases.sysmon", '"btop"', form),
        **sources,
    )
    assert found["each"][shell]["sysmon"] == "btop"
    others = found["each"].keys() - {shell}
    assert all(found["each"][one]["sysmon"].startswith("watch ") for one in others)
    named = [one["option"] for one in found["theirs"]["monitoring.sysmon"]]
    assert named == [f"programs.{shell}.shellAliases.sysmon"]


def test_the_users_variable_reaches_shells_and_sessions(
    nix: Nix, sources: dict[str, Path], layers: Path
) -> None:
    """environment.variables is where the plan itself puts it; sessionVariables where it belongs."""
    ask = """{ inherit (system.config.environment.variables) NVD_BACKEND;
               pam = system.config.environment.etc."pam/environment".text; }"""
    for option in ("variables", "sessionVariables"):
        found = nix.evaluate(
            ask,
            layers=layers,
            userSystem=f'{{ environment.{option}.NVD_BACKEND = "egl"; }}',
            **sources,
        )
        assert found["NVD_BACKEND"] == "egl"
        lines = [line for line in found["pam"].splitlines() if line.startswith("NVD_BACKEND")]
        assert len(lines) == 1
        assert lines[0].endswith('DEFAULT="egl"')


def test_a_variable_that_the_user_unset_is_nowhere(
    nix: Nix, sources: dict[str, Path], layers: Path
) -> None:
    found = nix.evaluate(
        """{ shells = system.config.environment.variables ? NVD_BACKEND;
             pam = system.config.environment.etc."pam/environment".text; }""",
        layers=layers,
        userSystem="{ lib, ... }: { environment.variables.NVD_BACKEND = lib.mkForce null; }",
        **sources,
    )
    assert not found["shells"] and "NVD_BACKEND" not in found["pam"]
    assert "LIBVA_DRIVER_NAME" in found["pam"]


@pytest.mark.parametrize("name", ["user.slices.app", 'slices."user-"'])
def test_the_user_says_whether_a_drop_in_needs_its_unit(
    nix: Nix, sources: dict[str, Path], layers: Path, name: str
) -> None:
    found = nix.evaluate(
        f"system.config.systemd.{name}.overrideStrategy",
        layers=layers,
        userSystem=f'{{ systemd.{name}.overrideStrategy = "asDropinIfExists"; }}',
        **sources,
    )
    assert found == "asDropinIfExists"


#: What ``common/gpu/nvidia/pascal`` of nixos-hardware says (August 2026).
PASCAL = """({ config, lib, ... }: {
  services.xserver.videoDrivers = lib.mkDefault [ "nvidia" ];
  hardware.nvidia.open = false;
  hardware.nvidia.package =
    lib.mkDefault (config.boot.kernelPackages.nvidiaPackages.legacy_580
      or config.boot.kernelPackages.nvidiaPackages.production);
})"""
DRIVER = """{
  inherit (system.config.hardware.nvidia.package) version;
  inherit (system.config.hardware.nvidia) open;
  drivers = system.config.services.xserver.videoDrivers;
  failed = failed system.config;
}"""


@pytest.mark.parametrize("release", ["25.11", "26.05", "26.11"])
def test_the_very_same_driver_by_nixos_hardware_is_no_conflict(
    nix: Nix, layers: Path, release: str
) -> None:
    checkout = os.environ.get("NIXOS_HARDWARE")
    modules = [PASCAL]
    if checkout and release != "25.11":  # it names a branch that this release does not have
        modules.append(harness.path(Path(checkout) / "common/gpu/nvidia/pascal"))
    for module in modules:
        found = nix.evaluate(DRIVER, layers=layers, userSystem=module, release=f'"{release}"')
        assert found["version"].startswith("580.")
        assert (found["open"], found["drivers"], found["failed"]) == (False, ["nvidia"], [])


@pytest.mark.parametrize("form", ["plain", "mkDefault"])
def test_a_branch_that_the_user_chose_stays(nix: Nix, layers: Path, form: str) -> None:
    """By its own option where there is one; a package of ours would shadow it."""
    users = _defined("hardware.nvidia.branch", '"legacy_470"', form)
    for release in ("26.05", "26.11"):
        found = nix.evaluate(
            f"{{ driver = {DRIVER}; theirs = {_marker('system.config', ETC)}; }}",
            layers=layers,
            userSystem=users,
            release=f'"{release}"',
        )
        assert found["driver"]["version"].startswith("470.")
        named = found["theirs"]["video.driver"]
        assert [one["option"] for one in named] == ["hardware.nvidia.branch"]


def test_the_layer_chooses_a_branch_where_it_can_and_a_package_elsewhere(
    nix: Nix, layers: Path
) -> None:
    ask = '(map (lib.concatStringsSep ".") system.config.workspaceTuning.set."video.driver")'
    for release, wanted in (("25.11", "package"), ("26.05", "branch"), ("26.11", "branch")):
        found = nix.evaluate(ask, layers=layers, release=f'"{release}"')
        others = {"hardware.nvidia.package", "hardware.nvidia.branch"} & set(found)
        assert others == {f"hardware.nvidia.{wanted}"}


def test_ours_lies_between_an_options_default_and_everybodys(nix: Nix) -> None:
    library = harness.path(harness.PROJECT / "files/lib/ours.nix")
    found: Any = nix.evaluate(f"(import {library} {{ inherit lib; }}).priority", layers="null")
    assert 1000 < found < 1500


def test_no_value_of_a_layer_has_another_priority() -> None:
    """One constant for all; the exception is the platform, which a generated file sets."""
    files = harness.PROJECT / "files"
    places = [files / name for name in harness.LAYERS.values()]
    texts = {
        str(path.relative_to(files)): path.read_text()
        for place in places
        for path in place.glob("*.nix")
    }
    found = {
        name: [word for word in ("mkDefault", "mkForce", "mkOverride") if f"lib.{word} " in text]
        for name, text in texts.items()
    }
    assert {name: words for name, words in found.items() if words} == {
        "nixos/libraries.nix": ["mkOverride"]
    }
