"""Choose zram's compressor by measurement. In: output of ``remote/choose.sh``. Out: a proposal.

Each round tries all compressors on the same pages. A compressor is proposed where the whole
interval of its gain over the one in use lies above zero, and where enough fits into the same memory
(LEAST_ROOM). Otherwise the compressor in use is proposed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from converge.journal.measured import MeasurementRecord
from converge.measure.gain import Gain, faster, judge
from converge.measure.samples import figures
from converge.setting import Claim
from converge.text.limits import decimal, number

#: Name of a choice in ``choose=`` -> key of the inventory that takes the answer.
CHOICES: Mapping[str, str] = {"zram.algorithm": "zram_algorithm"}
#: Compressors to try, where the kernel of the workspace has them.
COMPRESSORS = ("zstd", "lz4", "lzo-rle", "lzo")
#: A compressor must hold at least this share of what the one in use holds in the same memory. Below
#: this, speed does not help: less fits, so more programs are killed for memory.
LEAST_ROOM = 0.7
PAGE = 4096
SUBJECT = "swap-in"


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """One compressor on all pages: seconds to store and to read them, bytes that they took."""

    write: float
    read: float
    pages: int
    held: int

    @property
    def room(self) -> float:
        """Uncompressed bytes per stored byte."""
        return self.pages * PAGE / self.held if self.held else 0.0


@dataclass(frozen=True, kw_only=True)
class Samplings:
    """``rounds``: each maps compressor -> its sample. ``lacking``: those that the kernel lacks."""

    rounds: tuple[Mapping[str, Sampling], ...] = ()
    lacking: tuple[str, ...] = ()
    cpu: str = ""
    load: str = ""
    why: str = ""  # why there are no rounds

    def gain(self, name: str, over: str) -> Gain | None:
        """How much faster pages are read with the compressor ``name`` than with ``over``."""
        return faster((trial[over].read, trial[name].read) for trial in self.rounds)

    def room(self, name: str) -> float:
        return median(one[name].room for one in self.rounds)

    def page(self, name: str) -> float:
        """Microseconds to read one page, the median of the rounds."""
        return 1e6 * median(trial[name].read / trial[name].pages for trial in self.rounds)


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What to write into the inventory file. ``value``: the compressor in use where none wins."""

    value: str
    records: tuple[MeasurementRecord, ...]
    why: str


def parse(lines: Iterable[str]) -> Samplings:
    """The samples from the output of ``remote/choose.sh``. A cut or malformed output gives no
    rounds and a ``why``. Never raises."""
    facts: dict[str, str] = {}
    rounds: list[dict[str, Sampling]] = []
    lacking: list[str] = []
    why, done = "", False
    for line in lines:
        word, _, rest = line.partition(" ")
        try:
            match word:
                case "cpu" | "load":
                    facts[word] = rest
                case "lacks":
                    lacking.append(rest)
                case "round":
                    rounds.append({})
                case "trial":
                    name, write, read, pages, held = rest.split(" ")
                    rounds[-1][name] = _sampling(write, read, pages, held)
                case "failed":
                    why = rest
                case "done":
                    done = True
        except (ValueError, IndexError):
            why = f"the answer has a line that is not understood: {line[:60]!r}"
    if not why and not done:
        why = "the answer was cut before its end"
    names = set[str]().union(*rounds)
    if not why and (not names or any(one.keys() != names for one in rounds)):
        why = "the answer has a round without one of its trials"
    whole = () if why else tuple(rounds)
    return Samplings(rounds=whole, lacking=tuple(lacking), why=why, **facts)


def _sampling(write: str, read: str, pages: str, held: str) -> Sampling:
    found = Sampling(
        write=decimal(write), read=decimal(read), pages=number(pages), held=number(held)
    )
    if found.read <= 0 or found.pages < 1 or found.held < 1:
        raise ValueError("a trial that did nothing")
    return found


def propose(trials: Samplings, *, in_use: str) -> Proposal:
    """The compressor to write into the inventory, and a sentence about each other one."""
    if trials.why or in_use not in (trials.rounds[0] if trials.rounds else ()):
        why = trials.why or f"the kernel has no {in_use}, so nothing is there to compare with"
        return Proposal(value=in_use, records=(), why=f"not measured: {why}")
    others = [name for name in trials.rounds[0] if name != in_use]
    records, better = [], []
    for name in others:
        gain = trials.gain(name, in_use)
        room = trials.room(name) / trials.room(in_use)
        records.append(_record(trials, name, in_use, gain, room))
        if gain and gain.low is not None and gain.low > 0 and room >= LEAST_ROOM:
            better.append((gain.value, name))
    if not better:
        return Proposal(
            value=in_use, records=tuple(records), why=f"nothing is better than {in_use}"
        )
    _, winner = max(better)
    gain = trials.gain(winner, in_use)
    assert gain is not None
    why = (
        f"a page is back {gain.value:.0f} % faster than with {in_use} ({gain.spread}), "
        f"{trials.page(winner):.1f} instead of {trials.page(in_use):.1f} us; "
        f"{_fits(trials.room(winner) / trials.room(in_use))}"
    )
    return Proposal(value=winner, records=tuple(records), why=why)


def _record(
    trials: Samplings, name: str, in_use: str, gain: Gain | None, room: float
) -> MeasurementRecord:
    verdict, why = judge(gain, Claim(subject=SUBJECT, low=0, high=0))
    enough = "" if room >= LEAST_ROOM else ", which is too little to propose it"
    return MeasurementRecord(
        **figures(gain),
        subject=f"{SUBJECT} with {name} in place of {in_use}",
        benchmark=f"zram.{name}",
        kind_of_gain="faster",
        settings=("memory.zram",),
        claimed=None,
        verdict=verdict.value,
        why=f"{why}; {_fits(room)}{enough}",
        stock=in_use,
        optimized=name,
        cpu=trials.cpu,
        load=trials.load,
        compared="wall",
        samples=tuple((one[in_use].read, one[name].read) for one in trials.rounds),
    )


def _fits(share: float) -> str:
    """How much fits into the same memory, for a person."""
    change = round(100 * (share - 1))
    return (
        "as much fits"
        if change == 0
        else f"{abs(change)} % {'more' if change > 0 else 'less'} fits"
    )


def candidates(in_use: str) -> Sequence[str]:
    """The compressors to try, the one in use first."""
    return (in_use, *(name for name in COMPRESSORS if name != in_use))
