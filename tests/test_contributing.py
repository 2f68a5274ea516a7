"""The worked example of docs/contributing.md, done in a copy as a newcomer would."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PARTS = ("converge", "tasks", "tests", "files", "schemas", "inventory", "sandbox", "docs")
#: "At the end of `ROWS` in `path`:" or "Above `PROOFS` in `path`:", and the code below it.
STEP = re.compile(
    r"(At the end of|Above) `(\w+)` in\s+`([\w/.]+)`:\n\n```text\n(.*?)```", re.DOTALL
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in PARTS:
        shutil.copytree(PROJECT / name, tmp_path / name)
    for name in ("pyproject.toml", "README.md", "config.py", "deploy.py"):
        shutil.copy2(PROJECT / name, tmp_path / name)
    return tmp_path


def add(text: str, where: str, name: str, block: str) -> str:
    """The module with a block above the assignment of ``name``, or at the end of its value."""
    (held,) = [
        one
        for one in ast.parse(text).body
        if isinstance(one, ast.AnnAssign)
        and isinstance(one.target, ast.Name)
        and one.target.id == name
    ]
    assert held.end_lineno is not None
    at = held.lineno - 1 if where == "Above" else held.end_lineno - 1
    lines = text.splitlines(keepends=True)
    return "".join((*lines[:at], block, *lines[at:]))


def run(copy: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_setting_with_a_proof_of_its_own_needs_its_room_and_one_case(copy: Path) -> None:
    steps = STEP.findall((PROJECT / "docs/contributing.md").read_text())
    assert len(steps) == 4
    for where, name, path, block in steps:
        held = copy / path
        held.write_text(add(held.read_text(), where, name, block))
    touched = {path for _, _, path, _ in steps}
    assert touched == {
        "converge/subjects/memory/rows.py",
        "converge/subjects/memory/checks.py",
        "tests/subjects/memory.py",
    }
    # What the example uses of the house is imported there, and nothing is left to tidy up.
    run(copy, "ruff", "check", "-q", *touched)
    run(copy, "ruff", "format", "-q", "--check", *touched)
    name = "memory.map-count"
    rooms = ("tests/proof/test_checks_effects.py", "tests/proof/test_every_probe.py")
    said = run(
        copy, "pytest", "-p", "no:cacheprovider", "-rA", *rooms, "-k", f"{name} or has_a_case"
    )
    assert f"[{name}]" in said and f"[{name}-the_default]" in said
    assert "test_every_check_and_every_item_has_a_case_with_a_wrong_value" in said
    run(copy, "pytest", "-p", "no:cacheprovider", "-q", "tests/plan/test_settings.py")
    text = (PROJECT / "docs/contributing.md").read_text()
    for module in re.findall(r"^\.venv/bin/python -m (\S+_page)", text, re.MULTILINE):
        run(copy, module)
    for page in ("settings", "checks"):
        assert name in (copy / f"docs/{page}.md").read_text()
    run(copy, "pytest", "-p", "no:cacheprovider", "-q", "tests/test_docs.py", "-k", "generated")
