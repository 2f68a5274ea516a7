"""Print the table: ``python -m tests.bench [--rounds N] [--rtt MS]``.

Every case runs once in each round, so that a slower machine is slower for all cases. The table has
the median of the rounds, and its ratio to the median of the first case, the floor.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests import sshd
from tests.bench.cases import Case, Place, local_cases, ssh_cases
from tests.bench.slow import slow

PROJECT = Path(__file__).parent.parent.parent
#: Of the environment of this machine: what would make Python compile every module in every run.
NOT_PASSED = ("PYTHONDONTWRITEBYTECODE", "XDG_STATE_HOME")


def once(case: Case, environment: dict[str, str]) -> tuple[float, float]:
    """Run a case: seconds on the clock, and seconds of this side's CPU. Ends where it fails."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        case.command,
        env={**environment, **case.environment},
        cwd=case.directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{case.name}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(title: str, cases: Sequence[Case], rounds: int, environment: dict[str, str]) -> None:
    """Run the cases in turns and print their rows."""
    taken: dict[str, list[tuple[float, float]]] = {case.name: [] for case in cases}
    counts = {}
    for case in cases:  # not counted as a round: caches fill
        begun = case.commands()
        once(case, environment)
        counts[case.name] = case.commands() - begun
    for _ in range(rounds):
        for case in cases:
            taken[case.name].append(once(case, environment))
    floor = statistics.median(wall for wall, _ in taken[cases[0].name])
    print(f"\n| {title} | remote commands | s | spread | x floor | CPU s here |")
    print("|---|---|---|---|---|---|")
    for case in cases:
        walls = sorted(wall for wall, _ in taken[case.name])
        middle = statistics.median(walls)
        cpu = statistics.median(cpu for _, cpu in taken[case.name])
        spread = f"{walls[0]:.2f}-{walls[-1]:.2f}"
        row = (
            case.name,
            counts[case.name] or "-",
            f"{middle:.2f}",
            spread,
            f"{middle / floor:.1f}",
        )
        print(f"| {' | '.join(str(one) for one in row)} | {cpu:.2f} |", flush=True)


@contextlib.contextmanager
def server(rtt: int) -> Iterator[tuple[sshd.Server, int]]:
    """A real sshd, and the port that reaches it with a round trip of ``rtt`` milliseconds."""
    with sshd.serve() as one:
        if not rtt:
            yield one, one.port
            return
        with slow(one.port, rtt / 2000) as port:
            with (one.directory / "known_hosts").open("a") as stream:
                stream.write(f"[127.0.0.1]:{port} {(one.directory / 'host.pub').read_text()}")
            yield one, port


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rtt", type=int, default=0, help="milliseconds of one round trip")
    parser.add_argument("--only", choices=("local", "ssh"), default="", help="one of the tables")
    given = parser.parse_args()
    kept = {name: text for name, text in os.environ.items() if name not in NOT_PASSED}
    with tempfile.TemporaryDirectory(prefix="workspace-tuning-bench-") as directory:
        place = Path(directory)
        environment = {
            **kept,
            "XDG_STATE_HOME": str(place / "controller"),
            "PYINFRA_PROGRESS": "off",
            "PATH": f"{PROJECT / '.tools/bin'}:{os.environ['PATH']}",
        }
        load, cores = os.getloadavg()[0], os.cpu_count()
        print(f"{given.rounds} rounds in turns, {cores} cores, load {load:.1f} at the start")
        if given.only != "ssh":
            here = Place(place, environment)
            measure("on this machine", local_cases(here), given.rounds, environment)
        if given.only != "local":
            with server(given.rtt) as (one, port):
                there = Place(place, environment, server=one, port=port)
                title = (
                    f"over SSH, round trip {given.rtt} ms" if given.rtt else "over SSH, loopback"
                )
                measure(title, ssh_cases(there), given.rounds, environment)


if __name__ == "__main__":
    main()
