"""tasks/measure.py as a process: what it records, keeps on a workspace, and leaves alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from converge.journal.measured import MeasurementRecord
from converge.measure.options import Options
from tasks.steps import sample
from tests.conftest import Applied, Box, Cli, tree
from tests.run.steps import make
from tests.tools import need

__all__ = ["make"]

HISTORY = ".local/state/workspace-tuning/workspace/measurements.json"


@pytest.fixture
def pair(tmp_path: Path, cli: Cli) -> Path:
    """Two builds of ``zstd`` whose work is counting: the optimized one counts so much less far that
    a busy machine does not hide it."""
    for name, times in (("stock", 150_000), ("optimized", 30_000)):
        program = tmp_path / name / "bin" / "zstd"
        program.parent.mkdir(parents=True)
        program.write_text(
            f"#!/bin/sh\ni=0; while [ $i -lt {times} ]; do i=$((i + 1)); done; echo packed\n"
        )
        program.chmod(0o755)
        cli.environment[f"MEASURE_{name.upper()}"] = str(tmp_path / name)
    cli.environment |= {"MEASURE_ROUNDS": "1", "MEASURE_ONLY": "zstd"}
    return tmp_path


def test_a_measurement_is_recorded_compared_with_its_claim_and_kept(
    cli: Cli, desktop: Box, pair: Path
) -> None:
    cli.environment["MEASURE_ROUNDS"] = "8"
    done = cli(desktop.inventory, "tasks/measure.py", "-y")
    assert done.code == 0, done.out + done.err
    found = {str(record["benchmark"]): record for record in done.kinds("measurement")}
    control, zstd = [
        record for record in done.kinds("measurement") if record["benchmark"] == "zstd"
    ]
    assert (control["subject"], control["claimed"]) == ("control", None)
    assert (zstd["subject"], zstd["verdict"], zstd["n"]) == ("compression", "met", 8), zstd
    assert zstd["claimed"] == {"low": 15, "high": 30, "unit": "%"}
    assert found["memory"]["verdict"] == "no evidence"
    assert done.kinds("memory")[0]["when"] == "before"

    history = json.loads((desktop.home / HISTORY).read_bytes())
    assert [row["benchmark"] for row in history["measurements"]] == ["zstd", "zstd"]
    assert (desktop.home / HISTORY).stat().st_mode & 0o777 == 0o600

    cli.environment["MEASURE_ROUNDS"] = "1"
    again = cli(desktop.inventory, "tasks/measure.py", "-y")
    assert again.code == 0, again.out + again.err
    grown = json.loads((desktop.home / HISTORY).read_bytes())
    assert len(grown["measurements"]) == 4
    assert grown["measurements"][:2] == history["measurements"]
    earlier = again.kinds("measurement")[1]["earlier"]
    assert isinstance(earlier, list)
    assert [one["measured"] for one in earlier] == [zstd["measured"]]


def test_what_is_measured_after_a_run_is_a_sample_of_after(
    cli: Cli, applied: Box, pair: Path
) -> None:
    done = cli(applied.inventory, "tasks/measure.py", "-y")
    assert done.kinds("memory")[0]["when"] == "after", done.out


def test_only_the_history_changes_on_the_workspace(cli: Cli, desktop: Box, pair: Path) -> None:
    apart = ("home/.local/state", "run/user")
    before = tree(desktop.root, without=apart)
    assert cli(desktop.inventory, "tasks/measure.py", "-y").code == 0
    assert tree(desktop.root, without=apart) == before
    assert not (desktop.home / HISTORY).with_name("lock").exists()
    assert list((desktop.root / "run/user").iterdir()) == []  # the text to work on is gone


def test_a_dry_run_names_the_benchmarks_and_takes_no_sample(
    cli: Cli, desktop: Box, pair: Path
) -> None:
    before = tree(desktop.root)
    done = cli(desktop.inventory, "tasks/measure.py", "--dry")
    assert done.code == 0, done.out
    assert "would be measured for: compression" in done.out
    assert done.kinds("measurement") == []
    assert tree(desktop.root) == before


def test_a_damaged_history_is_put_aside_and_a_new_one_begun(
    cli: Cli, desktop: Box, pair: Path
) -> None:
    history = desktop.home / HISTORY
    history.parent.mkdir(parents=True)
    history.write_bytes(b'{"version": 1, "sam')
    assert cli(desktop.inventory, "tasks/measure.py", "-y").code == 0
    assert len(json.loads(history.read_bytes())["samples"]) == 1
    aside = list(history.parent.glob("measurements.json.damaged-*"))
    assert [path.read_bytes() for path in aside] == [b'{"version": 1, "sam']


def test_without_a_layer_on_the_workspace_every_claim_says_why_it_has_no_figure(
    cli: Cli, desktop: Box
) -> None:
    cli.environment["MEASURE_START"] = "/none/such"
    done = cli(desktop.inventory, "tasks/measure.py", "-y")
    assert done.code == 0, done.out + done.err
    records = done.kinds("measurement")
    records = [record for record in records if record["benchmark"] != "felt"]
    assert len(records) > 10
    assert {str(record["verdict"]) for record in records} == {"no evidence"}
    assert all(str(record["why"]).startswith(("not measured: ", "cannot be")) for record in records)


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"MEASURE_ROUNDS": "many"}, "write a number from 1 to 200"),
        ({"MEASURE_ROUNDS": "0"}, "write a number from 1 to 200"),
        ({"MEASURE_SECONDS": "٣"}, "write a number from 1 to 3600"),
        ({"MEASURE_ONLY": "zst"}, "no benchmark 'zst'; write zstd,"),
        ({"MEASURE_STOCK": "/somewhere"}, "give both or none"),
        ({"MEASURE_STOCK": "a", "MEASURE_OPTIMIZED": "/b"}, "write an absolute path"),
    ],
)
def test_a_wrong_variable_is_refused_before_anything_is_measured(
    cli: Cli, desktop: Box, variables: dict[str, str], says: str
) -> None:
    cli.environment |= variables
    done = cli(desktop.inventory, "tasks/measure.py", "-y")
    assert done.code == 5
    assert says in " ".join(done.err.split())
    assert not (desktop.home / HISTORY).exists()


def test_the_pair_is_the_users_own_package_and_the_copy_of_the_layer(
    cli: Cli, make_applied: Callable[..., Applied]
) -> None:
    """The programs of the miniature do no work: they are found, and not timed."""
    need("nix")
    box = make_applied(phases=["1"])
    cli.environment["MEASURE_ONLY"] = "zstd"
    done = cli(box.inventory, "tasks/measure.py", "-y")
    assert done.code == 0, done.out + done.err
    # Beside much else even a program that does nothing takes as long as one that works.
    zstd, *more = (one for one in done.kinds("measurement") if one["benchmark"] == "zstd")
    assert more or "it did not do the work" in str(zstd["why"])
    stock, optimized = str(zstd["stock"]), str(zstd["optimized"])
    assert stock != optimized
    for path in (stock, optimized):
        assert path.startswith(f"{box.root}/nix/store/") and path.endswith("/bin/zstd"), path
    roots = box.home / ".local/state/workspace-tuning/workspace/roots/measure"
    kept = {str(path.resolve()) for path in roots.iterdir()}
    assert {stock.removesuffix("/bin/zstd"), optimized.removesuffix("/bin/zstd")} <= kept


def test_claims_without_a_benchmark_are_named_in_two_rows_and_whole_in_the_journal(
    make: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    work = make(stage=sample.Measuring, known={"options": Options.read({})})
    sample.benchmarks(work)
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("not measured") == 2, said
    records = work.run.records(MeasurementRecord, "shoshin")
    assert len(records) > 10
    for record in records:
        assert record.why.startswith("not measured: ") and record.subject in said
