"""Every probe of every check is answered wrongly, one at a time: absent, unreadable and failed are
three different things, and none of them is a proof.

Each case starts from answers that make its check effective. One answer is then replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

import pytest

from converge.effect import Effect
from converge.proof import inquiry
from converge.proof.check import ABSENT, DENIED, MISSING, NOBODY, Ask, Reply
from converge.proof.inquiry import CAP
from converge.subjects import checks as registry
from converge.subjects import settings
from tests.proof import checks
from tests.proof.checks import IN_USE, failing, judge
from tests.subjects import CASES

#: A probe that answered, and said nothing of use; one that failed; one that gave no answer at all.
BROKEN: dict[str, Reply] = {
    "empty": checks.reply(""),
    "blank": checks.reply("\n \n\n"),
    "garbage": checks.reply("\x1b[31m\x00\xff%s %n = : [] {} <>\n"),
    "json of another shape": checks.reply('{"a": [1, null, {"b": "c"}]}\n'),
    "a list": checks.reply("[[], 0, null]\n"),
    "a number": checks.reply("31337\n"),
    "a huge number": checks.reply("9" * 5000 + "\n"),
    "an error": failing(1, "error: it broke"),
    "an error with its output": failing(2, "error: it broke", "half of it\n"),
    "killed": failing(137, ""),
    "an unknown status": failing(255, ""),
    "not permitted": failing(DENIED, "the place"),
    "no time": Reply(status=None, errors="probe: no answer in 10 s"),
    "cut": Reply(status=0, output=b"x" * CAP, cut=True),
}
#: Text that only a program's author can read.
EXCEPTION = re.compile(
    r"\w(Error|Exception)\b|Traceback|NoneType|invalid literal|\A'\w*'\Z|unpack|out of range"
)
#: What only decides where something else is not effective: how far the generation has come.
SECOND = frozenset(IN_USE)
#: Questions beside another one whose answer is enough, by the status with which nothing is there to
#: ask; every other status, and every broken answer, is no proof of theirs either.
BESIDE = {
    "kde": {MISSING},  # KDE's own reader; ours reads the same files, and KWin or Baloo is asked
    "coredumps": {MISSING},  # nothing collects core dumps: the kernel's log has the crashes
    "fresh": {MISSING, NOBODY},  # no manager starts anything: a process of the session was read
    "properties": {MISSING, NOBODY},  # the same of a unit
    "LIBVA_DRIVER_NAME": {MISSING, NOBODY},  # no session, whose programs load another driver
    "discord.desktop": {ABSENT},  # no menu entry beside the launcher, so none that goes past it
}
#: Checks that judge what the reading of the workspace found, and ask nothing: its parts are
#: answered wrongly in ``tests/remote/test_every_part.py``.
UNASKED = frozenset({"before.flakes", "flakes.readable"})


def deciding() -> Iterator[tuple[str, str | tuple[str, str]]]:
    """Check and question: every answer that the check's effect rests on."""
    for name, case in CASES.items():
        if case.expect is not Effect.EFFECTIVE or name in UNASKED:
            continue
        questions = checks.questions(name, case.context)
        keys = [key for key in case.good if key not in SECOND] or list(case.good)
        yield from ((name, key) for key in keys if asked(questions, key))


def asked(questions: Iterable[Ask], key: str | tuple[str, str]) -> bool:
    """Whether this is one of a check's questions (some cases share one set of answers)."""
    probe, part = (key, "") if isinstance(key, str) else key
    return any(
        ask.probe == probe and any(part in word for word in (*ask.arguments, ""))
        for ask in questions
    )


DECIDING = list(deciding())


def test_every_probe_and_every_check_is_answered_wrongly_here() -> None:
    """A new probe or check needs a case here, so that its wrong answers are tried."""
    text = "".join(path.read_text() for path in inquiry.PROBES)
    probes = {name.replace("_", "-") for name in re.findall(r"(?m)^probe_(\w+)\(\)", text)}
    assert probes - {key if isinstance(key, str) else key[0] for _, key in DECIDING} == set()
    proved = {settings.BY_ID[name].check if name in settings.BY_ID else name for name in CASES}
    assert registry.BY_ID.keys() - proved == set()
    judged = {name for name, _ in DECIDING}
    rest = {name for name, case in CASES.items() if case.expect is Effect.EFFECTIVE} - judged
    assert rest <= UNASKED, "its effect rests on nothing that is asked"


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize(("name", "key"), DECIDING, ids=str)
def test_a_broken_answer_of_any_probe_is_no_proof(
    name: str, key: str | tuple[str, str], how: str
) -> None:
    case = CASES[name]
    found = judge(name, {**case.good, key: BROKEN[how]}, known=case.context)
    assert found.effect not in (Effect.EFFECTIVE, Effect.NOT_APPLICABLE), found
    for text in (found.found, found.reason, found.expected):
        assert not EXCEPTION.search(text.replace("error: it broke", "")), found


@pytest.mark.parametrize(("name", "key"), DECIDING, ids=str)
def test_no_answer_in_time_is_told_from_an_answer_that_is_no_use(
    name: str, key: str | tuple[str, str]
) -> None:
    case = CASES[name]
    found = judge(name, {**case.good, key: BROKEN["no time"]}, known=case.context)
    assert (found.effect, found.answered) == (Effect.UNKNOWN, False), found


@pytest.mark.parametrize("status", [MISSING, ABSENT, NOBODY])
@pytest.mark.parametrize(("name", "key"), DECIDING, ids=str)
def test_what_is_absent_is_never_effective_and_says_what_is_absent(
    name: str, key: str | tuple[str, str], status: int
) -> None:
    case = CASES[name]
    found = judge(name, {**case.good, key: failing(status, "the-thing")}, known=case.context)
    beside = any(status in BESIDE.get(part, ()) for part in {key, *key})
    assert (found.effect is Effect.EFFECTIVE) <= beside, found
    assert found.found or found.reason


def test_each_question_that_may_be_absent_is_so_somewhere() -> None:
    """An exception that no check needs any more would hide a fault of the next one."""
    needed = {
        (part, status)
        for name, key in DECIDING
        for part in {key, *key}
        for status in BESIDE.get(part, ())
        if judge(
            name, {**CASES[name].good, key: failing(status, "x")}, known=CASES[name].context
        ).effect
        is Effect.EFFECTIVE
    }
    assert needed == {(part, status) for part, some in BESIDE.items() for status in some}


@cache
def effect_of(name: str, bad: str) -> Effect:
    """The effect that a wrong value has while all else answers."""
    case = CASES[name]
    return judge(name, {**case.good, **case.bad[bad]}, known=case.context).effect


@pytest.mark.parametrize("how", BROKEN)
def test_what_decides_second_never_makes_a_wrong_value_effective(how: str) -> None:
    """How far the generation has come turns "not effective" into "pending", and nothing else."""
    tried = 0
    for name, case in CASES.items():
        for which, bad in case.bad.items():
            wrong = effect_of(name, which)
            for key in SECOND & {**case.good, **bad}.keys():
                answers = {**case.good, **bad, key: BROKEN[how]}
                found = judge(name, answers, known=case.context)
                if wrong in (Effect.NOT_EFFECTIVE, Effect.PENDING, Effect.UNKNOWN):
                    tried += 1
                    assert found.effect not in (Effect.EFFECTIVE, Effect.NOT_APPLICABLE), (
                        name,
                        key,
                    )
    assert tried > 10
