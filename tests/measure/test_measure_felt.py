"""Times that a person feels: measured by the real program, and judged from planted samples."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from converge.measure.felt import FELT, Felt, UnknownFelt, before_and_after, compared, parse
from tasks.reach.remote import program
from tests.conftest import Box, Cli
from tests.measure.test_measure_run import HISTORY
from tests.tools import missing, need


def planted(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def felt(directory: Path, *names: str, readings: int = 2) -> Felt:
    """What remote/felt.sh says, with ``directory`` before all other programs."""
    path = f"{directory}:{os.environ['PATH']}"
    done = subprocess.run(
        [need("dash"), "-c", program("felt"), "felt", str(readings), *names],
        env={**os.environ, "PATH": path, "XDG_RUNTIME_DIR": str(directory)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done
    return parse(done.stdout.splitlines())


def test_a_start_is_timed_from_the_outside_and_nothing_is_left_behind(tmp_path: Path) -> None:
    planted(tmp_path, "slow", "exec sleep 0.4")
    planted(tmp_path, "ffmpeg", "exit 1")
    found = felt(tmp_path, "none-such", "slow")
    assert found.program == str(tmp_path / "slow")
    assert found.values["warm"] >= 400 and found.values["cold"] >= 400
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ffmpeg", "slow"]


def test_a_program_that_fails_is_no_figure(tmp_path: Path) -> None:
    planted(tmp_path, "broken", "exit 3")
    found = felt(tmp_path, "broken")
    assert "warm" not in found.values and "cold" not in found.values
    assert "fails" in found.why["warm"]


def test_no_program_to_start_is_said(tmp_path: Path) -> None:
    found = felt(tmp_path, "none-such")
    assert {found.why[name] for name in ("warm", "cold", "short")} == {
        "no program of the desktop is there"
    }


def test_the_cpu_of_a_video_is_that_of_the_decoder(tmp_path: Path) -> None:
    planted(
        tmp_path,
        "ffmpeg",
        'case "$*" in *lavfi*) exit 0 ;; esac\n'
        'echo "bench: utime=0.500s stime=0.100s rtime=4.000s"',
    )
    assert felt(tmp_path, "none-such").values == {"video": 15.0}


def test_the_start_beside_a_hog_runs_in_a_scope_that_holds_both(tmp_path: Path) -> None:
    """With a stand-in for systemd-run: the scope that is asked for, and that the hog ends."""
    if os.getuid():
        missing("needs root, to show another list of swaps to one process")
    planted(tmp_path, "slow", "exec sleep 0.2")
    planted(tmp_path, "ffmpeg", "exit 1")
    planted(
        tmp_path,
        "systemd-run",
        f'echo "$@" >>{tmp_path}/asked\nwhile [ "$1" != sh ]; do shift; done\nexec "$@"',
    )
    (tmp_path / "swaps").write_text("Filename\n/dev/zram0\n")
    done = subprocess.run(
        [
            *("unshare", "-m", "sh", "-c"),
            f'mount --bind {tmp_path}/swaps /proc/swaps && exec "$@"',
            *("sh", need("dash"), "-c", program("felt"), "felt", "2", "slow"),
        ],
        env={
            **os.environ,
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "XDG_RUNTIME_DIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
    )
    found = parse(done.stdout.splitlines())
    assert found.values["short"] >= 200, (found, done.stderr)
    asked = (tmp_path / "asked").read_text()
    assert "--user --scope" in asked
    assert "MemoryMax=256M" in asked and "MemorySwapMax=1024M" in asked
    names = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            names.append(path.read_text(errors="replace"))
    assert not [name for name in names if "awk" in name and "held[i]" in name]


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["workspace-felt 1"],
        ["end"],
        ["workspace-felt 1", "felt warm x", "end"],
        ["workspace-felt 1", "felt other 1", "end"],
        ["workspace-felt 1", "without warm", "end"],
        ["workspace-felt 1", "felt warm -5", "end"],
    ],
)
def test_an_answer_that_is_cut_or_odd_is_no_figure(lines: list[str]) -> None:
    with pytest.raises(UnknownFelt):
        parse(lines)


def test_a_figure_with_a_failed_reading_is_none() -> None:
    found = parse(["workspace-felt 1", "felt warm 5", "without warm it fails", "end"])
    assert found.values == {} and found.why.keys() == FELT.keys()


def sample(when: str, value: float, program: str = "/bin/app") -> dict[str, object]:
    felt = {"program": program, "short": value, "cold": 300.0, "warm": value}
    return {"when": when, "felt": felt, "used": {}}


def runs(before: float, after: float, count: int = 6) -> list[dict[str, object]]:
    """Samples around two values, 2 % apart each from the next."""
    return [
        sample(when, value * (1 + 0.02 * (number - count / 2)))
        for when, value in (("before", before), ("after", after))
        for number in range(count)
    ]


def test_a_gain_is_found_where_it_was_planted_and_nowhere_else() -> None:
    now = Felt(
        program="/bin/app",
        values={"short": 200.0, "cold": 300.0, "warm": 1.0},
        why={"video": "ffmpeg is not there"},
    )
    found = {one.subject: one for one in compared(now, runs(400, 200))}
    short, cold = found[FELT["short"][0]], found[FELT["cold"][0]]
    assert (short.verdict, short.n) == ("met", 6)
    assert short.low is not None and 0 < short.low <= 50 <= (short.high or 0)
    assert cold.verdict == "no evidence"
    assert found[FELT["video"][0]].why == "cannot be measured here: ffmpeg is not there"
    assert "cannot be measured here" in found["time of a rebuild"].why
    null = {one.subject: one for one in compared(now, runs(400, 400))}
    assert {one.verdict for one in null.values()} == {"no evidence"}
    worse = {one.subject: one for one in compared(now, runs(200, 400))}
    assert worse[FELT["short"][0]].verdict == "worse"


def test_samples_of_another_program_are_no_samples() -> None:
    rows = [*runs(400, 200), sample("before", 9000.0, "/bin/other")]
    assert 9000.0 not in before_and_after(rows, "warm", "/bin/app")[0]


def test_a_run_is_one_sample_and_is_told_before_the_benchmarks(
    cli: Cli, desktop: Box, tmp_path: Path
) -> None:
    cli.environment["MEASURE_START"] = str(planted(tmp_path, "app", "exec sleep 0.05"))
    planted(tmp_path, "ffmpeg", "exit 1")
    cli.environment["PATH"] = f"{tmp_path}:{cli.environment.get('PATH', os.environ['PATH'])}"
    history = desktop.home / HISTORY
    history.parent.mkdir(parents=True)
    before = [
        {**run, "felt": {**run["felt"], "program": str(tmp_path / "app")}}
        for run in runs(9000, 60, 10)
    ]  # type: ignore[dict-item]
    history.write_text(json.dumps({"version": 1, "samples": before, "measurements": []}))
    done = cli(desktop.inventory, "tasks/measure.py", "-y")
    assert done.code == 0, done.out + done.err
    records = done.kinds("measurement")
    assert [record["subject"] for record in records[: len(FELT)]] == [
        one for one, _ in FELT.values()
    ]
    warm = next(record for record in records if record["subject"] == FELT["warm"][0])
    assert warm["verdict"] == "met", warm
    kept = json.loads(history.read_bytes())["samples"]
    assert len(kept) == 21
    assert kept[-1]["felt"]["warm"] >= 50
