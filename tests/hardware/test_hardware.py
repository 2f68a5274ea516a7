"""Tables of hardware: marches by the numbers of a CPU, generations by PCI ids and capabilities."""

from __future__ import annotations

from itertools import pairwise

import pytest

from converge.hardware import cpus, graphics


@pytest.mark.parametrize(
    ("vendor", "family", "number", "march"),
    [
        ("intel", 6, 94, "skylake"),
        ("intel", 6, 158, "skylake"),
        ("intel", 6, 60, "haswell"),
        ("intel", 6, 151, "alderlake"),
        ("amd", 23, 8, "znver1"),
        ("amd", 23, 113, "znver2"),
        ("amd", 25, 80, "znver3"),
        ("amd", 25, 24, "znver4"),
        ("amd", 25, 97, "znver4"),
        ("amd", 26, 68, "znver5"),
    ],
)
def test_march_of_a_cpu_by_its_numbers(vendor: str, family: int, number: int, march: str) -> None:
    flags = cpus.marches()[march]
    assert cpus.family_march(vendor, family, number, flags) == march
    assert cpus.family_march(vendor, family, number, flags - {"bmi2"}) == "x86-64-v2"


def test_each_level_needs_the_one_below() -> None:
    levels = ["x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"]
    for lower, higher in pairwise(levels):
        assert cpus.marches()[lower] < cpus.marches()[higher]
        assert cpus.best_march(cpus.marches()[higher]) == higher


@pytest.mark.parametrize(
    ("device", "name"),
    [
        (0x1401, "maxwell"),
        (0x1B80, "pascal"),
        (0x1D81, "volta"),
        (0x2182, "turing"),
        (0x1E04, "turing"),
        (0x2204, "ampere"),
        (0x2330, "hopper"),
        (0x2684, "ada"),
        (0x2C05, "blackwell"),
        (0x1187, "kepler"),
        (0x1040, None),
        (0xFFFF, None),
    ],
)
def test_generation_of_a_device(device: int, name: str | None) -> None:
    found = graphics.generation_of_device(device)
    assert (found.name if found else None) == name


def test_generations_do_not_overlap() -> None:
    ranges = sorted(r for g in graphics.GENERATIONS for r in g.devices)
    assert all(first <= last for first, last in ranges)
    assert all(a[1] < b[0] for a, b in pairwise(ranges))
    capabilities = [c for g in graphics.GENERATIONS for c in g.capabilities]
    assert len(capabilities) == len(set(capabilities))


@pytest.mark.parametrize(
    ("march", "rust"),
    [
        ("znver6", "znver5"),
        ("yongfeng", "x86-64-v3"),
        ("shijidadao", "x86-64-v3"),
        ("lujiazui", "x86-64-v2"),
        ("nano-x4", "x86-64"),
        ("znver5", "znver5"),
        ("novalake", "novalake"),
        ("x86-64-v4", "x86-64-v4"),
    ],
)
def test_rustc_is_given_a_name_that_it_has(march: str, rust: str) -> None:
    assert cpus.rust_cpu(march) == rust
    assert cpus.runs_on(rust, march)
