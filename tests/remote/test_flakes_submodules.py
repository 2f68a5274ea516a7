"""remote/flakes.sh: a flake with submodules, which Nix leaves out unless somebody asks for them."""

from __future__ import annotations

from pathlib import Path

from tests.remote.reading import Reader
from tests.remote.test_flakes import WHO, flake, git, reader, repository

__all__ = ["flake", "reader"]


def test_submodules_are_named_and_with_the_choice_their_changes_count(
    reader: Reader, flake: Path, tmp_path: Path
) -> None:
    repository(tmp_path / "part")
    file = ("-c", "protocol.file.allow=always")
    git(flake, *file, "submodule", "add", "-q", f"{tmp_path}/part", "my part")
    git(flake, *WHO, "commit", "-qam", "a part")
    plain_, with_ = reader.flake(), reader.flake(choices="submodules")
    assert "other-submodules" in plain_.marks
    assert plain_.url == f"git+file://{flake}"
    assert with_.url == f"git+file://{flake}?submodules=1"
    (flake / "my part/flake.nix").write_text("{ a = 1; }\n")
    assert reader.flake() == plain_
    assert reader.flake(choices="submodules").digest != with_.digest


def test_submodules_that_the_flake_itself_asks_for_count_without_the_choice(
    reader: Reader, flake: Path, tmp_path: Path
) -> None:
    repository(tmp_path / "part")
    git(
        flake, "-c", "protocol.file.allow=always", "submodule", "add", "-q", f"{tmp_path}/part", "p"
    )
    (flake / "flake.nix").write_text("{ # inputs.self.submodules = true;\n}\n")
    git(flake, *WHO, "commit", "-qam", "a part")
    assert "other-submodules" in reader.flake().marks
    (flake / "flake.nix").write_text("{ inputs = { self.submodules=true; }; nixConfig = { }; }\n")
    git(flake, *WHO, "commit", "-qam", "asked for")
    found = reader.flake()
    assert found.marks == {"submodules", "config"}
    (flake / "p/flake.nix").write_text("{ a = 1; }\n")
    assert reader.flake().digest != found.digest
