"""Options of a measurement, from environment variables of the controller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from converge.measure.benchmarks import BENCHMARKS
from converge.problem import did_you_mean


@dataclass(frozen=True, kw_only=True)
class Options:
    """Each option is a variable ``MEASURE_`` with the name of the field in capitals."""

    stock: str = ""  # directory on the workspace with bin/ and lib/, in place of Nix's packages
    optimized: str = ""  # the same for the optimized programs
    rounds: int = 30  # pairs of each benchmark
    seconds: int = 120  # after which no further pair of a benchmark begins
    trial: str = ""  # a program on the workspace that replaces the zram device in trials of choose=
    start: str = ""  # a program on the workspace whose start is timed, in place of felt.PROGRAMS
    only: frozenset[str] = frozenset()  # ids of benchmarks, with commas between; empty: all

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Options:
        """The options of an environment. Raises ``ValueError``, which says what to write."""
        names = {f"MEASURE_{field.name.upper()}" for field in fields(cls)}
        for name in environment:
            if name.startswith("MEASURE_") and name not in names:
                hint = did_you_mean(name, names, f"the variables are {', '.join(sorted(names))}")
                raise ValueError(f"{name}: no such variable; {hint}")
        only = frozenset(filter(None, environment.get("MEASURE_ONLY", "").split(",")))
        known = [benchmark.id for benchmark in BENCHMARKS]
        if unknown := sorted(only.difference(known)):
            raise ValueError(f"MEASURE_ONLY: no benchmark {unknown[0]!r}; write {', '.join(known)}")
        stock = _place(environment, "MEASURE_STOCK")
        optimized = _place(environment, "MEASURE_OPTIMIZED")
        if bool(stock) != bool(optimized):
            raise ValueError("MEASURE_STOCK and MEASURE_OPTIMIZED: give both or none")
        return cls(
            start=_place(environment, "MEASURE_START"),
            trial=_place(environment, "MEASURE_TRIAL"),
            stock=stock,
            optimized=optimized,
            rounds=_number(environment, "MEASURE_ROUNDS", cls.rounds, highest=200),
            seconds=_number(environment, "MEASURE_SECONDS", cls.seconds, highest=3600),
            only=only,
        )


def _number(environment: Mapping[str, str], variable: str, default: int, *, highest: int) -> int:
    text = environment.get(variable, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= highest):
        raise ValueError(f"{variable}={text!r}: write a number from 1 to {highest}")
    return int(text)


def _place(environment: Mapping[str, str], variable: str) -> str:
    text = environment.get(variable, "")
    if text and not text.startswith("/"):
        raise ValueError(f"{variable}={text!r}: write an absolute path")
    return text
