"""Addresses of workspaces. In: ``[user@]host[:port]``. Out: its three parts.

They are read as ssh(1) reads them: the user ends at the last @ and may have dots, capitals and a
domain; the host is a name, an IPv4 address, or an IPv6 address, which needs brackets before a port.
The URL ``ssh://[user@]host[:port]`` is accepted too.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import unquote

FORM = "[user@]host[:port]"
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\+$-]{0,255}")
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?")
_BRACKETS = re.compile(r"\[([^\[\]]*)\](?::(.*))?", re.DOTALL)


def parse(address: str) -> Mapping[str, str]:
    """Return ``user``, ``host`` and ``port``, each "" where it is not given. Raises ValueError."""
    scheme, slashes, rest = address.partition("://")
    url = bool(slashes) and scheme.lower() == "ssh"
    if slashes and not url:
        raise ValueError(f"{scheme}:// is another way than SSH")
    head, at, place = (rest.removesuffix("/") if url else address).rpartition("@")
    if url:
        head, place = unquote(head), place.replace("%25", "%")  # RFC 6874: % before a zone
        if "/" in place:
            raise ValueError(f"{place.partition('/')[2]!r} behind the host is a path")
    if ":" in head:
        raise ValueError("a password stands before @, and none is used: leave it out")
    if at and not _USER.fullmatch(head):
        what = f"the user {head!r}" if head else "the user before @"
        raise ValueError(f"{what} is no name that ssh takes" if head else f"{what} is missing")
    host, port = _split(place)
    if port and not (re.fullmatch(r"[0-9]{1,5}", port) and 1 <= int(port) <= 65535):
        raise ValueError(f"the port {port!r} is no number from 1 to 65535")
    return {"user": head if at else "", "host": host, "port": port}


def _split(place: str) -> tuple[str, str]:
    if (found := _BRACKETS.fullmatch(place)) is not None:
        if not _is_ipv6(found[1]):
            raise ValueError(f"{found[1]!r} in brackets is no IPv6 address")
        if found[2] == "":
            raise ValueError("the port behind : is missing")
        return found[1], found[2] or ""
    if place.count(":") > 1:
        if _is_ipv6(place):
            return place, ""
        raise ValueError(f"{place!r} is no IPv6 address; one with a port is [address]:port")
    host, colon, port = place.partition(":")
    if colon and not port:
        raise ValueError("the port behind : is missing")
    if not host:
        raise ValueError("the host is missing")
    if not host.isascii() and (known := _known_to_servers(host)):
        raise ValueError(f"name servers know {host!r} as {known}: write that")
    if re.fullmatch(r"[0-9]+(?:\.[0-9]+){3}", host) and not _is_ipv4(host):
        raise ValueError(f"{host!r} is no IPv4 address: each part is 0 to 255")
    if not _NAME.fullmatch(host):
        raise ValueError(f"the host {host!r} is neither a name nor an address")
    if ".." in host:
        raise ValueError(f"the host {host!r} has two dots in a row")
    return host, port


def _known_to_servers(host: str) -> str:
    """The name of a host for name servers (RFC 3490); "" where there is no such name."""
    try:
        name = host.encode("idna").decode("ascii")
    except UnicodeError:
        return ""
    return name if _NAME.fullmatch(name) else ""


def _is_ipv4(text: str) -> bool:
    return all(len(part) <= 3 and int(part) <= 255 for part in text.split("."))


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return re.fullmatch(r"[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?", text) is not None


def shown(address: str) -> str:
    """An address as it may be printed: without a password."""
    return re.sub(r"^([^@]*://)?([^:@]*):.+@", r"\1\2:***@", address, flags=re.DOTALL)


def written(host: str, port: int) -> str:
    """Write host and port as ``parse`` reads them, without the port where it is 22."""
    if port == 22:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
