"""The role of each graphics card. In: the cards of a machine. Out: which one draws, and the rest.

The machine's state decides, never a vendor's name:

1. A card whose driver keeps it for a virtual machine has the role guest; without a driver, unused.
2. Of the driven cards, the card with a connected display draws. Where several have a display, the
   card that the firmware drew on (``boot_vga``) draws, else the card with the built-in panel.
3. Where no card has a connected display (it is off, or the machine is used from elsewhere), the
   only driven card draws; of several, the card that the firmware drew on. A card that shows no
   connectors (NVIDIA's driver without mode setting) may have a display that is not seen: where such
   a card could be the one, no role is known. A card that is no display for the bus ("3D
   controller") and shows no connectors cannot draw.
4. The console chip of a server draws only where no other card has a display: its driver always
   calls the connector of the remote console connected. Where it would draw by rule 3, with no
   display, its role is unknown and the other driven cards are for offload.
5. All other driven cards are for offload. Where rules 2 to 4 do not tell which card draws, the role
   of every driven card is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence

from converge.gate.machine import FoundGpu
from converge.hardware import graphics

DRAWS, OFFLOAD, GUEST, UNUSED, UNKNOWN = "draws", "offload", "guest", "unused", "unknown"
_PANELS = ("eDP-", "LVDS-", "DSI-")


def roles(gpus: Sequence[FoundGpu]) -> tuple[str, ...]:
    """Return the role of each of ``gpus``, in their order."""
    driven = [index for index, gpu in enumerate(gpus) if graphics.drives(gpu.driver)]
    drawing = _drawing(gpus, driven)
    found = []
    for index, gpu in enumerate(gpus):
        if graphics.kept(gpu.driver):
            found.append(GUEST)
        elif index not in driven:
            found.append(UNUSED)
        elif drawing is None:
            found.append(UNKNOWN)
        elif index != drawing:
            found.append(OFFLOAD)
        else:
            dark = graphics.is_console(gpu.driver) and not gpu.connected
            found.append(UNKNOWN if dark else DRAWS)
    return tuple(found)


def _drawing(gpus: Sequence[FoundGpu], driven: Sequence[int]) -> int | None:
    able = [index for index in driven if gpus[index].is_display or gpus[index].connectors]
    cards = [index for index in able if not graphics.is_console(gpus[index].driver)]
    if any(gpus[index].connected for index in cards):
        able = cards
    lit = [index for index in able if gpus[index].connected]
    first = _only([index for index in able if gpus[index].boot_vga])
    if len(able) == 1:
        return able[0]
    if len(lit) > 1:
        panel = [i for i in lit if any(name.startswith(_PANELS) for name in gpus[i].connected)]
        return first if first in lit else _only(panel)
    hidden = [index for index in able if not gpus[index].connectors]
    if lit:
        console = bool(hidden) and graphics.is_console(gpus[lit[0]].driver)
        return None if first in hidden or console else lit[0]
    doubt = [index for index in hidden if index != first]
    return None if first is None or (doubt and first not in hidden) else first


def _only(indexes: Sequence[int]) -> int | None:
    return indexes[0] if len(indexes) == 1 else None
