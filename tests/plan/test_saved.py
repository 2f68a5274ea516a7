"""A saved plan carries its narrowing; unknown, narrowed and stale are three different answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from converge.plan import saved
from converge.problem import InvalidInput
from converge.profile.choices import Choices
from converge.setting import Layer, Phase
from tasks.run import plans
from tests.plan.plans import EVERY, KWINRC, found, plan
from tests.proof.checks import HOME

CHOICES = Choices(workspace="shoshin", profile="p.yaml", user="me", host="shoshin")
NARROW = replace(
    CHOICES,
    layers=frozenset({Layer.PLASMA, Layer.SESSION}),
    phases=frozenset({Phase.DESKTOP}),
    exclude=frozenset({"kwin.blur"}),
    rollout="staged",
    soak_hours=3,
)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    plans.save(tmp_path, plan(found()), home=HOME, choices=NARROW)
    return tmp_path


def test_the_id_alone_brings_every_choice_back_that_the_plan_was_shown_with(kept: Path) -> None:
    shown = saved.load(kept, plan(found()).id)
    workspace = replace(CHOICES, workspace=shown.workspace)
    again = saved.narrowed(workspace, shown, given={"plan"})
    assert saved.narrowing(again) == saved.narrowing(NARROW)
    assert set(saved.NARROWING) <= saved.narrowing(CHOICES).keys()


def test_what_was_shown_narrowed_otherwise_is_said_as_that(kept: Path) -> None:
    shown = saved.load(kept, plan(found()).id)
    other = replace(NARROW, workspace=shown.workspace, layers=frozenset({Layer.NIXOS}))
    with pytest.raises(InvalidInput, match="was shown with layers=plasma,session, not nixos"):
        saved.narrowed(other, shown, given={"plan", "layers"})
    same = replace(NARROW, workspace=shown.workspace)
    assert saved.narrowed(same, shown, given={"plan", "layers"}) == same


def test_an_id_that_was_never_shown_is_said_as_that_with_the_nearest_one(kept: Path) -> None:
    name = plan(found()).id
    with pytest.raises(InvalidInput, match=f"no plan of that id was shown here.*{name}"):
        saved.load(kept, name[:-1] + ("0" if name[-1] != "0" else "1"))
    with pytest.raises(InvalidInput, match="no plan of that id"):
        saved.load(kept / "nowhere", name)


def test_a_plan_of_another_workspace_is_said_as_that(kept: Path) -> None:
    shown = saved.load(kept, plan(found()).id)
    with pytest.raises(InvalidInput, match=f"is a plan of {shown.workspace}, not of other"):
        saved.narrowed(replace(CHOICES, workspace="other"), shown, given=())


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"workspace": "w", "choices": []}'])
def test_a_file_that_is_no_plan_is_no_plan(tmp_path: Path, text: str) -> None:
    (tmp_path / "abcdefabcdef.json").write_text(text)
    with pytest.raises(InvalidInput, match="cannot be read"):
        saved.load(tmp_path, "abcdefabcdef")


def test_a_plan_nested_without_end_is_no_plan_and_a_dead_link_beside_is_none(
    kept: Path,
) -> None:
    (kept / "deadbeef0000.json").symlink_to("nowhere")
    (kept / "aaaaaaaaaaaa.json").write_text("[" * 200_000)
    for name, says in (("aaaaaaaaaaaa", "cannot be read"), ("deadbeef0000", "no plan of that id")):
        with pytest.raises(InvalidInput, match=says):
            saved.load(kept, name)


@pytest.mark.parametrize(
    "edited",
    [
        {"rollout": "sometimes"},
        {"rollout": {}},
        {"soak_hours": -5},
        {"soak_hours": 10**30},
        {"layers": None},
        {"layers": "nixos"},
        {"accept": [1]},
    ],
    ids=str,
)
def test_choices_that_no_inventory_could_have_are_said_as_edited(
    kept: Path, edited: dict[str, object]
) -> None:
    shown = saved.load(kept, plan(found()).id)
    wrong = replace(shown, choices={**shown.choices, **edited})
    with pytest.raises(InvalidInput, match="was edited, or shown by another version"):
        saved.narrowed(replace(CHOICES, workspace=shown.workspace), wrong, given=())


def test_a_stale_plan_says_what_changed_since(kept: Path) -> None:
    made = plan(found())
    shown = saved.load(kept, made.id)
    (change,) = [one for one in made.changes if one.path == KWINRC]
    touched = replace(change, before=b"[Plugins]\n")
    rest = tuple(one for one in made.changes if one is not change)
    short = "~/.config/kwinrc"
    changed = replace(made, changes=(*rest, touched))
    assert f"{short} was changed" in saved.stale(shown, changed, home=HOME)
    gone = replace(made, changes=rest)
    assert f"{short} needs no change any more" in saved.stale(shown, gone, home=HOME)
    more = plan(found(), selected=EVERY)
    assert "would change as well" in saved.stale(shown, more, home=HOME)
