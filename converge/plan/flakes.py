"""The user's own flakes: whether Nix reads each by git or as a path, or why it cannot.

In: the lines of ``remote/flakes.sh``. Out: one frozen ``Flake`` for each. A flake can be absent,
unreadable or failed. A layer does not apply only where its flake is absent, nobody named the flake
and the layer was never built.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from converge.text import limits

BEGIN, END = "flakes-read 1", "flakes-end"
#: Characters that stay unescaped in a flake's URL. Nix before 2.19 does not decode "path:" URLs.
_PLAIN = "/+@=,:~"
SCHEMES = ("git", "path", "absent", "unreadable", "failed")
_SHOWN = 6  # names of private files in a sentence


class FlakesError(ValueError):
    """The lines are incomplete, or they are not from ``remote/flakes.sh``."""


@dataclass(frozen=True, kw_only=True)
class Flake:
    """One flake of the user's. ``scheme``: git, path, absent, unreadable or failed."""

    scheme: str
    digest: str
    directory: str
    within: str = ""  # sub-directory of the git repository
    untracked: tuple[str, ...] = ()  # *.nix files that Nix does not see
    marks: frozenset[str] = frozenset()  # shallow, submodules, other-submodules, impure, config
    private: tuple[str, ...] = ()  # files that "path:" would make readable for every user
    private_more: int = 0  # how many more of them there are
    also: tuple[str, ...] = ()  # files that git tracks, although they are not for every user
    also_more: int = 0  # how many more of them there are
    times: str = ""  # digest of sizes and times, for the scheme path
    why: tuple[str, ...] = ()  # why the flake cannot be read, in words of git or of the program

    @property
    def present(self) -> bool:
        return self.scheme in ("git", "path")

    @property
    def impure(self) -> bool:
        """Whether Nix may read files outside of the flake (``--impure``)."""
        return "impure" in self.marks

    @property
    def url(self) -> str:
        """The URL for ``--override-input base``, percent-encoded. It always has a scheme, because
        Nix reads a bare path in a git repository as ``git+file:``."""
        place = quote(self.directory, safe=_PLAIN)
        if self.scheme != "git":
            return f"path:{place}"
        query = [f"dir={quote(self.within, safe='/')}"] if self.within else []
        query += [f"{mark}=1" for mark in ("shallow", "submodules") if mark in self.marks]
        return f"git+file://{place}" + ("?" + "&".join(query) if query else "")

    @property
    def seen(self) -> str:
        """A text that changes whenever Nix would read something else: for a build's inputs."""
        return f"{self.url} {self.digest}" + (" impure" if self.impure else "")

    def fault(self, key: str) -> str:
        """Why no layer can be built on the flake, and what to do; empty where one can, and where
        the flake is absent. ``key``: the choice that says how the flake is read."""
        if self.scheme in ("unreadable", "failed"):
            words = "; ".join(line for line in map(str.strip, self.why) if line)
            return words.replace(":; ", ": ") or self.scheme  # a line before a command
        return f"{self.shown}. To do: {self.remedy(key)}" if self.private else ""

    @property
    def shown(self) -> str:
        """A sentence: which private files a copy into the store would show to every user."""
        return (
            "Nix would copy all of the directory into its store, where every user can read it, "
            "also what git leaves out or others may not read: "
            f"{_first(self.private, self.private_more)}; nothing was copied"
        )

    def notes(self, key: str) -> Iterator[str]:
        """What Nix does with the flake that its user may not expect, and what to do."""
        for name in self.untracked:
            yield f"{self.directory}/{name} is not tracked by git: Nix does not see it"
        if "other-submodules" in self.marks:
            yield (
                f"{self.directory} has git submodules, which Nix leaves out; to have them read: "
                f"--data {key}=submodules"
            )
        if self.also:
            yield (
                f"{self.directory}: git tracks {_first(self.also, self.also_more)}, so Nix copies "
                "that into its store, where every user can read it, although git ignores or "
                "encrypts it or others may not read it; to keep it out: git rm --cached FILE; to "
                f"agree: --data {key}=publish"
            )
        if "config" in self.marks:
            yield (
                f"{self.directory}: the nixConfig of flake.nix is left out, since Nix reads that "
                "of the one flake that it builds; put what it says into nix.settings or nix.conf"
            )

    def remedy(self, key: str) -> str:
        """What to do about private files. ``key``: the choice that says how the flake is read."""
        agree = "path,publish" if ".git" in self.private else "publish"
        return (
            f"move them away, or keep the flake in git without them, or agree: --data {key}={agree}"
        )


def _first(names: tuple[str, ...], further: int) -> str:
    more = len(names) - len(names[:_SHOWN]) + further
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more else "")


@dataclass
class _Found:
    scheme: str
    digest: str
    directory: str
    lists: dict[str, list[str]] = field(default_factory=dict)

    def flake(self) -> Flake:
        last: dict[str, Any] = {name: values[-1] for name, values in self.lists.items() if values}
        return Flake(
            scheme=self.scheme,
            digest=self.digest,
            directory=self.directory,
            within=last.get("flake_within", ""),
            times=last.get("flake_times", ""),
            untracked=tuple(self.lists.get("untracked", ())),
            marks=frozenset(self.lists.get("flake_mark", ())),
            private=tuple(self.lists.get("flake_private", ())),
            private_more=limits.number(last.get("flake_private_more", "0")),
            also=tuple(self.lists.get("flake_also", ())),
            also_more=limits.number(last.get("flake_also_more", "0")),
            why=tuple(self.lists.get("flake_why", ())),
        )


_WORDS = frozenset(
    {"flake_within", "flake_mark", "flake_times", "flake_private", "flake_private_more"}
    | {"flake_also", "flake_also_more", "flake_why", "untracked"}
)


def parse(rows: Iterable[str]) -> Mapping[str, Flake]:
    """The flakes by name (system, home), from the lines between ``BEGIN`` and ``END``.

    Raises ``FlakesError`` for a line that ``remote/flakes.sh`` does not print."""
    found: dict[str, _Found] = {}
    for row in rows:
        word, _, rest = row.partition(" ")
        name, _, value = rest.partition(" ")
        if word == "flake":
            scheme, digest, directory = value.split(" ", 2)
            if scheme not in SCHEMES or not directory:
                raise FlakesError(f"a flake of the scheme {scheme[:20]!r}")
            found[name] = _Found(scheme, digest, directory)
        elif word in _WORDS and name in found:
            found[name].lists.setdefault(word, []).append(value)
        else:
            raise FlakesError(f"an unknown line about flakes: {word[:40]!r}")
    return {name: read.flake() for name, read in found.items()}
