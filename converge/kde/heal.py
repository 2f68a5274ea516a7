"""Bring a live KDE file and its chezmoi source to one text, and find the conflicts between them.

In: both files, their last common text (where it is still known), the digest of what chezmoi wrote
last, and the declared entries. Out: what each of the two files becomes, and the conflicts.

1. The live file is absent, or is byte for byte what chezmoi wrote last: the live file has no change
   that could be lost, so both files become the source.
2. The source is what chezmoi wrote last: both files become the live file, which KDE may change at
   any time.
3. Both files were changed. An entry that only one side changed is copied to the other side. An
   entry that both sides changed, or where nobody knows which side did, is a conflict: ``prefer``
   decides for one side, and without ``prefer`` each side keeps its own. Where chezmoi never wrote
   the live file, an entry that only one side has was added on that side.

The declared entries are always merged into both results. docs/kconfig.md has the rules in prose.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256

from converge.kde.back import Back, Identity, LineInForce, in_force, reading
from converge.kde.declared import Desired
from converge.kde.merge import EntryChange, KConfigError, merge
from converge.kde.taken import taken_back
from converge.kde.text import inner_name, read_spelling

_WORK = 40_000_000  # bytes that are read to copy entries, each of which reads its file: a minute


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """An entry that the live file and the source changed, each in its own way."""

    identity: Identity
    name: str  # for a person
    live: str
    source: str

    def __str__(self) -> str:
        return f"{self.name}: the live file has {self.live}, the source {self.source}"


@dataclass(frozen=True, kw_only=True)
class Healed:
    text: bytes  # what the live file becomes
    source: bytes  # what the source becomes: the same text, unless there is a conflict
    changes: tuple[EntryChange, ...] = ()  # declared entries that were not in force
    conflicts: tuple[Conflict, ...] = ()  # those that ``prefer`` did not decide


def heal(
    live: bytes | None,
    source: bytes | None,
    last_written: str | None,
    desired: Desired,
    *,
    base: bytes | None = None,
    prefer: str = "",
    live_name: str = "",
    source_name: str = "",
) -> Healed:
    """What both files become; ``live`` or ``source`` is None where there is no such file.

    ``last_written``: sha256 of the bytes that chezmoi wrote last, None if it never wrote; ``base``:
    these bytes, None where they are not known; ``prefer``: live, source or "". Raises KConfigError.
    """
    if source is None:
        merged = merge(live or b"", desired, name=live_name)
        return Healed(text=merged.text, source=merged.text, changes=merged.changes)
    if live is None or _sha256(live) == last_written:
        both = merge(source, desired, name=source_name)
        try:
            changes = merge(live or b"", desired).changes
        except KConfigError:  # the live file is malformed, and the source replaces it
            changes = both.changes
        return Healed(text=both.text, source=both.text, changes=changes)
    merged = merge(live, desired, name=live_name)
    changes = merged.changes
    open_conflicts = conflicts(live, source, last_written, base=base, prefer=prefer)
    if _untouched(live, source, last_written):
        return Healed(text=merged.text, source=merged.text, changes=changes)
    base = _base(base, last_written)
    undecided = {conflict.identity for conflict in open_conflicts}
    old, new, before = in_force(live), in_force(source), in_force(base or b"")
    differing = [
        entry for entry in {**old, **new} if reading(old.get(entry)) != reading(new.get(entry))
    ]
    to_live = [
        entry
        for entry in differing
        if entry not in undecided
        and (_changed(entry, old, new, None if base is None else before) or prefer) == "source"
    ]
    to_source = [entry for entry in differing if entry not in undecided and entry not in to_live]
    if len(to_live) * len(live) + len(to_source) * len(source) > _WORK:
        raise KConfigError(
            f"{live_name} and {source_name} differ in {len(differing)} entries, too many to be "
            "brought together",
            do="let chezmoi bring them together: chezmoi re-add keeps the live file, chezmoi apply "
            "the source",
        )
    text = _with(live, to_live, old, new)
    text = merge(text, desired, name=live_name).text
    if not undecided:
        return Healed(text=text, source=text, changes=changes)
    other = merge(_with(source, to_source, new, old), desired, name=source_name).text
    return Healed(text=text, source=other, changes=changes, conflicts=open_conflicts)


def conflicts(
    live: bytes | None,
    source: bytes | None,
    last_written: str | None,
    *,
    base: bytes | None = None,
    prefer: str = "",
) -> tuple[Conflict, ...]:
    """The entries that differ and that both sides changed, or may have changed. None of them where
    ``prefer`` decides."""
    if prefer or live is None or source is None or _sha256(live) == last_written:
        return ()
    if _untouched(live, source, last_written):
        return ()
    base = _base(base, last_written)
    old, new, before = in_force(live), in_force(source), in_force(base or b"")
    open_conflicts = []
    for entry in {**old, **new}:
        live_line, source_line = old.get(entry), new.get(entry)
        if reading(live_line) == reading(source_line) or _changed(
            entry, old, new, None if base is None else before
        ):
            continue
        open_conflicts.append(
            Conflict(
                identity=entry,
                name=Back(identity=entry, was=None, ours=None, default=None, new_group=False).name,
                live=_shown(live_line),
                source=_shown(source_line),
            )
        )
    return tuple(open_conflicts)


def touched(conflicts: Collection[Conflict], desired: Desired) -> tuple[Conflict, ...]:
    """The conflicts that are about a declared entry."""
    mine = {
        (inner_name(group), read_spelling(spelled)[0].encode())
        for group, keys in desired.items()
        for spelled in keys
    }
    return tuple(conflict for conflict in conflicts if conflict.identity[:2] in mine)


def _base(base: bytes | None, last_written: str | None) -> bytes | None:
    """The base to compare with: empty where chezmoi never wrote the file, so that an entry of only
    one side counts as added on that side."""
    return b"" if base is None and not last_written else base


def _untouched(live: bytes | None, source: bytes, last_written: str | None) -> bool:
    return source == live or _sha256(source) == last_written


def _changed(
    entry: Identity,
    live: Mapping[Identity, LineInForce],
    source: Mapping[Identity, LineInForce],
    base: Mapping[Identity, LineInForce] | None,
) -> str:
    """The side that changed an entry that differs: "live" or "source"; "" for both or unknown."""
    if base is not None and reading(live.get(entry)) == reading(base.get(entry)):
        return "source"
    if base is not None and reading(source.get(entry)) == reading(base.get(entry)):
        return "live"
    return ""


def _with(
    text: bytes,
    entries: list[Identity],
    now: Mapping[Identity, LineInForce],
    wanted: Mapping[Identity, LineInForce],
) -> bytes:
    """``text`` with these entries as the other side has them. ``now``: the lines in force in
    ``text``; ``wanted``: those of the other side."""
    return taken_back(
        text,
        [
            Back(
                identity=entry,
                was=wanted.get(entry),
                ours=now.get(entry),
                default=None,
                new_group=False,
            )
            for entry in entries
        ],
    ).text


def _shown(line: LineInForce | None) -> str:
    if line is None:
        return "no such entry"
    return "".join(c if c.isprintable() else "?" for c in line.line.decode(errors="replace"))


def _sha256(text: bytes) -> str:
    return sha256(text).hexdigest()
