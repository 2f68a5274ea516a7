"""A transaction under the real systemd: a unit that outlives its starter, and a reboot."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from converge.subjects.settings import ALL
from tests import sshd
from tests.conftest import PROJECT, Cli
from tests.remote.booted import USER, Booted, booted
from tests.tools import need

#: Limits need the kernel's controllers in one hierarchy, which not every host of this has.
APPS = ",".join(setting.id for setting in ALL if setting.id.startswith("electron."))
LAYERS = {"root": "nixos,home-manager,plasma,session", "user": "home-manager,plasma,session"}
UNDO = "home/.config/systemd/user/workspace-tuning-undo.service"
WANTED = "home/.config/systemd/user/default.target.wants/workspace-tuning-undo.service"
PROFILES = ("nix/var/nix/profiles/system", "home/.local/state/nix/profiles/home-manager")
#: What a run may change, and what is kept for the next one.
TOPS = ("home/.config", "home/.local/share", "var/lib/workspace-tuning")
APART = {"home/.config/chezmoi", "var/lib/workspace-tuning/runs"}
PATIENCE_S = 90


@pytest.fixture(scope="module")
def machine() -> Iterator[Booted]:
    need("nix")
    need("chezmoi")
    with tempfile.TemporaryDirectory(prefix="workspace-tuning-booted-") as directory:
        Path(directory).chmod(0o755)
        with booted(Path(directory)) as made:
            yield made


@pytest.fixture
def running(machine: Booted) -> Booted:
    """The machine, booted, with a user whose systemd is always there."""
    machine.boot()
    return machine


def state(machine: Booted) -> dict[str, object]:
    """Every file that a run may change, and where the generation pointers point."""
    root = machine.path("")
    found: dict[str, object] = {}
    for top in TOPS:
        for directory, names, files in os.walk(root / top):
            relative = os.path.relpath(directory, root)
            names[:] = [name for name in names if f"{relative}/{name}" not in APART]
            for name in files:
                path = Path(directory, name)
                content = os.readlink(path) if path.is_symlink() else path.read_bytes()
                found[f"{relative}/{name}"] = content
    for link in (*PROFILES, "run/current-system"):
        found[link] = os.readlink(root / link)
    return found


def notes(machine: Booted) -> str:
    """What chezmoi remembers of the files that it wrote."""
    chezmoi = str(PROJECT / ".tools/bin/chezmoi")
    found = chezmoi if Path(chezmoi).exists() else need("chezmoi")
    return machine.as_user(found, "--no-tty", "state", "dump")


class Change:
    """A run that has activated its change and then lost its controller and its connection."""

    def __init__(self, machine: Booted, cli: Cli, owner: str, **choices: object) -> None:
        self.machine, self.cli, self.owner = machine, cli, owner
        choices = {"layers": LAYERS[owner], "exclude": APPS, "deadline_s": 30, **choices}
        self.inventory = cli.inventory(machine.workspace(**choices))
        self.before, self.notes = state(machine), notes(machine)
        process = machine.start(cli, self.inventory, "deploy.py", "-y")
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "activate (" in line:
                break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        machine.inside("pkill", "-KILL", "-u", USER, "sshd", check=False)
        assert self.status.startswith("activated"), "".join(said)
        assert state(machine) != self.before

    @property
    def place(self) -> Path:
        top = {"root": f"{_ROOTS}/{USER}", "user": f"{_USERS}/runs"}[self.owner]
        return sorted(self.machine.path(top).glob("*/transaction"))[-1]

    @property
    def status(self) -> str:
        return (self.place / "status").read_text().strip()

    @property
    def unit(self) -> str:
        return f"workspace-tuning-{self.place.parent.name}.service"

    def until(self, word: str) -> None:
        sshd.wait_for(lambda: self.status.startswith(word), word, patience_s=PATIENCE_S)

    def systemctl(self, *arguments: str) -> str:
        if self.owner == "root":
            return self.machine.inside("systemctl", *arguments, check=False)
        return self.machine.as_user("systemctl", "--user", *arguments, check=False)


_ROOTS = "var/lib/workspace-tuning/runs"
_USERS = "home/.local/state/workspace-tuning/workspace"


def test_what_is_read_of_a_machine_says_that_systemd_runs_and_that_the_user_has_a_bus(
    running: Booted,
) -> None:
    assert {"systemd", "user_bus"} <= running.read().marks


def disarmed(machine: Booted) -> bool:
    """The unit goes first, then the link to the unit: a look in between would see the link."""
    return not (machine.path(UNDO).exists() or machine.path(WANTED).is_symlink())


@pytest.mark.parametrize("owner", ["root", "user"])
def test_a_unit_outlives_its_starter_and_undoes_what_nobody_confirms(
    running: Booted, cli: Cli, owner: str
) -> None:
    change = Change(running, cli, owner)
    assert change.systemctl("is-active", change.unit) == "active"
    assert running.path(UNDO).is_file()  # armed, for a reboot
    change.until("undone nobody confirmed it within 30 s")
    gone = lambda: change.systemctl("is-active", change.unit) == "inactive"  # noqa: E731
    sshd.wait_for(gone, "the end of the unit")
    assert state(running) == change.before
    assert not change.systemctl("--failed", "--no-legend")


def test_without_lingering_the_change_outlives_the_systemd_of_the_user(
    machine: Booted, cli: Cli
) -> None:
    machine.boot(lingering=False)
    change = Change(machine, cli, "user")
    change.until("undone nobody confirmed it within 30 s")
    sshd.wait_for(lambda: disarmed(machine), "the end of its process", patience_s=PATIENCE_S)
    assert state(machine) == change.before


@pytest.mark.parametrize("owner", ["root", "user"])
def test_a_reboot_before_the_word_undoes_the_change_without_anybody(
    running: Booted, cli: Cli, owner: str
) -> None:
    change = Change(running, cli, owner, deadline_s=3600)
    running.cut_the_power()
    running.boot()
    sshd.wait_for(lambda: disarmed(running), "the undoing", patience_s=PATIENCE_S)
    after = state(running)
    layer = {name for name in after if name.startswith(("var/lib", "home/.local/share/workspace"))}
    changed = {
        name for name in after.keys() | change.before if after.get(name) != change.before.get(name)
    }
    assert changed <= layer  # without effect: the next run finds it in place, or undoes it
    assert notes(running) == change.notes  # its program is where the unit itself would not look
    if owner == "user":
        assert change.status == "undone rebooted before it was confirmed"
    again = running.run(cli, change.inventory, "deploy.py", "-y")
    assert again.code == 0, again.out
    assert not running.path(UNDO).exists()
    back = running.run(cli, change.inventory, "tasks/rollback.py", "-y")
    assert back.code == 0, back.out


def test_what_was_kept_is_there_after_a_reboot(running: Booted, cli: Cli) -> None:
    inventory = cli.inventory(running.workspace(exclude=APPS))
    run = running.run(cli, inventory, "deploy.py", "-y")
    assert run.code == 0, run.out
    assert not running.path(UNDO).exists()
    kept = state(running)
    running.cut_the_power()
    running.boot()
    assert state(running) == kept
    again = running.run(cli, inventory, "deploy.py", "-y")
    assert (again.code, "nothing to change" in again.out) == (0, True), again.out
