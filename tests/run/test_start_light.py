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

#: Imports what pyinfra imports for a command of ours, and says which modules are there.
LOADED = """\
import sys
sys.argv = ["pyinfra", "deploy.py"]
import workspace_start
workspace_start.install()
import pyinfra_cli.main
print("invoke.tasks" in sys.modules, "jsonschema" in sys.modules)
import invoke, paramiko.config, pyinfra.connectors.ssh
print(invoke.Context.__name__, paramiko.config.invoke.__name__)
"""


def test_invoke_is_imported_by_whoever_uses_it_and_by_nobody_before() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False", "Context", "FakeInvoke"]


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
