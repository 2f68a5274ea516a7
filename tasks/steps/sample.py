"""Take the samples of ``tasks/measure.py`` on one workspace, and record what they say.

What a pair of builds is comes from Nix: the package of the user's own flake, and the one of the
layer. Any two directories with ``bin`` and ``lib`` on the workspace can take their place.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from converge.exits import Exit
from converge.measure import benchmarks as measure_benchmarks
from converge.measure import memory as measure_memory
from converge.measure import samples as measure_samples
from converge.measure.benchmarks import PROCESSES, Benchmark
from converge.measure.gain import smaller
from converge.measure.history import NAME, History
from converge.measure.memory import Memory
from converge.measure.options import Options
from converge.plan import layers
from converge.plan.layers import NixLayer
from converge.plan.plan import Change
from converge.plan.setting import Layer, Setting
from converge.plan.standing import Stand, Standing
from tasks.reach.payload import pack
from tasks.reach.remote import Answer
from tasks.run.begin import Work
from tasks.steps.write import controller

READINGS = 3
Records = list[Mapping[str, object]]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The two builds of a benchmark, or ``why`` there are none."""

    stock: str = ""
    optimized: str = ""
    stock_libraries: str = ""
    optimized_libraries: str = ""
    why: str = ""

    @property
    def control(self) -> Pair:
        """Stock against itself: whatever differs there is what the machine's noise can do."""
        return replace(self, optimized=self.stock, optimized_libraries=self.stock_libraries)


def options(work: Work) -> Options:
    """How to measure; what is wrong with it ends the work before anything is read."""
    try:
        return Options.read(os.environ)
    except ValueError as error:
        work.stop(Exit.INVALID, str(error))
        return Options()


def memory(work: Work) -> Memory | None:
    """Read the memory in use, and the history of the workspace."""
    if not work.open or work.snapshot is None or work.run.dry:
        return None
    slices = tuple(
        f"app-tuned-{standing.setting.id.rpartition('.')[2]}.slice"
        for standing in _standings(work)
        if standing.setting.id.startswith("electron.app.")
    )
    answer = work.remote(
        "memory",
        f"{work.snapshot.state}/{NAME}",
        str(READINGS),
        *measure_benchmarks.process_names(slices),
    )
    try:
        found = measure_memory.parse(answer.lines)
    except measure_memory.UnknownMemory as error:
        work.stop(Exit.FAILED, f"{error}: {answer.last_error}")
        return None
    work.record(
        "memory",
        when="after" if _applied(work) else "before",
        cpu=found.cpu,
        total_kb=found.total_kb,
        available_kb=found.available_kb,
        used={name: {"kb": one.kb, "processes": one.processes} for name, one in found.used.items()},
    )
    work.run.terminal.row(("memory", f"{found.available_kb / 1024:.0f} MiB available"), (26,))
    for name, one in found.used.items():
        work.run.terminal.row(
            (name, f"{one.kb / 1024:.1f} MiB in {one.processes} processes"), (26,)
        )
    return found


def benchmarks(work: Work, options: Options, memory: Memory | None) -> Records:
    """Every claim that is about time: its benchmarks, or why there is no figure for it."""
    records: Records = []
    if not work.open or work.snapshot is None:
        return records
    history = History.parse(memory.history) if memory else History()
    controlled = False
    for subject, settings in _claims(work):
        why = _why_not(work, subject, settings, options)
        for benchmark in measure_benchmarks.benchmarks(subject) if not why else ():
            if options.only and benchmark.id not in options.only:
                continue
            if work.run.dry:
                work.run.terminal.row((benchmark.id, f"would be measured for: {subject}"), (26,))
                continue
            pair = _pair(work, benchmark, settings, options)
            found = _samples(work, benchmark, pair, options)
            if found.pairs and not controlled:
                controlled = True
                again = _samples(work, benchmark, pair.control, options)
                _measured(work, records, benchmark, again, pair.control, history)
            _measured(work, records, benchmark, found, pair, history, settings)
        if why and not options.only:
            _record(work, records, measure_samples.not_measured(subject, settings, why))
    return records


def compare(work: Work, memory: Memory | None, records: Records) -> None:
    """Every claim that is about memory: what was read before the first run, and after it."""
    if not work.open or memory is None:
        return
    samples = _history(work, memory).samples
    for subject, settings in measure_benchmarks.subjects(
        standing.setting for standing in _standings(work)
    ).items():
        if subject in PROCESSES:
            before, after = measure_memory.before_and_after(samples, PROCESSES[subject])
            gain = smaller(before, after)
            record = measure_samples.memory(
                subject, gain, settings=settings, before=before, after=after
            )
            _record(work, records, record)


def keep(work: Work, memory: Memory | None, records: Records) -> None:
    """Add this run to the workspace's history: wholly, or not at all."""
    if not work.open or memory is None or work.snapshot is None:
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    path = f"{work.snapshot.state}/{NAME}"
    before = memory.history
    old = History.parse(before)
    history = _history(work, memory).with_measurements(records, run=work.run.id, time=now)
    changes = [_change(path, before or None, history.encode())]
    if old.damaged:
        aside = f"{path}.damaged-{work.run.id}"
        changes.append(_change(aside, None, before))
        work.step("keep the history", "note", f"the history was damaged; it is now {aside}")
    answer = work.remote(
        "write",
        work.run.id,
        f"{work.record_directory}/measure",
        work.lock,
        controller(),
        "release",
        stdin=pack(changes, home=work.snapshot.home),
    )
    if answer.of("done"):
        work.step("keep the history", "done", path)
    else:
        work.stop(Exit.FAILED, f"measured, but the history could not be kept: {_said(answer)}")


def end(work: Work) -> None:
    """The end of this workspace's part."""
    if work.open:
        work.open = False
        work.run.set(work.host.name, Exit.CONVERGED, "" if work.run.dry else "measured")
    work.run.prepared(work.host.name)


def _standings(work: Work) -> tuple[Standing, ...]:
    return work.plan.standings if work.plan else ()


def _applied(work: Work) -> bool:
    assert work.snapshot is not None
    return bool(work.snapshot.written.files or work.snapshot.written.entries)


def _history(work: Work, memory: Memory) -> History:
    """What the workspace knew, and this run's reading of its memory."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return History.parse(memory.history).with_memory(
        memory, run=work.run.id, time=now, applied=_applied(work)
    )


def _claims(work: Work) -> list[tuple[str, tuple[Setting, ...]]]:
    """Every claim about time and the settings that make it; those in force stand first."""
    standings = sorted(_standings(work), key=lambda standing: not standing.in_force)
    found = measure_benchmarks.subjects(standing.setting for standing in standings)
    return [item for item in found.items() if item[0] not in PROCESSES]


def _why_not(work: Work, subject: str, settings: tuple[Setting, ...], options: Options) -> str:
    """Why a claim is not measured on this workspace, or the empty string."""
    why = measure_benchmarks.why_not(subject)
    standing = next(one for one in _standings(work) if one.setting is settings[0])
    if why or standing.in_force or options.stock:
        return why
    reason = "" if standing.stand is Stand.WITHHELD else f": {standing.why}"
    return f"{standing.setting.id} is not in force ({standing.stand}{reason})"


def _pair(
    work: Work, benchmark: Benchmark, settings: tuple[Setting, ...], options: Options
) -> Pair:
    if options.stock:
        stock, optimized = options.stock, options.optimized
        if benchmark.library:
            return _of_library(benchmark, stock, optimized)
        return Pair(
            stock=f"{stock}/bin/{benchmark.program}",
            optimized=f"{optimized}/bin/{benchmark.program}",
            stock_libraries=f"{stock}/lib",
            optimized_libraries=f"{optimized}/lib",
        )
    assert work.snapshot is not None and work.plan is not None
    choices, snapshot = work.choices, work.snapshot
    nix = next(
        one
        for one in layers.nix_layers(
            snapshot, root=choices.root, host=choices.host, user=choices.user
        )
        if one.layer is settings[0].layer
    )
    if nix.layer in work.plan.not_applicable:
        return Pair(why=work.plan.not_applicable[nix.layer])
    if f"{nix.directory}/flake.nix" not in snapshot.nodes:
        return Pair(why=f"the {nix.layer} layer is not on the workspace yet: run deploy.py first")
    answer = work.remote(
        "pair",
        f"{snapshot.state}/roots/measure",
        snapshot.flakes[nix.base].url,
        nix.directory,
        _sets(nix, work)[0],
        "|".join(benchmark.stock),
        "|".join(benchmark.optimized),
        benchmark.library or f"bin/{benchmark.program}",
        *_sets(nix, work),
        timeout=work.host.data.get("build_timeout"),
    )
    stock, optimized = answer.first("stock"), answer.first("optimized")
    if not stock or not optimized:
        return Pair(why=answer.last_error)
    if benchmark.library:
        return _of_library(benchmark, stock, optimized)
    return Pair(
        stock=f"{stock}/bin/{benchmark.program}", optimized=f"{optimized}/bin/{benchmark.program}"
    )


def _of_library(benchmark: Benchmark, stock: str, optimized: str) -> Pair:
    """The same program twice, with the one library and with the other."""
    return Pair(
        stock=benchmark.program,
        optimized=benchmark.program,
        stock_libraries=f"{stock}/{benchmark.library}",
        optimized_libraries=f"{optimized}/{benchmark.library}",
    )


def _sets(nix: NixLayer, work: Work) -> tuple[str, ...]:
    """Attributes of the configuration: the layer's name for it first, then how others spell it."""
    if nix.layer is Layer.NIXOS:
        return (f'nixosConfigurations."{work.choices.host}"',)
    names = (f"{work.choices.user}@{work.choices.host}", work.choices.user)
    return tuple(f'homeConfigurations."{name}"' for name in names)


def _samples(
    work: Work, benchmark: Benchmark, pair: Pair, options: Options
) -> measure_samples.Samples:
    if pair.why:
        return measure_samples.Samples(why=pair.why)
    answer = work.remote(
        "measure",
        str(options.rounds),
        str(options.seconds),
        pair.stock,
        pair.optimized,
        pair.stock_libraries,
        pair.optimized_libraries,
        *benchmark.arguments,
        timeout=options.seconds + 600,
    )
    if answer.lines and not answer.lost:
        return measure_samples.parse(answer.lines)
    return measure_samples.Samples(why=_said(answer))


def _measured(
    work: Work,
    records: Records,
    benchmark: Benchmark,
    found: measure_samples.Samples,
    pair: Pair,
    history: History,
    settings: tuple[Setting, ...] = (),
) -> None:
    """Record a benchmark; without settings it is the control."""
    subject = benchmark.subject if settings else measure_samples.CONTROL
    record = measure_samples.measurement(
        benchmark,
        found,
        claim=settings[0].claim if settings else None,
        settings=settings,
        stock=pair.stock_libraries if benchmark.library else pair.stock,
        optimized=pair.optimized_libraries if benchmark.library else pair.optimized,
        earlier=history.earlier(subject, benchmark.id),
    )
    _record(work, records, record)


def _record(work: Work, records: Records, record: Mapping[str, object]) -> None:
    records.append(record)
    if work.run.dry:
        return
    work.record("measurement", **record)
    name = str(record["benchmark"] or record["subject"])
    if record["subject"] in (measure_samples.CONTROL, *PROCESSES):
        name = str(record["subject"])
    work.run.terminal.row((name, measure_samples.sentence(record)), (26,))


def _change(path: str, before: bytes | None, after: bytes) -> Change:
    return Change(path=path, layer=Layer.SESSION, before=before, after=after, mode=0o600)


def _said(answer: Answer) -> str:
    if answer.of("locked"):
        return "locked by another run"
    if answer.of("stale"):
        return "another run measured meanwhile"
    return answer.first("refused") or answer.last_error
