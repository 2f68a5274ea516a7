"""What the README shows is what the product prints."""

from __future__ import annotations

import re

from tests.conftest import PROJECT, Cli
from tests.tools import need


def shape(line: str) -> str:
    """A line without what differs from run to run: numbers and the id of the plan."""
    return re.sub(r"[0-9]+", "N", re.sub(r"plan [0-9a-f]{12}", "plan ID", line))


def test_the_output_in_the_readme_is_what_a_dry_run_prints(cli: Cli) -> None:
    need("nix")
    need("chezmoi")
    cli.environment["SANDBOX"] = str(cli.directory / "sandbox")
    text = (PROJECT / "README.md").read_text()
    shown = text.partition("From `make demo`")[2].split("```")[1].strip("\n").splitlines()
    out = cli(PROJECT / "inventory/sandbox.py", "deploy.py", "--dry").out
    printed = {shape(line).rstrip() for line in out.splitlines()}
    assert [line for line in shown if shape(line).rstrip() not in printed] == [], out
