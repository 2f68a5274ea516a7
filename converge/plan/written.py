"""``written.json`` on a workspace: what the last run wrote and proved, for any controller.

The record is a help, and the machine itself is always compared: a damaged record is set aside. A
record of an older form still tells what was written, but proves nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, TypeVar

from converge.setting import Setting
from converge.text.limits import count, document

VERSION = 2
OLDER = 1  # kept proof by phase, and one proved setting proved its whole phase
#: Parts of a change that can be undone each by itself; plasma and session are written in one step.
PARTS = ("nixos", "home-manager", "plasma+session")
Group = tuple[str, ...]
K = TypeVar("K")
V = TypeVar("V")

#: Effects (``converge.effect.Effect``) that leave nothing to prove.
PROVEN = frozenset({"effective", "not applicable", "the user's own choice"})
#: The effect of a setting that the user's own configuration sets otherwise.
OWN = "the user's own choice"
#: The effect of a setting that was changed and not looked at since.
NOT_LOOKED_AT = "unknown"


@dataclass(frozen=True, kw_only=True)
class SettingProof:
    """What was found last of one setting, and since when."""

    effect: str
    run: str  # that found the effect first
    boot: str  # id of the boot in which it did
    uptime_s: int  # seconds since that boot
    digest: str  # of the setting at that time (``digest_of``)
    waits: str = ""  # after what a pending or unknown effect is known (``converge.effect.remedy``)

    @property
    def never(self) -> bool:
        """Whether no run has looked at the setting since it was changed."""
        return self.effect == NOT_LOOKED_AT and not self.waits

    @property
    def holds(self) -> bool:
        """Whether nothing is left to prove. A pending effect does not hold."""
        return self.effect in PROVEN


def digest_of(setting: Setting) -> str:
    """Sixteen hex digits over value, layer and check: where they change, the proof is void."""
    held = [setting.layer.value, setting.check, setting.value]
    return sha256(json.dumps(held, sort_keys=True, default=str).encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class LastWritten:
    """The record of a workspace."""

    run: str = ""
    files: Mapping[str, str] = field(default_factory=dict)  # path -> sha256
    #: KDE file -> (group, key as declared) -> value
    entries: Mapping[str, Mapping[tuple[Group, str], str]] = field(default_factory=dict)
    settings: Mapping[str, SettingProof] = field(default_factory=dict)  # those that were let in
    staged: bool = False  # the last run was part of a staged rollout
    older: bool = False  # the record has an older form, so it proves nothing
    damaged: bool = False  # the record could not be read

    @classmethod
    def parse(cls, content: bytes | None) -> LastWritten:
        if content is None:
            return cls()
        try:
            data = document(content)
            if data["version"] not in (VERSION, OLDER):
                raise ValueError("version")
            older = data["version"] == OLDER
            return cls(
                run=str(data["run"]),
                files={str(path): str(digest) for path, digest in data["files"].items()},
                entries={
                    str(path): {
                        (tuple(map(str, entry["group"])), str(entry["key"])): str(entry["value"])
                        for entry in entries
                    }
                    for path, entries in data["entries"].items()
                },
                settings={} if older else dict(map(_proved, data["settings"].items())),
                staged=not older and data["staged"] is True,
                older=older,
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return cls(damaged=True)

    def with_part(self, part: str, earlier: LastWritten, *, home: str) -> LastWritten:
        """The record with one part as ``earlier`` has it: the part was undone by itself. Settings
        stay let in where both records have them with the same value."""
        entries = earlier.entries if part == "plasma+session" else self.entries
        rest = {path: sha for path, sha in self.files.items() if part_of(path, home) != part}
        theirs = {path: sha for path, sha in earlier.files.items() if part_of(path, home) == part}
        settings = {
            name: proof
            for name, proof in self.settings.items()
            if name in earlier.settings and earlier.settings[name].digest == proof.digest
        }
        return replace(self, files={**rest, **theirs}, entries=entries, settings=settings)

    def without(
        self, after: LastWritten, before: LastWritten, parts: Collection[str], *, home: str
    ) -> LastWritten:
        """The record without what a run added to these parts, which were undone while a later run
        was in force. ``before`` and ``after``: the records around that run. What was written or
        proved otherwise since stays."""
        files = dict(self.files)
        for path, sha in after.files.items():
            if part_of(path, home) in parts and before.files.get(path) != sha == files.get(path):
                _back(files, path, before.files)
        entries = {path: dict(held) for path, held in self.entries.items()}
        for path, held in after.entries.items() if "plasma+session" in parts else ():
            then = before.entries.get(path, {})
            for key, value in held.items():
                if then.get(key) != value == entries.get(path, {}).get(key):
                    _back(entries[path], key, then)
        settings = dict(self.settings)
        for name, proof in after.settings.items():
            then_proved, now = before.settings.get(name), settings.get(name)
            added = then_proved is None or then_proved.digest != proof.digest
            if added and now is not None and now.digest == proof.digest:
                del settings[name]
        held_entries = {path: held for path, held in entries.items() if held}
        return replace(self, files=files, entries=held_entries, settings=settings)

    def same(self, other: LastWritten, *, proof: bool) -> bool:
        """Whether ``other`` says that all of this was written and let in, and with ``proof`` that
        the same was found, whichever run it was."""
        let_in = all(
            name in other.settings and other.settings[name].digest == one.digest
            for name, one in self.settings.items()
        )
        return (
            self.files == other.files
            and self.entries == other.entries
            and let_in
            and (not proof or (self.settings == other.settings and self.staged == other.staged))
        )

    def encode(self) -> bytes:
        data = {
            "version": VERSION,
            "run": self.run,
            "files": dict(self.files),
            "entries": {
                path: [
                    {"group": list(group), "key": key, "value": value}
                    for (group, key), value in sorted(entries.items())
                ]
                for path, entries in self.entries.items()
            },
            "settings": {name: vars(proof) for name, proof in sorted(self.settings.items())},
            "staged": self.staged,
        }
        return (json.dumps(data, indent=1, sort_keys=True) + "\n").encode()


def _back(now: dict[K, V], key: K, then: Mapping[K, V]) -> None:
    """Give ``key`` the value of ``then``, or take it away."""
    if key in then:
        now[key] = then[key]
    else:
        del now[key]


def part_of(path: str, home: str) -> str:
    """The part of a change that a written file belongs to."""
    if not path.startswith(f"{home}/"):
        return "nixos"
    ours = f"{home}/.local/share/workspace-tuning/"
    return "home-manager" if path.startswith(ours) else "plasma+session"


def _proved(item: tuple[str, Mapping[str, Any]]) -> tuple[str, SettingProof]:
    name, held = item
    uptime_s = count(str(held["uptime_s"]))
    if uptime_s is None:
        raise ValueError("uptime_s")
    return str(name), SettingProof(
        effect=str(held["effect"]),
        run=str(held["run"]),
        boot=str(held["boot"]),
        uptime_s=uptime_s,
        digest=str(held["digest"]),
        waits=str(held.get("waits", "")),  # records until 2026-11 have no such field
    )
