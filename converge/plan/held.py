"""Settings that a run leaves as they are because of their file or the file's chezmoi source.

In: a snapshot and the standings. Out: the standings, with a setting ``HELD`` where its file is a
link that is not written through, or the user's own; where its file cannot be kept in step with the
source; or where both sides changed its entry and nobody decided. The plan says so before anything
is written, and the rest of the run goes on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from converge.kde import chezmoi, heal, lower, merge
from converge.kde.declared import Desired
from converge.plan.cascade import below, entries
from converge.plan.desired import kde_entries
from converge.plan.layers import MADE_BY, session_file
from converge.plan.snapshot import Kind, Managed, Snapshot
from converge.plan.standing import Stand, Standing
from converge.setting import Layer, Setting

#: Begins the words that leave one setting out; what is before, all settings of a file share.
OTHERWISE = "; or --data "


def content(snapshot: Snapshot, path: str) -> bytes | None:
    """The bytes of the regular file at ``path``, or None."""
    node = snapshot.nodes.get(path)
    return node.content if node and node.kind is Kind.FILE else None


def in_the_way(managed: Managed) -> str:
    """Why a file that chezmoi manages, or may manage, cannot be written, or the empty string."""
    return managed.trouble or chezmoi.classify(managed.source).refused


def not_known(snapshot: Snapshot, setting: Setting) -> bool:
    """Whether a setting is held back because chezmoi failed, which is nobody's choice."""
    if setting.layer is not Layer.PLASMA:
        return False
    managed = snapshot.chezmoi.get(snapshot.expand(f"~/.config/{entries(setting)[0]}"))
    return managed is not None and managed.failed


def conflicts(snapshot: Snapshot, path: str, prefer: str) -> tuple[heal.Conflict, ...]:
    """The conflicts between a KDE file and its chezmoi source that ``prefer`` does not decide."""
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
    """Yield path and planned bytes of each KDE file with a modify_ source: the run has to ask
    chezmoi whether the source leaves our entries alone (``remote/modified.sh``)."""
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
    """The standings, with each setting ``HELD`` whose file or source is in the way."""
    result = []
    for standing in standings:
        if standing.in_force and standing.setting.layer in (Layer.PLASMA, Layer.SESSION):
            why = _linked(snapshot, standing) or _theirs(snapshot, standing)
            why = why or _why(snapshot, standing, prefer)
            if why:
                standing = replace(standing, stand=Stand.HELD, why=why)
        result.append(standing)
    return tuple(result)


def _linked(snapshot: Snapshot, standing: Standing) -> str:
    """Why the file of a setting is not written because it, or its source, is a symbolic link; or
    the empty string. (Links that a run follows are read as files: ``Snapshot.follows``.)"""
    setting = standing.setting
    if setting.layer is Layer.SESSION:
        path = snapshot.expand(session_file(setting)[0])
    else:
        path = snapshot.expand(f"~/.config/{entries(setting)[0]}")
    managed = snapshot.chezmoi.get(path)
    for place in (path, *([managed.source] if managed else [])):
        node = snapshot.nodes.get(place)
        if node is not None and node.kind is Kind.SYMLINK:
            target = PurePosixPath(place).parent / node.target
            return (
                f"{path} is left as it is: {place} is a symbolic link to {target}, which is not "
                f"written through; put a file in its place, or --data exclude={setting.id}"
            )
    return ""


def _theirs(snapshot: Snapshot, standing: Standing) -> str:
    """Why the file of a session setting is not written because it is the user's own, or ""."""
    setting = standing.setting
    if setting.layer is not Layer.SESSION:
        return ""
    path = snapshot.expand(session_file(setting)[0])
    found = content(snapshot, path)
    if not found or path in snapshot.written.files or MADE_BY in found.partition(b"\n")[0]:
        return ""
    return (
        f"{path} is left as it is: it is a file of yours; give it another name, or "
        f"--data exclude={setting.id}"
    )


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
        return f"{path} is left as it is: {why}{OTHERWISE}exclude={standing.setting.id}"
    if why := _fought(snapshot, path, wanted, prefer):
        return f"{why}; or --data exclude={standing.setting.id}"
    both = heal.touched(conflicts(snapshot, path, prefer), wanted)
    if both:
        return f"{path} and {managed.source} were both changed: {both[0]}; {DECIDE}"
    return ""


def _fought(snapshot: Snapshot, path: str, wanted: Desired, prefer: str) -> str:
    """Why a file is not written whose modify_ source would change our entries; or ""."""
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
    change = changes[0]
    name = f"{''.join(f'[{part}]' for part in change.group)} {change.key}"
    theirs = "no such entry" if change.found is None else f"{change.key}={change.found}"
    ours = "no such entry" if change.wanted is None else f"{change.key}={change.wanted}"
    return (
        f"{path}: its source {source} has {theirs} where this run has {ours} ({name}), at each "
        "apply; mend the source, or --data prefer=live writes the live file alone"
    )


#: How a person decides a conflict.
DECIDE = "--data prefer=live or --data prefer=source decides"
