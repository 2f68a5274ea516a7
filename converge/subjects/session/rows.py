"""Phases 4 and 5, layer session: variables of the user's own systemd manager.

Each row lands in a file of its own under ``~/.config/environment.d``, which the user manager reads
at its start and which Plasma's session inherits (environment.d(5)); or, where only one unit needs
the variables, in a drop-in of that unit.
"""

from __future__ import annotations

from collections.abc import Mapping

from converge.setting import Layer, Phase, Risk, Setting, State

#: What draws -> libva's name of its driver; Mesa's VDPAU is gone since 25.3.
LIBVA_DRIVERS = {
    "video-mesa": "radeonsi",
    "video-r600": "r600",
    "video-intel": "iHD",
    "video-i965": "i965",
}

ROWS: tuple[Setting, ...] = (
    Setting(
        id="session.kwin-egl",
        title="KWin renders through EGL",
        phase=Phase.DESKTOP,
        layer=Layer.SESSION,
        says="session variable KWIN_OPENGL_INTERFACE=egl",
        state=State.WITHHELD,
        reason="on X11, KWin 5.27, 6.3 and 6.7 then run without compositing; ignored on Wayland",
        value={
            "unit": "plasma-kwin_x11.service",
            "variables": {"KWIN_OPENGL_INTERFACE": "egl"},
        },
        check="session.kwin-egl",
        risk=Risk.HIGH,
        needs=frozenset({"kwin", "x11"}),
        forcible=False,
    ),
    Setting(
        id="session.gl-yield",
        title="The NVIDIA driver sleeps instead of spinning, for KWin",
        phase=Phase.DESKTOP,
        layer=Layer.SESSION,
        says="session variable __GL_YIELD=USLEEP",
        state=State.WITHHELD,
        reason="KWin has not needed it since 5.21, and session-wide it slows every GL program; "
        "when included it is set for KWin alone",
        value={"unit": "plasma-kwin_x11.service", "variables": {"__GL_YIELD": "USLEEP"}},
        check="session.gl-yield",
        needs=frozenset({"kwin", "x11", "video-nvidia"}),
    ),
    Setting(
        id="session.gl-max-frames",
        title="The NVIDIA driver queues one frame, for KWin",
        phase=Phase.DESKTOP,
        layer=Layer.SESSION,
        says="session variable __GL_MaxFramesAllowed=1",
        state=State.WITHHELD,
        reason="KWin has not needed it since 5.21, and session-wide it slows every GL program; "
        "when included it is set for KWin alone",
        value={"unit": "plasma-kwin_x11.service", "variables": {"__GL_MaxFramesAllowed": "1"}},
        check="session.gl-max-frames",
        needs=frozenset({"kwin", "x11", "video-nvidia"}),
    ),
    Setting(
        id="video.variables",
        title="VA-API and VDPAU use the driver of the card that draws",
        phase=Phase.VIDEO,
        layer=Layer.SESSION,
        says="environment.variables LIBVA_DRIVER_NAME, NVD_BACKEND, VDPAU_DRIVER",
        state=State.CORRECTED,
        reason="environment.variables reaches shells only; the session and its units read "
        "environment.d, and PAM what NixOS hands to it. NVD_BACKEND=direct is the VA-API driver's "
        "own default by now (its README, July 2026; the variables that are new there, "
        "NVD_MAX_INSTANCES and CUDA_DISABLE_PERF_BOOST, are not set: nothing was measured)",
        value={
            "variables": {
                "LIBVA_DRIVER_NAME": "nvidia",
                "NVD_BACKEND": "direct",
                "VDPAU_DRIVER": "nvidia",
            }
        },
        check="video.variables",
        needs=frozenset({"video"}),
        variants={
            fact: {
                "title": "VA-API uses the driver of the card that draws",
                "value": {"variables": {"LIBVA_DRIVER_NAME": name}},
            }
            for fact, name in LIBVA_DRIVERS.items()
        },
    ),
    Setting(
        id="video.firefox-sandbox",
        title="Firefox decodes video outside its sandbox",
        phase=Phase.VIDEO,
        layer=Layer.SESSION,
        says="environment.variables MOZ_DISABLE_RDD_SANDBOX=1",
        state=State.WITHHELD,
        reason="nvidia-vaapi-driver needs it, but it takes Firefox's decoder out of its sandbox; "
        "include it if hardware decoding is worth that to you",
        value={"variables": {"MOZ_DISABLE_RDD_SANDBOX": "1"}},
        check="video.firefox-sandbox",
        needs=frozenset({"video-nvidia"}),
    ),
)


def values(variable: str) -> frozenset[str]:
    """Every value that the rows have for a variable, on any machine."""
    each = [row.value for row in ROWS]
    each += [fields["value"] for row in ROWS for fields in row.variants.values()]
    named = [one["variables"] for one in each if isinstance(one, Mapping)]
    return frozenset(variables[variable] for variables in named if variable in variables)
