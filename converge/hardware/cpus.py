"""What a CPU can execute: CPU features by march, marches by the numbers of a CPU.

The table of features is ``march.json``. It was read from GCC itself, so it says which instructions
compiled code may contain.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_MARCH_TABLE = Path(__file__).with_name("march.json")

#: GOAMD64 levels are the psABI levels under another name.
GO_LEVELS: Mapping[str, str] = {
    "v1": "x86-64",
    "v2": "x86-64-v2",
    "v3": "x86-64-v3",
    "v4": "x86-64-v4",
}


@cache
def _table() -> Mapping[str, Any]:
    table: Mapping[str, Any] = json.loads(_MARCH_TABLE.read_text(encoding="utf-8"))
    return table


@cache
def marches() -> Mapping[str, frozenset[str]]:
    """Return, for each march, the cpuinfo flags that every CPU must have to run its code."""
    return {name: frozenset(flags) for name, flags in _table()["required"].items()}


def hidden_features(march: str) -> frozenset[str]:
    """Return the features that code for ``march`` may use and that cpuinfo never shows."""
    return frozenset(_table()["hidden"].get(march, ()))


def missing_flags(march: str, flags: frozenset[str]) -> frozenset[str]:
    """Return the flags of ``march`` that ``flags`` lack. Raises KeyError for an unknown march."""
    return marches()[march] - flags


def runs_on(code: str, machine: str) -> bool:
    """Say whether code for the march ``code`` runs on every CPU of the march ``machine``."""
    return marches()[code] <= marches()[machine] and hidden_features(code) <= hidden_features(
        machine
    )


def best_march(flags: frozenset[str]) -> str:
    """Return the largest psABI level (``x86-64-v3``) whose features are all in ``flags``."""
    for level in ("x86-64-v4", "x86-64-v3", "x86-64-v2"):
        if not missing_flags(level, flags):
            return level
    return "x86-64"


def _numbers(text: str) -> frozenset[int]:
    """Read ``60 63 69-71`` as the numbers that it names."""
    found: set[int] = set()
    for word in text.split():
        first, _, last = word.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


#: The vendor's march by cpuinfo's family and model numbers (Linux: asm/intel-family.h and
#: cpu/amd.c; GCC: common/cpuinfo.h). Of several lines for one number, the first line whose flags
#: the CPU has counts. Kaby Lake to Comet Lake have the instructions of Skylake, Raptor Lake and
#: Meteor Lake those of Alder Lake; Arrow Lake-U (181) is a Meteor Lake.
_BY_NUMBER: tuple[tuple[str, int, str, frozenset[int]], ...] = tuple(
    (vendor, family, march, _numbers(models))
    for vendor, family, march, models in (
        ("intel", 6, "core2", "15 22 23 29"),
        ("intel", 6, "nehalem", "26 30 31 46"),
        ("intel", 6, "westmere", "37 44 47"),
        ("intel", 6, "sandybridge", "42 45"),
        ("intel", 6, "ivybridge", "58 62"),
        ("intel", 6, "haswell", "60 63 69 70"),
        ("intel", 6, "broadwell", "61 71 79 86"),
        ("intel", 6, "skylake", "78 94 142 158 165 166"),
        ("intel", 6, "cooperlake", "85"),
        ("intel", 6, "cascadelake", "85"),
        ("intel", 6, "skylake-avx512", "85"),
        ("intel", 6, "cannonlake", "102"),
        ("intel", 6, "icelake-client", "125 126 157"),
        ("intel", 6, "icelake-server", "106 108"),
        ("intel", 6, "tigerlake", "140 141"),
        ("intel", 6, "rocketlake", "167"),
        ("intel", 6, "alderlake", "151 154 190"),
        ("intel", 6, "raptorlake", "183 186 191 215"),
        ("intel", 6, "meteorlake", "170 172 181"),
        ("intel", 6, "arrowlake", "197"),
        ("intel", 6, "arrowlake-s", "198"),
        ("intel", 6, "lunarlake", "189"),
        ("intel", 6, "pantherlake", "204"),
        ("intel", 6, "wildcatlake", "213"),
        ("intel", 18, "novalake", "1 3"),
        ("intel", 19, "diamondrapids", "1"),
        ("intel", 6, "sapphirerapids", "143"),
        ("intel", 6, "emeraldrapids", "207"),
        ("intel", 6, "graniterapids", "173"),
        ("intel", 6, "graniterapids-d", "174"),
        ("intel", 6, "sierraforest", "175"),
        ("intel", 6, "grandridge", "182"),
        ("intel", 6, "clearwaterforest", "221"),
        ("intel", 6, "bonnell", "28 38 39 53 54"),
        ("intel", 6, "silvermont", "55 74 76 77 90 93 117"),
        ("intel", 6, "goldmont", "92 95"),
        ("intel", 6, "goldmont-plus", "122"),
        ("intel", 6, "tremont", "134 138 150 156"),
        ("intel", 15, "nocona", "3-6"),
        ("amd", 15, "k8-sse3", "0-255"),
        ("amd", 15, "k8", "0-255"),
        ("amd", 16, "amdfam10", "0-255"),
        ("amd", 17, "k8-sse3", "0-255"),
        ("amd", 18, "amdfam10", "0-255"),
        ("amd", 20, "btver1", "0-255"),
        ("amd", 21, "bdver4", "96-127"),
        ("amd", 21, "bdver3", "48-63"),
        ("amd", 21, "bdver2", "2 16-31"),
        ("amd", 21, "bdver1", "0-1"),
        ("amd", 22, "btver2", "0-255"),
        ("amd", 23, "znver1", "0-47"),
        ("amd", 23, "znver2", "48-175"),
        ("amd", 25, "znver3", "0-15 32-95"),
        ("amd", 25, "znver4", "16-31 96-127 160-175"),
        ("amd", 26, "znver5", "0-79 96-119"),
        ("amd", 26, "znver6", "80-95 128-175 192-207"),
        ("hygon", 24, "znver1", "0-255"),
        ("Shanghai", 7, "lujiazui", "59"),
        ("Shanghai", 7, "yongfeng", "91"),
        ("Shanghai", 7, "shijidadao", "107"),
        ("CentaurHauls", 7, "lujiazui", "59"),
        ("CentaurHauls", 7, "yongfeng", "91"),
        ("CentaurHauls", 7, "shijidadao", "107"),
    )
)


def march_of_numbers(vendor: str | None, family: int | None, number: int | None) -> str | None:
    """Return the first march of the table for these numbers, whatever the CPU's flags."""
    return next(iter(_candidates(vendor, family, number)), None)


def _candidates(vendor: str | None, family: int | None, number: int | None) -> tuple[str, ...]:
    return tuple(
        march
        for its_vendor, its_family, march, models in _BY_NUMBER
        if (its_vendor, its_family) == (vendor, family) and number in models
    )


def vendor_of_march(march: str) -> str | None:
    """Return ``amd`` or ``intel``; None for a level of x86-64 and for marches of other makers."""
    if march.startswith(("x86-64", "lujiazui", "yongfeng", "shijidadao", "nano", "eden")):
        return None
    makers = ("k8", "amdfam", "barcelona", "btver", "bdver", "znver")
    return "amd" if march.startswith(makers) else "intel"


#: Marches of GCC that LLVM 22.1 has no name for (rustc 1.95 --print target-cpus, 2026-11-26): rustc
#: ignores such a name and builds for any x86-64.
_NOT_OF_LLVM = frozenset(
    (
        "znver6",
        "lujiazui",
        "yongfeng",
        "shijidadao",
        "eden-x2",
        "eden-x4",
        "nano",
        "nano-1000",
        "nano-2000",
        "nano-3000",
        "nano-x2",
        "nano-x4",
    )
)


def rust_cpu(march: str) -> str:
    """Return ``march`` where rustc knows the name, else the largest known march whose code runs on
    every CPU of ``march``."""
    if march not in _NOT_OF_LLVM:
        return march
    maker = vendor_of_march(march)
    fits = [
        name
        for name in marches().keys() - _NOT_OF_LLVM
        if vendor_of_march(name) in {maker, None} and runs_on(name, march)
    ]
    return max(fits, key=lambda name: (len(marches()[name]), name))


def family_march(
    vendor: str | None, family: int | None, number: int | None, flags: frozenset[str]
) -> str:
    """Return the march of a CPU.

    1. The march of its numbers whose features are all in ``flags``. Where the numbers are known but
       features are missing (a virtual machine masks some), the psABI level of ``flags``.
    2. For unknown numbers, the largest march of its vendor whose features are all in ``flags`` and
       of which none is hidden: such code runs, whatever the product is called.
    """
    candidates = _candidates(vendor, family, number)
    for name in candidates:
        if not missing_flags(name, flags):
            return name
    level = best_march(flags)
    if candidates or vendor not in {"intel", "amd"}:
        return level
    best = level
    for name, needed in marches().items():
        fits = vendor_of_march(name) == vendor and needed <= flags and not hidden_features(name)
        if fits and needed > marches()[best]:
            best = name
    return best
