"""What people write wrong in a profile: the line that is named, what is wrong with it, what to do.

A row is a part of ``inventory/hardware/shoshin.yaml``, what stands in its place, and the answer.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from converge.problem import InvalidInput
from converge.profile.profile import load_profile
from tests.conftest import PROJECT

PROFILE = (PROJECT / "inventory/hardware/shoshin.yaml").read_text()
COLUMN = "keys of one mapping begin in the same column"

ROWS = (
    # numbers
    ("cores: 4", "cores: four", '13:10: cpu.cores: is the text "four", expected an integer from 1'),
    (
        "cores: 4",
        'cores: "4"',
        '13:10: cpu.cores: is the text "4", expected an integer from 1 to '
        "8192; write 4, without quotes and without a unit",
    ),
    ("cores: 4", "cores: 4 cores", "write 4, without quotes and without a unit"),
    (
        "totalGB: 16",
        "totalGB: 16GB",
        'memory.totalGB: is the text "16GB", expected an integer from '
        "1 to 65536; write 16, without quotes",
    ),
    ("percent: 75", "percent: 75%", 'memory.zram.percent: is the text "75%", expected an integer'),
    ("cores: 4", "cores: 4.0", "unquoted 4.0 is a fraction"),
    ("cores: 4", "cores: 04", "unquoted 04 is a number that readers do not agree about"),
    ("cores: 4", "cores: -4", "cpu.cores: -4 is out of range, expected an integer from 1 to 8192"),
    ("totalGB: 16", "totalGB: 0", "memory.totalGB: 0 is out of range"),
    # truth, nothing, text
    ("cores: 4", "cores: yes", "unquoted yes is a truth value to some readers and text to others"),
    ("cores: 4", "cores:", "13:9: cpu.cores: has no value; write one, or remove the key"),
    ("vendor: intel", "vendor: Intel", "did you mean intel?"),
    ("vendor: intel", "vendor: inetl", "did you mean intel?"),
    ("vendor: intel", "vendor: [intel]", "10:11: cpu.vendor: is a list, expected one of intel"),
    ("vendor: intel", "vendor: \u201cintel\u201d", "did you mean intel?"),
    (
        "vendor: intel",
        'vendor: "intel',
        "a line break in a value is not allowed; write it on one line, with a quote at each end",
    ),
    (
        "scheduler: none",
        'scheduler: none"x',
        'scheduler: "none\\"x" does not have the form it needs',
    ),
    # keys
    ("cores: 4", "Cores: 4", "13:3: cpu.Cores: is not a known key; did you mean cores?"),
    ("cores: 4", "cores: 4\n  cores: 4", 'the key "cores" is there already, on line 13'),
    ("  type: DDR4", "  typo: DDR4", "42:3: memory.typo: is not a known key; did you mean type?"),
    ("  threads: 8\n", "", "the key threads is missing; add it"),
    ("schemaVersion: 1\n", "", "the key schemaVersion is missing; add it"),
    ("schemaVersion: 1", "schemaVersion: 2", "5:16: schemaVersion: is 2, expected 1"),
    (
        "workspace: shoshin",
        "workspace: Shoshin",
        "write small letters, digits and -, such as shoshin",
    ),
    ("workspace: shoshin", "workspace: atelier", "but the file is called shoshin.yaml; give both"),
    ("gpus:", "gpu:", "each card is now an entry of gpus, with driver and role"),
    # the form of YAML
    ("cores: 4", "cores = 4", "13:3: has no colon between key and value; write KEY: VALUE"),
    (
        "model: Intel",
        "model: CPU: Intel",
        "11:13: has a second colon, in its value; write the value",
    ),
    ("cores: 4", "cores:4", "13:3: has no space behind the colon; write KEY: VALUE"),
    ("cores: 4", "cores:\u00a04", "13:9: U+00A0 looks like a space and is none; write a space"),
    (
        "  cores: 4",
        "\tcores: 4",
        "13:1: a tab is not allowed here; indent and separate with spaces",
    ),
    ("  cores: 4", " cores: 4", f"13:2: is indented by 1, and the line above by 2; {COLUMN}"),
    ("  cores: 4", "   cores: 4", f"13:4: is indented by 3, and the line above by 2; {COLUMN}"),
    (
        "gpus:\n",
        "gpus: nvidia\n",
        "by 2, and the line above by 0; keys of one mapping begin in the "
        "same column; one with lines below it has no value",
    ),
    (
        "percent: 75, ",
        'percent: "75, ',
        "a quote is not closed; write one at each end of the value",
    ),
    ("memory:", "<<<<<<< HEAD\nmemory:", "40:1: is a mark that git left in a conflict; keep one"),
    # names of hardware, of a session
    ("march: skylake #", "march: sky lake #", '"sky lake" is not known; did you mean skylake?'),
    (
        "march: skylake #",
        "march: native #",
        "native is refused: it means another CPU on each machine",
    ),
    ("march: skylake #", "march: znver5 #", "does not run on a CPU of skylake"),
    ("desktop: plasma6", "desktop: plasma", "releases 5 and 6 differ; write plasma6 or plasma5"),
    ("desktop: plasma6", "desktop: KDE", "write plasma6 or plasma5"),
    ("type: x11", "type: X11", "did you mean x11?"),
)


@pytest.mark.parametrize(("right", "wrong", "says"), ROWS, ids=[row[1] for row in ROWS])
def test_a_mistake_in_a_profile_is_named_with_its_line_and_what_to_write(
    tmp_path: Path, right: str, wrong: str, says: str
) -> None:
    assert right in PROFILE
    file = tmp_path / "shoshin.yaml"
    file.write_text(PROFILE.replace(right, wrong, 1), encoding="utf-8")
    with pytest.raises(InvalidInput) as refused:
        load_profile(file)
    first, *more = str(refused.value).splitlines()
    assert says in first, first
    assert first.startswith(f"{file}:") and len(more) <= 1, "one mistake, one answer"
