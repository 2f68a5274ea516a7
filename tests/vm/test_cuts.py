"""The power goes in the middle of an apply, of a boot trial and of an undo: the machine comes up in
a generation that was proved, each file is wholly old or wholly new, and the same command again ends
what it began.

The run is made once for each loader, by the programs as the controller sends them (``trials``), and
what a power cut would leave is kept at each of its moments (``moments``). A machine is made from
each of ``CUTS`` (20) of these, evenly over the run; moments whose disks agree in all that decides
share one. Which, the end of the output says.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.vm.contents import digest
from tests.vm.image import LOADERS, Image
from tests.vm.machine import Left, Machine
from tests.vm.moments import Moments
from tests.vm.system import FILES
from tests.vm.test_deploy import DECIDED
from tests.vm.trials import T, Tried

CUTS = int(os.environ.get("CUTS", "20"))
MARK = "workspace.tried=1"
#: sh: from the next boot on, do without what these tests do not need: half of what a boot takes in
#: software is devices of no interest, and the user's manager.
SLIM = """\
cd /etc/systemd/system
mkdir -p systemd-udev-trigger.service.d
cat >systemd-udev-trigger.service.d/cuts.conf <<END
[Service]
ExecStart=
ExecStart=udevadm trigger --type=devices --action=add --sysname-match=nvme0n1*
ExecStart=modprobe virtio_pci
END
sed -i '/^Wants=/d; s/ user@1000.service//' ready.service
for unit in systemd-modules-load systemd-random-seed systemd-logind kmod-static-nodes \\
    systemd-tmpfiles-setup-dev-early systemd-tmpfiles-setup-dev; do
    ln -s /dev/null "$unit.service"
done
ln -s /dev/null dev-mqueue.mount
rm -f /var/lib/systemd/linger/*
sync
"""
#: sh: print the status of transaction $1, or that its record is damaged; nothing where it has none.
BEGAN = """\
if [ -s "$1/status" ]; then cat "$1/status"; elif [ -e "$1/process" ]; then echo damaged; fi
"""
#: sh: wait until what the workspace does by itself after a boot is over; print how the trial of
#: transaction $1 stands, where there is one.
SETTLED = """\
while systemctl is-active --quiet workspace-tuning-trial.service; do sleep 1; done
cat "${1%/transaction}/trial/state" 2>/dev/null || :
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
    moments: dict[str, list[Left]] = field(default_factory=dict)  # of each phase that are tried
    of: dict[str, int] = field(default_factory=dict)  # how many there were
    came_up: dict[tuple[str, str], CameUp] = field(default_factory=dict)  # by phase and contents
    booted: dict[str, list[int]] = field(default_factory=dict)  # the moment that was, for each

    def make(self) -> None:
        """A good change: applied, tried, kept, taken back."""
        one = Machine(self.image, self.loader, self.directory, cores=1)
        try:
            one.boot()
            one.sh(SLIM)
            self._run(one, Tried(one))
        finally:
            one.off()
            one.close()

    def _tried(self, phase: str, moments: Moments) -> None:
        self.moments[phase], self.of[phase] = moments.spread(CUTS), len(moments.all)

    def told(self) -> Iterator[str]:
        """What was tried, for a person."""
        for phase, booted in self.booted.items():
            machines = sorted(set(booted))
            shared = len(booted) - len(machines)
            yield (
                f"{self.loader}, {phase}: {len(booted)} moments of {self.of[phase]}, "
                f"{len(machines)} machines; {shared} share one"
            )

    def _run(self, one: Machine, tried: Tried) -> None:
        self.before = digests(one)
        with Moments(one) as moments:
            assert "trial booting" in tried.begin(parameters=(MARK,))
        self._tried("apply", moments)
        self.old, self.new, self.after = tried.old, tried.new, digests(one)
        assert self.before != self.after
        if self.phases == {"apply"}:
            return
        with Moments(one, every_s=2.0) as moments:
            assert one.reboot().system == self.new
            assert tried.trial().startswith("kept "), one.console[-2000:]
        self._tried("trial", moments)
        if "undo" not in self.phases:
            return
        with Moments(one, every_s=5.0) as moments:  # GRUB's has no more than 18 calls
            assert "status undone" in tried.transact("undo")
        self._tried("undo", moments)
        assert digests(one) == self.before


@pytest.fixture(scope="module", params=LOADERS)
def recorded(
    request: pytest.FixtureRequest, disks: Image, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Recorded]:
    directory = tmp_path_factory.mktemp(request.param)
    cuts = (item for item in request.session.items if isinstance(item, pytest.Function))
    phases = frozenset(
        str(item.callspec.params["phase"]) for item in cuts if "phase" in item.fixturenames
    )
    found = Recorded(disks, request.param, directory / "machine", phases)
    found.make()
    yield found
    terminal = request.config.get_terminal_writer()
    for line in found.told():
        terminal.line(f"\n{line}")
    for path in found.directory.glob("disk*.qcow2"):
        path.unlink()


@dataclass(frozen=True)
class CameUp:
    """What was found on a machine that came up after the power had gone at a moment."""

    moment: int
    booted: str  # systems: the one that runs, and the loader's default
    default: str
    state: str  # of the trial, where there is one
    files: dict[str, str]
    undone: str  # what came of the undo, where one was asked for, and then
    then: str
    then_files: dict[str, str]


def cut(run: Recorded, phase: str, number: int, directory: Path) -> CameUp:
    """Make a machine from what the power cut left, and look at what comes up. Moments that agree
    in all that decides (``contents``) have one machine."""
    moments = run.moments[phase]
    assert number < len(moments), f"the run has no more than {len(moments)} moments"
    same = (phase, digest(moments[number]))
    if same not in run.came_up:
        left = moments[number]
        one = Machine(run.image, run.loader, directory / "machine", left=left, cores=1)
        try:
            run.came_up[same] = look(one, phase, number)
        finally:
            one.stop()
    found = run.came_up[same]
    run.booted.setdefault(phase, []).append(found.moment)
    assert found.booted in (run.old, run.new)
    assert found.default == found.booted, "the generation that runs is the default"
    for path in itertools.chain(found.files, run.before):
        if ".wt-" in path:
            continue  # what was staged beside a file: the undo, or the next run, takes it away
        assert found.files.get(path) in (run.before.get(path), run.after.get(path)), path
    return found


def look(one: Machine, phase: str, number: int) -> CameUp:
    one.start()
    one.wait_for("stage 2: ", patience_s=300)  # a loader without an entry waits for ever
    booted = one.wait_booted().system
    if phase == "trial":
        one.sh(DECIDED, "600")
    state = one.sh(SETTLED, T)
    default, files = system_of_default(one), digests(one)
    if state.startswith("kept ") and booted != default:
        # The old one came up, ended the keeping of the proved one, and is left at the next boot.
        booted = one.reboot().system
        default, files = system_of_default(one), digests(one)
    undone, then, then_files = "", default, files
    if phase != "trial":
        undone = undo_or_apply(one)
        then, then_files = system_of_default(one), digests(one)
    return CameUp(number, booted, default, state, files, undone, then, then_files)


def undo_or_apply(one: Machine) -> str:
    """Undo the run, as ``rollback`` does. Where no process ever had it, there is none to undo, and
    the same change is applied as if nothing had been, and taken back."""
    tried = Tried(one)
    if not one.sh(BEGAN, T):
        assert "trial booting" in tried.begin(parameters=(MARK,))
    return tried.transact("undo")


def assert_undone(run: Recorded, found: CameUp) -> None:
    """The same command again, or for the first time: all is as before."""
    assert "status undone" in found.undone, found.undone
    assert found.then_files == run.before
    assert found.then == run.old


def every(phase: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("phase", "number"),
        [pytest.param(phase, number, id=f"{phase}-{number + 1}") for number in range(CUTS)],
    )


@every("trial")
def test_a_power_cut_while_it_is_tried_ends_in_the_old_one_or_in_the_proved_one(
    recorded: Recorded, phase: str, number: int, tmp_path: Path
) -> None:
    found = cut(recorded, phase, number, tmp_path)
    if found.booted == recorded.old:
        assert found.state.startswith("went-back "), found.state
        assert found.files == recorded.before
    else:
        assert found.state.startswith("kept "), found.state
        assert found.files == recorded.after


@every("apply")
def test_a_power_cut_while_it_is_applied_leaves_the_old_generation_or_is_the_trials_start(
    recorded: Recorded, phase: str, number: int, tmp_path: Path
) -> None:
    """At the last moments all is on trial: the next start boots the new one, and proves it."""
    found = cut(recorded, phase, number, tmp_path)
    if found.booted == recorded.new:
        assert found.state.startswith("kept "), found.state
        assert found.files == recorded.after
    assert_undone(recorded, found)


@every("undo")
def test_a_power_cut_while_it_is_taken_back_leaves_one_of_both(
    recorded: Recorded, phase: str, number: int, tmp_path: Path
) -> None:
    assert_undone(recorded, cut(recorded, phase, number, tmp_path))


def system_of_default(one: Machine) -> str:
    return one.generations()[one.default_generation()]


def digests(one: Machine) -> dict[str, str]:
    """Path of a file, its digest; path of a link, its target."""
    lines = (line.split(None, 1) for line in one.sh(FILES).splitlines())
    return {what: value for value, what in lines}
