"""Video on machines of every vendor: the card that draws is asked, by its own driver's name."""

from __future__ import annotations

import json

import pytest

from converge.effect import Effect
from converge.proof.check import DENIED, NOBODY, Context, Reply
from converge.subjects.video.codecs import decodes
from tests.gate.machines_page import NAMES, profile_of
from tests.proof import checks
from tests.proof.checks import IN_USE, Replies, failing, judge, questions
from tests.subjects import CASES
from tests.subjects.case import environment

#: Heads of vainfo's output as Mesa 25, iHD 25 and i965 2.4 print them.
DRIVERS = {
    "akane": "Mesa Gallium driver 25.2.6 for AMD Radeon RX 6700 XT (radeonsi, navi22, LLVM 20.1)",
    "suzume": "Intel iHD driver for Intel(R) Gen Graphics - 25.3.4 ()",
    "tsubame": "Intel iHD driver for Intel(R) Gen Graphics - 25.3.4 ()",
}
CODECS = ("H264High", "HEVCMain", "HEVCMain10", "VP9Profile0", "VP9Profile2", "AV1Profile0")

#: Nobody is logged in, so no program loads another driver than the card's.
NO_DESKTOP: Replies = {
    "environment": failing(NOBODY, "no desktop session"),
    "fresh": failing(NOBODY, "no user bus"),
}


def known(profile: str) -> Context:
    return checks.context(profile=profile)


def vainfo(driver: str, codecs: tuple[str, ...] = CODECS) -> str:
    rows = "".join(f"      VAProfile{name:<24}:\tVAEntrypointVLD\n" for name in codecs)
    return f"vainfo: VA-API version: 1.22\nvainfo: Driver version: {driver}\n{rows}"


@pytest.mark.parametrize(
    ("profile", "arguments"),
    [
        ("akane", ("0x1002", "0x73df", "", "radeonsi")),
        ("suzume", ("0x8086", "0x7d45", "", "iHD")),
        ("tsubame", ("0x8086", "0x46a6", "", "iHD")),  # and not its NVIDIA card
        ("shoshin", ("0x10de", "0x1401", "", "nvidia")),
    ],
)
def test_the_decoder_of_the_card_that_draws_is_asked(
    profile: str, arguments: tuple[str, ...]
) -> None:
    for check, probe in (
        ("video.vaapi-driver", "vainfo"),
        ("video.firefox", "firefox"),
        ("video.playback", "playback"),
    ):
        asked = [ask for ask in questions(check, known(profile)) if ask.probe == probe]
        assert [ask.arguments for ask in asked] == [arguments]


@pytest.mark.parametrize("profile", sorted(DRIVERS))
def test_vainfo_is_judged_by_the_driver_and_codecs_of_the_vendor(profile: str) -> None:
    driver, context = DRIVERS[profile], known(profile)

    def effect(text: str) -> Effect:
        replies = {**IN_USE, "vainfo": text, **NO_DESKTOP}
        return judge("video.vaapi-driver", replies, known=context).effect

    assert effect(vainfo(driver)) is Effect.EFFECTIVE
    assert effect(vainfo("VA-API NVDEC driver [direct backend]")) is Effect.NOT_EFFECTIVE
    assert effect(vainfo("Mesa Gallium driver (llvmpipe)")) is Effect.NOT_EFFECTIVE
    # A distribution's Mesa can lack codecs; then the card decodes what it could not.
    assert effect(vainfo(driver, CODECS[3:])) is Effect.NOT_EFFECTIVE


def test_a_codec_that_the_card_cannot_have_is_another_cards_answer() -> None:
    profile = profile_of("desktop-navi24")
    assert "AV1Profile0" in decodes(profile.gpus[0]).lacks
    other = profile_of("desktop-amd")
    assert "AV1Profile0" in decodes(other.gpus[0]).has


@pytest.mark.parametrize("profile", ["akane", "suzume"])
def test_firefox_needs_neither_preference_nor_open_sandbox_with_such_a_driver(
    profile: str,
) -> None:
    policies = json.dumps({"policies": {"Preferences": {}}})
    replies = {
        **IN_USE,
        ("file", "policies.json"): policies,
        "firefox": "VAAPI_SUPPORTED\nTRUE\nVAAPI_HWCODECS\n208\n",  # H.264, VP9, AV1
        **NO_DESKTOP,
    }
    finding = judge("video.firefox", replies, known=known(profile))
    assert (finding.effect, finding.reason) == (Effect.EFFECTIVE, "")
    off = {"media.hardware-video-decoding.enabled": {"Value": False}}
    shut = {**replies, ("file", "policies.json"): json.dumps({"policies": {"Preferences": off}})}
    assert judge("video.firefox", shut, known=known(profile)).effect is Effect.NOT_EFFECTIVE
    none = {**replies, "firefox": "VAAPI_SUPPORTED\nFALSE\n"}
    assert judge("video.firefox", none, known=known(profile)).effect is Effect.NOT_EFFECTIVE


@pytest.mark.parametrize("name", NAMES)
def test_every_card_that_draws_has_a_table_of_codecs(name: str) -> None:
    card = profile_of(name).drawing
    if card is None or "video" not in profile_of(name).facts:
        return
    table = decodes(card)
    assert "H264High" in table.has
    assert not table.has & table.lacks
    assert card.architecture is not None


def _driver(name: str, first: str) -> str:
    return environment(f"LIBVA_DRIVER_NAME={name}", first=first)


@pytest.mark.parametrize("check", ["video.vaapi-driver", "video.firefox"])
@pytest.mark.parametrize(
    ("session", "fresh", "effect"),
    [
        (_driver("vdpau", "process 9"), _driver("nvidia", "fresh"), Effect.PENDING),
        (_driver("vdpau", "process 9"), failing(NOBODY, "no user bus"), Effect.NOT_EFFECTIVE),
        (failing(NOBODY, "no desktop session"), _driver("vdpau", "fresh"), Effect.NOT_EFFECTIVE),
        (environment(), _driver("vdpau", "fresh"), Effect.NOT_EFFECTIVE),
        (failing(DENIED, "environ"), _driver("nvidia", "fresh"), Effect.UNKNOWN),
        (failing(NOBODY, "no session"), failing(NOBODY, "no user bus"), Effect.EFFECTIVE),
    ],
)
def test_a_decoder_is_effective_where_the_sessions_programs_load_it(
    check: str, session: Reply | str, fresh: Reply | str, effect: Effect
) -> None:
    """The probes name the card's driver themselves; the session may name another one."""
    name = "LIBVA_DRIVER_NAME"
    replies: Replies = {
        **CASES[check].good,
        ("environment", name): session,
        ("fresh", name): fresh,
    }
    finding = judge(check, replies)
    assert finding.effect is effect, finding
    assert finding.counts is (effect is not Effect.NOT_EFFECTIVE), "the user's own choice"
