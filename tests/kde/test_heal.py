"""Which of declaration, live file and chezmoi's source wins; and what is drift."""

from __future__ import annotations

from hashlib import sha256

import pytest

from converge.kde.heal import Healed, conflicts, heal
from converge.kde.merge import (
    Desired,
    Drift,
    Entry,
    EntryChange,
    Group,
    KConfigError,
    Merged,
    declared,
    drift,
    merge,
    remembered,
    values,
)

DESIRED: Desired = {("Windows",): {"FocusPolicy": "ClickToFocus"}}
WRITTEN = b"# mine\n[Windows]\nFocusPolicy=ClickToFocus\nPlacement=Smart\n"
STAMP = sha256(WRITTEN).hexdigest()


def one(text: bytes) -> Healed:
    """The same bytes on both sides, without a question."""
    return Healed(text=text, source=text)


def test_a_second_run_changes_nothing() -> None:
    assert heal(WRITTEN, WRITTEN, STAMP, DESIRED) == one(WRITTEN)


def test_an_unmanaged_live_change_is_kept_in_both() -> None:
    live = WRITTEN.replace(b"Smart", b"Centered") + b"[Tiling]\npadding=4\n"
    assert heal(live, WRITTEN, STAMP, DESIRED) == one(live)


def test_a_managed_live_change_is_told_and_healed_with_the_rest_kept() -> None:
    live = WRITTEN.replace(b"ClickToFocus", b"FocusUnderMouse").replace(b"Smart", b"Centered")
    healed = heal(live, WRITTEN, STAMP, DESIRED)
    assert healed.text == WRITTEN.replace(b"Smart", b"Centered")
    assert drift(healed.changes, remembered(DESIRED)) == (
        Drift(
            group=("Windows",),
            key="FocusPolicy",
            old="ClickToFocus",
            found="FocusUnderMouse",
            wanted="ClickToFocus",
            line=3,
        ),
    )


def test_an_edit_in_the_source_gets_through_while_the_live_file_is_untouched() -> None:
    source = WRITTEN.replace(b"Smart", b"Random").replace(b"ClickToFocus", b"FocusUnderMouse")
    healed = heal(WRITTEN, source, STAMP, DESIRED)
    assert healed == one(WRITTEN.replace(b"Smart", b"Random"))


BOTH = (
    WRITTEN.replace(b"Smart", b"Centered") + b"\n[Tiling]\npadding=4\n",
    WRITTEN.replace(b"Smart", b"Random") + b"\n[Mine]\nx=1\n",
)


def test_u5_an_entry_that_both_sides_changed_is_a_conflict_and_each_side_keeps_its_own() -> None:
    live, source = BOTH
    healed = heal(live, source, STAMP, DESIRED, base=WRITTEN)
    (found,) = healed.conflicts
    assert str(found) == (
        "[Windows] Placement: the live file has Placement=Centered, the source Placement=Random"
    )
    added = {("Tiling",): ["padding"], ("Mine",): ["x"], ("Windows",): ["Placement"]}
    assert list(values(healed.text, added).values()) == ["4", "1", "Centered"]
    assert list(values(healed.source, added).values()) == ["4", "1", "Random"]


@pytest.mark.parametrize(("prefer", "kept"), [("live", "Centered"), ("source", "Random")])
def test_u5_the_users_word_decides_a_conflict_and_nothing_else(prefer: str, kept: str) -> None:
    live, source = BOTH
    healed = heal(live, source, STAMP, DESIRED, base=WRITTEN, prefer=prefer)
    assert healed.conflicts == ()
    assert healed.text == healed.source
    added = {("Tiling",): ["padding"], ("Mine",): ["x"], ("Windows",): ["Placement"]}
    assert list(values(healed.text, added).values()) == ["4", "1", kept]


def test_u5_where_nobody_knows_what_both_were_every_difference_is_a_conflict() -> None:
    live, source = BOTH
    healed = heal(live, source, STAMP, DESIRED)
    assert (healed.text, healed.source) == (live, source)
    assert len(healed.conflicts) == 3
    assert conflicts(live, source, STAMP, prefer="live") == ()
    assert heal(live, source, STAMP, DESIRED, prefer="live") == one(live)
    # A delete is a difference as well: what the other side alone has goes.
    theirs = heal(live, source, STAMP, DESIRED, prefer="source").text
    assert values(theirs, {("Tiling",): ["padding"]}) == {(("Tiling",), "padding"): None}


def test_an_entry_reset_in_the_live_file_stays_away_in_the_source() -> None:
    live = WRITTEN.replace(b"Placement=Smart\n", b"")
    assert heal(live, WRITTEN, STAMP, DESIRED) == one(live)


def test_a_file_that_chezmoi_never_wrote_takes_what_only_the_source_has_and_loses_nothing() -> None:
    live = b"[Tiling]\npadding=4\n[Windows]\nFocusPolicy=x\n"
    healed = heal(live, WRITTEN, None, DESIRED)
    everything = {("Tiling",): ["padding"], ("Windows",): ["FocusPolicy", "Placement"]}
    assert list(values(healed.text, everything).values()) == ["4", "ClickToFocus", "Smart"]
    assert list(values(healed.source, everything).values()) == ["4", "ClickToFocus", "Smart"]
    assert [conflict.name for conflict in healed.conflicts] == ["[Windows] FocusPolicy"]


def test_a_missing_live_file_comes_from_the_source() -> None:
    assert heal(None, WRITTEN, STAMP, DESIRED).text == WRITTEN
    assert heal(None, WRITTEN, None, DESIRED).text == WRITTEN


def test_without_chezmoi_the_live_file_is_all_there_is() -> None:
    live = b"[Windows]\nPlacement=Smart\n"
    expected = live + b"FocusPolicy=ClickToFocus\n"
    assert heal(live, None, None, DESIRED).text == expected
    assert heal(None, None, None, DESIRED).text == b"[Windows]\nFocusPolicy=ClickToFocus\n"


def test_healing_settles_whatever_came_before() -> None:
    other = b"[Windows]\nFocusPolicy=x\n"
    for live in (None, b"", WRITTEN, other):
        for source in (None, b"", WRITTEN, other):
            for stamp in (None, STAMP):
                healed = heal(live, source, stamp, DESIRED)
                for _ in range(2):  # a declared entry that differed is one after the first time
                    last = healed
                    rest = None if source is None else last.source
                    healed = heal(last.text, rest, stamp, DESIRED)
                    assert healed.changes == ()
                assert (healed.text, healed.source) == (last.text, last.source)


def test_a_refusal_names_the_file_and_the_line() -> None:
    bad = b"[Windows]\nFocusPolicy[de]=x\n"
    with pytest.raises(KConfigError, match=r"^~/\.config/kwinrc:2: a translation") as error:
        heal(bad, WRITTEN, None, DESIRED, live_name="~/.config/kwinrc", source_name="dot_config")
    assert error.value.line == 2
    with pytest.raises(KConfigError, match=r"^dot_config/kwinrc:2: a translation"):
        heal(WRITTEN, bad, STAMP, DESIRED, live_name="live", source_name="dot_config/kwinrc")


def test_a_repair_in_the_source_gets_through() -> None:
    bad = b"[Windows]\nFocusPolicy[de]=x\n"
    assert heal(bad, WRITTEN, sha256(bad).hexdigest(), DESIRED).text == WRITTEN


# --- drift ---------------------------------------------------------------------------------------


def changes(text: bytes, desired: Desired) -> tuple[EntryChange, ...]:
    return merge(text, desired).changes


def test_a_first_run_is_no_drift() -> None:
    assert drift(changes(b"[Windows]\nFocusPolicy=x\n", DESIRED), {}) == ()


def test_a_new_declaration_is_no_drift() -> None:
    new: Desired = {("Windows",): {"FocusPolicy": "FocusUnderMouse"}}
    assert changes(WRITTEN, new) != ()
    assert drift(changes(WRITTEN, new), remembered(DESIRED)) == ()


def test_a_removed_entry_is_drift() -> None:
    (found,) = drift(changes(b"[Windows]\n", DESIRED), remembered(DESIRED))
    assert (found.old, found.found, found.line) == ("ClickToFocus", None, None)


def test_a_lost_expansion_is_drift_though_the_text_is_the_same() -> None:
    desired: Desired = {("General",): {"folders[$e]": "$HOME"}}
    (found,) = drift(changes(b"[General]\nfolders=$HOME\n", desired), remembered(desired))
    assert (found.old, found.found) == ("$HOME", "$HOME")
    new_spelling = remembered({("General",): {"folders": "$HOME"}})
    assert drift(changes(b"[General]\nfolders=$HOME\n", desired), new_spelling) == ()


def test_a_value_in_place_of_a_delete_mark_is_drift() -> None:
    desired: Desired = {("A",): {"x[$d]": ""}}
    (found,) = drift(changes(b"[A]\nx=1\n", desired), remembered(desired))
    assert (found.old, found.found, found.wanted) == (None, "1", None)


def test_an_entry_that_kde_dropped_as_default_is_no_drift() -> None:
    old: Desired = {("General",): {"index hidden folders": Entry("false", default="false")}}
    new: Desired = {("General",): {"index hidden folders": Entry("true", default="false")}}
    assert changes(b"[General]\ndbVersion=2\n", old) == ()
    assert changes(b"[General]\ndbVersion=2\n", new) != ()
    assert drift(changes(b"[General]\ndbVersion=2\n", new), remembered(old)) == ()


# --- what is told --------------------------------------------------------------------------------


def test_a_change_reads_as_a_line() -> None:
    desired: Desired = {
        ("A", "B"): {"x": "2", "new[$e]": "$HOME", "gone[$d]": "", "never[$d]": ""},
    }
    told = [str(change) for change in changes(b"[A][B]\nx[$i]=1\ngone=1\n", desired)]
    assert told == [
        "[A][B] x: '1' [$i] -> '2' (line 2)",
        "[A][B] new: absent -> '$HOME' [$e]",
        "[A][B] gone: '1' -> deleted (line 3)",
        "[A][B] never: absent -> deleted",
    ]


def test_values_are_what_kde_reads() -> None:
    text = b"top=0\n[A]\nx=1\nx=\\s2\ny[$d]\nf[$e]=$HOME\n"
    asked: dict[Group, list[str]] = {
        ("<default>",): ["top"],
        ("A",): ["x", "y", "z", "f[$e]"],
        ("B",): ["x"],
    }
    assert values(text, asked) == {
        (("<default>",), "top"): "0",
        (("A",), "x"): " 2",
        (("A",), "y"): None,
        (("A",), "z"): None,
        (("A",), "f"): "$HOME",
        (("B",), "x"): None,
    }
    with pytest.raises(KConfigError, match=r"^kwinrc:2: "):
        values(b"[A]\nx[]=1\n", {("A",): ["x"]}, name="kwinrc")


def test_plain_data_declares_entries() -> None:
    data: dict[str, dict[str, object]] = {
        "Windows": {"FocusPolicy": "ClickToFocus"},
        "[Effect][blur]": {"BlurStrength": {"value": "15", "default": "15"}},
    }
    assert declared(data) == {
        ("Windows",): {"FocusPolicy": "ClickToFocus"},
        ("Effect", "blur"): {"BlurStrength": Entry("15", default="15")},
    }


@pytest.mark.parametrize(
    "data",
    [
        {"A": {"x": "1"}, "[A]": {"y": "1"}},
        {"[A][$i]": {"x": "1"}},
        {"A": {"x": True}},
        {"A": {"x": {"default": "1"}}},
        {"A": {"x": {"value": "1", "defualt": "1"}}},
        {"A": {"x": {"value": "1", "default": 1}}},
    ],
)
def test_data_that_is_no_declaration_is_refused(data: dict[str, dict[str, object]]) -> None:
    with pytest.raises(KConfigError):
        declared(data)


@pytest.mark.parametrize(
    ("desired", "why"),
    [
        ({("A",): {"k": "1", "k[$e]": "1"}}, r"^\[A\]: 'k' and 'k\[\$e\]' are the same entry"),
        ({("A",): {"k[$d]": "1"}}, r"^\[A\]: 'k\[\$d\]' is deleted and has a value"),
        ({("A",): {"k[$d]": Entry("", default="1")}}, "deleted and has a value"),
        ({"A": {"k": "1"}}, "not a tuple"),
        ({("A",): {"k": True}}, "not a string"),
    ],
)
def test_a_declaration_at_odds_with_itself_is_refused(desired: Desired, why: str) -> None:
    with pytest.raises(KConfigError, match=why):
        merge(b"", desired)


def test_an_entry_may_be_declared_in_many_groups() -> None:
    desired: Desired = {("A",): {"k": "1"}, ("A", "B"): {"k": "2"}}
    assert merge(b"[A]\nk=1\n[A][B]\nk=2\n", desired) == Merged(b"[A]\nk=1\n[A][B]\nk=2\n", ())
