"""The payload of a write has a manifest and the new bytes, and survives any file name."""

from __future__ import annotations

import base64
import io
import tarfile
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.plan.plan import Change, digest
from converge.setting import Layer
from tasks.reach.payload import directories, pack, pack_tree
from tests.proof.checks import HOME


def unpacked(payload: str) -> dict[str, tuple[bytes, int]]:
    """Content and mode of each member; the payload is text in short lines, ready for stdin."""
    assert payload.endswith("\n")
    assert max(map(len, payload.splitlines())) <= 76
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(payload))) as archive:
        found = {}
        for member in archive:
            held = archive.extractfile(member) if member.isfile() else None
            found[member.name] = (held.read() if held else b"", member.mode)
        return found


def manifest(*changes: Change, sweep: tuple[str, ...] = ()) -> list[str]:
    content, _ = unpacked(pack(changes, home=HOME, sweep=sweep))["manifest"]
    lines = content.decode().splitlines()
    assert lines.pop() == "end"
    assert lines.pop().startswith("whole - - ")
    return lines


def change(name: str = "kwinrc", **fields: object) -> Change:
    given_ = {"path": f"{HOME}/.config/{name}", "before": b"old", "after": b"new", **fields}
    return Change(layer=Layer.PLASMA, **given_)  # type: ignore[arg-type]


OLD = sha256(b"old").hexdigest()


def test_a_file_is_named_with_what_was_read_and_comes_with_its_new_bytes() -> None:
    assert f"file 1 keep {OLD} {HOME}/.config/kwinrc" in manifest(change())
    assert f"kde 1 keep {OLD} {HOME}/.config/kwinrc" in manifest(change(kde=True))
    assert f"file 1 644 absent {HOME}/.config/x" in manifest(change("x", before=None, mode=0o644))
    assert unpacked(pack([change(kde=True)], home=HOME))["entries/1"] == (b"end\n", 0o600)
    assert unpacked(pack([change()], home=HOME))["new/1"] == (b"new", 0o600)


def test_a_file_that_goes_has_no_bytes_and_needs_no_directory() -> None:
    assert manifest(change(after=None)) == [f"gone 1 - {OLD} {HOME}/.config/kwinrc"]
    assert unpacked(pack([change(after=None)], home=HOME)).keys() == {
        "new",
        "entries",
        "manifest",
    }


def test_a_link_that_is_written_through_is_named_behind_its_file() -> None:
    link = f"{HOME}/.config/kwinrc"
    lines = manifest(change("dots", kde=True, link=link))
    assert lines[-2:] == [f"kde 1 keep {OLD} {HOME}/.config/dots", f"link 1 - - {link}"]


def test_leavings_are_swept_and_each_target_of_chezmoi_applied_once() -> None:
    target = f"{HOME}/.config/kwinrc"
    source = change("dot_config/kwinrc", chezmoi_target=target)
    lines = manifest(change(chezmoi_target=target), source, sweep=("/x/.a.wt-1",))
    assert lines.count(f"apply 2 - - {target}") == 1
    assert "sweep - - - /x/.a.wt-1" in lines
    assert lines.index("sweep - - - /x/.a.wt-1") < lines.index(f"apply 2 - - {target}")


def test_nothing_at_all_is_still_a_whole_payload() -> None:
    assert manifest() == []


def test_directories_come_parents_first_with_the_modes_they_should_have() -> None:
    paths = [f"{HOME}/.local/share/workspace-tuning/home-manager/lib/x", "/var/lib/ours/y"]
    assert list(directories(paths, HOME)) == [
        ("700", f"{HOME}/.local"),
        ("700", f"{HOME}/.local/share"),
        ("755", f"{HOME}/.local/share/workspace-tuning"),
        ("755", f"{HOME}/.local/share/workspace-tuning/home-manager"),
        ("755", f"{HOME}/.local/share/workspace-tuning/home-manager/lib"),
        ("755", "/var"),
        ("755", "/var/lib"),
        ("755", "/var/lib/ours"),
    ]


def test_the_home_directory_and_what_is_above_it_are_never_made() -> None:
    made = {path for _, path in directories([f"{HOME}/.config/x"], HOME)}
    assert made == {f"{HOME}/.config"}


@given(st.lists(st.tuples(st.binary(max_size=300), st.none() | st.binary(max_size=20)), max_size=5))
def test_any_bytes_arrive_as_they_are(contents: list[tuple[bytes, bytes | None]]) -> None:
    changes = [
        change(f"file {number}", before=before, after=after)
        for number, (after, before) in enumerate(contents)
    ]
    members = unpacked(pack(changes, home=HOME))
    lines = members["manifest"][0].decode().splitlines()
    for number, one in enumerate(changes, 1):
        assert members[f"new/{number}"] == (one.after, 0o600)
        assert f"file {number} keep {digest(one.before)} {one.path}" in lines


@pytest.mark.parametrize("name", ["flake.nix", "lib/a b.nix", "profile.json"])
def test_a_tree_is_packed_by_name_for_its_owner_alone(name: str) -> None:
    assert unpacked(pack_tree([(name, b"x")]))[name] == (b"x", 0o600)
