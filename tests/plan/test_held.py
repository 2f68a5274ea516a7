"""Settings are held back where their file or its chezmoi source is in the way, and no others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from converge.kde.merge import drift, merge
from converge.plan import held
from converge.plan.refusal import refuse
from converge.plan.snapshot import Kind, Managed, Node, Snapshot
from converge.plan.standing import Stand
from tests.plan.plans import HOME, KWINRC, LIVED_IN, file, found, stands

SOURCES = f"{HOME}/.local/share/chezmoi/dot_config"
#: What a modify_ source makes of our entries that sets one of them back.
FOUGHT = b"[Plugins]\ncontrastEnabled=true\n"


def stand_of(snapshot: Snapshot, setting: str, prefer: str = "") -> tuple[Stand, str]:
    (one,) = [
        one
        for one in held.with_holds(snapshot, stands(snapshot), prefer=prefer)
        if one.setting.id == setting
    ]
    return one.stand, one.why


def setting_of(snapshot: Snapshot) -> str:
    """A setting that is in force in kwinrc."""
    return next(
        stand.setting.id
        for stand in stands(snapshot)
        if stand.in_force
        and stand.setting.layer == "plasma"
        and "contrastEnabled" in str(stand.setting.value)
    )


@pytest.mark.parametrize(
    ("prefer", "stand"), [("", Stand.HELD), ("source", Stand.HELD), ("live", Stand.IN_FORCE)]
)
def test_a_source_that_fights_holds_the_setting_back_unless_the_live_file_is_preferred(
    prefer: str, stand: Stand
) -> None:
    source = f"{SOURCES}/modify_kwinrc"
    snapshot = replace(
        found(file(source, b"#!/bin/sh\n")),
        chezmoi={KWINRC: Managed(source=source, last_written="")},
        modified={KWINRC: FOUGHT},
    )
    assert stand_of(snapshot, setting_of(found()), prefer)[0] is stand


def test_a_source_that_is_a_link_is_not_written_through() -> None:
    source = f"{SOURCES}/kwinrc"
    link = Node(
        path=source, kind=Kind.SYMLINK, mode=0o777, uid=1000, owner="mitsio", target="../other"
    )
    snapshot = replace(found(link), chezmoi={KWINRC: Managed(source=source, last_written="")})
    stand, why = stand_of(snapshot, setting_of(found()))
    assert stand is Stand.HELD
    assert f"{source} is a symbolic link to {SOURCES}/../other" in why


@pytest.mark.parametrize(("name", "sides"), [("kwinrc", 1), ("modify_kwinrc", 0)])
def test_only_a_source_that_is_the_file_itself_can_have_changed_as_well(
    name: str, sides: int
) -> None:
    source = f"{SOURCES}/{name}"
    snapshot = replace(
        found(file(source, LIVED_IN.replace(b"my=1", b"my=2"))),
        chezmoi={KWINRC: Managed(source=source, last_written="0" * 64)},
    )
    assert len(held.conflicts(snapshot, KWINRC, "")) == sides


def test_below_a_directory_that_cannot_be_read_nothing_is_taken_for_absent() -> None:
    directory = f"{HOME}/.config/environment.d"
    snapshot = replace(found(), unreadable=frozenset({directory}))
    refusal = refuse(snapshot, f"{directory}/60-new.conf")
    assert refusal is not None
    assert (refusal.path, refusal.what) == (directory, "it cannot be read")


@pytest.mark.parametrize(("last", "changed_by_another"), [("1", False), ("3", True)])
def test_what_we_declare_otherwise_now_is_no_drift(last: str, changed_by_another: bool) -> None:
    changes = merge(b"[A]\nk=1\n", {("A",): {"k": "2"}}).changes
    assert bool(drift(changes, {(("A",), "k"): last})) is changed_by_another
