"""Memory of real processes, and which readings are samples."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from converge.measure import memory as measure_memory
from converge.measure import samples
from converge.measure.felt import Felt
from converge.measure.gain import smaller
from converge.measure.history import LIMIT, History
from converge.measure.memory import MemoryUse, UnknownMemory, Used, before_and_after, parse
from converge.subjects.settings import BY_ID
from tasks.reach.remote import program
from tests.tools import need

KWIN = (BY_ID["kwin.contrast"],)


def read(history: Path, *names: str, readings: int = 1) -> list[str]:
    ended = subprocess.run(
        [
            need("dash"),
            "-c",
            program("memory"),
            "workspace-memory",
            str(history),
            str(readings),
            *names,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout.splitlines()


@pytest.fixture
def kwin(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is called as KWin is, and only waits."""
    program = tmp_path / "kwin_x11"
    shutil.copy(str(shutil.which("sleep")), program)
    process = subprocess.Popen([str(program), "60"])
    yield process
    process.kill()
    process.wait()


def sample(when: str, kb: float, instance: str) -> dict[str, object]:
    return {"when": when, "used": {"kwin_x11": {"kb": kb, "processes": 1, "instance": instance}}}


def test_the_memory_of_a_running_program_is_read_with_its_start(
    kwin: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    found = parse(read(tmp_path / "none", "kwin_x11", "kwin_wayland"))
    used = found.used["kwin_x11"]
    rollup = Path(f"/proc/{kwin.pid}/smaps_rollup").read_text()
    pss = sum(int(line.split()[1]) for line in rollup.splitlines() if line[:4] in ("Pss:", "Swap"))
    assert 0.5 * pss < used.kb < 2 * pss
    start = Path(f"/proc/{kwin.pid}/stat").read_text().rpartition(") ")[2].split()[19]
    assert used.instance == f"{found.boot}:{start}"
    assert "kwin_wayland" not in found.used
    assert 0 < found.available_kb <= found.total_kb


def test_the_history_of_a_workspace_comes_byte_for_byte(tmp_path: Path) -> None:
    history = tmp_path / "measurements.json"
    history.write_bytes(bytes(range(256)) * 3000)
    assert parse(read(history)).history == history.read_bytes()


def test_a_cut_answer_is_unknown_and_never_little_memory() -> None:
    lines = ["workspace-memory 1", "boot b", "cpu c", "total 100", "process kwin_x11 1 5 40"]
    lines += ["available 50", "history", base64.b64encode(b"{}").decode(), "end"]
    assert parse(lines).used["kwin_x11"].kb == 40
    for length in range(len(lines)):
        with pytest.raises(UnknownMemory):
            parse(lines[:length])


def test_a_program_is_the_sum_of_its_processes_and_the_median_of_its_readings() -> None:
    lines = ["workspace-memory 1", "boot b", "cpu c", "total 100"]
    for first, second in ((10, 20), (11, 22), (90, 20)):
        lines += [f"process app.slice 7 200 {first}", f"process app.slice 8 150 {second}"]
        lines.append("available 50")
    used = parse([*lines, "history", "end"]).used["app.slice"]
    assert used == Used(kb=33, processes=2, instance="b:150")


def test_reading_the_same_start_again_is_no_new_sample() -> None:
    rows = [sample("before", 200, "b:1"), sample("before", 210, "b:1"), sample("after", 150, "b:2")]
    assert before_and_after(rows, ("kwin_x11",)) == ([210], [150])


def test_a_program_that_was_not_started_again_says_nothing_of_the_new_state() -> None:
    rows = [sample("before", 200, "b:1"), sample("after", 120, "b:1")]
    assert before_and_after(rows, ("kwin_x11",)) == ([200], [])


@pytest.mark.parametrize(
    ("after", "verdict"), [(120, "met"), (170, "below"), (200, "no evidence"), (260, "worse")]
)
def test_less_memory_after_five_logins_each_gets_its_verdict(after: float, verdict: str) -> None:
    rows = [sample("before", 200 + i % 3, f"b:{i}") for i in range(6)]
    rows += [sample("after", after + i % 3, f"c:{i}") for i in range(6)]
    before, now = before_and_after(rows, ("kwin_x11",))
    record = samples.memory(
        "kwin memory", smaller(before, now), settings=KWIN, before=before, after=now
    )
    assert record.verdict == verdict, record


def test_one_login_each_shows_its_figures_and_proves_nothing() -> None:
    before, after = before_and_after(
        [sample("before", 200, "b:1"), sample("after", 100, "b:2")], ("kwin_x11",)
    )
    record = samples.memory(
        "kwin memory", smaller(before, after), settings=KWIN, before=before, after=after
    )
    assert (record.measured, record.low, record.verdict) == (50, None, "no evidence")
    assert "1 before, 1 after" in record.why


def memory(kb: float = 1, instance: str = "b:1") -> MemoryUse:
    used = {"kwin_x11": Used(kb=kb, processes=1, instance=instance)}
    return MemoryUse(boot="b", cpu="c", total_kb=9, available_kb=5, used=used)


def test_history_grows_by_a_sample_and_comes_back_whole() -> None:
    history = History().with_sample(memory(), Felt(), run="r1", time="t1", applied=False)
    history = History.parse(history.encode()).with_sample(
        memory(2, "b:2"), Felt(), run="r2", time="t2", applied=True
    )
    again = History.parse(history.encode())
    assert [row["when"] for row in again.samples] == ["before", "after"]
    assert before_and_after(again.samples, ("kwin_x11",)) == ([1], [2])


def test_history_is_cut_at_its_limit_and_the_oldest_go() -> None:
    history = History(samples=tuple({"n": n} for n in range(LIMIT + 5)))
    kept = History.parse(history.encode()).samples
    assert (len(kept), kept[0]["n"]) == (LIMIT, 5)


def test_history_that_is_torn_anywhere_is_known_to_be_damaged() -> None:
    whole = History().with_sample(memory(), Felt(), run="r", time="t", applied=True).encode()
    for length in range(1, len(whole) - 1):
        assert History.parse(whole[:length]).damaged, length
    assert not History.parse(b"").damaged


@pytest.mark.parametrize(
    "content", [b"[]", b"null", b'{"version": 2}', b'{"version": 1}', b"\xff", b"[" * 100_000]
)
def test_history_of_another_kind_is_damaged(content: bytes) -> None:
    assert History.parse(content).damaged


def test_samples_of_another_shape_are_left_out() -> None:
    odd: list[dict[str, object]] = [{}, {"when": "before"}, {"when": "before", "used": 1}]
    odd += [{"when": "after", "used": {"kwin_x11": {"kb": "many"}}}]
    assert before_and_after(odd, ("kwin_x11",)) == ([], [])
    assert measure_memory.before_and_after([], ()) == ([], [])


def test_what_was_measured_before_is_shown_newest_last() -> None:
    rows = [{"subject": "s", "benchmark": "b", "time": f"t{n}", "measured": n} for n in range(9)]
    other = {"subject": "s", "benchmark": "x", "time": "t", "measured": 99}
    history = History(measurements=(*rows, other))
    found = History.parse(history.encode()).earlier("s", "b")
    assert [one.measured for one in found] == [4, 5, 6, 7, 8]
