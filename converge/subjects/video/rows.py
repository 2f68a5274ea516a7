"""Phase 5, NixOS: graphics driver and video decoding, for the card that draws.

The plan is for one NVIDIA card; ``variants`` have the fields for a desktop that another driver
draws. The session variables of this phase are rows of the layer ``session``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from converge.hardware.graphics import GENERATIONS
from converge.setting import Layer, Phase, Risk, Setting, State
from converge.subjects.video.codecs import NAVI_24, WITHOUT_AV1

#: GPU generation -> the last branch of NVIDIA's driver that drives it. Current ones have no last.
LAST_BRANCH: Mapping[str, int] = {
    generation.name: generation.last_branch
    for generation in GENERATIONS
    if generation.last_branch is not None
}
#: From this release of a legacy driver on -> the newest Linux that it is known to build with
#: (nixpkgs issues 538659, 538400, 554125; 7.2 is verified for no release; read 2026-11).
#: The gate has the same.
KERNEL_CEILING: Mapping[str, str] = {"470": "6.6", "580": "7.0", "580.173": "7.1"}
#: Generations that NVIDIA's open kernel modules support.
OPEN_FROM = ("turing", "ampere", "ada", "hopper", "blackwell")

_row = partial(Setting, phase=Phase.VIDEO, layer=Layer.NIXOS, needs=frozenset({"video"}))
_NVIDIA, _NVIDIA_DRAWS = frozenset({"nvidia"}), frozenset({"video-nvidia"})
#: Cards for which media.av1.enabled=false is set: otherwise a browser decodes AV1 on the CPU.
_AV1 = {"withoutAv1": list(WITHOUT_AV1), "withoutAv1Ids": list(NAVI_24)}
#: The release of Firefox that decodes with a driver without preferences (its release notes).
_TRUSTED_SINCE = {
    "video-mesa": "136",
    "video-r600": "136",
    "video-intel": "115",
    "video-i965": "115",
}


ROWS: tuple[Setting, ...] = (
    _row(
        id="video.driver",
        title="The last driver branch that drives this GPU",
        says="Phase 5: the NVIDIA driver, without a branch and without `open`",
        state=State.CORRECTED,
        value={
            "lastBranch": dict(LAST_BRANCH),
            "openFrom": list(OPEN_FROM),
            "kernelCeiling": dict(KERNEL_CEILING),
        },
        check="gpu.driver",
        needs=_NVIDIA,
        reason="from 26.05 on the default branch is 595 or later (November 2026), which ignores "
        "Maxwell, Pascal and Volta: no display. An unset `open` stops the evaluation from 560 on, "
        "and open modules need Turing. The branch follows from the profile, and a driver above it "
        "stops the build",
        risk=Risk.MEDIUM,
    ),
    _row(
        id="video.graphics",
        title="Graphics drivers, 64 and 32 bit",
        says="Phase 5: hardware.graphics enable, enable32Bit",
        state=State.APPLIED,
        value={},
        check="gpu.graphics",
    ),
    _row(
        id="video.vaapi-driver",
        title="VA-API driver on top of NVDEC",
        says="Phase 5: extraPackages nvidia-vaapi-driver",
        state=State.APPLIED,
        value={"packages": ["nvidia-vaapi-driver"]},
        check="gpu.vainfo",
        variants={
            "video-mesa": {
                "title": "VA-API driver of Mesa, radeonsi",
                "state": State.CORRECTED,
                "value": {"packages": []},
                "reason": "Mesa has the driver of this card: the graphics drivers bring it",
            },
            "video-r600": {
                "title": "VA-API driver of Mesa, r600",
                "state": State.CORRECTED,
                "value": {"packages": []},
                "reason": "Mesa has the driver of this card: the graphics drivers bring it",
            },
            "video-intel": {
                "title": "VA-API driver of Intel, iHD",
                "state": State.CORRECTED,
                "value": {"packages": ["intel-media-driver"]},
                "reason": "an Intel card since Broadwell draws, and iHD decodes with it",
            },
            "video-i965": {
                "title": "VA-API driver of Intel, i965",
                "state": State.CORRECTED,
                "value": {"packages": ["intel-vaapi-driver"]},
                "reason": "an Intel card before Broadwell draws, which iHD does not know",
            },
        },
    ),
    _row(
        id="video.vdpau-bridges",
        title="Bridges between VDPAU and VA-API",
        says="Phase 5: extraPackages vaapiVdpau and libvdpau-va-gl",
        state=State.WITHHELD,
        value={"packages": ["libva-vdpau-driver", "libvdpau-va-gl"]},
        check="gpu.vdpauinfo",
        needs=_NVIDIA_DRAWS,
        reason="vaapiVdpau was renamed and stops the evaluation since 25.11; the plan's comments "
        "on the two are swapped; with nvidia-vaapi-driver neither is needed, and libvdpau-va-gl "
        "would send VDPAU back through VA-API",
    ),
    _row(
        id="video.modesetting",
        title="Kernel mode setting of the NVIDIA driver",
        says="Phase 5: kernel parameter nvidia-drm.modeset=1",
        state=State.CORRECTED,
        value={},
        check="gpu.modeset",
        needs=_NVIDIA,
        reason="hardware.nvidia.modesetting.enable sets it, by default since driver 535; a kernel "
        "parameter would say the same twice",
    ),
    _row(
        id="video.firefox",
        title="Firefox decodes video on the GPU",
        says="Phase 5: hardware decoding in Firefox, 1080p under 20 % CPU",
        state=State.CORRECTED,
        value={**_AV1, "forceBelow": None},
        check="firefox.decoding",
        reason="the plan sets no preference: the one that switches decoding on was renamed in "
        "Firefox 137; on X11 NVIDIA's VA-API driver needs gfx.x11-egl.force-enabled (its README, "
        "July 2026); without media.av1.enabled=false sites send AV1 to a card that leaves it to "
        "the CPU. Only where the system's programs.firefox is enabled",
        rests_on=frozenset({"video.firefox-sandbox"}),
        variants={
            fact: {
                "value": {**_AV1, "forceBelow": since},
                "reason": f"Firefox trusts this driver by itself since {since}; before, a "
                "preference switches decoding on. Without media.av1.enabled=false sites send AV1 "
                "to a card that leaves it to the CPU. Only where the system's programs.firefox "
                "is enabled",
                "rests_on": frozenset[str](),
            }
            for fact, since in _TRUSTED_SINCE.items()
        },
    ),
)
