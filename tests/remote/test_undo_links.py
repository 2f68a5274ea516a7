"""A KDE file behind a link of the user's own, or elsewhere than in ~/.config. U23."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from converge.kde.merge import values
from tests.conftest import Box, Cli
from tests.remote.reading import Reader
from tests.remote.test_undo import BACKEND, box, said, undo, write_key
from tests.tools import need

__all__ = ["box"]


def linked(box: Box, target: Path) -> Path:
    """kwinrc as stow leaves it."""
    kwinrc = box.config("kwinrc")
    target.parent.mkdir(parents=True, exist_ok=True)
    kwinrc.rename(target)
    kwinrc.symlink_to(os.path.relpath(target, kwinrc.parent))
    return kwinrc


def test_u23_a_link_into_the_users_own_tree_is_written_through_and_kept(cli: Cli, box: Box) -> None:
    target = box.home / "dotfiles/kde/kwinrc"
    kwinrc = linked(box, target)
    before, leads_to = target.read_bytes(), os.readlink(kwinrc)
    run = cli(box.inventory, "deploy.py", "-y")
    assert run.code == 0, run.out
    assert os.readlink(kwinrc) == leads_to
    assert list(values(target.read_bytes(), BACKEND).values()) == ["OpenGL"]
    assert cli(box.inventory, "deploy.py", "--dry").code == 0
    write_key(box, "kwinrc", "Theirs", "n", "1")
    assert undo(box).startswith("undone")
    assert os.readlink(kwinrc) == leads_to
    assert values(target.read_bytes(), BACKEND) == values(before, BACKEND)
    assert b"[Theirs]\nn=1\n" in target.read_bytes()
    assert not list(target.parent.glob("*.lock"))


@pytest.mark.parametrize("edited", [False, True])
def test_u23_a_file_that_the_user_moved_and_linked_since_goes_back_behind_its_link(
    cli: Cli, box: Box, edited: bool
) -> None:
    """The undo refused the link, though a run would have written through it."""
    kwinrc = box.config("kwinrc")
    before = kwinrc.read_bytes()
    assert cli(box.inventory, "deploy.py", "-y").code == 0
    target = box.home / "dotfiles/kde/kwinrc"
    linked(box, target)
    leads_to = os.readlink(kwinrc)
    if edited:
        target.write_bytes(target.read_bytes() + b"[Theirs]\nn=1\n")
    assert undo(box).startswith("undone")
    assert os.readlink(kwinrc) == leads_to
    assert values(target.read_bytes(), BACKEND) == values(before, BACKEND)
    assert (b"[Theirs]\nn=1\n" in target.read_bytes()) is edited


def test_u23_a_file_in_the_place_of_the_link_is_left_alone_named_and_exit_1(
    cli: Cli, box: Box
) -> None:
    target = box.home / "dotfiles/kde/kwinrc"
    kwinrc = linked(box, target)
    before = target.read_bytes()
    assert cli(box.inventory, "deploy.py", "-y").code == 0
    theirs = target.read_bytes() + b"[Theirs]\nn=1\n"
    kwinrc.unlink()
    kwinrc.write_bytes(theirs)  # as an editor or sed -i does
    back = cli(box.inventory, "tasks/rollback.py", "-y")
    assert back.code == 1, back.out
    assert f"no link to {target} any more, left alone: {kwinrc}" in undo(box)
    assert target.read_bytes() == before
    assert kwinrc.read_bytes() == theirs


LINKS = {
    "out of the home": lambda home: home.parent / "elsewhere",
    "into the store": lambda home: "/nix/store/00000000000000000000000000000000-kwinrc",
    "nowhere": lambda home: "nowhere",
    "to a directory": lambda home: home,
}


@pytest.mark.parametrize("leads", LINKS)
@pytest.mark.parametrize("name", ["kwinrc", "environment.d/60-video-variables.conf"])
def test_u23_a_link_that_is_not_written_through_holds_its_own_settings_back_alone(
    cli: Cli, box: Box, leads: str, name: str
) -> None:
    link, target = box.config(name), LINKS[leads](box.home)
    setting = "kwin.backend" if name == "kwinrc" else "video.variables"
    (box.root / "elsewhere").write_bytes(held := b"[Compositing]\nBackend=XRender\n")
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    dry = cli(box.inventory, "deploy.py", "--dry")
    assert dry.code == 2, dry.out
    run = cli(box.inventory, "deploy.py", "-y")
    assert run.code == 0, run.out
    for one in (dry, run):
        assert f"{link} is a symbolic link to".replace(f"{box.home}/", "~/") in said(one)
        assert f"--data exclude={setting}" in said(one)
    assert os.readlink(link) == str(target)
    assert (box.root / "elsewhere").read_bytes() == held
    assert b"only basic indexing=true" in box.config("baloofilerc").read_bytes()
    found = {
        record["setting"]: record
        for record in cli(box.inventory, "tasks/verify.py").kinds("finding")
    }
    assert found[setting]["effect"] == "not effective"
    assert undo(box).startswith("undone")
    assert os.readlink(link) == str(target)


@pytest.mark.parametrize("place", ["elsewhere", ".config"])
def test_u23_the_files_lie_where_the_desktop_has_them(tmp_path: Path, place: str) -> None:
    need("dash")
    config = tmp_path / "box/home" / place
    reader = Reader(tmp_path / "box", {"XDG_CONFIG_HOME": str(config)})
    config.mkdir(exist_ok=True)
    (config / "kwinrc").write_text("[A]\nx=1\n")
    found = reader.read("-k", "~/.config/kwinrc")
    path = found.expand("~/.config/kwinrc")
    assert path == f"{config}/kwinrc"
    assert found.nodes[path].content == b"[A]\nx=1\n"
