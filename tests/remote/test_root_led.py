"""Root's programs on the workspace, led astray by what they are told: they look for themselves, in
whatever way a controller was deceived (S2, S3)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from converge.plan.plan import Change
from converge.setting import Layer
from tasks.reach.payload import pack
from tests.remote.recording import run_id
from tests.remote.test_record_root import THEM, Rooted, rooted
from tests.tools import need

__all__ = ["rooted"]  # the fixture
ROOT = "20261126t000000-abcd"


def written(rooted: Rooted, *changes: Change, sweep: tuple[str, ...] = ()) -> str:
    """What root's ``write.sh`` says of a payload."""
    work = rooted.root / f"var/lib/workspace-tuning/runs/{THEM}/{ROOT}/layer"
    return rooted.call(
        *("write", ROOT, str(work), "", "here me 1 1", "keep"),
        stdin=pack(changes, home=str(rooted.home), sweep=sweep).encode(),
    ).stdout


def change(path: Path, before: bytes | None, after: bytes | None) -> Change:
    return Change(
        path=str(path), layer=Layer.NIXOS, before=before, after=after, mode=0o644, root=True
    )


def test_root_writes_its_layer(rooted: Rooted) -> None:
    path = rooted.root / "var/lib/workspace-tuning/nixos/lib/x.nix"
    assert written(rooted, change(path, None, b"{ }\n")).endswith("done\n")
    assert path.read_bytes() == b"{ }\n"


@pytest.mark.parametrize("how", ["new", "gone", "sweep", "dots", "directory", "home"])
def test_s3_root_writes_and_removes_no_file_but_those_of_its_layer(
    rooted: Rooted, how: str
) -> None:
    layer = rooted.root / "var/lib/workspace-tuning/nixos"
    layer.mkdir(parents=True)
    etc = rooted.root / "etc"
    etc.mkdir()
    (etc / "passwd").write_bytes(b"root\n")
    (rooted.root / "secret").mkdir()
    said = {
        "new": lambda: written(rooted, change(etc / "cron", None, b"* * * * *")),
        "gone": lambda: written(rooted, change(etc / "passwd", b"root\n", None)),
        "sweep": lambda: written(rooted, sweep=(str(etc / "passwd"),)),
        "dots": lambda: written(
            rooted, sweep=(f"{layer}/../../../../{etc.relative_to(rooted.root)}/passwd",)
        ),
        "directory": lambda: written(rooted, change(etc / "new/x", None, b"x")),
        "home": lambda: written(rooted, change(rooted.file(), None, b"x")),
    }[how]()
    assert said.startswith("refused ") and "root writes no other" in said, said
    assert sorted(one.name for one in etc.iterdir()) == ["passwd"]
    assert not rooted.file().exists()


def test_s2_root_acts_for_nobody_but_who_asked(rooted: Rooted) -> None:
    """Whoever is named in the plan runs the user's part: for "root" that would be root."""
    rooted.user = "root"
    said = rooted.begin(run_id(1), 1, {"one.conf": b"new\n"})
    assert said == "failed root: not the user who asked root\n"
    assert not rooted.file().exists()


@pytest.mark.parametrize("line", ["{new} /etc/evil 1 {new} {profile} - -", "{new} {profile}", ""])
def test_s2_a_line_of_the_plan_with_other_words_is_refused(rooted: Rooted, line: str) -> None:
    need("nix-store")
    store = "/nix/store/00000000000000000000000000000000-x"
    words = line.format(new=store, profile=rooted.root / "profile")
    said = rooted.begin(run_id(1), 1, {"one.conf": b"new\n"}, f"nixos {words}")
    assert said.startswith(f"failed {words}: not a valid path of the Nix store")
    assert not rooted.file().exists()


def test_s3_root_gives_nothing_back_from_a_place_that_is_no_record_of_its_own(
    rooted: Rooted,
) -> None:
    """A record says what is put where; root takes that from its own alone."""
    target = rooted.root / "etc"
    target.mkdir()
    (target / "shadow").write_bytes(b"roots\n")
    theirs = rooted.home / "evil"
    for name in ("before", "new"):
        (theirs / name).mkdir(parents=True)
    line = f"record {theirs} root nixos"
    assert "status activated" in rooted.begin(run_id(1), 1, {"one.conf": b"new\n"}, line)
    os.mkfifo(theirs / "manifest")  # opened, it would hold root up
    said = rooted.transact("decide", run_id(1), "undo")
    assert f"{theirs}: no record of root's" in said, said
    assert not rooted.file().exists(), "the rest is undone"
    assert (target / "shadow").read_bytes() == b"roots\n"
