"""``python -m converge.report`` as a user calls it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from converge.report import __main__, model

PROJECT = Path(__file__).parents[2]
JOURNALS = PROJECT / "tests" / "data" / "journals"
IDS = {
    "proved": "20261121t081503-4c1e",
    "measured": "20261121t093011-77aa",
    "dry": "20261122t101500-0001",
}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state of a controller that made three runs."""
    for name, run in IDS.items():
        place = tmp_path / "workspace-tuning/controller/runs" / run
        place.mkdir(parents=True)
        shutil.copy(JOURNALS / f"{name}.jsonl", place / "journal.jsonl")
    return tmp_path


def run(state: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "converge.report", *arguments],
        cwd=PROJECT,
        env={**os.environ, "XDG_STATE_HOME": str(state), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_arguments_it_is_the_newest_run_with_the_newest_measurement(state: Path) -> None:
    done = run(state)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"run {IDS['dry']}: changes found\n")
    assert "bzip2: compression" in done.stdout


def other(state: Path, run: str, task: str, lines: int = 1) -> Path:
    """One more run, of another task and newer than the others."""
    place = state / "workspace-tuning/controller/runs" / run
    place.mkdir(parents=True)
    start = {"run": run, "seq": 1, "time": "2026-12-01T00:00:00.000+00:00", "kind": "run-start"}
    record = {**start, "workspace": "", "task": task, "mode": "run", "workspaces": ["shoshin"]}
    (place / "journal.jsonl").write_text(f"{json.dumps(record)}\n" * lines)
    return place / "journal.jsonl"


def test_a_look_at_something_is_not_the_run_that_is_reported(state: Path) -> None:
    other(state, "20261201t000000-aaaa", "why")
    other(state, "20261201t000001-aaaa", "status")
    assert run(state).stdout.startswith(f"run {IDS['dry']}: changes found\n")


def test_where_nothing_was_deployed_the_newest_run_is_reported(tmp_path: Path) -> None:
    other(tmp_path, "20261201t000000-aaaa", "verify")
    assert run(tmp_path).stdout.startswith("run 20261201t000000-aaaa: ")


def test_the_runs_are_listed_newest_first(state: Path) -> None:
    other(state, "20261201t000000-aaaa", "why").write_text("torn")
    lines = run(state, "--list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        "20261201t000000-aaaa",
        *sorted(IDS.values(), reverse=True),
    ]
    assert "deploy, dry run" in lines[1]
    assert "changes found: shoshin" in lines[1]
    assert "no end recorded" in lines[0]


@pytest.mark.parametrize(
    ("form", "begin"), [("--html", "<!DOCTYPE html>"), ("--json", "{"), ("--junit", "<?xml")]
)
def test_a_form_goes_to_standard_output_alone(state: Path, form: str, begin: str) -> None:
    done = run(state, form, "-")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(begin)
    assert "run 2026" not in done.stdout.partition("\n")[0]
    assert not (PROJECT / "-").exists()


def test_two_forms_do_not_share_standard_output(state: Path) -> None:
    done = run(state, "--html", "-", "--json", "-")
    assert (done.returncode, done.stdout) == (5, "")
    assert "only one of html and json" in done.stderr


def test_old_journals_are_not_read_to_report_the_newest_run(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        other(state, f"20250101t0000{number:02}-aaaa", "deploy", lines=2000)
        other(state, f"20261201t0000{number:02}-bbbb", "why", lines=2000)
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    loaded: list[str] = []

    def load(path: Path) -> object:
        loaded.append(path.parent.name)
        return model.load(path)

    monkeypatch.setattr(__main__, "load", load)
    __main__.choose([])
    assert loaded == [IDS["dry"], IDS["measured"]]


def test_a_named_run_is_that_run_alone(state: Path) -> None:
    for name in (IDS["proved"], str(JOURNALS / "proved.jsonl")):
        done = run(state, name)
        assert done.stdout.startswith(f"run {IDS['proved']}: applied, some pending\n"), done.stderr
        assert "bzip2" not in done.stdout


def test_further_runs_add_what_they_measured(state: Path) -> None:
    assert "bzip2: compression" in run(state, IDS["proved"], IDS["measured"]).stdout


def test_files_are_written_whole_and_for_their_owner_only(state: Path, tmp_path: Path) -> None:
    names = [tmp_path / name for name in ("r.html", "r.json", "r.xml")]
    for path in names:
        path.write_text("an older report, and longer than\n" * 9000)
    forms = ("--html", "--json", "--junit")
    flags = [text for pair in zip(forms, map(str, names), strict=True) for text in pair]
    done = run(state, *flags, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for path in names:
        assert "an older report" not in path.read_text()
        assert path.stat().st_mode & 0o777 == 0o600
    left = [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert left == []


@pytest.mark.parametrize("name", ["20200101t000000-aaaa", "../runs/x", "", "/no/such"])
def test_a_run_that_is_not_there_is_said_with_the_newest_one(state: Path, name: str) -> None:
    done = run(state, name)
    assert done.returncode == 5
    assert done.stderr.startswith("no journal for ") and IDS["dry"] in done.stderr


def test_a_controller_without_any_run_says_what_to_do(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert (done.returncode, done.stdout) == (5, "")
    assert "has no run yet" in done.stderr and "deploy.py" in done.stderr


@pytest.mark.parametrize("wrong", [["--html"], ["--nope"], ["--list", "--html", "-"]])
def test_a_wrong_call_ends_in_5_because_2_is_a_dry_run_with_changes(
    state: Path, wrong: list[str]
) -> None:
    done = run(state, *wrong)
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.startswith("usage: ")


def test_a_list_of_no_runs_says_what_to_do(tmp_path: Path) -> None:
    assert "has no run yet; run deploy.py first" in run(tmp_path, "--list").stdout


def test_a_place_that_cannot_be_written_is_a_failure_and_leaves_nothing(state: Path) -> None:
    done = run(state, "--html", str(state / "missing" / "r.html"))
    assert done.returncode == 1
    assert "missing" in done.stderr and "No such file" in done.stderr
    full = run(state, "--html", "/dev/full/x")
    assert full.returncode == 1


def test_a_device_a_pipe_and_a_link_stay_what_they_are(state: Path, tmp_path: Path) -> None:
    pipe, link, file = tmp_path / "pipe", tmp_path / "link.html", tmp_path / "file.html"
    os.mkfifo(pipe)
    link.symlink_to(file)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    __main__.write(pipe, "through a pipe")
    assert os.read(reading, 99) == b"through a pipe"
    os.close(reading)
    assert pipe.is_fifo()
    __main__.write(link, "behind a link")
    assert (file.read_text(), link.is_symlink()) == ("behind a link", True)
    with pytest.raises(IsADirectoryError, match=re.escape(str(tmp_path))):
        __main__.write(tmp_path, "")
    assert run(state, "--html", "/dev/stdout", "--quiet").stdout.endswith("</html>\n")


def test_a_write_that_breaks_off_leaves_the_old_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.html"
    path.write_text("old")

    def broken(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match="No space"):
        __main__.write(path, "new")
    assert [one.name for one in tmp_path.iterdir()] == ["r.html"]
    assert path.read_text() == "old"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_had_enough_is_no_error(state: Path, unbuffered: str) -> None:
    """As with ``| head -n 1``, but the pipe is closed before the first line, so no race decides."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "converge.report", "--html", str(state / "r.html")],
        cwd=PROJECT,
        env={**os.environ, "XDG_STATE_HOME": str(state), "PYTHONUNBUFFERED": unbuffered},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
    assert (state / "r.html").read_text().startswith("<!DOCTYPE html>")


def test_a_report_needs_no_pyinfra_and_no_network() -> None:
    code = (
        "import sys, converge.report.__main__, converge.report.html, converge.report.junit\n"
        "import converge.report.data, converge.report.summary\n"
        "heavy = {'pyinfra', 'gevent', 'paramiko', 'jsonschema', 'yaml'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
