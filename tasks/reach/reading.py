"""Read a workspace in one remote command, which is sent as soon as the connection is open: the
modules of the command are imported, and the other workspaces connected, while it is answered."""

from __future__ import annotations

from typing import Any

import gevent

from converge.plan import layers
from converge.profile.choices import Choices
from converge.setting import Layer
from converge.subjects.settings import ALL
from tasks.reach import commands, remote

LIMIT_S = 300
LONGEST_START_S = 2.0  # until a command is on its way; then others go on beside it
_begun: dict[str, gevent.Greenlet] = {}  # by the name of pyinfra's host


def arguments(choices: Choices) -> list[str]:
    """The arguments for reading a workspace: its flakes and every managed path."""
    return [*choices.flakes, *paths(choices)]


def paths(choices: Choices) -> list[str]:
    """The arguments of ``read.sh``: every managed path."""
    found = []
    for name in layers.KDE_FILES:
        found += ["-k", f"~/.config/{name}"]
    for setting in ALL:
        if setting.layer is Layer.SESSION:
            found += ["-f", layers.session_file(setting)[0]]
    for directory in (layers.HOME_LAYER, layers.system_layer(choices.root)):
        found += ["-d", directory]
    return [*found, "-c", choices.chezmoi_programs]


def begin(host: Any, choices: Choices) -> None:
    """Send the command that ``answer`` waits for, and come back once the command is on its way:
    what the caller does then would hold up the round trip that opens a channel."""
    _begun[host.name] = sending = gevent.spawn(_send, host, choices)
    gevent.sleep(0)
    if asked := remote.asked(host):
        gevent.wait([asked, sending], timeout=LONGEST_START_S, count=1)


def answer(host: Any, choices: Choices) -> remote.Answer:
    """What the workspace answers: to the command that was sent already, once, else to a new one."""
    sent = _begun.pop(host.name, None)
    if sent is not None:
        early: remote.Answer = sent.get()
        return early
    return _send(host, choices)


def _send(host: Any, choices: Choices) -> remote.Answer:
    given = commands.read_command(choices.root, arguments(choices))
    return remote.send(host, given, timeout=LIMIT_S)
