"""The source: data never gets into the text of a program, and steps fit together."""

from __future__ import annotations

import ast
import importlib
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.run import operations, stages
from tests.proof.checks import PROJECT

COMMANDS = ("verify", "status", "why", "confirm", "rollback", "remove", "detect", "measure")
SOURCES = sorted(
    path
    for directory in ("tasks", "converge", "inventory")
    for path in (PROJECT / directory).rglob("*.py")
    if "data" not in path.parts
)
FORBIDDEN = frozenset(
    {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "eval", "exec"}
)
SHELLS = frozenset({"sh", "/bin/sh", "dash", "bash"})


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def called(node: ast.Call) -> str:
    name = node.func
    return name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", "")


def composed(node: ast.AST) -> bool:
    """Whether text is put together in here: f-string, ``%``, ``+``, format, join."""
    return any(
        isinstance(part, ast.JoinedStr)
        or (isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add | ast.Mod))
        or (isinstance(part, ast.Call) and called(part) in ("format", "join", "replace"))
        for part in ast.walk(node)
    )


def test_commands_for_a_workspace_are_made_in_one_place_of_quoted_words() -> None:
    makers = []
    for path in SOURCES:
        for node in nodes(path):
            if isinstance(node, ast.Call) and called(node) == "StringCommand":
                assert path.name == "remote.py", path
                makers.append(node)
            if isinstance(node, ast.ImportFrom) and node.module:
                assert not node.module.startswith("pyinfra.operations"), path
    (first,) = [node for node in makers if ast.unparse(node.args[0]) == "'sh'"]
    for node in makers:  # the others put together what the first has made
        parts = [part for one in node.args for part in ast.walk(one)]
        assert not [part for part in parts if isinstance(part, ast.JoinedStr | ast.BinOp)]
        assert node is first or not [one for one in node.args if isinstance(one, ast.Constant)]
    _, flag, rest = first.args
    assert ast.unparse(flag) == "'-c'"
    assert isinstance(rest, ast.Starred)
    assert isinstance(rest.value, ast.GeneratorExp)
    assert ast.unparse(rest.value.elt).startswith("QuoteString(")


def test_no_text_of_a_program_is_put_together_from_data() -> None:
    """What follows ``sh -c`` is a name or a constant; no shell is started for a line of text."""
    for path in SOURCES:
        for node in nodes(path):
            if isinstance(node, ast.Call):
                where = f"{path}:{node.lineno}"
                assert ast.unparse(node.func) not in FORBIDDEN, where
                assert "shell" not in {keyword.arg for keyword in node.keywords}, where
                if called(node) == "_sh":
                    assert not composed(node.args[0]), where
            words = (
                node.elts
                if isinstance(node, ast.List | ast.Tuple)
                else node.args
                if isinstance(node, ast.Call)
                else []
            )
            for shell, flag, text in zip(words, words[1:], words[2:], strict=False):
                if (
                    isinstance(shell, ast.Constant)
                    and shell.value in SHELLS
                    and isinstance(flag, ast.Constant)
                    and flag.value == "-c"
                ):
                    assert not composed(text), f"{path}:{node.lineno}"  # type: ignore[attr-defined]


def test_converge_knows_neither_pyinfra_nor_gevent() -> None:
    for path in SOURCES:
        if "converge" in path.parts[-3:] or path.parent.name == "converge":
            for node in nodes(path):
                names = (
                    [alias.name for alias in node.names]
                    if isinstance(node, ast.Import)
                    else [node.module or ""]
                    if isinstance(node, ast.ImportFrom)
                    else []
                )
                for name in names:
                    assert name.partition(".")[0] not in ("pyinfra", "gevent", "tasks"), path


@pytest.mark.parametrize("name", ["deploy.py", *(f"tasks/{name}.py" for name in COMMANDS)])
def test_each_step_takes_the_stage_that_the_one_before_it_gives(name: str) -> None:
    """What a command lists for ``look`` and ``change`` fits together, as its file has it."""
    tree = ast.parse((PROJECT / name).read_text())
    calls = [
        n for n in ast.walk(tree) if isinstance(n, ast.Call) and called(n) in ("look", "change")
    ]
    stage: Any = None
    for step in (argument for call in calls for argument in call.args):
        if isinstance(step, ast.Call):  # workspace(host)
            stage = typing.get_type_hints(getattr(stages, called(step)))["return"]
        elif isinstance(step, ast.Attribute):
            module = importlib.import_module(f"tasks.steps.{ast.unparse(step.value)}")
            listed = getattr(module, step.attr)
            act = listed.act if isinstance(listed, operations.Step) else listed
            hints = typing.get_type_hints(act)
            gives, (takes, *_) = hints.pop("return"), hints.values()
            assert issubclass(stage, takes), f"{step.attr} needs {takes}, and gets {stage}"
            if isinstance(listed, operations.Step):
                assert listed.gives is gives, step.attr
            stage = gives
    assert stage is not None
