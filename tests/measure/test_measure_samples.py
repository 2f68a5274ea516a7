"""Timing on a workspace: real programs run in alternation, and malformed output gives no figure."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from converge.journal.form import plain
from converge.measure import samples as measure_samples
from converge.measure.benchmarks import Benchmark
from converge.setting import Claim
from tasks.reach.remote import program
from tests.tools import need

CLAIM = Claim(subject="counting", low=15, high=30)
COUNTING = Benchmark(
    id="count", subject="counting", program="count", arguments=(), stock=(), optimized=()
)
TRUE = str(shutil.which("true"))
TIMES = "0m0.4s 0m0.1s 0.6"  # user, system, by the clock
GOOD = ["cpu X", "load 0.1", "clock cpu"]
GOOD += [f"result stock 0 aa {TIMES}", f"result optimized 0 aa {TIMES}"]
PAIRS = [
    *("pair stock", f"sample stock {TIMES}", "sample optimized 0m0.35s 0m0.05s 9.9"),
    *("pair optimized", "sample optimized 0m0.36s 0m0.05s 0.4", "sample stock 0m0.41s 0m0.1s 0.7"),
] * 5


def run(*arguments: str, rounds: int = 10, libraries: tuple[str, str] = ("", "")) -> list[str]:
    stock, optimized, *rest = arguments
    ended = subprocess.run(
        [
            *(need("dash"), "-c", program("measure"), "workspace-measure", str(rounds), "60"),
            *(stock, optimized, *libraries, *rest),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.stdout.splitlines()


def script(path: Path, body: str) -> str:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def counting(path: Path, times: int, *, says: str = "done") -> str:
    """A program whose work is counting; how long that takes is decided by ``times``."""
    return script(path, f"i=0; while [ $i -lt {times} ]; do i=$((i + 1)); done; echo {says}")


def record(samples: measure_samples.Samples) -> dict[str, Any]:
    return plain(
        measure_samples.measurement(
            COUNTING, samples, claim=CLAIM, settings=(), stock="s", optimized="o"
        )
    )


def test_a_build_that_does_the_work_in_half_the_time_meets_its_claim(tmp_path: Path) -> None:
    slow, fast = counting(tmp_path / "slow", 100_000), counting(tmp_path / "fast", 50_000)
    found = record(measure_samples.parse(run(slow, fast)))
    assert (found["verdict"], found["n"]) == ("met", 10), found
    turned = record(measure_samples.parse(run(fast, slow)))
    assert turned["verdict"] == "worse", turned


def test_the_order_turns_with_every_pair(tmp_path: Path) -> None:
    log = tmp_path / "log"
    both = [script(tmp_path / name, f"echo {name} >>'{log}'; echo same") for name in ("one", "two")]
    lines = run(*both, rounds=4)
    order = [line.split()[1] for line in lines if line.startswith("sample")]
    assert order == ["stock", "optimized", "optimized", "stock"] * 2
    assert log.read_text().split() == ["one", "two", *["one", "two", "two", "one"] * 2]


def test_what_a_program_is_given_is_never_taken_for_a_command(tmp_path: Path) -> None:
    hostile = ["$(touch broken)", "; touch broken", "`touch broken`", "a\nb", "*", "", "-n", "'\""]
    seen = tmp_path / "seen"
    program = script(tmp_path / "program", f"printf '%s\\0' \"$@\" >'{seen}'; pwd")
    assert run(program, program, *hostile, rounds=1)[-1] == "done"
    assert seen.read_bytes().decode().split("\0")[:-1] == hostile
    assert not (Path.cwd() / "broken").exists() and not (tmp_path / "broken").exists()


def test_placeholders_are_the_text_the_stock_prefix_and_each_ones_libraries(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = script(
        tmp_path / "bin/program",
        f'echo "$(cat "$LD_LIBRARY_PATH/libx.so.1")|$LD_LIBRARY_PATH|$*" >>{tmp_path}/log',
    )
    libraries = []
    for name in ("stock", "optimized"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "libx.so.1.2").write_text(name)
        libraries.append(f"{tmp_path / name}/libx.so.1.2")
    arguments = ("@prefix", "@prefix/x", "@library", "@text")
    run(program, program, *arguments, rounds=1, libraries=(libraries[0], libraries[1]))
    rows = [line.split("|") for line in (tmp_path / "log").read_text().splitlines()]
    assert [row[0] for row in rows] == ["stock", "optimized"] * 2
    for _, library, text in rows:
        words = text.split()
        assert words[:3] == [str(tmp_path), f"{tmp_path}/x", library]
        assert words[3].endswith("/text") and not Path(words[3]).exists()  # gone afterwards


def test_what_runs_are_fresh_copies_from_paths_of_the_same_length(tmp_path: Path) -> None:
    """The same bytes can be 10 % slower from another file: it depends on the pages that hold it."""
    builds = [tmp_path / "stock" / "tool", tmp_path / "optimized-and-longer" / "tool"]
    for path in builds:
        path.parent.mkdir()
        script(path, f'stat -c "%i $0" "$0" >>{tmp_path}/log')
    assert run(*map(str, builds), rounds=3)[-1] == "done"
    rows = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    assert len(rows) == 8
    originals = {str(path.stat().st_ino) for path in builds}
    for inode, path in rows:
        assert inode not in originals and path.endswith("/bin/tool")
    assert len({len(path) for _, path in rows}) == 1


def test_libraries_that_differ_are_copied_with_the_program(tmp_path: Path) -> None:
    """A program may have its code in its own library, which has to be copied too."""
    compiler = need("gcc")
    for name, value in (("stock", 3), ("optimized", 3)):
        place = tmp_path / name
        for part in ("bin", "lib"):
            (place / part).mkdir(parents=True)
        (place / "l.c").write_text(f"int value(void) {{ return {value}; }}\n")
        (place / "m.c").write_text(
            "#include <dlfcn.h>\n#include <stdio.h>\nint value(void);\n"
            'int main(void) { char line[4096]; FILE *maps = fopen("/proc/self/maps", "r");\n'
            '  FILE *log = fopen(LOG, "a"); printf("%d", value());\n'
            "  while (fgets(line, sizeof line, maps)) fputs(line, log); return 0; }\n"
        )
        library, program = place / "lib/libvalue.so.1", place / "bin/tool"
        flags = [f'-DLOG="{tmp_path / name}.maps"', "-Wl,-rpath," + str(place / "lib")]
        shared = ["-shared", "-fPIC", "-Wl,-soname,libvalue.so.1"]
        subprocess.run([compiler, *shared, "-o", library, place / "l.c"], check=True)
        subprocess.run([compiler, *flags, "-o", program, place / "m.c", library], check=True)
    programs = [str(tmp_path / name / "bin/tool") for name in ("stock", "optimized")]
    assert run(*programs, rounds=1)[-1] == "done"
    for name in ("stock", "optimized"):
        maps = (tmp_path / f"{name}.maps").read_text()
        assert "libvalue.so.1" in maps
        assert str(tmp_path / name) not in maps, "the original was loaded, not the copy"
        assert "libc.so" in maps


def test_the_text_is_the_same_on_every_machine(tmp_path: Path) -> None:
    """History is only comparable when the work is; this digest is that of four kinds of awk."""
    lines = run("cat", "cat", "@text", rounds=1)
    digest = "f90dc2e5f92efef916ae4cc4f726187f63a38939c7194faa4165c3050a2d4a07"
    assert lines[3].split()[3] == digest == lines[4].split()[3]


def test_builds_with_different_results_are_not_compared(tmp_path: Path) -> None:
    one, two = counting(tmp_path / "a", 90_000), counting(tmp_path / "b", 40_000, says="other")
    found = record(measure_samples.parse(run(one, two)))
    assert (found["verdict"], found["n"], found["measured"]) == ("no evidence", 0, None)
    assert "different results" in str(found["why"])


def test_a_program_that_does_not_do_the_work_is_not_compared() -> None:
    found = record(measure_samples.parse(run(TRUE, TRUE)))
    assert found["n"] == 0
    assert "did not do the work" in str(found["why"])


@pytest.mark.parametrize("which", ["stock", "optimized"])
def test_one_run_that_is_too_short_for_the_work_is_enough(which: str) -> None:
    """On a busy machine the others may take as long as if they did the work."""
    lines = [*GOOD, *PAIRS, "done"]
    assert measure_samples.parse(lines).pairs
    last = max(n for n, line in enumerate(lines) if line.startswith(f"sample {which}"))
    lines[last] = f"sample {which} 0m0.0s 0m0.0s 0.004"
    samples = measure_samples.parse(lines)
    assert not samples.pairs
    assert samples.why == f"the {which} build ended after 4 ms: it did not do the work"


def test_a_program_that_fails_or_is_not_there_is_said(tmp_path: Path) -> None:
    assert (
        measure_samples.parse(run(str(shutil.which("false")), TRUE)).why
        == "the stock build ended with exit code 1"
    )
    absent = measure_samples.parse(run(TRUE, str(tmp_path / "nothing")))
    assert absent.why == f"{tmp_path}/nothing is not on the workspace"


@pytest.mark.parametrize("length", range(len([*GOOD, *PAIRS, "done"])))
def test_a_cut_answer_gives_no_figure(length: int) -> None:
    samples = measure_samples.parse([*GOOD, *PAIRS, "done"][:length])
    assert (samples.pairs, samples.why) == ((), "the answer was cut before its end")


@pytest.mark.parametrize(
    "line",
    [
        *("sample stock 0m0.4s 0m0.1s", "sample stock 4 5 6", "sample stock 0m0.4s 0m0.1s x"),
        *("result stock 0 aa", "sample", "sample stock xm0.4s 0m0.1s 1"),
    ],
)
def test_an_odd_line_gives_no_figure(line: str) -> None:
    samples = measure_samples.parse([*GOOD, *PAIRS, line, "done"])
    assert samples.pairs == ()
    assert "not understood" in samples.why


def test_a_pair_with_one_sample_gives_no_figure() -> None:
    lines = [*GOOD, "pair stock", f"sample stock {TIMES}", *PAIRS, "done"]
    assert measure_samples.parse(lines).why == "the answer has a pair with one sample"
    assert "not understood" in measure_samples.parse([*GOOD, f"sample stock {TIMES}", "done"]).why


def test_cpu_time_is_compared_and_not_the_wait_for_the_cpu() -> None:
    """The optimized build's 9.9 s by the clock are 0.4 s of CPU: others were using the machine."""
    found = record(measure_samples.parse([*GOOD, *PAIRS, "done"]))
    rows = found["samples"]
    assert isinstance(rows, list)
    assert rows[0] == [pytest.approx(0.5), pytest.approx(0.4), 0.6, 9.9]
    assert rows[1] == [pytest.approx(0.51), pytest.approx(0.41), 0.7, 0.4]
    assert (found["compared"], found["measured"]) == ("cpu", pytest.approx(24.7, abs=0.5))


def test_without_a_fine_cpu_clock_time_by_the_clock_is_compared() -> None:
    coarse = [line for line in [*GOOD, *PAIRS, "done"] if line != "clock cpu"]
    found = record(measure_samples.parse(coarse))
    assert (found["compared"], found["verdict"]) == ("wall", "no evidence")


def test_cpu_time_is_known_to_a_millisecond_where_there_is_bash() -> None:
    need("bash")
    lines = run("cat", "cat", "@text", rounds=9)
    assert "clock cpu" in lines
    times = [line.split()[2:4] for line in lines if line.startswith("sample")]
    assert len(times) == 18
    # In steps of 10 ms the last digit would be 0 in each of these 36 figures.
    assert {text[-2] for pair in times for text in pair} != {"0"}


def test_the_claim_and_the_number_of_samples_are_kept_with_the_verdict() -> None:
    found = record(measure_samples.parse([*GOOD, *PAIRS, "done"]))
    assert found["claimed"] == {"low": 15, "high": 30, "unit": "%"}
    assert (found["cpu"], found["n"], found["verdict"]) == ("X", 10, "met")


def test_a_control_that_differs_warns_of_all_other_figures() -> None:
    def control(optimized: str) -> dict[str, Any]:
        rows = ["pair stock", f"sample stock {TIMES}", f"sample optimized 0m{optimized}s 0m0s 1"]
        samples = measure_samples.parse([*GOOD, *(rows * 9), "done"])
        return plain(
            measure_samples.measurement(
                COUNTING, samples, claim=None, settings=(), stock="s", optimized="s"
            )
        )

    assert control("0.5")["verdict"] == "no evidence"
    noisy = control("0.4")
    assert (noisy["verdict"], noisy["claimed"]) == ("worse", None)
    assert "too noisy" in str(noisy["why"])


def test_shellcheck_finds_nothing() -> None:
    pair = Path(__file__).with_name("make-pair.sh")
    ended = subprocess.run(
        [need("shellcheck"), "-s", "sh", str(pair)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout == ""


def test_the_work_of_the_interpreters_runs() -> None:
    """The programs that a runtime is given are ours: they must work before they are compared."""
    import sys

    from converge.measure.benchmarks import BENCHMARKS

    python = next(benchmark for benchmark in BENCHMARKS if benchmark.id == "python")
    made = subprocess.run([sys.executable, *python.arguments], capture_output=True, check=True)
    assert (
        hashlib.sha256(made.stdout).hexdigest()
        == hashlib.sha256(b"131071 10007 2448\n5000001\n").hexdigest()
    )
