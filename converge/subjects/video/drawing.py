"""The card that draws: how a probe finds the card, and whether it decodes what it should."""

from __future__ import annotations

from dataclasses import replace

from converge.effect import Verdict, not_effective, pending
from converge.hardware import graphics
from converge.proof.check import MISSING, NOBODY, Answers, Ask, Context
from converge.subjects.video.codecs import Codecs
from converge.subjects.video.codecs import decodes as decodes_of
from converge.subjects.workspace import system

_DRIVER = "LIBVA_DRIVER_NAME"
SESSION_DRIVER = Ask("environment", ("session", _DRIVER))
FRESH_DRIVER = Ask("fresh", (_DRIVER,))

#: Fact of the profile -> libva's name of the driver, and a word in vainfo's name of it.
_DRIVERS = {
    "video-nvidia": ("nvidia", "NVDEC"),
    "video-mesa": ("radeonsi", "radeonsi"),
    "video-r600": ("r600", "r600"),
    "video-intel": ("iHD", "iHD driver"),
    "video-i965": ("i965", "i965 driver"),
}


def driver_names(context: Context) -> tuple[str, str]:
    """libva's name of the card's driver, and vainfo's word for it; empty where none is known."""
    facts = context.profile.facts
    return next((names for fact, names in _DRIVERS.items() if fact in facts), ("", ""))


def node(context: Context) -> tuple[str, ...]:
    """Arguments by which a probe finds the render node of the card that draws."""
    card = context.profile.drawing
    device = card.pci_id if card and card.pci_id else ""
    ids = {name: number for number, name in graphics.VENDORS.items()}
    number = device[:4] or ids.get(card.vendor if card else "", "")
    slot = card.slot if card and card.slot else ""
    return (f"0x{number}", f"0x{device[5:]}" if device else "", slot, driver_names(context)[0])


def other_driver(context: Context, answers: Answers, expected: str) -> Verdict | None:
    """A verdict where the session's programs load another driver than the probes; or None.

    The probes name the card's driver themselves, and libva follows the variable before anything
    else: that of the running session, and that of what the user's manager starts now."""
    right = (None, "", driver_names(context)[0])
    now, later = (_named(answers, ask) for ask in (SESSION_DRIVER, FRESH_DRIVER))
    wrong = next((name for name in (now, later) if name not in right), None)
    if wrong is None:
        return None
    shown = f"{_DRIVER}={wrong} in the session"
    if later is not None and later in right:
        return pending("the session is older: log in again", expected=expected, found=shown)
    reason = "by your own choice: its programs load that driver, and not the card's"
    return replace(not_effective(shown, expected=expected, reason=reason), own=True)


def _named(answers: Answers, ask: Ask) -> str | None:
    """The driver that the variables name; "" for none, None without a session or a manager."""
    if answers.reply(ask).status in (MISSING, NOBODY):
        return None
    first = "fresh" if ask is FRESH_DRIVER else "process"
    return system.environment(answers.good(ask).output, first).get(_DRIVER, "")


def decodes(context: Context) -> Codecs:
    """What the card that draws decodes, and what it does not."""
    card = context.profile.drawing
    return decodes_of(card) if card else Codecs(has=frozenset(), lacks=frozenset())


def unlike(found: frozenset[str], has: frozenset[str], lacks: frozenset[str]) -> str:
    """Why these codecs are not those of the GPU, or ""."""
    if missing := sorted(has - found):
        return f"does not decode {' '.join(missing)}"
    if strange := sorted(lacks & found):
        return f"claims {' '.join(strange)}, which this GPU cannot decode: another one answered"
    return ""
