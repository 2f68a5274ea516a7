"""Who draws: the graphics cards of a machine go in, the role of each comes out.

Found from the machine, never from a vendor's name:

1. A card that a driver keeps for a virtual machine is a guest's; one without a driver is unused.
2. Of the cards that are driven here, the one with a display on a connector draws. Where several
   have one, the one that the firmware drew on (``boot_vga``) does, else the one with the built-in
   panel.
3. Where no display is seen (switched off, or reached from elsewhere), a card that is alone draws;
   of several the one that the firmware drew on. Both rules end where a card that shows no
   connectors (NVIDIA's driver without mode setting) could be the one.
4. Whatever else is driven is there for offload. Where nothing tells which one draws, no role is
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
        else:
            found.append(DRAWS if index == drawing else OFFLOAD)
    return tuple(found)


def _drawing(gpus: Sequence[FoundGpu], driven: Sequence[int]) -> int | None:
    lit = [index for index in driven if gpus[index].connected]
    first = _only([index for index in driven if gpus[index].boot_vga])
    if len(driven) == 1:
        return driven[0]
    if len(lit) > 1:
        panel = [i for i in lit if any(name.startswith(_PANELS) for name in gpus[i].connected)]
        return first if first in lit else _only(panel)
    hidden = [index for index in driven if not gpus[index].connectors]
    if lit:
        return None if first in hidden else lit[0]
    doubt = [index for index in hidden if index != first]
    return None if first is None or (doubt and first not in hidden) else first


def _only(indexes: Sequence[int]) -> int | None:
    return indexes[0] if len(indexes) == 1 else None
