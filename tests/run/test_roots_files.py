"""No record of a user's, and no answer in the user's name, tells root which files to write or to
remove: the NixOS layer is all that root touches (S2, S3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from converge.exits import Exit
from converge.plan.layers import SYSTEM_LAYER
from converge.plan.observed import SnapshotError, parse
from converge.plan.plan import Change, digest
from converge.plan.snapshot import Snapshot
from converge.plan.written import LastWritten
from converge.setting import Layer
from tasks.run.stages import Built, Over, Read
from tasks.steps import activate, away, read, write
from tests.plan.plans import EVERY, KWINRC, file, found, plan
from tests.plan.test_snapshot import answer
from tests.proof.checks import HOME
from tests.run.steps import make

__all__ = ["make"]  # the fixture

OTHERS = (
    "/etc/passwd",
    f"{SYSTEM_LAYER}/../runs/other/x/layer/manifest",
    f"{SYSTEM_LAYER}/./flake.nix",
    f"{SYSTEM_LAYER}//flake.nix",
    f"{SYSTEM_LAYER}x/flake.nix",
    f"{SYSTEM_LAYER}/a\ngone 9 - 0 /etc/passwd",
    f"{SYSTEM_LAYER}/home-manager/../../../../../etc/passwd",
    KWINRC,
    f"{HOME}/.ssh/authorized_keys",
)


def recorded(path: str, **more: object) -> Snapshot:
    """A workspace whose record says that a file is ours, and whose answer says that it is as it
    was written."""
    content = b"as it is\n"
    written = LastWritten(files={path: digest(content)}, run="20261125t000000-abcd")
    here = found(file(path, content, uid=0), written=written, **more)
    return replace(here, facts={**here.facts, "system_uid": "0"})


@pytest.mark.parametrize("path", OTHERS)
def test_s3_a_file_that_the_record_names_elsewhere_is_not_removed_by_root(path: str) -> None:
    for marks in (frozenset(), frozenset({"home_module"})):
        here = recorded(path)
        made = plan(replace(here, marks=here.marks | marks), selected=EVERY)
        ours = [one for one in made.changes if one.root]
        assert ours, "the layer is written"
        assert [one.path for one in ours if not one.path.startswith(f"{SYSTEM_LAYER}/")] == []
        assert [one.path for one in ours if one.after is None] == []
        assert any(one.startswith(path) and "left alone" in one for one in made.warnings)


def test_a_file_of_the_layer_that_nothing_calls_for_any_more_is_still_removed() -> None:
    path = f"{SYSTEM_LAYER}/lib/old.nix"
    gone = [one for one in plan(recorded(path), selected=EVERY).changes if one.after is None]
    assert [(one.path, one.root) for one in gone] == [(path, True)]


@pytest.mark.parametrize("path", OTHERS)
def test_s3_remove_takes_no_file_of_roots_that_the_record_names_elsewhere(
    make: Any, path: str
) -> None:
    stage = make(snapshot=recorded(path))
    assert [one.path for one in away._ours(stage, stage.snapshot, {}) if one.root] == []


@pytest.mark.parametrize("path", OTHERS)
def test_s3_what_is_sent_to_root_is_looked_at_once_more(make: Any, path: str) -> None:
    stage = make(True)
    change = Change(path=path, layer=Layer.NIXOS, before=None, after=b"x", root=True)
    for changes, sweep in (((change,), ()), ((), (path,))):
        with pytest.raises(Over, match="root writes no other"):
            write.by_root(stage, changes, sweep)
    assert stage.host.commands == []


@pytest.mark.parametrize(
    "path",
    [
        f"{SYSTEM_LAYER}/../../../../etc/.passwd.wt-1",
        f"{SYSTEM_LAYER}/x/../../../../../etc/.shadow.wt-1",
        "/etc/.passwd.wt-1",
    ],
)
def test_s3_root_sweeps_nothing_outside_of_its_layer(make: Any, path: str) -> None:
    left = f"{SYSTEM_LAYER}/.flake.nix.wt-20261125t000000-abcd"
    made = plan(found(leftovers=(path, left)), selected=EVERY)
    assert make(made=made).root_sweep == (left,)


@pytest.mark.parametrize("path", ["/etc/passwd", f"{SYSTEM_LAYER}/flake.nix", "/a/.wt-1", ""])
def test_what_is_swept_has_the_name_of_what_a_killed_run_leaves(path: str) -> None:
    with pytest.raises(SnapshotError, match="none of ours"):
        parse(answer(f"leftover {path}"))


# ---- the plan of a transaction is parted at blanks -----------------------------------------------


def built(make: Any, *, snapshot: Snapshot | None = None, path: str = "/nix/store/new") -> Built:
    here = snapshot or found()
    made = plan(here, selected=EVERY)
    stage = make(snapshot=here, made=made)
    return Built.of(stage, paths={one.nix.layer.value: path for one in made.needed_builds})


def lines(stage: Built) -> Iterator[list[str]]:
    return (line.split(" ") for line in activate.plan_lines(stage, 1))


@pytest.mark.parametrize(
    "path", ["/nix/store/new /etc/cron.d/x 1 /nix/store/old", "/a\tb", " ", ""]
)
def test_s2_a_built_path_with_blanks_moves_no_word_of_roots_plan(make: Any, path: str) -> None:
    """What follows a blank would be taken for the profile that root sets."""
    with pytest.raises(Over, match="no name that the record of a change can hold"):
        list(lines(built(make, path=path)))
    (line,) = [one for one in lines(built(make)) if one[0] == "nixos"]
    assert line[1:3] == ["/nix/store/new", "/nix/var/nix/profiles/system"]


def test_s3_a_place_of_the_record_with_blanks_is_not_taken_for_one_of_roots(make: Any) -> None:
    """``record PLACE OWNER PART``: root would give files back from a place of the user's."""
    here = found()
    here = replace(here, facts={**here.facts, "state": "/tmp/evil root nixos"})
    stage = replace(built(make), snapshot=here)
    record = (f"{stage.record_directory}/layer", "user", "home-manager")
    with pytest.raises(Over, match="no name that the record of a change can hold"):
        list(lines(replace(stage, records=(record,))))


@pytest.mark.parametrize("user", ["root", "mitsio/../other", "nobody"])
def test_s3_a_second_answer_cannot_name_another_user(
    make: Any, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    """Root would do the user's part as that one."""
    here = found()
    lied = replace(here, facts={**here.facts, "user": user})
    stage = make()
    monkeypatch.setattr(read, "attempt", lambda _: lied)
    assert read.take_again(stage) is None
    told = replace(built(make), snapshot=lied)
    assert ["user", "mitsio"] in list(lines(told))
    assert Read.system_record.fget(told) == (  # type: ignore[attr-defined]
        f"/var/lib/workspace-tuning/runs/mitsio/{told.run.id}"
    )
    monkeypatch.setattr(read, "attempt", lambda _: here)
    assert read.take_again(stage) is here


def test_a_second_answer_of_another_user_ends_the_change_as_not_known(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = found()
    monkeypatch.setattr(
        read, "attempt", lambda _: replace(here, facts={**here.facts, "user": "root"})
    )
    with pytest.raises(Over, match="could not be read again") as over:
        activate._again(built(make))
    assert over.value.code in (None, Exit.FAILED)
