"""Read a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT), more strictly than OpenSSH.

In: a file. Out: its keys, each with the names of the servers that may show the key. Names are
patterns with ``*``, ``?`` and ``!``, in any case, or hashed. OpenSSH passes over a line that it
cannot read; here such a line is a problem, and nothing is connected.

paramiko only decodes keys and hashes names here. Its own reader of files (4.0) knows no patterns
and no markers, and stops at some lines (github.com/paramiko/paramiko/pull/1990), so that all hosts
after such a line are unknown to it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import stat
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from paramiko import HostKeys, PKey
from paramiko.pkey import UnknownKeyType

from converge.problem import InvalidInput, Problem, hidden_characters, shown

REVOKED, AUTHORITY = "@revoked", "@cert-authority"
MARKERS = (AUTHORITY, REVOKED)
LIMIT = 4 * 1024 * 1024  # bytes of a file
ADVICE = "mend or remove the line; sshd(8) has the form under SSH_KNOWN_HOSTS FILE FORMAT"


@dataclass(frozen=True, kw_only=True)
class KnownKey:
    """One line. ``blob``: the public key as SSH sends it; ``key``: the same for paramiko, None for
    a type that paramiko does not know."""

    names: tuple[str, ...]
    type: str
    blob: bytes
    marker: str = ""
    key: PKey | None = None
    place: str = ""  # file and line

    @property
    def is_exact(self) -> bool:
        """Whether no name of the line is a pattern."""
        return not any(set(name) & set("*?") or name.startswith("!") for name in self.names)

    def matches(self, name: str) -> bool:
        """Whether the line is about the server ``name``, by the rules of OpenSSH."""
        name = name.lower()
        if any(pattern.startswith("!") and _alike(pattern[1:], name) for pattern in self.names):
            return False
        return any(_alike(pattern, name) for pattern in self.names)


def _alike(pattern: str, name: str) -> bool:
    if pattern.startswith("|"):
        return HostKeys.hash_host(name, pattern) == pattern
    if "*" not in pattern and "?" not in pattern:
        return pattern.lower() == name
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern.lower())
    return re.fullmatch(re.sub(r"(\.\*)+", ".*", "".join(parts)), name) is not None


def fingerprint(blob: bytes) -> str:
    """The fingerprint of a public key, as ``ssh-keygen -l`` prints it."""
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode()
    return f"SHA256:{digest.rstrip('=')}"


def host_name(host: str, port: int) -> str:
    """The name of a server in known_hosts, with its port where this is not 22."""
    return host if port == 22 else f"[{host}]:{port}"


def encode(name: str, key: KnownKey) -> str:
    """The line of a known_hosts file for a server, without a line end."""
    return f"{name} {key.type} {base64.b64encode(key.blob).decode()}"


def read(path: Path, *, only_revoked: bool = False) -> tuple[KnownKey, ...]:
    """The entries of a file; none where there is no file. Raises InvalidInput.

    ``only_revoked``: return only ``@revoked`` lines, and do not check the others."""
    try:
        content, mode = _content(path)
    except FileNotFoundError:
        return ()
    if mode & stat.S_IWOTH and stat.S_ISREG(mode) and not only_revoked:
        hint = f"chmod o-w {path}, and look through its lines"
        raise InvalidInput([Problem(str(path), 0, 0, "", "can be written by everybody", hint)])
    return _entries(str(path), content, only_revoked)


@lru_cache(maxsize=32)
def _entries(path: str, content: bytes, only_revoked: bool) -> tuple[KnownKey, ...]:
    """The entries of a file that was read; each content is parsed once for all hosts of a run."""
    entries, problems = [], []
    for number, line in enumerate(content.split(b"\n"), 1):
        if only_revoked and not line.lstrip().startswith(REVOKED.encode()):
            continue
        try:
            found = parse(line.decode().strip(" \t\r"))
        except ValueError as error:
            why = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
            problems.append(Problem(path, number, 1, "", why, ADVICE))
            continue
        if found is not None:
            entries.append(replace(found, place=f"{path}:{number}"))
    if problems:
        raise InvalidInput(problems)
    return tuple(entries)


def _content(path: Path) -> tuple[bytes, int]:
    """The bytes of a file and its mode; none of a device, such as /dev/null, where somebody wants
    no file. Raises FileNotFoundError and InvalidInput."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would hold us up
        with os.fdopen(descriptor, "rb") as stream:
            mode = os.fstat(descriptor).st_mode
            content = stream.read(LIMIT + 1) if stat.S_ISREG(mode) else b""
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InvalidInput(
            [Problem(str(path), 0, 0, "", f"cannot be read: {error.strerror}", "see its mode")]
        ) from error
    if not (stat.S_ISREG(mode) or stat.S_ISCHR(mode)):
        raise InvalidInput([Problem(str(path), 0, 0, "", "is not a file", "name another")])
    if len(content) > LIMIT:
        raise InvalidInput([Problem(str(path), 0, 0, "", "is larger than 4 MiB", "clean it up")])
    return content, mode


def public_keys(path: Path) -> frozenset[bytes]:
    """The keys in a list of public keys, one a line, as ``RevokedHostKeys`` names one. Raises
    InvalidInput: ssh connects to nobody where it cannot read the list."""
    try:
        lines = _content(path)[0].split(b"\n")
    except FileNotFoundError as error:
        hint = "mend RevokedHostKeys in ~/.ssh/config"
        raise InvalidInput(
            [Problem(str(path), 0, 0, "", "cannot be read: no such file", hint)]
        ) from error
    if lines[0].startswith(b"SSHKRL"):
        hint = "let RevokedHostKeys name a list of public keys, one a line"
        raise InvalidInput([Problem(str(path), 0, 0, "", "is a KRL, which only ssh reads", hint)])
    found, problems = set(), []
    for number, line in enumerate(lines, 1):
        words = line.split()
        if words and not line.lstrip().startswith(b"#"):
            try:
                one = parse(f"x {b' '.join(words[:2]).decode()}")
                found.add(one.blob if one else b"")
            except ValueError as error:
                problems.append(Problem(str(path), number, 1, "", str(error), ADVICE))
    if problems:
        raise InvalidInput(problems)
    return frozenset(found)


def parse(line: str) -> KnownKey | None:
    """One line; None for an empty one, a comment, or a key of SSH 1. Raises ValueError."""
    if not line or line.startswith("#"):
        return None
    for _, what in hidden_characters(line.replace("\t", " ")):
        raise ValueError(f"the line has {what}")
    fields = re.split(r"[ \t]+", line)  # OpenSSH knows no other blanks
    marker = fields.pop(0) if fields[0].startswith("@") else ""
    if marker and marker not in MARKERS:
        raise ValueError(f"{shown(marker)} is not a marker, expected {' or '.join(MARKERS)}")
    if marker and not line.startswith(f"{marker} "):
        raise ValueError("only a blank behind a marker makes ssh read it, not a tab")
    if len(fields) < 3:
        raise ValueError("a line has names, type of key and key")
    if len(fields) >= 4 and all(field.isdigit() for field in fields[1:4]):
        return None  # bits, exponent, modulus: a key of SSH 1, which no server speaks any more
    names = tuple(fields[0].split(","))
    for name in names:
        _check_name(name)
    if len(names) > 1 and any(name.startswith("|") for name in names):
        raise ValueError("a hashed name stands alone: to OpenSSH nothing beside it counts")
    kind, blob = fields[1], _decoded(fields[2], "the key")
    key = None
    if _strings(blob)[:1] != [kind.encode()]:
        raise ValueError(f"the key is not of the type {shown(kind)} that the line says")
    try:
        key = PKey.from_type_string(kind, blob)
    except UnknownKeyType:
        pass  # such as a key that lives in a token
    except Exception as error:  # a malformed key may raise anything
        raise ValueError(f"the {kind} key is damaged: {error}") from error
    if kind == "ssh-ed25519" and [len(string) for string in _strings(blob)] != [11, 32]:
        raise ValueError("the ssh-ed25519 key is damaged: it has not 32 bytes")
    return KnownKey(names=names, type=kind, blob=blob, marker=marker, key=key)


def _check_name(name: str) -> None:
    if not name:
        raise ValueError("the names have an empty one between two commas")
    if name.startswith("!|"):
        raise ValueError("a hashed name cannot be negated")
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
    """The length-prefixed strings of a key. Raises ValueError."""
    found = []
    while blob:
        size = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + size:
            raise ValueError("the key is cut")
        found.append(blob[4 : 4 + size])
        blob = blob[4 + size :]
    return found
