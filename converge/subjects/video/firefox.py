"""Checks whether Firefox decodes on the card that draws: preferences, its own test, its sandbox."""

from __future__ import annotations

from converge.effect import (
    Effect,
    Verdict,
    effective,
    not_applicable,
    not_effective,
    pending,
)
from converge.proof.check import ABSENT, MISSING, NOBODY, Answers, Ask, Context, value
from converge.setting import Setting
from converge.subjects.video import drawing, gpu
from converge.subjects.video.codecs import FIREFOX
from converge.subjects.workspace import system
from converge.subjects.workspace.generations import settle
from converge.text.limits import document

_X11_EGL = "gfx.x11-egl.force-enabled"
_SANDBOX_OFF = "MOZ_DISABLE_RDD_SANDBOX"
FIREFOX_ENVIRONMENT = Ask("environment", ("firefox", _SANDBOX_OFF))
SESSION_ENVIRONMENT = Ask("environment", ("session", _SANDBOX_OFF))
FRESH_ENVIRONMENT = Ask("fresh", (_SANDBOX_OFF,))
POLICIES = Ask("file", ("/etc/firefox/policies/policies.json",), machine=True)
#: The preferences that switch decoding on: since Firefox 137, and before.
_PREFERENCES = ("media.hardware-video-decoding.force-enabled", "media.ffmpeg.vaapi.enabled")
_ENABLED = "media.hardware-video-decoding.enabled"


def test(context: Context) -> Ask:
    return Ask("firefox", drawing.node(context), limit=20, machine=True)


def judge(context: Context, answers: Answers, setting: Setting) -> Verdict:
    reply = answers.reply(test(context))
    if reply.status == MISSING and reply.last_error == "firefox":
        return not_applicable("Firefox is not installed")
    if answers.reply(POLICIES).status == ABSENT:
        if value(setting)["forceBelow"] is None or _without_av1(context, setting):
            why = "the system does not configure Firefox (programs.firefox is off)"
            return not_applicable(why)
        return settle(context, answers, setting, _decoder(context, answers))
    live = _preferences(context, answers, setting)
    if live.effect is Effect.EFFECTIVE:
        live = _decoder(context, answers)
    return settle(context, answers, setting, live)


def _preferences(context: Context, answers: Answers, setting: Setting) -> Verdict:
    policies = document(answers.text(POLICIES))["policies"]
    found = policies.get("Preferences", {})
    expected = "decoding switched on"

    def is_set(name: str) -> object:
        one = found.get(name)
        return one.get("Value") if isinstance(one, dict) else one

    if policies.get("HardwareAcceleration") is False:
        return not_effective(
            "the policy HardwareAcceleration is off",
            expected=expected,
            reason="Firefox then draws and decodes on the CPU",
        )
    forced = value(setting)["forceBelow"] is None
    if not any(is_set(name) is True for name in _PREFERENCES) and is_set(_ENABLED) is False:
        return not_effective(f"{_ENABLED}=false", expected=expected)
    if forced and not any(is_set(name) is True for name in _PREFERENCES):
        return not_effective("no preference for decoding", expected=expected)
    if forced and "x11" in context.profile.facts and is_set(_X11_EGL) is not True:
        return not_effective(
            "Firefox is left to choose GLX",
            expected=f"{_X11_EGL}=true",
            reason="NVIDIA's VA-API driver hands its pictures over by EGL alone",
        )
    if _without_av1(context, setting) and is_set("media.av1.enabled") is not False:
        return not_effective(
            "AV1 is not switched off",
            expected="media.av1.enabled=false",
            reason="sites send AV1, which this GPU leaves to the CPU",
        )
    return effective("preferences are set", expected=expected)


def _without_av1(context: Context, setting: Setting) -> bool:
    card = context.profile.drawing
    return card is not None and (
        card.architecture in value(setting)["withoutAv1"]
        or card.pci_id in value(setting)["withoutAv1Ids"]
    )


def _decoder(context: Context, answers: Answers) -> Verdict:
    table = drawing.decodes(context)
    has, lacks = (
        frozenset(FIREFOX[name] for name in part if name in FIREFOX)
        for part in (table.has, table.lacks)
    )
    expected = f"Firefox decodes {' '.join(sorted(has))}"
    found = gpu.vaapitest(answers.text(test(context)))
    if (sandboxed := _sandboxed(context, answers)) is not None:
        return sandboxed
    reason = drawing.unlike(found, has, lacks)
    shown = f"Firefox decodes {' '.join(sorted(found)) or 'nothing'}"
    if reason:
        return not_effective(shown, expected=expected, reason=f"it {reason}")
    if other := drawing.other_driver(context, answers, expected):
        return other
    return effective(shown, expected=expected)


def _sandboxed(context: Context, answers: Answers) -> Verdict | None:
    """A verdict where Firefox's decoder cannot reach the GPU although its test can; or None.

    The test program runs without a sandbox. Firefox's decoding process has a sandbox, which keeps
    nvidia-vaapi-driver from the GPU (its README). The variables of a running Firefox decide, else
    those of the session, else those that the user's manager gives to a program now."""
    if "video-nvidia" not in context.profile.facts:
        return None  # the drivers of Mesa and Intel work in the sandbox
    expected = f"{_SANDBOX_OFF}=1 where Firefox starts"
    for ask in (FIREFOX_ENVIRONMENT, SESSION_ENVIRONMENT, FRESH_ENVIRONMENT):
        if answers.reply(ask).status in (MISSING, NOBODY):
            continue
        first = "fresh" if ask is FRESH_ENVIRONMENT else "process"
        found = system.environment(answers.good(ask).output, first).get(_SANDBOX_OFF)
        if found == "1":
            return None
        return not_effective(
            "Firefox's decoder runs in its sandbox",
            expected=expected,
            reason="nvidia-vaapi-driver does not work in there; video.firefox-sandbox takes the "
            "decoder out: --data include=video.firefox-sandbox",
        )
    return pending("seen once a desktop session runs", expected=expected)
