"""A choice by measurement: samples planted on the workspace, a proposal for the inventory."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from converge.measure import choice
from converge.measure.choice import candidates, parse, propose
from converge.problem import InvalidInput
from converge.profile.choices import Choices
from converge.profile.chosen import chosen
from converge.profile.profile import load_profile
from tasks.reach.remote import program
from tests.conftest import Box, Cli, tree
from tests.tools import need

PROJECT = Path(__file__).parents[2]
#: A trial whose samples are planted: seconds to read, and bytes held, by compressor; each call is
#: slower or faster by up to 10 %, the same for all compressors over the rounds.
TRIAL = """\
#!/bin/sh
count=$(cat "$0.count" 2>/dev/null || echo 0)
echo $((count + 1)) >"$0.count"
case $1 in
{cases}
esac
noise=$((count * 7919 % 200))
awk -v s="$seconds" -v n="$noise" -v held="$held" \\
    'BEGIN {{ printf "0.5 %.6f 8192 %s\\n", s * (0.9 + n / 1000), held }}'
"""
SECOND = dict.fromkeys(choice.COMPRESSORS, 1.0)
MB12 = dict.fromkeys(choice.COMPRESSORS, 12000000)


def plant(
    cli: Cli, directory: Path, seconds: dict[str, float], held: dict[str, int] = MB12
) -> None:
    cases = "\n".join(
        f"    {name}) seconds={seconds[name]} held={held[name]} ;;" for name in seconds
    )
    path = directory / "trial"
    path.write_text(TRIAL.format(cases=cases))
    path.chmod(0o755)
    cli.environment |= {"MEASURE_TRIAL": str(path), "MEASURE_ROUNDS": "12"}


def test_a_planted_winner_is_proposed_with_its_interval_and_nothing_is_changed(
    cli: Cli, desktop: Box, tmp_path: Path
) -> None:
    plant(cli, tmp_path, {**SECOND, "lz4": 0.4}, {**MB12, "lz4": 15_000_000})
    before = tree(desktop.root)
    done = cli(desktop.inventory, "tasks/measure.py", "-y", "--data", "choose=zram.algorithm")
    assert done.code == 0, done.out + done.err
    assert tree(desktop.root) == before
    records = {record["benchmark"]: record for record in done.kinds("measurement")}
    assert records.keys() == {"zram.lz4", "zram.lzo", "zram.lzo-rle"}
    lz4 = records["zram.lz4"]
    low, high = float(str(lz4["low"])), float(str(lz4["high"]))
    assert (lz4["verdict"], lz4["n"]) == ("met", 12)
    assert 0 < low <= 150 <= high, lz4
    assert {records[name]["verdict"] for name in ("zram.lzo", "zram.lzo-rle")} == {"no evidence"}
    (said,) = [record for record in done.kinds("step") if record["step"] == "choose"]
    assert str(said["why"]).startswith(
        'zram.algorithm: write zram_algorithm="lz4" into the inventory file: a page is back '
    )
    assert "20 % less fits" in str(said["why"])


def test_of_two_that_are_better_the_faster_is_proposed(
    cli: Cli, desktop: Box, tmp_path: Path
) -> None:
    plant(cli, tmp_path, {**SECOND, "lz4": 0.7, "lzo": 0.4})
    done = cli(desktop.inventory, "tasks/measure.py", "-y", "--data", "choose=zram.algorithm")
    assert 'zram_algorithm="lzo"' in done.out, done.out


def test_a_planted_null_keeps_what_is_in_use(cli: Cli, desktop: Box, tmp_path: Path) -> None:
    plant(cli, tmp_path, SECOND)
    done = cli(desktop.inventory, "tasks/measure.py", "-y", "--data", "choose=zram.algorithm")
    assert done.code == 0, done.out + done.err
    assert {record["verdict"] for record in done.kinds("measurement")} == {"no evidence"}
    (said,) = [record for record in done.kinds("step") if record["step"] == "choose"]
    assert str(said["why"]) == "zram.algorithm: nothing is better than zstd; zstd stays"


def test_a_faster_one_that_holds_too_little_is_not_proposed(
    cli: Cli, desktop: Box, tmp_path: Path
) -> None:
    plant(cli, tmp_path, {**SECOND, "lz4": 0.4}, {**MB12, "lz4": 24_000_000})
    done = cli(desktop.inventory, "tasks/measure.py", "-y", "--data", "choose=zram.algorithm")
    (lz4,) = [record for record in done.kinds("measurement") if record["benchmark"] == "zram.lz4"]
    assert lz4["verdict"] == "met" and "too little to propose it" in str(lz4["why"])
    assert "zstd stays" in str([record["why"] for record in done.kinds("step")])


def test_a_dry_run_names_the_alternatives_and_takes_no_sample(
    cli: Cli, desktop: Box, tmp_path: Path
) -> None:
    plant(cli, tmp_path, SECOND)
    done = cli(desktop.inventory, "tasks/measure.py", "--dry", "--data", "choose=zram.algorithm")
    assert done.code == 0, done.out + done.err
    assert "would be tried: zstd, lz4, lzo-rle, lzo" in done.out
    assert not (tmp_path / "trial.count").exists()


@pytest.mark.parametrize(
    ("task", "choose", "says"),
    [
        ("deploy.py", "zram.algorithm", "does nothing in deploy.py"),
        ("tasks/measure.py", "page-cluster", "choose"),
    ],
)
def test_a_choice_for_another_command_or_of_nothing_that_can_be_chosen_is_refused(
    cli: Cli, desktop: Box, task: str, choose: str, says: str
) -> None:
    done = cli(desktop.inventory, task, "--dry", "--data", f"choose={choose}")
    assert done.code == 5
    assert says in " ".join(done.err.split())


def test_what_was_proposed_takes_the_place_of_the_profiles_value() -> None:
    profile = load_profile(PROJECT / "inventory/hardware/shoshin.yaml")
    given = Choices(workspace="w", profile="p", user="u", host="w", zram_algorithm="lz4")
    found = chosen(profile, given)
    assert found.memory.zram is not None
    assert found.memory.zram.algorithm == found.raw["memory"]["zram"]["algorithm"] == "lz4"
    assert profile.raw["memory"]["zram"]["algorithm"] == "zstd"
    with pytest.raises(InvalidInput):
        chosen(load_profile(PROJECT / "inventory/hardware/gyakusatsu.yaml"), given)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("round", "trial zstd 1 1 8192 100"), "cut before its end"),
        (("round", "trial zstd 1 x 8192 100", "done"), "not understood"),
        (("round", "trial zstd 1 0 8192 100", "done"), "not understood"),
        (("round", "trial zstd 1 1 1 1", "round", "done"), "without one of its trials"),
        (("trial zstd 1 1 1 1", "done"), "not understood"),
        (("done",), "without one of its trials"),
        (("failed /dev/zram7 is not there",), "/dev/zram7 is not there"),
        (("lacks zstd", "round", "trial lz4 1 1 8 9", "done"), "the kernel has no zstd"),
    ],
)
def test_samples_that_are_cut_or_odd_propose_nothing(lines: tuple[str, ...], why: str) -> None:
    found = propose(parse(lines), in_use="zstd")
    assert (found.value, found.records) == ("zstd", ())
    assert why in found.why


def test_the_kernels_own_zram_is_tried_and_gone_afterwards() -> None:
    if os.getuid() or not os.access("/sys/class/zram-control/hot_remove", os.W_OK):
        pytest.skip("needs root and a kernel with zram (/sys/class/zram-control)")
    holder = [need("python3"), "-c", _HOLD]  # pages of this user's own, worth a trial
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as own:
        assert own.stdout is not None and own.stdout.readline() == b"ready\n"
        names = candidates("lz4")
        done = subprocess.run(
            [need("dash"), "-c", program("choose"), "choose", "root", "2", "60", "", *names],
            capture_output=True,
            text=True,
        )
        own.kill()
    trials = parse(done.stdout.splitlines())
    assert (trials.why, len(trials.rounds)) == ("", 2), done
    lz4 = trials.rounds[0]["lz4"]
    assert lz4.pages >= 1024 and lz4.held > 0
    assert trials.page("lz4") > 0


_HOLD = (
    "import sys; held = [str(i) * 64 for i in range(200000)]; print('ready', flush=True);"
    "sys.stdin.read()"
)
