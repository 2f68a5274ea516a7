"""A staged rollout over several stages: one record of proofs on the workspace, one count a run."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from converge.exits import Exit, Outcome
from converge.report import model, words
from tests.conftest import Box, Cli, tree
from tests.conftest import Outcome as Ended
from tests.plan.test_rollout import kwin_answers, record
from tests.report.test_one_count import compare, told

STAGED = ("deploy.py", "-y", "--data", "rollout=staged")
PLASMA = ("tasks/verify.py", "--data", "layers=plasma")
CONTRAST = "kwin.contrast"


def said(ended: Ended) -> str:
    return " ".join(ended.out.split())


def counted(ended: Ended) -> Counter[str]:
    """The count of a run, once every place that tells it tells the same."""
    found = compare(Path(str(ended.journal[-1]["journal"])))
    for one in ended.kinds("step"):
        if one["status"] == "found" and one["step"] == "prove":
            assert told(str(one["why"])) == found, "the line of the step"
    for row in re.findall(r"^  effects   (.*)", ended.out, flags=re.M):
        assert told(row) == found, "the row at the end"
    result = ended.kinds("result")[-1]
    if ended.journal[0]["task"] == "verify":
        last = told(str(result["why"]).partition(";")[0])
        del last["not applicable"]
        assert last == found, "the last line"
    return found


def looked_at(status: Ended) -> Counter[str]:
    """The count of the last run that looked, as status tells it."""
    (text,) = re.findall(r"last proof .* by [a-z]+: ([^.]*?) sandbox: ", said(status))
    found = told(text)
    del found["not applicable"]
    return found


def by_record(status: Ended) -> dict[str, tuple[int, int]]:
    """Phase -> settings that are proved, and all in force, as status tells it."""
    rows = re.findall(r"phase (\w+): (\d+) of (\d+) proved", said(status))
    return {phase: (int(proved), int(whole)) for phase, proved, whole in rows}


def effects(box: Box) -> Counter[str]:
    return Counter(one["effect"] for one in record(box).values())


def test_a_rollout_has_one_count_and_one_record_whoever_asks(
    cli: Cli, make_box: Callable[..., Box], tmp_path: Path
) -> None:
    """Point by point: a setting that is excluded, one that is pending, one that fails; and another
    controller that has no journal of all that."""
    box = make_box(layers=["plasma", "session"], soak_hours=0)
    (tmp_path / "elsewhere").mkdir()
    other = Cli(tmp_path / "elsewhere")

    first = cli(box.inventory, *STAGED, "--data", "exclude=kwin.blur")
    assert first.code == Exit.DONE, first.out
    found = counted(first)
    assert effects(box) == {"pending": 10}
    assert found["pending"] == 10
    status = cli(box.inventory, "tasks/status.py")
    assert looked_at(status) == found
    assert by_record(status) == {"4": (0, 11)}
    assert "the next run lets phase 4 in" in said(status), "kwin.blur is not in"

    # What is in is looked at, whatever its phase lacks; T6: it was called not applicable.
    verify = other(box.inventory, "tasks/verify.py")
    assert verify.kinds("result")[0]["outcome"] == Outcome.AWAITED.value
    assert counted(verify)["pending"] == 10
    blur = next(one for one in verify.kinds("finding") if one["setting"] == "kwin.blur")
    assert (blur["effect"], blur["reason"]) == (
        "not applicable",
        "not selected: it is not let in yet",
    )

    kwin_answers(box, tmp_path / "session")  # somebody logs in
    for one in (cli, other):
        one.environment["PATH"] = f"{tmp_path}/session:{cli.environment['PATH']}"
    looked = other(box.inventory, "tasks/verify.py")
    assert looked.kinds("result")[0]["outcome"] == Outcome.EFFECTIVE.value
    assert counted(looked)["effective"] == counted(verify)["effective"] + 11, "KWin's own as well"
    assert effects(box) == {"effective": 10}
    before = tree(box.root, without=("nix", "home/.cache"))
    counted(other(box.inventory, "tasks/verify.py"))
    assert tree(box.root, without=("nix", "home/.cache")) == before, "nothing new was found"
    status = cli(box.inventory, "tasks/status.py")
    assert by_record(status) == {"4": (10, 11)}
    assert "pending since" not in said(status), "the other controller's proof is known here"
    why = cli(box.inventory, "tasks/why.py", "--data", f"setting={CONTRAST}")
    assert "effective, run" in said(why)

    entered = cli(box.inventory, *STAGED)
    assert counted(entered)["effective"] >= 1
    assert (effects(box), record(box)["kwin.blur"]["effect"]) == ({"effective": 11}, "effective")

    # The one that fails: found by a look, it stops the rollout, and each command says so.
    answer = (tmp_path / "session/busctl").read_text()
    (tmp_path / "session/busctl").write_text(
        answer.replace("*isEffectLoaded*blur)", "*isEffectLoaded*blur | *isEffectLoaded*contrast)")
    )
    failed = other(box.inventory, "tasks/verify.py")
    assert failed.kinds("result")[0]["outcome"] == Outcome.INEFFECTIVE.value
    assert counted(failed)["not effective"] == 1
    assert effects(box) == {"effective": 10, "not effective": 1}
    status = cli(box.inventory, "tasks/status.py")
    assert (status.code, by_record(status)) == (Exit.FAILED, {"4": (10, 11)})
    assert f"1 not effective since an earlier run: {CONTRAST}" in said(status)
    waits = cli(box.inventory, *STAGED)
    assert waits.code == Exit.FAILED, waits.out
    assert counted(waits)["not effective"] == 1
    assert f"phase 5 waits: phase 4 is not proved: {CONTRAST} is not effective" in said(waits)
    assert "video.variables" not in record(box)
    dry = other(box.inventory, "deploy.py", "--dry", "--data", "rollout=staged")
    report = model.build([model.load(Path(str(dry.journal[-1]["journal"])))])
    assert words.proof(report.workspaces[0]).endswith(
        "by the workspace's record 10 of 11 effective"
    )

    # Mended, the rollout goes on, and the last phase is in.
    (tmp_path / "session/busctl").write_text(answer)
    assert counted(cli(box.inventory, *STAGED))["not effective"] == 0
    last = cli(box.inventory, *STAGED)
    counted(last)
    assert record(box).keys() >= {"video.variables"}
    status = cli(box.inventory, "tasks/status.py")
    assert looked_at(status) == counted(last)
    assert by_record(status)["4"] == (11, 11)
    assert "every phase of this workspace is in" in said(status)


def somebody_logs_in(cli: Cli, box: Box) -> None:
    kwin_answers(box, cli.directory / "session")
    cli.environment["PATH"] = f"{cli.directory}/session:{cli.environment['PATH']}"


def test_a_look_writes_nothing_where_another_run_is_at_work_or_in_a_dry_run(
    cli: Cli, applied: Box
) -> None:
    somebody_logs_in(cli, applied)
    before = record(applied)
    assert cli(applied.inventory, *PLASMA, "--dry").code == Exit.DONE
    assert record(applied) == before
    state = applied.home / ".local/state/workspace-tuning/workspace"
    (run,) = (one for one in state.glob("runs/*/transaction/status"))
    kept = run.read_text()
    run.write_text("activated\n")  # a change is being proved
    ended = cli(applied.inventory, *PLASMA)
    assert ended.code == Exit.DONE, ended.out
    assert record(applied) == before
    assert "note what was found: left out: run" in said(ended)
    run.write_text(kept)
    assert cli(applied.inventory, *PLASMA).code == Exit.DONE
    assert {one["effect"] for name, one in record(applied).items() if name.startswith("kwin.")} == {
        "effective"
    }


def test_a_look_that_cannot_be_noted_says_so_and_its_word_stays(cli: Cli, applied: Box) -> None:
    somebody_logs_in(cli, applied)
    path = applied.home / ".local/state/workspace-tuning/workspace/written.json"
    before = path.read_bytes()
    (cli.directory / "session/mv").write_text(
        '#!/bin/sh\ncase $* in *written.json) exit 1 ;; esac\nexec /bin/mv "$@"\n'
    )
    (cli.directory / "session/mv").chmod(0o755)
    ended = cli(applied.inventory, *PLASMA)
    assert ended.kinds("result")[0]["outcome"] in (Outcome.EFFECTIVE.value, Outcome.AWAITED.value)
    assert "written.json: cannot be replaced" in said(ended)
    assert "the record there is as it was" in said(ended)
    assert json.loads(path.read_bytes()) == json.loads(before)


def test_what_is_newly_in_force_without_a_change_is_let_in_and_looked_at(
    cli: Cli, desktop: Box
) -> None:
    """The file has its value already: a run after one with exclude= changes nothing else, and the
    record did not know the setting at all."""
    assert (
        cli(desktop.inventory, "deploy.py", "-y", "--data", "exclude=kwin.blur").code == Exit.DONE
    )
    assert "kwin.blur" not in record(desktop)
    again = cli(desktop.inventory, "deploy.py", "-y")
    assert again.code == Exit.DONE, again.out
    assert again.kinds("result")[0]["outcome"] == Outcome.UNCHANGED.value
    assert record(desktop)["kwin.blur"]["effect"] == "pending"
    assert "kwin.blur" in said(again).partition(" pending 1, log out and in")[2], "it is named"
    assert "11 pending since an earlier run" in said(again)
    before = tree(desktop.root, without=("nix", "home/.cache"))
    third = cli(desktop.inventory, "deploy.py", "-y")
    assert third.code == Exit.DONE and not third.kinds("step"), third.out
    assert "ended there" not in third.out, "a record that is newer is no trouble"
    assert tree(desktop.root, without=("nix", "home/.cache")) == before
