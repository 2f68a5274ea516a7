"""How a workspace is reached: on this machine, or over SSH with host keys checked strictly."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from typing import Any

Host = tuple[str, dict[str, Any]]
_ADDRESS = re.compile(
    r"(?:(?P<user>[a-z_][a-z0-9_-]{0,31})@)?(?P<host>[A-Za-z0-9][A-Za-z0-9.-]{0,252})"
    r"(?::(?P<port>[0-9]{1,5}))?\Z"
)


def transport(sock: socket.socket, **options: Any) -> Any:
    """A paramiko transport without Nagle's delay (43 ms a command) that notices a dead peer."""
    import paramiko

    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000)
    made = paramiko.Transport(sock, **options)
    made.set_keepalive(10)
    return made


def workspace(name: str, *, at: str = "", **choices: object) -> Host:
    """The entry of one workspace for ``hosts``.

    ``at`` is ``[user@]host[:port]``, or empty for this machine. The variable ``AT_<NAME>`` (the
    name in capitals, ``-`` as ``_``) takes its place, so the same file works from elsewhere.
    """
    variable = f"AT_{name.upper().replace('-', '_')}"
    address = os.environ.get(variable, at)
    data: dict[str, Any] = {"workspace": name, **choices}
    if not address:
        return "@local", data
    found = _ADDRESS.match(address)
    if not found:
        raise SystemExit(f"{variable}={address!r}: not of the form [user@]host[:port]")
    return name, {**ssh(found), **data}


def ssh(address: Mapping[str, str] | re.Match[str]) -> dict[str, Any]:
    """Connection data of pyinfra for one SSH address."""
    data: dict[str, Any] = {
        "ssh_hostname": address["host"],
        "ssh_strict_host_key_checking": "yes",
        "ssh_paramiko_connect_kwargs": {"transport_factory": transport},
        "_timeout": 900,
    }
    if address["user"]:
        data["ssh_user"] = address["user"]
    if address["port"]:
        data["ssh_port"] = int(address["port"])
    return data
