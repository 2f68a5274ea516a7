"""Each row beyond the plan earns its place: evidence, a check, a wrong value, an undo, a figure."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from converge.effect import Effect
from converge.kde.back import changed
from converge.kde.declared import declared
from converge.kde.merge import merge
from converge.proof.check import value
from converge.setting import Layer, Setting, State
from converge.subjects.checks import PROOFS
from converge.subjects.settings import ALL, BY_ID
from tests.kde.undoing import by_awk
from tests.nix import harness
from tests.proof.checks import PROJECT, judge
from tests.subjects import CASES

#: The plan's aim of decoding video, in the form that works today: asked for as the offered ones.
DECODING = "electron.video-decoding"
BEYOND = [one for one in ALL if one.state is State.OFFERED or one.id == DECODING]
ROWS = pytest.mark.parametrize("setting", BEYOND, ids=lambda setting: setting.id)
MEASURED = "measured: "
NO_FIGURE = "no figure: "


@ROWS
def test_a_row_beyond_the_plan_has_evidence_with_a_link_and_the_date_of_reading(
    setting: Setting,
) -> None:
    assert setting.evidence
    assert all(re.fullmatch(r"https://[\w./#-]+", link) for link in setting.evidence)
    assert re.search(r"\(.*\bread 20\d\d-(0[1-9]|1[0-2])\)|, 20\d\d-\d\d\)", setting.reason)


@ROWS
def test_its_check_finds_a_wrong_value_and_the_right_one(setting: Setting) -> None:
    assert setting.check in {proof.id for proof in PROOFS}
    name = setting.id if setting.id in CASES else setting.check
    case = CASES[name]
    assert judge(name, case.good, known=case.context).effect is Effect.EFFECTIVE
    assert case.bad, "no planted wrong value"
    for wrong in case.bad.values():
        found = judge(name, {**case.good, **wrong}, known=case.context)
        assert found.effect is Effect.NOT_EFFECTIVE


@ROWS
def test_what_it_brought_is_gone_once_it_is_undone(setting: Setting, tmp_path: Path) -> None:
    """A generation goes back as a whole (tests/vm), so the layer alone may have the row; entries
    of a KDE file go back one by one, by the program of the workspace."""
    name = setting.id
    without, asked = (harness.settings_in_force(include=i, accept=i) for i in ((), (name,)))
    assert asked != without or setting.layer is Layer.PLASMA
    assert harness.settings_in_force(include=[name], accept=[name], exclude=[name]) == without
    if setting.layer is Layer.PLASMA:
        before, wanted = b"[General]\nx=1\n", declared(value(setting)["entries"])
        after = merge(before, wanted).text
        assert after != before
        assert by_awk(after, changed(before, after, wanted), tmp_path).text == before
    else:
        assert asked[setting.layer].pop(name)
        assert asked == without


@ROWS
def test_it_has_a_measured_figure_or_the_reason_why_there_is_none(setting: Setting) -> None:
    shown = (PROJECT / "docs/settings.md").read_text()
    assert " ".join(setting.gain.split()) in " ".join(shown.split())
    assert setting.gain.startswith((MEASURED, NO_FIGURE))
    if setting.gain.startswith(MEASURED):
        table = (PROJECT / "docs/measuring.md").read_text()
        figure, *interval = re.findall(r"\d+(?:\.\d+)?", setting.gain.replace("99 %", ""))
        row = next(line for line in table.splitlines() if f"`{setting.id}`" in line)
        assert all(number in row for number in (figure, *interval)), row


def test_an_offered_row_without_evidence_or_figure_cannot_be_made() -> None:
    row = BY_ID["memory.page-cluster"]
    for lacking in ({"evidence": ()}, {"gain": ""}):
        with pytest.raises(ValueError, match="offered without"):
            replace(row, **lacking)  # type: ignore[arg-type]
