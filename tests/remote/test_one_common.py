"""Only common.sh has what programs share: helpers, the list of places, the way to end."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tasks.reach.remote import PROGRAMS

COMMON = PROGRAMS / "common.sh"
SHELL = sorted(path for path in PROGRAMS.glob("*.sh"))
#: The hook of common.sh: a program that has something to clean up has its own.
HOOKS = {"at_end"}
DEFINED = re.compile(r"^([a-z_]+)\(\) ", re.MULTILINE)


def functions(path: Path) -> list[str]:
    return DEFINED.findall(path.read_text())


def test_no_program_has_a_helper_of_common_once_more() -> None:
    shared = set(functions(COMMON))
    assert {"say", "row", "stop", "end_with", "put", "swappable", "place", "give_back"} <= shared
    assert max(Counter(functions(COMMON)).values()) == 1
    for path in SHELL:
        if path != COMMON:
            assert not (set(functions(path)) & shared) - HOOKS, path.name


def test_where_programs_are_looked_for_and_how_a_line_is_printed_stand_once() -> None:
    for path in SHELL:
        text = path.read_text()
        if path != COMMON:
            assert "/run/current-system/sw/bin:" not in text, path.name
            assert "printf '\\t'" not in text, path.name
