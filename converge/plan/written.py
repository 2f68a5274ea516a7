"""What the last run wrote on a workspace, kept there (``written.json``), so any controller goes on.

It is a record, not the truth: a damaged one is set aside and the machine itself is compared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from converge.limits import document, number

VERSION = 1
#: What of a change can be undone by itself; plasma and session share the files of one step.
PARTS = ("nixos", "home-manager", "plasma+session")
Group = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Proved:
    """When a phase was proved: the run, the boot, and the seconds since that boot."""

    run: str
    boot: str
    uptime_s: int


@dataclass(frozen=True, kw_only=True)
class Written:
    """``files``: path -> sha256. ``entries``: KDE file -> (group, key as declared) -> value.
    ``phases``: phase -> when it was proved. ``damaged``: the record was there but unreadable."""

    run: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    entries: Mapping[str, Mapping[tuple[Group, str], str]] = field(default_factory=dict)
    phases: Mapping[str, Proved] = field(default_factory=dict)
    damaged: bool = False

    @classmethod
    def parse(cls, content: bytes | None) -> Written:
        if content is None:
            return cls()
        try:
            data = document(content)
            if data["version"] != VERSION:
                raise ValueError("version")
            return cls(
                run=str(data["run"]),
                files={str(path): str(digest) for path, digest in data["files"].items()},
                entries={
                    str(path): {
                        (tuple(map(str, one["group"])), str(one["key"])): str(one["value"])
                        for one in entries
                    }
                    for path, entries in data["entries"].items()
                },
                phases={
                    str(phase): Proved(
                        run=str(one["run"]),
                        boot=str(one["boot"]),
                        uptime_s=number(str(one["uptime_s"])),
                    )
                    for phase, one in data["phases"].items()
                },
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls(damaged=True)

    def with_part(self, part: str, earlier: Written, *, home: str) -> Written:
        """The same with what ``earlier`` says of one part; a phase is proved where both say so."""
        entries = earlier.entries if part == "plasma+session" else self.entries
        rest = {path: one for path, one in self.files.items() if part_of(path, home) != part}
        theirs = {path: one for path, one in earlier.files.items() if part_of(path, home) == part}
        phases = {name: one for name, one in self.phases.items() if name in earlier.phases}
        return replace(self, files={**rest, **theirs}, entries=entries, phases=phases)

    def same(self, other: Written) -> bool:
        """Whether both say the same was written, whichever run wrote it."""
        return (
            self.files == other.files
            and self.entries == other.entries
            and self.phases.keys() == other.phases.keys()
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
            "phases": {phase: vars(one) for phase, one in sorted(self.phases.items())},
        }
        return (json.dumps(data, indent=1, sort_keys=True) + "\n").encode()


def part_of(path: str, home: str) -> str:
    """The part of a change that a written file belongs to."""
    if not path.startswith(f"{home}/"):
        return "nixos"
    ours = f"{home}/.local/share/workspace-tuning/"
    return "home-manager" if path.startswith(ours) else "plasma+session"
