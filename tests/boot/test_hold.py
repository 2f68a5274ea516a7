"""A trial among what else happens on a machine meanwhile: a rollback, another user, deleted
generations, a full disk, a clock that goes backwards. Programs in miniature stand for the system's.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.boot.proving import FUNCTIONS, Record, programs

UNIT = "workspace-tuning-trial.service"
#: Notes what it was asked for in ``$0.log``.
NOTES = 'echo "$*" >>"$0.log"\n'
#: nix-env on links of the profile, as far as a trial uses it.
NIX_ENV = """\
[ "$1" = --profile ] && profile=$2 || exit 1
case $3 in
    --set)
        [ "$(readlink "$profile-9-link")" = "$4" ] || ln -s "$4" "$profile-9-link" || exit 1
        ln -sfn "${profile##*/}-9-link" "$profile" ;;
    --switch-generation)
        [ -L "$profile-$4-link" ] && ln -sfn "${profile##*/}-$4-link" "$profile" ;;
    --delete-generations) rm "$profile-$4-link" ;;
esac
"""


class Machine:
    """A record whose change is on trial: generation 1 is the old one, 2 the new one."""

    def __init__(self, directory: Path, *, state: str, user: str = "one") -> None:
        self.root = directory
        self.record = Record(directory / "var/lib/workspace-tuning/runs" / user)
        self.profile = directory / "nix/var/nix/profiles/system"
        self.profile.parent.mkdir(parents=True, exist_ok=True)
        (directory / "nix/var/nix/gcroots").mkdir(exist_ok=True)
        (directory / "proc").mkdir(exist_ok=True)
        (directory / "proc/cmdline").write_text(f"quiet init={directory}/old/init\n")
        (self.units / "multi-user.target.wants").mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(("old", "new"), 1):
            system = directory / name
            (system / "bin").mkdir(parents=True, exist_ok=True)
            programs(system / "bin", switch_to_configuration=NOTES)
            link = Path(f"{self.profile}-{number}-link")
            if not link.is_symlink():
                link.symlink_to(system)
        if not self.profile.is_symlink():
            self.profile.symlink_to("system-1-link")
        (self.record.trial / "plan").write_text(
            f"new {directory}/new\nold {directory}/old\nold_number 1\nprofile {self.profile}\n"
            "kept_number 1\nloader grub\nnumber 2\nentry x\nboot earlier\n"
        )
        (self.record.trial / "options").write_text("desktop no\n")
        (self.record.trial / "state").write_text(f"{state}\n")
        self.programs = programs(directory / "programs", systemctl=NOTES, nix_env=NIX_ENV)

    @property
    def units(self) -> Path:
        return self.root / "etc/systemd/system"

    @property
    def state(self) -> str:
        return (self.record.trial / "state").read_text().strip()

    def arms(self) -> None:
        """Its unit is there, as ``arm_unit`` writes it."""
        text = f"ExecStart=/bin/sh x boot {self.record.transaction}\n"
        (self.units / UNIT).write_text(text)

    def sh(self, script: str, *arguments: str) -> str:
        """Lines of shell; the loader boots what it is told, and nobody sees a message."""
        tame = "default_is() { :; }; never() { :; }; tell() { :; }; no_dialog() { :; }; known\n"
        return self.record.sh(tame + script, *arguments, path=self.programs, root=str(self.root))

    def asked_of(self, program: str) -> list[str]:
        """What ``systemctl`` or an installer was asked for."""
        log = self.programs / f"{program}.log"
        return log.read_text().splitlines() if log.exists() else []


@pytest.mark.parametrize(
    "state", ["booting its unit was just started", "proving it runs", "keeping generation 2"]
)
def test_a_rollback_stops_the_proof_before_it_ends_the_trial(tmp_path: Path, state: str) -> None:
    """Else the proof would go on, and make the default what was rolled back."""
    one = Machine(tmp_path, state=state)
    one.arms()
    one.sh("cancel its run was rolled back")
    assert one.asked_of("systemctl") == [f"stop {UNIT}", "daemon-reload"]
    assert one.state == "undone its run was rolled back"
    assert not (one.units / UNIT).exists()


@pytest.mark.parametrize("state", ["booting it is booted once", "none it cannot be tried"])
def test_a_rollback_of_what_was_not_booted_stops_no_unit(tmp_path: Path, state: str) -> None:
    """What runs then is another trial's: it proves, or waits for a login to tell its end."""
    one = Machine(tmp_path, state=state)
    if state.startswith("none"):
        plan = one.record.trial / "plan"
        plan.write_text(plan.read_text().replace("boot earlier\n", ""))
    one.sh('boot_id() { say earlier; }; cancel "its run was rolled back"')
    assert one.asked_of("systemctl") == ["daemon-reload"]
    assert one.state.startswith("undone ")


def test_a_proof_that_undoes_is_not_stopped_by_its_own_undo(tmp_path: Path) -> None:
    """Where its state cannot be written, the undo of the system finds it still proving."""
    one = Machine(tmp_path, state="proving it runs")
    (one.record.transaction / "transact.sh").write_text(
        f'sh -c "$CANCEL" x x {one.record.transaction}; echo status undone x\n'
    )
    script = "export CANCEL; put() { return 1; }; undo_all undone 'a check failed'"
    cancel = f"{FUNCTIONS}\nno_dialog() {{ :; }}; cancel 'its run was rolled back'"
    one.sh(f"CANCEL=$3\n{script}", cancel)
    assert f"stop {UNIT}" not in one.asked_of("systemctl")


def test_a_rollback_finds_kept_what_was_kept_before_the_proof_could_be_stopped(
    tmp_path: Path,
) -> None:
    one = Machine(tmp_path, state="keeping generation 2")
    stops = f'[ "$1" != stop ] || echo "kept it was proved" >{one.record.trial}/state\n'
    programs(tmp_path / "programs", systemctl=stops)
    one.sh("cancel its run was rolled back")
    assert one.state == "kept it was proved"


@pytest.mark.parametrize("ends", ["keep", "undo_all undone 'a check failed'"])
def test_what_was_rolled_back_meanwhile_is_neither_kept_nor_undone_again(
    tmp_path: Path, ends: str
) -> None:
    one = Machine(tmp_path, state="undone its run was rolled back")
    one.sh(ends)
    assert one.state == "undone its run was rolled back"
    assert one.profile.readlink() == Path("system-1-link")
    assert not list(tmp_path.glob("*/bin/*.log")), "no boot loader was installed"


def test_a_generation_that_was_deleted_while_it_was_proved_is_kept_as_a_new_one(
    tmp_path: Path,
) -> None:
    """As nix-collect-garbage -d does, for which only the profile's current one is not old."""
    one = Machine(tmp_path, state="proving it runs")
    Path(f"{one.profile}-2-link").unlink()
    one.sh("keep")
    assert one.state.startswith("kept generation 9 "), one.state
    assert one.profile.resolve() == tmp_path / "new"
    assert (tmp_path / "new/bin/switch-to-configuration.log").read_text() == "boot\n"


def test_a_generation_that_was_deleted_before_its_boot_is_said(tmp_path: Path) -> None:
    one = Machine(tmp_path, state="booting it is booted once")
    Path(f"{one.profile}-2-link").unlink()
    said = one.sh('undo_all() { say "$*"; }; went_back booting')
    assert said.startswith("went-back generation 2 was deleted before it was booted"), said


def test_a_state_that_cannot_be_written_leaves_the_unit_for_the_next_boot(tmp_path: Path) -> None:
    one = Machine(tmp_path, state="undoing it was not proved")
    one.arms()
    one.sh('put() { why="$1: No space left on device"; return 1; }; ends undone x')
    assert one.state.startswith("undoing")
    assert (one.units / UNIT).exists()
    one.sh("ends undone x")
    assert one.state == "undone x"
    assert not (one.units / UNIT).exists()


def test_a_change_is_not_tried_while_another_users_is(tmp_path: Path) -> None:
    """One unit and one one-time entry are all that a machine has."""
    first = Machine(tmp_path, state="booting it is booted once")
    first.arms()
    second = Machine(tmp_path, state="none not yet", user="two")
    script = f'find_loader() {{ :; }}; prepare 1 x {second.profile} || say "$why"'
    said = second.sh(f"plan() {{ say {tmp_path}/new; }}; {script}")
    assert said == f"the change of {first.record.transaction} is on trial"
    second.sh("disarm_unit")
    assert (second.units / UNIT).exists(), "it is the first one's"
    (first.record.trial / "state").unlink()  # the record was removed: nothing is on trial
    second.sh("disarm_unit")
    assert not (second.units / UNIT).exists()


def prepared(one: Machine, *but: str) -> str:
    """Why the new system, which is no generation yet, cannot be tried; without ``but`` it can."""
    (one.root / "new/kernel-params").write_text("tried=1\n")
    Path(f"{one.profile}-2-link").unlink()
    tame = (
        'find_loader() { loader=grub; }; entry_of() { say "${1##*/}"; }; arm_unit() { :; }',
        f'once() {{ echo "once $1" >>{one.root}/loader; }}',
        f"never() {{ echo never >>{one.root}/loader; }}",
        f"booted_system() {{ say {one.root}/old; }}; plan() {{ say {one.root}/new; }}",
        *but,
    )
    return one.sh("\n".join((*tame, f'prepare 1 x {one.profile} || say "$why"')))


@pytest.mark.parametrize(
    ("but", "says"),
    [
        # A full boot partition: the installer of the old system fails.
        ("", "the boot loader could not be installed"),
        ("entry_of() { return 1; }", "the boot menu does not list generation 9"),
        ('entry_of() { [ "${1##*/}" = new ]; }', "has no place for generation 1 beside it"),
        ("default_is() { return 1; }", "the boot menu's default is not generation 1"),
        # Firmware that keeps no variables, or no more.
        ("once() { return 1; }", "grub takes no one-time entry"),
        ("never() { return 1; }", "grub takes no one-time entry"),
        ("arm_unit() { why=lost; return 1; }", "lost"),
    ],
)
def test_what_cannot_be_tried_leaves_no_generation_and_the_menu_as_it_was(
    tmp_path: Path, but: str, says: str
) -> None:
    one = Machine(tmp_path, state="none not yet")
    installer = tmp_path / "old/bin/switch-to-configuration"
    if not but:  # the first time; then what filled it is gone
        installer.write_text(f'#!/bin/sh\n{NOTES}[ "$(wc -l <"$0.log")" -gt 1 ]\n')
    assert says in prepared(one, but)
    assert one.profile.readlink() == Path("system-1-link")
    assert [link.name for link in one.profile.parent.glob("system-*")] == ["system-1-link"]
    assert Path(f"{installer}.log").read_text() == "boot\nboot\n", "written once more without it"


def test_a_generation_that_was_there_before_stays_where_it_cannot_be_tried(tmp_path: Path) -> None:
    """A person had built the same and switched back; Nix makes no second generation of one path."""
    one = Machine(tmp_path, state="none not yet")
    theirs = Path(f"{one.profile}-9-link")
    theirs.symlink_to(tmp_path / "new")
    assert "does not list generation 9" in prepared(one, "entry_of() { return 1; }")
    assert theirs.is_symlink()
    assert one.profile.readlink() == Path("system-1-link")


def test_whether_the_loader_takes_a_one_time_entry_is_tried_with_the_way_back(
    tmp_path: Path,
) -> None:
    """A power cut then boots what is the default anyway."""
    one = Machine(tmp_path, state="none not yet")
    assert prepared(one) == ""
    assert (tmp_path / "loader").read_text().splitlines() == ["once old", "never"]
    assert one.state.startswith("none "), "it is armed later"


def test_the_way_back_is_not_collected_as_garbage_while_a_change_is_on_trial(
    tmp_path: Path,
) -> None:
    one = Machine(tmp_path, state="none not yet")
    assert prepared(one) == ""
    root = tmp_path / "nix/var/nix/gcroots/workspace-tuning-trial"
    assert root.resolve() == tmp_path / "old"
    one.sh("disarm_unit")
    assert not root.is_symlink()


@pytest.mark.parametrize("sets", [True, False])
def test_the_loader_is_told_to_boot_only_what_is_whole_on_the_disk(
    tmp_path: Path, sets: bool
) -> None:
    """After a power cut in between, it would boot a system whose files are empty."""
    one = Machine(tmp_path, state="none not yet")
    tame = f'sync() {{ say "sync $*"; }}; once() {{ say "once $1"; {"" if sets else "return 1;"} }}'
    said = one.sh(f'{tame}\narm; say "ends $?"').splitlines()
    assert said[said.index("once x") - 1] == "sync ", "of all, not of a file"
    assert said[-1] == f"ends {int(not sets)}"
    assert one.state.split()[0] == ("booting" if sets else "undone")


@pytest.mark.parametrize(("kind", "lasts"), [("ext4", True), ("tmpfs", False), ("ramfs", False)])
def test_a_unit_that_a_restart_loses_is_not_relied_on(
    tmp_path: Path, kind: str, lasts: bool
) -> None:
    """Where / is in memory, as some set NixOS up, the change would be booted and never proved."""
    one = Machine(tmp_path, state="none not yet")
    programs(tmp_path / "programs", findmnt=f"echo {kind}\n")
    said = one.sh('units || say "$why"')
    assert (said == str(one.units)) is lasts
    assert lasts or "a restart loses the unit" in said
