"""The user's own flakes as Nix reads them: by git, as a path, or why not at all.

In: the lines of ``remote/flakes.sh``. Out: one frozen ``Flake`` for each. Absent, unreadable and
failed are three things: only an absent flake, that nobody named and nothing was built from, means
that a layer does not apply.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from converge import limits

BEGIN, END = "flakes-read 1", "flakes-end"
#: What a path in a flake's url may hold as it is. Nix before 2.19 decodes no path of "path:".
_PLAIN = "/+@=,:~"
SCHEMES = ("git", "path", "absent", "unreadable", "failed")
_SHOWN = 6  # names of private files in a sentence


class FlakesError(ValueError):
    """The answer about the flakes is not whole, or not that program's."""


@dataclass(frozen=True, kw_only=True)
class Flake:
    """The user's own flake; ``scheme``: git, path, absent, unreadable or failed."""

    scheme: str
    digest: str
    directory: str
    within: str = ""  # sub-directory of the git repository
    untracked: tuple[str, ...] = ()  # *.nix files that Nix does not see
    marks: frozenset[str] = frozenset()  # shallow, submodules, other-submodules, impure
    private: tuple[str, ...] = ()  # what "path:" would copy although others may not read it
    private_more: int = 0
    times: str = ""  # digest of sizes and times, where a path was read
    why: tuple[str, ...] = ()  # the words of git or ours, where it cannot be read

    @property
    def present(self) -> bool:
        return self.scheme in ("git", "path")

    @property
    def impure(self) -> bool:
        """Whether Nix may read what lies outside of the flake (``--impure``)."""
        return "impure" in self.marks

    @property
    def url(self) -> str:
        """What ``--override-input base`` takes, percent-encoded. Always with a scheme: a bare path
        that lies in a git repository would silently become ``git+file:``."""
        place = quote(self.directory, safe=_PLAIN)
        if self.scheme != "git":
            return f"path:{place}"
        query = [f"dir={quote(self.within, safe='/')}"] if self.within else []
        query += [f"{mark}=1" for mark in ("shallow", "submodules") if mark in self.marks]
        return f"git+file://{place}" + ("?" + "&".join(query) if query else "")

    @property
    def seen(self) -> str:
        """All that decides what Nix reads, for the digest of a build's inputs."""
        return f"{self.url} {self.digest}" + (" impure" if self.impure else "")

    def fault(self, key: str) -> str:
        """Why the flake cannot be built on, and what to do; empty where it can or is absent.

        ``key``: the choice of the inventory that says how it is read."""
        if self.scheme in ("unreadable", "failed"):
            return "; ".join(line for line in map(str.strip, self.why) if line) or self.scheme
        return f"{self.shown}. To do: {self.remedy(key)}" if self.private else ""

    @property
    def shown(self) -> str:
        """What a copy into the store would show to everybody."""
        names = ", ".join(self.private[:_SHOWN])
        more = len(self.private) - len(self.private[:_SHOWN]) + self.private_more
        return (
            "Nix would copy all of the directory into its store, where every user can read it, "
            f"also what git leaves out or others may not read: {names}"
            + (f" and {more} more" if more else "")
            + "; nothing was copied"
        )

    def remedy(self, key: str) -> str:
        """What to do about it."""
        agree = "path,publish" if ".git" in self.private else "publish"
        return (
            f"move them away, or keep the flake in git without them, or agree: --data {key}={agree}"
        )


@dataclass
class _Found:
    scheme: str
    digest: str
    directory: str
    lists: dict[str, list[str]] = field(default_factory=dict)

    def flake(self) -> Flake:
        one: dict[str, Any] = {name: values[-1] for name, values in self.lists.items() if values}
        return Flake(
            scheme=self.scheme,
            digest=self.digest,
            directory=self.directory,
            within=one.get("flake_within", ""),
            times=one.get("flake_times", ""),
            untracked=tuple(self.lists.get("untracked", ())),
            marks=frozenset(self.lists.get("flake_mark", ())),
            private=tuple(self.lists.get("flake_private", ())),
            private_more=limits.number(one.get("flake_private_more", "0")),
            why=tuple(self.lists.get("flake_why", ())),
        )


_WORDS = frozenset(
    {"flake_within", "flake_mark", "flake_times", "flake_private", "flake_private_more"}
    | {"flake_why", "untracked"}
)


def parse(rows: Iterable[str]) -> Mapping[str, Flake]:
    """The flakes by name (system, home), from the lines between ``BEGIN`` and ``END``.

    Raises ``FlakesError`` for any line that is not of ``remote/flakes.sh``."""
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
    return {name: one.flake() for name, one in found.items()}
