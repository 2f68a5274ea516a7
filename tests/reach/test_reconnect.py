"""A connection that was lost in the middle of a run is opened again; no try is told as an end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NoReturn

import gevent
import pytest
from pyinfra.api.exceptions import ConnectError

from tasks.reach.remote import reconnect


@dataclass
class Connector:
    """Refuses so many times."""

    refuses: int
    tried: int = 0
    client: Any = field(default_factory=lambda: type("Client", (), {"close": lambda _: None})())

    def connect(self) -> None:
        self.tried += 1
        if self.tried <= self.refuses:
            raise ConnectError("refused")


@dataclass
class Host:
    connector: Connector
    connected: bool = True

    def connect(self, **_: object) -> NoReturn:
        pytest.fail("tells that the host was not reached and nothing was done there")


def test_a_machine_that_restarts_is_waited_for_without_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gevent, "sleep", lambda _: None)
    host = Host(Connector(refuses=3))
    assert reconnect(host)
    assert (host.connected, host.connector.tried) == (True, 4)
