"""Cases of phase 5: driver, decoders, Firefox, playback."""

from __future__ import annotations

import json

from converge.proof.check import ABSENT, MISSING, NOBODY
from tests.proof import checks
from tests.proof.checks import IN_USE, Replies, failing
from tests.subjects.case import NVIDIA, Case, environment
from tests.subjects.desktop import variables_case

VAINFO = (checks.DATA / "vainfo-gm206.txt").read_text()


VDPAUINFO = (checks.DATA / "vdpauinfo-gm206.txt").read_text()


POLICIES = json.dumps(
    {
        "policies": {
            "Preferences": {
                "media.hardware-video-decoding.force-enabled": {"Value": True},
                "gfx.x11-egl.force-enabled": {"Value": True},
                "media.av1.enabled": {"Value": False},
            }
        }
    }
)

_NAME = "LIBVA_DRIVER_NAME"
#: What programs of the session, and those that start now, get of libva's driver.
SESSION: Replies = {
    ("environment", _NAME): environment(f"{_NAME}=nvidia"),
    ("fresh", _NAME): environment(f"{_NAME}=nvidia", first="fresh"),
}
OTHER_DRIVER: Replies = {
    ("environment", _NAME): environment(f"{_NAME}=vdpau"),
    ("fresh", _NAME): environment(f"{_NAME}=vdpau", first="fresh"),
}

CASES: dict[str, Case] = {
    "video.variables": variables_case("video.variables"),
    "video.firefox-sandbox": variables_case("video.firefox-sandbox"),
    "video.driver": Case(
        good={**IN_USE, "nvidia": NVIDIA},
        bad={
            "a branch that ignores the GPU": {"nvidia": NVIDIA.replace("580.178.04", "595.71.05")},
            "the driver does not run": {
                "nvidia": failing(9, "", "NVIDIA-SMI has failed because it couldn't communicate")
            },
            "another GPU": {"nvidia": NVIDIA.replace(" 5.2,", " 6.1,")},
            "no driver at all": {"nvidia": failing(MISSING, "nvidia-smi")},
        },
    ),
    "video.graphics": Case(
        good={
            **IN_USE,
            "exist": "there /run/opengl-driver/lib\nthere /run/opengl-driver-32/lib\n",
        },
        bad={
            "no 32 bit": {"exist": "there /run/opengl-driver/lib\ngone /run/opengl-driver-32/lib\n"}
        },
    ),
    "video.modesetting": Case(
        good={**IN_USE, ("file", "nvidia_drm"): "Y\n"},
        bad={
            "off": {("file", "nvidia_drm"): "N\n"},
            "not loaded": {("file", "nvidia_drm"): failing(ABSENT, "modeset")},
        },
    ),
    "video.vaapi-driver": Case(
        good={**IN_USE, "vainfo": VAINFO, **SESSION},
        bad={
            "another driver": {"vainfo": VAINFO.replace("VA-API NVDEC driver", "Mesa Gallium")},
            "no VP9": {"vainfo": VAINFO.replace("VAProfileVP9Profile0", "VAProfileNone")},
            "AV1, which this GPU has not": {
                "vainfo": VAINFO + "      VAProfileAV1Profile0            :\tVAEntrypointVLD\n"
            },
            "it does not start": {
                "vainfo": failing(3, "", "vaInitialize failed with error code 1,exit\n")
            },
            "the session loads another": OTHER_DRIVER,
            "no node": {"vainfo": failing(ABSENT, "a render node of vendor 0x10de")},
        },
    ),
    "video.vdpau": Case(
        good={"vdpauinfo": VDPAUINFO},
        bad={
            "no HEVC": {
                "vdpauinfo": VDPAUINFO.replace(
                    "HEVC_MAIN                     153 36864  4096  2304",
                    "HEVC_MAIN                      --- not supported ---",
                )
            },
            "no driver": {
                "vdpauinfo": failing(255, "", "Failed to open VDPAU backend libvdpau_nvidia.so\n")
            },
            "another driver": {"vdpauinfo": VDPAUINFO.replace("NVIDIA VDPAU", "G3DVL VDPAU")},
        },
    ),
    "video.vdpau-bridges": Case(
        good={**IN_USE, "vdpauinfo": VDPAUINFO},
        bad={"another driver": {"vdpauinfo": VDPAUINFO.replace("NVIDIA VDPAU", "OpenGL/VAAPI")}},
    ),
    "video.playback": Case(
        good={"playback": "bench: utime=0.310s stime=0.090s rtime=4.005s\n"},
        bad={
            "the CPU decodes": {"playback": "bench: utime=9.1s stime=0.4s rtime=4.0s\n"},
            "no hardware decoder": {
                "playback": failing(1, "", "Failed to create decode context\n")
            },
        },
    ),
    "video.firefox": Case(
        good={
            **IN_USE,
            ("file", "policies.json"): POLICIES,
            "firefox": "VAAPI_SUPPORTED\nTRUE\nVAAPI_HWCODECS\n112\n",
            **SESSION,
            "environment": environment("MOZ_DISABLE_RDD_SANDBOX=1"),
        },
        bad={
            "decoding is off": {("file", "policies.json"): POLICIES.replace("decoding.force", "x")},
            "hardware is shut off by a policy": {
                ("file", "policies.json"): POLICIES.replace(
                    '{"Preferences"', '{"HardwareAcceleration": false, "Preferences"'
                )
            },
            "the session loads another driver": OTHER_DRIVER,
            "it draws by GLX": {("file", "policies.json"): POLICIES.replace("egl.force", "x")},
            "sites send AV1": {("file", "policies.json"): POLICIES.replace("false", "true")},
            "no decoder": {"firefox": "VAAPI_SUPPORTED\nFALSE\n"},
            "no VP9": {"firefox": "VAAPI_SUPPORTED\nTRUE\nVAAPI_HWCODECS\n16\n"},
            "its decoder is in the sandbox": {"environment": environment()},
            "the Firefox that runs is older than the variable": {
                ("environment", "firefox"): environment(),
            },
            "the session to come lacks it": {
                "environment": failing(NOBODY, "no desktop session"),
                "fresh": environment(first="fresh"),
            },
        },
    ),
}
