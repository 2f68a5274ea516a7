"""An expression for a secret is passed over where none of the strings is there that it needs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest

from converge.text import redact

MOST = 32  # texts of one part of an expression that are told one by one


def texts(items: Iterable[Any], folds: bool) -> set[str] | None:
    """All that a part of an expression matches, where these are a few texts."""
    found = {""}
    for item in items:
        more = of_one(*item, folds)
        if more is None or len(found) * len(more) > MOST:
            return None
        found = {a + b for a in found for b in more}
    return found


def of_one(kind: Any, value: Any, folds: bool) -> set[str] | None:
    if kind is op.AT:
        return {""}
    if kind is op.LITERAL:
        return {chr(value).lower() if folds else chr(value)}
    if kind is op.IN and all(each is op.LITERAL for each, _ in value):
        return {chr(one).lower() if folds else chr(one) for _, one in value}
    if kind is op.SUBPATTERN and (folds or not value[1] & re.IGNORECASE):
        return texts(value[3], folds)
    if kind is op.BRANCH:
        found = [texts(branch, folds) for branch in value[1]]
        return set().union(*(one for one in found if one)) if all(found) else None
    return None


def has_one(
    items: Iterable[Any],
    needs: tuple[str, ...],
    folds: bool,
    before: Collection[str] = frozenset(("",)),
) -> bool:
    """Whether one of ``needs`` is in all that the expression matches. ``before``: the texts of
    which one stands directly before it."""
    run = set(before)
    for kind, value in items:
        more = of_one(kind, value, folds)
        if more is not None and len(run) * len(more) <= MOST:
            run = {a + b for a in run for b in more}
            if all(any(one in text for one in needs) for text in run):
                return True
            continue
        ahead, run = run, more or {""}
        inner: list[Iterable[Any]] = []
        if kind is op.SUBPATTERN and (folds or not value[1] & re.IGNORECASE):
            inner = [value[3]]
        elif kind is op.BRANCH:
            inner = value[1]
        elif kind in (op.MAX_REPEAT, op.MIN_REPEAT) and value[0] >= 1:
            inner = [value[2]]
        elif kind is op.ASSERT:
            inner, ahead = [value[1]], ahead if value[0] > 0 else {""}
        if inner and all(has_one(each, needs, folds, ahead) for each in inner):
            return True
    return False


@pytest.mark.parametrize(
    "form", [*redact._MATERIAL, *redact._PROSE], ids=lambda form: form.text[:40]
)
def test_all_that_an_expression_matches_has_what_it_needs(form: redact._Form) -> None:
    tree = parser.parse(form.text, int(form.flags))
    assert form.folds == bool(tree.state.flags & re.IGNORECASE)
    assert all(form.needs)
    assert not form.needs or has_one(tree, form.needs, form.folds), form.needs


def test_the_proof_of_it_sees_a_string_that_may_be_missing() -> None:
    assert not has_one(parser.parse("(?:ab|c)d"), ("ab",), False)
    assert not has_one(parser.parse("(?:ab)?d"), ("ab",), False)
    assert not has_one(parser.parse("(?i:ab)d"), ("ab",), False)
    assert has_one(parser.parse("(?:ab|c)d"), ("b", "cd"), False)


def test_few_expressions_are_tried_on_a_usual_text(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    class Pattern:
        def __init__(self, text: str, flags: int) -> None:
            self.text, self.real = text, re.compile(text, flags)

        def sub(self, *given: Any) -> str:
            tried.append(self.text)
            return self.real.sub(*given)

    forms = [redact._Form(one.text, one.flags, one.needs, one.folds) for one in redact._MATERIAL]
    for one in forms:
        one.__dict__["pattern"] = Pattern(one.text, one.flags)
    monkeypatch.setattr(redact, "_MATERIAL", forms)
    for text in ("/home/lukas/.local/state/workspace-tuning/workspace", "0a9c71cc3b7d", "17624"):
        assert redact._secrets(text) == text
    assert len(tried) <= 3 * 2, tried


def test_the_expressions_of_sentences_are_compiled_for_sentences(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forms = [redact._Form(one.text, one.flags, one.needs, one.folds) for one in redact._PROSE]
    monkeypatch.setattr(redact, "_PROSE", forms)
    for text in ("the threads are pinned", "this key", "/etc/ssh/ssh_host_ed25519_key.pub"):
        assert redact._TELLING.search(text)
        assert redact._secrets(text) == text
    assert sum("pattern" in vars(one) for one in forms) <= 2


@pytest.mark.parametrize("text", ["Nick\u017ferv", "nic\u212aserv"])
def test_a_letter_that_stands_for_another_hides_nothing_from_an_expression(text: str) -> None:
    secret = "swordfish9"
    assert secret not in redact._secrets(f"msg {text} identify {secret}")
