"""For any answer of a machine, the profile that detect writes loads and passes its own gate.

The machines are recorded ones, mixed with parts of each other and with words that no machine was
seen to say.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converge.gate.declare import CannotDeclare, declare
from converge.gate.detect import parse
from converge.gate.gate import FACTS, FactOutcome, gate
from converge.gate.machine import Machine
from converge.profile.profile import load_profile
from tests.gate import machines
from tests.gate.machines_page import NAMES, in_force

#: Keys that say one thing together: a machine takes all of them from the same other one.
TOGETHER = (
    ("arch", "kernel", "proc-version"),
    ("cpu",),
    ("memory", "swap", "zram", "module"),
    ("pci-bus", "pci", "connector"),
    ("nvidia", "nvidia-smi", "device"),
    ("disk", "dev", "part", "dm", "member", "mount"),
    ("mark", "os"),
    ("session", "process", "offered", "program", "plasma"),
)
ODD = (
    *("", "0", "1", "-1", "9" * 17, "none", "unknown", "other", "true", "null", "0x10de", "0x1002"),
    *("0x8086", "0x1a03", "nvidia", "nouveau", "amdgpu", "i915", "vfio-pci", "xe-vfio-pci"),
    *("NovaCore", "my driver", "Überdriver", "x" * 80, "connected", "disconnected", "eDP-1"),
    *("x11", "wayland", "tty", "mir", "KDE", "kde", "plasma", "i3", "Awesome!", "a\x1bb", "[bfq]"),
    *("none", "[none] mq-deadline", "lzo-rle [zstd]", "[zstdx]", "DDR7", "LPDDR5X", "580.95.05"),
    *(
        "6.8.1",
        "390.157",
        "470.256.02",
        "0000:01:00.0",
        "10000:e1:00.0",
        "0x0040",
        "0x1401",
        "0x2d04",
    ),
)


@cache
def printed(name: str) -> tuple[tuple[str, ...], ...]:
    """The lines of detect.sh of a recorded machine, in words."""
    with tempfile.TemporaryDirectory() as directory:
        text = machines.detect(machines.grow(name, Path(directory)))
    return tuple(tuple(line.split("\t")) for line in text.split("\n")[1:-2])


def mixed(parts: tuple[str, ...], odd: list[tuple[int, int, str]], left_out: set[int]) -> Machine:
    """Part n is that of machine ``parts[n]``; ``odd`` puts a word in place of one."""
    rows = [
        list(row)
        for keys, name in zip(TOGETHER, parts, strict=True)
        for row in printed(name)
        if row[0] in keys
    ]
    for line, word, text in odd:
        row = rows[line % len(rows)]
        if len(row) > 1:
            row[1 + word % (len(row) - 1)] = text
    kept = [row for number, row in enumerate(rows) if number not in left_out]
    return parse("\n".join(["detect\t1", *("\t".join(row) for row in kept), "detected", ""]))


def assert_passes(machine: Machine) -> None:
    try:
        text = declare(machine, "any")
    except CannotDeclare:
        return
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "any.yaml"
        path.write_text(text, encoding="utf-8")
        profile = load_profile(path)
    for force in ((), in_force(profile)):
        verdicts = gate(profile, machine, force)
        wrong = [v for v in verdicts if v.outcome in {FactOutcome.BLOCKS, FactOutcome.DIFFERS}]
        assert not wrong, "\n".join([*map(str, wrong), text])
        assert {verdict.fact for verdict in verdicts} <= set(FACTS)


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(
    st.tuples(*[st.sampled_from(NAMES)] * len(TOGETHER)),
    st.lists(
        st.tuples(
            st.integers(0, 60), st.integers(0, 6), st.sampled_from(ODD) | st.text(max_size=12)
        ),
        max_size=4,
    ),
    st.sets(st.integers(0, 60), max_size=4),
)
def test_the_profile_of_any_machine_loads_and_passes_its_own_gate(
    parts: tuple[str, ...], odd: list[tuple[int, int, str]], left_out: set[int]
) -> None:
    assert_passes(mixed(parts, odd, left_out))
