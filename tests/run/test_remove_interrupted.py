"""A removal that is interrupted anywhere is done by the next one: nothing of ours is left, nothing
of the user's is lost.

The workspace has every layer. Its first run stopped behind the files of the layers, because a file
of the user's own was in the way; the second one was kept. REMOVALS=all interrupts a removal before
each program that changes a file, the suite before a few of them."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import sandbox
from tests.conftest import Box, Cli
from tests.remote.faults import until
from tests.remote.test_transaction import state
from tests.run.test_own_files import CONSENT, LAYERS
from tests.run.test_remove import home, record
from tests.tools import need

STEPS = ("take the lock", "roll every run back", "remove the files", "remove the records")
#: What changes a file calls one of these. The call that is counted to COUNT ends the whole removal,
#: the controller as well, before it does anything.
PROGRAMS = ("rm", "rmdir", "mv", "ln", "tar", "mkdir")
COUNTED = """\
#!/bin/sh
count=0
[ ! -e "$CALLS" ] || read -r count _ <"$CALLS"
count=$((count + 1))
echo "$count {name} $*" >"$CALLS"
if [ "$count" = "$COUNT" ]; then kill -9 0; fi
exec {real} "$@"
"""


class Leaving:
    """A workspace that can be brought back to where its removal begins."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cli = Cli(root)
        data = sandbox.data(root / "box")
        self.box = Box(root / "box", self.cli.inventory({"name": data.pop("workspace"), **data}))
        mine = self.box.home / LAYERS
        mine.parent.mkdir(parents=True, exist_ok=True)
        mine.write_text("# mine\n")
        self.before, self.generations = home(self.box), state(self.box)
        assert self._deploy() == 1
        assert self._deploy(*CONSENT) == 0
        self._bring(self.box.root, root / "kept")
        bin_ = root / "bin"
        bin_.mkdir()
        for name in PROGRAMS:
            (bin_ / name).write_text(COUNTED.format(name=name, real=need(name)))
            (bin_ / name).chmod(0o755)

    def _deploy(self, *arguments: str) -> int:
        return self.cli(self.box.inventory, "deploy.py", "-y", *arguments).code

    def _bring(self, place: Path, to: Path) -> None:
        """All but what Nix has: a removal adds nothing to its store and takes nothing from it."""
        for name in ("home", "var", "run", "boot", "nix/var/nix/profiles"):
            if (to / name).exists():
                shutil.rmtree(to / name)
            shutil.copytree(place / name, to / name, symlinks=True)

    def again(self) -> None:
        self._bring(self.root / "kept", self.box.root)

    def whole(self, about: str) -> None:
        """The next removal does what is left; ``about``: where this one was interrupted."""
        end = time.monotonic() + 120
        while (run := self.cli(self.box.inventory, "tasks/remove.py", "-y")).code == 7:
            assert time.monotonic() < end, (
                run.out
            )  # an undo goes on to its end without a controller
            time.sleep(0.1)
        about += run.out + run.err
        assert run.code == 0, about
        assert home(self.box) == self.before, about
        assert state(self.box) == self.generations, about
        assert not record(self.box).exists(), about
        assert not (self.box.home / ".local/share/workspace-tuning").exists(), about
        assert not (self.box.root / "var/lib/workspace-tuning").exists(), about

    def counted(self, count: int) -> str:
        """A removal that ends before that call, or with 0 at its end: the last call there was."""
        calls = self.root / "calls"
        calls.unlink(missing_ok=True)
        old = self.cli.environment
        path = f"{self.root / 'bin'}:{old['PATH']}"
        self.cli.environment = {**old, "PATH": path, "CALLS": str(calls), "COUNT": str(count)}
        process = self.cli.start(self.box.inventory, "tasks/remove.py", "-y", own_group=True)
        run = self.cli.end(process)
        self.cli.environment = old
        if count:
            assert run.code != 0, run.out
        return calls.read_text()


@pytest.fixture(scope="module")
def _leaving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leaving]:
    need("nix")
    need("chezmoi")
    yield Leaving(tmp_path_factory.mktemp("leaving"))


@pytest.fixture
def leaving(_leaving: Leaving) -> Leaving:
    _leaving.again()
    return _leaving


@pytest.mark.parametrize("step", STEPS)
def test_a_removal_whose_controller_is_killed_at_any_step_is_done_by_the_next_one(
    leaving: Leaving, step: str
) -> None:
    process = leaving.cli.start(leaving.box.inventory, "tasks/remove.py", "-vy")
    until(process, f"{step}: started")
    process.send_signal(signal.SIGKILL)
    assert leaving.cli.end(process).code == -signal.SIGKILL
    leaving.whole(step)


def test_a_removal_that_the_power_ends_before_any_program_is_done_by_the_next_one(
    leaving: Leaving,
) -> None:
    total = int(leaving.counted(0).split()[0])  # about two hundred; the records are the last thirty
    assert total > 100
    some = (total // 3, total - 20, total - 3)
    for count in range(1, total + 1) if os.environ.get("REMOVALS") == "all" else some:
        leaving.again()
        leaving.whole(leaving.counted(count))
