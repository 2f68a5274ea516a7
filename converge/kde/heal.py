"""One text for a live KDE file and for its chezmoi source: who wins where they differ.

In: both files, the text that both were once (where it is still known), what chezmoi wrote last, and
the declared entries. Out: what each of the two becomes, and the entries that both sides changed.

1. The live file is absent, or is byte for byte what chezmoi wrote last: nothing in it can be lost,
   so the source is the base, and an edit that was pulled there gets through.
2. The source is what chezmoi wrote last: the live file wins, KDE changes it while nobody looks.
3. Both were changed. Each entry that only one side changed goes to the other. An entry that both
   changed, or of which that is not known, is a conflict (where chezmoi never wrote the live file,
   what only one side has was added there): a person decides (``prefer``); until then
   each side keeps its own.

The declared entries are merged into the results, always. docs/kconfig.md tells the rules in prose.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256

from converge.kde.back import Back, Identity, LineInForce, in_force, reading
from converge.kde.declared import Desired
from converge.kde.merge import EntryChange, KConfigError, merge
from converge.kde.taken import taken_back
from converge.kde.text import SEPARATOR, read_spelling

#: What ``prefer`` may say.
SIDES = ("live", "source")


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
    source: bytes  # what the source becomes; the same, unless there is a conflict
    changes: tuple[EntryChange, ...] = ()  # what was not in force in the live file
    conflicts: tuple[Conflict, ...] = ()  # that nobody decided


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
    """What both files become. None: there is no such file, or it is not known.

    ``last_written``: sha256 of what chezmoi wrote last; ``base``: those bytes. Raises KConfigError.
    """
    if source is None:
        merged = merge(live or b"", desired, name=live_name)
        return Healed(text=merged.text, source=merged.text, changes=merged.changes)
    if live is None or _sha256(live) == last_written:
        both = merge(source, desired, name=source_name)
        try:
            changes = merge(live or b"", desired).changes
        except KConfigError:  # the edit in the source is what repairs the live file
            changes = both.changes
        return Healed(text=both.text, source=both.text, changes=changes)
    merged = merge(live, desired, name=live_name)
    changes = merged.changes
    found = conflicts(live, source, last_written, base=base, prefer=prefer)
    if _untouched(live, source, last_written):
        return Healed(text=merged.text, source=merged.text, changes=changes)
    base = _base(base, last_written)
    undecided = {one.identity for one in found}
    old, new, before = in_force(live), in_force(source), in_force(base or b"")
    differing = [one for one in {**old, **new} if reading(old.get(one)) != reading(new.get(one))]
    to_live = [
        one
        for one in differing
        if one not in undecided
        and (_changed(one, old, new, None if base is None else before) or prefer) == "source"
    ]
    text = _with(live, to_live, old, new)
    text = merge(text, desired, name=live_name).text
    if not undecided:
        return Healed(text=text, source=text, changes=changes)
    to_source = [one for one in differing if one not in undecided and one not in to_live]
    other = merge(_with(source, to_source, new, old), desired, name=source_name).text
    return Healed(text=text, source=other, changes=changes, conflicts=found)


def conflicts(
    live: bytes | None,
    source: bytes | None,
    last_written: str | None,
    *,
    base: bytes | None = None,
    prefer: str = "",
) -> tuple[Conflict, ...]:
    """The entries that both sides changed, or may have changed, each in its own way."""
    if prefer or live is None or source is None or _sha256(live) == last_written:
        return ()
    if _untouched(live, source, last_written):
        return ()
    base = _base(base, last_written)
    old, new, before = in_force(live), in_force(source), in_force(base or b"")
    found = []
    for one in {**old, **new}:
        if reading(old.get(one)) == reading(new.get(one)) or _changed(
            one, old, new, None if base is None else before
        ):
            continue
        name = Back(identity=one, was=None, ours=None, default=None, new_group=False).name
        found.append(
            Conflict(
                identity=one, name=name, live=_shown(old.get(one)), source=_shown(new.get(one))
            )
        )
    return tuple(found)


def touched(found: Collection[Conflict], desired: Desired) -> tuple[Conflict, ...]:
    """Those of the conflicts that are about a declared entry."""
    mine = {
        (SEPARATOR.join(group).encode(), read_spelling(spelled)[0].encode())
        for group, keys in desired.items()
        for spelled in keys
    }
    return tuple(one for one in found if one.identity[:2] in mine)


def _base(base: bytes | None, last_written: str | None) -> bytes | None:
    """Where chezmoi never wrote the file, what only one side has was added there."""
    return b"" if base is None and not last_written else base


def _untouched(live: bytes | None, source: bytes, last_written: str | None) -> bool:
    return source == live or _sha256(source) == last_written


def _changed(
    one: Identity,
    live: Mapping[Identity, LineInForce],
    source: Mapping[Identity, LineInForce],
    base: Mapping[Identity, LineInForce] | None,
) -> str:
    """Which side changed an entry in which both differ; "" where both did, or nobody knows."""
    if base is not None and reading(live.get(one)) == reading(base.get(one)):
        return "source"
    if base is not None and reading(source.get(one)) == reading(base.get(one)):
        return "live"
    return ""


def _with(
    text: bytes,
    entries: list[Identity],
    now: Mapping[Identity, LineInForce],
    wanted: Mapping[Identity, LineInForce],
) -> bytes:
    """``text`` with these entries as the other side has them."""
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


def _shown(one: LineInForce | None) -> str:
    if one is None:
        return "no such entry"
    return "".join(c if c.isprintable() else "?" for c in one.line.decode(errors="replace"))


def _sha256(text: bytes) -> str:
    return sha256(text).hexdigest()
