"""The system's step of an undo: a failure makes the undo broken, does not stop other steps, and the
repeated undo is whole. The tests run dash, and stand-ins for Nix and the switch of a system."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which

import pytest

from tests.remote.recording import Workspace, run_id
from tests.remote.test_undo import immutable
from tests.tools import need

__all__ = ["immutable"]

RUN = run_id(1)
NIX_ENV = """\
#!/bin/sh
# nix-env --profile PROFILE --set PATH | --switch-generation N: under the lock of the profile
exec 9>>"$2.lock"
flock 9
case $3 in
    --set) ln -s "$4" "$2-2-link" && ln -sfn "${2##*/}-2-link" "$2" ;;
    --switch-generation) ln -sfn "${2##*/}-$4-link" "$2" ;;
esac
"""
#: Nobody waits five minutes here for a lock that is held.
TIMEOUT = """\
#!/bin/sh
shift 3
exec REAL -k 1 1 "$@"
"""
#: A switch says what it was; the boot loader has what the last "boot" or "switch" installed.
SWITCH = """\
#!/bin/sh
if [ -e ROOT/fails ]; then echo "no space left on /boot" >&2; exit 1; fi
case $1 in boot | switch) if [ -e ROOT/read-only ]; then exit 1; fi ;; esac
case $1 in boot | switch) echo NAME >ROOT/default ;; esac
case $1 in test | switch) echo NAME >ROOT/running ;; esac
"""


class Systems:
    """A workspace whose user is root: a change of a file and of the system, kept."""

    def __init__(self, root: Path, ran: str = "old") -> None:
        need("dash")
        self.root, self.workspace = root, Workspace(root)
        tools = root / "tools"
        tools.mkdir()
        real = TIMEOUT.replace("REAL", which("timeout") or "timeout")
        for name, text in {"nix-env": NIX_ENV, "nix-store": "#!/bin/sh\n", "timeout": real}.items():
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        self.workspace.environment["PATH"] = f"{tools}:{os.environ['PATH']}"
        self.profile = root / "profiles/system"
        self.profile.parent.mkdir()
        old, new = self.generation("old"), self.generation("new")
        link = self.profile.with_name("system-1-link")
        link.symlink_to(old)
        self.profile.symlink_to(link.name)
        before = old if ran == "old" else self.generation(ran)
        said = self.workspace.change(RUN, 1, b"new\n", f"nixos {new} {self.profile} 1 {before}")
        assert "status kept" in said, said
        assert self.stands == ("new", "new", "new", True)

    def generation(self, name: str) -> Path:
        program = self.root / "store" / name / "bin/switch-to-configuration"
        program.parent.mkdir(parents=True)
        program.write_text(SWITCH.replace("ROOT", str(self.root)).replace("NAME", name))
        program.chmod(0o755)
        return program.parents[1]

    @property
    def stands(self) -> tuple[str, str, str, bool]:
        """The profile's system, the boot default, what runs, whether the file is there."""
        default, running = ((self.root / one).read_text().strip() for one in ("default", "running"))
        return self.profile.resolve().name, default, running, self.workspace.file().exists()


@pytest.fixture
def systems(tmp_path: Path) -> Systems:
    return Systems(tmp_path)


@contextlib.contextmanager
def profile_lock(one: Systems) -> Iterator[None]:
    """Another process of Nix changes the profile."""
    with one.profile.with_name("system.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def switch_fails(one: Systems) -> Iterator[None]:
    """As with a boot partition that is full."""
    (one.root / "fails").touch()
    yield
    (one.root / "fails").unlink()


@contextlib.contextmanager
def system_gone(one: Systems) -> Iterator[None]:
    old = one.root / "store/old"
    old.rename(old.with_name("away"))
    yield
    old.with_name("away").rename(old)


FAULTS = {"lock": profile_lock, "switch": switch_fails, "gone": system_gone}
SAYS = {
    "lock": "another process of Nix holds {0.profile}.lock; by hand: nix-env -p {0.profile}",
    "switch": "by hand: {0.root}/store/old/bin/switch-to-configuration boot",
    "gone": "{0.root}/store/old is gone; by hand: choose a generation in the boot menu",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_u14_a_systems_step_that_fails_is_broken_and_whole_once_it_is_repeated(
    systems: Systems, fault: str
) -> None:
    with FAULTS[fault](systems):
        back = systems.workspace.script()
    assert back.returncode == 4, back.stdout + back.stderr
    assert SAYS[fault].format(systems) in back.stdout
    assert not systems.workspace.file().exists(), "the files do not wait for the system"
    again = systems.workspace.script()
    assert again.returncode == 0, again.stdout + again.stderr
    assert systems.stands == ("old", "old", "old", False)


def test_a_system_that_was_only_tested_runs_again_and_is_no_boot_default(tmp_path: Path) -> None:
    """It became the default: in no profile, so the garbage collector could take it."""
    systems = Systems(tmp_path, ran="tested")
    back = systems.workspace.script()
    assert back.returncode == 0, back.stdout + back.stderr
    assert systems.stands == ("old", "old", "tested", False)


def test_a_boot_partition_that_cannot_be_written_leaves_no_change_running(
    systems: Systems,
) -> None:
    (systems.root / "read-only").touch()
    back = systems.workspace.script()
    assert back.returncode == 4, back.stdout + back.stderr
    assert (
        "by hand: " in back.stdout and "/store/old/bin/switch-to-configuration boot" in back.stdout
    )
    assert systems.stands == ("old", "new", "old", False)
    (systems.root / "read-only").unlink()
    assert systems.workspace.script().returncode == 0
    assert systems.stands == ("old", "old", "old", False)


def test_u14_an_immutable_profile_is_broken_and_repeatable(
    systems: Systems, immutable: Callable[[Path], None]
) -> None:
    place = systems.profile.parent
    immutable(place)
    back = systems.workspace.script()
    subprocess.run(["chattr", "-i", str(place)], check=True)
    assert back.returncode == 4, back.stdout + back.stderr
    assert f"by hand: nix-env -p {systems.profile} --switch-generation 1" in back.stdout
    assert systems.workspace.script().returncode == 0
    assert systems.stands == ("old", "old", "old", False)


@pytest.mark.parametrize("word", ["undoing rolled back", "keeping x", "broken x"])
def test_an_undo_that_was_cut_off_behind_the_profile_sets_the_boot_default_as_well(
    systems: Systems, word: str
) -> None:
    """The power went between the profile and the boot loader; this is another boot."""
    place = systems.workspace.place(RUN)
    systems.profile.unlink()
    systems.profile.symlink_to("system-1-link")
    (place / "status").write_text(f"{word}\n")
    assert "status undone" in systems.workspace.transact("undo", RUN)
    assert systems.stands == ("old", "old", "old", False)


def test_a_trial_that_waits_for_its_boot_is_given_up_by_an_undo(systems: Systems) -> None:
    trial = systems.workspace.place(RUN).with_name("trial")
    trial.mkdir()
    (trial / "trial.sh").write_text(f'echo "$1 $3" >>"{systems.root}/cancelled"\n')
    assert systems.workspace.script().returncode == 0
    assert (systems.root / "cancelled").read_text() == "cancel its run was rolled back\n"
    assert systems.stands == ("old", "old", "old", False)
