"""A check for every item of the plan's checklists and for every setting; a wrong value for each.

Every case starts from replies that make its check effective. A planted wrong value makes it not
effective; a missing answer makes it unknown, pending or not applicable, never effective.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from converge.effect import Effect
from converge.proof import inquiry
from converge.proof.check import ABSENT, DENIED, MISSING, NOBODY, Reply
from converge.subjects.checks import BY_ID as CHECKS
from converge.subjects.checks import ITEMS
from converge.subjects.settings import ALL, BY_ID
from tests.proof import checks
from tests.proof.checks import failing, judge
from tests.subjects import CASES


def planted() -> Iterator[tuple[str, str]]:
    for name, case in CASES.items():
        for what in case.bad:
            yield name, what


@pytest.mark.parametrize("name", CASES)
def test_the_right_answers_make_a_check_effective(name: str) -> None:
    case = CASES[name]
    finding = judge(name, case.good, known=case.context)
    assert finding.effect is case.expect, finding


@pytest.mark.parametrize(("name", "what"), list(planted()))
def test_a_planted_wrong_value_turns_a_check_to_not_effective(name: str, what: str) -> None:
    case = CASES[name]
    finding = judge(name, {**case.good, **case.bad[what]}, known=case.context)
    assert finding.effect is Effect.NOT_EFFECTIVE, finding
    assert finding.found or finding.reason, finding
    assert finding.expected, finding


def test_every_check_and_every_item_has_a_case_with_a_wrong_value() -> None:
    #: What they find is told, not judged, or there is no wrong value of it.
    told = {"before.baseline", "flakes.readable", "before.rescue-medium", "system.booted"}
    covered = {BY_ID[name].check if name in BY_ID else name for name in CASES}
    assert covered == CHECKS.keys()
    assert {name for name, case in CASES.items() if not case.bad} == told
    assert {item.id for item in ITEMS} <= CASES.keys()


def test_every_setting_names_a_check_that_is_there() -> None:
    assert {setting.check for setting in ALL} <= CHECKS.keys()


#: Every probe that a check asks.
PROBES = frozenset(
    path.removeprefix("probe_").partition("(")[0].replace("_", "-")
    for file in inquiry.PROBES
    for path in file.read_text().splitlines()
    if path.startswith("probe_")
)


def silent(name: str, reply: Reply) -> Effect:
    """The effect where every question has the same reply."""
    return judge(name, dict.fromkeys(PROBES, reply)).effect


@pytest.mark.parametrize("status", [MISSING, ABSENT, DENIED, NOBODY, 1, 137])
@pytest.mark.parametrize("name", [n for n in CASES if n != "flakes.readable"])
def test_no_check_is_effective_when_nothing_answers(name: str, status: int) -> None:
    assert silent(name, failing(status, "some-program")) is not Effect.EFFECTIVE


@pytest.mark.parametrize("name", [n for n in CASES if n != "flakes.readable"])
def test_no_check_is_effective_or_raises_when_its_answers_are_nonsense(name: str) -> None:
    right = {str(answer).strip() for answer in CASES[name].good.values()}  # page-cluster: 0
    nonsense = {"", "\n\n", "null", "[]", "{}", "0", "kernel memory.high 5", "\x1b[31m\0\x00 ="}
    for text in nonsense - right:
        assert silent(name, checks.reply(text)) is not Effect.EFFECTIVE, text


@pytest.mark.parametrize("name", [n for n in CASES if n != "flakes.readable"])
def test_a_question_without_an_answer_in_time_is_unknown(name: str) -> None:
    reply = Reply(status=None, errors="probe: no answer in 10 s")
    assert silent(name, reply) is Effect.UNKNOWN


def test_the_docs_name_every_check() -> None:
    pages = (checks.PROJECT / "docs" / name for name in ("checks.md", "settings.md"))
    text = "".join(page.read_text() for page in pages)  # the second one is made from the rows
    assert [name for name in CHECKS if f"`{name}`" not in text] == []
