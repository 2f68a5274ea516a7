"""Read ``~/.ssh/config`` by pyinfra 3.10, with corrections where pyinfra differs from ssh.

``ProxyJump none`` and ``ProxyCommand none`` mean: no jump. paramiko takes every ``Match`` of an
unknown kind as met, and pyinfra hands the command of a ``Match exec`` to the shell as the name of a
script. Where such a ``Match`` would decide, nothing is connected.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

#: Kinds of Match that paramiko decides as ssh does.
_DECIDED = frozenset({"all", "canonical", "final", "host", "originalhost", "user", "localuser"})


def get_ssh_config(file: str | None = None) -> Any:
    """The configuration in ``file`` (None: the user's own); None where there is none."""
    from pyinfra.connectors.sshuserclient import client

    config: Any = getattr(client.get_ssh_config, "original", client.get_ssh_config)(file)
    if config is not None:
        vars(config)["lookup"] = partial(_lookup, config)
    return config


def read_config_here() -> None:
    """Make pyinfra use ``get_ssh_config`` of this module."""
    from pyinfra.connectors.sshuserclient import client

    if not hasattr(client.get_ssh_config, "original"):
        ours = partial(get_ssh_config)
        vars(ours)["original"] = client.get_ssh_config
        vars(client)["get_ssh_config"] = ours


def _lookup(config: Any, hostname: str) -> dict[str, Any]:
    """The configuration of a host. Raises ValueError where paramiko cannot tell it."""
    _decided(config, hostname, {})
    found: dict[str, Any] = type(config).lookup(config, hostname)
    _decided(config, hostname, found)
    for key in ("proxyjump", "proxycommand"):
        if str(found.get(key, "")).strip().lower() == "none":
            del found[key]
    port = found.get("port", "22")
    if not (port.isascii() and port.isdecimal() and 0 < int(port) <= 65535):
        raise ValueError(f"Port {port} of {hostname} is no number from 1 to 65535")
    return found


def _decided(config: Any, hostname: str, so_far: Mapping[str, Any]) -> None:
    for section in vars(config)["_config"]:
        matches = section.get("matches") or []
        for index, one in enumerate(matches):
            if one["type"] in _DECIDED:
                continue
            before = matches[:index]
            if not before or config._does_match(before, hostname, False, False, so_far):
                raise ValueError(
                    f"Match {one['type']} may be for {hostname}, and only ssh itself evaluates "
                    f"it; give {hostname} a Host section in a file that ssh_config_file names"
                )
            break
