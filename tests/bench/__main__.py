"""Print the tables: ``python -m tests.bench [--rounds N] [--rtt MS]... [--hosts N]...
[--only TABLE]... [--keep]``.

Every case runs once in each round, so that a machine that gets slower gets slower for all of them;
shown is the median of the rounds, and how often that is the median of the first case, the floor.
Processes are those that the whole machine started meanwhile: the least of all rounds. Commands and
bytes are those of the last round. ``--keep`` writes what was measured for ``docs/speed.md``
(``python -m tests.bench.page``).
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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import sshd
from tests.bench import cases, fleet, kept
from tests.bench.cases import Case, Place
from tests.bench.kept import Row, Table
from tests.bench.relay import Relay, relay

PROJECT = Path(__file__).parent.parent.parent
#: Of the environment of this machine: what would make Python compile every module in every run.
NOT_PASSED = ("PYTHONDONTWRITEBYTECODE", "XDG_STATE_HOME")


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


def measure(title: str, todo: Sequence[Case], rounds: int, place: Place) -> Table:
    """Run the cases in turns and print their rows."""
    for case in todo:  # not counted as a round: caches fill
        if case.rounds is None:
            once(case, place)
    taken: dict[str, list[Sample]] = {case.name: [] for case in todo}
    for number in range(rounds):
        for case in todo:
            if case.rounds is None or number < case.rounds:
                taken[case.name].append(once(case, place))
    floor = statistics.median(one.wall for one in taken[todo[0].name])
    table = Table(title, [_row(case, taken[case.name], floor) for case in todo])
    print("\n" + "\n".join(table.lines()), flush=True)
    return table


def _row(case: Case, samples: Sequence[Sample], floor: float) -> Row:
    walls, last = sorted(one.wall for one in samples), samples[-1]
    return Row(
        name=case.name,
        s=round(statistics.median(walls), 2),
        least=round(walls[0], 2),
        most=round(walls[-1], 2),
        times=round(statistics.median(walls) / floor, 2),
        cpu=round(statistics.median(one.cpu for one in samples), 2),
        processes=min(one.processes for one in samples),
        commands=last.commands,
        up=round(last.up / 1000),
        down=round(last.down / 1000),
    )


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
    parser.add_argument("--rtt", type=int, action="append", help="milliseconds of a round trip")
    parser.add_argument("--hosts", type=int, action="append", help="workspaces of the table fleet")
    tables = ("local", "ssh", "change", "fleet")
    parser.add_argument("--only", choices=tables, action="append", help="these tables")
    parser.add_argument("--keep", action="store_true", help=f"write {kept.PATH.name}")
    given = parser.parse_args()
    wanted = given.only or tables
    passed = {name: text for name, text in os.environ.items() if name not in NOT_PASSED}
    found: list[Table] = []
    with tempfile.TemporaryDirectory(prefix="workspace-tuning-bench-") as directory:
        place = Path(directory)
        environment = {
            **passed,
            "XDG_STATE_HOME": str(place / "controller"),
            "PYINFRA_PROGRESS": "off",
            "PATH": f"{PROJECT / '.tools/bin'}:{os.environ['PATH']}",
        }
        load, cores = os.getloadavg()[0], os.cpu_count()
        print(f"{given.rounds} rounds in turns, {cores} cores, load {load:.1f} at the start")
        if "local" in wanted:
            here = Place(place, environment)
            found.append(measure("on this machine", cases.local(here), given.rounds, here))
        for number, rtt in enumerate(given.rtt or [0]):
            if set(wanted) - {"local"}:
                found += _over_ssh(place, environment, rtt, wanted, given, first=number == 0)
    if given.keep:
        kept.keep(found, " ".join(sys.argv[1:]), given.rounds, environment["PATH"])


def _over_ssh(
    place: Path,
    environment: Mapping[str, str],
    rtt: int,
    wanted: Sequence[str],
    given: argparse.Namespace,
    *,
    first: bool,
) -> Iterator[Table]:
    """The tables over SSH. ``first``: many workspaces, and peers that take long, too."""
    directory = place / f"rtt-{rtt}"
    directory.mkdir()
    with server(rtt) as (one, way):
        there = Place(directory, environment, server=one, relay=way)
        trip = f"round trip {rtt} ms"
        if "ssh" in wanted:
            yield measure(
                f"nothing to change, {trip}", cases.over_ssh(there, slow=first), given.rounds, there
            )
        if "change" in wanted:
            yield measure(f"changes, {trip}", cases.changes(there, slow=first), given.rounds, there)
        for hosts in (given.hosts or [10]) if "fleet" in wanted and first else []:
            todo = fleet.cases(there, hosts)
            yield measure(f"{hosts} workspaces, {trip}", todo, given.rounds, there)


if __name__ == "__main__":
    main()
