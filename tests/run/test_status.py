"""Status and why: a workspace at a glance, and everything about one setting."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from converge.exits import Exit
from converge.journal.form import taken
from converge.journal.kinds import FindingRecord, RunStartRecord, SnapshotRecord
from converge.plan.standing import Standing
from converge.report import glance, history
from tasks.run.journal import Journal
from tests.conftest import Box, Cli
from tests.proof import checks
from tests.tools import need


def runs(cli: Cli) -> Path:
    return cli.state / "workspace-tuning/controller/runs"


def test_status_tells_what_is_open_what_drifted_and_the_last_proof(cli: Cli, desktop: Box) -> None:
    outcome = cli(desktop.inventory, "tasks/status.py")
    for text in ("plan", "drift", "transaction", "lock", "free", "disk.room", "none on this"):
        assert text in outcome.out
    assert cli(desktop.inventory, "deploy.py", "-y").code == 0
    cli(desktop.inventory, "tasks/verify.py")
    path = desktop.config("kwinrc")
    path.write_text(path.read_text().replace("contrastEnabled=false", "contrastEnabled=true"))
    outcome = cli(desktop.inventory, "tasks/status.py")
    assert "contrastEnabled: we wrote false, found true" in " ".join(outcome.out.split())
    assert "by verify: " in outcome.out
    assert not outcome.kinds("finding")  # a glance is no proof
    assert all(len(line) <= 80 or "/" in line for line in outcome.out.splitlines())


def test_status_changes_nothing_and_works_while_another_run_holds_the_lock(
    cli: Cli, desktop: Box
) -> None:
    state = desktop.home / ".local/state/workspace-tuning/workspace"
    state.mkdir(parents=True)
    start = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(") ")[2].split()[19]
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    lock = (
        f"run 20260101t000000-0000\nhost elsewhere\nuser me\npid 1\nsince 1767225600\n"
        f"anchor {os.getpid()}\nstart {start}\nboot {boot}\n"
    )
    (state / "lock").write_text(lock)
    outcome = cli(desktop.inventory, "tasks/status.py")
    assert "held by run 20260101t000000-0000 of me on elsewhere" in outcome.out
    assert outcome.code in (Exit.DONE, Exit.FAILED)
    assert (state / "lock").read_text() == lock


def test_status_of_nix_layers_tells_their_generations(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    need("nix")
    box = make_box()
    outcome = cli(box.inventory, "tasks/status.py")
    assert outcome.code == Exit.FAILED  # nothing of the layers is in use yet
    assert "generation.system  not effective" in outcome.out
    assert cli(box.inventory, "deploy.py", "-y").code == 0
    outcome = cli(box.inventory, "tasks/status.py")
    assert outcome.code == Exit.DONE, outcome.out
    assert "(current)" in outcome.out
    assert "generation.home    effective: generation" in outcome.out


def test_why_explains_a_setting_and_its_last_effect(cli: Cli, desktop: Box) -> None:
    arguments = ("tasks/why.py", "--data", "setting=kwin.contrast")
    outcome = cli(desktop.inventory, *arguments)
    assert outcome.code == Exit.DONE
    for text in (
        "kwinrc [Plugins] contrastEnabled=false",
        "~/.config/kwinrc",
        "kwin memory: 30 to 40 %",
        "kwin (given)",
        "in force",
        "not looked at yet",
    ):
        assert text in outcome.out
    cli(desktop.inventory, "tasks/verify.py")
    assert "last effect  not effective" in cli(desktop.inventory, *arguments).out


def test_why_tells_what_a_withheld_setting_would_do(cli: Cli, desktop: Box) -> None:
    out = cli(desktop.inventory, "tasks/why.py", "--data", "setting=session.kwin-egl").out
    out = " ".join(out.split())
    for text in ("run without compositing", "withheld", "cannot be included"):
        assert text in out


@pytest.mark.parametrize("standing", checks.context().standings, ids=lambda one: one.setting.id)
def test_every_setting_can_be_explained(standing: Standing) -> None:
    rows = list(glance.why(checks.context(), standing, None))
    names = [name for name, _ in rows]
    for text in (text for name, text in rows if name == "value"):
        assert text and not text.startswith(("{", "[", '"')), "no JSON for a person"
    for name in (
        "title",
        "plan",
        "phase",
        "state",
        "value",
        "lands in",
        "risk",
        "needs",
        "check",
        "here",
    ):
        assert name in names
    assert not any("no such check" in text for _, text in rows)


def test_why_without_a_setting_lists_each_of_them_by_how_it_stands(cli: Cli, desktop: Box) -> None:
    outcome = cli(desktop.inventory, "tasks/why.py")
    assert outcome.code == Exit.DONE, outcome.err
    listed = set(outcome.out.replace(",", " ").split())
    assert {standing.setting.id for standing in checks.context().standings} <= listed
    assert "explained (exit 0)" in outcome.last_line


# -- history -------------------------------------------------------------------------------------


HERE = {"hostname": "shoshin", "state": "/home/me/.local/state"}


def write(directory: Path, run: str, *records: dict[str, object]) -> None:
    one = Journal(directory, run)
    one.append(RunStartRecord(version="0", task="verify", mode="run", workspaces=("a",)))
    for record in records:
        one.append(taken(FindingRecord, record), workspace="a")


def record(effect: str, setting: str = "s") -> dict[str, object]:
    return {"check": "c", "setting": setting, "effect": effect, "found": "", "reason": ""}


def test_the_newest_proof_counts_and_within_it_the_last_finding(tmp_path: Path) -> None:
    write(tmp_path, "20260101t000000-0000", record("unknown"), record("effective", "other"))
    write(tmp_path, "20260102t000000-0000", record("not effective"), record("effective"))
    write(tmp_path, "20260103t000000-0000")
    proof = history.last(tmp_path, "a", HERE)
    assert proof is not None and proof.run == "20260102t000000-0000"
    assert [finding.effect for finding in proof.findings] == ["effective"]
    older = history.last_of(tmp_path, "a", HERE, "other")
    assert older is not None and older[0].run == "20260101t000000-0000"
    assert history.last(tmp_path, "b", HERE) is None


def test_a_proof_of_another_workspace_of_that_name_is_none(tmp_path: Path) -> None:
    write(tmp_path, "20260101t000000-0000", record("effective"))
    one = Journal(tmp_path, "20260102t000000-0000")
    one.append(RunStartRecord(version="0", task="verify", mode="run", workspaces=("a",)))
    there = SnapshotRecord(facts={**HERE, "state": "/srv/box/state"}, marks=())
    one.append(there, workspace="a")
    one.append(taken(FindingRecord, record("effective")), workspace="a")
    here, elsewhere = (history.last(tmp_path, "a", facts) for facts in (HERE, there.facts))
    assert here is not None and here.run == "20260101t000000-0000"
    assert elsewhere is not None and elsewhere.run == "20260102t000000-0000"


def test_what_was_proved_is_found_without_reading_the_runs_that_proved_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status and why stay as fast after a hundred dry runs, and after a hundred runs elsewhere."""
    write(tmp_path, "20260101t000000-0000", record("effective"))
    for number in range(100):
        for kind, mode, where in (("0", "dry run", "a"), ("1", "run", "elsewhere")):
            one = Journal(tmp_path, f"20260201t{number:06}-000{kind}")
            start = RunStartRecord(version="0", task="deploy", mode=mode, workspaces=(where,))
            one.append(start)
            one.append(taken(FindingRecord, record("effective")), workspace=where)
    whole: list[Path] = []
    read = history.journal.read
    monkeypatch.setattr(history.journal, "read", lambda path: whole.append(path) or read(path))
    proof = history.last(tmp_path, "a", HERE)
    assert proof is not None and proof.run == "20260101t000000-0000"
    assert len(whole) == 1
    assert history.last_of(tmp_path, "a", HERE, "s") is not None
    assert len(whole) == 2


def test_a_journal_that_was_cut_or_forged_proves_nothing_more_than_it_says(tmp_path: Path) -> None:
    write(tmp_path, "20260101t000000-0000", record("effective"))
    broken = tmp_path / "20260102t000000-0000"
    broken.mkdir()
    (broken / "journal.jsonl").write_text(
        json.dumps({"kind": "finding", "workspace": "a", **record("excellent")})
        + '\n{"kind": "finding", "workspace": "a", "eff'
    )
    (tmp_path / "20260103t000000-0000").mkdir()
    proof = history.last(tmp_path, "a", HERE)
    assert proof is not None and proof.run == "20260102t000000-0000"
    assert [finding.effect for finding in proof.findings] == ["unknown"]


def test_a_broken_undo_is_a_difference_until_a_rollback_has_ended_it(
    cli: Cli, applied: Box
) -> None:
    (status,) = applied.home.rglob("transaction/status")
    status.write_text("broken kwinrc: cannot be replaced\n")
    look = cli(applied.inventory, "tasks/status.py")
    assert look.code == 1, look.out
    assert "differs" in look.last_line
    assert "is not undone whole; tasks/rollback.py goes on" in " ".join(look.out.split())
