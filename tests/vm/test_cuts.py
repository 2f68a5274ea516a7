"""The power goes in the middle of an apply, of a boot trial and of an undo: the machine comes up in
a generation that was proved, each file is wholly old or wholly new, and the same command again ends
what it began.

The run is made once for each loader, by the programs as the controller sends them (``trials``), and
what a power cut would leave is kept at each of its moments (``moments``). A machine is made from
each of ``CUTS`` (20) of these, evenly over the run.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.vm.image import LOADERS, Image
from tests.vm.machine import Left, Machine
from tests.vm.moments import Moments
from tests.vm.system import FILES
from tests.vm.test_deploy import DECIDED
from tests.vm.trials import Tried

CUTS = int(os.environ.get("CUTS", "20"))
MARK = "workspace.tried=1"
#: sh: wait until what the workspace does by itself after a boot is over.
SETTLED = """\
while systemctl is-active --quiet workspace-tuning-trial.service; do sleep 1; done
"""


@dataclass
class Recorded:
    """A run of a loader, and its moments. ``old`` and ``new`` are systems; each file before and
    after."""

    image: Image
    loader: str
    directory: Path
    phases: frozenset[str]  # that are asked for: the run goes no further than these
    old: str = ""
    new: str = ""
    before: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)
    moments: dict[str, list[Left]] = field(default_factory=dict)

    def make(self) -> None:
        """A good change: applied, tried, kept, taken back."""
        one = Machine(self.image, self.loader, self.directory)
        try:
            one.boot()
            self._run(one, Tried(one))
        finally:
            one.off()
            one.close()

    def _run(self, one: Machine, tried: Tried) -> None:
        self.before = digests(one)
        with Moments(one) as moments:
            assert "trial booting" in tried.begin(parameters=(MARK,))
        self.moments["apply"] = moments.spread(CUTS)
        self.old, self.new, self.after = tried.old, tried.new, digests(one)
        assert self.before != self.after
        if self.phases == {"apply"}:
            return
        with Moments(one, every_s=2.0) as moments:
            assert one.reboot().system == self.new
            assert tried.trial().startswith("kept "), one.console[-2000:]
        self.moments["trial"] = moments.spread(CUTS)
        if "undo" not in self.phases:
            return
        with Moments(one) as moments:
            assert "status undone" in tried.transact("undo")
        self.moments["undo"] = moments.spread(CUTS)
        assert digests(one) == self.before


@pytest.fixture(scope="module", params=LOADERS)
def recorded(
    request: pytest.FixtureRequest, disks: Image, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Recorded]:
    directory = tmp_path_factory.mktemp(request.param)
    cuts = (item for item in request.session.items if isinstance(item, pytest.Function))
    phases = frozenset(
        item.callspec.params["cut"][0] for item in cuts if "cut" in item.fixturenames
    )
    found = Recorded(disks, request.param, directory / "machine", phases)
    found.make()
    yield found
    for path in found.directory.glob("disk*.qcow2"):
        path.unlink()


@dataclass
class Cut:
    """A machine that came up after the power had gone at a moment; ``booted`` is its system."""

    run: Recorded
    one: Machine
    booted: str

    def proved(self) -> str:
        """The generation that runs is the default, and one that was proved; which one."""
        assert self.booted in (self.run.old, self.run.new)
        self.one.sh(SETTLED)
        assert self.one.generations()[self.one.default_generation()] == self.booted
        assert_whole(digests(self.one), self.run.before, self.run.after)
        return self.booted

    def undo(self) -> None:
        """The same command again, or for the first time: all is as before."""
        assert "status undone" in Tried(self.one).transact("undo")
        assert digests(self.one) == self.run.before
        default = self.one.generations()[self.one.default_generation()]
        assert default == self.run.old


@pytest.fixture
def cut(request: pytest.FixtureRequest, recorded: Recorded, tmp_path: Path) -> Iterator[Cut]:
    phase, number = request.param
    moments = recorded.moments[phase]
    if number >= len(moments):
        pytest.fail(f"the run has no more than {len(moments)} moments")
    left = moments[number]
    one = Machine(recorded.image, recorded.loader, tmp_path / "machine", left=left)
    try:
        yield Cut(recorded, one, one.boot().system)
    finally:
        one.stop()


def every(phase: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "cut",
        [pytest.param((phase, number), id=f"{phase}-{number + 1}") for number in range(CUTS)],
        indirect=True,
    )


@every("apply")
def test_a_power_cut_while_it_is_applied_leaves_the_old_generation(cut: Cut) -> None:
    assert cut.proved() == cut.run.old
    cut.undo()


@every("trial")
def test_a_power_cut_while_it_is_tried_ends_in_the_old_one_or_in_the_proved_one(cut: Cut) -> None:
    state = cut.one.sh(DECIDED, "600")
    if cut.proved() == cut.run.old:
        assert state.startswith("went-back "), state
        assert digests(cut.one) == cut.run.before
    else:
        assert state.startswith("kept "), state
        assert digests(cut.one) == cut.run.after


@every("undo")
def test_a_power_cut_while_it_is_taken_back_leaves_one_of_both(cut: Cut) -> None:
    cut.proved()
    cut.undo()


def digests(one: Machine) -> dict[str, str]:
    """Path of a file, its digest; path of a link, its target."""
    lines = (line.split(None, 1) for line in one.sh(FILES).splitlines())
    return {what: value for value, what in lines}


def assert_whole(found: dict[str, str], old: dict[str, str], new: dict[str, str]) -> None:
    for path in itertools.chain(found, old):
        assert found.get(path) in (old.get(path), new.get(path)), path
