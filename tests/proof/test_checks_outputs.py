"""Parsers of program outputs: small cases in this file, and real outputs where they exist."""

from __future__ import annotations

import contextlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as some

from converge.proof.check import Unreadable
from converge.subjects.plasma import desktop
from converge.subjects.video import gpu
from converge.subjects.workspace import system
from converge.subjects.workspace.boot_menu import boot_menu
from tests.proof.checks import DATA, SAMPLES

real = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason=f"no real outputs in {SAMPLES} (shared/data beside the checkout)"
)


def text(name: str) -> str:
    return (SAMPLES / name).read_text()


# -- kept here --------------------------------------------------------------------------------


def test_support_information_is_read_by_section() -> None:
    found = desktop.support((DATA / "kwin-support.txt").read_text())
    assert (found.version, found.operation, found.compositing) == ("6.6.4", "X11", True)
    assert (found.compositing_type, found.platform) == ("OpenGL", "GLX")
    assert found.options["windowsBlockCompositing"] == "true"
    assert found.animation_ms == 150


def test_columns_of_nvidia_smi_are_found_by_name() -> None:
    table = "driver_version, memory.used [MiB], name\n580.1, 12 MiB, GeForce\n"
    one = gpu.gpus(table)[0]
    assert (one.name, one.branch, one.memory_used, one.busy) == ("GeForce", 580, 12, None)


def test_the_kernels_numbers_tell_no_limit_from_no_file() -> None:
    found = system.group("kernel memory.max max\nkernel cpu.max 150000 100000\n")
    assert (found.maximum, found.cpu) == (None, 150.0)
    assert found.known == {"memory.max", "cpu.max"}


def test_free_space_of_a_mount_point_with_blanks_is_read() -> None:
    assert system.kilobytes_free("/dev/a 9 1 8 1% /run/media/my disk\n") == {
        "/run/media/my disk": 8
    }


def test_only_flags_that_every_cpu_has_count() -> None:
    assert system.cpu_flags("flags : a b\nflags : b c\n") == {"b"}


@given(some.text(alphabet=string.printable))
def test_whatever_is_printed_is_read_or_refused_as_unreadable(printed: str) -> None:
    for parse in (
        desktop.support,
        desktop.kwin,
        desktop.baloo,
        gpu.gpus,
        gpu.pmon,
        gpu.vainfo,
        gpu.vdpauinfo,
        gpu.vaapitest,
        gpu.playback,
        system.state,
        system.journal,
        system.coredumps,
        system.memory,
        system.swaps,
        boot_menu,
        system.cpu_flags,
    ):
        # Those of the runner of the checks, which turns them into unknown.
        with contextlib.suppress(ValueError, LookupError, TypeError):
            parse(printed)


# -- real outputs -----------------------------------------------------------------------------


@real
@pytest.mark.parametrize(
    ("name", "compositing", "milliseconds"),
    [
        ("kwin_supportInformation_6.3.6_plan_kwinrc.txt", True, 300),
        ("kwin_supportInformation_6.7.4_plan_kwinrc.txt", True, 300),
        ("kwin_supportInformation_6.7.4_kdeglobals_anim0.5.txt", True, 150),
        ("kwin_supportInformation_6.7.4_KWIN_OPENGL_INTERFACE_egl_BROKEN.txt", False, None),
    ],
)
def test_real_kwin(name: str, compositing: bool, milliseconds: int | None) -> None:
    found = desktop.support(text(name))
    assert (found.compositing, found.animation_ms) == (compositing, milliseconds)
    assert found.options["glPreferBufferSwap"] == "AutoSwapStrategy"
    assert found.platform == ("GLX" if compositing else "")


@real
@pytest.mark.parametrize("release", ["6.13", "6.30"])
def test_real_baloo(release: str) -> None:
    found = desktop.baloo(text(f"balooctl6_session_kf{release}.txt").partition("## status")[0])
    assert not (found.content or found.hidden)
    assert found.included == {"/home/mitsio"}
    assert {"/home/mitsio/.cache", "/home/mitsio/.cargo"} <= found.excluded
    assert "/nix/store" not in found.excluded


@real
@pytest.mark.parametrize(
    ("name", "pids"),
    [
        ("nvidia-smi_pmon_idle_SYNTHETIC.txt", []),
        ("nvidia-smi_pmon_old_format_PUBLIC.txt", [1]),
        ("nvidia-smi_pmon_new_format_PUBLIC.txt", [1446, 1529, 3485, 1380634]),
        ("nvidia-smi_pmon_with_fb_ccpm_PUBLIC.txt", [1312, 1941]),
    ],
)
def test_real_pmon(name: str, pids: list[int]) -> None:
    assert [use.pid for use in gpu.pmon(text(name))] == pids


@real
def test_real_nvidia_smi() -> None:
    one = gpu.gpus(text("nvidia-smi_query_gtx960_REAL.csv"))[0]
    assert (one.capability, one.branch, one.memory_total) == ("5.2", 570, 4096)
    for name in ("nvidia-smi_fail_no_driver_rc9.txt", "nvidia-smi_fail_no_nvml_rc12.txt"):
        with pytest.raises(Unreadable):
            gpu.gpus(text(name))


@real
@pytest.mark.parametrize(
    ("name", "driver", "has", "lacks"),
    [
        ("vainfo_gtx960_expected_SYNTHETIC.txt", "NVDEC", "VP9Profile0", "AV1Profile0"),
        ("vainfo_nvidia_direct_ampere_REAL.txt", "NVDEC", "AV1Profile0", "None"),
        ("vainfo_nvidia_egl_backend_old_REAL.txt", "egl", "VP9Profile2", "AV1Profile0"),
        ("vainfo_nvidia_no_vp9_gstreamer_missing_REAL.txt", "NVDEC", "HEVCMain", "VP9Profile0"),
        ("vainfo_wsl_d3d12_REAL.txt", "D3D12", "H264High", "VP8Version0_3"),
    ],
)
def test_real_vainfo(name: str, driver: str, has: str, lacks: str) -> None:
    found = gpu.vainfo(text(name))
    assert driver in found.driver
    assert has in found.decodes and lacks not in found.decodes


@real
@pytest.mark.parametrize(
    "name",
    [
        "vainfo_fail_no_display_rc1_MEASURED.txt",
        "vainfo_fail_no_drm_node_rc1_MEASURED.txt",
        "vainfo_fail_no_libcuda_rc3_MEASURED.txt",
    ],
)
def test_real_vainfo_that_failed_says_why(name: str) -> None:
    with pytest.raises(Unreadable, match=r"\w{4}"):
        gpu.vainfo(text(name))


@real
def test_real_vdpauinfo() -> None:
    maxwell = gpu.vdpauinfo(text("vdpauinfo_gtx960_driver361_REAL.txt"))
    assert {"H264_HIGH", "HEVC_MAIN"} <= maxwell.decodes
    assert "HEVC_MAIN_10" not in maxwell.decodes
    assert "VP9_PROFILE_0" in gpu.vdpauinfo(text("vdpauinfo_turing_driver535_REAL.txt")).decodes
    for name in ("backend", "no_display"):
        with pytest.raises(Unreadable):
            gpu.vdpauinfo(text(f"vdpauinfo_fail_{name}_rc255_MEASURED.txt"))


@real
def test_real_firefox() -> None:
    assert gpu.vaapitest(text("firefox_vaapitest_REAL.txt")) == {"H264", "VP8", "VP9"}


@real
def test_real_systemd() -> None:
    shown = system.properties(text("systemctl_user_show_slice_257.txt"))
    assert shown["MemoryMax"] == "3221225472"
    missing = system.properties(text("systemctl_user_no_match_rc0.txt"))
    assert (missing["MemoryMax"], missing["LoadState"]) == ("infinity", "not-found")


@real
def test_real_boot_menu() -> None:
    menu = boot_menu("loader grub\n" + text("grub_cfg_nixos_excerpt_FROM_TEMPLATE.txt"))
    assert menu.timeout == 5
    assert menu.generations == {119, 120}


@real
def test_real_environment_of_kwin() -> None:
    raw = (SAMPLES / "proc_environ_kwin_SYNTHETIC.bin").read_bytes()
    found = system.environment(b"process 1\n" + raw, "process")
    assert (found["KWIN_OPENGL_INTERFACE"], found["NVD_BACKEND"]) == ("egl", "direct")


@real
def test_real_cpu() -> None:
    assert "avx512f" in system.cpu_flags(text("cpuinfo_flags_zen5_vm_MEASURED.txt"))
