"""What hardware can do: instruction sets by march, NVIDIA drivers by GPU generation.

A name goes in, facts come out. The table of CPU features lies in ``data/march.json``; it was read
from GCC's own predefined macros, so it says what compiled code may execute, not what a product
name promises.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

_MARCH_TABLE = Path(__file__).with_name("march.json")

#: GOAMD64 levels are the psABI levels under another name.
GO_LEVELS: Mapping[str, str] = {
    "v1": "x86-64",
    "v2": "x86-64-v2",
    "v3": "x86-64-v3",
    "v4": "x86-64-v4",
}


@cache
def marches() -> Mapping[str, frozenset[str]]:
    """Return, for each march, the cpuinfo flags that every CPU must have to run its code."""
    table = json.loads(_MARCH_TABLE.read_text(encoding="utf-8"))["required"]
    return {name: frozenset(flags) for name, flags in table.items()}


def missing_flags(march: str, flags: frozenset[str]) -> frozenset[str]:
    """Return what ``march`` needs and ``flags`` lack. Raises KeyError for an unknown march."""
    return marches()[march] - flags


def runs_on(code: str, machine: str) -> bool:
    """Say whether code for march ``code`` runs on every CPU that is a ``machine``."""
    return marches()[code] <= marches()[machine]


def best_march(flags: frozenset[str]) -> str:
    """Return the largest psABI level that ``flags`` allow; a product's own name is not guessed."""
    for level in ("x86-64-v4", "x86-64-v3", "x86-64-v2"):
        if not missing_flags(level, flags):
            return level
    return "x86-64"


#: cpuinfo's family and model numbers of the client CPUs whose march is certain. A CPU that is not
#: listed gets a psABI level: a name is used only with a reason.
_INTEL_6: Mapping[str, tuple[int, ...]] = {
    "haswell": (60, 63, 69, 70),
    "broadwell": (61, 71, 79, 86),
    "skylake": (78, 94, 142, 158, 165, 166),  # Kaby, Coffee and Comet Lake have its instructions
    "icelake-client": (125, 126),
    "tigerlake": (140, 141),
    "alderlake": (151, 154, 183, 186, 191),  # Raptor Lake has its instructions
}
_AMD: Mapping[str, tuple[int, tuple[range, ...]]] = {
    "znver1": (23, (range(0, 48),)),
    "znver2": (23, (range(48, 176),)),
    "znver3": (25, (range(0, 16), range(32, 96))),
    "znver4": (25, (range(16, 32), range(96, 128), range(160, 176))),
    "znver5": (26, (range(0, 128),)),
}


def family_march(
    vendor: str | None, family: int | None, number: int | None, flags: frozenset[str]
) -> str:
    """Return the march of a CPU by its numbers, if its flags bear it out, else its psABI level."""
    name = None
    if vendor == "intel" and family == 6:
        name = next((march for march, numbers in _INTEL_6.items() if number in numbers), None)
    elif vendor == "amd":
        for march, (its_family, models) in _AMD.items():
            if family == its_family and any(number in numbers for numbers in models):
                name = march
    return name if name and not missing_flags(name, flags) else best_march(flags)


#: Whether NVIDIA's open kernel modules drive a generation.
OpenModules = Literal["never", "possible", "required"]


@dataclass(frozen=True, kw_only=True)
class Generation:
    """An NVIDIA GPU generation and what its drivers are limited to."""

    name: str
    chips: str  # first two letters of its chips
    capabilities: frozenset[str]  # CUDA compute capabilities
    devices: tuple[tuple[int, int], ...]  # PCI device ids, inclusive ranges
    last_branch: int | None  # last driver branch that still drives it; None: current ones do
    open_modules: OpenModules


def _generation(
    *,
    name: str,
    chips: str,
    capabilities: str,
    devices: tuple[tuple[int, int], ...],
    last_branch: int | None,
    open_modules: OpenModules,
) -> Generation:
    return Generation(
        name=name,
        chips=chips,
        capabilities=frozenset(capabilities.split()),
        devices=devices,
        last_branch=last_branch,
        open_modules=open_modules,
    )


#: The ranges are those of desktop and workstation cards in the public PCI id list. A device that
#: lies in none of them is unknown, never guessed.
GENERATIONS: tuple[Generation, ...] = (
    _generation(
        name="kepler",
        chips="GK",
        capabilities="3.0 3.2 3.5 3.7",
        devices=((0x0FC0, 0x103F), (0x1180, 0x11FC), (0x1280, 0x12BA)),
        last_branch=470,
        open_modules="never",
    ),
    _generation(
        name="maxwell",
        chips="GM",
        capabilities="5.0 5.2 5.3",
        devices=((0x1340, 0x1436), (0x1617, 0x1667), (0x174D, 0x17FD)),
        last_branch=580,
        open_modules="never",
    ),
    _generation(
        name="pascal",
        chips="GP",
        capabilities="6.0 6.1 6.2",
        devices=((0x15F0, 0x15F9), (0x1B00, 0x1D56)),
        last_branch=580,
        open_modules="never",
    ),
    _generation(
        name="volta",
        chips="GV",
        capabilities="7.0 7.2",
        devices=((0x1D81, 0x1DF6),),
        last_branch=580,
        open_modules="never",
    ),
    _generation(
        name="turing",
        chips="TU",
        capabilities="7.5",
        devices=((0x1E02, 0x1FF9), (0x2182, 0x21D1)),
        last_branch=None,
        open_modules="possible",
    ),
    _generation(
        name="ampere",
        chips="GA",
        capabilities="8.0 8.6 8.7",
        devices=((0x2082, 0x20FD), (0x2200, 0x228E), (0x2414, 0x25FB)),
        last_branch=None,
        open_modules="possible",
    ),
    _generation(
        name="hopper",
        chips="GH",
        capabilities="9.0",
        devices=((0x2302, 0x2345),),
        last_branch=None,
        open_modules="possible",
    ),
    _generation(
        name="ada",
        chips="AD",
        capabilities="8.9",
        devices=((0x2681, 0x28FF),),
        last_branch=None,
        open_modules="possible",
    ),
    _generation(
        name="blackwell",
        chips="GB",
        capabilities="10.0 10.3 12.0 12.1",
        devices=((0x2901, 0x2F80),),
        last_branch=None,
        open_modules="required",
    ),
)


def generation(name: str) -> Generation | None:
    """Return the GPU generation called ``name``."""
    return next((g for g in GENERATIONS if g.name == name), None)


def generation_of_device(device: int) -> Generation | None:
    """Return the generation of a PCI device id of vendor 10de, where its range is known."""
    for candidate in GENERATIONS:
        if any(first <= device <= last for first, last in candidate.devices):
            return candidate
    return None


def generation_of_capability(capability: str) -> Generation | None:
    """Return the generation of a CUDA compute capability such as ``5.2``."""
    return next((g for g in GENERATIONS if capability in g.capabilities), None)


#: Newest Linux, major and minor, that each legacy driver branch is known to build with. 580 did not
#: build on 7.1 until it was mended, so a long-term kernel is the safe companion.
KERNEL_CEILING: Mapping[int, tuple[int, int]] = {470: (6, 6), 580: (6, 18)}


#: PCI vendor ids of the GPU vendors that a profile names.
GPU_VENDORS: Mapping[str, str] = {"10de": "nvidia", "1002": "amd", "8086": "intel"}
