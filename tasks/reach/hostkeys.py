"""The keys that a server may show, from all known_hosts files that count, or why there are none.

paramiko gets a ``Known``, made from entries that ``tasks.reach.known_hosts`` read. ``@revoked``
counts in every file. ``@cert-authority`` lines are read but allow no key, since paramiko cannot ask
for a certificate.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paramiko import HostKeys, PKey

from tasks.reach.known_hosts import AUTHORITY, REVOKED, KnownKey, encode, public_keys, read

#: Read in addition to the files that a connection names, as OpenSSH does.
GLOBAL = (Path("/etc/ssh/ssh_known_hosts"), Path("/etc/ssh/ssh_known_hosts2"))
USER = (Path("~/.ssh/known_hosts"), Path("~/.ssh/known_hosts2"))


def revocations(files: Iterable[Path]) -> str:
    """The ``@revoked`` lines of these files, as one file for OpenSSH. Raises InvalidInput."""
    paths = dict.fromkeys(path.expanduser() for path in files)
    revoked = [key for path in paths for key in read(path, only_revoked=True)]
    return "".join(f"{REVOKED} {encode(','.join(key.names), key)}\n" for key in revoked)


def _lookups(name: str) -> Iterator[tuple[str, ...]]:
    """The names of each lookup of a server, in order. The last name of a lookup is the name that a
    line with the key has to have; a line that revokes the key may have any of the names. As OpenSSH
    does, a server on another port than 22 is looked up without its port in a second lookup."""
    yield (name,)
    match = re.fullmatch(r"\[(.+)\]:[0-9]+", name)
    if match:
        yield (name, match[1])


def is_revoked(entries: Iterable[KnownKey], blob: bytes, names: Iterable[str]) -> bool:
    """Whether a line revokes this key for one of these names."""
    names = tuple(names)
    revoked = (entry for entry in entries if entry.marker == REVOKED and entry.blob == blob)
    return any(entry.matches(name) for entry in revoked for name in names)


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """The keys that a server may show; without keys, ``why`` not."""

    keys: tuple[PKey, ...] = ()
    why: str = ""


def standing(
    files: Iterable[Path],
    name: str,
    *,
    revoking: Iterable[Path] = (),
    revoked_keys: Path | None = None,
) -> Allowed:
    """The keys that the server ``name`` may show by these files. Raises InvalidInput.

    ``revoking``: further files whose ``@revoked`` lines count; ``revoked_keys``: a list of keys
    (``RevokedHostKeys``) that no server may show."""
    files = tuple(files)
    entries = [entry for file in files for entry in read(file)]
    more = dict.fromkeys(path.expanduser() for path in (*USER, *GLOBAL, *revoking))
    revoked = [
        *entries,
        *(one for file in more if file not in files for one in read(file, only_revoked=True)),
    ]
    listed = public_keys(revoked_keys) if revoked_keys else frozenset()
    for names in _lookups(name):
        known = [one for one in entries if one.key and not one.marker and one.matches(names[-1])]
        good = [
            one.key
            for one in known
            if one.key and one.blob not in listed and not is_revoked(revoked, one.blob, names)
        ]
        if good:
            return Allowed(keys=tuple(good))
        if known:
            return Allowed(why=f"the host key of {name} is marked as revoked; ask who runs it")
    places = ", ".join(str(path) for path in files if path not in GLOBAL)
    why = f"the host key of {name} is not known ({places})"
    for one in entries:
        if one.marker == AUTHORITY and any(
            one.matches(n) for names in _lookups(name) for n in names
        ):
            why += (
                f"; {one.place} has an authority for it, but certificates of hosts are not used "
                "here: trust the key of the server itself"
            )
            break
    return Allowed(why=why)


class _OneOf(PKey):
    """Several keys of one type in place of the single key that paramiko compares with."""

    def __init__(self, keys: tuple[PKey, ...]) -> None:
        self.keys = keys

    def __eq__(self, other: object) -> bool:
        return any(key == other for key in self.keys)

    __hash__ = None  # type: ignore[assignment]

    def asbytes(self) -> bytes:
        return bytes(self.keys[0].asbytes())


class Known(HostKeys):
    """The keys that each server on the way may show, by the name that paramiko looks up; pyinfra
    hands them to paramiko in place of the files."""

    def __init__(self, allowed: Mapping[str, Allowed]) -> None:
        super().__init__()
        self._allowed = allowed

    def lookup(self, hostname: str) -> Any:
        keys = self._allowed.get(hostname, Allowed()).keys
        types = dict.fromkeys(key.get_name() for key in keys)
        if not types:
            return None
        return _Types(
            {kind: _OneOf(tuple(k for k in keys if k.get_name() == kind)) for kind in types}
        )


class _Types(dict[str, PKey]):
    """Type of key -> the keys of that type. paramiko also indexes the types by number."""

    def keys(self) -> Any:
        return list(super().keys())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())
