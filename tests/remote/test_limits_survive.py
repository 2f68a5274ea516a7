"""Limits change, go and come back while applications run in them: no application ends or gets out.

Real are the unit files of the home-manager layer, sd-switch as home-manager's activation calls it,
the user's systemd of a booted machine, and Chromium. The machine may lack a memory controller, so
the numbers are those that systemd has read; tests/vm/test_effects.py is about the kernel's numbers.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from converge.setting import Layer
from converge.subjects.settings import ALL
from tests.nix import harness
from tests.remote.booted import RUNTIME, Booted, booted
from tests.sshd import wait_for
from tests.tools import find, need

SLICE = "app-tuned-discord.slice"
LIMIT = "electron.app.discord"
#: A Chromium without a display that a home has like any other application. Its row is Discord's, by
#: other names: the launcher, the flags, the slice and the drop-ins are those of every row.
CHROMIUM = {"programs": ["chromium"], "desktopIds": ["org.chromium.Chromium"]}
PACKAGE = """({{ pkgs, ... }}: {{ home.packages = [ (pkgs.writeShellScriptBin "chromium" ''
  exec {chromium} --headless --no-sandbox --disable-gpu --no-first-run \\
    --user-data-dir="$XDG_RUNTIME_DIR/chromium" "$@"
'') ]; }})"""


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
    if chromium := find("chromium"):
        browser = harness.profile_data()
        browser[Layer.HOME_MANAGER]["settings"][LIMIT] = {**row, **CHROMIUM}
        layers = harness.make_layers(nix.directory / "browser", browser)
        package = PACKAGE.format(chromium=chromium)
        found["browser"] = f"{harness.miniature(layers, userHome=package)}.home"
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

    def browse(self, *under: str) -> None:
        """Start Chromium by the launcher that stands before it in the home's profile."""
        session = ("env", f"DBUS_SESSION_BUS_ADDRESS=unix:path={RUNTIME}/bus", "TMPDIR=/tmp")
        script = '"$@" </dev/null >/dev/null 2>&1 &'
        launcher = str(self.generations["browser"] / "home-path/bin/chromium")
        words = (*under, *session, launcher, "about:blank")
        self.machine.as_user("sh", "-c", script, "browse", *words)

    def browsing(self) -> dict[str, str]:
        """Of Chromium's processes each: its kind or "browser", and its control group."""
        found = {}
        for process in Path(f"/proc/{self.machine.pid}/root/proc").glob("[1-9]*"):
            with contextlib.suppress(OSError):  # one that has ended
                if "/chromium/" in os.readlink(process / "exe"):
                    words = (process / "cmdline").read_text()
                    kind = re.search(r"--type=([a-z-]+)", words)
                    group = re.findall("^0::(.*)$", (process / "cgroup").read_text(), re.M)
                    found[f"{kind[1] if kind else 'browser'} {process.name}"] = group[0]
        return found

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


@pytest.fixture
def browser(home: Home) -> Iterator[Home]:
    """The home that has Chromium; what runs of it ends with the test."""
    need("chromium")
    home.switch("browser")
    yield home
    home.machine.as_user("systemctl", "--user", "stop", "app-*.scope", "app-*.service", check=False)
    wait_for(lambda: not home.browsing(), "the end of Chromium", patience_s=60)


def _all_of_it(home: Home) -> dict[str, str]:
    """Chromium's processes, once it is in a scope of its own making and shows a page."""

    def whole() -> bool:
        found = home.browsing()
        kinds = {name.split()[0] for name in found}
        # The launcher's scope has the same name but for the number of the process.
        own = (f"/app-org.chromium.Chromium-{name.split()[1]}.scope" for name in found)
        made = any(group.endswith(scope) for scope in own for group in found.values())
        return made and {"browser", "zygote", "renderer", "utility"} <= kinds

    wait_for(whole, "Chromium's own scope and its processes", patience_s=120)
    return home.browsing()


#: Ways to start it: a menu entry, as Plasma does, and a terminal.
STARTS = {
    "menu": ("systemd-run", "--user", "--collect", "--unit=app-org.chromium.Chromium@1f.service"),
    "terminal": (),
}
INSIDE = f"/app-tuned.slice/{SLICE}/"


@pytest.mark.parametrize("start", STARTS)
def test_every_process_of_a_real_chromium_stays_inside_its_limits(
    browser: Home, start: str
) -> None:
    browser.browse(*STARTS[start])
    outside = {name: group for name, group in _all_of_it(browser).items() if INSIDE not in group}
    assert not outside


def test_without_the_drop_in_a_real_chromium_leaves_its_limits(browser: Home) -> None:
    """The control: its first process goes, what it started before stays."""
    drop_in = browser.machine.path(
        "home/.config/systemd/user/app-org.chromium.Chromium-.scope.d/50-workspace-tuning.conf"
    )
    drop_in.rename(drop_in.with_suffix(".aside"))
    browser.machine.as_user("systemctl", "--user", "daemon-reload")
    try:
        browser.browse(*STARTS["menu"])
        outside = {name.split()[0] for name, g in _all_of_it(browser).items() if INSIDE not in g}
    finally:
        drop_in.with_suffix(".aside").rename(drop_in)
        browser.machine.as_user("systemctl", "--user", "daemon-reload")
    assert "browser" in outside
    assert "zygote" not in outside
