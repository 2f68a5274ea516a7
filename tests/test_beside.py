"""Two runs of the tests on one machine leave each other alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.conftest import PROJECT


def test_a_second_run_closes_no_directory_of_the_first(tmp_path: Path) -> None:
    """Users of the tests go through these directories to their own."""
    inner = tmp_path / "test_inner.py"
    inner.write_text("def test_it(tmp_path):\n    tmp_path.rmdir()\n")
    closed = [one for one in (tmp_path, *tmp_path.parents) if not one.stat().st_mode & 0o001]
    before = {place: place.stat().st_mode for place in closed}
    try:
        for place in closed:
            place.chmod(0o755)
        subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "tests.conftest", "--rootdir", PROJECT, inner],
            cwd=PROJECT,
            check=True,
            capture_output=True,
            timeout=120,
        )
        assert {place.stat().st_mode & 0o777 for place in closed} == {0o755}
    finally:
        for place, mode in before.items():
            place.chmod(mode)
