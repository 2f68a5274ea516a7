"""What pyinfra asks in this project's words."""

from __future__ import annotations

import io

import pytest

from converge.report.terminal import Terminal
from tasks.reach import quiet


@pytest.mark.parametrize(
    ("written", "agrees"),
    [
        ("", True),
        (" ", True),
        ("y", True),
        ("Yes", True),
        ("no", False),
        ("n", False),
        ("?", False),
    ],
)
def test_yes_is_no_refusal_of_a_question_that_enter_agrees_to(
    monkeypatch: pytest.MonkeyPatch, written: str, agrees: bool
) -> None:
    monkeypatch.setattr("builtins.input", lambda: written)
    assert quiet._confirm("") is agrees


def test_a_workspace_that_says_one_error_after_the_other_fills_no_screen() -> None:
    screen = io.StringIO()
    builds = quiet.Builds(Terminal(screen), lambda host, text: None)
    for number in range(1000):
        builds.echo(f"[one] error: {number} {'x' * 9000}")
    builds.echo("[other] error: mine")
    lines = screen.getvalue().split("\n")
    assert len(screen.getvalue()) < 300_000
    assert sum(line.startswith("  error: ") for line in lines) == quiet._MESSAGES + 1
    assert lines[-3:] == [
        "  one says more than 100 errors: nix log has them",
        "  error: mine",
        "",
    ]
