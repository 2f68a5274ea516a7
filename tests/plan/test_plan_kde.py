"""KDE files in a plan: unmanaged lines stay, file and source become equal, drift is reported."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from converge.plan.snapshot import Managed
from converge.setting import Layer
from tests.plan.plans import KWINRC, LIVED_IN, applied, file, found, plan
from tests.plan.test_plan import SOURCE, change_of
from tests.proof.checks import HOME


def test_unmanaged_lines_stay_byte_for_byte() -> None:
    text = change_of(plan(found()), KWINRC)
    assert text is not None
    for line in (b"# mine\n", b"my=1\n"):
        assert line in text
    assert b"contrastEnabled=false\n" in text


def test_the_live_file_and_its_source_become_the_same_bytes() -> None:
    stamp = sha256(LIVED_IN).hexdigest()
    snapshot = replace(
        found(file(SOURCE, LIVED_IN.replace(b"my=1", b"my=2"))),
        chezmoi={KWINRC: Managed(source=SOURCE, last_written=stamp)},
    )
    made = plan(snapshot)
    live = change_of(made, KWINRC)
    assert live == change_of(made, SOURCE)
    assert live is not None
    assert b"my=2\n" in live, "the live file is untouched: the edit of the source gets through"
    assert {change.chezmoi_target for change in made.changes if change.layer is Layer.PLASMA} >= {
        KWINRC
    }


def test_u5_what_both_sides_changed_is_shown_with_both_values_and_stays_on_both() -> None:
    snapshot = replace(
        found(file(SOURCE, LIVED_IN.replace(b"my=1", b"my=2"))),
        chezmoi={KWINRC: Managed(source=SOURCE, last_written="0" * 64)},
    )
    made = plan(snapshot)
    assert b"my=1\n" in (change_of(made, KWINRC) or b"")
    assert b"my=2\n" in (change_of(made, SOURCE) or b"")
    (said,) = [text for text in made.warnings if "both changed" in text]
    assert "[Plugins] my: the live file has my=1, the source my=2" in said
    assert "--data prefer=live" in said
    assert not any(
        change.chezmoi_target for change in made.changes if change.path in (KWINRC, SOURCE)
    )


def test_a_source_that_is_a_script_is_left_and_only_the_live_file_written() -> None:
    source = f"{HOME}/.local/share/chezmoi/dot_config/modify_kwinrc"
    snapshot = replace(
        found(file(source, b"#!/bin/sh\n")),
        chezmoi={KWINRC: Managed(source=source, last_written="")},
    )
    made = plan(snapshot)
    assert source not in {change.path for change in made.changes}
    assert change_of(made, KWINRC)


def test_a_line_that_makes_an_entry_impossible_is_refused_with_its_number() -> None:
    (refusal,) = plan(found(file(KWINRC, b"[Plugins]\nmy=1\ncontrastEnabled[de]=x\n"))).refusals
    assert refusal.path == KWINRC
    assert refusal.what.startswith(f"{KWINRC}:3: a translation of 'contrastEnabled'")


def test_drift_is_what_somebody_changed_since_we_wrote_it() -> None:
    rest = applied(found(), plan(found()))
    held = rest.nodes[KWINRC].content
    edited = held.replace(b"contrastEnabled=false", b"contrastEnabled=true")
    assert edited != held
    made = plan(replace(rest, nodes={**rest.nodes, KWINRC: file(KWINRC, edited)}))
    (drift,) = made.drift
    assert (drift.what, drift.old, drift.found, drift.wanted) == (
        "[Plugins] contrastEnabled",
        "false",
        "true",
        "false",
    )
    assert change_of(made, KWINRC) == held


def test_a_first_run_finds_no_drift() -> None:
    assert plan(found()).drift == ()


LINES = (
    *(b"[Plugins]", b"[Plugins", b"[Plugins][$i]", b"[Compositing]", b"[a][b]", b"[]"),
    *(b"contrastEnabled=true", b"contrastEnabled[$i]=true", b"contrastEnabled", b"=x", b"Backend="),
    *(
        b"contrastEnabled[$d]",
        b"contrastEnabled[de]=true",
        b"# c",
        b"",
        b"\xff=\x00",
        b"\r",
        b"a=b",
    ),
)


@given(st.lists(st.sampled_from(LINES), max_size=8), st.sampled_from([b"\n", b"\r\n"]))
def test_any_kde_file_is_merged_or_refused_and_then_at_rest(lines: list[bytes], end: bytes) -> None:
    snapshot = found(file(KWINRC, end.join(lines)))
    made = plan(snapshot)
    if made.refusals:
        assert {refusal.path for refusal in made.refusals} == {KWINRC}
        assert KWINRC not in {change.path for change in made.changes}
    else:
        assert plan(applied(snapshot, made)).empty
