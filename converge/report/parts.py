"""The parts of a report, each read from one record (or one row of one) without trusting it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from converge.journal.journal import Record
from converge.proof.effect import Effect

#: The order in which effects are shown: what needs a person comes first.
WORST_FIRST = (
    Effect.NOT_EFFECTIVE,
    Effect.UNKNOWN,
    Effect.PENDING,
    Effect.EFFECTIVE,
    Effect.NOT_APPLICABLE,
)


def string(record: Mapping[str, object], key: str) -> str:
    """A field as text; numbers are written out, lists joined, nothing is ''."""
    return _text(record.get(key))


def strings(value: object) -> tuple[str, ...]:
    return tuple(_text(one) for one in value) if isinstance(value, list) else ()


def number(record: Mapping[str, object], key: str) -> float | None:
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e12:
        return None
    return float(value)


def integer(record: Mapping[str, object], key: str) -> int:
    return int(number(record, key) or 0)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(_text(one) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_text(one)}" for key, one in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def short(path: str, home: str) -> str:
    return f"~{path[len(home) :]}" if home and path.startswith(f"{home}/") else path


@dataclass(frozen=True, kw_only=True)
class Change:
    """A file that a run creates, replaces or removes."""

    path: str
    layer: str
    verb: str
    root: bool
    before: str  # digest, or "absent"
    after: str


def changes(plan: Record, home: str) -> tuple[Change, ...]:
    """The changes in the summary of a ``plan`` record."""
    summary = plan.get("summary")
    rows = summary.get("changes") if isinstance(summary, dict) else None
    found = []
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict):
            before, after = string(row, "before"), string(row, "after")
            verb = "remove" if after == "absent" else "create" if before == "absent" else "replace"
            found.append(
                Change(
                    path=short(string(row, "path"), home),
                    layer=string(row, "layer"),
                    verb=verb,
                    root=row.get("root") is True,
                    before=before[:12],
                    after=after[:12],
                )
            )
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry of a KDE file, before and after."""

    path: str
    group: str
    key: str
    before: str
    after: str

    @classmethod
    def read(cls, row: Record, home: str) -> Entry:
        return cls(
            path=short(string(row, "path"), home),
            group=string(row, "group"),
            key=string(row, "key"),
            before="(absent)" if row.get("before") is None else string(row, "before"),
            after="(deleted)" if row.get("after") is None else string(row, "after"),
        )


@dataclass(frozen=True, kw_only=True)
class Drift:
    """A managed value that somebody else changed since it was last written."""

    path: str
    what: str
    old: str
    found: str
    wanted: str

    @classmethod
    def read(cls, record: Record, home: str) -> Drift:
        return cls(
            path=short(string(record, "path"), home),
            what=string(record, "what"),
            old=string(record, "old"),
            found=string(record, "found"),
            wanted=string(record, "wanted"),
        )


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found. ``phase`` and ``title`` are those of the setting's row, if any."""

    check: str
    setting: str
    title: str
    phase: str
    effect: Effect
    expected: str
    found: str
    reason: str
    counts: bool  # False: a reminder to a person, which decides nothing
    run: str

    @classmethod
    def read(cls, record: Record, run: str) -> Finding:
        from converge.subjects.settings import BY_ID

        row = BY_ID.get(string(record, "setting"))
        try:
            effect = Effect(string(record, "effect"))
        except ValueError:
            effect = Effect.UNKNOWN
        return cls(
            check=string(record, "check"),
            setting=string(record, "setting"),
            title=string(record, "title") or (row.title if row else ""),
            phase=string(record, "phase") or (row.phase.value if row else ""),
            effect=effect,
            expected=string(record, "expected"),
            found=string(record, "found"),
            reason=string(record, "reason"),
            counts=record.get("counts") is not False,
            run=run,
        )


def latest(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The last finding of each check: a run looks before the change and again after it."""
    found: dict[tuple[str, str], Finding] = {}
    for one in findings:
        found[one.check, one.setting] = one
    return tuple(found.values())


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A fact of the profile compared with the machine."""

    fact: str
    outcome: str  # one of OUTCOMES
    declared: str
    found: str
    why: str
    settings: str
    fix: str

    @classmethod
    def read(cls, record: Record) -> Gate:
        outcome = string(record, "outcome")
        return cls(
            fact=string(record, "fact"),
            outcome=outcome if outcome in OUTCOMES else "unknown",
            declared=string(record, "declared"),
            found=string(record, "found"),
            why=string(record, "why"),
            settings=string(record, "settings"),
            fix=string(record, "fix"),
        )


#: Of a gate, worst first. Any other word in a journal is unknown, and unknown is not true.
OUTCOMES = ("blocks", "unknown", "differs", "true")


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A claim and what was measured of it; gains in percent, more is better."""

    subject: str
    benchmark: str
    word: str  # "faster" or "smaller"
    claimed_low: float | None
    claimed_high: float | None
    value: float | None
    low: float | None
    high: float | None
    n: int
    verdict: str
    why: str
    cpu: str
    earlier: tuple[str, ...]  # gains that were measured before, oldest first
    run: str

    @property
    def short(self) -> str:
        """What was run, or whose memory it is: unique within a run, as far as there is a figure."""
        return self.subject if self.benchmark in ("", "memory") or self.control else self.benchmark

    @property
    def label(self) -> str:
        return self.subject if self.short == self.subject else f"{self.short}: {self.subject}"

    @property
    def control(self) -> bool:
        return self.subject == "control"

    @classmethod
    def read(cls, record: Record, run: str) -> Measurement:
        claim = record.get("claimed")
        claimed: Mapping[str, object] = claim if isinstance(claim, dict) else {}
        verdict = string(record, "verdict")
        return cls(
            subject=string(record, "subject"),
            benchmark=string(record, "benchmark"),
            word=string(record, "kind_of_gain"),
            claimed_low=number(claimed, "low"),
            claimed_high=number(claimed, "high"),
            value=number(record, "measured"),
            low=number(record, "low"),
            high=number(record, "high"),
            n=integer(record, "n"),
            verdict=verdict if verdict in VERDICTS else "no evidence",
            why=string(record, "why"),
            cpu=string(record, "cpu"),
            earlier=_earlier(record),
            run=run,
        )


def _earlier(record: Record) -> tuple[str, ...]:
    rows = record.get("earlier")
    found = []
    for row in rows if isinstance(rows, list) else []:
        value = number(row, "measured") if isinstance(row, dict) else None
        if value is not None:
            found.append(f"{string(row, 'time')[:10]} {signed(value)} %")
    return tuple(found)


def signed(value: float) -> str:
    """A gain with its sign, a real minus, one decimal; no minus in front of a zero."""
    text = f"{abs(value):.1f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else MINUS) + text


MINUS = "\N{MINUS SIGN}"
VERDICTS = ("met", "below", "no evidence", "worse")


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Memory of one program, or of the machine, when a sample was taken."""

    name: str
    mib: float
    processes: int
    when: str
    run: str

    @classmethod
    def read(cls, record: Record, run: str) -> Iterator[Memory]:
        when = string(record, "when")
        used = record.get("used")
        rows = used.items() if isinstance(used, dict) else ()
        for name, one in (("available", {"kb": record.get("available_kb")}), *rows):
            kb = number(one, "kb") if isinstance(one, dict) else None
            if kb is not None:
                count = integer(one, "processes")
                yield cls(name=str(name), mib=kb / 1024, processes=count, when=when, run=run)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where a setting of the plan stands, and why it is not in force."""

    id: str
    title: str
    phase: str
    stand: str
    why: str

    @classmethod
    def read(cls, row: Record) -> Setting:
        from converge.subjects.settings import BY_ID

        known = BY_ID.get(string(row, "setting"))
        return cls(
            id=string(row, "setting"),
            title=known.title if known else "",
            phase=known.phase.value if known else "",
            stand=string(row, "stand"),
            why=string(row, "why"),
        )


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of the run; ``seconds`` is None for one that is a single moment or has no end."""

    name: str
    status: str
    why: str
    time: str
    seconds: float | None


def steps(records: Sequence[Record]) -> tuple[Step, ...]:
    """The steps of one workspace: what was started is joined with how it ended."""
    from converge.report.model import seconds

    found: list[Step] = []
    running: dict[str, int] = {}
    for record in records:
        if record.get("kind") != "step":
            continue
        name, status, time = (string(record, key) for key in ("step", "status", "time"))
        step = Step(name=name, status=status, why=string(record, "why"), time=time, seconds=None)
        if status == "started":
            running[name] = len(found)
            found.append(step)
        elif name in running and status in ("done", "failed"):
            place = running.pop(name)
            began = found[place].time
            found[place] = Step(
                name=name, status=status, why=step.why, time=began, seconds=seconds(began, time)
            )
        else:
            found.append(step)
    for place in running.values():
        one = found[place]
        found[place] = Step(
            name=one.name, status="no end recorded", why=one.why, time=one.time, seconds=None
        )
    return tuple(found)


def undo(
    workspace: str,
    run: str,
    state: str,
    *,
    dry: bool,
    task: str,
    wrote: bool,
    undone: bool,
) -> tuple[str, ...]:
    """How to go back, as sentences; one that begins with ``$ `` is a command."""
    if dry:
        return ("This was a dry run: nothing was written, there is nothing to undo.",)
    if task == "rollback":
        return ("This run took another one back; deploy.py makes its changes again.",)
    if task == "remove":
        return ("This run took the product off; deploy.py puts it on again.",)
    if task != "deploy":
        return ("This task changes no setting, there is nothing to undo.",)
    if not wrote:
        return ("No step of this run was begun here, there is nothing to undo.",)
    if undone:
        return ("The run undid its own change; tasks/status.py shows what is in force now.",)
    command = f"$ pyinfra inventory/{workspace}.py tasks/rollback.py --data run={run} -y"
    found = [
        "All layers of this run together, back to the recorded generations and bytes:",
        command,
        "What cannot be restored is named there, with the commands to do it by hand.",
    ]
    if state:
        found += ["Without this controller, on the workspace itself:", f"$ {state}/rollback"]
    return tuple(found)
