"""Phase 5: the right driver or no evaluation, decoding for the card that draws, and the session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.nix.harness import Make, Nix, NixError

DRIVER = """{
  inherit (system.config.hardware.nvidia.package) version;
  inherit (system.config.hardware.nvidia) open;
  drivers = system.config.services.xserver.videoDrivers;
  failed = failed system.config;
}"""


@pytest.mark.parametrize(
    ("release", "version"),
    [("25.11", "580.142"), ("26.05", "580.173.02"), ("26.11", "580.173.02")],
)
def test_every_release_gets_the_last_driver_that_knows_the_gpu(
    nix: Nix, layers: Make, release: str, version: str
) -> None:
    found = nix.evaluate(DRIVER, layers=layers(), release=f'"{release}"')
    assert found == {"version": version, "open": False, "drivers": ["nvidia"], "failed": []}


@pytest.mark.parametrize("release", ["26.05", "26.11"])
def test_a_driver_that_ignores_the_gpu_stops_the_evaluation(
    nix: Nix, layers: Make, release: str
) -> None:
    stable = """({ config, ... }: {
      hardware.nvidia.package = config.boot.kernelPackages.nvidiaPackages.stable;
    })"""
    with pytest.raises(NixError) as refused:
        nix.evaluate(
            "system.config.system.build.toplevel.drvPath",
            layers=layers(),
            release=f'"{release}"',
            userSystem=stable,
        )
    assert "ignores GeForce GTX 960 (maxwell): the last branch that drives it is 580" in str(
        refused.value
    )
    assert 'Set hardware.nvidia.branch to "legacy_580", and no hardware.nvidia.package' in str(
        refused.value
    )


@pytest.mark.parametrize(
    ("architecture", "branch", "open_modules"),
    [
        ("kepler", "470.", False),
        ("pascal", "580.", False),
        ("volta", "580.", False),
        ("turing", "595.", True),
        ("ada", "595.", True),
    ],
)
def test_the_branch_and_the_open_modules_follow_from_the_generation(
    nix: Nix, layers: Make, architecture: str, branch: str, open_modules: bool
) -> None:
    made = layers(lambda data: data["hardware"]["gpus"][0].update(architecture=architecture))
    found = nix.evaluate(DRIVER, layers=made)
    assert found["version"].startswith(branch)
    assert found["open"] is open_modules
    assert found["failed"] == []


def test_a_newer_kernel_than_a_legacy_driver_is_known_to_build_with_is_named(
    nix: Nix, layers: Make
) -> None:
    newer = """({ pkgs, lib, ... }: {
      boot.kernelPackages = lib.recursiveUpdate pkgs.linuxPackages { kernel.version = "7.2.3"; };
    })"""
    made = layers()
    found = nix.evaluate("system.config.warnings", layers=made, userSystem=newer)
    assert [one for one in found if "Linux 7.2 is newer than 7.1" in one]
    assert not [
        one for one in nix.evaluate("system.config.warnings", layers=made) if "Linux" in one
    ]


@pytest.mark.parametrize(
    ("driver", "kernel", "ceiling"),
    [
        ("580.142", "7.0.4", None),
        ("580.142", "7.1.4", "7.0"),
        ("580.173.02", "7.1.4", None),
        ("580.173.02", "7.2", "7.1"),
    ],
)
def test_the_kernel_ceiling_of_the_driver_goes_by_its_release(
    nix: Nix, layers: Make, driver: str, kernel: str, ceiling: str | None
) -> None:
    user = f"""({{ pkgs, lib, ... }}: {{
      boot.kernelPackages = lib.recursiveUpdate pkgs.linuxPackages {{
        kernel.version = "{kernel}";
      }};
      hardware.nvidia.package = pkgs.linuxPackages.nvidiaPackages.legacy_580.overrideAttrs {{
        version = "{driver}";
      }};
    }})"""
    found = nix.evaluate("system.config.warnings", layers=layers(), userSystem=user)
    said = [one for one in found if "is newer than" in one]
    assert [f"is newer than {ceiling}, the newest that {driver}" in one for one in said] == (
        [True] if ceiling else []
    )


VIDEO = """{
  drivers = system.config.services.xserver.videoDrivers;
  inherit (system.config.hardware.nvidia) open;
  nvidia = lib.versions.major system.config.hardware.nvidia.package.version;
  packages = map lib.getName system.config.hardware.graphics.extraPackages;
  libva = system.config.environment.variables.LIBVA_DRIVER_NAME or null;
  failed = failed system.config;
}"""
STOCK = ["modesetting", "fbdev"]


@pytest.mark.parametrize(
    ("profile", "packages", "libva"),
    [
        ("akane", [], "radeonsi"),
        ("suzume", ["intel-media-driver"], "iHD"),
        ("tsubame", ["intel-media-driver"], "iHD"),
    ],
)
def test_video_is_decoded_by_the_driver_of_the_card_that_draws(
    nix: Nix, layers: Make, profile: str, packages: list[str], libva: str
) -> None:
    found = nix.evaluate(VIDEO, layers=layers(profile=profile))
    assert found["drivers"] == STOCK
    assert (found["packages"], found["libva"], found["failed"]) == (packages, libva, [])


def test_a_card_for_offload_gets_its_branch_and_does_not_draw(nix: Nix, layers: Make) -> None:
    found = nix.evaluate(VIDEO, layers=layers(profile="tsubame"))
    assert (found["drivers"], found["open"], found["nvidia"]) == (STOCK, True, "595")

    def older(data: dict) -> None:
        data["hardware"]["gpus"][1]["architecture"] = "pascal"

    found = nix.evaluate(VIDEO, layers=layers(older, profile="tsubame"))
    assert (found["drivers"], found["open"], found["nvidia"]) == (STOCK, False, "580")


def test_the_oldest_of_two_cards_decides_about_their_driver(nix: Nix, layers: Make) -> None:
    def second(data: dict) -> None:
        card = {"vendor": "nvidia", "driver": "nvidia", "role": "offload", "pciId": "10de:2504"}
        data["hardware"]["gpus"].append({**card, "architecture": "ampere"})

    found = nix.evaluate(VIDEO, layers=layers(second))
    assert (found["drivers"], found["open"], found["nvidia"]) == (["nvidia"], False, "580")


def test_firefox_is_not_forced_where_it_trusts_the_driver(nix: Nix, layers: Make) -> None:
    def preferences(version: str, change: Callable[[dict], object]) -> object:
        firefox = f"""({{ pkgs, ... }}: {{
          programs.firefox.enable = true;
          programs.firefox.package = pkgs.firefox.overrideAttrs {{ version = "{version}"; }};
        }})"""
        return nix.evaluate(
            "system.config.programs.firefox.preferences",
            layers=layers(change, profile="akane"),
            userSystem=firefox,
        )

    def navi_24(data: dict) -> None:
        data["hardware"]["gpus"][0]["pciId"] = "1002:743f"

    assert preferences("153.0", lambda data: None) == {}
    assert preferences("128.0", lambda data: None) == {"media.ffmpeg.vaapi.enabled": True}
    assert preferences("153.0", navi_24) == {"media.av1.enabled": False}


@pytest.mark.parametrize(
    ("profile", "version", "refused"),
    [
        ("shoshin", "6.7.3", False),
        ("shoshin", "6.7.80", True),
        ("shoshin", "6.8.1", True),
        ("akane", "6.8.1", False),  # its profile says wayland
    ],
)
def test_an_update_to_a_plasma_without_x11_is_refused_before_anything_is_built(
    nix: Nix, layers: Make, profile: str, version: str, refused: bool
) -> None:
    user = f"""({{ pkgs, ... }}: {{
      services.desktopManager.plasma6.enable = true;
      nixpkgs.overlays = [ (final: prev: {{
        kdePackages.plasma-workspace = prev.kdePackages.plasma-workspace.overrideAttrs {{
          version = "{version}";
        }};
      }}) ];
    }})"""
    found = nix.evaluate("failed system.config", layers=layers(profile=profile), userSystem=user)
    assert bool(found) is refused
    if refused:
        assert f"brings Plasma {version}, which has no X11 session" in found[0]
        for way in ("stay on Plasma 6.7", "write session.type: wayland", "kwin.backend"):
            assert way in found[0]


def test_mode_setting_is_an_option_and_no_kernel_parameter(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    found = nix.evaluate(
        """{
          modeset = system.config.hardware.nvidia.modesetting.enable;
          parameters = lib.filter (lib.hasPrefix "nvidia") system.config.boot.kernelParams;
        }""",
        layers=layers(),
        **sources,
    )
    assert found["modeset"] is True
    assert len(found["parameters"]) <= 1


def test_variables_reach_pam_and_weaken_no_sandbox(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    found = nix.evaluate(
        """{ inherit (system.config.environment) variables;
             pam = system.config.environment.etc."pam/environment".text; }""",
        layers=layers(),
        **sources,
    )
    variables = found["variables"]
    for name in ("LIBVA_DRIVER_NAME", "NVD_BACKEND", "VDPAU_DRIVER"):
        assert f'{name} DEFAULT="{variables[name]}"' in found["pam"].splitlines()
    assert variables["LIBVA_DRIVER_NAME"] == "nvidia"
    assert variables["NVD_BACKEND"] == "direct"
    assert variables["VDPAU_DRIVER"] == "nvidia"
    assert "MOZ_DISABLE_RDD_SANDBOX" not in variables
    assert "KWIN_OPENGL_INTERFACE" not in variables


def test_the_plans_name_of_the_bridge_stops_the_evaluation_and_ours_does_not(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    made = layers(include=["video.vdpau-bridges"])
    names = "map lib.getName system.config.hardware.graphics.extraPackages"
    found = nix.evaluate(names, layers=made, **sources)
    assert {"nvidia-vaapi-driver", "libva-vdpau-driver", "libvdpau-va-gl"} <= set(found)
    plans = "({ pkgs, ... }: { hardware.graphics.extraPackages = [ pkgs.vaapiVdpau ]; })"
    with pytest.raises(NixError, match="libva-vdpau-driver"):
        nix.evaluate(names, layers=made, userSystem=plans, **sources)


def test_no_bridge_is_there_by_default(nix: Nix, sources: dict[str, Path], layers: Make) -> None:
    found = nix.evaluate(
        "map lib.getName system.config.hardware.graphics.extraPackages", layers=layers(), **sources
    )
    assert not [name for name in found if "vdpau" in name]


@pytest.mark.parametrize(
    ("version", "preference"),
    [
        ("153.0", "media.hardware-video-decoding.force-enabled"),
        ("128.0", "media.ffmpeg.vaapi.enabled"),
    ],
)
def test_firefox_gets_the_preference_that_its_version_reads(
    nix: Nix, layers: Make, version: str, preference: str
) -> None:
    firefox = f"""({{ pkgs, ... }}: {{
      programs.firefox.enable = true;
      programs.firefox.package = pkgs.firefox.overrideAttrs {{ version = "{version}"; }};
    }})"""
    found = nix.evaluate(
        "system.config.programs.firefox.preferences",
        layers=layers(include=["video.firefox-sandbox"]),
        userSystem=firefox,
    )
    egl = "gfx.x11-egl.force-enabled"
    assert found == {preference: True, "media.av1.enabled": False, egl: True}


def test_firefox_on_wayland_is_not_told_how_to_draw_on_x11(nix: Nix, layers: Make) -> None:
    def wayland(data: dict) -> None:
        data["hardware"]["session"]["type"] = "wayland"

    found = nix.evaluate(
        "lib.attrNames system.config.programs.firefox.preferences",
        layers=layers(wayland, include=["video.firefox-sandbox"]),
        userSystem="{ programs.firefox.enable = true; }",
    )
    assert found == ["media.av1.enabled", "media.hardware-video-decoding.force-enabled"]


def test_a_system_without_firefox_gets_no_preferences_of_it(nix: Nix, layers: Make) -> None:
    assert nix.evaluate("system.config.programs.firefox.preferences", layers=layers()) == {}
