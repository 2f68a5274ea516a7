"""SECURITY.md is true: each statement names a test that exists."""

from __future__ import annotations

import ast
import re

from tests.conftest import PROJECT

TEXT = (PROJECT / "SECURITY.md").read_text()
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_each_statement_names_a_test_that_is_there() -> None:
    statements = re.findall(r"^- .*?(?=^- |^\n|\Z)", TEXT, re.DOTALL | re.MULTILINE)
    assert len(statements) > 20
    for statement in statements:
        named = NAMED.findall(statement)
        assert named, f"no test holds: {statement}"
        for path, name in named:
            tree = ast.parse((PROJECT / path).read_text())
            functions = {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}
            assert name in functions, f"{path} has no {name}"


def test_three_programs_are_run_as_root_and_no_other() -> None:
    """Every call that may use sudo, by the program that it names."""
    programs = set()
    for path in (PROJECT / "tasks").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                sudo = [
                    keyword.value for keyword in node.keywords if keyword.arg in ("sudo", "_sudo")
                ]
                never = [one for one in sudo if isinstance(one, ast.Constant) and not one.value]
                if sudo and not never and node.func.attr == "remote":
                    (first, *_) = node.args
                    if isinstance(first, ast.Starred) and isinstance(first.value, ast.Tuple):
                        first = first.value.elts[0]
                    assert isinstance(first, ast.Constant), f"{path}:{node.lineno}"
                    programs.add(first.value)
                elif sudo and not never:
                    assert path.name == "remote.py", f"{path}:{node.lineno}"
    assert programs == {"write", "transact", "choose"}


def test_sudo_on_a_workspace_is_for_the_boot_menu_alone() -> None:
    sources = [*PROJECT.glob("converge/remote/**/*.sh"), *PROJECT.glob("converge/subjects/*/*.sh")]
    assert len(sources) > 10
    used: dict[str, set[str]] = {}
    for path in sources:
        lines = [line.partition("#")[0] for line in path.read_text().splitlines()]
        for line in lines:
            for command in re.findall(r"\b(?:sudo -n|as_root) (\w+(?: -c :)?)", line):
                used.setdefault(path.relative_to(PROJECT).as_posix(), set()).add(command)
    assert used.pop("converge/remote/read.sh", {"sh -c :"}) == {"sh -c :"}
    assert used["converge/remote/probes/common.sh"] == {"test", "cat"}
    assert used["converge/subjects/workspace/boot_probe.sh"] == {"ls"}
    for path in used:
        assert path in (
            "converge/remote/probes/common.sh",
            "converge/subjects/workspace/boot_probe.sh",
        )
    common = (PROJECT / "converge/remote/probes/common.sh").read_text()
    assert "as_root() { by_root -n" in common
    assert re.search(r"/boot/\* \| /efi/\*\) may_sudo ;; \*\) return 1", common)
