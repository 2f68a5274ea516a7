"""Each file of a record is damaged, one by one: an undo is whole, or it is broken in plain words
with what to do by hand, and whole once the record is mended.

The record is a real one: a KDE file, a file in a directory that the run made, chezmoi's side, the
record of what was written. The suite damages each file once; ``RECORDS=all`` in each way."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from converge.kde import back
from converge.plan.plan import Change
from converge.setting import Layer
from tasks.reach.payload import pack
from tasks.reach.remote import PROGRAMS, joined
from tests.remote import recording
from tests.remote.recording import Workspace, record, run_id
from tests.remote.test_undo import immutable
from tests.tools import need

__all__ = ["immutable"]

RUN = run_id(2)
BEFORE = b"[A]\nx=1\n[B]\ny=2\n"
AFTER = b"[A]\nx=3\n[B]\ny=2\n"


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "theirs").write_text("x")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "removed": Path.unlink,
    "emptied": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "garbage": lambda path: path.write_bytes(os.urandom(512)),
    "a directory": _folder,
    "of mode 0": lambda path: path.chmod(0),
    "a pipe": _pipe,
    "a link": _link,
}
#: What a shell says by itself where nobody thought of the case.
RAW = re.compile(
    r"Syntax error|: not found|cannot open|can't open|Is a directory|No such file|tar: "
)


class Recorded(Workspace):
    """A workspace whose last change has a record with all that one can have."""

    def payload(self, plan: str, files: dict[str, bytes], written: bytes) -> bytes:
        kwinrc, made = str(self.file("kwinrc")), str(self.file("made.d/60.conf"))
        entries = back.changed(BEFORE, AFTER, {})
        changes = [
            Change(
                path=kwinrc,
                layer=Layer.PLASMA,
                before=BEFORE,
                after=AFTER,
                kde=True,
                entries=entries,
                chezmoi_target=kwinrc,
            ),
            Change(path=made, layer=Layer.SESSION, before=None, after=b"A=1\n", mode=0o644),
        ]
        live = pack(changes, home=str(self.home)).encode()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(recording, "pack", lambda *_, **__: live.decode())
            return super().payload(plan, {}, written)

    def chezmoi(self, *arguments: str) -> str:
        return subprocess.run(
            [need("chezmoi"), "--no-tty", *arguments],
            env={"PATH": os.environ["PATH"], "HOME": str(self.home)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def look(self) -> dict[str, object]:
        """Each directory and file of the home but the record, and what chezmoi remembers."""
        found: dict[str, object] = {}
        for path in sorted(self.home.rglob("*")):
            name = path.relative_to(self.home).as_posix()
            if name.startswith((".local/state/workspace-tuning", ".config/chezmoi/")):
                continue
            content = path.read_bytes() if path.is_file() else None
            found[name] = (oct(path.lstat().st_mode), content)
        if (self.home / ".config/chezmoi/chezmoistate.boltdb").exists():
            found["chezmoi"] = self.chezmoi("state", "dump")
        found["written"] = self.written.read_bytes() if self.written.exists() else None
        return found


@pytest.fixture(scope="module")
def origin(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Recorded, dict[str, object]]]:
    need("dash")
    need("chezmoi")
    workspace = Recorded(tmp_path_factory.mktemp("damage"))
    workspace.file("kwinrc").write_bytes(BEFORE)
    workspace.file("kwinrc").chmod(0o644)
    source = workspace.home / ".local/share/chezmoi/dot_config/kwinrc"
    source.parent.mkdir(parents=True)
    source.write_bytes(AFTER)
    workspace.state.mkdir(parents=True)
    workspace.written.write_bytes(record(run_id(1)))
    before = workspace.look()
    said = workspace.change(RUN, 2, b"")
    assert "status kept" in said, said
    assert workspace.look() != before
    shutil.copytree(
        workspace.root, workspace.root.with_name(f"{workspace.root.name}-kept"), symlinks=True
    )
    yield workspace, before


def anew(workspace: Recorded) -> None:
    """As the change has left it."""
    shutil.rmtree(workspace.root)
    shutil.copytree(
        workspace.root.with_name(f"{workspace.root.name}-kept"), workspace.root, symlinks=True
    )


def files(workspace: Recorded) -> list[Path]:
    found = workspace.place(RUN).parent.rglob("*")
    return [one for one in sorted(found) if one.is_file() and not one.is_symlink()]


@pytest.mark.parametrize("spare", ["there", "gone"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_u14_each_file_of_a_record_that_is_damaged_leaves_an_undo_whole_or_broken_and_repeatable(
    origin: tuple[Recorded, dict[str, object]], damage: str, spare: str
) -> None:
    workspace, before = origin
    anew(workspace)
    all_ = [one for one in files(workspace) if spare == "there" or one.suffix != ".spare"]
    assert len(all_) > 20
    ways = list(DAMAGE)
    chosen = all_ if os.environ.get("RECORDS") == "all" else all_[ways.index(damage) :: len(ways)]
    for path in chosen:
        if damage == "of mode 0" and os.getuid() == 0 and path.suffix == ".spare":
            continue
        whole_or_broken(workspace, before, path, damage, spare)


def whole_or_broken(
    workspace: Recorded, before: dict[str, object], path: Path, damage: str, spare: str = "there"
) -> None:
    anew(workspace)
    if spare == "gone":
        for one in workspace.place(RUN).parent.rglob("*.spare"):
            one.unlink()
    whole, mode = path.read_bytes(), path.stat().st_mode
    DAMAGE[damage](path)
    done = workspace.script()
    said = f"{path} {damage}: {done.returncode}\n{done.stdout}{done.stderr}"
    assert not RAW.search(done.stdout + done.stderr), said
    if done.returncode != 0:
        assert done.returncode == 4, said
        assert done.stdout.startswith("status broken"), said
        assert "by hand: " in done.stdout and str(workspace.place(RUN).parent) in said, said
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(whole)
        path.chmod(mode)
        again = workspace.script(RUN)
        assert again.returncode == 0, f"{said}\nthen: {again.stdout}{again.stderr}"
    assert workspace.look() == before, said
    if spare == "there":
        assert done.returncode == 0 or path.name in ("status", "parts"), said


@pytest.mark.parametrize(
    ("name", "damage", "spare"),
    [("plan", "a pipe", "gone"), ("status", "a directory", "there"), ("parts", "a pipe", "gone")],
)
def test_u14_what_is_no_file_in_a_transaction_holds_no_undo_up_and_is_never_without_a_way(
    origin: tuple[Recorded, dict[str, object]], name: str, damage: str, spare: str
) -> None:
    workspace, before = origin
    anew(workspace)
    whole_or_broken(workspace, before, workspace.place(RUN) / name, damage, spare)


def test_u14_pipes_in_a_record_hold_no_reading_and_no_undo_up(
    origin: tuple[Recorded, dict[str, object]],
) -> None:
    workspace, before = origin
    anew(workspace)
    place = workspace.place(RUN)
    trial = place.with_name("trial")
    trial.mkdir()
    other = workspace.place(run_id(9))  # of another run, whose status is no file
    other.mkdir(parents=True)
    for path in (other / "status", *(trial / name for name in ("state", "plan", "found"))):
        os.mkfifo(path)
    _pipe(place / "deadline")
    (one,) = workspace.read().transactions
    assert one.word == "kept"
    assert "status kept" in workspace.transact("wait", RUN, "5")
    assert workspace.script().returncode == 0
    assert workspace.look() == before


def test_u14_a_status_that_cannot_be_written_is_broken_with_what_to_do(
    origin: tuple[Recorded, dict[str, object]], immutable: Callable[[Path], None]
) -> None:
    workspace, before = origin
    anew(workspace)
    status = workspace.place(RUN) / "status"
    immutable(status)
    done = workspace.script()
    subprocess.run(["chattr", "-i", str(status)], check=True)
    assert done.returncode == 4, done.stdout
    assert "by hand: mend that and repeat the undo" in done.stdout
    assert f"rm -r -- '{status.parents[1]}'" in done.stdout
    assert workspace.script().returncode == 0
    assert workspace.look() == before


#: KDE replaces the file while its attributes are copied: cp says so, and ends in 1.
REPLACED = """\
#!/bin/sh
case $*:$(ls {once} 2>/dev/null) in *--attributes-only*kwinrc*:)
    touch {once}
    {{ cat {file}; printf '[Theirs]\\nk=1\\n'; }} >{file}.new && mv {file}.new {file}
    exit 1 ;;
esac
exec {real} "$@"
"""


def test_u1_a_file_that_kde_replaces_while_it_is_copied_is_read_again(
    origin: tuple[Recorded, dict[str, object]], tmp_path: Path
) -> None:
    workspace, _ = origin
    anew(workspace)
    shim = tmp_path / "cp"
    kwinrc = workspace.file("kwinrc")
    shim.write_text(REPLACED.format(once=tmp_path / "once", file=kwinrc, real=need("cp")))
    shim.chmod(0o755)
    workspace.environment["PATH"] = f"{tmp_path}:{os.environ['PATH']}"
    try:
        done = workspace.script()
    finally:
        del workspace.environment["PATH"]
    assert (tmp_path / "once").exists()
    assert done.returncode == 0, done.stdout
    assert kwinrc.read_bytes() == BEFORE + b"[Theirs]\nk=1\n"


def test_a_link_to_the_same_bytes_is_no_file_of_a_record(tmp_path: Path) -> None:
    """Whoever owns what the link leads to could change it after the look."""
    for name in ("one", "two"):
        (tmp_path / name).write_text(f"{name}\n")
    parts = joined(PROGRAMS / "seal.sh")
    sealed = [need("dash"), "-c", parts + 'seal "$1" record one two', "sh", str(tmp_path)]
    subprocess.run(sealed, check=True)
    (tmp_path / "one").rename(tmp_path / "copy")
    (tmp_path / "one").symlink_to("copy")
    mended = [need("dash"), "-c", parts + 'mend "$1" record', "sh", str(tmp_path)]
    subprocess.run(mended, check=True)
    assert not (tmp_path / "one").is_symlink() and (tmp_path / "one").read_text() == "one\n"
