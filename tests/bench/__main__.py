"""Print the tables: ``python -m tests.bench [--rounds N] [--rtt MS] [--hosts N] [--only TABLE]``.

Every case runs once in each round, so that a machine that gets slower gets slower for all of them;
shown is the median of the rounds, and how often that is the median of the first case, the floor.
Processes are those that the whole machine started meanwhile: the least of all rounds. Commands and
bytes are those of the last round.
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
from dataclasses import dataclass
from pathlib import Path

from tests import sshd
from tests.bench import cases, fleet
from tests.bench.cases import Case, Place
from tests.bench.relay import Relay, relay

PROJECT = Path(__file__).parent.parent.parent
#: Of the environment of this machine: what would make Python compile every module in every run.
NOT_PASSED = ("PYTHONDONTWRITEBYTECODE", "XDG_STATE_HOME")
COLUMNS = ("s", "spread", "x floor", "CPU s here", "processes", "commands", "kB up", "kB down")


@dataclass(frozen=True)
class Sample:
    """One run of a case: seconds, and what was counted meanwhile."""

    wall: float
    cpu: float  # of this side
    processes: int
    commands: int
    up: int  # bytes
    down: int


def _started() -> int:
    """How many processes this machine has started since it booted."""
    lines = Path("/proc/stat").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("processes "))


def once(case: Case, place: Place) -> Sample:
    """Run a case. Ends the program where the case ends with another code than it should."""
    case.before()
    way, commands, processes = place.relay, place.commands(), _started()
    up, down = way.up, way.down
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        case.command,
        env={**place.environment, **case.environment},
        cwd=case.directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != case.code:
        sys.exit(f"{case.name}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return Sample(
        wall=wall,
        cpu=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        processes=_started() - processes,
        commands=place.commands() - commands,
        up=way.up - up,
        down=way.down - down,
    )


def measure(title: str, todo: Sequence[Case], rounds: int, place: Place) -> None:
    """Run the cases in turns and print their rows."""
    for case in todo:  # not counted as a round: caches fill
        once(case, place)
    taken: dict[str, list[Sample]] = {case.name: [] for case in todo}
    for _ in range(rounds):
        for case in todo:
            taken[case.name].append(once(case, place))
    print(f"\n| {title} | {' | '.join(COLUMNS)} |\n|---{'|---' * len(COLUMNS)}|")
    floor = statistics.median(one.wall for one in taken[todo[0].name])
    for case in todo:
        samples = taken[case.name]
        walls, last = sorted(one.wall for one in samples), samples[-1]
        row = (
            case.name,
            f"{statistics.median(walls):.2f}",
            f"{walls[0]:.2f}-{walls[-1]:.2f}",
            f"{statistics.median(walls) / floor:.2f}",
            f"{statistics.median(one.cpu for one in samples):.2f}",
            min(one.processes for one in samples),
            last.commands or "-",
            *(round(number / 1000) if number else "-" for number in (last.up, last.down)),
        )
        print(f"| {' | '.join(map(str, row))} |", flush=True)


@contextlib.contextmanager
def server(rtt: int) -> Iterator[tuple[sshd.Server, Relay]]:
    """A real sshd, and the way to it with a round trip of ``rtt`` milliseconds."""
    with sshd.serve() as one, relay(one.port, rtt / 2000) as way:
        with (one.directory / "known_hosts").open("a") as stream:
            stream.write(f"[127.0.0.1]:{way.port} {(one.directory / 'host.pub').read_text()}")
        yield one, way


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rtt", type=int, default=0, help="milliseconds of one round trip")
    parser.add_argument("--hosts", type=int, default=10, help="workspaces of the table fleet")
    tables = ("local", "ssh", "change", "fleet")
    parser.add_argument("--only", choices=tables, action="append", help="these tables")
    given = parser.parse_args()
    wanted = given.only or tables
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
        if "local" in wanted:
            here = Place(place, environment)
            measure("on this machine", cases.local(here), given.rounds, here)
        if wanted == ["local"]:
            return
        with server(given.rtt) as (one, way):
            there = Place(place, environment, server=one, relay=way)
            trip = f"over SSH, round trip {given.rtt} ms"
            for name, title, make in (
                ("ssh", f"nothing to change, {trip}", cases.over_ssh),
                ("change", f"changes, {trip}", cases.changes),
                ("fleet", f"{given.hosts} workspaces, {trip}", fleet.cases),
            ):
                if name in wanted:
                    todo = make(there, given.hosts) if name == "fleet" else make(there)
                    measure(title, todo, given.rounds, there)


if __name__ == "__main__":
    main()
