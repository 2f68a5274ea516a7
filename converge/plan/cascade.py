"""The KDE files of one workspace with the system's files below them, and the locks in these.

In: a snapshot and the standings. Out: the standings, with each setting ``LOCKED`` that a lock keeps
at another value, so that the plan says so before anything is written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from converge.kde import lower
from converge.kde.declared import Desired, declared
from converge.plan.snapshot import Kind, Snapshot
from converge.plan.standing import Stand, Standing
from converge.setting import Layer, Setting


def _paths(snapshot: Snapshot, name: str) -> tuple[str, ...]:
    root = next(
        (path.removesuffix(lower.KDERC) for path in snapshot.lower if path.endswith(lower.KDERC)),
        "",
    )
    return lower.order(
        name,
        home_directory=snapshot.expand("~/.config"),
        directories=snapshot.config_dirs,
        kderc=root + lower.KDERC,
    )


def _text(snapshot: Snapshot, path: str) -> bytes | None:
    node = snapshot.nodes.get(path)
    if node is not None and node.kind is Kind.FILE:
        return node.content
    return snapshot.lower.get(path)


def below(snapshot: Snapshot, name: str) -> lower.Cascade:
    """The cascade of all files below the user's own ``~/.config/NAME``."""
    return lower.cascade(
        lower.CascadeFile(path=path, text=text)
        for path in _paths(snapshot, name)[:-1]
        if (text := _text(snapshot, path)) is not None
    )


def whole(snapshot: Snapshot, name: str) -> lower.Cascade:
    """The cascade of ``~/.config/NAME`` with all files below it."""
    *_, own = paths = _paths(snapshot, name)
    return lower.cascade(
        lower.CascadeFile(path=path, text=text, own=path == own)
        for path in paths
        if (text := _text(snapshot, path)) is not None
    )


def entries(setting: Setting) -> tuple[str, Desired]:
    """The name of the KDE file of a setting of the layer plasma, and its entries."""
    assert isinstance(setting.value, dict)
    return setting.value["file"], declared(setting.value["entries"])


def with_locks(snapshot: Snapshot, standings: Iterable[Standing]) -> tuple[Standing, ...]:
    """The standings, with each setting ``LOCKED`` that a lock keeps at another value."""
    result = []
    layered: dict[str, lower.Cascade] = {}  # several settings are in one file
    for standing in standings:
        if standing.in_force and standing.setting.layer is Layer.PLASMA:
            name, wanted = entries(standing.setting)
            if name not in layered:
                layered[name] = whole(snapshot, name)
            places = lower.locked(wanted, layered[name])
            if places:
                (_, key), place = next(iter(places.items()))
                why = f"{place}, locks {key}"
                standing = replace(standing, stand=Stand.LOCKED, why=why)
        result.append(standing)
    return tuple(result)
