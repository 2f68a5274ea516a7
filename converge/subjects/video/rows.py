"""Phase 5, NixOS: graphics driver and video decoding.

The session variables of this phase are rows of the layer ``session``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from converge.plan.setting import Layer, Phase, Risk, Setting, State

#: GPU generation -> the last branch of NVIDIA's driver that drives it. Others have none yet.
LAST_BRANCH: Mapping[str, int] = {"kepler": 470, "maxwell": 580, "pascal": 580, "volta": 580}
#: Generations that NVIDIA's open kernel modules know.
OPEN_FROM = ("turing", "ampere", "ada", "hopper", "blackwell")
#: Generations without an AV1 decoder (Ampere has one from compute capability 8.6 on).
WITHOUT_AV1 = ("kepler", "maxwell", "pascal", "volta", "turing")


_row = partial(Setting, phase=Phase.VIDEO, layer=Layer.NIXOS, needs=frozenset({"nvidia"}))


ROWS: tuple[Setting, ...] = (
    _row(
        id="video.driver",
        title="The last driver branch that drives this GPU",
        says="Phase 5: the NVIDIA driver, without a branch and without `open`",
        state=State.CORRECTED,
        value={
            "lastBranch": dict(LAST_BRANCH),
            "openFrom": list(OPEN_FROM),
            "kernelTested": "6.18",
        },
        check="gpu.driver",
        reason="from 26.05 on the default branch is 595, which ignores Maxwell, Pascal and Volta: "
        "no display. An unset `open` stops the evaluation from 560 on, and open modules need "
        "Turing. The branch follows from the profile, and a driver above it stops the build",
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
        value={},
        check="gpu.vainfo",
    ),
    _row(
        id="video.vdpau-bridges",
        title="Bridges between VDPAU and VA-API",
        says="Phase 5: extraPackages vaapiVdpau and libvdpau-va-gl",
        state=State.WITHHELD,
        value={"packages": ["libva-vdpau-driver", "libvdpau-va-gl"]},
        check="gpu.vdpauinfo",
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
        reason="hardware.nvidia.modesetting.enable sets it, by default since driver 535; a kernel "
        "parameter would say the same twice",
    ),
    _row(
        id="video.firefox",
        title="Firefox decodes video on the GPU",
        says="Phase 5: hardware decoding in Firefox, 1080p under 20 % CPU",
        state=State.CORRECTED,
        value={"withoutAv1": list(WITHOUT_AV1)},
        check="firefox.decoding",
        reason="the plan sets no preference: the one that switches decoding on was renamed in "
        "Firefox 137, and without media.av1.enabled=false sites send AV1, which this GPU leaves "
        "to the CPU. Only where the system's programs.firefox is enabled",
        rests_on=frozenset({"video.firefox-sandbox"}),
    ),
)
