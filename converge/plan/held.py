"""Settings that are left as they are because a file's chezmoi source is in the way of them.

In: a snapshot and where the settings stand. Out: the same with those held back whose file cannot be
kept in step with its source, or whose entry was changed on both sides and nobody decided; so that
this is said before anything is written, and the rest of the run goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from converge.kde import chezmoi, heal
from converge.plan.cascade import entries
from converge.plan.setting import Layer
from converge.plan.snapshot import Kind, Managed, Snapshot
from converge.plan.standing import Stand, Standing


def content(snapshot: Snapshot, path: str) -> bytes | None:
    """The bytes of a regular file, None where there is none."""
    node = snapshot.nodes.get(path)
    return node.content if node and node.kind is Kind.FILE else None


def in_the_way(managed: Managed) -> str:
    """Why a file that chezmoi manages, or may manage, is not written; "" if it is."""
    return managed.trouble or chezmoi.classify(managed.source).refused


def conflicts(snapshot: Snapshot, path: str, prefer: str) -> tuple[heal.Conflict, ...]:
    """What both sides of a KDE file changed, each in its own way, and nobody decided."""
    managed = snapshot.chezmoi.get(path)
    if managed is None or in_the_way(managed) or not chezmoi.classify(managed.source).plain:
        return ()
    return heal.conflicts(
        content(snapshot, path),
        content(snapshot, managed.source),
        managed.last_written,
        base=managed.base,
        prefer=prefer,
    )


def with_holds(
    snapshot: Snapshot, standings: Iterable[Standing], *, prefer: str
) -> tuple[Standing, ...]:
    """The standings, with those settings held back that a source is in the way of."""
    found = []
    for standing in standings:
        if standing.in_force and standing.setting.layer is Layer.PLASMA:
            why = _why(snapshot, standing, prefer)
            if why:
                standing = replace(standing, stand=Stand.HELD, why=why)
        found.append(standing)
    return tuple(found)


def _why(snapshot: Snapshot, standing: Standing, prefer: str) -> str:
    name, wanted = entries(standing.setting)
    path = snapshot.expand(f"~/.config/{name}")
    managed = snapshot.chezmoi.get(path)
    if managed is None:
        return ""
    if why := in_the_way(managed):
        return f"{path} is left as it is: {why}; or --data exclude={standing.setting.id}"
    both = heal.touched(conflicts(snapshot, path, prefer), wanted)
    if both:
        return f"{path} and {managed.source} were both changed: {both[0]}; {DECIDE}"
    return ""


#: How a person decides a conflict.
DECIDE = "--data prefer=live or --data prefer=source decides"
