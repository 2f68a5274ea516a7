"""Explain to a person why a server was not reached: what happened, what is safe, what to do.

In: the error of pyinfra or paramiko, and the address. Out: a sentence, with the error's own words
in brackets, so that a person can search for them.
"""

from __future__ import annotations

import re
import shlex
import socket
from collections.abc import Iterator

SAFE = "nothing was done there"
_NUMBER = re.compile(r" *\[Errno [\w-]+\] ")  # paramiko's number is None for several attempts


def why(
    error: BaseException, *, host: str, port: int, user: str, place: str, owner: str = ""
) -> str:
    """One sentence for ``error``. ``place``: where a person writes the address; ``owner``: of
    the workspace, where that is known."""
    from paramiko import AuthenticationException
    from paramiko.ssh_exception import NoValidConnectionsError

    causes = list(_chain(error))
    said = words(causes[-1])
    for one in [one for one in causes if isinstance(one, NoValidConnectionsError)]:
        causes += one.errors.values()

    def was(*kinds: type[BaseException]) -> bool:
        return any(isinstance(one, kinds) for one in causes)

    if "No authentication methods available" in said:
        make = "make one (ssh-keygen -t ed25519), or put yours into ssh-agent"
        return f"no key to log in with was found; {SAFE}; {make}, then {_copy(host, port, user)}"
    if was(AuthenticationException):
        what = f"{host} lets {user} in with no key that was found ({said}); {SAFE}"
        if owner and owner != user:
            return f"{what}; the workspace belongs to {owner}: write {owner}@ into {place}"
        return f"{what}; {_copy(host, port, user)}, or mend user, ssh_key or {place}"
    if was(socket.gaierror):
        return f"no machine is called {host} here ({said}); {SAFE}; mend {place}"
    if was(ConnectionRefusedError):
        what = f"nothing listens on port {port} of {host} ({said}); {SAFE}"
        return f"{what}; start sshd there, or mend the port in {place}"
    if was(TimeoutError):
        what = f"{host} does not answer ({said}); {SAFE}"
        return f"{what}; look whether it is on and in reach, or mend {place}"
    if "banner" in said or was(EOFError, ConnectionResetError):
        what = f"what answers on port {port} of {host} does not speak SSH, or hung up ({said})"
        return f"{what}; {SAFE}; look at sshd there, or mend the port in {place}"
    return f"{said}; {SAFE}; look at the network, or mend {place}"


def words(error: BaseException) -> str:
    """The text of an error, without its number."""
    said = _NUMBER.sub(": ", str(error) or type(error).__name__)
    return said.removeprefix(": ").rstrip(".")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and its causes, the first cause last."""
    one: BaseException | None = error
    seen: set[int] = set()
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def _copy(host: str, port: int, user: str) -> str:
    """The command that copies a key to the server."""
    there = f"{user}@{host}"
    return f"ssh-copy-id{'' if port == 22 else f' -p {port}'} {shlex.quote(there)}"
