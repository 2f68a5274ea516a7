"""A part of a change can be undone alone: the record knows which parts are in force (U16)."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from shutil import which

import pytest

from tests.conftest import tree
from tests.remote.recording import Workspace, record, run_id
from tests.tools import need

NIX_ENV = """\
#!/bin/sh
# nix-env --profile PROFILE --set PATH | --switch-generation N: links, as Nix makes them
case $3 in
    --set)
        n=1
        while [ -L "$2-$n-link" ]; do n=$((n + 1)); done
        ln -s "$4" "$2-$n-link" && ln -sfn "${2##*/}-$n-link" "$2" ;;
    --switch-generation) ln -sfn "${2##*/}-$4-link" "$2" ;;
esac
"""


class Homes:
    """A workspace with a home-manager profile of which each generation says its name."""

    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root)
        tools = root / "tools"
        tools.mkdir()
        for name, text in {"nix-env": NIX_ENV, "nix-store": "#!/bin/sh\n"}.items():
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        self.workspace.environment["PATH"] = f"{tools}:{os.environ['PATH']}"
        self.profile = root / "profile"
        self.log = root / "activated"
        link = root / "profile-1-link"
        link.symlink_to(self.generation("first"))
        self.profile.symlink_to(link.name)

    def generation(self, name: str) -> Path:
        directory = self.workspace.root / "store" / name
        (directory / "home-files").mkdir(parents=True)
        (directory / "activate").write_text(f"#!/bin/sh\necho {name} >>{self.log}\n")
        (directory / "activate").chmod(0o755)
        return directory

    @property
    def home(self) -> str:
        return self.profile.resolve().name

    def change(self, day: int, number: int, word: str = "home-manager") -> None:
        current = os.readlink(self.profile).split("-")[1]
        new, old = self.generation(f"home-{day}"), self.profile.resolve()
        line = f"{word} {new} {self.profile} {current} {old}"
        said = self.workspace.change(run_id(day), number, f"run {day}\n".encode(), line)
        assert "status kept" in said, said

    @property
    def content(self) -> str:
        path = self.workspace.file()
        return path.read_text() if path.exists() else ""


@pytest.fixture
def homes(tmp_path: Path) -> Homes:
    need("dash")
    return Homes(tmp_path)


def test_u16_repeating_a_rollback_of_a_part_reaches_every_older_run_and_ends(homes: Homes) -> None:
    homes.change(9, 1)
    homes.change(2, 2)
    script = homes.workspace.script
    assert script("plasma+session").returncode == 0
    assert (homes.content, homes.home) == ("run 9\n", "home-2")
    assert script("plasma+session").returncode == 0
    assert (homes.content, homes.home) == ("", "home-2")
    ended = script("plasma+session")
    assert ended.returncode == 0 and "nothing left to roll back" in ended.stdout
    # What is left of each is still there to be rolled back, and each run ends as undone.
    assert script().returncode == 0
    assert homes.home == "home-9"
    assert script("home-manager").returncode == 0
    assert homes.home == "first"
    assert script().returncode == 0
    words = [transaction.word for transaction in homes.workspace.read().transactions]
    assert words == ["undone", "undone"]
    assert not homes.workspace.written.exists()


def test_u16_the_record_says_which_parts_are_still_in_force(homes: Homes) -> None:
    homes.change(1, 1)
    (one,) = homes.workspace.read().transactions
    assert one.parts == {"home-manager": "in-force", "plasma+session": "in-force"}
    assert homes.workspace.script("home-manager").returncode == 0
    (one,) = homes.workspace.read().transactions
    assert one.parts == {"home-manager": "undone", "plasma+session": "in-force"}
    assert (one.word, one.in_force) == ("kept", {"plasma+session"})
    assert homes.content == "run 1\n"


def test_u16_what_was_written_before_holds_again_for_the_part_that_was_undone(
    homes: Homes,
) -> None:
    workspace = homes.workspace
    ours = f"{workspace.home}/.local/share/workspace-tuning/home-manager/flake.nix"
    session = str(workspace.file())
    for day, digest in ((1, "a"), (2, "b")):
        current = os.readlink(homes.profile).split("-")[1]
        new, old = homes.generation(f"home-{day}"), homes.profile.resolve()
        line = f"home-manager {new} {homes.profile} {current} {old}"
        files = {session: digest, ours: digest}
        begun = workspace.begin(
            *(run_id(day), day, {"one.conf": digest.encode()}, line),
            written=record(run_id(day), **files),
        )
        assert "status activated" in begun
        assert "status kept" in workspace.transact("decide", run_id(day), "confirm")
    assert workspace.script("plasma+session").returncode == 0
    assert workspace.read().written.files == {session: "a", ours: "b"}
    assert workspace.script("plasma+session").returncode == 0
    assert workspace.read().written.files == {ours: "b"}
    # The next run writes the whole truth.
    homes.change(3, 3)
    assert workspace.read().written.run == run_id(3)
    assert not (workspace.state / "undone").exists()


def test_u12_the_undo_of_a_first_generation_takes_away_what_it_set(homes: Homes) -> None:
    workspace = homes.workspace
    for link in (homes.profile, homes.profile.with_name("profile-1-link")):
        link.unlink()
    new = homes.generation("home-1")
    (new / "home-files/.config").mkdir()
    mine, theirs = workspace.file("mine.conf"), workspace.file("theirs.conf")
    theirs.write_text("of the user\n")
    script = "#!/bin/sh\n"
    for path in (mine, theirs):
        ours = new / "home-files/.config" / path.name
        ours.write_text("ours\n")
        script += f'if [ -e {path} ]; then mv {path} "{path}.$HOME_MANAGER_BACKUP_EXT"; fi\n'
        script += f"ln -s {ours} {path}\n"
    (new / "activate").write_text(script)
    line = f"home-manager {new} {homes.profile} - -"
    assert "status kept" in workspace.change(run_id(1), 1, b"new\n", line)
    assert (mine.read_text(), theirs.read_text()) == ("ours\n", "ours\n")
    assert homes.home == "home-1"
    assert workspace.script().returncode == 0
    assert not mine.is_symlink()
    assert (theirs.is_symlink(), theirs.read_text()) == (False, "of the user\n")
    assert list(homes.profile.parent.glob("profile*")) == []


def test_a_part_whose_undo_was_cut_off_is_undone_alone_by_the_next_one(homes: Homes) -> None:
    homes.change(1, 1)
    status = homes.workspace.place(run_id(1)) / "status"
    seen = homes.workspace.root / "seen"
    back = homes.workspace.root / "store/first/activate"
    back.write_text(f"{back.read_text()}cp {status} {seen}\n")
    assert homes.workspace.script("home-manager").returncode == 0
    after = status.read_text()
    assert seen.read_text().startswith("kept ") and seen.read_text() != after
    # As a power cut would have left the record.
    status.write_text(seen.read_text())
    parts = status.with_name("parts")
    parts.write_text(parts.read_text().replace("undone", "in-force"))
    (one,) = homes.workspace.read().transactions
    assert one.ended and "a rollback was begun: home-manager" in one.reason
    assert homes.workspace.script("home-manager").returncode == 0
    assert status.read_text() == after
    (one,) = homes.workspace.read().transactions
    assert one.in_force == {"plasma+session"}
    assert (homes.content, homes.home) == ("run 1\n", "first")


def test_records_of_an_older_version_are_understood(homes: Homes) -> None:
    homes.change(1, 1, "home")
    place = homes.workspace.place(run_id(1))
    (place / "parts").unlink()
    (place / "status").write_text(f"kept {run_id(1)} home 2; rolled back: live\n")
    (one,) = homes.workspace.read().transactions
    assert one.parts == {"home-manager": "in-force", "plasma+session": "undone"}
    assert "status undone" in homes.workspace.transact("undo", run_id(1), "home")
    assert homes.home == "first"
    assert json.dumps(homes.log.read_text().split()) == '["home-1", "first"]'


def test_a_part_that_is_not_one_is_refused_before_anything_is_undone(homes: Homes) -> None:
    homes.change(1, 1)
    place = str(homes.workspace.place(run_id(1)))
    said = homes.workspace.call("transact", "undo", place, "everything")
    assert said.returncode == 64
    assert "failed everything: not a part of a change" in said.stdout
    assert homes.workspace.script("everything").returncode == 64
    assert (homes.content, homes.home) == ("run 1\n", "home-1")


def test_an_end_is_told_when_the_process_has_written_its_last(tmp_path: Path) -> None:
    """The controller goes on only when the process has written its last."""
    homes = Homes(tmp_path)
    slow = f'#!/bin/sh\ncase $* in *parts*) sleep 1 ;; esac\nexec {which("mv")} "$@"\n'
    (tmp_path / "tools/mv").write_text(slow)
    (tmp_path / "tools/mv").chmod(0o755)
    workspace, run = homes.workspace, run_id(1)
    assert "status activated" in workspace.begin(run, 1, {"one.conf": b"one\n"})
    said = workspace.transact("decide", run, "confirm")
    after = tree(tmp_path)
    assert "status kept" in said
    time.sleep(1.5)
    assert tree(tmp_path) == after


def test_behind_an_undo_that_was_cut_off_the_script_reaches_the_older_runs(tmp_path: Path) -> None:
    """The parts of such a run are still noted as in force: the script took the run again and again,
    said "undone" each time, and never came to the run before."""
    workspace = Workspace(tmp_path)
    for number in (1, 2):
        assert "status kept" in workspace.change(run_id(number), number, b"%d\n" % number)
    (workspace.place(run_id(2)) / "status").write_text("undoing rolled back\n")
    said = [(one.stdout, one.returncode) for one in (workspace.script() for _ in range(3))]
    assert said[0] == ("status undone its process was gone\n", 0)
    assert said[1] == ("status undone rolled back\n", 0)
    assert said[2][0].startswith("nothing left to roll back") and said[2][1] == 0
    assert not workspace.file().exists()
