"""The keys that a server may show, by all known_hosts files that count, or why it has none.

paramiko gets ``Known``, made of entries that ``tasks.reach.known_hosts`` read. ``@revoked`` counts
in every file. ``@cert-authority`` is understood and vouches for nobody: paramiko asks no server for
a certificate.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paramiko import HostKeys, PKey

from tasks.reach.known_hosts import AUTHORITY, REVOKED, KnownKey, encode, read

#: Read beside the files that a connection names, as OpenSSH does.
GLOBAL = (Path("/etc/ssh/ssh_known_hosts"), Path("/etc/ssh/ssh_known_hosts2"))
USER = (Path("~/.ssh/known_hosts"), Path("~/.ssh/known_hosts2"))


def revocations(files: Iterable[Path]) -> str:
    """The lines of these files that revoke a key, as one file for OpenSSH. Raises InvalidInput."""
    paths = dict.fromkeys(path.expanduser() for path in files)
    found = [one for path in paths for one in read(path, only_revoked=True)]
    return "".join(f"{REVOKED} {encode(','.join(one.names), one)}\n" for one in found)


def _lookups(name: str) -> Iterator[tuple[str, ...]]:
    """Under which names a server is looked up, one after the other: the last one of each is that of
    the line with its key, a line that revokes it may have any. OpenSSH looks for a server on
    another port than 22 without its port where it is not known with it."""
    yield (name,)
    match = re.fullmatch(r"\[(.+)\]:[0-9]+", name)
    if match:
        yield (name, match[1])


def is_revoked(entries: Iterable[KnownKey], blob: bytes, names: Iterable[str]) -> bool:
    """Whether a line says that this key of a server is not to be believed any more."""
    names = tuple(names)
    revoked = (entry for entry in entries if entry.marker == REVOKED and entry.blob == blob)
    return any(one.matches(name) for one in revoked for name in names)


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What the files say of one server: the keys that it may show, or ``why`` it has none."""

    keys: tuple[PKey, ...] = ()
    why: str = ""


def standing(files: Iterable[Path], name: str, *, revoking: Iterable[Path] = ()) -> Allowed:
    """What ``files`` say of the server ``name``. Raises InvalidInput.

    ``revoking``: further files of which the lines with ``@revoked`` count."""
    files = tuple(files)
    entries = [entry for file in files for entry in read(file)]
    more = dict.fromkeys(path.expanduser() for path in (*USER, *GLOBAL, *revoking))
    revoked = [
        *entries,
        *(one for file in more if file not in files for one in read(file, only_revoked=True)),
    ]
    for names in _lookups(name):
        known = [one for one in entries if one.key and not one.marker and one.matches(names[-1])]
        good = [one.key for one in known if one.key and not is_revoked(revoked, one.blob, names)]
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
    """Several keys of one type, in the place of the single one that paramiko compares."""

    def __init__(self, keys: tuple[PKey, ...]) -> None:
        self.keys = keys

    def __eq__(self, other: object) -> bool:
        return any(key == other for key in self.keys)

    __hash__ = None  # type: ignore[assignment]

    def asbytes(self) -> bytes:
        return bytes(self.keys[0].asbytes())


class Known(HostKeys):
    """What pyinfra gives to paramiko in place of the files: the keys that a server may show."""

    def __init__(self, files: Iterable[str], revoking: Iterable[Path]) -> None:
        super().__init__()
        self._files = [*(Path(one).expanduser() for one in files), *GLOBAL]
        self._revoking = tuple(revoking)

    def lookup(self, hostname: str) -> Any:
        keys = standing(self._files, hostname, revoking=self._revoking).keys
        types = dict.fromkeys(key.get_name() for key in keys)
        if not types:
            return None
        return _Types(
            {kind: _OneOf(tuple(k for k in keys if k.get_name() == kind)) for kind in types}
        )


class _Types(dict[str, PKey]):
    """Type of key -> the keys of that type. paramiko indexes the types, which a dict does not."""

    def keys(self) -> Any:
        return list(super().keys())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())
