"""Find values of a hardware profile that contradict each other. In: a document. Out: problems.

The schema checks each value alone; this module compares two or more. A check is left out where one
of its values is missing or has a problem already.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePath

from converge.hardware import cpus
from converge.problem import NodePath, Problem
from converge.profile import graphics_card
from converge.profile.document import Document
from converge.profile.values import Unusable, Values

TIERS = ("heavy", "medium", "light")


def contradictions(document: Document, known: Iterable[Problem] = ()) -> tuple[Problem, ...]:
    """Return a problem for each contradiction. ``known``: the problems that were found already;
    their values are not compared."""
    values = Values(document, frozenset(problem.path for problem in known))
    problems: list[Problem] = []
    for check in _CHECKS:
        try:
            problems += check(values)
        except Unusable:
            continue
    try:
        for index in values.mappings("gpus"):
            problems += graphics_card.contradictions(values, index)
        problems += graphics_card.together(values)
    except Unusable:
        pass
    for tier in TIERS:
        for tier_check in _TIER_CHECKS:
            try:
                problems += tier_check(values, tier)
            except Unusable:
                continue
    return tuple(problems)


# ---- names and CPU -------------------------------------------------------------------------------


def _named_after_file(values: Values) -> Iterator[Problem]:
    name = values.text("workspace")
    if not re.fullmatch(r"[a-z0-9-]+", name):
        raise Unusable
    stem = PurePath(values.document.file).stem
    if name != stem:
        yield values.problem(
            ("workspace",),
            f"is {name}, but the file is called {stem}.yaml",
            "give both the same name",
        )


def _lacking(code: str, march: str) -> list[str]:
    """Return the features that code for march ``code`` uses and a CPU of ``march`` lacks."""
    own = cpus.marches()[march] | cpus.hidden_features(march)
    return sorted((cpus.marches()[code] | cpus.hidden_features(code)) - own)


def _family_differs(values: Values) -> bool:
    """Say whether the family is the wrong value: vendor and march agree against the family."""
    vendor = values.maybe("cpu", "vendor")
    try:
        family, march = values.march("cpu", "family"), values.march("build", "compiler", "march")
    except Unusable:
        return False
    return cpus.vendor_of_march(family) not in {None, vendor} and (
        cpus.vendor_of_march(march) == vendor
    )


def _march_within_family(values: Values) -> Iterator[Problem]:
    march = values.march("build", "compiler", "march")
    family = values.march("cpu", "family")
    if _family_differs(values):
        return
    if missing := _lacking(march, family):
        yield values.problem(
            ("build", "compiler", "march"),
            f"code for {march} does not run on a CPU of {family}: it needs {' '.join(missing)}",
            f"write {family}, or correct cpu.family",
        )


def _code_within_march(values: Values) -> Iterator[Problem]:
    """Rust and Go code has to run on the march. Where the march itself goes beyond the family, code
    that fits the family is not reported."""
    march = values.march("build", "compiler", "march")
    family = values.maybe("cpu", "family") or ""
    above = family in cpus.marches() and bool(_lacking(march, family))
    codes: list[tuple[NodePath, str]] = []
    try:
        rust: NodePath = ("build", "rustTargetCpu")
        codes.append((rust, values.march(*rust)))
    except Unusable:
        pass
    try:
        go: NodePath = ("build", "goamd64")
        codes.append((go, cpus.GO_LEVELS.get(values.text(*go), "x86-64")))
    except Unusable:
        pass
    for path, code in codes:
        missing = _lacking(code, march)
        if missing and not (above and not _lacking(code, family)):
            yield values.problem(
                path,
                f"asks for more than the march {march} has: {' '.join(missing)}",
                f"write one that {march} includes, or correct build.compiler.march",
            )


def _family_of_vendor(values: Values) -> Iterator[Problem]:
    family, vendor = values.march("cpu", "family"), values.text("cpu", "vendor")
    maker = cpus.vendor_of_march(family)
    if _family_differs(values):
        march = values.march("build", "compiler", "march")
        yield values.problem(
            ("cpu", "family"),
            f"is {family}, but vendor {vendor} and march {march} are of {vendor}",
            f"write {march}, or correct both",
        )
    elif maker and vendor in {"amd", "intel"} and vendor != maker:
        yield values.problem(
            ("cpu", "vendor"), f"is {vendor}, but {family} is made by {maker}", f"write {maker}"
        )


def _threads_of_cores(values: Values) -> Iterator[Problem]:
    cores, threads = values.number("cpu", "cores"), values.number("cpu", "threads")
    if threads < cores:
        yield values.problem(
            ("cpu", "threads"),
            f"{threads} threads on {cores} cores: each core has at least one",
            "count logical CPUs with nproc --all",
        )


# ---- tiers ---------------------------------------------------------------------------------------


def _tier_within_threads(values: Values, tier: str) -> Iterator[Problem]:
    path: NodePath = ("build", "parallelism", "tiers", tier, "cores")
    cores, threads = values.number(*path), values.number("cpu", "threads")
    if cores > threads:
        yield values.problem(
            path, f"{cores} is more than the CPU's {threads} threads", f"write at most {threads}"
        )


def _tier_fits_memory(values: Values, tier: str) -> Iterator[Problem]:
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


# ---- disks, session and platform -----------------------------------------------------------------


def _one_scheduler_of_a_kind(values: Values) -> Iterator[Problem]:
    """A udev rule finds disks by their kind, so all disks of one kind have one scheduler."""
    seen: dict[str, str] = {}
    for index in values.mappings("storage", "disks"):
        kind, name = (values.maybe("storage", "disks", index, key) for key in ("kind", "scheduler"))
        if kind and name and name != seen.setdefault(kind, name):
            yield values.problem(
                ("storage", "disks", index, "scheduler"),
                f"is {name}, but that of another {kind} disk is {seen[kind]}",
                "write the same for all disks of one kind, or leave it out",
            )


def _session_of_desktop(values: Values) -> Iterator[Problem]:
    desktop, kind = values.text("session", "desktop"), values.text("session", "type")
    if (desktop == "none") != (kind == "none"):
        yield values.problem(
            ("session", "type"),
            f"is {kind} with desktop {desktop}",
            "write none for both, or a desktop and its session type",
        )


_CHECKS: tuple[Callable[[Values], Iterator[Problem]], ...] = (
    _named_after_file,
    _march_within_family,
    _code_within_march,
    _family_of_vendor,
    _threads_of_cores,
    _one_scheduler_of_a_kind,
    _session_of_desktop,
)
_TIER_CHECKS: tuple[Callable[[Values, str], Iterator[Problem]], ...] = (
    _tier_within_threads,
    _tier_fits_memory,
)
