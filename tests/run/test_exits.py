"""One exit code for a run, whatever several workspaces ended with; the documented ones only."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.exits import Exit, worst
from tests.conftest import PROJECT

CODES = st.lists(st.sampled_from(Exit), min_size=1, max_size=6)

#: Worst first: what is not known is worse than every known state, a found change is hardly bad.
RANKING = (4, 130, 1, 3, 5, 6, 7, 2, 0)


def test_the_readme_documents_exactly_these_codes() -> None:
    section = (PROJECT / "README.md").read_text().partition("\n## Exit codes\n")[2]
    cells = re.findall(r"\| (\d+) \| ([^|]+) (?=\|)", section.partition("\n## ")[0])
    documented = {int(code): meaning.strip() for code, meaning in cells}
    assert documented.keys() == {int(code) for code in Exit}
    for code in (Exit.CONVERGED, Exit.FAILED, Exit.ROLLED_BACK, Exit.REFUSED, Exit.LOCKED):
        assert documented[code] == code.outcome
    for code in (Exit.UNKNOWN, Exit.INVALID, Exit.INTERRUPTED):
        assert documented[code].startswith(code.outcome)


def test_each_code_has_a_word_of_its_own() -> None:
    words = [code.outcome for code in Exit]
    assert len(set(words)) == len(Exit)
    assert all(words)


def test_no_workspace_at_all_is_a_failure() -> None:
    assert worst([]) is Exit.FAILED


@pytest.mark.parametrize("position", range(len(RANKING)))
def test_the_worst_workspace_decides(position: int) -> None:
    code, *better = [Exit(number) for number in RANKING[position:]]
    assert worst([*better, code, *better]) is code


@given(CODES)
def test_the_order_of_the_workspaces_does_not_matter(codes: list[Exit]) -> None:
    assert worst(codes) is worst(reversed(codes)) is worst([*codes, worst(codes)])
    assert (worst(codes) is Exit.CONVERGED) == (set(codes) == {Exit.CONVERGED})
