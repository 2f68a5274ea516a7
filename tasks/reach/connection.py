"""How a workspace is reached: on this machine, or over SSH with host keys checked strictly.

``workspace`` is for inventory files. ``problems`` and ``guard`` look at each host of a run before
pyinfra connects: pyinfra 3.10 alone could ask a person, or accept an unknown key.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from converge.problem import InvalidInput, Problem, did_you_mean
from tasks.reach import unreached
from tasks.reach.address import FORM, parse, shown, written
from tasks.reach.login import own_name

Host = tuple[str, dict[str, Any]]
KNOWN_HOSTS = Path(__file__).parents[2] / "inventory" / "known_hosts"
#: Files whose ``@revoked`` lines count for every server.
REVOKING = (KNOWN_HOSTS,)
LIMIT_S = 900  # of a remote command without a limit of its own
LONGEST_S = 7 * 24 * 3600  # of one command, whatever a person gives
PATIENCE_S = 30  # for the banner, for the login, and for opening a channel
IDLE_S = 1.0  # between two looks of a connection on which nothing arrives
LONGEST_WAY = 8  # jump hosts, at most
#: Host data that makes pyinfra put a password on a remote command line, where ps shows it.
_PASSWORDS = ("_sudo_password", "_use_sudo_password", "_su_password")


def transport(sock: Any, **options: Any) -> Any:
    """A paramiko transport without Nagle's delay (43 ms for each command), which notices a dead
    peer, limits what a server sends, opens channels ahead, and does not wake up ten times a second
    while it waits."""
    import paramiko

    from tasks.reach.ahead import Transport
    from tasks.reach.limits import Packets

    wire = sock
    if isinstance(sock, paramiko.Channel):  # through a jump host
        wire = sock.get_transport().sock
    if isinstance(wire, socket.socket):  # a ProxyCommand is a process
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000)
    made = Transport(sock, packetizer_class=Packets, **options)
    if wire is sock and isinstance(wire, socket.socket):
        sock.settimeout(IDLE_S)  # what arrives wakes it at once; paramiko looks after 0.1 s
    made.set_keepalive(10)
    return made


def workspace(name: str, *, at: str = "", **choices: object) -> Host:
    """The entry of one workspace for ``hosts``.

    ``at`` is ``[user@]host[:port]``, or empty for this machine. The environment variable
    ``AT_<NAME>`` (the name in capitals, ``-`` as ``_``) replaces ``at``, so the same file works on
    another controller. Raises InvalidInput.
    """
    for key, text in (("the name", name), ("at", at)):
        if not isinstance(text, str):
            raise TypeError(f"{key} of a workspace is {text!r}, which is no text")
    variable = f"AT_{name.upper().replace('-', '_')}"
    address = os.environ.get(variable, at)
    data: dict[str, Any] = {"workspace": name, **choices}
    if not address:
        return "@local", {"_timeout": LIMIT_S, **data}
    # A problem names the variable only where the variable is set.
    own = variable in os.environ
    source, such = (variable, f"{variable}=me@{name}:22") if own else ("at", f'at="me@{name}:22"')
    try:
        found = parse(address)
    except ValueError as error:
        hidden = shown(address)
        raise InvalidInput(
            [
                Problem(
                    file=f"{source}={hidden}" if own else f'workspace {name}: at="{hidden}"',
                    line=0,
                    column=0,
                    path="",
                    message=f"{error}; not of the form {FORM}",
                    hint=f"such as {such}",
                )
            ]
        ) from error
    return name, {**ssh(found), **data}


def fleet(*workspaces: Host) -> list[Host]:
    """The hosts of an inventory of several workspaces, each with its own address."""
    local = [data["workspace"] for address, data in workspaces if address == "@local"]
    if len(local) > 1:
        raise InvalidInput(
            [
                Problem(
                    file="the inventory",
                    line=0,
                    column=0,
                    path="",
                    message=f"{' and '.join(local)} are both on this machine",
                    hint="say where one of them is: "
                    f"AT_{local[1].upper().replace('-', '_')}=[user@]host[:port]",
                )
            ]
        )
    return list(workspaces)


def ssh(address: Mapping[str, str]) -> dict[str, Any]:
    """Connection data of pyinfra for one SSH address."""
    data: dict[str, Any] = {
        "ssh_hostname": address["host"],
        "ssh_strict_host_key_checking": "yes",
        "ssh_paramiko_connect_kwargs": {
            "transport_factory": transport,
            "banner_timeout": PATIENCE_S,
            "auth_timeout": PATIENCE_S,
            "channel_timeout": PATIENCE_S,
            "compress": True,  # programs and answers are text: a fourth of it goes over the line
            # Not before the login: what is unpacked then comes from anybody.
            "disabled_algorithms": {"compression": ["zlib"]},
        },
        "_timeout": LIMIT_S,
    }
    if address["user"]:
        data["ssh_user"] = address["user"]
    if address["port"]:
        data["ssh_port"] = int(address["port"])
    return data


def login(host: Any) -> tuple[object, ...]:
    """What is equal where two hosts are one login on one machine, with the same variables."""
    keys = ("ssh_hostname", "ssh_port", "ssh_user")
    variables = dict(host.data.get("_env") or {})
    where = host.data.get(keys[0]) or host.name
    return (where, *map(host.data.get, keys[1:]), *sorted(variables.items()))


# -- before the connection ------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Server:
    """One SSH server on the way to a workspace: ``name`` as it stands in known_hosts, ``called`` as
    paramiko looks it up."""

    name: str
    called: str
    files: tuple[Path, ...]
    revoked: Path | None  # of RevokedHostKeys
    address: str  # for tasks.trust
    direct: bool  # neither a jump host nor a program stands in between
    user: str  # as ~/.ssh/config has it, "" where that names nobody


def servers(
    hostname: str,
    *,
    port: int = 0,
    known_hosts: str = "",
    config_file: str | None = None,
    depth: int = 0,
) -> list[Server]:
    """Every server on the way to ``hostname`` by ``~/.ssh/config``; the last is ``hostname``.

    Raises ValueError where the way never ends: ``Host *`` with a ProxyJump holds for the jump host
    too, and pyinfra 3.10 would loop for ever.
    """
    from pyinfra.connectors.sshuserclient import client

    from tasks.reach.known_by import known_by
    from tasks.reach.known_hosts import host_name
    from tasks.reach.ssh_config import get_ssh_config

    if depth > LONGEST_WAY:
        raise ValueError(f"ProxyJump of {hostname} goes in circles; ProxyJump needs another Host")
    config = get_ssh_config(config_file)
    found: Mapping[str, Any] = config.lookup(hostname) if config else {}
    shorthand: Any = client.SSHClient.derive_shorthand
    way: list[Server] = []
    if found.get("proxyjump") and "proxycommand" not in found:
        for hop in found["proxyjump"].split(","):
            name, data = shorthand(config, hop)
            port_there = int(data["port"])
            way += servers(name, port=port_there, config_file=config_file, depth=depth + 1)
    real, port = found.get("hostname", hostname), port or int(found.get("port", 22))
    known = known_by(found, hostname, real=real, port=port, known_hosts=known_hosts)
    way.append(
        Server(
            name=known.name,
            called=host_name(real, port),
            files=known.files,
            revoked=known.revoked,
            address=written(real, port),
            direct=not way and "proxycommand" not in found,
            user=found.get("user", ""),
        )
    )
    return way


def _way(host: Any) -> list[Server]:
    data = host.connector.data
    return servers(
        data["ssh_hostname"] or host.name,
        port=int(data["ssh_port"] or 0),
        known_hosts=data["ssh_known_hosts_file"] or "",
        config_file=data["ssh_config_file"],
    )


def problems(host: Any) -> Iterator[Problem]:
    """Yield the problems of the connection to ``host``. Connects to nothing."""
    from tasks.reach import hostkeys

    place = f"inventory host {host.name}"
    for key in _PASSWORDS:
        if host.data.get(key):
            hint = "docs/ssh.md: sudo without a password, for this user"
            yield Problem(place, 0, 0, key, "would show the password in ps", hint)
    wrong = [Problem(place, 0, 0, *each) for each in _unusable(host.data.dict())]
    yield from wrong
    if wrong or not _is_ssh(host):
        return
    data = host.connector.data
    if data["ssh_key"]:
        yield from _key_problems(place, data["ssh_key"], data["ssh_key_password"], host.state.cwd)
    try:
        way = _way(host)
        own = hostkeys.standing([KNOWN_HOSTS], way[-1].name)
        if not data["ssh_known_hosts_file"] and own.keys:
            data["ssh_known_hosts_file"] = str(KNOWN_HOSTS)  # the project's own goes first
            way = _way(host)
        for server in way:
            _standing(server)
    except InvalidInput as error:
        yield from error.problems
    except Exception as error:  # a broken ~/.ssh/config may raise anything
        yield Problem(place, 0, 0, "", f"~/.ssh/config cannot be used: {error}", "see docs/ssh.md")


def _unusable(data: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Keys of pyinfra's that it does not know, and numbers that no connection can have: the key,
    what is wrong, and what to do. pyinfra drops the ones and fails within a run at the others."""
    from pyinfra.connectors.ssh import ConnectorData

    known = tuple(ConnectorData.__annotations__)
    for key in data:
        if str(key).startswith("ssh_") and key not in known:
            yield key, "is not a known key", did_you_mean(str(key), known, "see docs/ssh.md")
    for key, highest in (("ssh_port", 65535), ("_timeout", LONGEST_S)):
        value = data.get(key)
        if value is not None and not (type(value) is int and 1 <= value <= highest):
            yield key, f"{value!r} is no number from 1 to {highest}", "mend it, or leave it out"


def _key_problems(place: str, file: str, password: str | None, cwd: str) -> Iterable[Problem]:
    """Yield the problems of a private key. With such a key pyinfra would ask for a passphrase on
    the terminal, or end the run of every workspace."""
    from paramiko import SSHException
    from pyinfra.api.exceptions import PyinfraError
    from pyinfra.connectors.ssh_util import load_key_with_certificate

    try:
        load_key_with_certificate(file, key_password=password, cwd=cwd, allow_prompt=False)
    except (PyinfraError, SSHException, OSError, ValueError) as error:
        hint = "name a key file, or leave ssh_key out and put the key into ssh-agent"
        yield Problem(place, 0, 0, "ssh_key", str(error), hint)


def _is_ssh(host: Any) -> bool:
    return "ssh_strict_host_key_checking" in (getattr(host.connector, "data", None) or {})


def never_ask() -> None:
    """Keep pyinfra from asking for a sudo password in the middle of a run: it would put the
    password into the environment of a remote command line (3.10, ``connectors/util.py``)."""
    from pyinfra.connectors import util

    def refuse(prompt: str = "", stream: object = None) -> str:
        raise PermissionError("sudo asks for a password; see docs/ssh.md, nothing was run")

    util.getpass = refuse  # type: ignore[attr-defined]


def read_keys_here() -> None:
    """Keep paramiko from reading known_hosts files: its reader differs from OpenSSH's."""
    from pyinfra.connectors.sshuserclient import client

    from tasks.reach import hostkeys

    def get_host_keys(_: Iterable[str]) -> hostkeys.Known:
        return hostkeys.Known(getattr(_checked(), "allowed", {}))

    vars(client)["get_host_keys"] = get_host_keys


@cache
def _checked() -> Any:
    """What was found of the servers on the way of the connection that is being made: each is made
    in a greenlet of its own, and paramiko is given these keys and no others."""
    from gevent.local import local

    return local()


def guard(host: Any, waiting: Callable[[], AbstractContextManager[object]] = nullcontext) -> None:
    """Make pyinfra connect to ``host`` only where each server on the way is known, and keep an
    error of this connection from ending the run of the other hosts. ``waiting``: makes a context
    that shows a person what the run waits for."""
    from pyinfra.api.exceptions import ConnectError

    connector, original = host.connector, host.connector.connect

    def connect() -> None:
        why = ""
        try:
            if _is_ssh(host):
                connector.data["ssh_strict_host_key_checking"] = "yes"  # whatever --data says
                why, _checked().allowed = _check_known(host)
            if not why:
                with waiting():
                    original()
        except ConnectError as error:
            why = _explained(host, error)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
        if why:
            raise ConnectError(why)

    connector.connect = connect


def _standing(server: Server) -> Any:
    from tasks.reach import hostkeys

    return hostkeys.standing(
        server.files, server.name, revoking=REVOKING, revoked_keys=server.revoked
    )


def _check_known(host: Any) -> tuple[str, Mapping[str, Any]]:
    """Why a server on the way is not connected to, or the empty string; and the keys that each may
    show, by the name that paramiko looks up."""
    allowed: dict[str, Any] = {}
    for server in _way(host):
        found = _standing(server)
        if found.why:
            trust = f".venv/bin/python -m tasks.trust {server.address}"
            if server.name not in (server.called, server.address):
                trust += f", and write {server.name} (HostKeyAlias) in place of its name there"
            return (
                f"{found.why}; nothing was connected. To look at the fingerprint and trust it: "
                f"{trust}"
            ), {}
        if allowed.setdefault(server.called, found).keys != found.keys:
            return (
                f"two servers on the way are both reached as {server.called}, each with a key of "
                "its own: give one of them another spelling (HostName)"
            ), {}
    return "", allowed


def _explained(host: Any, error: Exception) -> str:
    """Why the connection failed, and what to do."""
    said = str(error)
    if not _is_ssh(host):
        return said
    server = _way(host)[-1]
    if "host key error" in said:
        again = f".venv/bin/python -m tasks.trust --replace {server.address}"
        return (
            f"{said} Either {server.name} was set up anew, or somebody sits in between: compare "
            f"the fingerprint at its console, then {again}"
        )
    user = host.connector.data["ssh_user"] or server.user or own_name()
    if not server.direct:  # it may be another machine on the way that did not answer
        look = f"look how ssh itself fares: ssh -v {user}@{server.address}"
        return f"{unreached.words(error)}; {unreached.SAFE}; {look}"
    address = parse(server.address)
    return unreached.why(
        error,
        host=address["host"],
        port=int(address["port"] or 22),
        user=user,
        place="at= in the inventory file" if host.data.get("workspace") else "the address",
        owner=str(host.data.get("user") or ""),
    )
