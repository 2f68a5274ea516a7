"""An undo that root does for another user: each file of both records damaged, each step failing or
killed. It is whole, or broken in plain words and whole once it is repeated, as the user's own is.

The suite damages some files in each way; RECORDS=all damages all of them."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.reach.remote import program
from tests.remote.recording import record, run_id
from tests.remote.test_record_root import THEM, Rooted, opened
from tests.remote.test_undo import immutable
from tests.remote.test_undo_damage import AFTER, BEFORE, DAMAGE, RAW, RUN, Recorded
from tests.tools import need

__all__ = ["immutable"]


class RootsRecord(Rooted, Recorded):
    """A change of root's for another user, with all that a record can have."""

    def plan(self, run: str, number: int, *lines: str, deadline: int = 60) -> str:
        homes = f"variable HOME={self.home}", f"places {Path(need('chezmoi')).parent}"
        return super().plan(run, number, *homes, *lines, deadline=deadline)

    def undo(self) -> str:
        """As tasks/rollback.py sends it by sudo."""
        return self.transact("undo", RUN).splitlines()[-1]

    @property
    def kept(self) -> Path:
        return self.root.with_name(f"{self.root.name}-kept")

    def keep(self) -> None:
        subprocess.run(["cp", "-a", str(self.root), str(self.kept)], check=True)

    def again(self) -> None:
        shutil.rmtree(self.root)
        subprocess.run(["cp", "-a", str(self.kept), str(self.root)], check=True)


@pytest.fixture
def changed(
    origin: tuple[RootsRecord, dict[str, object]],
) -> tuple[RootsRecord, dict[str, object]]:
    """Such a change, as it was when it was kept."""
    origin[0].again()
    return origin


@pytest.fixture(scope="module")
def origin(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[RootsRecord, dict[str, object]]:
    rooted = opened(tmp_path_factory.mktemp("test_rooted"))
    workspace = RootsRecord(rooted.root, rooted.environment, THEM)
    workspace.file("kwinrc").write_bytes(BEFORE)
    workspace.file("kwinrc").chmod(0o644)
    source = workspace.home / ".local/share/chezmoi/dot_config/kwinrc"
    source.parent.mkdir(parents=True)
    source.write_bytes(AFTER)
    workspace.written.write_bytes(record(run_id(1)))
    them = pwd.getpwnam(THEM)
    for path in workspace.home.rglob("*"):
        os.chown(path, them.pw_uid, them.pw_gid)
    before = workspace.look()
    said = workspace.change(RUN, 2, b"")
    assert "status kept" in said, said
    assert workspace.look() != before
    workspace.keep()
    return workspace, before


def whole(
    workspace: RootsRecord, before: dict[str, object], said: str, mend: Callable[[], object]
) -> None:
    """Undone, or broken and undone once the reason is mended."""
    assert not RAW.search(said), said
    if not said.startswith("status undone"):
        assert said.startswith("status broken") and "by hand: " in said, said
        mend()
        again = workspace.undo()
        assert again.startswith("status undone"), f"{said}\nthen: {again}"
    assert workspace.look() == before, said
    assert workspace.file("kwinrc").owner() == THEM


@pytest.mark.parametrize("damage", ["removed", "garbage", "a directory", "a pipe"])
def test_u14_each_file_of_roots_and_the_users_record_that_is_damaged_leaves_an_undo_whole_or_broken(
    changed: tuple[RootsRecord, dict[str, object]], damage: str
) -> None:
    workspace, before = changed
    places = workspace.place(RUN).parent, workspace.state / "runs" / RUN
    files = [one for place in places for one in sorted(place.rglob("*")) if one.is_file()]
    assert len(files) > 20
    ways = ["removed", "garbage", "a directory", "a pipe"]
    chosen = files if os.environ.get("RECORDS") == "all" else files[ways.index(damage) :: 12]
    for path in chosen:
        workspace.again()
        content, state = path.read_bytes(), path.stat()

        def mend(
            path: Path = path, content: bytes = content, state: os.stat_result = state
        ) -> None:
            if path.is_dir():
                shutil.rmtree(path)
            path.unlink(missing_ok=True)
            path.write_bytes(content)
            path.chmod(state.st_mode)
            os.chown(path, state.st_uid, state.st_gid)

        DAMAGE[damage](path)
        if path.exists():
            os.chown(path, state.st_uid, state.st_gid)
        whole(workspace, before, f"{workspace.undo()} ({path} {damage})", mend)


#: The step that fails -> what is immutable meanwhile.
STEPS: dict[str, Callable[[RootsRecord], Path]] = {
    "a file of KDE's": lambda one: one.file("kwinrc"),
    "the directory of the files": lambda one: one.file("kwinrc").parent,
    "the record of what was written": lambda one: one.written,
    "the status": lambda one: one.place(RUN) / "status",
    "the user's record": lambda one: one.state / "runs" / RUN / "live-1",
}


@pytest.mark.parametrize("step", STEPS)
def test_u14_what_is_immutable_at_any_step_of_roots_undo_is_broken_or_whole_and_repeatable(
    changed: tuple[RootsRecord, dict[str, object]], immutable: Callable[[Path], None], step: str
) -> None:
    workspace, before = changed
    path = STEPS[step](workspace)
    immutable(path)
    said = workspace.undo()
    subprocess.run(["chattr", "-i", str(path)], check=True)
    whole(workspace, before, said, lambda: None)


def test_u14_a_lock_of_kdes_that_is_held_while_root_undoes_is_broken_and_repeatable(
    changed: tuple[RootsRecord, dict[str, object]],
) -> None:
    workspace, before = changed
    lock = workspace.file("kwinrc.lock")
    group = pwd.getpwnam(THEM).pw_gid  # /proc shows the program to a process with the same groups
    with subprocess.Popen(
        [need("sleep"), "600"], user=THEM, group=group, extra_groups=[]
    ) as holder:
        name = Path(f"/proc/{holder.pid}/exe").resolve().name
        lock.write_text(f"{holder.pid}\n{name}\n{os.uname().nodename}\n")
        said = workspace.undo()
        holder.kill()
    assert said.startswith("status broken") and "KConfig's lock is held by process" in said, said
    whole(workspace, before, said, lock.unlink)


def test_u14_roots_undo_that_is_killed_at_any_moment_is_whole_once_it_is_repeated(
    changed: tuple[RootsRecord, dict[str, object]],
) -> None:
    """Whatever the undo has come to by then: no moment of these is waited for."""
    workspace, before = changed
    place = str(workspace.place(RUN))
    for moment in (0.05, 0.2, 0.5, 1):
        workspace.again()
        process = subprocess.Popen(
            [need("dash"), "-c", program("transact"), "workspace-transact", "undo", place],
            env={**os.environ, "HOME": str(workspace.home), **workspace.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            # The user's part has a group of its own, by timeout(1), in the same session.
            subprocess.run(["pkill", "-KILL", "-s", str(process.pid)], check=True)
            process.wait()
        whole(workspace, before, workspace.undo(), lambda: None)
