"""Every row of the plan is sound: unique, described, checked, and of the shape its layer reads."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from converge.kde.merge import declared, merge, values
from converge.plan import layers
from converge.plan.layers import session_file
from converge.problem import hidden_characters
from converge.profile.choices import check_choices
from converge.setting import NEEDS, Layer, Phase, Risk, Setting, State
from converge.subjects import checks
from converge.subjects.settings import ALL, BY_ID

ROWS = pytest.mark.parametrize("setting", ALL, ids=[one.id for one in ALL])
NIX_LAYERS = (Layer.NIXOS, Layer.HOME_MANAGER)


def of(*some: Layer) -> pytest.MarkDecorator:
    rows = [setting for setting in ALL if setting.layer in some]
    return pytest.mark.parametrize("setting", rows, ids=[row.id for row in rows])


def texts(value: object) -> list[str]:
    """Every text in a value, keys as well."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for item in value.items() for part in item for text in texts(part)]
    if isinstance(value, list | tuple):
        return [text for part in value for text in texts(part)]
    return []


def test_ids_are_unique_and_none_is_the_family_of_another_in_other_letters() -> None:
    assert len(BY_ID) == len(ALL)
    assert len({setting.id.casefold() for setting in ALL}) == len(ALL)


def test_every_phase_and_every_layer_has_rows() -> None:
    assert {setting.phase for setting in ALL} == set(Phase)
    assert {setting.layer for setting in ALL} == set(Layer)


@ROWS
def test_an_id_can_be_named_on_the_command_line(setting: Setting) -> None:
    """It becomes a key of JSON, part of file names, and a value of include= and the like."""
    assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)+", setting.id)
    data = {
        "workspace": "w",
        "profile": "inventory/hardware/shoshin.yaml",
        "user": "u",
        "include": setting.id,
    }
    assert check_choices("w", data, known_settings=BY_ID).include == {setting.id}


@ROWS
def test_a_row_says_what_the_plan_says_and_why_it_is_not_done_so(setting: Setting) -> None:
    assert 0 < len(setting.title) <= 60
    assert setting.says
    for text in (setting.title, setting.says, setting.reason):
        assert not list(hidden_characters(text))
        assert text == text.strip()
    assert bool(setting.reason) or setting.state is State.APPLIED
    assert setting.needs <= NEEDS.keys()


@ROWS
def test_a_row_names_a_check_that_is_a_proof(setting: Setting) -> None:
    assert setting.check in {proof.id for proof in checks.PROOFS}


def test_every_proof_is_named_by_a_row() -> None:
    assert {proof.id for proof in checks.PROOFS} == {setting.check for setting in ALL}


@ROWS
def test_a_claim_is_a_range_of_something_that_can_be_measured(setting: Setting) -> None:
    if setting.claim:
        assert 0 <= setting.claim.low <= setting.claim.high <= 100
        assert setting.claim.subject
        assert setting.claim.unit == "%"


@ROWS
def test_what_may_not_be_forced_is_withheld_and_high_risk_is_never_applied_silently(
    setting: Setting,
) -> None:
    if not setting.forcible:
        assert setting.state is State.WITHHELD
    if setting.risk is Risk.HIGH:
        assert setting.reason


@ROWS
def test_a_value_holds_no_control_character_and_survives_json(setting: Setting) -> None:
    assert json.loads(json.dumps(setting.value)) == setting.value
    for text in texts(setting.value):
        assert not list(hidden_characters(text))


@of(*NIX_LAYERS)
def test_a_number_for_nix_is_an_integer(setting: Setting) -> None:
    """A JSON 3.0 becomes -O3.000000 in Nix."""

    def numbers(value: object) -> list[object]:
        if isinstance(value, Mapping):
            return [n for part in value.values() for n in numbers(part)]
        if isinstance(value, list | tuple):
            return [n for part in value for n in numbers(part)]
        return [value] if isinstance(value, int | float) else []

    assert all(isinstance(number, int) for number in numbers(setting.value))


@of(Layer.PLASMA)
def test_entries_for_kde_can_be_written_and_read_back(setting: Setting) -> None:
    assert isinstance(setting.value, Mapping)
    assert setting.value.keys() == {"file", "entries"}
    assert setting.value["file"] in layers.KDE_FILES
    entries = declared(setting.value["entries"])
    assert not merge(merge(b"", entries).text, entries).changes
    # Without the defaults, which KDE drops as well, every entry stands there.
    plain = {
        group: {key: one if isinstance(one, str) else one.value for key, one in keys.items()}
        for group, keys in entries.items()
    }
    read = values(merge(b"", plain).text, {group: keys.keys() for group, keys in plain.items()})
    assert read == {
        (group, key.partition("[$")[0]): text
        for group, keys in plain.items()
        for key, text in keys.items()
    }


def test_no_two_rows_set_the_same_entry_of_a_kde_file() -> None:
    owner: dict[tuple[str, object, str], str] = {}
    for setting in ALL:
        if setting.layer is Layer.PLASMA:
            assert isinstance(setting.value, Mapping)
            for group, keys in declared(setting.value["entries"]).items():
                for key in keys:
                    place = (setting.value["file"], group, key.partition("[$")[0])
                    assert place not in owner, f"{setting.id} and {owner[place]}"
                    owner[place] = setting.id


@of(Layer.SESSION)
def test_variables_fit_into_environment_d_as_they_are(setting: Setting) -> None:
    """environment.d(5) and systemd expand $ and %, and split at blanks and quotes."""
    assert isinstance(setting.value, Mapping)
    assert setting.value.keys() <= {"variables", "unit"}
    assert setting.value["variables"]
    for name, text in setting.value["variables"].items():
        assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)
        assert re.fullmatch(r"[A-Za-z0-9_./:-]+", text)
    if "unit" in setting.value:
        assert re.fullmatch(r"[a-z0-9_-]+\.service", setting.value["unit"])


def test_each_row_of_the_session_has_a_file_of_its_own_and_no_variable_two_owners() -> None:
    rows = [setting for setting in ALL if setting.layer is Layer.SESSION]
    assert len({session_file(row)[0] for row in rows}) == len(rows)
    names = [
        (row.value.get("unit"), name)
        for row in rows
        if isinstance(row.value, Mapping)
        for name in row.value["variables"]
    ]
    assert len(set(names)) == len(names)


def test_a_row_without_its_reason_or_with_an_unknown_need_cannot_be_made() -> None:
    row: dict[str, Any] = {
        "id": "a.b",
        "title": "t",
        "phase": Phase.DESKTOP,
        "layer": Layer.SESSION,
        "says": "s",
        "value": {},
        "check": "c",
    }
    with pytest.raises(ValueError, match=r"a\.b: withheld without a reason"):
        Setting(**row, state=State.WITHHELD)
    with pytest.raises(ValueError, match=r"a\.b: unknown needs \['warp'\]"):
        Setting(**row, state=State.APPLIED, needs=frozenset({"warp"}))
