"""Files are on the disk before they are put in place, and the first decision counts: two promises
that an ordinary run does not show, since no power fails and nobody decides twice."""

from __future__ import annotations

import os
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from tasks.reach.payload import squeezed
from tasks.reach.remote import joined, program
from tests.remote.test_write import Place
from tests.tools import need

LOGGED = """\
#!/bin/sh
for word in "$@"; do printf '%s %s\\n' {name} "$word" >>"$CALLS"; done
exec {real} "$@"
"""


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """A directory of programs that note each of their arguments in the file ``calls``."""
    directory = tmp_path / "logged"
    directory.mkdir()
    for name in ("sync", "mv"):
        path = directory / name
        path.write_text(LOGGED.format(name=name, real=need(name)))
        path.chmod(0o755)
    return directory


def written(directory: Path, calls: Path) -> tuple[Place, list[str]]:
    """A workspace that was written, and the programs that ``calls`` logged, in their order."""
    place, log = Place(directory / "workspace"), directory / "calls"
    code, said = place.write(place.payload(), PATH=f"{calls}:{os.environ['PATH']}", CALLS=str(log))
    assert (code, said[-1]) == (0, "done")
    return place, log.read_text().splitlines()


def test_a_record_is_on_the_disk_before_it_takes_its_place(tmp_path: Path, calls: Path) -> None:
    paths = [tmp_path / "lines", tmp_path / "received"]
    words = 'put "$1" a b && printf c | receive "$2"'
    environment = {
        "HOME": str(tmp_path),
        "PATH": f"{calls}:{os.environ['PATH']}",
        "CALLS": str(tmp_path / "calls"),
    }
    command = [need("dash"), "-c", f"{joined()}{words}", "put", *map(str, paths)]
    subprocess.run(command, env=environment, check=True)
    assert [path.read_text() for path in paths] == ["a\nb\n", "c"]
    done = (tmp_path / "calls").read_text().splitlines()
    for path in paths:
        assert done.index(f"sync {path}.new") < done.index(f"mv {path}.new")


def test_every_new_file_is_on_the_disk_before_it_takes_its_place(
    tmp_path: Path, calls: Path
) -> None:
    place, done = written(tmp_path, calls)
    for path in place.files:
        stage = f"{path.parent}/.{path.name}.wt-run-1"
        put, synced = done.index(f"mv {stage}"), done.index(f"sync {stage}")
        assert synced < put, f"{path} is in place before its bytes are on the disk"
        assert f"sync {path.parent}" in done[put:], "the directory itself follows"


def test_the_old_bytes_and_what_an_undo_goes_by_are_on_the_disk_before_a_file_is_replaced(
    tmp_path: Path, calls: Path
) -> None:
    place, done = written(tmp_path, calls)
    put = min(done.index(f"mv {path.parent}/.{path.name}.wt-run-1") for path in place.files)
    record = place.root / "state/runs/run-1"
    kept = sorted(path for path in record.rglob("*") if path.is_file())
    old = sorted(path.read_bytes() for path in kept if path.parent.name == "before")
    assert old == sorted(before for before, _ in place.files.values() if before is not None)
    for path in kept:
        if path.name != "made":  # which directories were made: noted as each of them is made
            assert f"sync {path}" in done[:put], f"a power failure could lose {path}"


@pytest.mark.parametrize("copy", ["--attributes-only", "/before/"])
def test_a_file_that_is_replaced_while_it_is_copied_is_stale_and_no_failure(
    tmp_path: Path, calls: Path, copy: str
) -> None:
    """cp ends in 1 then; the run reads the workspace again."""
    place = Place(tmp_path / "workspace")
    path = place.home / ".config/kwinrc"
    (calls / "cp").write_text(
        f'#!/bin/sh\ncase $* in *{copy}*) echo >>"{path}"; exit 1 ;; esac\nexec {need("cp")} "$@"\n'
    )
    (calls / "cp").chmod(0o755)
    code, said = place.write(
        place.payload(), PATH=f"{calls}:{os.environ['PATH']}", CALLS=str(tmp_path / "calls")
    )
    assert (code, said[-1]) == (75, f"stale {path}"), said


@pytest.mark.parametrize("name", ["kwinrc", "plain"])
def test_a_file_that_is_changed_in_the_last_moment_is_not_replaced(
    tmp_path: Path, calls: Path, name: str
) -> None:
    """After its old bytes were kept, and before the renames: the last look finds the change."""
    place = Place(tmp_path / "workspace")
    path = place.home / ".config" / name
    (calls / "sync").write_text(
        f'#!/bin/sh\ncase $* in */before/*) echo mine >"{path}" ;; esac\nexec {need("sync")} "$@"\n'
    )
    code, said = place.write(
        place.payload(), PATH=f"{calls}:{os.environ['PATH']}", CALLS=str(tmp_path / "calls")
    )
    assert (code, said[-1].split(":")[0]) == (75, f"stale {path}")
    assert path.read_bytes() == b"mine\n"
    assert not [line for line in said if line.startswith("wrote ")]
    assert not list(place.home.rglob(".*.wt-*")), "nothing staged is left"


def test_a_process_of_an_earlier_boot_holds_nothing() -> None:
    """Its number and its start may be those of a process that runs now."""

    def lives(boot: str) -> int:
        text = joined() + f'lives $$ "$(start_time $$)" {boot}'
        return subprocess.run([need("dash"), "-c", text], check=False).returncode

    assert (lives('"$(boot_id)"'), lives("another-boot")) == (0, 1)


def test_a_disk_that_does_not_take_the_bytes_leaves_every_file_as_it_was(
    tmp_path: Path, calls: Path
) -> None:
    place = Place(tmp_path / "workspace")
    (calls / "sync").write_text("#!/bin/sh\ncase $* in *.wt-*) exit 1 ;; esac\n")
    code, said = place.write(
        place.payload(), PATH=f"{calls}:{os.environ['PATH']}", CALLS=str(tmp_path / "calls")
    )
    assert code == 70 and "not durable" in said[-1]
    assert {path: path.read_bytes() for path in place.files if path.exists()} == {
        path: before for path, (before, _) in place.files.items() if before is not None
    }


# -- the word -------------------------------------------------------------------------------------


class Open:
    """A transaction that waits for its word."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        (root / "status").write_text("activated run-1\n")
        (root / "written").write_text("what was planned\n")
        (root / "transact.sh").write_text('echo "status $(cat "$2/decision")"\n')

    def decide(self, word: str, record: bytes = b"", digest: str = "") -> tuple[int, str]:
        arguments = [word, *([digest or sha256(record).hexdigest()] if record else [])]
        done = subprocess.run(
            [need("dash"), "-c", program("transact"), "t", "decide", str(self.root), *arguments],
            input=squeezed(record),
            capture_output=True,
            text=True,
            timeout=30,
        )
        return done.returncode, done.stdout.strip()

    @property
    def word(self) -> str:
        path = self.root / "decision"
        return path.read_text().strip() if path.exists() else ""

    @property
    def written(self) -> str:
        return (self.root / "written").read_text()


@pytest.mark.parametrize(("first", "second"), [("undo", "confirm"), ("confirm", "undo")])
def test_the_first_word_counts_and_the_second_changes_nothing(
    tmp_path: Path, first: str, second: str
) -> None:
    change = Open(tmp_path / "T")
    change.decide(first)
    change.decide(second, record=b"what was proved\n")
    assert (change.word, change.written) == (first, "what was planned\n")


def test_the_record_of_the_proof_comes_with_the_word(tmp_path: Path) -> None:
    change = Open(tmp_path / "T")
    assert change.decide("confirm", record=b"what was proved\n") == (0, "status confirm")
    assert change.written == "what was proved\n"
    assert (change.root / "written").stat().st_mode & 0o077 == 0


def test_a_record_that_was_cut_off_is_no_word_and_can_be_said_again(tmp_path: Path) -> None:
    change = Open(tmp_path / "T")
    code, said = change.decide("confirm", record=b"what was", digest="0" * 64)
    assert code == 70 and "did not arrive whole" in said
    assert (change.word, change.written) == ("", "what was planned\n")
    assert change.decide("confirm", record=b"what was proved\n")[0] == 0
    assert change.written == "what was proved\n"
