"""A run does not load modules that it does not need, since they cost time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from converge.profile import schema
from tasks.run import allowed
from tests.conftest import DESKTOP, Box, Cli
from tests.proof.checks import PROJECT

#: Imports what pyinfra imports for a command of ours.
START = """\
import io, sys
sys.argv = ["pyinfra", "deploy.py"]
import workspace_start
workspace_start.install()
import pyinfra_cli.main
"""
LATER = (
    "invoke.tasks",
    "jsonschema",
    "typeguard",
    "jinja2",
    "dateutil",
    "distro",
    "asyncio",
    "pyinfra.facts",
)
INVOKE = """
import invoke, paramiko.config, pyinfra.connectors.ssh
print(invoke.Context.__name__, paramiko.config.invoke.__name__)
"""
#: Uses each library where pyinfra has it, then takes it itself.
USED = """
from pyinfra.api import util
from pyinfra.facts import server
print(util.get_template(io.StringIO("{{ one }}")).render(one=1))
print(server.parse_date("2026-11-27").day, server.distro.LinuxDistribution.__name__)
util.raise_if_bad_type(1, int | None, ValueError, "one")
try:
    util.raise_if_bad_type("1", int, ValueError, "one")
except ValueError as error:
    print(error)
import dateutil.parser, distro, jinja2, typeguard
import pyinfra_cli.cli
from pyinfra.operations import server
print(pyinfra_cli.cli.server.shell.real() is server.shell)
print(*(bool(one.__file__) for one in (dateutil.parser, distro, jinja2, typeguard)))
"""


def started(script: str, before: str = "") -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", before + START + script],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_a_start_imports_no_library_that_a_run_hardly_ever_uses() -> None:
    assert started(f"print(*[one for one in {LATER} if one in sys.modules])") == [""]


def test_a_start_looks_for_no_unreachable_objects_and_a_long_run_does() -> None:
    looks = """
def looks():
    return [one["collections"] for one in gc.get_stats()]
"""
    counted = f"import gc, workspace_start{looks}before = looks()\n"
    made = "print(looks() == before)\nmade = [[one] for one in range(300_000)]\n"
    assert started(made + "print(looks() == before)", counted) == ["True", "False"]


def test_a_start_reads_once_which_plugins_are_installed() -> None:
    counted = """
from importlib import metadata
asked = []
real = metadata.entry_points
def counts(**wanted):
    asked.append(wanted)
    return real(**wanted)
metadata.entry_points = counts
"""
    kind = "group='console_scripts', name='pyinfra'"
    same = f"print(metadata.entry_points({kind}) == real({kind}) != [], len(asked))"
    assert started(same, counted) == ["True 1"]


def test_invoke_is_imported_by_whoever_uses_it() -> None:
    assert started(INVOKE) == ["Context FakeInvoke"]


def test_what_is_put_off_is_the_real_one_for_whoever_uses_it() -> None:
    wrong = "one: str is not an instance of int"
    ours = ["1", "27 LinuxDistribution", wrong, "True", "True True True True"]
    assert started(USED) == ours


def test_what_a_schema_allowed_is_not_validated_again_by_the_next_process(
    tmp_path: Path,
) -> None:
    before = frozenset(schema.allowed)
    new = {f"{number:064x}" for number in range(3)}
    schema.allowed.update(new)
    try:
        allowed.keep(tmp_path / "controller", before)
    finally:
        schema.allowed.difference_update(new)
    kept = tmp_path / "controller/allowed"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert new <= set(kept.read_text().split())
    kept.write_text(kept.read_text() + "no digest\n\x1b[31m\n")
    allowed.recall(tmp_path / "controller")
    try:
        assert new <= schema.allowed and "no digest" not in schema.allowed
    finally:
        schema.allowed.difference_update(new)


def test_what_somebody_else_allowed_or_may_have_is_validated(tmp_path: Path) -> None:
    kept, digest = tmp_path / "allowed", f"{9:064x}"
    kept.write_text(f"{digest}\n")
    kept.chmod(0o666)
    allowed.recall(tmp_path)
    assert digest not in schema.allowed
    kept.chmod(0o600)
    if os.getuid() == 0:
        os.chown(kept, 65534, 65534)
        allowed.recall(tmp_path)
        assert digest not in schema.allowed
        os.chown(kept, 0, 0)
    allowed.recall(tmp_path)
    try:
        assert digest in schema.allowed
    finally:
        schema.allowed.discard(digest)


def test_the_same_input_starts_without_jsonschema_and_a_wrong_value_is_found_all_the_same(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    box = make_box(layers=DESKTOP)
    cli.environment["PYTHONPROFILEIMPORTTIME"] = "1"
    first, second = (
        cli(box.inventory, "deploy.py", "--dry"),
        cli(box.inventory, "deploy.py", "--dry"),
    )
    assert "| jsonschema" in first.err
    assert "| jsonschema" not in second.err and "| tasks.run.run" in second.err
    assert (first.code, second.code) == (2, 2), second.out
    wrong = cli(box.inventory, "deploy.py", "--dry", "--data", "layers=plasma,sesion")
    assert wrong.code == 5 and "sesion" in wrong.err, wrong.err
