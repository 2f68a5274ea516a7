"""One word and one exit code for each end of a command; the documented ones only."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.effect import Effect, Finding
from converge.exits import FORMER, VERBS, Exit, Outcome, known, together, well, worst
from converge.report.ending import applied
from converge.report.words import exit_sentence, tone
from tests.conftest import PROJECT
from tests.run import exits_page

CODES = st.lists(st.sampled_from(Exit), min_size=1, max_size=6)

#: Worst first: what is not known is worse than every known state, a found change is hardly bad.
RANKING = (4, 130, 1, 3, 5, 6, 7, 2, 0)


def test_the_readme_documents_exactly_these_codes() -> None:
    section = (PROJECT / "README.md").read_text().partition("\n## Exit codes\n")[2]
    cells = re.findall(r"\| (\d+) \| ([^|]+) (?=\|)", section.partition("\n## ")[0])
    assert {int(code): text.strip() for code, text in cells} == {
        int(code): code.meaning for code in Exit
    }


def test_the_page_of_the_words_is_what_the_table_says() -> None:
    assert exits_page.PAGE.read_text(encoding="utf-8") == exits_page.page(), (
        "the table has changed: python -m tests.run.exits_page"
    )


def test_the_schema_of_the_journal_has_exactly_these_words() -> None:
    schema = json.loads((PROJECT / "schemas/journal.schema.json").read_text())
    for kind in ("result", "run-end"):
        words = schema["$defs"][kind]["properties"]["outcome"]["enum"]
        assert words == [outcome.value for outcome in Outcome]


@pytest.mark.parametrize("outcome", Outcome)
def test_a_word_has_one_code_one_sentence_and_commands_that_end_with_it(outcome: Outcome) -> None:
    assert outcome.sentence and set(outcome.verbs) <= set(VERBS)
    assert known(outcome.value) is outcome
    assert well(outcome.value) == (outcome.exit is Exit.DONE)
    if outcome is not Outcome.DONE:
        assert outcome.verbs
        assert outcome.sentence in exit_sentence(int(outcome.exit), outcome.value)


def test_two_is_a_dry_run_that_found_changes_and_nothing_else() -> None:
    (only,) = (outcome for outcome in Outcome if outcome.exit is Exit.CHANGES)
    assert only is Outcome.CHANGES
    assert all(verb.endswith("--dry") for verb in only.verbs)


def test_only_a_word_that_claims_success_looks_like_it() -> None:
    for outcome in Outcome:
        if tone(outcome.value) == "good":
            assert outcome.exit is Exit.DONE
    assert tone(Outcome.NOWHERE.value) != "good"
    assert all(word not in {one.value for one in Outcome} for word in FORMER)


def test_no_workspace_at_all_is_a_failure() -> None:
    assert worst([]) is Exit.FAILED
    assert together([]) is Outcome.FAILED


@pytest.mark.parametrize("position", range(len(RANKING)))
def test_the_worst_workspace_decides(position: int) -> None:
    code, *better = [Exit(number) for number in RANKING[position:]]
    assert worst([*better, code, *better]) is code


@given(CODES)
def test_the_order_of_the_workspaces_does_not_matter(codes: list[Exit]) -> None:
    assert worst(codes) is worst(reversed(codes)) is worst([*codes, worst(codes)])
    assert (worst(codes) is Exit.DONE) == (set(codes) == {Exit.DONE})


@given(st.lists(st.sampled_from(Outcome), min_size=1, max_size=6))
def test_the_word_of_several_workspaces_is_that_of_the_worst(outcomes: list[Outcome]) -> None:
    assert together(outcomes) in outcomes
    assert together(outcomes).exit is worst(outcome.exit for outcome in outcomes)
    assert together(reversed(outcomes)) is together(outcomes)


def test_a_run_beside_a_setting_on_record_as_not_effective_is_not_proved() -> None:
    found = Finding(check="kwin.blur", setting="kwin.blur", effect=Effect.EFFECTIVE)
    assert applied([found]) is Outcome.PROVED
    for effect, word in (
        (Effect.NOT_EFFECTIVE, Outcome.INEFFECTIVE),
        (Effect.UNKNOWN, Outcome.UNPROVED),
        (Effect.PENDING, Outcome.PENDING),
    ):
        assert applied([found], earlier=[effect.value]) is word
