"""Values of a hardware profile that cannot both be true: a document goes in, problems come out.

The schema looks at one value at a time; here two or more meet. A check whose values are missing or
wrong in themselves is left out, because that is reported already.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePath

from converge.gate import hardware
from converge.problem import NodePath, Problem
from converge.profile.document import Document

TIERS = ("heavy", "medium", "light")


class _Unusable(Exception):
    """A value that a check needs is missing or was refused."""


@dataclass(frozen=True)
class _Values:
    """Typed access to a document that may be wrong in other places."""

    document: Document

    def text(self, *path: str | int) -> str:
        value = self._get(path)
        if not isinstance(value, str):
            raise _Unusable
        return value

    def number(self, *path: str | int) -> int:
        value = self._get(path)
        if type(value) is not int:
            raise _Unusable
        return value

    def march(self, *path: str | int) -> str:
        name = self.text(*path)
        if name not in hardware.marches():
            raise _Unusable
        return name

    def flag(self, *path: str | int) -> bool:
        value = self._get(path)
        if not isinstance(value, bool):
            raise _Unusable
        return value

    def _get(self, path: NodePath) -> object:
        if self.document.is_damaged(path):
            raise _Unusable
        node: object = self.document.data
        for step in path:
            if not isinstance(node, dict) or step not in node:
                raise _Unusable
            node = node[step]
        return node

    def problem(self, path: NodePath, message: str, hint: str) -> Problem:
        return self.document.problem(path, message, hint, rank=1)


def contradictions(document: Document) -> tuple[Problem, ...]:
    """Return every pair of values that do not go together."""
    values = _Values(document)
    found: list[Problem] = []
    for check in _CHECKS:
        try:
            found += check(values)
        except _Unusable:
            continue
    for tier in TIERS:
        for tier_check in _TIER_CHECKS:
            try:
                found += tier_check(values, tier)
            except _Unusable:
                continue
    return tuple(found)


# ---- names and CPU -------------------------------------------------------------------------------


def _named_after_file(values: _Values) -> Iterator[Problem]:
    name = values.text("workspace")
    if not re.fullmatch(r"[a-z0-9-]+", name):
        raise _Unusable
    stem = PurePath(values.document.file).stem
    if name != stem:
        yield values.problem(
            ("workspace",),
            f"is {name}, but the file is called {stem}.yaml",
            "give both the same name",
        )


def _march_within_family(values: _Values) -> Iterator[Problem]:
    march = values.march("build", "compiler", "march")
    family = values.march("cpu", "family")
    if missing := sorted(hardware.missing_flags(march, hardware.marches()[family])):
        yield values.problem(
            ("build", "compiler", "march"),
            f"code for {march} does not run on a {family} CPU: it needs {' '.join(missing)}",
            f"write {family}, or correct cpu.family",
        )


def _code_within_march(values: _Values) -> Iterator[Problem]:
    march = values.march("build", "compiler", "march")
    codes: list[tuple[NodePath, str]] = []
    try:
        fallback: NodePath = ("build", "compiler", "fallback", "march")
        codes.append((fallback, values.march(*fallback)))
    except _Unusable:
        pass
    try:
        rust: NodePath = ("build", "rustTargetCpu")
        codes.append((rust, values.march(*rust)))
    except _Unusable:
        pass
    try:
        go: NodePath = ("build", "goamd64")
        codes.append((go, hardware.GO_LEVELS.get(values.text(*go), "x86-64")))
    except _Unusable:
        pass
    for path, code in codes:
        if missing := sorted(hardware.missing_flags(code, hardware.marches()[march])):
            yield values.problem(
                path,
                f"asks for more than the march {march} has: {' '.join(missing)}",
                f"write one that {march} includes, or correct build.compiler.march",
            )


def _family_of_vendor(values: _Values) -> Iterator[Problem]:
    family, vendor = values.march("cpu", "family"), values.text("cpu", "vendor")
    if family.startswith("x86-64"):
        return
    maker = "amd" if family.startswith("znver") else "intel"
    if vendor in {"amd", "intel"} and vendor != maker:
        yield values.problem(
            ("cpu", "vendor"), f"is {vendor}, but {family} is made by {maker}", f"write {maker}"
        )


def _threads_of_cores(values: _Values) -> Iterator[Problem]:
    cores, threads = values.number("cpu", "cores"), values.number("cpu", "threads")
    if threads < cores:
        yield values.problem(
            ("cpu", "threads"),
            f"{threads} threads on {cores} cores: each core has at least one",
            "count logical CPUs with nproc --all",
        )


def _cores_of_builds(values: _Values) -> Iterator[Problem]:
    most, threads = (
        values.number("build", "parallelism", "maxCores"),
        values.number("cpu", "threads"),
    )
    if most > threads:
        yield values.problem(
            ("build", "parallelism", "maxCores"),
            f"{most} is more than the CPU's {threads} threads",
            f"write at most {threads}",
        )


# ---- tiers ---------------------------------------------------------------------------------------


def _tier_within_limits(values: _Values, tier: str) -> Iterator[Problem]:
    for key, limit in (("jobs", "maxJobs"), ("cores", "maxCores")):
        value = values.number("build", "parallelism", "tiers", tier, key)
        most = values.number("build", "parallelism", limit)
        if value > most:
            yield values.problem(
                ("build", "parallelism", "tiers", tier, key),
                f"{value} is more than {limit}, which is {most}",
                f"write at most {most}, or raise {limit}",
            )


def _tier_fits_memory(values: _Values, tier: str) -> Iterator[Problem]:
    path: NodePath = ("build", "parallelism", "tiers", tier, "memoryGB")
    each, jobs = values.number(*path), values.number(*path[:-1], "jobs")
    total = values.number("memory", "totalGB")
    zram = 0
    if "zram" in values.document.data["memory"]:
        zram = total * values.number("memory", "zram", "percent") // 100
    if each > total:
        yield values.problem(
            path,
            f"one build may need {each} GB, but the memory has {total} GB",
            "write what fits in memory without swap",
        )
    elif each * jobs > total + zram:
        yield values.problem(
            path,
            f"{jobs} builds of {each} GB are {each * jobs} GB; memory and zram hold at most "
            f"{total + zram} GB",
            "lower jobs or memoryGB",
        )


# ---- GPU, session, platform ----------------------------------------------------------------------


def _gpu_generation(values: _Values) -> Iterator[Problem]:
    name = values.text("gpu", "architecture")
    if values.text("gpu", "vendor") in {"amd", "intel"}:
        yield values.problem(
            ("gpu", "architecture"), "is an NVIDIA generation", "remove it, or correct gpu.vendor"
        )
        return
    generation = hardware.generation(name)
    if generation is None or values.text("gpu", "vendor") != "nvidia":
        raise _Unusable
    gpu = values.document.data["gpu"]
    capability, chip, device = gpu.get("computeCapability"), gpu.get("chip"), gpu.get("pciId")
    if isinstance(capability, str) and capability not in generation.capabilities:
        known = ", ".join(sorted(generation.capabilities))
        yield values.problem(
            ("gpu", "computeCapability"),
            f"{capability} is not one of {name} ({known})",
            "nvidia-smi --query-gpu=compute_cap --format=csv shows it",
        )
    if isinstance(chip, str) and not chip.startswith(generation.chips):
        yield values.problem(
            ("gpu", "chip"),
            f"{chip} is not a chip of {name}, whose names begin with {generation.chips}",
            "correct the chip or gpu.architecture",
        )
    if isinstance(device, str) and device.startswith("10de:") and len(device) == 9:
        other = hardware.generation_of_device(int(device[5:], 16))
        if other is not None and other is not generation:
            yield values.problem(
                ("gpu", "pciId"),
                f"the device {device} is a GPU of {other.name}, not of {name}",
                "correct the id (lspci -nn) or gpu.architecture",
            )


def _gpu_vendor_id(values: _Values) -> Iterator[Problem]:
    vendor, device = values.text("gpu", "vendor"), values.text("gpu", "pciId")
    maker = hardware.GPU_VENDORS.get(device[:4])
    if vendor != "none" and maker != vendor:
        expected = next((k for k, v in hardware.GPU_VENDORS.items() if v == vendor), None)
        if expected is None:
            raise _Unusable
        yield values.problem(
            ("gpu", "pciId"),
            f"{device} is no device of {vendor}, whose ids begin with {expected}:",
            "correct the id (lspci -nn) or gpu.vendor",
        )


def _module_in_wsl(values: _Values) -> Iterator[Problem]:
    if values.text("platform") == "wsl" and values.flag("gpu", "kernelModule"):
        yield values.problem(
            ("gpu", "kernelModule"),
            "is true, but a WSL2 guest loads no GPU module: Windows drives the GPU",
            "write false, or correct platform",
        )


def _session_of_desktop(values: _Values) -> Iterator[Problem]:
    desktop, kind = values.text("session", "desktop"), values.text("session", "type")
    if (desktop == "none") != (kind == "none"):
        yield values.problem(
            ("session", "type"),
            f"is {kind} with desktop {desktop}",
            "write none for both, or a desktop and its session type",
        )


_CHECKS: tuple[Callable[[_Values], Iterator[Problem]], ...] = (
    _named_after_file,
    _march_within_family,
    _code_within_march,
    _family_of_vendor,
    _threads_of_cores,
    _cores_of_builds,
    _gpu_generation,
    _gpu_vendor_id,
    _module_in_wsl,
    _session_of_desktop,
)
_TIER_CHECKS: tuple[Callable[[_Values, str], Iterator[Problem]], ...] = (
    _tier_within_limits,
    _tier_fits_memory,
)
