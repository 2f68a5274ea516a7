"""A reading is sent once, as soon as a workspace is connected; who asks first gets its answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent.event import Event

from tasks.reach import reading
from tests.profile.test_choices import check as choices


class Host:
    """What ``remote.send`` needs of pyinfra's host; each command is answered by its number."""

    def __init__(self, name: str, *, broken: bool = False) -> None:
        self.name, self.broken, self.sent = name, broken, 0
        self.data: dict[str, Any] = {}
        self.connector: Any = None

    def run_shell_command(self, *_: object, **__: object) -> tuple[bool, SimpleNamespace]:
        self.sent += 1
        if self.broken:
            raise OSError("the line is cut")
        return True, SimpleNamespace(stdout_lines=[f"answer {self.sent}"], stderr_lines=[])


def test_the_first_who_asks_gets_what_was_sent_ahead_and_the_next_asks_anew() -> None:
    one, other = Host("one"), Host("other")
    for host in (one, other):
        reading.begin(host, choices())
    gevent.sleep(0)
    assert (one.sent, other.sent) == (1, 1), "sent before anybody asks"
    assert reading.answer(one, choices()).lines == ("answer 1",)
    assert reading.answer(one, choices()).lines == ("answer 2",)
    assert reading.answer(other, choices()).lines == ("answer 1",)


def test_the_command_is_on_its_way_before_anything_else_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host, done = Host("far"), []
    transport = SimpleNamespace(asked=Event())

    def asks(*_: object, **__: object) -> tuple[bool, SimpleNamespace]:
        gevent.sleep(0.05)  # opens a channel
        done.append("sent")
        transport.asked.set()
        gevent.sleep(0.2)
        done.append("answered")
        return True, SimpleNamespace(stdout_lines=[], stderr_lines=[])

    host.connector = SimpleNamespace(client=SimpleNamespace(get_transport=lambda: transport))
    monkeypatch.setattr(host, "run_shell_command", asks)
    reading.begin(host, choices())
    assert done == ["sent"]
    reading.answer(host, choices())


def test_a_command_that_never_gets_on_its_way_holds_nobody_up_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "LONGEST_START_S", 0.1)
    host = Host("slow")
    transport = SimpleNamespace(asked=Event())
    host.connector = SimpleNamespace(client=SimpleNamespace(get_transport=lambda: transport))
    monkeypatch.setattr(host, "run_shell_command", lambda *_, **__: gevent.sleep(60))
    reading.begin(host, choices())
    reading._begun.pop("slow").kill()


@pytest.mark.parametrize("ahead", [True, False])
def test_a_line_that_is_cut_is_said_to_whoever_asks(ahead: bool) -> None:
    host = Host("cut", broken=True)
    if ahead:
        reading.begin(host, choices())
    answer = reading.answer(host, choices())
    assert (answer.ok, answer.lost, answer.errors) == (False, True, ("the line is cut",))
    assert host.sent == 1
