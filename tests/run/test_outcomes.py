"""The table of ``converge/exits.py``, walked: every command, brought to each of its ends.

Here are the ends of every day and those of a wrong start; ``test_outcomes_trouble`` and
``test_outcomes_trial`` have the rest, ``tests/vm/test_outcomes.py`` what needs a boot loader.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import sandbox
from converge.exits import VERBS, Outcome
from tests.conftest import Box, Cli
from tests.conftest import Outcome as Ended
from tests.remote.faults import until
from tests.run import ends, test_outcomes_trial, test_outcomes_trouble
from tests.run.conftest import Becomes
from tests.run.ends import agree, drives, refused, typed
from tests.sshd import wait_for
from tests.tools import need
from tests.vm import test_outcomes as on_a_machine

CONTRAST = b"contrastEnabled=false"


def test_every_row_of_the_table_is_driven_by_a_test() -> None:
    assert test_outcomes_trouble.__doc__ and test_outcomes_trial.__doc__ and on_a_machine.__doc__
    rows = {(word, verb) for word in Outcome for verb in word.verbs}
    assert rows - ends.ROWS == {(Outcome.ON_TRIAL, "deploy")}, "all but what needs a boot loader"
    assert rows - ends.ROWS <= ends.ON_A_MACHINE, "no test brings a command there"
    assert rows >= ends.ROWS | ends.ON_A_MACHINE, "a test drives what the table does not have"


@drives(
    {
        Outcome.DIFFERS: ["status"],
        Outcome.CHANGES: ["deploy --dry", "rollback --dry", "remove --dry"],
        Outcome.PENDING: ["deploy"],
        Outcome.UNCHANGED: Outcome.UNCHANGED.verbs,
        Outcome.AWAITED: ["verify"],
        Outcome.AS_DECLARED: ["status"],
        Outcome.EXPLAINED: ["why"],
        Outcome.INEFFECTIVE: ["verify"],
        Outcome.UNDONE: ["rollback"],
        Outcome.NOTHING_LEFT: Outcome.NOTHING_LEFT.verbs,
        Outcome.REMOVED: ["remove"],
    }
)
def test_the_days_of_a_desktop(cli: Cli, desktop: Box) -> None:
    def go(word: Outcome, verb: str, *arguments: str) -> Ended:
        ended = cli(desktop.inventory, *typed(verb), *arguments)
        agree(ended, word, verb=verb)
        return ended

    for verb in ("remove", "remove --dry", "confirm", "confirm --dry"):
        go(Outcome.UNCHANGED, verb)
    go(Outcome.DIFFERS, "status")
    go(Outcome.CHANGES, "deploy --dry")
    applied = go(Outcome.PENDING, "deploy")
    run = str(applied.journal[0]["run"])
    assert "kwin.contrast" in applied.out.partition("pending")[2], "pending is named"
    assert "log out and in, then tasks/verify.py" in " ".join(applied.out.split())
    assert f"tasks/rollback.py --data run={run}" in applied.out
    for verb in ("deploy", "deploy --dry"):
        said = " ".join(go(Outcome.UNCHANGED, verb).out.split())
        assert "pending since an earlier run: log out and in (kwin." in said
        assert "; then tasks/verify.py" in said
    go(Outcome.AWAITED, "verify")
    go(Outcome.AS_DECLARED, "status")
    go(Outcome.EXPLAINED, "why", "--data", "setting=kwin.contrast")
    kwinrc = desktop.config("kwinrc")
    proved = kwinrc.read_bytes()
    kwinrc.write_bytes(proved.replace(CONTRAST, b"contrastEnabled=true"))
    go(Outcome.INEFFECTIVE, "verify")
    go(Outcome.DIFFERS, "status")
    kwinrc.write_bytes(proved)
    go(Outcome.CHANGES, "rollback --dry")
    go(Outcome.UNDONE, "rollback")
    for verb in Outcome.NOTHING_LEFT.verbs:
        go(Outcome.NOTHING_LEFT, verb, "--data", f"run={run}")
    go(Outcome.CHANGES, "remove --dry")
    go(Outcome.REMOVED, "remove")


@drives(
    {
        Outcome.INEFFECTIVE: ["status"],
        Outcome.PROVED: ["deploy"],
        Outcome.EFFECTIVE: ["verify"],
        Outcome.UNSEEN: ["deploy"],
    }
)
def test_the_nix_layers_are_proved_where_every_setting_can_be_looked_at(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    need("nix")
    box = make_box()

    def go(word: Outcome, verb: str, phase: str) -> None:
        agree(cli(box.inventory, *typed(verb), "--data", f"phases={phase}"), word, verb=verb)

    go(Outcome.INEFFECTIVE, "status", "2")
    go(Outcome.PROVED, "deploy", "2")
    go(Outcome.EFFECTIVE, "verify", "2")
    go(Outcome.UNSEEN, "deploy", "memory")  # a sandbox has no kernel of its own


@drives({Outcome.NOWHERE: Outcome.NOWHERE.verbs, Outcome.MISSING: Outcome.MISSING.verbs})
def test_where_nothing_applies_is_no_success_and_a_fault_where_it_was_asked_for(
    cli: Cli, desktop: Box
) -> None:
    """The machine of the profile, without NixOS, home-manager, Plasma and systemd."""
    data = sandbox.data(desktop.root)
    for name in ("etc/nixos", "etc/NIXOS", "run/systemd", "home/.config", "home/.local/share"):
        place = desktop.root / name
        shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
    for key in ("base_nixos", "base_home"):  # flakes that were named would be missing
        del data[key]
    inventory = cli.inventory({"name": data.pop("workspace"), **data})
    for verb in Outcome.NOWHERE.verbs:
        agree(cli(inventory, *typed(verb)), Outcome.NOWHERE, verb=verb)
    for verb in Outcome.MISSING.verbs:
        ended = cli(inventory, *typed(verb), "--data", "layers=session")
        agree(ended, Outcome.MISSING, verb=verb)
        assert "systemd does not run here" in " ".join(ended.out.split())


@drives(
    {
        Outcome.AS_DECLARED: ["detect"],
        Outcome.DIFFERS: ["detect"],
        Outcome.WRITTEN: ["detect"],
        Outcome.SHOWN: ["detect"],
    }
)
def test_a_machine_is_compared_with_its_profile_or_shown_or_written_as_one(
    cli: Cli, desktop: Box, tmp_path: Path
) -> None:
    agree(cli(desktop.inventory, "tasks/detect.py"), Outcome.AS_DECLARED, verb="detect")
    write = f"write={tmp_path / 'mine.yaml'}"
    ended = cli(desktop.inventory, "tasks/detect.py", "--data", write)
    agree(ended, Outcome.WRITTEN, verb="detect")
    assert "schemaVersion: 1" in (tmp_path / "mine.yaml").read_text()
    (desktop.root / "sys/bus/pci/devices/0000:01:00.0/driver").unlink()
    agree(cli(desktop.inventory, "tasks/detect.py"), Outcome.DIFFERS, verb="detect")
    agree(cli(Path("@local"), "tasks/detect.py"), Outcome.SHOWN, verb="detect")


@drives({Outcome.TO_MEASURE: ["measure --dry"], Outcome.MEASURED: ["measure"]})
def test_a_measurement_is_told_beforehand_and_taken(cli: Cli, desktop: Box) -> None:
    for name in ("stock", "optimized"):
        program = cli.directory / name / "bin/zstd"
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\necho packed\n")
        program.chmod(0o755)
        cli.environment[f"MEASURE_{name.upper()}"] = str(cli.directory / name)
    cli.environment |= {"MEASURE_ROUNDS": "2", "MEASURE_ONLY": "zstd"}
    for word in (Outcome.TO_MEASURE, Outcome.MEASURED):
        (verb,) = word.verbs
        agree(cli(desktop.inventory, *typed(verb)), word, verb=verb)


@drives({Outcome.FAILED: VERBS})
def test_a_workspace_that_does_not_answer_is_a_failure_of_every_command(cli: Cli) -> None:
    with socket.socket() as nobody:  # a port that is taken, and at which nobody listens
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        known = cli.directory / "known_hosts"
        key = "AAAAC3NzaC1lZDI1NTE5AAAAIJX7tXAYkSPbD0YzYtyz6R0xFNyWQG6xSJHsJ0hEFzoP"
        known.write_text(f"[127.0.0.1]:{address.rpartition(':')[2]} ssh-ed25519 {key}\n")
        box: dict[str, object] = {
            "name": "far",
            "at": address,
            "profile": "inventory/hardware/shoshin.yaml",
            "user": "somebody",
            "ssh_known_hosts_file": str(known),
        }
        for verb in VERBS:
            ended = cli(cli.inventory(box), *typed(verb))
            agree(ended, Outcome.FAILED, verb=verb)
            assert ended.out.count("no connection") == 1, ended.out
            assert "no connection" not in ended.err


@drives({Outcome.INVALID: VERBS})
def test_what_is_not_valid_ends_every_command_before_it_begins(cli: Cli) -> None:
    wrong: dict[str, object] = {
        "name": "wrong",
        "profile": "inventory/hardware/shoshin.yaml",
        "user": "somebody",
        "laiers": ["plasma"],
    }
    for verb in VERBS:
        ended = cli(cli.inventory(wrong), *typed(verb))
        refused(ended, verb=verb)
        assert "did you mean layers?" in ended.err


@drives({Outcome.INTERRUPTED: VERBS})
def test_an_interrupt_is_told_by_every_command(cli: Cli, desktop: Box, program: Becomes) -> None:
    """While the workspace is read: ``awk`` is run there, and waits for the pipe to be written."""
    waits, pipe = cli.directory / "waits", cli.directory / "pipe"
    os.mkfifo(pipe)
    program(f': >"{waits}"; read _ <"{pipe}"; exec {shutil.which("awk")} "$@"', "awk")
    for verb in VERBS:
        process = cli.start(desktop.inventory, *typed(verb))
        wait_for(waits.exists, f"{verb} reads the workspace", patience_s=120)
        os.kill(process.pid, signal.SIGINT)
        until(process, "SIGINT: waiting for the running step")
        with pipe.open("w") as stream:
            stream.write("\n")
        agree(cli.end(process), Outcome.INTERRUPTED, verb=verb)
        waits.unlink()
