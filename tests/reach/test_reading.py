"""A reading is sent once, as soon as a workspace is connected; who asks first gets its answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gevent
import pytest

from tasks.reach import reading
from tests.profile.test_choices import check as choices


class Host:
    """What ``remote.send`` needs of pyinfra's host; each command is answered by its number."""

    def __init__(self, name: str, *, broken: bool = False) -> None:
        self.name, self.broken, self.sent = name, broken, 0
        self.data: dict[str, Any] = {}

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


@pytest.mark.parametrize("ahead", [True, False])
def test_a_line_that_is_cut_is_said_to_whoever_asks(ahead: bool) -> None:
    host = Host("cut", broken=True)
    if ahead:
        reading.begin(host, choices())
    answer = reading.answer(host, choices())
    assert (answer.ok, answer.lost, answer.errors) == (False, True, ("the line is cut",))
    assert host.sent == 1
