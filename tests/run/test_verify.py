"""Verify as a user runs it: read-only, without a question, with an exit code that tells."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from converge.effect import Effect, Finding, summary, verdict
from converge.exits import Exit
from converge.journal import journal
from converge.journal.form import plain, taken
from converge.journal.kinds import FindingRecord
from converge.report.findings import show
from converge.report.terminal import Terminal
from converge.subjects.settings import ALL
from tests import sshd
from tests.conftest import Applied, Box, Cli, Outcome, tree
from tests.tools import need


def effects(outcome: Outcome) -> dict[str, str]:
    """Setting or check -> effect, from the journal."""
    return {
        str(record["setting"] or record["check"]): str(record["effect"])
        for record in outcome.kinds("finding")
    }


def finding(effect: Effect, check: str = "a", **fields: object) -> Finding:
    return Finding(check=check, effect=effect, **fields)  # type: ignore[arg-type]


# -- the exit code -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([Effect.EFFECTIVE, Effect.PENDING, Effect.NOT_APPLICABLE], Exit.DONE),
        ([Effect.EFFECTIVE, Effect.NOT_EFFECTIVE], Exit.FAILED),
        ([Effect.EFFECTIVE, Effect.UNKNOWN], Exit.UNKNOWN),
        ([Effect.NOT_EFFECTIVE, Effect.UNKNOWN], Exit.FAILED),
        ([Effect.NOT_APPLICABLE], Exit.DONE),
        ([], Exit.UNKNOWN),
    ],
)
def test_unknown_never_passes_and_a_known_fault_never_hides(
    found: list[Effect], code: Exit
) -> None:
    assert verdict(finding(effect) for effect in found) is code


def test_a_reminder_to_a_person_decides_nothing() -> None:
    reminder = finding(Effect.UNKNOWN, counts=False)
    assert verdict([finding(Effect.EFFECTIVE), reminder]) is Exit.DONE
    assert verdict([reminder]) is Exit.UNKNOWN


def test_a_finding_survives_the_journal() -> None:
    one = finding(Effect.NOT_EFFECTIVE, found="é\n", expected="x", reason="y", counts=False)
    assert FindingRecord.of(one).finding == one
    assert taken(FindingRecord, plain(FindingRecord.of(one))).finding == one


def test_a_summary_of_nothing_says_so() -> None:
    assert summary([]) == "nothing was checked"


# -- the table ----------------------------------------------------------------------------------


def test_the_table_fits_eighty_columns_and_lets_nothing_hostile_through(
    capsys: pytest.CaptureFixture[str],
) -> None:
    hostile = "\x1b]0;title\x07\x1b[2J" + "word " * 60
    found = [
        finding(effect, f"{effect}.{'x' * 40}", found=hostile, expected=hostile, reason=hostile)
        for effect in Effect
    ]
    for whole in (False, True):
        show(Terminal(), "shoshin", found, whole=whole)
        out = capsys.readouterr().out
        assert "\x1b" not in out and "\x07" not in out
        assert all(len(line) <= 80 or " " not in line.strip() for line in out.splitlines())
        for effect in Effect:
            assert re.search(rf"\n(  )?{effect}", out)


def test_no_reason_and_no_id_is_cut_and_one_reason_is_said_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """F2: `needs consent: high risk; --data accept=librari...` hid the very word to type."""
    long = "a reason that does not fit beside a name, to its very end"
    apart = [finding(Effect.NOT_APPLICABLE, f"libraries.flag.no-{n}", reason=long) for n in "abc"]
    held = [finding(Effect.PENDING, f"libraries.flag.no-{n}", reason=long) for n in "de"]
    show(Terminal(), "shoshin", [finding(Effect.EFFECTIVE, "good.one", found=long), *held, *apart])
    text = " ".join(capsys.readouterr().out.split())
    assert "..." not in text
    assert text.count(long) == 3, "for what is effective, for the two, for the three"
    assert f" 3 {long}" in text and "as libraries.flag.no-d" in text
    show(Terminal(), "shoshin", apart, whole=True)
    text = " ".join(capsys.readouterr().out.split())
    assert all(f"libraries.flag.no-{n} {long}" in text for n in "abc")


def test_what_is_wrong_comes_first_and_what_does_not_apply_is_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """F1: 106 checks stood before the one that had failed."""
    many = [finding(Effect.EFFECTIVE, f"good.{n}", found="on", phase="1") for n in range(50)]
    some = [
        finding(Effect.NOT_APPLICABLE, f"none.{n}", reason=f"withheld: because of {n}", phase="1")
        for n in range(9)
    ]
    some.append(finding(Effect.NOT_APPLICABLE, "more.one", reason="offered: it saves, but"))
    bad = finding(Effect.NOT_EFFECTIVE, "bad.one", found="off", expected="on", phase="memory")
    show(Terminal(), "shoshin", [*many, *some, bad])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].strip() == "not as it should be" and "bad.one" in lines[3]
    assert "none." not in "".join(lines)
    assert [" ".join(line.split()) for line in lines[-2:]] == [
        "9 withheld; tasks/why.py lists them",
        "1 offered; tasks/why.py lists them",
    ]


def test_what_is_not_right_is_told_with_found_expected_and_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = finding(Effect.NOT_EFFECTIVE, found="off", expected="on", reason="nobody knows")
    show(Terminal(), "shoshin", [one])
    out = capsys.readouterr().out
    assert all(text in out for text in ("found: off", "expected: on", "nobody knows"))


# -- runs ----------------------------------------------------------------------------------------


def test_before_anything_was_applied_verify_fails_and_names_what_is_not_effective(
    cli: Cli, desktop: Box
) -> None:
    outcome = cli(desktop.inventory, "tasks/verify.py")
    assert outcome.code == Exit.FAILED, outcome.out
    found = effects(outcome)
    assert found["kwin.contrast"] == found["video.variables"] == "not effective"
    assert "first: " in outcome.out


def test_verify_asks_nobody_changes_nothing_and_passes_after_a_run(cli: Cli, applied: Box) -> None:
    """Standard input is closed, and there is no -y."""
    before = tree(applied.root, without=("nix", "home/.cache"))
    outcome = cli(applied.inventory, "tasks/verify.py")
    assert outcome.code == Exit.DONE, outcome.out
    assert tree(applied.root, without=("nix", "home/.cache")) == before
    assert "Detected changes" not in outcome.out
    assert effects(outcome)["kwin.contrast"] == "pending"  # no KWin runs here


def test_verify_lists_every_setting_of_the_plan(cli: Cli, desktop: Box) -> None:
    outcome = cli(desktop.inventory, "tasks/verify.py")
    assert {setting.id for setting in ALL} <= effects(outcome).keys()
    for record in outcome.kinds("finding"):
        assert record["effect"] in {effect.value for effect in Effect}
        assert record["effect"] == "effective" or record["reason"] or record["found"]


def test_phases_narrow_what_is_verified(cli: Cli, desktop: Box) -> None:
    outcome = cli(desktop.inventory, "tasks/verify.py", "--data", "phases=5")
    found = effects(outcome)
    assert "video.variables" in found and "kwin.contrast" not in found
    assert "commands.basic" not in found  # of phase 1


def test_every_value_that_somebody_changed_is_found(cli: Cli, applied: Box) -> None:
    planted = {
        "kwin.contrast": ("kwinrc", "contrastEnabled=false", "contrastEnabled=true"),
        "kwin.backend": ("kwinrc", "Backend=OpenGL", "Backend=XRender"),
        "desktop.animation-speed": ("kdeglobals", "AnimationDurationFactor=0.5", ""),
        "baloo.basic-indexing": ("baloofilerc", "only basic indexing=true", ""),
        "video.variables": (
            "environment.d/60-video-variables.conf",
            "NVD_BACKEND:-direct",
            "NVD_BACKEND:-egl",
        ),
    }
    for file, old, new in planted.values():
        path = applied.config(file)
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    outcome = cli(applied.inventory, "tasks/verify.py")
    assert outcome.code == Exit.FAILED
    found = effects(outcome)
    assert {name for name, effect in found.items() if effect == "not effective"} == planted.keys()


def test_both_nix_layers_are_effective_after_a_run(
    cli: Cli, make_applied: Callable[..., Applied]
) -> None:
    need("nix")
    box = make_applied()
    outcome = cli(box.inventory, "tasks/verify.py")
    found = effects(outcome)
    for name in ("generation.system", "generation.home", "libraries.leaf.home", "runtimes.go"):
        assert found[name] == "effective", outcome.out
    assert found["electron.app.discord"] == "pending"  # no user manager runs here
    assert found["memory.zram"] == "not applicable"  # nor a kernel of its own
    assert outcome.code == Exit.DONE, outcome.out

    profile = box.root / "var/lib/workspace-tuning/nixos/profile.json"
    profile.chmod(0o644)
    profile.write_text(profile.read_text().replace("skylake", "znver3"))
    outcome = cli(box.inventory, "tasks/verify.py")
    assert outcome.code == Exit.FAILED
    assert effects(outcome)["generation.system"] == "not effective"


def test_a_workspace_that_belongs_to_another_user_is_not_judged(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    box = make_box(user="somebody")
    outcome = cli(box.inventory, "tasks/verify.py")
    assert outcome.code == Exit.INVALID
    assert not outcome.kinds("finding")
    said = " ".join(outcome.out.split())
    assert "belongs to somebody; nothing was changed; connect as that user, or mend user" in said


def test_a_workspace_whose_shell_lacks_what_the_questions_need_is_unknown(
    cli: Cli, desktop: Box, tmp_path: Path
) -> None:
    fake = tmp_path / "fake"
    fake.mkdir()
    (fake / "setsid").write_text("#!/bin/sh\nexit 1\n")
    (fake / "setsid").chmod(0o755)
    cli.environment["PATH"] = f"{fake}:{os.environ['PATH']}"
    outcome = cli(desktop.inventory, "tasks/verify.py")
    assert effects(outcome)["commands.basic"] == "unknown"
    assert effects(outcome)["kwin.backend"] != "effective"


def test_findings_are_records_of_the_journal_in_the_form_that_reports_read(
    cli: Cli, desktop: Box
) -> None:
    from converge.report import model

    cli(desktop.inventory, "tasks/verify.py")
    paths = sorted((cli.state / "workspace-tuning/controller/runs").glob("*/journal.jsonl"))
    records = [one for one in journal.read(paths[-1]) if isinstance(one.record, FindingRecord)]
    report = model.build([model.load(paths[-1])])
    assert sum(len(workspace.findings) for workspace in report.workspaces) == len(records) > 90


def test_over_ssh_two_workspaces_are_verified_with_two_commands_each(
    cli: Cli, ssh_server: sshd.Server
) -> None:
    boxes = [ssh_server.box(user, f"verify-{user[3:]}") for user in sshd.USERS]
    start = {user: ssh_server.commands(user) for user in sshd.USERS}
    outcome = cli(cli.inventory(*boxes), "tasks/verify.py")
    assert outcome.code == Exit.FAILED, outcome.out  # nothing was applied there
    assert {ssh_server.commands(user) - start[user] for user in sshd.USERS} == {2}
    for box in boxes:
        found = [
            record for record in outcome.kinds("finding") if record["workspace"] == box["name"]
        ]
        assert {setting.id for setting in ALL} <= {str(one["setting"]) for one in found}
        assert not [one for one in found if one["effect"] == "unknown"]


def test_a_lock_of_the_administrators_is_said_by_each_command_and_stops_nothing_else(
    cli: Cli, desktop: Box
) -> None:
    """T9: it undid every run; T13: it was kept, and nothing was said."""
    lock = desktop.root / "etc/xdg/kwinrc"
    lock.parent.mkdir(parents=True)
    lock.write_text("[Plugins]\ncontrastEnabled[$i]=true\n")
    first = cli(desktop.inventory, "deploy.py", "-y")
    assert first.code == Exit.FAILED, first.out  # kept, and one setting has not its effect
    assert [r["status"] for r in first.kinds("step") if r["step"] == "kept"] == ["done"]
    assert b"Backend=OpenGL" in desktop.config("kwinrc").read_bytes()
    assert b"contrastEnabled=true" in desktop.config("kwinrc").read_bytes()
    again = cli(desktop.inventory, "deploy.py", "-y")
    verify = cli(desktop.inventory, "tasks/verify.py")
    assert (again.code, verify.code) == (Exit.DONE, Exit.FAILED)
    status = cli(desktop.inventory, "tasks/status.py")
    assert status.code == Exit.FAILED, "a locked value is not as declared"
    assert "differs (kwin.contrast locked at another value" in " ".join(status.out.split())
    for run in (first, again):
        said = " ".join(run.out.split())
        assert "kwin.contrast cannot take effect:" in said and "line 2, locks" in said
    assert effects(verify)["kwin.contrast"] == "not effective"
    assert {name for name, one in effects(verify).items() if one == "not effective"} == {
        "kwin.contrast"
    }
