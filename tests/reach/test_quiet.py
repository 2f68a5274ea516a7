"""What pyinfra asks in this project's words."""

from __future__ import annotations

import pytest

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
