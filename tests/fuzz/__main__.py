"""Fuzz every reader of what a workspace says, led by coverage: ``make fuzz`` (SECONDS, READERS).

Each reader gets a share of the time in a process of its own, and begins with its corpus and right
answers. An input is a fault if it raises another error than the reader's own, takes longer than
``PATIENCE_S`` or needs more than ``MEMORY_MB``: the end of Python's message is shown, and the input
is kept in ``.fuzz/``. The corpus is written anew at the end. Exit 1: a fault was found.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzz import corpus
from tests.fuzz.readers import READERS

PROJECT = Path(__file__).parents[2]
PATIENCE_S = 10
MEMORY_MB = 2048
LONGEST = 4096  # bytes of an input that is tried


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=3600, help="for all readers together")
    parser.add_argument("readers", nargs="*", help=f"of {', '.join(READERS)}; none: all")
    given = parser.parse_args()
    names = given.readers or list(READERS)
    faults = executions = 0
    print(f"{'reader':12}{'seconds':>9}{'executions':>13}{'corpus':>8}  fault", flush=True)
    for name in names:
        began = time.monotonic()
        count, fault = search(name, max(1, given.seconds // len(names)))
        took = time.monotonic() - began
        executions += count
        faults += bool(fault)
        size = len(corpus.kept(name))
        print(f"{name:12}{took:9.0f}{count:13,}{size:8}  {fault or 'none'}", flush=True)
    print(f"{executions:,} executions, {faults} faults")
    return 1 if faults else 0


def search(name: str, seconds: int) -> tuple[int, str]:
    """Search for ``seconds``; how many inputs were tried, and what is wrong."""
    directory = PROJECT / ".fuzz" / name
    (directory / "corpus").mkdir(parents=True, exist_ok=True)
    inputs = [*READERS[name].seeds(), *corpus.kept(name)]
    for number, data in enumerate(inputs):
        (directory / "corpus" / f"seed-{number}").write_bytes(data)
    arguments = [
        *(f"-max_total_time={seconds}", f"-timeout={PATIENCE_S}", f"-rss_limit_mb={MEMORY_MB}"),
        *(f"-max_len={LONGEST}", "-print_final_stats=1", f"-artifact_prefix={directory}/"),
        *("-use_value_profile=0", "-reload=0", "-verbosity=1", str(directory / "corpus")),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.target", name, str(directory / "fault"), *arguments],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    (directory / "log").write_text(done.stdout)
    counts = re.findall(r"^#(\d+)\t", done.stdout, re.MULTILINE)
    fault = ""
    if done.returncode:
        said = re.findall(r"^\w*(?:Error|Exception|Interrupt).*", done.stdout, re.MULTILINE)
        fault = f"{said[0] if said else f'exit {done.returncode}'} (see {directory})"
    else:
        found = [path.read_bytes() for path in sorted((directory / "corpus").iterdir())]
        corpus.keep(name, corpus.choose(READERS[name].read, found))
    return int(counts[-1]) if counts else 0, fault


if __name__ == "__main__":
    sys.exit(main())
