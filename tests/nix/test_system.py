"""Memory, storage, boot menu and builds: options that have an effect, from the profile's values."""

from __future__ import annotations

from pathlib import Path

import pytest

from converge.setting import State
from converge.subjects.memory import rows as memory
from converge.subjects.video import rows as video
from tests.nix import harness
from tests.nix.harness import Make, Nix

#: The rules of udev that the layer adds.
RULES = "(builtins.head system.config.services.udev.packages).text"


def test_zram_swap_and_the_kernels_values_are_those_of_the_profile(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    found = nix.evaluate(
        """{
          zram = { inherit (system.config.zramSwap) enable algorithm memoryPercent priority; };
          sysctl = system.config.boot.kernel.sysctl;
        }""",
        layers=layers(),
        **sources,
    )
    assert found["zram"] == {
        "enable": True,
        "algorithm": "zstd",
        "memoryPercent": 75,
        "priority": 100,
    }
    wanted = {
        "vm.swappiness": 67,
        "vm.vfs_cache_pressure": 125,
        "vm.dirty_ratio": 10,
        "vm.dirty_background_ratio": 5,
    }
    assert wanted.items() <= found["sysctl"].items()


def test_a_profile_without_zram_leaves_swap_alone(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    made = layers(lambda data: data["hardware"]["memory"].pop("zram"))
    assert nix.evaluate("system.config.zramSwap.enable", layers=made, **sources) is False


def test_the_limit_of_applications_is_a_drop_in_and_leaves_the_desktop_alone(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    """KWin and Plasma are in session.slice: a limit of the whole user would stop them too."""
    ask = """{ inherit (system.config.systemd.user.slices) app;
               user = system.config.systemd.slices ? "user-";
               session = system.config.systemd.user.slices ? session; }"""
    found = nix.evaluate(ask, layers=layers(), **sources)
    assert found["app"]["overrideStrategy"] == "asDropin"
    assert found["app"]["sliceConfig"] == {"MemoryHigh": "75%"}
    assert (found["user"], found["session"]) == (False, False)


def test_limits_of_users_are_a_drop_in_that_systemd_applies(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    """As a unit of its own, user-.slice is invalid and no user-1000.slice ever sees it."""
    made = layers(include=["memory.user-slice-max"])
    found = nix.evaluate('system.config.systemd.slices."user-"', layers=made, **sources)
    assert found["overrideStrategy"] == "asDropin"
    assert found["sliceConfig"] == {"MemoryMax": "87%", "CPUQuota": "600%"}
    expression = f"{harness.miniature(made)}.system.config.system.build.toplevel"
    built = Path(nix.must("nix-build", "--no-out-link", "-E", expression).strip())
    units = built / "etc/systemd/system"
    text = (units / "user-.slice.d/overrides.conf").read_text()
    assert text == "[Slice]\nCPUQuota=600%\nMemoryMax=87%\n"
    assert not (units / "user-.slice").exists()


SD = 'KERNEL=="sd[a-z]*", ATTR{queue/rotational}=='


@pytest.mark.parametrize(
    ("kind", "which"),
    [
        ("nvme", 'KERNEL=="nvme[0-9]*"'),
        ("ssd", f'{SD}"0"'),
        ("hdd", f'{SD}"1", DEVPATH!="*/usb[0-9]*"'),
        ("emmc", 'KERNEL=="mmcblk[0-9]"'),
        ("virtual", 'KERNEL=="[sv]d[a-z]*|xvd[a-z]*|nvme[0-9]*"'),
    ],
)
def test_the_scheduler_is_set_for_the_disks_that_the_profile_has(
    nix: Nix, sources: dict[str, Path], layers: Make, kind: str, which: str
) -> None:
    made = layers(
        lambda data: data["hardware"]["storage"]["disks"][0].update(
            kind=kind, scheduler="mq-deadline"
        )
    )
    found = nix.evaluate(RULES, layers=made, **sources)
    assert found == (
        'ACTION=="add|change", SUBSYSTEM=="block", TEST=="queue/scheduler", '
        f'{which}, ATTR{{queue/scheduler}}="mq-deadline"\n'
    )


def test_each_kind_of_disk_gets_its_own_scheduler(nix: Nix, layers: Make) -> None:
    def three(data: dict) -> None:
        data["hardware"]["storage"]["disks"] = [
            {"kind": "nvme", "sizeGB": 500, "scheduler": "none"},
            {"kind": "hdd", "sizeGB": 4000, "scheduler": "bfq"},
            {"kind": "ssd", "sizeGB": 500, "scheduler": "mq-deadline"},
            {"kind": "unknown"},
            {"kind": "emmc", "sizeGB": 64},
        ]

    found = nix.evaluate(RULES, layers=layers(three)).splitlines()
    assert len(found) == 3
    for which, name in (
        ('"nvme[0-9]*", ', "none"),
        ('"1", DEVPATH!="*/usb[0-9]*", ', "bfq"),
        ('"0", ', "mq-deadline"),
    ):
        assert (
            len([line for line in found if f'{which}ATTR{{queue/scheduler}}="{name}"' in line]) == 1
        )


def test_the_daemon_gets_the_middle_tier_of_the_profile(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    found = nix.evaluate(
        "{ inherit (system.config.nix.settings) max-jobs cores; }", layers=layers(), **sources
    )
    assert found == {"max-jobs": 3, "cores": 4}


@pytest.mark.parametrize(
    ("user", "message"),
    [
        ("boot.loader.timeout = 0;", "no boot menu will offer"),
        (
            "boot.loader.systemd-boot = { enable = true; configurationLimit = 3; };",
            "keeps 3 generations",
        ),
        ("boot.loader.grub = { enable = true; configurationLimit = 2; };", "keeps 2 generations"),
    ],
)
def test_a_boot_loader_that_cannot_bring_back_the_old_generation_is_named(
    nix: Nix, layers: Make, user: str, message: str
) -> None:
    made = layers()
    found = nix.evaluate("system.config.warnings", layers=made, userSystem=f"{{ {user} }}")
    assert [one for one in found if message in one]
    assert not [one for one in nix.evaluate("system.config.warnings", layers=made) if "boot" in one]


def test_without_its_row_a_module_sets_nothing(nix: Nix, tmp_path: Path) -> None:
    """Without any row a layer sets nothing but the marker."""
    data = harness.profile_data()
    for one in data.values():
        one["settings"] = {}
    made = harness.make_layers(tmp_path / "layers", data)
    found = nix.evaluate(
        """let
          facts = config: {
            inherit (config) zramSwap warnings;
            inherit (config.boot) kernel kernelParams;
            inherit (config.boot.loader) timeout;
            inherit (config.nix) settings;
            inherit (config.systemd) slices;
            inherit (config.environment) sessionVariables;
            inherit (config.services.xserver) videoDrivers;
            inherit (config.hardware) block;
            packages = map (p: p.outPath) config.environment.systemPackages;
          };
          person = config: {
            inherit (config.home) sessionVariables shellAliases;
            inherit (config.systemd.user) slices;
            files = lib.attrNames config.xdg.configFile;
            packages = map (p: p.outPath) config.home.packages;
          };
        in {
          system = facts system.config == facts baseSystem.config;
          home = person home.config == person baseHome.config;
        }""",
        layers=made,
    )
    assert found == {"system": True, "home": True}


def test_what_can_stop_nothing_is_applied_and_what_does_nothing_is_withheld() -> None:
    rows = {row.id: row for row in (*memory.ROWS, *video.ROWS)}
    assert rows["storage.io-uring"].state is State.WITHHELD
    assert not rows["storage.io-uring"].forcible
    assert rows["video.vdpau-bridges"].state is State.WITHHELD
    assert all(row.needs & {"nvidia", "video", "video-nvidia"} for row in video.ROWS)
