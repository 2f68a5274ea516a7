"""Plan the entries of one KDE file: in the live file, and in its chezmoi source."""

from __future__ import annotations

import re
from collections.abc import Mapping

from converge.kde import back, chezmoi, heal, merge
from converge.plan.desired import KdeEntries
from converge.plan.plan import KEEP, Change, FileDrift, Refusal
from converge.plan.refusal import refuse
from converge.plan.snapshot import Managed, Snapshot
from converge.setting import Layer


def plan_kde(
    kde: KdeEntries,
    snapshot: Snapshot,
    changes: list[Change],
    drift: list[FileDrift],
    refusals: list[Refusal],
    warnings: list[str],
    entries: dict[str, Mapping[tuple[merge.Group, str], str]],
    prefer: str,
) -> None:
    """Add the changes, drift, refusals, warnings and entries of one KDE file to the given lists."""
    managed = snapshot.chezmoi.get(kde.path)
    place = snapshot.follows.get(kde.path, kde.path)  # a link is kept, and written through
    paths = dict.fromkeys((kde.path, place, *([managed.source] if managed else [])))
    found = [refusal for path in paths if (refusal := refuse(snapshot, path))]
    if found:
        refusals += found
        return
    live = snapshot.nodes.get(kde.path)
    source = snapshot.nodes.get(managed.source) if managed else None
    # With a modify_ script or a create_ file as its source, the live file alone is written.
    source_is_ours = managed is not None and chezmoi.classify(managed.source).plain
    try:
        healed = heal.heal(
            live.content if live else None,
            source.content if source and source_is_ours else None,
            managed.last_written if managed else None,
            kde.entries,
            base=managed.base if managed else None,
            prefer=prefer,
            live_name=kde.path,
            source_name=managed.source if managed else "",
        )
    except merge.KConfigError as error:
        what, do = (str(error), "mend the line by hand") if error.line else (error.what, error.do)
        refusals.append(Refusal(path=kde.path, what=what, fix=f"{do}, then run again"))
        return
    before = snapshot.written.entries.get(kde.path, {})
    drift += (_entry_drift(kde.path, drifted) for drifted in merge.drift(healed.changes, before))
    entries[kde.path] = _memory(before, merge.remembered(kde.entries))
    if managed and source and source_is_ours and source.content != (live and live.content):
        edits = merge.merge(source.content, kde.entries).changes
        drift += (_entry_drift(managed.source, drifted) for drifted in merge.drift(edits, before))
    warnings += (
        f"{kde.path} and {managed.source if managed else ''} were both changed: {conflict}; "
        f"each keeps its own until --data prefer=live or --data prefer=source decides"
        for conflict in healed.conflicts
    )
    # While a conflict keeps the two files apart, chezmoi's own record of the live file stays too.
    target = kde.path if source_is_ours and not healed.conflicts else ""
    if live is None or live.content != healed.text:
        changes.append(
            Change(
                path=place,
                layer=Layer.PLASMA,
                before=live.content if live else None,
                after=healed.text,
                # A new file gets the mode that chezmoi would give it.
                mode=_mode(snapshot, managed) if managed and live is None else KEEP,
                kde=True,
                keys=healed.changes,
                entries=back.changed(live.content if live else None, healed.text, kde.entries),
                link=kde.path if place != kde.path else "",
                chezmoi_target=target,
            )
        )
    if managed and source_is_ours and (source is None or source.content != healed.source):
        changes.append(
            Change(
                path=managed.source,
                layer=Layer.PLASMA,
                before=source.content if source else None,
                after=healed.source,
                entries=back.changed(
                    source.content if source else None, healed.source, kde.entries
                ),
                chezmoi_target=target,
            )
        )


def _mode(snapshot: Snapshot, managed: Managed) -> int:
    umask = snapshot.facts.get("umask", "")
    mask = int(umask, 8) if re.fullmatch("[0-7]{1,4}", umask) else 0o077
    return chezmoi.classify(managed.source).mode(umask=mask)


def _memory(
    before: Mapping[tuple[merge.Group, str], str], now: Mapping[tuple[merge.Group, str], str]
) -> dict[tuple[merge.Group, str], str]:
    """What was written before and now; ``k`` and ``k[$e]`` are the same key in two spellings."""
    known = {(group, key.partition("[$")[0]) for group, key in now}
    old = {k: v for k, v in before.items() if (k[0], k[1].partition("[$")[0]) not in known}
    return {**old, **now}


def _entry_drift(path: str, drift: merge.Drift) -> FileDrift:
    return FileDrift(
        path=path,
        what=f"{''.join(f'[{part}]' for part in drift.group)} {drift.key}",
        old="(deleted)" if drift.old is None else drift.old,
        found="(absent)" if drift.found is None else drift.found,
        wanted="(absent)" if drift.wanted is None else drift.wanted,
    )
