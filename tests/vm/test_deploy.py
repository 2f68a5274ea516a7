"""A change that needs a reboot, through the product alone, over SSH: deploy.py, a reboot, and what
status, verify and rollback make of it. Whatever is wrong with the change, the machine comes up in
the generation before by itself, with the home as before, and says what happened and why.

The tests of a loader share a machine, each of which leaves it as it was; one that fails leaves the
next a new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli, Outcome
from tests.vm.image import LOADERS, Image
from tests.vm.machine import Machine
from tests.vm.system import FILES
from tests.vm.test_effects import APPLIED

PARAMETER = "workspace.tried=1"
#: No setting whose answer a machine without zram or in software does not have.
NOT_ASKED = "boot.menu,memory.zram,storage.scheduler,memory.user-slice"
CHANGE = (
    *("--data", "layers=nixos", "--data", "phases=memory"),
    *("--data", f"exclude={NOT_ASKED}"),
)
#: The same, with a change of the home: it moves the user's own .bashrc aside.
WITH_HOME = (
    *("--data", "layers=nixos,home-manager", "--data", "phases=4,memory"),
    *("--data", f"exclude={NOT_ASKED}", "--data", "accept=home.files"),
)
#: sh: the state of the newest trial once it is decided; $1: seconds until that counts as failed.
DECIDED = """\
end=$(($(date +%s) + $1))
while [ "$(date +%s)" -lt "$end" ]; do
    state=$(cat "$(ls -t /var/lib/workspace-tuning/runs/*/*/trial/state | head -n 1)")
    case $state in
        kept* | undone* | went-back* | broken*) echo "$state" && exit 0 ;;
    esac
    sleep 1
done
echo "$state"
exit 1
"""


#: sh: until the unit that proves the change waits for a person.
ASKS = "until grep -q answer /var/lib/workspace-tuning/runs/*/*/trial/state; do sleep 1; done"


def said(done: Outcome) -> str:
    return done.out + done.err


def words(done: Outcome) -> str:
    """What was said, whatever the width of its lines."""
    return " ".join(done.out.split())


@dataclass
class Held:
    """The machine of one loader. ``well``: the test before has left it as it was."""

    image: Image
    loader: str
    directory: Path
    machine: Machine | None = None
    well: bool = False
    made: int = 0

    def take(self) -> Machine:
        if not self.well:
            self.close()
            self.made += 1
            self.machine = Machine(self.image, self.loader, self.directory / str(self.made))
            self.machine.boot()
        assert self.machine is not None
        self.well = False
        return self.machine

    def close(self) -> None:
        if self.machine is not None:
            self.machine.stop()


@dataclass
class Case:
    """A change on this machine. ``old`` is the system before it, ``before`` each file."""

    held: Held
    cli: Cli
    one: Machine
    old: str = ""
    before: str = ""
    number: int = 0
    inventory: Path = field(default_factory=Path)

    def run(
        self,
        *parameters: str,
        initrd: str = "initrd",
        change: Sequence[str] = CHANGE,
        **choices: object,
    ) -> Outcome:
        """Plant what the change brings, and apply it."""
        one = self.one
        one.plant(*parameters, initrd=initrd)
        self.inventory = self.cli.inventory(one.workspace(**choices))
        self.old, self.before = one.ssh("readlink", "-f", "/run/booted-system"), one.sh(FILES)
        done = self.cli(self.inventory, "deploy.py", "-y", *change)
        # Nix makes no second generation of one path, as where the same was tried before.
        self.number = max(one.generations())
        return done

    def deploy(self, *parameters: str, **how: Any) -> Outcome:
        """The same, for a change that is on trial then."""
        done, one = self.run(*parameters, **how), self.one
        assert done.code in APPLIED, said(done)
        assert f"booting: generation {self.number} is booted once" in words(done), said(done)
        assert "restart the machine" in words(done), said(done)
        assert one.generations()[one.default_generation()] == self.old
        assert one.sh(FILES) != self.before
        return done

    @property
    def new(self) -> str:
        return self.one.generations()[self.number]

    def status(self) -> str:
        return words(self.cli(self.inventory, "tasks/status.py", *CHANGE))

    def went_back(self, *, because: str, word: str = "went back by itself") -> None:
        """The machine runs the generation before; status says what happened and why."""
        assert because in self.one.sh(DECIDED, "600")
        status = self.status()
        assert f"{word}: " in status, status
        assert because in status, status
        self.as_before()

    def as_before(self) -> None:
        one = self.one
        assert one.ssh("readlink", "-f", "/run/booted-system") == self.old
        assert one.generations()[one.default_generation()] == self.old
        assert one.ssh("readlink", "-f", "/nix/var/nix/profiles/system") == self.old
        assert one.sh(FILES) == self.before
        self.held.well = True


@pytest.fixture(scope="module", params=LOADERS)
def held(
    request: pytest.FixtureRequest, disks: Image, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Held]:
    found = Held(disks, request.param, tmp_path_factory.mktemp(request.param))
    yield found
    found.close()


@pytest.fixture
def case(held: Held, cli: Cli) -> Case:
    return Case(held, cli, held.take())


def test_a_kernel_that_panics_comes_back_by_itself(case: Case) -> None:
    """The home goes back with it, to each byte."""
    case.deploy("panic=5", "init=/nonexistent", change=WITH_HOME)
    assert case.one.run("test", "-L", "/home/mitsio/.bashrc").code == 0
    case.one.run("systemctl", "reboot")
    case.one.wait_for("Kernel panic - not syncing")
    assert case.one.wait_booted().system == case.old
    case.went_back(because=f"generation {case.number} did not come as far as its proof")


def test_an_initrd_that_hangs_ends_with_the_power_button(case: Case) -> None:
    case.deploy(initrd="initrd-hung")
    status = case.status()
    assert f"booting: generation {case.number} is booted once at the next start" in status
    again = case.cli(case.inventory, "deploy.py", "-y", *CHANGE)
    assert again.code == 7, said(again)
    assert "is on trial there" in words(again)
    case.one.run("systemctl", "reboot")
    case.one.wait_for("stage 1: hangs for ever")
    case.one.power_cut()
    assert case.one.boot().system == case.old
    case.went_back(because="that boot left no journal")


def test_a_power_cut_during_the_boot_comes_back(case: Case) -> None:
    case.deploy(PARAMETER)
    new = case.new
    case.one.run("systemctl", "reboot")
    case.one.wait_for(f"stage 2: {new}")
    case.one.power_cut()
    assert case.one.boot().system == case.old
    case.went_back(because=f"generation {case.number} did not come as far as its proof")


def test_a_unit_that_fails_after_the_boot_undoes_it_and_restarts_where_it_may(case: Case) -> None:
    """The module of zram is there before the boot, and is forbidden after it."""
    change = tuple(word.replace("memory.zram,", "") for word in CHANGE)
    case.deploy("module_blacklist=zram", change=change, trial_session_s=60)
    case.one.reboot()
    state = case.one.sh(DECIDED, "900")
    assert state.startswith("undone "), state
    assert "zram" in state or "systemd-modules-load" in state, state
    status = case.status()
    assert "restart the machine" in status, status
    case.one.reboot()
    case.as_before()


def test_a_display_that_never_comes_undoes_it_and_the_machine_restarts_itself(case: Case) -> None:
    """Into the change and out of it; the run waits, and ends with what came of it."""
    choices: dict[str, Any] = {"profile": "tests/vm/shoshin-plasma.yaml", "trial_session_s": 60}
    done = case.run(PARAMETER, trial_reboot="allowed", **choices)
    assert done.code == 3, said(done)
    assert "undone: display: expected has Compositing is active" in words(done), said(done)
    assert case.one.wait_booted().system not in ("", case.old)
    assert case.one.wait_booted().system == case.old
    case.went_back(because="display: expected has Compositing is active", word="undone")


@pytest.mark.parametrize("answer", ["undo", ""])
def test_who_says_no_or_nothing_has_it_undone(case: Case, answer: str) -> None:
    """``tests/vm/test_outcomes.py`` says yes."""
    limit_s = 3600 if answer else 30
    case.deploy(PARAMETER, trial_confirm="person", trial_answer_s=limit_s)
    assert case.one.reboot().system == case.new
    if answer:
        case.one.sh(ASKS)
        data = ("--data", f"answer={answer}")
        answered = case.cli(case.inventory, "tasks/confirm.py", "-y", *data)
        assert answered.code == 0, said(answered)
        assert "undone: the person said no" in words(answered), said(answered)
    because = "the person said no" if answer else "nobody said within"
    assert because in case.one.sh(DECIDED, "600")
    assert "restart the machine" in case.status()
    case.one.reboot()
    case.went_back(because=because, word="undone")


def test_a_good_change_is_kept_and_undone(case: Case) -> None:
    one = case.one
    done = case.deploy(PARAMETER)
    if one.loader == "grub":  # the other's menu is for root alone, and read too slowly in software
        assert "applied, on trial (exit 0)" in done.last_line, said(done)
        status = case.cli(case.inventory, "tasks/status.py", *CHANGE)
        assert "applied, on trial (exit 0)" in status.last_line, said(status)

    new = one.reboot().system
    assert new == case.new != case.old
    assert PARAMETER in one.ssh("cat", "/proc/cmdline").split()
    assert one.sh(DECIDED, "600").startswith(f"kept generation {case.number} ")
    assert one.generations()[one.default_generation()] == new
    assert "was booted, proved and is the default now" in case.status()
    verified = case.cli(case.inventory, "tasks/verify.py", *CHANGE)
    effects = {record["setting"]: record["effect"] for record in verified.kinds("finding")}
    assert effects["memory.swappiness"] == "effective", said(verified)

    undone = case.cli(case.inventory, "tasks/rollback.py", "-y")
    assert undone.code == 0, said(undone)
    assert one.generations()[one.default_generation()] == case.old
    assert one.sh(FILES) == case.before
    assert one.reboot().system == case.old
    case.as_before()
