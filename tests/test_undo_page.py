"""Every sentence of docs/undo.md has a test, and every test that the page names is there.

A sentence that is new or changed fails here until a test that proves it is named."""

from __future__ import annotations

import re
from functools import cache

import pytest

from tests.conftest import PROJECT

PAGE = PROJECT / "docs/undo.md"
#: Each sentence outside of the tables, which name their tests themselves -> what proves it.
SENTENCES: dict[str, tuple[str, ...]] = {
    "An undo goes back to what was recorded before one run.": (
        "test_rolling_every_run_back_gives_the_state_before_the_first",
    ),
    "It happens by itself where a change is not proved, where nobody confirms it in time, and at "
    "the next boot where the power failed in between; and it happens when you ask for it:": (
        "test_a_proof_that_fails_undoes_every_layer_and_names_the_check_and_the_value",
        "test_a_controller_that_is_killed_leaves_a_change_that_undoes_itself",
        "test_a_reboot_before_the_word_undoes_the_home_and_the_files",
        "test_one_layer_is_rolled_back_alone",
    ),
    "All ways do the same, on the workspace, with nothing but `sh` and what Nix brings.": (
        "test_without_a_controller_the_script_on_the_workspace_rolls_back",
    ),
    "Repeat the command, and it takes the run before.": (
        "test_u16_repeating_a_rollback_of_a_part_reaches_every_older_run_and_ends",
    ),
    "When no run is left, it says `nothing to take back` and ends in 0.": (
        "test_rolling_every_run_back_gives_the_state_before_the_first",
    ),
    "The undo goes on with everything else, says `broken`, names the file, the reason and the "
    "command that does it by hand, and ends in 4.": (
        "test_u14_an_immutable_file_is_broken_the_others_are_back_and_it_can_be_repeated",
    ),
    "Nothing of what is missing is forgotten: mend the reason and repeat the command, and it goes "
    "on where it was.": (
        "test_u14_a_lock_that_is_held_is_broken_with_its_holder_and_the_rest_is_back",
        "test_u14_what_is_immutable_at_any_step_is_broken_or_whole_and_repeatable",
    ),
    "One damaged file of a record is mended from its second copy.": (
        "test_u14_each_file_of_a_record_that_is_damaged_leaves_an_undo_whole_or_broken_and_"
        "repeatable",
        "test_u14_without_the_copies_of_the_new_bytes_an_undo_is_whole",
    ),
    "What was written between two tries stays, and a desktop that writes all the time holds no "
    "undo up.": (
        "test_u14_repeating_an_undo_leaves_alone_what_was_written_in_between",
        "test_u1_undos_while_kde_writes_all_the_time_leave_nothing_and_lose_nothing",
    ),
    "A rollback that is interrupted, at its terminal or by a lost one, goes on to its end on the "
    "workspace.": ("test_a_rollback_that_is_interrupted_is_whole_and_its_state_true",),
    "A record belongs to the user whose run it was: two users of a machine neither see nor remove "
    "each other's.": (
        "test_u13_a_rollback_takes_and_shows_only_the_users_own_runs",
        "test_u13_pruning_for_one_user_leaves_the_records_of_another",
    ),
    "The newest ten runs can be undone.": ("test_the_records_of_the_newest_ten_runs_are_kept",),
    "They are ordered by their number, not by a clock.": (
        "test_u15_a_run_whose_clock_is_behind_keeps_its_own_record_and_the_oldest_goes",
    ),
    "What a program did with a setting while it was in force: an index that Baloo has built, a "
    "file that an application saved.": (
        "test_an_undo_removes_the_directories_that_the_run_made_while_nothing_is_in_them",
    ),
    "What a session or a boot was given at its begin: the values are back, and the next login or "
    "boot has them.": (
        "test_u3_a_file_that_the_run_made_goes_while_it_is_exactly_ours",
        "test_u14_a_systems_step_that_fails_is_broken_and_whole_once_it_is_repeated",
    ),
    "A hard link: both names have the bytes from before, in two files.": (
        "test_mode_group_access_list_and_attributes_of_a_file_come_back_with_its_bytes",
    ),
    "Each sentence here has a test: `tests/test_undo_page.py`.": (
        "test_every_sentence_of_the_page_has_a_test",
    ),
    "On 26 November 2026 all came back: of 1,000 random homes by the rules alone, of 100 through "
    "a run and its undo, in 200 undos while KDE wrote all the time.": (
        "test_of_a_random_home_each_entry_is_what_it_was_and_what_kde_wrote_is_there",
        "test_a_random_home_comes_back_as_it_was",
        "test_u1_undos_while_kde_writes_all_the_time_leave_nothing_and_lose_nothing",
    ),
    "After the last changes: 1,000 and 33 homes, 200 undos (`make homes`, `make undos`).": (
        "test_of_a_random_home_each_entry_is_what_it_was_and_what_kde_wrote_is_there",
        "test_a_random_home_comes_back_as_it_was",
        "test_u1_undos_while_kde_writes_all_the_time_leave_nothing_and_lose_nothing",
    ),
    "The suite does four and three.": (
        "test_a_random_home_comes_back_as_it_was",
        "test_u1_undos_while_kde_writes_all_the_time_leave_nothing_and_lose_nothing",
    ),
}


@cache
def names_of_tests() -> frozenset[str]:
    files = (PROJECT / "tests").rglob("test_*.py")
    found = (re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE) for path in files)
    return frozenset(name for names in found for name in names)


def sentences(text: str) -> list[str]:
    """The sentences of a page: no headings, no blocks of code, no tables."""
    text = re.sub(r"```.*?```", "\n", text, flags=re.DOTALL)
    found: list[str] = []
    for block in re.split(r"\n\s*\n|\n(?=- )|\n(?=#)|\n(?=\|)", text):
        block = " ".join(block.split()).removeprefix("- ")
        if block and not block.startswith(("#", "|")):
            found += re.split(r"(?<=[.!?]) (?=[A-Z`])", block)
    return found


def test_every_sentence_of_the_page_has_a_test() -> None:
    assert sentences(PAGE.read_text()) == list(SENTENCES), (
        "a sentence of docs/undo.md is new, changed or gone: name the test that proves it here"
    )


def test_every_row_of_the_page_names_its_test_or_its_command() -> None:
    tables = re.split(r"\n\s*\n", PAGE.read_text())
    rows = [
        line
        for table in tables
        for line in table.splitlines()
        if line.startswith("| ") and not line.startswith(("| what ", "| reason "))
    ]
    assert len(rows) > 15
    assert [row for row in rows if "`test_" not in row and "`make " not in row] == []


@pytest.mark.parametrize("where", ["the page", "the table"])
def test_every_test_that_is_named_is_there(where: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text()))
    if where == "the table":
        named = {name for names in SENTENCES.values() for name in names}
    assert named - names_of_tests() == set()
