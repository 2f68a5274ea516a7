"""How a measurement is taken: from the environment of the controller, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from converge.measure.benchmarks import BENCHMARKS
from converge.problem import did_you_mean


@dataclass(frozen=True, kw_only=True)
class Options:
    """``MEASURE_STOCK`` and so on: the name of the field in capitals."""

    stock: str = ""  # directory on the workspace with bin/ and lib/, in place of Nix's packages
    optimized: str = ""  # the same
    rounds: int = 30  # pairs of each benchmark
    seconds: int = 120  # after which no further pair of a benchmark begins
    trial: str = ""  # a program on the workspace that does one trial of choose= in place of zram
    start: str = ""  # a program on the workspace that is started, in place of one of the desktop
    only: frozenset[str] = frozenset()  # ids of benchmarks, with commas between; empty: all

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Options:
        """Raises ``ValueError`` with what is wrong and what to write instead."""
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
