"""An undo restores the attributes of a user's file too, and leaves files beside it alone."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.remote.recording import Workspace, record, run_id
from tests.remote.test_record_parts import Homes, homes
from tests.tools import missing, need

__all__ = ["homes"]

RUN = run_id(1)
GROUP = 65534


def look(path: Path) -> tuple[bytes, str, int, int, str, dict[str, bytes]]:
    """Bytes, mode, owner, group, access list and attributes."""
    one = path.stat()
    rules = subprocess.run(["getfacl", "-c", str(path)], capture_output=True, text=True, check=True)
    extra = {
        name: os.getxattr(path, name) for name in os.listxattr(path) if "posix_acl" not in name
    }
    return (
        path.read_bytes(),
        stat.filemode(one.st_mode),
        one.st_uid,
        one.st_gid,
        rules.stdout,
        extra,
    )


def test_mode_group_access_list_and_attributes_of_a_file_come_back_with_its_bytes(
    tmp_path: Path,
) -> None:
    need("dash")
    need("setfacl")
    if os.getuid() != 0:
        missing("only root can give a file to another group: run as root")
    workspace = Workspace(tmp_path)
    names = (
        "plain",
        "odd mode",
        "group",
        "list",
        "attributes",
        "sparse",
        "-n",
        "naïve ü",
        "as ours",
    )
    for name in names:
        workspace.file(name).write_bytes(b"mine\n")
        workspace.file(name).chmod(0o640)
    workspace.file("odd mode").chmod(0o4400)
    os.chown(workspace.file("group"), -1, GROUP)
    subprocess.run(["setfacl", "-m", "u:nobody:r", str(workspace.file("list"))], check=True)
    os.setxattr(workspace.file("attributes"), "user.xdg.origin.url", b"https://example.org")
    as_ours = workspace.file("as ours")  # of the mode that the run gives
    as_ours.chmod(0o644)
    subprocess.run(["setfacl", "-m", "u:nobody:r", str(as_ours)], check=True)
    os.setxattr(as_ours, "user.xdg.origin.url", b"https://example.org")
    os.truncate(workspace.file("sparse"), 1 << 20)
    workspace.file().parent.chmod(0o2755)  # a new file would get the directory's group
    before = {name: look(workspace.file(name)) for name in names}
    other = workspace.file("other name of plain")
    other.hardlink_to(workspace.file("plain"))

    said = workspace.begin(RUN, 1, dict.fromkeys(names, b"ours\n"), written=record(RUN))
    assert "status activated" in said, said
    now = {name: look(workspace.file(name)) for name in names}
    for name, (text, _, *kept, rules, extra) in now.items():
        assert text == b"ours\n" and kept == list(before[name][2:4]) and extra == before[name][5]
        assert ("user:nobody:r--" in rules) is (name in ("list", "as ours")), name
    assert "status undone" in workspace.transact("decide", RUN, "undo")
    assert {name: look(workspace.file(name)) for name in names} == before
    assert other.read_bytes() == b"mine\n"  # as any write of KDE's, a run parts the two names
    assert not list(workspace.file().parent.glob(".*.wt-*"))


@pytest.mark.parametrize("name", ["of two\nlines", " blanks ", "-rf", "ü", "a directory"])
def test_what_home_manager_moved_aside_comes_back_whatever_its_name(
    homes: Homes, name: str
) -> None:
    workspace = homes.workspace
    mine = workspace.file(name)
    if name == "a directory":
        mine.mkdir()
        (mine / "inside").write_text("of the user\n")
    else:
        mine.write_text("of the user\n")
    new = homes.generation("home-1")
    ours = new / "home-files/.config" / name
    ours.parent.mkdir()
    ours.symlink_to(homes.generation("elsewhere"))
    script = "import os, sys\nplace, ours, extension = sys.argv[1:]\n"
    script += 'if os.path.exists(place):\n    os.rename(place, f"{place}.{extension}")\n'
    script += "os.symlink(ours, place)\n"
    (new / "move.py").write_text(script)
    (new / "place").write_bytes(os.fsencode(mine))
    (new / "ours").write_bytes(os.fsencode(ours))
    (new / "activate").write_text(
        f'#!/bin/sh\nexec python3 {new}/move.py "$(cat {new}/place)" "$(cat {new}/ours)" '
        '"$HOME_MANAGER_BACKUP_EXT"\n'
    )
    line = f"home-manager {new} {homes.profile} 1 {homes.profile.resolve()}"
    assert "status kept" in workspace.change(RUN, 1, b"new\n", line)
    assert mine.is_symlink()
    back = workspace.script()
    assert back.returncode == 0, back.stdout + back.stderr
    assert not mine.is_symlink()
    assert (mine / "inside" if mine.is_dir() else mine).read_text() == "of the user\n"
    assert [path.name for path in mine.parent.iterdir()] == [name]
