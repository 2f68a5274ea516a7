"""Checks of phase 5: driver, kernel mode setting, VA-API, VDPAU, playback (not of Firefox).

NVIDIA's driver is asked about the card that it drives; decoding is asked of the card that draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from converge.boot.checks import AfterBoot, BootCheck, has, is_
from converge.effect import (
    Verdict,
    effective,
    not_applicable,
    not_effective,
    unknown,
)
from converge.proof.check import (
    ABSENT,
    BUILT,
    MISSING,
    NOBODY,
    Answers,
    Ask,
    Context,
    Item,
    Proof,
    When,
    value,
)
from converge.setting import Layer, Phase, Setting
from converge.subjects.video import drawing, firefox, gpu
from converge.subjects.video.codecs import VDPAU
from converge.subjects.workspace.generations import BOOTED, marker_asks, settle
from converge.subjects.workspace.machine import NVIDIA

VDPAUINFO = Ask("vdpauinfo", machine=True)
MODESET = Ask("file", ("/sys/module/nvidia_drm/parameters/modeset",), machine=True)
_LIBRARIES = ("/run/opengl-driver/lib", "/run/opengl-driver-32/lib")
GRAPHICS = Ask("exist", _LIBRARIES, machine=True)
_SESSION = (drawing.SESSION_DRIVER, drawing.FRESH_DRIVER)
PLAYBACK_LIMIT = 20.0  # percent of all CPUs


def _asks(*asks: Ask | Callable[[Context], Ask]) -> object:
    def wanted(context: Context, setting: Setting) -> Iterable[Ask]:
        own = (ask if isinstance(ask, Ask) else ask(context) for ask in asks)
        return (*own, BOOTED, *marker_asks(context, setting.layer))

    return wanted


def _vainfo_ask(context: Context) -> Ask:
    return Ask("vainfo", drawing.node(context), machine=True)


def _playback_ask(context: Context) -> Ask:
    return Ask("playback", drawing.node(context), limit=60, machine=True)


# -- driver -----------------------------------------------------------------------------------


def _judge_driver(context: Context, answers: Answers, setting: Setting) -> Verdict:
    return settle(context, answers, setting, _driver(context, answers, setting))


def _driver(context: Context, answers: Answers, setting: Setting) -> Verdict:
    cards = context.profile.by_nvidia
    branches = [value(setting)["lastBranch"].get(card.architecture) for card in cards]
    last = min((branch for branch in branches if branch), default=None)
    names = " and ".join(card.name for card in cards)
    expected = f"{names} with a driver" + (f" of branch {last} or older" if last else "")
    reply = answers.reply(NVIDIA)
    if reply.status == MISSING:
        return not_effective("no nvidia-smi", expected=expected, reason="no driver is installed")
    if reply.status != 0:
        said = reply.text.strip().splitlines() or [reply.last_error]
        return not_effective(said[0], expected=expected, reason=f"nvidia-smi: {reply.status}")
    found = gpu.gpus(reply.text)
    there = {one.capability for one in found}
    shown = ", ".join(f"{one.name}, driver {one.driver}" for one in found)
    for card in cards:
        if card.compute_capability and card.compute_capability not in there:
            reason = f"no GPU has the compute capability {card.compute_capability} of the profile"
            return not_effective(shown, expected=expected, reason=reason)
    if last and any(one.branch > last for one in found):
        return not_effective(shown, expected=expected, reason="a newer branch ignores this GPU")
    return effective(shown, expected=expected)


def _driver_after_boot(context: Context, setting: Setting) -> Iterator[BootCheck]:
    """nvidia-smi has to list each card: a branch that ignores a card does not list it."""
    for card in context.profile.by_nvidia:
        if card.compute_capability:
            rule = has(f", {card.compute_capability}, ")
            yield BootCheck(name=setting.id, ask=NVIDIA, rules=(rule,), within_s=90)


def _graphics_after_boot(context: Context, setting: Setting) -> Iterator[BootCheck]:
    rules = tuple(has(f"there {path}") for path in _LIBRARIES)
    yield BootCheck(name=setting.id, ask=GRAPHICS, rules=rules)


def _modeset_after_boot(context: Context, setting: Setting) -> Iterator[BootCheck]:
    yield BootCheck(name=setting.id, ask=MODESET, rules=(is_("Y"),))


def _vainfo_after_boot(context: Context, setting: Setting) -> Iterator[BootCheck]:
    rule = has(drawing.driver_names(context)[1])
    yield BootCheck(name=setting.id, ask=_vainfo_ask(context), rules=(rule,), within_s=90)


_AFTER_BOOT: dict[str, AfterBoot] = {
    "gpu.driver": _driver_after_boot,
    "gpu.graphics": _graphics_after_boot,
    "gpu.modeset": _modeset_after_boot,
    "gpu.vainfo": _vainfo_after_boot,
}


def _judge_graphics(context: Context, answers: Answers, setting: Setting) -> Verdict:
    lines = answers.text(GRAPHICS).splitlines()
    gone = [path for path in _LIBRARIES if f"there {path}" not in lines]
    expected = "drivers for 64 and 32 bit"
    live = effective(" ".join(_LIBRARIES), expected=expected)
    if gone:
        live = not_effective(f"not there: {' '.join(gone)}", expected=expected)
    return settle(context, answers, setting, live)


def _judge_modeset(context: Context, answers: Answers, setting: Setting) -> Verdict:
    reply = answers.reply(MODESET)
    expected = "modeset Y"
    if reply.status == ABSENT:
        live = not_effective("nvidia_drm is not loaded", expected=expected)
    else:
        found = answers.text(MODESET).strip()
        live = (
            effective("modeset Y", expected=expected)
            if found == "Y"
            else not_effective(f"modeset {found}", expected=expected)
        )
    return settle(context, answers, setting, live)


# -- decoding ---------------------------------------------------------------------------------


def _judge_vainfo(context: Context, answers: Answers, setting: Setting) -> Verdict:
    return settle(context, answers, setting, _vaapi(context, answers))


def _vaapi(context: Context, answers: Answers) -> Verdict:
    table, driver = drawing.decodes(context), drawing.driver_names(context)[1]
    expected = f"{driver} with {' '.join(sorted(table.has))}"
    reply = answers.reply(_vainfo_ask(context))
    if reply.status == ABSENT:
        return not_effective(f"not there: {reply.last_error}", expected=expected)
    if reply.status == MISSING:
        return unknown("vainfo is not installed", expected=expected)
    try:
        found = gpu.vainfo(reply.text)
    except ValueError as error:
        return not_effective(str(error), expected=expected, reason=f"vainfo: {reply.status}")
    if driver not in found.driver:
        return not_effective(found.driver, expected=expected, reason="another driver answered")
    reason = drawing.unlike(found.decodes, table.has, table.lacks)
    if reason:
        return not_effective(found.driver, expected=expected, reason=f"it {reason}")
    if reply.status != 0:
        return not_effective(found.driver, expected=expected, reason=f"vainfo: {reply.status}")
    if other := drawing.other_driver(context, answers, expected):
        return other
    return effective(f"{found.driver}, {len(found.decodes)} profiles", expected=expected)


def _judge_vdpau(context: Context, answers: Answers) -> Verdict:
    table = drawing.decodes(context)
    wanted = frozenset(VDPAU[name] for name in table.has if name in VDPAU)
    expected = f"NVIDIA's VDPAU with {' '.join(sorted(wanted))}"
    reply = answers.reply(VDPAUINFO)
    if reply.status == MISSING:
        return unknown("vdpauinfo is not installed", expected=expected)
    if reply.status == NOBODY:
        return not_applicable(f"{reply.last_error}: VDPAU needs one")
    text = answers.good(VDPAUINFO, statuses=(0, 1, 255)).text
    if "cannot connect to X server" in text:
        return unknown("vdpauinfo cannot connect to the session's X server", expected=expected)
    try:
        found = gpu.vdpauinfo(text)
    except ValueError as error:
        return not_effective(str(error), expected=expected, reason="no VDPAU driver")
    if "NVIDIA VDPAU" not in found.driver:
        return not_effective(found.driver, expected=expected, reason="another driver answered")
    missing = sorted(wanted - found.decodes)
    if missing:
        reason = f"it does not decode {' '.join(missing)}"
        return not_effective(found.driver, expected=expected, reason=reason)
    return effective(" ".join(found.driver.split()[:6]), expected=expected)


def _judge_bridges(context: Context, answers: Answers, setting: Setting) -> Verdict:
    return settle(context, answers, setting, _judge_vdpau(context, answers))


# -- playback ---------------------------------------------------------------------------------


def _judge_playback(context: Context, answers: Answers) -> Verdict:
    expected = f"1080p with less than {PLAYBACK_LIMIT:g} % of all CPUs"
    reply = answers.reply(_playback_ask(context))
    if reply.status == MISSING:
        return unknown("ffmpeg is not installed", expected=expected)
    if reply.status == ABSENT:
        return not_effective(f"not there: {reply.last_error}", expected=expected)
    if reply.status != 0:
        said = [line for line in reply.text.splitlines() if line.strip()] or [reply.last_error]
        return not_effective(
            said[-1].strip(), expected=expected, reason="ffmpeg cannot decode on the GPU"
        )
    percent = 100 * gpu.playback(reply.text) / context.profile.cpu.threads
    found = f"{percent:.1f} % of all CPUs"
    if percent >= PLAYBACK_LIMIT:
        return not_effective(found, expected=expected)
    return effective(found, expected=expected)


ITEMS: tuple[Item, ...] = (
    Item(
        id="video.vdpau",
        touched_by=frozenset({*BUILT, Layer.SESSION}),
        title="VDPAU decodes what the GPU can",
        when=When.AFTER,
        phase=Phase.VIDEO,
        needs=frozenset({"video-nvidia", "x11"}),
        asks=lambda context: (VDPAUINFO,),
        judge=_judge_vdpau,
    ),
    Item(
        id="video.playback",
        touched_by=frozenset({*BUILT, Layer.SESSION}),
        title="1080p is decoded by the GPU",
        when=When.AFTER,
        phase=Phase.VIDEO,
        needs=frozenset({"video"}),
        asks=lambda context: (_playback_ask(context),),
        judge=_judge_playback,
    ),
)
PROOFS: tuple[Proof, ...] = tuple(
    Proof(
        id=id,
        title=title,
        phase=Phase.VIDEO,
        asks=_asks(*asks),  # type: ignore[arg-type]
        judge=judge,
        after_boot=_AFTER_BOOT.get(id),
    )
    for id, title, asks, judge in (
        ("gpu.driver", "nvidia-smi: this GPU, a branch that drives it", (NVIDIA,), _judge_driver),
        ("gpu.graphics", "Driver libraries, 64 and 32 bit", (GRAPHICS,), _judge_graphics),
        ("gpu.modeset", "nvidia_drm's parameter modeset", (MODESET,), _judge_modeset),
        ("gpu.vainfo", "vainfo: driver and profiles", (_vainfo_ask, *_SESSION), _judge_vainfo),
        ("gpu.vdpauinfo", "vdpauinfo: driver and decoders", (VDPAUINFO,), _judge_bridges),
        (
            "firefox.decoding",
            "Firefox's own test of the decoder, and its preferences",
            (
                firefox.test,
                firefox.POLICIES,
                firefox.FIREFOX_ENVIRONMENT,
                firefox.SESSION_ENVIRONMENT,
                firefox.FRESH_ENVIRONMENT,
                *_SESSION,
            ),
            firefox.judge,
        ),
    )
)
