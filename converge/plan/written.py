"""What the last run wrote and proved on a workspace, kept there (``written.json``), so that any
controller goes on.

The record is no truth: a damaged one is set aside, and the machine itself is compared. A record of
an older form is read for what was written; it proves nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from converge.limits import count, document
from converge.setting import Setting

VERSION = 2
OLDER = 1  # kept proof by phase, which one setting in force was enough for
#: What of a change can be undone by itself; plasma and session share the files of one step.
PARTS = ("nixos", "home-manager", "plasma+session")
Group = tuple[str, ...]

#: Effects (``converge.effect.Effect``) that leave nothing to prove.
PROVEN = frozenset({"effective", "not applicable", "the user's own choice"})
#: Of a setting that the user's own configuration sets otherwise.
OWN = "the user's own choice"
#: Of a setting that was changed and not looked at since.
NOT_LOOKED_AT = "unknown"


@dataclass(frozen=True, kw_only=True)
class SettingProof:
    """What was last found of one setting, and since when: the run, the boot, the seconds since
    that boot. ``digest``: of the setting as it was then (``digest_of``); ``waits``: what makes an
    effect known that is pending or unknown (``converge.effect.remedy``)."""

    effect: str
    run: str
    boot: str
    uptime_s: int
    digest: str
    waits: str = ""

    @property
    def holds(self) -> bool:
        """Whether nothing is left to prove. What only waits for a login or a reboot does not."""
        return self.effect in PROVEN


def digest_of(setting: Setting) -> str:
    """Sixteen hex digits: another value, layer or check of a setting has to be proved anew."""
    held = [setting.layer.value, setting.check, setting.value]
    return sha256(json.dumps(held, sort_keys=True, default=str).encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class LastWritten:
    """``files``: path -> sha256. ``entries``: KDE file -> (group, key as declared) -> value.
    ``settings``: setting -> what was last found of it; who is in there was let in. ``staged``: the
    last run was part of a staged rollout. ``older``, ``damaged``: the record was there, and proves
    nothing because of its form, or could not be read at all."""

    run: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    entries: Mapping[str, Mapping[tuple[Group, str], str]] = field(default_factory=dict)
    settings: Mapping[str, SettingProof] = field(default_factory=dict)
    staged: bool = False
    older: bool = False
    damaged: bool = False

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
        """The same with what ``earlier`` says of one part. Of the settings those are still let in
        that both know, with the same value."""
        entries = earlier.entries if part == "plasma+session" else self.entries
        rest = {path: one for path, one in self.files.items() if part_of(path, home) != part}
        theirs = {path: one for path, one in earlier.files.items() if part_of(path, home) == part}
        settings = {
            name: one
            for name, one in self.settings.items()
            if name in earlier.settings and earlier.settings[name].digest == one.digest
        }
        return replace(self, files={**rest, **theirs}, entries=entries, settings=settings)

    def same(self, other: LastWritten, *, proof: bool) -> bool:
        """Whether both say the same was written, and with ``proof`` found, whichever run it was."""
        return (
            self.files == other.files
            and self.entries == other.entries
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
            "settings": {name: vars(one) for name, one in sorted(self.settings.items())},
            "staged": self.staged,
        }
        return (json.dumps(data, indent=1, sort_keys=True) + "\n").encode()


def part_of(path: str, home: str) -> str:
    """The part of a change that a written file belongs to."""
    if not path.startswith(f"{home}/"):
        return "nixos"
    ours = f"{home}/.local/share/workspace-tuning/"
    return "home-manager" if path.startswith(ours) else "plasma+session"


def _proved(item: tuple[str, Mapping[str, Any]]) -> tuple[str, SettingProof]:
    name, one = item
    uptime_s = count(str(one["uptime_s"]))
    if uptime_s is None:
        raise ValueError("uptime_s")
    return str(name), SettingProof(
        effect=str(one["effect"]),
        run=str(one["run"]),
        boot=str(one["boot"]),
        uptime_s=uptime_s,
        digest=str(one["digest"]),
        waits=str(one.get("waits", "")),  # records until 2026-11 have none
    )
