"""What of the user's own stands at a target of home-manager is named, moved aside and given back.

The activation is the sandbox's, which refuses and replaces as home-manager's own does
(modules/files.nix and modules/files/check-link-targets.sh of home-manager).
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tasks.reach.remote import PROGRAMS, text
from tests.conftest import tree
from tests.remote.recording import run_id
from tests.remote.test_record_parts import Homes, homes
from tests.sshd import wait_for
from tests.tools import need

__all__ = ["homes"]

RUN = run_id(1)
ACTIVATE = Path("sandbox/home-manager/activate.sh")
OURS = b"ours\n"
#: Kinds of what stands at a target, by the target's name below ~/.config.
KINDS = (
    "file",
    "unreadable",
    "same bytes",
    "directory",
    "link to a dotfile",
    "link to the same bytes",
    "link to nowhere",
    "link to a directory",
    "link into the store",
    "link to home-files",
)


def generation(homes: Homes, name: str, *targets: str) -> Path:
    """A generation with these targets, and an activation as home-manager's."""
    made = homes.generation(name)
    files = made / "home-files/.config"
    files.mkdir(exist_ok=True)
    for target in targets:
        (files / target).parent.mkdir(parents=True, exist_ok=True)
        (files / target).write_bytes(OURS)
    words = {"generation": str(made), "entries": os.devnull, "log": str(homes.log)}
    script = ACTIVATE.read_text()
    for word, value in words.items():
        script = script.replace(f"@{word}@", value)
    (made / "activate").write_text(script)
    return made


def furnish(homes: Homes) -> None:
    """Something of the user's own at each target."""
    place = homes.workspace.file
    # Names that are like those of home-manager's files.
    dotfiles = homes.workspace.home / "my-home-manager-files/home-files"
    (dotfiles / "directory").mkdir(parents=True)
    (dotfiles / "mine").write_bytes(b"mine\r\n# no newline at the end")
    (dotfiles / "same").write_bytes(OURS)
    other = homes.workspace.root / "store/dotfiles-1"
    other.write_bytes(b"mine in the store\n")
    place("file").write_bytes(b"mine\n")
    place("file").chmod(0o640)
    place("unreadable").write_bytes(b"mine\n")
    place("unreadable").chmod(0)
    place("same bytes").write_bytes(OURS)
    place("same bytes").chmod(0o600)
    place("directory").mkdir()
    (place("directory") / "inside").write_bytes(b"mine\n")
    place("link to a dotfile").symlink_to("../my-home-manager-files/home-files/mine")
    place("link to the same bytes").symlink_to(dotfiles / "same")
    place("link to nowhere").symlink_to(dotfiles / "gone")
    place("link to a directory").symlink_to(dotfiles / "directory")
    place("link into the store").symlink_to(other)
    place("link to home-files").symlink_to(dotfiles / "mine")


def line(homes: Homes, new: Path, *, first: bool = False) -> str:
    if first:
        for link in (homes.profile, homes.profile.with_name("profile-1-link")):
            link.unlink()
        return f"home-manager {new} {homes.profile} - -"
    return f"home-manager {new} {homes.profile} 1 {homes.profile.resolve()}"


def own(homes: Homes) -> dict[str, tuple[int, int, int, int]]:
    """Inode, time, size and mode of all that is the user's own."""
    home = homes.workspace.home
    places = (home / ".config", home / "my-home-manager-files")
    return {path: held for place in places for path, held in tree(place).items()}


def in_the_way(homes: Homes, *arguments: str, names: str) -> list[str]:
    """The names below ~/.config that remote/difference.sh has in the way."""
    script = text(PROGRAMS / "common.sh") + text(PROGRAMS / "difference.sh")
    done = subprocess.run(
        [need("dash"), "-c", f'{script}\nin_the_way "$@"', "in_the_way", *arguments],
        input=names,
        env={
            **os.environ,
            "HOME": str(homes.workspace.home),
            "NIX_STORE_DIR": str(homes.workspace.root / "store"),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    prefix = f"in_the_way {homes.workspace.home}/.config/"
    return [one.removeprefix(prefix) for one in done.stdout.splitlines()]


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("end", ["kept", "undone", "killed", "failed"])
def test_whatever_stands_at_a_target_comes_back_as_it_was(
    homes: Homes, end: str, first: bool
) -> None:
    workspace = homes.workspace
    furnish(homes)
    before = own(homes)
    new = generation(homes, "home-1", *KINDS)
    if end == "failed":
        workspace.environment["MINIATURE_HOME_EXIT"] = "1"
    said = workspace.begin(RUN, 1, {"one.conf": b"new\n"}, line(homes, new, first=first))
    if end == "failed":
        assert "status undone home-manager's activation" in said, said
        assert own(homes) == before
        return
    assert "status activated" in said, said
    for name in KINDS:
        assert workspace.file(name).readlink() == new / "home-files/.config" / name
    if end == "kept":
        assert "status kept" in workspace.transact("decide", RUN, "confirm")
        back = workspace.script()
        assert back.returncode == 0, back.stdout
    elif end == "undone":
        assert "status undone" in workspace.transact("decide", RUN, "undo")
    else:
        pid = int((workspace.place(RUN) / "process").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the end of the transaction")
        assert "status undone" in workspace.transact("undo", RUN)
    assert own(homes) == before


def test_all_that_is_moved_aside_is_named_before(homes: Homes) -> None:
    furnish(homes)
    new = generation(homes, "home-1", *KINDS)
    (new / "home-files/.config/to a directory").symlink_to("/nowhere")
    homes.workspace.file("to a directory").mkdir()
    names = "".join(f".config/{name}\n" for name in (*KINDS, "to a directory", "absent"))
    assert in_the_way(homes, names=names) == [*KINDS, "to a directory"]
    built = in_the_way(homes, str(new), str(new / "home-files"), names=names)
    assert built == [name for name in (*KINDS, "to a directory") if name != "same bytes"]


def test_what_home_manager_linked_before_is_nobody_elses(homes: Homes) -> None:
    old = generation(homes, "home-0", "file", "below/one", "directory")
    homes.workspace.file("file").symlink_to(old / "home-files/.config/file")
    homes.workspace.file("below").symlink_to(old / "home-files/.config/below")
    homes.workspace.file("recursive").mkdir()
    homes.workspace.file("directory").mkdir()
    names = ".config/file\n.config/below/one\n.config/recursive/\n.config/directory\n"
    assert in_the_way(homes, names=names) == ["directory"]


def test_what_is_aside_comes_back_where_somebody_elses_generation_has_nothing(
    homes: Homes,
) -> None:
    """And stays aside, named, where that generation has a file of its own."""
    workspace = homes.workspace
    for name in ("one", "two"):
        workspace.file(name).write_bytes(b"mine\n")
    new = generation(homes, "home-1", "one", "two")
    assert "status kept" in workspace.change(RUN, 1, b"new\n", line(homes, new))
    theirs = generation(homes, "home-2", "two")
    environment = {**os.environ, **workspace.environment, "HOME": str(workspace.home)}
    switch = ["sh", str(theirs / "activate"), "--driver-version", "1"]
    subprocess.run(switch, env=environment, check=True)
    (homes.profile.with_name("profile-3-link")).symlink_to(theirs)
    homes.profile.unlink()
    homes.profile.symlink_to("profile-3-link")
    back = workspace.script()
    assert back.returncode == 1, back.stdout
    assert workspace.file("one").read_bytes() == b"mine\n"
    assert not workspace.file("one").is_symlink()
    assert workspace.file("two").readlink() == theirs / "home-files/.config/two"
    assert f"{workspace.file('two')}.before-{RUN}" in back.stdout
    assert workspace.file(f"two.before-{RUN}").read_bytes() == b"mine\n"


def test_a_command_of_the_users_for_backups_does_not_take_what_is_given_back(
    homes: Homes,
) -> None:
    workspace = homes.workspace
    new = generation(homes, "home-1")
    (new / "activate").write_text(
        f'#!/bin/sh\nprintf %s "${{HOME_MANAGER_BACKUP_COMMAND-none}}" >{homes.log}\n'
    )
    workspace.environment["HOME_MANAGER_BACKUP_COMMAND"] = "rm -rf"
    assert "status activated" in workspace.begin(RUN, 1, {"one.conf": b"n\n"}, line(homes, new))
    assert homes.log.read_text() == "none"
    assert "status undone" in workspace.transact("decide", RUN, "undo")
