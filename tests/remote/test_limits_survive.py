"""Limits change, go and come back while applications run in them, and no application ends.

Real are the unit files of the home-manager layer, sd-switch as home-manager's activation calls it,
and the user's systemd of a booted machine. The machine may lack a memory controller, so the numbers
are those that systemd has read; the checks are about the kernel's numbers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from converge.setting import Layer
from converge.subjects.settings import ALL
from tests.nix import harness
from tests.remote.booted import Booted, booted
from tests.sshd import wait_for
from tests.tools import need

SLICE = "app-tuned-discord.slice"
LIMIT = "electron.app.discord"


def _generations(nix: harness.Nix) -> dict[str, Path]:
    """Homes: as the plan has them, with a changed limit, without one, all, the layer."""
    data = harness.profile_data()
    row = dict(data[Layer.HOME_MANAGER]["settings"][LIMIT])
    changed = harness.profile_data()
    changed[Layer.HOME_MANAGER]["settings"][LIMIT] = {**row, "memoryHighMB": 2560}
    apps = [setting.id for setting in ALL if setting.id.startswith("electron.")]
    kinds = {
        "plan": data,
        "changed": changed,
        "excluded": harness.profile_data(exclude=[LIMIT]),
        "none of all": harness.profile_data(exclude=apps),
    }
    found = {}
    for name, profile in kinds.items():
        layers = harness.make_layers(nix.directory / name.replace(" ", "-"), profile)
        made = harness.miniature(layers)
        found[name] = f"{made}.home"
    found["removed"] = f"{made}.baseHome"
    # What home-manager writes for a slice that says nothing about its end, as this layer once did.
    found["plain"] = (
        f"({made}.baseHome.extendModules {{ modules = [ {{ systemd.user.slices.app-tuned-discord"
        ' = { Unit.Description = "x"; Slice.MemoryHigh = "2048M"; }; } ]; })'
    )
    return {
        name: Path(
            nix.must("nix-build", "--no-out-link", "-E", f"{expression}.activationPackage").strip()
        )
        for name, expression in found.items()
    }


class Home:
    """The user of the machine: what is activated, and what runs in the slice."""

    def __init__(self, machine: Booted, generations: dict[str, Path]) -> None:
        self.machine = machine
        self.generations = generations
        self.path = f"{Path(need('sd-switch')).parent}:/usr/bin:/bin"

    def switch(self, name: str) -> None:
        activate = [str(self.generations[name] / "activate"), "--driver-version", "1"]
        self.machine.as_user("env", f"PATH={self.path}", *activate)

    def start(self, unit: str) -> None:
        """A program in the slice: by Plasma as a service, by the wrapper as a scope."""
        kind = ["--scope"] if unit.endswith(".scope") else []
        script = 'systemd-run --user --quiet --collect "$@" sleep 600 </dev/null >/dev/null 2>&1'
        waits = f"{script} &" if kind else script
        arguments = [*kind, f"--unit={unit}"]
        if unit.startswith("app-discord"):
            arguments.append(f"--slice={SLICE}")
        self.machine.as_user("sh", "-c", waits, "start", *arguments)

    def running(self) -> set[str]:
        shown = self.machine.as_user("systemctl", "--user", "list-units", "--plain", "--no-legend")
        return {line.split()[0] for line in shown.splitlines() if line.startswith("app-discord")}

    def shows(self, name: str) -> str:
        return self.machine.as_user("systemctl", "--user", "show", "--value", "-p", name, SLICE)


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    need("nix")
    need("sd-switch")
    # Not below /tmp, which the machine has one of its own of: it reads these generations.
    with (
        tempfile.TemporaryDirectory(prefix="workspace-tuning-homes-", dir="/var/tmp") as homes,
        tempfile.TemporaryDirectory(prefix="workspace-tuning-limits-") as directory,
    ):
        for place in (homes, directory):
            Path(place).chmod(0o755)
        generations = _generations(harness.Nix(Path(homes)))
        with booted(Path(directory)) as machine:
            machine.boot()
            yield Home(machine, generations)


PROGRAMS = {"app-discord@1f.service", "app-discord-77.scope"}


@pytest.fixture
def applications(home: Home) -> Iterator[set[str]]:
    """Programs that run in the slice, whose units are those of the plan."""
    home.switch("plan")
    for unit in PROGRAMS:
        home.start(unit)
    wait_for(lambda: home.running() == PROGRAMS, "the programs in the slice")
    yield PROGRAMS
    for unit in PROGRAMS:
        home.machine.as_user("systemctl", "--user", "stop", unit, check=False)


def test_a_changed_limit_acts_at_once_and_ends_no_application(
    home: Home, applications: set[str]
) -> None:
    assert home.shows("MemoryHigh") == str(2048 << 20)
    home.switch("changed")
    assert home.running() == applications
    assert home.shows("MemoryHigh") == str(2560 << 20)
    home.switch("plan")  # as an undo does
    assert home.running() == applications
    assert home.shows("MemoryHigh") == str(2048 << 20)


@pytest.mark.parametrize("kind", ["excluded", "none of all", "removed"])
def test_a_limit_that_goes_away_and_comes_back_ends_no_application(
    home: Home, applications: set[str], kind: str
) -> None:
    home.switch(kind)
    assert home.running() == applications
    home.switch("plan")  # as an undo of it does
    assert home.running() == applications
    assert home.shows("MemoryHigh") == str(2048 << 20)


def test_slices_of_before_they_were_kept_end_no_application(
    home: Home, applications: set[str]
) -> None:
    """Switch to a generation whose slices may be stopped, and on from there."""
    home.switch("plain")
    assert home.running() == applications
    home.switch("plan")
    assert home.running() == applications
    assert home.shows("MemoryHigh") == str(2048 << 20)


def test_a_slice_that_says_nothing_takes_its_applications_with_it(home: Home) -> None:
    """The control: what sd-switch does with a slice like any other."""
    home.switch("plain")
    home.start("app-discord@2a.service")
    assert home.running() == {"app-discord@2a.service"}
    home.switch("removed")
    assert home.running() == set()


@pytest.mark.parametrize("name", ["discord", "teams-for-linux", r"teams\x2dfor\x2dlinux"])
def test_a_scope_that_an_application_makes_for_itself_stays_inside_its_limits(
    home: Home, name: str
) -> None:
    """As Chromium does after its start: it asks for a scope for its process, and names no slice."""
    home.switch("plan")
    home.start("app-other@3b.service")
    pid = home.machine.as_user(
        *("systemctl", "--user", "show", "--value", "-p", "MainPID", "app-other@3b.service")
    )
    scope = f"app-{name}-{pid}.scope"
    manager = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1")
    home.machine.as_user(
        *("busctl", "--user", "call", *manager, "org.freedesktop.systemd1.Manager"),
        *("StartTransientUnit", "ssa(sv)a(sa(sv))", scope, "fail"),
        *("1", "PIDs", "au", "1", pid, "0"),
    )
    group = lambda: home.machine.inside("cat", f"/proc/{pid}/cgroup")  # noqa: E731
    wait_for(lambda: group().endswith(scope), "the scope")
    slice_ = "app-tuned-" + ("discord" if name == "discord" else "teams")
    assert f"/app-tuned.slice/{slice_}.slice/{scope}" in group()
    home.machine.as_user("systemctl", "--user", "stop", "--", scope, check=False)
