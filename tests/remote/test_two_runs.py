"""Two runs of one workspace at once: what a run does that another run has overtaken.

The second run is held up when it takes the lock, after it has read and before it writes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import DESKTOP, Applied, Box, Cli, Outcome
from tests.remote.faults import Guard, transaction
from tests.remote.test_transaction import kde_files
from tests.remote.test_undo import ALL, said
from tests.tools import need

WRITTEN = ".local/state/workspace-tuning/workspace/written.json"


@pytest.fixture(autouse=True)
def _real_tools() -> None:
    need("chezmoi")


class Held:
    """A controller whose run waits at its lock, the first time, until ``go``."""

    def __init__(self, place: Path, program: str = "ln") -> None:
        place.mkdir()
        self.cli = Cli(place)
        self._there, self._go = place / "there", place / "go"
        os.mkfifo(self._there)
        os.mkfifo(self._go)
        shim = place / "bin" / program
        shim.parent.mkdir()
        shim.write_text(
            f'#!/bin/sh\nif mkdir "{place}/held" 2>/dev/null; then\n'
            f'echo >"{self._there}"\nread -r _ <"{self._go}"\nfi\n'
            f'exec {shutil.which(program)} "$@"\n'
        )
        shim.chmod(0o755)
        self.cli.environment["PATH"] = f"{shim.parent}:{self.cli.environment['PATH']}"

    def begin(self, box: Box, *arguments: str) -> None:
        self._process = self.cli.start(box.inventory, *arguments)
        self._there.read_text()

    def go(self) -> None:
        self._go.write_text("\n")

    def end(self) -> Outcome:
        self.go()
        return self.cli.end(self._process)


@pytest.fixture
def held(tmp_path: Path) -> Held:
    return Held(tmp_path / "second")


def test_a_run_that_finds_all_of_it_done_meanwhile_ends_well_and_leaves_no_run_to_undo(
    cli: Cli, desktop: Box, held: Held
) -> None:
    guard = Guard(cli, desktop)
    held.begin(desktop, "deploy.py", "-y")
    first = cli(desktop.inventory, "deploy.py", "-y")
    assert first.code == 0, first.out
    second = held.end()
    assert second.code == 0, second.out + second.err
    assert second.journal[-1]["outcome"] == "nothing to change"
    guard.after(second)
    guard.converges()
    dry = cli(desktop.inventory, "tasks/rollback.py", "--dry", *ALL)
    assert f"run {first.journal[0]['run']} can be rolled back" in said(dry)
    assert cli(desktop.inventory, "tasks/rollback.py", "-y", *ALL).code == 0


def test_a_run_that_read_the_files_of_another_and_not_its_record_finds_it_done(
    cli: Cli, applied: Box, held: Held
) -> None:
    """It read while the other run kept its change: files were written, the record not yet."""
    written, aside = applied.home / WRITTEN, applied.home / f"{WRITTEN}.aside"
    written.rename(aside)
    held.begin(applied, "deploy.py", "-y")
    aside.rename(written)
    second = held.end()
    assert second.code == 0, second.out + second.err
    assert [r["status"] for r in second.kinds("step")].count("stale") == 1


def test_a_run_that_another_overtook_with_something_else_is_refused_and_writes_nothing(
    cli: Cli, make_box: Callable[..., Box], held: Held
) -> None:
    box = make_box(layers=["plasma", "session"])
    assert cli(box.inventory, "deploy.py", "-y").code == 0
    written, aside = box.home / WRITTEN, box.home / f"{WRITTEN}.aside"
    shutil.copy(written, aside)
    written.unlink()
    held.begin(box, "deploy.py", "-y")
    aside.rename(written)
    other = make_box(layers=["plasma", "session"], exclude=["video.variables"])
    first = cli(other.inventory, "deploy.py", "-y")
    assert first.code == 0, first.out
    record = written.read_bytes()
    second = held.end()
    assert second.code == 7, second.out + second.err
    assert f"run {first.journal[0]['run']} changed this workspace" in said(second)
    assert written.read_bytes() == record


def test_an_undo_waits_for_a_process_that_was_only_just_started(
    cli: Cli, make_applied: Callable[..., Applied]
) -> None:
    """The controller may be gone before the process on the workspace has noted itself."""
    desktop = make_applied(layers=DESKTOP, look=kde_files)
    before = desktop.before["kwinrc"]
    place = transaction(desktop)
    (place / "status").write_text("activating x\n")
    (place / "process").unlink()
    undo = subprocess.Popen(
        ["sh", str(place / "transact.sh"), "undo", str(place)],
        env={**cli.environment, "HOME": str(desktop.home)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            undo.wait(timeout=2)
        assert desktop.config("kwinrc").read_bytes() != before
        (place / "process").write_text("1 1 another-boot\n")  # whose process is gone
        out, _ = undo.communicate(timeout=60)
    finally:
        undo.kill()
    assert out.splitlines()[-1].startswith("status undone"), out
