"""The lines of ``remote/check.sh`` are read whole or not at all, each answer for itself."""

from __future__ import annotations

import base64

import pytest

from converge.proof import inquiry
from converge.proof.check import NoAnswer
from tests.proof import checks
from tests.proof.test_checks_wire import shell


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_a_connection_that_breaks_leaves_what_was_answered_and_the_rest_unknown(cut: int) -> None:
    known, asked = checks.context(), (shell("echo a"), shell("echo b"), shell("echo c"))
    lines = ["workspace-check 1", "answer 0 =YQo= 0 =", "answer 1 =Ygo= 0 =", "answer 2 =Ywo="]
    answers = inquiry.read(known, asked, lines[: cut + 1], failure="the connection broke")
    for number, ask in enumerate(asked):
        if number < cut:
            assert answers.reply(ask).status == 0
        else:
            with pytest.raises(NoAnswer, match="the connection broke"):
                answers.reply(ask)


@pytest.mark.parametrize(
    "line", ["answer 0 =! 0 =", "answer 0 =YQo= zero =", "answer 0 =YQo=", "answer 0 =YQo= 0 = ="]
)
def test_a_damaged_answer_is_unknown(line: str) -> None:
    ask = shell("echo a")
    with pytest.raises(NoAnswer, match=r"damaged|no answer"):
        inquiry.read(checks.context(), (ask,), [line]).reply(ask)


@pytest.mark.parametrize(
    "line",
    [
        "share m =",
        "share m =!",
        "share m",
        "share m YQo=",
        "share  =YQo=",
        "share m =" + encoded("a\n\nm 0 0\n"),  # no errors
        "share m =" + encoded("a\n\nm 0 0\n\nm =!\n"),
        "share m =" + encoded("a\n\nm 0 0\n\nm =\n"),  # errors of no question
        "share m =" + encoded("a\n\nm 0 0\n\nm =" + encoded("\nm 1\n") + "\n"),
        "share m =" + encoded("a\n\nm 0 zero\n\nm =" + encoded("\nm 0\n") + "\n"),
        "share m =" + encoded("a\n\nm 0\n\nm =" + encoded("\nm 0\n") + "\n"),
        "share m =" + encoded("a\n\nn 0 0\n\nm =" + encoded("\nm 0\n") + "\n"),
        "share m =" + encoded("a\n\nm 9 0\n\nm =" + encoded("\nm 9\n") + "\n"),
        "share m =" + encoded("a\n\nm -1 0\n\nm =" + encoded("\nm -1\n") + "\n"),
    ],
)
def test_a_damaged_share_has_no_answers(line: str) -> None:
    ask = shell("echo a")
    with pytest.raises(NoAnswer, match="no answer"):
        inquiry.read(checks.context(), (ask,), [line]).reply(ask)
    whole = "share m =" + encoded("a\n\nm 0 7\nrest\nm =" + encoded("b\n\nm 0\nrest") + "\n")
    reply = inquiry.read(checks.context(), (ask,), [line, whole]).reply(ask)
    assert (reply.status, reply.text, reply.errors) == (7, "a\n", "b\n")


def test_an_answer_that_comes_twice_is_the_first() -> None:
    ask = shell("echo a")
    lines = ["answer 0 =YQo= 0 =", "answer 0 =Ygo= 0 =", "answer 7 =Ygo= 0 ="]
    assert inquiry.read(checks.context(), (ask,), lines).text(ask) == "a\n"
