"""What git was told about single files of a flake: to leave them alone, to track them although it
ignores them, to encrypt them. Nix reads them all, so a change counts and a word is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.remote.reading import Reader
from tests.remote.test_flakes import WHO, flake, git, reader

__all__ = ["flake", "reader"]


def written(flake: Path, name: str, text: str = "1\n", *, force: bool = False) -> Path:
    """A file of the repository, committed, or forced into the index only."""
    place = flake / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    if force:
        git(flake, "add", "--intent-to-add", "--force", name)
    else:
        git(flake, "add", "--", name)
        git(flake, *WHO, "commit", "-qm", name)
    return place


def notes(reader: Reader, choices: str = "") -> str:
    return "\n".join(reader.flake(choices=choices).notes("base_home_with"))


@pytest.mark.parametrize("told", ["--assume-unchanged", "--skip-worktree"])
@pytest.mark.parametrize("force", [False, True], ids=["committed", "intent-to-add"])
def test_an_edit_that_git_was_told_to_pass_over_counts(
    reader: Reader, flake: Path, told: str, force: bool
) -> None:
    """The usual way to keep a file out of commits and have Nix read it."""
    (flake / ".gitignore").write_text("*.local.nix\n" if force else "")
    place = written(flake, "δ my.local.nix", force=force)
    git(flake, "update-index", told, "δ my.local.nix")
    before = reader.flake()
    assert reader.flake().digest == before.digest
    place.write_text("2\n")
    assert reader.flake().digest != before.digest


def test_what_a_sparse_checkout_leaves_out_is_no_fault(reader: Reader, flake: Path) -> None:
    written(flake, "other/a.txt")
    git(flake, "sparse-checkout", "set", "--no-cone", "/flake.nix")
    assert not (flake / "other").exists()
    assert reader.flake().scheme == "git"


def test_what_git_tracks_although_it_is_not_for_everybody_is_named(
    reader: Reader, flake: Path
) -> None:
    """A word and no refusal: tracking it is the user's own choice, the open store Nix's."""
    assert notes(reader) == ""
    (flake / ".gitignore").write_text("secret*\n")
    written(flake, "secret.env", force=True)
    written(flake, "-deep dir/key.age").chmod(0o600)
    (flake / ".gitattributes").write_text("*.crypt filter=git-crypt\n*.bin filter=lfs\n")
    written(flake, "a b.crypt", "x")
    written(flake, "c.bin", "x")
    said = notes(reader)
    assert "git tracks -deep dir/key.age, a b.crypt, secret.env, so Nix copies" in said
    assert "--data base_home_with=publish" in said
    assert notes(reader, "publish") == ""


def test_many_such_files_are_counted_and_files_of_a_closed_umask_are_no_news(
    reader: Reader, flake: Path
) -> None:
    (flake / ".gitignore").write_text("s*\n")
    for number in range(25):
        written(flake, f"s{number:02}", force=True)
    assert "s00, s01, s02, s03, s04, s05 and 19 more" in notes(reader)
    for one in (flake / "flake.nix", written(flake, "home.nix")):
        one.chmod(0o600)
    assert "home.nix" not in notes(reader)


def test_a_nix_config_that_nix_will_not_read_is_named(reader: Reader, flake: Path) -> None:
    (flake / "flake.nix").write_text("{\n  # nixConfig is for caches\n}\n")
    assert notes(reader) == ""
    (flake / "flake.nix").write_text('{\n  nixConfig.substituters = [ "https://a" ];\n}\n')
    assert "nixConfig of flake.nix is left out" in notes(reader)
    assert "nix.settings or nix.conf" in notes(reader)


def test_a_repository_of_a_format_that_nix_lacks_is_refused_with_what_to_do(
    reader: Reader, tmp_path: Path
) -> None:
    place = tmp_path / "new"
    place.mkdir()
    git(place, "init", "-q", "--object-format=sha256")
    (place / "flake.nix").write_text("{ }\n")
    git(place, "add", "-A")
    found = reader.flake(str(place))
    assert found.scheme == "failed"
    assert "object format sha256, which Nix does not read" in found.fault("k")
    assert "base_home_with=path,publish" in found.fault("k")
    assert reader.flake(str(place), choices="path,publish").url == f"path:{place}"
