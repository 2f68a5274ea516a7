"""The house: ``converge`` computes and touches nothing, arrows between modules run one way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT

CONVERGE = sorted((PROJECT / "converge").rglob("*.py"))
TASKS = sorted((PROJECT / "tasks").rglob("*.py"))
#: The command that writes reports, and programs that run on a workspace.
COMMANDS = {"converge/report/__main__.py", "converge/measure/work/work.py"}
FOREIGN = {
    *("pyinfra", "pyinfra_cli", "gevent", "paramiko", "click", "subprocess", "socket", "shutil"),
    *("tempfile", "multiprocessing", "asyncio", "http", "ctypes", "signal", "tasks"),
    *("sandbox", "tests"),
}
#: Functions of os and methods of Path that change something or run something.
WRITERS = {
    *("system", "popen", "execv", "execve", "execvp", "spawnv", "posix_spawn", "fork", "kill"),
    *("mkdir", "makedirs", "rmdir", "remove", "removedirs", "unlink", "rename", "renames"),
    *("symlink", "symlink_to", "link", "hardlink_to", "chmod", "chown", "lchown", "truncate"),
    *("ftruncate", "mkfifo", "mknod", "fsync", "fdatasync", "utime", "putenv", "setenv", "umask"),
    *("write_text", "write_bytes", "touch", "open_write"),
}
#: Flags of os.open.
WRITING = {"O_WRONLY", "O_RDWR", "O_CREAT", "O_APPEND", "O_TRUNC"}
#: The same names where they belong to a text, a set or a value as well.
OF_VALUES = {"replace", "write", "remove", "link", "system", "kill", "fork"}
#: What converge asks of a terminal: how wide it is, and a place for what nobody reads.
TERMINAL = "converge/report/terminal.py"


def name_of(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def faults(tree: ast.AST, path: str) -> Iterator[str]:
    """What a module does that a module of ``converge`` does not do."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            names = []
        for name in names:
            foreign = name.partition(".")[0] in FOREIGN or name == "urllib.request"
            if foreign and (path, name) != (TERMINAL, "shutil"):
                yield f"{path}:{node.lineno}: imports {name}"  # type: ignore[attr-defined]
        if isinstance(node, ast.Attribute) and node.attr in WRITING:
            yield f"{path}:{node.lineno}: opens to write"
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        called = getattr(function, "attr", getattr(function, "id", ""))
        of_os = (
            isinstance(function, ast.Attribute)
            and isinstance(function.value, ast.Name)
            and function.value.id == "os"
        )
        mode = [
            one.value
            for one in (*node.args[1:2], *(k.value for k in node.keywords if k.arg == "mode"))
            if isinstance(one, ast.Constant) and isinstance(one.value, str)
        ]
        if called in WRITERS - OF_VALUES or (of_os and called in OF_VALUES):
            yield f"{path}:{node.lineno}: calls {called}"
        elif called in ("open", "fdopen") and any(set("wax+") & set(one) for one in mode):
            if path != TERMINAL:
                yield f"{path}:{node.lineno}: opens to write"
        elif called == "replace" and len(node.args) == 1 and not node.keywords:
            if isinstance(function, ast.Attribute):  # Path.replace; str.replace takes two
                yield f"{path}:{node.lineno}: renames"
        elif called in ("exec", "eval", "__import__"):
            yield f"{path}:{node.lineno}: calls {called}"


def test_converge_runs_nothing_and_writes_nothing() -> None:
    assert len(CONVERGE) > 80
    for path in CONVERGE:
        if name_of(path) not in COMMANDS:
            assert not list(faults(ast.parse(path.read_text()), name_of(path)))


@pytest.mark.parametrize(
    "text",
    [
        "import subprocess",
        "from gevent import spawn",
        "import pyinfra.api",
        "def f():\n    from tasks.run import run",
        "import os\nos.open('x', os.O_WRONLY)",
        "import os\nos.replace('x', 'y')",
        "import os\nos.system('x')",
        "from pathlib import Path\nPath('x').write_text('y')",
        "from pathlib import Path\nPath('x').mkdir()",
        "from pathlib import Path\nPath('x').replace('y')",
        "from pathlib import Path\nPath('x').open(mode='w')",
        "open('x', 'a')",
        "open('x', mode='r+')",
        "import socket as s",
    ],
)
def test_what_would_write_or_run_is_found(text: str) -> None:
    assert list(faults(ast.parse(text), "converge/some.py")), text


def imports(path: Path) -> set[str]:
    """The modules that a module names, also where a function imports one when it is called: what
    only a type needs counts as well."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{name.name}" for name in node.names}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return found


def arrows() -> dict[str, set[str]]:
    modules = {
        name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", "."): path
        for path in (*CONVERGE, *TASKS, PROJECT / "workspace_start.py", PROJECT / "config.py")
    }
    return {name: imports(path) & modules.keys() - {name} for name, path in modules.items()}


def circle(arrows: dict[str, set[str]]) -> dict[str, list[str]]:
    """Those that need each other, with what each needs; empty where arrows run one way."""
    left = dict(arrows)
    while free := {name for name, needs in left.items() if not needs & left.keys()}:
        left = {name: needs for name, needs in left.items() if name not in free}
    return {name: sorted(needs & left.keys()) for name, needs in left.items()}


def test_no_import_goes_in_a_circle() -> None:
    assert sum(map(len, arrows().values())) > 300
    assert not circle(arrows())


def test_no_two_rooms_need_each_other() -> None:
    def room(module: str) -> str:
        return ".".join(module.split(".")[:2])

    rooms: dict[str, set[str]] = {}
    for name, needs in arrows().items():
        if name not in ("converge", "tasks"):  # these only say what is in them
            rooms.setdefault(room(name), set()).update(map(room, needs))
    between = {name: needs - {name, "converge", "tasks"} for name, needs in rooms.items()}
    assert {"converge.plan", "converge.kde", "tasks.steps"} <= between.keys()
    assert not circle(between)


def test_arrows_run_from_tasks_to_converge() -> None:
    for path in CONVERGE:
        assert not [name for name in imports(path) if name.partition(".")[0] == "tasks"], path


def test_a_class_name_means_one_thing() -> None:
    defined: dict[str, list[str]] = {}
    for path in (*CONVERGE, *TASKS, *(PROJECT / "sandbox").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                defined.setdefault(node.name, []).append(f"{name_of(path)}:{node.lineno}")
    assert len(defined) > 200
    assert not {name: places for name, places in defined.items() if len(places) > 1}


def test_every_json_of_a_workspace_is_read_with_limits() -> None:
    """``json`` alone has none; these read files of this repository or of this controller."""
    own = {
        *("converge/text/limits.py", "converge/hardware/cpus.py", "converge/profile/schema.py"),
        "converge/hardware/graphics.py",
        *("converge/journal/journal.py", "converge/plan/saved.py"),
        *COMMANDS,
    }
    for path in CONVERGE:
        if name_of(path) not in own:
            for word in ("json.loads(", "json.load(", "tomllib.load"):
                assert word not in path.read_text(), name_of(path)
