"""Settings that are left as they are because their file, or its chezmoi source, is in the way.

In: a snapshot and where the settings stand. Out: the same with those held back whose file is a link
that is not written through, whose file cannot be kept in step with its source, or whose entry was
changed on both sides and nobody decided; so that this is said before anything is written, and the
rest of the run goes on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from converge.kde import chezmoi, heal, lower, merge
from converge.kde.declared import Desired
from converge.plan.cascade import below, entries
from converge.plan.desired import kde_entries, session_file
from converge.plan.snapshot import Kind, Managed, Snapshot
from converge.plan.standing import Stand, Standing
from converge.setting import Layer


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


def to_modify(snapshot: Snapshot, standings: Iterable[Standing]) -> Iterator[tuple[str, bytes]]:
    """Each KDE file that chezmoi makes with a modify_ source, and what it would hold after the run:
    whether the source leaves our entries alone is to be asked."""
    for kde in kde_entries(snapshot, standings):
        managed = snapshot.chezmoi.get(kde.path)
        if managed is None or in_the_way(managed):
            continue
        if chezmoi.classify(managed.source).kind is chezmoi.SourceKind.MODIFY:
            with contextlib.suppress(merge.KConfigError):  # planning refuses the file
                yield kde.path, merge.merge(content(snapshot, kde.path) or b"", kde.entries).text


def with_holds(
    snapshot: Snapshot, standings: Iterable[Standing], *, prefer: str
) -> tuple[Standing, ...]:
    """The standings, with those settings held back that a link or a source is in the way of."""
    found = []
    for standing in standings:
        if standing.in_force and standing.setting.layer in (Layer.PLASMA, Layer.SESSION):
            why = _linked(snapshot, standing) or _why(snapshot, standing, prefer)
            if why:
                standing = replace(standing, stand=Stand.HELD, why=why)
        found.append(standing)
    return tuple(found)


def _linked(snapshot: Snapshot, standing: Standing) -> str:
    """A link that leads out of the home, nowhere, or to what is not the user's own file."""
    setting = standing.setting
    if setting.layer is Layer.SESSION:
        path = snapshot.expand(session_file(setting)[0])
    else:
        path = snapshot.expand(f"~/.config/{entries(setting)[0]}")
    managed = snapshot.chezmoi.get(path)
    for one in (path, *([managed.source] if managed else [])):
        node = snapshot.nodes.get(one)
        if node is not None and node.kind is Kind.SYMLINK:
            target = PurePosixPath(one).parent / node.target
            return (
                f"{path} is left as it is: {one} is a symbolic link to {target}, which is not "
                f"written through; put a file in its place, or --data exclude={setting.id}"
            )
    return ""


def _why(snapshot: Snapshot, standing: Standing, prefer: str) -> str:
    if standing.setting.layer is not Layer.PLASMA:
        return ""
    name, wanted = entries(standing.setting)
    path = snapshot.expand(f"~/.config/{name}")
    managed = snapshot.chezmoi.get(path)
    if managed is None:
        return ""
    wanted = lower.over(wanted, below(snapshot, name))
    if why := in_the_way(managed):
        return f"{path} is left as it is: {why}; or --data exclude={standing.setting.id}"
    if why := _fought(snapshot, path, wanted, prefer):
        return f"{why}; or --data exclude={standing.setting.id}"
    both = heal.touched(conflicts(snapshot, path, prefer), wanted)
    if both:
        return f"{path} and {managed.source} were both changed: {both[0]}; {DECIDE}"
    return ""


def _fought(snapshot: Snapshot, path: str, wanted: Desired, prefer: str) -> str:
    """Why a file with a modify_ source is not written; "" where the source leaves ours alone."""
    made = snapshot.modified.get(path)
    if made is None or prefer == "live":
        return ""
    source = snapshot.chezmoi[path].source
    if isinstance(made, str):
        return f"{path} is left as it is: what {source} makes of it is not known: {made}"
    try:
        changes = merge.merge(made, wanted).changes
    except merge.KConfigError as error:
        return f"{path} is left as it is: {source} makes a file of it that is not KDE's: {error}"
    if not changes:
        return ""
    one = changes[0]
    name = f"{''.join(f'[{part}]' for part in one.group)} {one.key}"
    theirs = "no such entry" if one.found is None else f"{one.key}={one.found}"
    ours = "no such entry" if one.wanted is None else f"{one.key}={one.wanted}"
    return (
        f"{path}: its source {source} has {theirs} where this run has {ours} ({name}), at each "
        "apply; mend the source, or --data prefer=live writes the live file alone"
    )


#: How a person decides a conflict.
DECIDE = "--data prefer=live or --data prefer=source decides"
