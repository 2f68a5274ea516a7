"""remote/flakes.sh: a flake that is read as a path: its digest, and what others would see."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.remote.reading import Reader
from tests.remote.test_flakes import flake, nobody, plain, reader

__all__ = ["flake", "nobody", "reader"]


def test_a_flake_that_is_no_repository_is_a_path_with_the_digest_of_its_content(
    reader: Reader,
) -> None:
    directory = plain(reader)
    first = reader.flake()
    assert first.url == f"path:{directory}"
    os.utime(directory / "flake.nix", (1, 1))
    assert reader.flake().digest == first.digest
    (directory / "other.nix").write_text("1\n")
    assert reader.flake().digest != first.digest


def test_what_a_path_would_show_to_everybody_is_named_until_somebody_agrees(reader: Reader) -> None:
    directory = plain(reader)
    (directory / "secret.env").write_text("x")
    (directory / "secret.env").chmod(0o600)
    (directory / "keys").mkdir(mode=0o700)
    (directory / "keys/id").write_text("x")
    found = reader.flake()
    assert found.private == ("keys", "secret.env")
    assert "secret.env" in found.fault("base_home_with")
    assert "--data base_home_with=publish" in found.fault("base_home_with")
    agreed = reader.flake(choices="publish")
    assert (agreed.private, agreed.fault("k")) == ((), "")


def test_a_repository_that_is_to_be_read_as_a_path_names_what_git_leaves_out(
    reader: Reader, flake: Path
) -> None:
    (flake / ".gitignore").write_text("*.env\n")
    (flake / "secret.env").write_text("x")
    assert reader.flake().fault("k") == ""
    found = reader.flake(choices="path")
    assert found.url == f"path:{flake}"
    assert set(found.private) == {".git", "secret.env"}
    assert "base_home_with=path,publish" in found.fault("base_home_with")


@pytest.mark.parametrize("name", [".jj", ".hg"])
def test_the_history_of_another_tool_is_not_shown_to_everybody_unasked(
    reader: Reader, name: str
) -> None:
    directory = plain(reader)
    (directory / name / "repo").mkdir(parents=True)
    (directory / name / "repo/old").write_text("x")
    assert reader.flake().private == (name,)
    assert reader.flake(choices="publish").fault("k") == ""


def test_many_private_files_are_counted_and_the_first_are_named(reader: Reader) -> None:
    directory = plain(reader)
    for number in range(50):
        (directory / f"s{number:02}").touch(mode=0o600)
    found = reader.flake()
    assert len(found.private) + found.private_more == 50
    assert "and 44 more" in found.fault("k")


@pytest.mark.parametrize("kind", ["fifo", "file"])
def test_what_nix_could_not_copy_is_said_before(nobody: Reader, kind: str) -> None:
    directory = plain(nobody)
    if kind == "fifo":
        os.mkfifo(directory / "pipe")
    else:
        (directory / "root-only").touch(mode=0o600)
    found = nobody.flake()
    assert found.scheme == ("failed" if kind == "fifo" else "unreadable")
    assert ("pipe" if kind == "fifo" else "root-only") in found.fault("k")


def test_a_path_that_did_not_change_since_it_was_built_is_not_read_again(
    reader: Reader, tmp_path: Path
) -> None:
    """Sizes and times first; the content only where they differ from those of the last build."""
    directory = plain(reader)
    os.utime(directory, (1, 1))
    first = reader.flake()
    while not first.times:  # it was written in the same two seconds
        first = reader.flake()
    stamp = reader.state / "flakes/home"
    stamp.parent.mkdir(parents=True)
    stamp.write_text(f"{first.times} kept\n")
    assert reader.flake().digest == "kept"
    (directory / "flake.nix").write_text("{ a = 1; }\n")
    os.utime(directory / "flake.nix", (1, 1))  # the time of the change cannot be set back
    assert reader.flake().digest not in ("kept", first.digest)
