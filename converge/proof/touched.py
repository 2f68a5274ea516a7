"""What a change can have touched: only this is asked after the change, and only this can undo it.

In: the layers and files that a plan changes. Out: ``Touched``, the ids of settings and items.

| changed | settings that are asked | items that are asked |
|---|---|---|
| NixOS layer | all | all |
| home-manager layer | those of every layer but ``nixos`` | those that name the layer |
| files of ``session`` | all of ``session`` | those that name the layer |
| ``kwinrc``, ``kdeglobals`` | the rows of both: KWin reads both again | those that name the layer |
| ``baloofilerc`` | its rows | those that name the layer |

An item names the layers that can change its answer (``Item.touched_by``). An item that names all
layers has to hold after any change: the two service managers run and have no new failed unit,
nothing crashed or ran out of memory, KWin composites.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from converge.proof.check import Item
from converge.setting import Layer, Setting

#: Layer that changed -> layers whose settings can have another effect after it.
REACH: Mapping[Layer, frozenset[Layer]] = {
    Layer.NIXOS: frozenset(Layer),
    Layer.HOME_MANAGER: frozenset(Layer) - {Layer.NIXOS},
    Layer.SESSION: frozenset({Layer.SESSION}),
    Layer.PLASMA: frozenset(),  # by file, see below
}
#: KDE files that one program reads together.
TOGETHER = (frozenset({"kwinrc", "kdeglobals"}), frozenset({"baloofilerc"}))


@dataclass(frozen=True, kw_only=True)
class Touched:
    settings: frozenset[str]
    items: frozenset[str]

    def has(self, check: str, setting: str) -> bool:
        """Whether the change can have touched what this check, or this setting, is about."""
        return setting in self.settings if setting else check in self.items


def touched(
    layers: frozenset[Layer],
    kde_files: Iterable[str],
    settings: Iterable[Setting],
    items: Iterable[Item],
) -> Touched:
    """What a run can have touched. ``layers``: the layers that it changes; ``kde_files``: names of
    the KDE files that it changes."""
    reached: frozenset[Layer] = frozenset().union(*(REACH[layer] for layer in layers))
    names = frozenset(kde_files)
    files = frozenset().union(*(group for group in TOGETHER if group & names))
    return Touched(
        settings=frozenset(
            setting.id
            for setting in settings
            if setting.layer in reached
            or (isinstance(setting.value, Mapping) and setting.value.get("file") in files)
        ),
        items=frozenset(item.id for item in items if item.touched_by & layers),
    )
