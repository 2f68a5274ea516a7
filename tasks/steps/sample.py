"""Take the samples of ``tasks/measure.py`` on one workspace, and record the measurements.

The two builds of a pair come from Nix: the package of the user's own flake, and that of the layer.
Two directories with ``bin`` and ``lib`` on the workspace can replace them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from converge.exits import Exit, Outcome
from converge.journal.measured import MeasurementRecord, MemoryRecord, ProgramMemory
from converge.measure import benchmarks as measure_benchmarks
from converge.measure import memory as measure_memory
from converge.measure import samples as measure_samples
from converge.measure.benchmarks import PROCESSES, Benchmark
from converge.measure.felt import Felt
from converge.measure.gain import smaller
from converge.measure.history import NAME, History, Row
from converge.measure.memory import MemoryUse
from converge.measure.options import Options
from converge.plan import layers
from converge.plan.layers import NixLayer
from converge.plan.plan import Change
from converge.plan.standing import Stand
from converge.problem import count
from converge.setting import Layer, Setting
from tasks.reach.payload import pack
from tasks.reach.remote import Answer
from tasks.run.stages import Given, Over, Planned
from tasks.steps.lock import controller

READINGS = 3
#: Why a claim has no benchmark here; each reason is in the journal, in the report, and with -v.
NOT_IN_FORCE = "whose settings are not in force here (tasks/why.py says why)"
NO_BENCHMARK = "which no benchmark of one program tells (-v says why)"
Records = list[MeasurementRecord]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The two builds of a benchmark; without them, ``why``."""

    stock: str = ""
    optimized: str = ""
    stock_libraries: str = ""
    optimized_libraries: str = ""
    why: str = ""

    @property
    def control(self) -> Pair:
        """Stock against itself: a difference shows the noise of the machine."""
        return replace(self, optimized=self.stock, optimized_libraries=self.stock_libraries)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Measuring(Planned):
    """The options, the memory in use with the history (None in a dry run), and what is felt."""

    options: Options
    memory: MemoryUse | None = None
    felt: Felt = field(default_factory=Felt)
    records: Records = field(default_factory=list)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Measured(Measuring):
    """All was measured. ``records``: the measurements, as they are in the journal."""


def options(work: Given) -> Given:
    """Check the variables MEASURE_... of the environment first. Raises ``Over``."""
    _options()
    return work


def _options() -> Options:
    try:
        return Options.read(os.environ)
    except ValueError as error:
        raise Over(str(error), Exit.INVALID) from error


def memory(work: Planned) -> Measuring:
    """Read the memory in use, and the history of the workspace."""
    if work.run.dry:
        return Measuring.of(work, options=_options())
    slices = tuple(
        f"app-tuned-{standing.setting.id.rpartition('.')[2]}.slice"
        for standing in work.plan.standings
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
        raise Over(f"{error}: {answer.last_error}", Exit.FAILED) from error
    work.record(
        MemoryRecord(
            when="after" if _applied(work) else "before",
            cpu=found.cpu,
            total_kb=found.total_kb,
            available_kb=found.available_kb,
            used={
                name: ProgramMemory(kb=one.kb, processes=one.processes)
                for name, one in found.used.items()
            },
        )
    )
    work.run.terminal.row(("memory", f"{found.available_kb / 1024:.0f} MiB available"), (26,))
    for name, one in found.used.items():
        work.run.terminal.row(
            (name, f"{one.kb / 1024:.1f} MiB in {one.processes} processes"), (26,)
        )
    return Measuring.of(work, options=_options(), memory=found)


def benchmarks(work: Measuring) -> Measured:
    """Measure every claim about time by its benchmarks, or record why it has no figure."""
    records: Records = [*work.records]
    options, memory = work.options, work.memory
    history = History.parse(memory.history) if memory else History()
    controlled = False
    silent: dict[str, list[str]] = {}  # claims without a benchmark, by what is said of them
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
            kind = NO_BENCHMARK if measure_benchmarks.why_not(subject) else NOT_IN_FORCE
            silent.setdefault(kind, []).append(subject)
            record = measure_samples.not_measured(subject, settings, why)
            _record(work, records, record, brief=not work.run.verbose)
    if not (work.run.dry or work.run.verbose):
        for kind, names in silent.items():
            text = f"{count(len(names), 'claim')}, {kind}: {', '.join(names)}"
            work.run.terminal.row(("not measured", text), (26,))
    return Measured.of(work, records=records)


def compare(work: Measured) -> Measured:
    """Compare, for every claim about memory, the samples before the first run and after it."""
    if work.memory is None:
        return work
    records = list(work.records)
    samples = samples_with(work)
    for subject, settings in measure_benchmarks.subjects(
        standing.setting for standing in work.plan.standings
    ).items():
        if subject in PROCESSES:
            before, after = measure_memory.before_and_after(samples, PROCESSES[subject])
            gain = smaller(before, after)
            record = measure_samples.memory(
                subject, gain, settings=settings, before=before, after=after
            )
            _record(work, records, record)
    return Measured.of(work, records=records)


def keep(work: Measured) -> Measured:
    """Write the history with this run's samples and measurements to the workspace."""
    memory, records = work.memory, work.records
    if memory is None:
        return work
    now = datetime.now(UTC).isoformat(timespec="seconds")
    path = f"{work.snapshot.state}/{NAME}"
    before = memory.history
    old = History.parse(before)
    history = _history(work).with_measurements(records, run=work.run.id, time=now)
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
    if not answer.of("done"):
        why = f"measured, but the history could not be kept: {_said(answer)}"
        raise Over(why, Exit.FAILED)
    work.step("keep the history", "done", path)
    return work


def end(work: Measured) -> Measured:
    """Set the outcome of this workspace."""
    claims = [record for record in work.records if record.subject != measure_samples.CONTROL]
    if work.run.dry:
        work.ends(Outcome.TO_MEASURE)
    else:
        figures = sum(claim.measured is not None for claim in claims)
        work.ends(
            Outcome.MEASURED, f"memory in use, and {figures} of {count(len(claims), 'claim')}"
        )
    return work


def _applied(work: Planned) -> bool:
    return bool(work.snapshot.written.files or work.snapshot.written.entries)


def samples_with(work: Measuring) -> Sequence[Row]:
    """The samples of all runs on this workspace, that of this run last."""
    return _history(work).samples


def _history(work: Measuring) -> History:
    """The workspace's history with the sample of this run."""
    assert work.memory is not None
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return History.parse(work.memory.history).with_sample(
        work.memory, work.felt, run=work.run.id, time=now, applied=_applied(work)
    )


def _claims(work: Planned) -> list[tuple[str, tuple[Setting, ...]]]:
    """Every claim about time with the settings that make it, settings in force first."""
    standings = sorted(work.plan.standings, key=lambda standing: not standing.in_force)
    found = measure_benchmarks.subjects(standing.setting for standing in standings)
    return [item for item in found.items() if item[0] not in PROCESSES]


def _why_not(work: Planned, subject: str, settings: tuple[Setting, ...], options: Options) -> str:
    """Why a claim is not measured on this workspace, or the empty string."""
    why = measure_benchmarks.why_not(subject)
    standing = next(each for each in work.plan.standings if each.setting is settings[0])
    if why or standing.in_force or options.stock:
        return why
    reason = "" if standing.stand is Stand.WITHHELD else f": {standing.why}"
    return f"{standing.setting.id} is not in force ({standing.stand}{reason})"


def _pair(
    work: Planned, benchmark: Benchmark, settings: tuple[Setting, ...], options: Options
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
    choices, snapshot = work.choices, work.snapshot
    nix = next(
        layer
        for layer in layers.nix_layers(
            snapshot, root=choices.root, host=choices.host, user=choices.user
        )
        if layer.layer is settings[0].layer
    )
    if nix.layer in work.plan.not_applicable:
        return Pair(why=work.plan.not_applicable[nix.layer])
    if not {f"{nix.directory}/flake.nix", nix.data} <= snapshot.nodes.keys():
        return Pair(why=f"the {nix.layer} layer is not on the workspace yet: run deploy.py first")
    base = snapshot.flakes[nix.base]
    if why := base.fault(nix.read_with):
        return Pair(why=why)
    answer = work.remote(
        "pair",
        f"{snapshot.state}/roots/measure",
        base.url,
        nix.directory,
        _sets(nix, work)[0],
        "|".join(benchmark.stock),
        "|".join(benchmark.optimized),
        benchmark.library or f"bin/{benchmark.program}",
        "--impure" if base.impure else "",
        *_sets(nix, work),
        what=f"build what is compared for {benchmark.subject}",
        timeout=work.choices.build_limit_s,
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
    """A pair of the same program with the stock and with the optimized library."""
    return Pair(
        stock=benchmark.program,
        optimized=benchmark.program,
        stock_libraries=f"{stock}/{benchmark.library}",
        optimized_libraries=f"{optimized}/{benchmark.library}",
    )


def _sets(nix: NixLayer, work: Planned) -> tuple[str, ...]:
    """Attributes of the configuration in the user's flake: the usual name first."""
    if nix.within:  # both have the nixpkgs of the system
        return ("home", f'nixosConfigurations."{work.choices.host}"')
    if nix.layer is Layer.NIXOS:
        return (f'nixosConfigurations."{work.choices.host}"',)
    names = (f"{work.choices.user}@{work.choices.host}", work.choices.user)
    return tuple(f'homeConfigurations."{name}"' for name in names)


def _samples(
    work: Planned, benchmark: Benchmark, pair: Pair, options: Options
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
        what=f"measure {benchmark.subject}",
        timeout=options.seconds + 600,
    )
    if answer.lines and not answer.lost:
        return measure_samples.parse(answer.lines)
    return measure_samples.Samples(why=_said(answer))


def _measured(
    work: Planned,
    records: Records,
    benchmark: Benchmark,
    found: measure_samples.Samples,
    pair: Pair,
    history: History,
    settings: tuple[Setting, ...] = (),
) -> None:
    """Record a benchmark; without settings this is the control."""
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


def _record(
    work: Planned, records: Records, record: MeasurementRecord, *, brief: bool = False
) -> None:
    """Put a measurement into the journal, and say it unless ``brief``."""
    records.append(record)
    if work.run.dry:
        return
    work.record(record)
    if brief:
        return
    name = record.benchmark or record.subject
    if record.subject in (measure_samples.CONTROL, *PROCESSES):
        name = record.subject
    work.run.terminal.row((name, measure_samples.sentence(record)), (26,))


def _change(path: str, before: bytes | None, after: bytes) -> Change:
    return Change(path=path, layer=Layer.SESSION, before=before, after=after, mode=0o600)


def _said(answer: Answer) -> str:
    if answer.of("locked"):
        return "locked by another run"
    if answer.of("stale"):
        return "another run measured meanwhile"
    return answer.first("refused") or answer.last_error
