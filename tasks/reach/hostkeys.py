"""Known host keys, read strictly: a known_hosts file goes in, entries or problems come out.

OpenSSH and paramiko pass over a line that they cannot read; paramiko 4.0 gives up the rest of the
file at some of them (github.com/paramiko/paramiko/pull/1990), so that a host behind it counts as
unknown. Here a line that is not understood is a problem, and nothing is connected.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from paramiko import PKey
from paramiko.pkey import UnknownKeyType

from converge.problem import InvalidInput, Problem, hidden_characters, shown

MARKERS = ("@cert-authority", "@revoked")
LIMIT = 4 * 1024 * 1024  # bytes of a file
ADVICE = "mend or remove the line; sshd(8) has the form under SSH_KNOWN_HOSTS FILE FORMAT"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line. ``blob`` is the public key as SSH sends it."""

    names: tuple[str, ...]
    type: str
    blob: bytes
    marker: str = ""
    usable: bool = True  # whether paramiko knows this type of key

    def covers(self, name: str) -> bool:
        """Whether paramiko finds this line for ``name``; it knows no patterns."""
        return any(_same(one, name) for one in self.names)

    def matches(self, name: str) -> bool:
        """The same as OpenSSH understands it, with patterns."""
        if any(fnmatchcase(name, one[1:]) for one in self.names if one.startswith("!")):
            return False
        return self.covers(name) or any(
            fnmatchcase(name, one) for one in self.names if not one.startswith("|")
        )


def fingerprint(blob: bytes) -> str:
    """As ``ssh-keygen -l`` prints it."""
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode()
    return f"SHA256:{digest.rstrip('=')}"


def host_name(host: str, port: int) -> str:
    """The name of a server in known_hosts: with its port where that is not 22."""
    return host if port == 22 else f"[{host}]:{port}"


def encode(name: str, key: Entry) -> str:
    """The line of a known_hosts file for a server, without a line end."""
    return f"{name} {key.type} {base64.b64encode(key.blob).decode()}"


def read(path: Path) -> tuple[Entry, ...]:
    """The entries of a file; none where there is no file. Raises InvalidInput."""
    try:
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            content = stream.read(LIMIT + 1)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise InvalidInput(
            [Problem(str(path), 0, 0, "", f"cannot be read: {error.strerror}", "see its mode")]
        ) from error
    if len(content) > LIMIT:
        raise InvalidInput([Problem(str(path), 0, 0, "", "is larger than 4 MiB", "clean it up")])
    if status.st_mode & stat.S_IWOTH:
        hint = f"chmod o-w {path}, and look through its lines"
        raise InvalidInput([Problem(str(path), 0, 0, "", "can be written by everybody", hint)])
    entries, problems = [], []
    for number, line in enumerate(content.split(b"\n"), 1):
        try:
            found = parse(line.decode().strip(" \t\r"))
        except ValueError as error:
            why = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
            problems.append(Problem(str(path), number, 1, "", why, ADVICE))
            continue
        if found is not None:
            entries.append(found)
    if problems:
        raise InvalidInput(problems)
    return tuple(entries)


def parse(line: str) -> Entry | None:
    """One line; None for an empty one, a comment, or a key of SSH 1. Raises ValueError."""
    if not line or line.startswith("#"):
        return None
    for _, what in hidden_characters(line.replace("\t", " ")):
        raise ValueError(f"the line has {what}")
    fields = line.split()
    marker = fields.pop(0) if fields[0].startswith("@") else ""
    if marker and marker not in MARKERS:
        raise ValueError(f"{shown(marker)} is not a marker, expected {' or '.join(MARKERS)}")
    if len(fields) < 3:
        raise ValueError("a line has names, type of key and key")
    if not marker and "" in re.split("[ \t]", line)[:3]:
        raise ValueError("there is more than one blank between two fields: paramiko reads on one")
    if len(fields) >= 4 and all(field.isdigit() for field in fields[1:4]):
        return None  # bits, exponent, modulus: nothing speaks SSH 1 any more
    names = tuple(fields[0].split(","))
    for name in names:
        _check_name(name)
    kind, blob = fields[1], _decoded(fields[2], "the key")
    usable = True
    if _strings(blob)[:1] != [kind.encode()]:
        raise ValueError(f"the key is not of the type {shown(kind)} that the line says")
    try:
        PKey.from_type_string(kind, blob)
    except UnknownKeyType:
        usable = False
    except Exception as error:  # whatever a key that is cut or made up makes of its reader
        raise ValueError(f"the {kind} key is damaged: {error}") from error
    if usable and kind == "ssh-ed25519" and [len(one) for one in _strings(blob)] != [11, 32]:
        raise ValueError("the ssh-ed25519 key is damaged: it has not 32 bytes")
    return Entry(names=names, type=kind, blob=blob, marker=marker, usable=usable)


def _check_name(name: str) -> None:
    if not name:
        raise ValueError("the names have an empty one between two commas")
    if name.startswith("|"):
        parts = name.split("|")
        if len(parts) != 4 or parts[1] != "1":
            raise ValueError("a hashed name is |1|salt|hash")
        if any(len(_decoded(part, "a hashed name")) != 20 for part in parts[2:]):
            raise ValueError("salt and hash of a hashed name have 20 bytes each")


def _decoded(text: str, what: str) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{what} is not base64: {error}") from error
    if base64.b64encode(found).decode() != text:
        raise ValueError(f"{what} is not base64 as it is written for such a line")
    return found


def _strings(blob: bytes) -> list[bytes]:
    """The length-prefixed strings that a key is made of. Raises ValueError."""
    found = []
    while blob:
        size = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + size:
            raise ValueError("the key is cut")
        found.append(blob[4 : 4 + size])
        blob = blob[4 + size :]
    return found


def _same(known: str, name: str) -> bool:
    if not known.startswith("|1|"):
        return known == name
    _, _, salt, digest = known.split("|")
    expected = hmac.new(base64.b64decode(salt), name.encode(), "sha1").digest()
    return hmac.compare_digest(expected, base64.b64decode(digest))


def keys_of(entries: Iterable[Entry], name: str) -> tuple[Entry, ...]:
    """The keys that paramiko takes for the server ``name``."""
    return tuple(one for one in entries if one.usable and not one.marker and one.covers(name))


def why_not(entries: Iterable[Entry], name: str, *, files: Iterable[Path], address: str) -> str:
    """Why a server may not be connected to with what is known, or the empty string."""
    entries = tuple(entries)
    known = keys_of(entries, name)
    revoked = {one.blob for one in entries if one.marker == "@revoked" and one.matches(name)}
    places = ", ".join(str(path) for path in files)
    if any(one.blob in revoked for one in known):
        return f"its host key is marked as revoked in {places}; ask who runs {name}"
    if not known:
        return (
            f"the host key of {name} is not known ({places}); nothing was connected. "
            f"To look at its fingerprint and trust it: python -m tasks.trust {address}"
        )
    return ""
