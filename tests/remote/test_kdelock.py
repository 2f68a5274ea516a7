"""remote/kdelock.sh: KDE's lock by Qt's own rules, with the real kwriteconfig as the judge. U9."""

from __future__ import annotations

import fcntl
import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tasks.reach.remote import PROGRAMS, joined, program
from tests.remote.reading import BOOT
from tests.remote.test_write import Place
from tests.tools import need

PROGRAM = joined(PROGRAMS / "kdelock.sh")
HOST = os.uname().nodename
MACHINE = Path("/etc/machine-id").read_text().strip()
NAME = Path("/proc/self/exe").resolve().name
LIVE = f"{os.getpid()}\n{NAME}\n{HOST}\n{MACHINE}\n{BOOT}\n"
HOUR = 3600

#: content, age in seconds, whether a process has it flocked, whether Qt removes it at once
CASES = {
    "live": (LIVE, 0, False, False),
    "live in the old form": (f"{os.getpid()}\n{NAME}\n{HOST}\n", 0, False, False),
    "its process is gone": (f"999999999\n{NAME}\n{HOST}\n{MACHINE}\n{BOOT}\n", 0, False, True),
    "its id was reused": (f"{os.getpid()}\nkwin_x11\n{HOST}\n{MACHINE}\n{BOOT}\n", 0, False, True),
    "another boot": (f"{os.getpid()}\n{NAME}\n{HOST}\n{MACHINE}\n{BOOT[:-1]}x\n", 0, False, True),
    "the host name changed": (f"1\nx\nold-name\n{MACHINE}\n{BOOT}\n", 0, False, True),
    "another machine": (f"1\nx\n{HOST}\n{'0' * 32}\n{BOOT}\n", 0, False, False),
    "another machine, old": (f"1\nx\nother\n{'0' * 32}\n{BOOT}\n", HOUR, False, True),
    "empty": ("", 0, False, False),
    "empty, old": ("", HOUR, False, True),
    "empty, of the future": ("", -HOUR, False, True),
    "junk": ("junk\n", 0, False, False),
    "junk, old": ("junk\n", HOUR, False, True),
    "no process": (f"0\nx\n{HOST}\n", 0, False, False),
    "live, an hour old": (LIVE, HOUR, False, True),
    "live, an hour old, and flocked": (LIVE, HOUR, True, False),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    need("dash")
    return tmp_path / "judged"


def make(file: Path, content: str, age: int) -> Path:
    lock = file.with_name("judged.lock")
    lock.write_text(content)
    stamp = time.time() - age
    os.utime(lock, (stamp, stamp))
    return lock


def ours(file: Path, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["dash", "-c", PROGRAM + script, "kdelock", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
    )


def kde_removes(file: Path) -> bool:
    command = [need("kwriteconfig"), "--file", str(file), "--group", "A", "--key", "k", "1"]
    environment = {**os.environ, "QT_LOGGING_RULES": "*=false", "HOME": str(file.parent)}
    try:
        subprocess.run(command, env=environment, capture_output=True, timeout=1.5)
    except subprocess.TimeoutExpired:
        return False
    return file.exists()


@pytest.mark.parametrize("case", CASES)
def test_u9_a_lock_is_stale_where_it_is_for_qt(file: Path, case: str) -> None:
    content, age, flocked, stale = CASES[case]
    for judge in ("kde", "ours"):
        lock = make(file, content, age)
        with lock.open() as held:
            if flocked:
                fcntl.flock(held, fcntl.LOCK_EX)
            if judge == "kde":
                assert kde_removes(file) is stale
            else:
                done = ours(file, 'kde_try "$1.lock" && echo taken && kde_drop "$1.lock"')
                assert ("taken" in done.stdout) is stale, done.stderr
                assert done.stderr == ""
        assert lock.exists() is not stale
        assert not file.with_name("judged.lock.rmlock").exists()
        file.unlink(missing_ok=True)


def test_u9_what_is_held_says_by_whom(file: Path) -> None:
    make(file, "", 0)
    short = "sleep() { kde_since=0; }; "
    done = ours(file, short + 'kde_lock "$1" || say "$kde_why"')
    assert done.stdout == f"KConfig's lock {file}.lock names no process\n"
    make(file, LIVE, 0)
    done = ours(file, short + 'kde_lock "$1" || say "$kde_why"')
    assert done.stdout == f"KConfig's lock is held by process {os.getpid()} ({NAME}) on {HOST}\n"


def test_u9_a_lock_that_has_no_room_is_said_with_the_reason_and_is_gone(file: Path) -> None:
    """The limit of a file's size stands for a full disk: both refuse the bytes, not the name."""
    full = 'trap "" XFSZ; ulimit -f 0; '
    done = ours(file, full + 'kde_lock "$1"; say "$? $kde_why"')
    assert done.stdout == f"2 KConfig's lock {file}.lock cannot be made: File too large\n"
    assert not done.stderr
    assert not list(file.parent.iterdir())


def test_u9_our_lock_is_one_that_kde_waits_for_even_when_it_is_old(file: Path) -> None:
    script = 'kde_lock "$1"; touch -d "1 hour ago" "$1.lock"; echo held; read -r _; kde_unlock'
    with subprocess.Popen(
        ["dash", "-c", PROGRAM + script, "kdelock", str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "held\n"
        lock = file.with_name("judged.lock").read_text().splitlines()
        assert lock == [str(process.pid), "dash", HOST, MACHINE, BOOT]
        assert not kde_removes(file)
        process.stdin.close()
        assert process.wait(timeout=20) == 0
    assert kde_removes(file)


def test_u9_of_many_that_clear_a_stale_lock_one_has_it_at_a_time(file: Path) -> None:
    """Each counts alone while it holds the lock; one leaves a stale lock behind on its way."""
    make(file, f"999999999\n{NAME}\n{HOST}\n{MACHINE}\n{BOOT}\n", 0)
    script = (
        'for _ in 1 2 3 4 5; do kde_lock "$1" || exit 1; read -r n <"$1" || n=0; '
        'echo $((n + 1)) >"$1"; if [ "$n" = 7 ]; then echo 999999999 >"$1.lock"; '
        'eval "exec $kde_fd>&-"; kde_fd=3 kde_taken=""; else kde_unlock; fi; done'
    )
    file.write_text("0\n")
    codes: list[int] = []
    workers = [
        threading.Thread(target=lambda: codes.append(ours(file, script).returncode))
        for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert codes == [0] * 4
    assert file.read_text() == "20\n"


def test_u4_kdes_lock_is_held_for_a_look_and_a_rename_alone(tmp_path: Path) -> None:
    """strace shows which programs run between making and removing the lock."""
    place = Place(tmp_path)
    log, lock = tmp_path / "calls", place.home / ".config/kwinrc.lock"
    state = tmp_path / "state"
    calls = "trace=execve,openat,unlink,unlinkat"
    subprocess.run(
        [
            *(need("strace"), "-f", "-qq", "-z", "-s", "400", "-e", calls, "-o", str(log)),
            *("dash", "-c", program("write"), "workspace-write", "run-1"),
            *(str(state / "runs/run-1"), str(state / "lock"), "here me 1 1", "release"),
        ],
        input=place.payload().encode(),
        env={**os.environ, "HOME": str(place.home)},
        check=True,
        capture_output=True,
        timeout=120,
    )
    lines = log.read_text().splitlines()
    made = next(n for n, line in enumerate(lines) if f'"{lock}", O_WRONLY|O_CREAT|O_EXCL' in line)
    gone = next(n for n, line in enumerate(lines) if "unlink" in line and f'"{lock}"' in line)
    held = [line.partition('execve("')[2].partition('"')[0] for line in lines[made:gone]]
    programs = [Path(path).name for path in held if path]
    assert set(programs) <= {"flock", "sha256sum", "mv", "rm"}
    assert programs.count("mv") == len(place.files)
