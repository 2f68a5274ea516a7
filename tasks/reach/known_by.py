"""In which files, and under which name, a server is looked up: what ``~/.ssh/config`` says of that,
as ssh_config(5) has it.

In: the words of the configuration for one server. Out: a frozen ``KnownBy``. What only ssh itself
can tell raises ValueError: nothing is connected then.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.reach.hostkeys import GLOBAL, USER
from tasks.reach.known_hosts import host_name
from tasks.reach.login import own_name

#: Tokens that depend on more than is known before a connection.
_UNKNOWN = "the token %{} in {}, which only ssh itself evaluates"
_TOKEN = re.compile(r"%(.?)|\$\{([^}]*)\}")


@dataclass(frozen=True, kw_only=True)
class KnownBy:
    """``name``: as it stands in known_hosts; ``revoked``: the file of ``RevokedHostKeys``."""

    name: str
    files: tuple[Path, ...]
    revoked: Path | None = None


def known_by(
    found: Mapping[str, str], given: str, *, real: str, port: int, known_hosts: str = ""
) -> KnownBy:
    """``found``: the configuration for the host that was ``given`` as a name; ``real`` and ``port``
    are where it is reached; ``known_hosts`` takes the place of ``UserKnownHostsFile``."""
    alias = found.get("hostkeyalias", "")
    tokens = {
        **{"%": "%", "d": str(Path.home()), "h": real, "i": str(os.getuid()), "n": given},
        **{"k": alias or given, "p": str(port), "u": own_name()},
        **{"l": socket.gethostname(), "L": socket.gethostname().partition(".")[0]},
    }

    def paths(key: str, usual: tuple[Path, ...], *, expand: bool = True) -> Iterator[Path]:
        words = _words(found.get(key, ""))
        if not words:
            yield from usual
        elif [word.lower() for word in words] != ["none"]:
            for word in words:
                yield Path(_expanded(word, tokens, key) if expand else word).expanduser()

    users = (Path(known_hosts),) if known_hosts else tuple(paths("userknownhostsfile", USER))
    everybodys = paths("globalknownhostsfile", GLOBAL, expand=False)
    return KnownBy(
        name=alias.lower() or host_name(real, port),
        files=tuple(path.expanduser() for path in (*users, *everybodys)),
        revoked=next(paths("revokedhostkeys", ()), None),
    )


def _words(text: str) -> list[str]:
    """The words of a value. Where it began and ended with a quote, paramiko has taken both away."""
    if '"' in text and not text.startswith('"') and not text.endswith('"'):
        text = f'"{text}"'
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.quotes, lexer.escape = True, "", '"', ""
    try:
        return list(lexer)
    except ValueError as error:
        raise ValueError(f"{text!r} has a quote without its end") from error


def _expanded(text: str, tokens: Mapping[str, str], key: str) -> str:
    def one(match: re.Match[str]) -> str:
        if match[2] is not None:
            if match[2] not in os.environ:
                raise ValueError(f"the variable {match[2]} in {key} is not set")
            return os.environ[match[2]]
        if match[1] not in tokens:
            raise ValueError(_UNKNOWN.format(match[1], key))
        return tokens[match[1]]

    return _TOKEN.sub(one, text)
