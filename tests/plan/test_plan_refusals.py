"""A plan refuses what is in its way, with the name and the way out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from converge.plan import layers
from converge.plan.snapshot import Kind, Node
from tests.plan.plans import EVERY, KWINRC, LIVED_IN, file, found, plan
from tests.plan.test_plan import VARIABLES
from tests.proof.checks import HOME

KINDS = (
    (Kind.SYMLINK, "/nix/store/abc-kwinrc", "let home-manager or NixOS give the file up"),
    (Kind.SYMLINK, "elsewhere", "let its owner give the file up"),
    (Kind.DIRECTORY, "", "move it away"),
    (Kind.FIFO, "", "move it away"),
    (Kind.DEVICE, "", "move it away"),
)


@pytest.mark.parametrize("path", [KWINRC, VARIABLES])
@pytest.mark.parametrize(("kind", "target", "fix"), KINDS)
def test_what_is_no_file_is_refused_with_its_name_and_the_way_out(
    path: str, kind: Kind, target: str, fix: str
) -> None:
    node = Node(path=path, kind=kind, mode=0o777, uid=1000, owner="mitsio", target=target)
    made = plan(found(node))
    (refusal,) = made.refusals
    assert refusal.path == path
    assert (target or kind.value) in refusal.what
    assert refusal.fix.startswith(fix)
    assert path not in {change.path for change in made.changes}


def test_a_file_where_a_directory_of_ours_belongs_is_refused() -> None:
    blocked = f"{HOME}/{layers.HOME_LAYER[2:]}"
    made = plan(found(file(blocked, b"")), selected=EVERY)
    assert {refusal.path for refusal in made.refusals} == {blocked}
    assert "regular file stands where a directory of ours belongs" in made.refusals[0].what


@pytest.mark.parametrize("uid", [0, 1001])
def test_a_file_of_somebody_else_is_refused_with_the_command_that_mends_it(uid: int) -> None:
    made = plan(found(file(KWINRC, LIVED_IN, uid=uid)))
    (refusal,) = made.refusals
    assert refusal.fix == f"chown mitsio {KWINRC}"
    assert "not to mitsio" in refusal.what


def test_a_file_of_root_belongs_to_root() -> None:
    path = f"{layers.SYSTEM_LAYER}/flake.nix"
    assert not plan(found(file(path, b"old", uid=0)), selected=EVERY).refusals
    (refusal,) = plan(found(file(path, b"old", uid=1000)), selected=EVERY).refusals
    assert refusal.fix == f"chown root {path}"


def test_without_sudo_the_files_of_root_are_refused_before_anything_is_written() -> None:
    snapshot = replace(found(), marks=frozenset({"nixos", "systemd"}))
    (refusal,) = plan(snapshot, selected=EVERY).refusals
    assert "cannot become root without a password" in refusal.what
    assert not plan(snapshot).refusals, "nothing of root is in this plan"


def test_a_file_that_cannot_be_read_is_refused_not_taken_for_absent() -> None:
    made = plan(replace(found(), nodes={}, unreadable=frozenset({VARIABLES})))
    (refusal,) = [one for one in made.refusals if one.path == VARIABLES]
    assert refusal.what == "it cannot be read"


@pytest.mark.parametrize(
    "kind", [Kind.DIRECTORY, Kind.SYMLINK, Kind.FIFO], ids=["directory", "link", "fifo"]
)
def test_what_stands_in_place_of_the_record_is_refused(kind: Kind) -> None:
    """Otherwise each run would write its record elsewhere and have the same changes again."""
    path = f"{found().state}/written.json"
    node = Node(path=path, kind=kind, mode=0o700, uid=1000, owner="mitsio", target="/x")
    (refusal,) = plan(found(node)).refusals
    assert refusal.path == path
