"""Check the word of a command line that names the inventory, before the inventory is read.

In: the word. Out: problems, each with what to type instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from converge.problem import Problem, nearest
from tasks.run.options import problem

PROJECT = Path(__file__).parents[2]


def problems(given: str, *, alone: bool) -> Iterator[Problem]:
    """Yield the problems. A word that looks like a file has to be one; any other word may be a
    host. ``alone``: the command needs only the name of a host."""
    if Path(given).suffix in (".yaml", ".yml"):
        what = "is a hardware profile, and stands where the inventory has to be"
        yield problem(given, what, f"its workspace's file is inventory/{Path(given).stem}.py")
        return
    if not given or Path(given).is_file():
        return
    machine = given.startswith("@") or "," in given
    files = {path.stem: path for path in sorted((PROJECT / "inventory").glob("[!_]*.py"))}
    names = [f"inventory/{path.name}" for path in files.values()]
    if machine and alone:
        return
    if Path(given).is_dir():
        yield problem(given, "is a directory", f"name a file: {', '.join(names)}")
    elif not machine and (given in files or "/" in given or given.endswith(".py")):
        close = nearest(Path(given).stem, files)
        listed = f"the inventories are {', '.join(names)}"
        hint = f"did you mean inventory/{close}.py?" if close else listed
        yield problem(given, "there is no such inventory", hint)
    elif not alone:
        first = "@local" if given == "localhost" else given
        yield problem(
            given,
            "is a machine; what is wanted on which workspace stands in an inventory file",
            f".venv/bin/pyinfra {first} tasks/detect.py looks at it and writes one",
        )
