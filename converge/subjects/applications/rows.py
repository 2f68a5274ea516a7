"""Phase 3: desktop applications, their limits and their flags.

Each application has a row (``electron.app.<name>``). Its limits are in the user slice
``app-tuned-<name>.slice``; ``desktopIds`` name the units that Plasma starts for its menu entries,
``programs`` the commands in ``bin/`` that its wrapper stands in for, and ``attributes`` the
packages, best first. MB are MiB, as systemd's suffix M is.
"""

from __future__ import annotations

from collections.abc import Sequence

from converge.setting import Layer, Phase, Risk, Setting, State

#: The slice above the slices of all applications; its limit is their common budget.
BUDGET_SLICE = "app-tuned.slice"


def slice_name(app: str) -> str:
    """The slice unit of the application of the row ``electron.app.<app>``."""
    return f"app-tuned-{app}.slice"


_COMMON = (
    "systemd-run --scope refuses OOMScoreAdjust, so with the plan's wrapper no application starts; "
    "menu entries call {names}, which the plan's wrapper does not replace. The limits are in one "
    "slice, which a drop-in for Plasma's own units and a wrapper of the right name both use; "
    "swapped pages need a limit of their own"
)


def _app(
    name: str,
    title: str,
    *,
    attribute: str,
    programs: Sequence[str],
    desktop_ids: Sequence[str],
    heap: int,
    high: int,
    maximum: int,
    swap: int,
    cpu: int,
    engine: str = "electron",
    note: str = "",
) -> Setting:
    return Setting(
        id=f"electron.app.{name}",
        title=f"Limits and flags of {title}",
        phase=Phase.ELECTRON,
        layer=Layer.HOME_MANAGER,
        says=f"Phase 3: {title}: V8 heap {heap} MB, MemoryHigh {high / 1024:g}G, "
        f"MemoryMax {maximum / 1024:g}G, CPUQuota {cpu}%",
        state=State.CORRECTED,
        value={
            "title": title,
            "engine": engine,
            "attributes": [attribute],
            "programs": list(programs),
            "desktopIds": list(desktop_ids),
            "heapMB": heap,
            "memoryHighMB": high,
            "memoryMaxMB": maximum,
            "memorySwapMaxMB": swap,
            "cpuQuotaPercent": cpu,
        },
        check=f"limits.{name}",
        reason=_COMMON.format(names=" and ".join(programs)) + note,
    )


_NOT_ELECTRON = "; {engine}, so the heap limit and Chromium's flags mean nothing to it"

_APPS = (
    _app(
        "teams",
        "Teams",
        attribute="teams-for-linux",
        programs=["teams-for-linux"],
        desktop_ids=["teams-for-linux"],
        heap=1536,
        high=2560,
        maximum=4096,
        swap=1024,
        cpu=200,
    ),
    _app(
        "discord",
        "Discord",
        attribute="discord",
        programs=["Discord", "discord"],
        desktop_ids=["discord"],
        heap=1024,
        high=2048,
        maximum=3072,
        swap=1024,
        cpu=150,
    ),
    _app(
        "spotify",
        "Spotify",
        attribute="spotify",
        programs=["spotify"],
        desktop_ids=["spotify"],
        heap=512,
        high=2048,
        maximum=3072,
        swap=1024,
        cpu=100,
        engine="cef",
        note=_NOT_ELECTRON.format(engine="built on CEF"),
    ),
    _app(
        "codium",
        "VSCodium",
        attribute="vscodium",
        programs=["codium"],
        desktop_ids=["codium", "codium-url-handler"],
        heap=2048,
        high=4096,
        maximum=5120,
        swap=1024,
        cpu=200,
    ),
    _app(
        "claude",
        "Claude Desktop",
        attribute="claude-desktop",
        programs=["claude-desktop"],
        desktop_ids=["claude-desktop"],
        heap=2048,
        high=4096,
        maximum=6144,
        swap=1024,
        cpu=200,
        note="; nixpkgs does not have it for Linux (November 2026), so an installation from "
        "elsewhere gets its limits",
    ),
    _app(
        "signal",
        "Signal",
        attribute="signal-desktop",
        programs=["signal-desktop"],
        desktop_ids=["signal", "signal-desktop"],
        heap=768,
        high=1536,
        maximum=2048,
        swap=512,
        cpu=100,
    ),
    _app(
        "zoom",
        "Zoom",
        attribute="zoom-us",
        programs=["zoom", "zoom-us"],
        desktop_ids=["Zoom"],
        heap=1024,
        high=2560,
        maximum=4096,
        swap=1024,
        cpu=250,
        engine="qt-cef",
        note=_NOT_ELECTRON.format(engine="a Qt program with CEF"),
    ),
)


def _flag(
    name: str,
    value: dict[str, list[str]],
    reason: str,
    *,
    risk: Risk = Risk.LOW,
) -> Setting:
    shown = " ".join([*value.get("flags", []), *value.get("features", [])])
    return Setting(
        id=f"electron.flag.{name}",
        title=f"Flag {shown}"[:60],
        phase=Phase.ELECTRON,
        layer=Layer.HOME_MANAGER,
        says=f"Phase 3: every application gets {shown}",
        state=State.WITHHELD,
        value=value,
        check="electron.gpu",
        reason=reason,
        risk=risk,
    )


_FLAGS = (
    _flag(
        "use-gl",
        {"flags": ["--use-gl=desktop"]},
        "the GPU process ends and everything is drawn in software (Chromium 120, 150 and 156): "
        "native desktop GL is gone, ANGLE on GL is the default",
        risk=Risk.MEDIUM,
    ),
    _flag(
        "features",
        {
            "features": [
                "VaapiVideoDecoder",
                "VaapiIgnoreDriverChecks",
                "Vulkan",
                "CanvasOopRasterization",
            ]
        },
        "VaapiVideoDecoder was renamed and its successor is on; CanvasOopRasterization is gone; "
        "VaapiIgnoreDriverChecks does nothing on NVIDIA; Vulkan moves drawing off the path that "
        "video decoding uses",
    ),
    _flag(
        "gpu-rasterization",
        {"flags": ["--enable-gpu-rasterization"]},
        "on by itself with this driver",
    ),
    _flag(
        "zero-copy",
        {"flags": ["--enable-zero-copy"]},
        "concerns drawing by the CPU, which does not happen with GPU rasterization",
    ),
    _flag(
        "ignore-blocklist",
        {"flags": ["--ignore-gpu-blocklist"]},
        "this driver is not on the list, and the flag hides real breakage",
    ),
    _flag(
        "ozone-x11",
        {"flags": ["--ozone-platform=x11"]},
        "chosen by itself on X11, and on Wayland it forces the application through XWayland",
    ),
    _flag(
        "hardware-overlays",
        {"flags": ["--enable-hardware-overlays"]},
        "takes a list and not a bare flag; X11 has no overlay planes",
    ),
    _flag(
        "gpu-memory-buffers",
        {"flags": ["--enable-native-gpu-memory-buffers"]},
        "needs GBM, so it has no effect with NVIDIA on X11",
    ),
)

_REST = (
    Setting(
        id="electron.video-decoding",
        title="Video decoding on the GPU in Electron",
        phase=Phase.ELECTRON,
        layer=Layer.HOME_MANAGER,
        says="Phase 3: GPU use for video calls, streaming and media through VA-API",
        state=State.WITHHELD,
        value={
            "apps": ["teams", "discord"],
            "flags": ["--use-angle=gl"],
            "features": ["AcceleratedVideoDecodeLinuxGL", "VaapiOnNvidiaGPUs"],
        },
        check="electron.gpu",
        evidence=("https://github.com/elFarto/nvidia-vaapi-driver",),
        gain="no figure: the machine that was measured has no GPU; tasks/measure.py tells the "
        "CPU while a 1080p video plays",
        reason="Chromium leaves NVIDIA's VA-API driver off since it can crash. These are the flags "
        "that switch it on today (README of nvidia-vaapi-driver, read 2026-11); calls mostly use "
        "codecs and sizes that gain nothing",
        needs=frozenset({"video"}),
        variants={
            fact: {
                "value": {
                    "apps": ["teams", "discord"],
                    "flags": [],
                    "features": ["AcceleratedVideoDecodeLinuxGL"],
                },
                "reason": "Chromium decodes with this driver by default today; where one does not, "
                "this feature switches decoding on. Calls mostly use codecs and sizes that gain "
                "nothing",
            }
            for fact in ("video-mesa", "video-r600", "video-intel", "video-i965")
        },
    ),
    Setting(
        id="electron.oom-score",
        title="Applications are spared when memory runs out",
        phase=Phase.ELECTRON,
        layer=Layer.HOME_MANAGER,
        says="Phase 3: OOM score adjust -100",
        state=State.CORRECTED,
        value={"value": 100},
        check="electron.oom-score",
        reason="a user cannot go below the score of their own manager, which is 100: less is "
        "clamped to it without a word. 100 is still better than the 200 that services get, and it "
        "belongs to the service that Plasma starts, not to a scope",
    ),
    Setting(
        id="electron.budget",
        title="A limit for all applications together",
        phase=Phase.ELECTRON,
        layer=Layer.HOME_MANAGER,
        says="not in the plan: its MemoryHigh values sum to 18.5 GB on a machine with 16 GB",
        state=State.CORRECTED,
        value={"slice": BUDGET_SLICE, "memoryHighPercent": 62},
        check="limits.budget",
        reason="single limits above the memory of the machine protect nothing; the slice above "
        "them slows all of them down at 62 % of it (10 of 16 GB)",
    ),
)

ROWS: tuple[Setting, ...] = (*_APPS, *_FLAGS, *_REST)
