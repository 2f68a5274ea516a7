"""The card that draws: how a probe finds the card, and whether it decodes what it should."""

from __future__ import annotations

from converge.hardware import graphics
from converge.proof.check import Context
from converge.subjects.video.codecs import Codecs
from converge.subjects.video.codecs import decodes as decodes_of

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
