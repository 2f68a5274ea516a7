"""What remote/write.sh starts for a new file: counted, not timed."""

from __future__ import annotations

from pathlib import Path

from converge.plan.plan import Change
from converge.setting import Layer
from tests.remote.test_read_starts import counted, traced
from tests.remote.test_write_chezmoi import write


def processes(root: Path, files: int) -> int:
    """How many are started to write so many new files into one directory."""
    root.mkdir()
    log = root / "log"
    changes = [
        Change(
            path=str(root / "layer" / str(number)),
            layer=Layer.PLASMA,
            before=None,
            after=str(number).encode(),
            mode=0o644,
        )
        for number in range(files)
    ]
    assert write(root, changes, *traced(log))[-1] == "done"
    return counted(log.read_text())[1]


def test_a_new_file_costs_three_processes(tmp_path: Path) -> None:
    """Its bytes, its mode and its name; what keeps others out is asked once for a directory."""
    assert processes(tmp_path / "many", 30) - processes(tmp_path / "few", 10) == 20 * 3
