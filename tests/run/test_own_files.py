"""The user's own files at targets of home-manager: shown, moved aside by consent, given back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Box, Cli
from tests.tools import need

#: A target of the layer, one of the user's own flake, and the two that people write by hand.
LAYERS, FLAKES = ".config/systemd/user/app-tuned.slice", ".bashrc"
#: A target of the layer at which a person has a link, and where the link leads.
LINKED, DOTFILE = (
    ".config/systemd/user/app-tuned-discord.slice",
    "../../../dotfiles/home-files/slice",
)
HAND = {
    ".cargo/config.toml": b'[registries.own]\nindex = "https://example.org"\n',
    ".config/go/env": b"GOPRIVATE=example.org\nGOAMD64=v1\n",
}
CONSENT = ("--data", "accept=home.files")


@pytest.fixture(autouse=True)
def _real_tools() -> None:
    need("nix")
    need("kreadconfig")


def _write(box: Box, name: str, content: bytes = b"# mine\n", mode: int = 0o640) -> Path:
    path = box.home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


def _link(box: Box) -> Path:
    path = box.home / LINKED
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(DOTFILE)
    _write(box, "dotfiles/home-files/slice")
    return path


def _aside(box: Box) -> list[str]:
    return [
        str(path) for path in box.home.rglob("*.before-*") if "workspace-tuning" not in path.parts
    ]


def test_a_file_of_the_users_own_is_shown_before_consent_and_stops_the_run_without(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    box = make_box(layers=["home-manager"])
    own = [*(_write(box, name) for name in (LAYERS, FLAKES)), _link(box)]
    look = cli(box.inventory, "deploy.py", "--dry")
    assert look.code == 2, look.out
    for path in own:
        assert str(path) in look.out
    assert "accept=home.files" in look.out
    run = cli(box.inventory, "deploy.py", "-y")
    assert run.code == 1, run.out
    assert "nothing was activated" in run.out + run.err
    for path in own:
        assert str(path) in run.out + run.err
        assert path.read_bytes() == b"# mine\n"
    assert str(own[2].readlink()) == DOTFILE
    assert not _aside(box)


def _given_back(box: Box, own: dict[Path, int]) -> None:
    for path, time in own.items():
        assert not path.is_symlink()
        assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"# mine\n", 0o640)
        assert path.stat().st_mtime_ns == time
    assert not _aside(box)


def test_a_rollback_gives_the_users_own_files_back(cli: Cli, make_box: Callable[..., Box]) -> None:
    box = make_box(layers=["home-manager"])
    own = {path: path.stat().st_mtime_ns for path in (_write(box, n) for n in (LAYERS, FLAKES))}
    linked = _link(box)
    run = cli(box.inventory, "deploy.py", "-y", *CONSENT)
    assert run.code == 0, run.out
    assert all(path.is_symlink() for path in own)
    assert str(linked.readlink()) != DOTFILE
    back = cli(box.inventory, "tasks/rollback.py", "-y")
    assert back.code == 0, back.out
    assert str(linked.readlink()) == DOTFILE
    _given_back(box, own)


def test_a_change_that_undoes_itself_gives_the_users_own_files_back(
    cli: Cli, make_box: Callable[..., Box], tmp_path: Path
) -> None:
    box = make_box(layers=["home-manager", "plasma"])
    # KDE's own reader says something else than the file, so the run is not proved.
    reader = tmp_path / "bin/kreadconfig6"
    reader.parent.mkdir()
    reader.write_text(f"""#!/bin/sh
case $* in *contrastEnabled*) echo true ;; *) exec {need("kreadconfig")} "$@" ;; esac
""")
    reader.chmod(0o755)
    cli.environment["PATH"] = f"{reader.parent}:{cli.environment['PATH']}"
    own = {path: path.stat().st_mtime_ns for path in (_write(box, n) for n in (LAYERS, FLAKES))}
    run = cli(box.inventory, "deploy.py", "-y", *CONSENT)
    assert run.code == 3, run.out
    _given_back(box, own)


def test_cargos_and_gos_files_written_by_hand_are_never_touched(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    box = make_box(layers=["home-manager"])
    own = {_write(box, name, content): content for name, content in HAND.items()}
    before = {path: path.stat() for path in own}
    for task in ("deploy.py", "tasks/rollback.py"):
        run = cli(box.inventory, task, "-y")
        assert run.code == 0, run.out
        for path, content in own.items():
            now = path.stat()
            assert path.read_bytes() == content
            assert (now.st_ino, now.st_mtime_ns) == (before[path].st_ino, before[path].st_mtime_ns)
    assert not _aside(box)


def test_remove_takes_the_files_of_a_layer_whose_first_run_stopped_before_it_activated(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    box = make_box(layers=["home-manager"])
    own = _write(box, LAYERS)
    layer = box.home / ".local/share/workspace-tuning"
    assert cli(box.inventory, "deploy.py", "-y").code == 1
    assert layer.exists()
    at_once = cli(box.inventory, "tasks/remove.py", "-y")
    assert at_once.code == 0, at_once.out
    assert not layer.exists()
    assert cli(box.inventory, "deploy.py", "-y").code == 1
    assert cli(box.inventory, "deploy.py", "-y", *CONSENT).code == 0
    gone = cli(box.inventory, "tasks/remove.py", "-y")
    assert gone.code == 0, gone.out
    assert not layer.exists(), (gone.out, sorted(layer.rglob("*")))
    assert own.read_bytes() == b"# mine\n"


def test_what_a_run_wrote_into_a_layer_before_its_build_failed_is_nobody_elses(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    """A rollback of the earlier run restores the layer as that run found it."""
    box = make_box(layers=["home-manager"])
    layer = box.home / ".local/share/workspace-tuning/home-manager"
    assert cli(box.inventory, "deploy.py", "-y").code == 0
    ours = (layer / "profile.json").read_bytes()
    flake = box.home / ".config/home-manager/home.nix"
    flake.write_text(f"{flake.read_text()} garbage (")
    stopped = cli(box.inventory, "deploy.py", "-y", "--data", "exclude=runtimes.go")
    assert stopped.code == 1 and (layer / "profile.json").read_bytes() != ours
    back = cli(box.inventory, "tasks/rollback.py", "-y")
    assert back.code == 0, back.out
    assert not layer.exists()
