"""``python -m tests.measure.here [PAIRS]``: what rows beyond the plan gain on this machine.

It needs root, and a kernel with zram and a cgroup controller for the CPU. The machine's swap and
groups stay as they are: a zram device and two control groups are made, and removed at the end. The
samples of a pair follow each other, in an order that changes; ``converge.measure.gain`` has the
statistics. Prints a table in Markdown.
"""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from converge.measure import choice
from converge.measure.gain import ClaimVerdict, Gain, faster, judge
from converge.setting import Claim
from tasks.reach.remote import program

#: What a person starts: an interpreter and a few libraries, from files that are in memory.
APPLICATION = (sys.executable, "-I", "-c", "import argparse, asyncio, email, json, xml.dom.minidom")
PAGES, CLUSTER = 4096, 8  # pages on the device, and how many the kernel reads by default for one
GROUPS = ("/sys/fs/cgroup/cpu", "/sys/fs/cgroup")


@contextmanager
def device() -> Iterator[Path]:
    """A zram of our own, with the bytes of this interpreter's libraries on it."""
    control = Path("/sys/class/zram-control")
    number = (control / "hot_add").read_text().strip()
    place, node = Path(f"/sys/block/zram{number}"), Path(f"/dev/zram{number}")
    try:
        (place / "disksize").write_text(str(PAGES * choice.PAGE))
        with tempfile.NamedTemporaryFile() as text:
            for file in sorted(Path(os.__file__).parent.glob("*.py")):
                text.write(file.read_bytes())
            text.truncate(PAGES * choice.PAGE)
            text.flush()
            dd(f"if={text.name}", f"of={node}", "bs=4096", "oflag=direct")
        yield node
    finally:
        (place / "reset").write_text("1")
        (control / "hot_remove").write_text(number)


def dd(*arguments: str) -> None:
    subprocess.run(["dd", *arguments], check=True, stderr=subprocess.DEVNULL)


def until_wanted(node: Path, together: int) -> float:
    """Seconds until 512 wanted pages were there, each read with its neighbours."""
    handle = os.open(node, os.O_RDONLY | os.O_DIRECT)
    with mmap.mmap(-1, together * choice.PAGE) as room:
        begin = time.thread_time()  # the decompressor runs in it; others on the CPU do not count
        for wanted in range(512):
            os.preadv(handle, [room], wanted * CLUSTER * choice.PAGE)
        took = time.thread_time() - begin
    os.close(handle)
    return took


@contextmanager
def groups() -> Iterator[tuple[Path, Path]]:
    """A desktop and its builds, side by side; whatever else runs here gets little meanwhile."""
    root = next(Path(group) for group in GROUPS if Path(group, "cpu.idle").exists())
    top = root / "workspace-tuning-here"
    desktop, builds = top / "desktop", top / "builds"
    for one in (top, desktop, builds):
        one.mkdir()
    (top / "cpu.shares").write_text("262144")
    hogs: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(2 * (os.cpu_count() or 1)):
            hogs.append(subprocess.Popen(["sha256sum", "/dev/zero"]))
            (builds / "cgroup.procs").write_text(str(hogs[-1].pid))
        yield desktop, builds
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
        for one in (desktop, builds, top):
            one.rmdir()


def start(desktop: Path) -> float:
    """Seconds until the application has started, in the desktop's group."""
    text = 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"'
    begin = time.perf_counter()
    subprocess.run(["sh", "-c", text, "sh", str(desktop), *APPLICATION], check=True)
    return time.perf_counter() - begin


def paired(pairs: int, before: Callable[[], float], after: Callable[[], float]) -> Gain | None:
    found = []
    for number in range(pairs):
        order = (before, after) if number % 2 else (after, before)
        took = {one: one() for one in order}
        found.append((took[before], took[after]))
    return faster(found)


def compressors(pairs: int) -> Iterator[tuple[str, Gain | None]]:
    names = choice.candidates("lzo-rle")  # the kernel's own default here
    command = ["sh", "-c", program("choose"), "choose", "root", str(pairs), "300", "", *names]
    done = subprocess.run(command, capture_output=True, text=True)
    found = choice.parse(done.stdout.splitlines())
    if found.why:
        raise SystemExit(found.why)
    for name in found.rounds[0]:
        if name != "lzo-rle":
            what = f"a page back from zram: {name} in place of lzo-rle"
            yield what, found.gain(name, "lzo-rle")


def row(what: str, gain: Gain | None) -> str:
    verdict, _ = judge(gain, Claim(subject=what, low=0, high=0))
    word = "gain" if verdict is ClaimVerdict.MET else verdict.value
    if gain is None:
        return f"| {what} | | | {word} |"
    figures = f"{gain.value:+.1f} % | {gain.spread}".replace("-", "\u2212")
    return f"| {what} | {figures} | {word} |"


def main(pairs: int) -> None:
    print("| what | faster | 99 % interval | verdict |\n|---|---|---|---|")
    with device() as node:
        one, eight = (lambda: until_wanted(node, 1)), (lambda: until_wanted(node, CLUSTER))
        print(
            row(
                "a wanted page back from zram: `vm.page-cluster` 0 for 3", paired(pairs, eight, one)
            )
        )
        print(row("control: 3 against itself", paired(pairs, eight, lambda: eight())))
    for what, gain in compressors(pairs):
        print(row(what, gain))
    with groups() as (desktop, builds):

        def among(idle: str) -> float:
            (builds / "cpu.idle").write_text(idle)
            return start(desktop)

        what = "start of an application while builds run: builds idle"
        print(row(what, paired(pairs, lambda: among("0"), lambda: among("1"))))
        print(
            row(
                "control: builds not idle, twice",
                paired(pairs, lambda: among("0"), lambda: among("0")),
            )
        )


if __name__ == "__main__":
    if os.getuid() or not shutil.which("sha256sum"):
        raise SystemExit("needs root and coreutils")
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
