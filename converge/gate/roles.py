"""Who draws: the graphics cards of a machine go in, the role of each comes out.

Found from the machine, never from a vendor's name:

1. A card that a driver keeps for a virtual machine is a guest's; one without a driver is unused.
2. Of the cards that are driven here, the one with a display on a connector draws. Where several
   have one, the one that the firmware drew on (``boot_vga``) does, else the one with the built-in
   panel.
3. Where no display is seen (switched off, or reached from elsewhere), a card that is alone draws;
   of several the one that the firmware drew on. Both rules end where a card that shows no
   connectors (NVIDIA's driver without mode setting) could be the one. One that is no display
   for the bus (a "3D controller", or one for computing) and has none cannot.
4. A server's console chip draws only what nobody else does: its driver calls the connector of its
   remote console connected, whether anybody looks or not. Where it would draw by rule 3 alone, with
   no display on it, its role is not known; whatever is driven beside it is there for offload.
5. Whatever else is driven is there for offload. Where nothing tells which one draws, no role is
   known for any of them.
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
