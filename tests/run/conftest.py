"""Fixtures of the tests that drive commands to their ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Cli

pytest.register_assert_rewrite("tests.run.ends")
Becomes = Callable[..., None]


@pytest.fixture
def program(cli: Cli) -> Becomes:
    """Put a script in the place of programs that the workspace runs: ``program(text, name...)``."""
    place = cli.directory / "bin"
    place.mkdir()
    cli.environment["PATH"] = f"{place}:{cli.environment['PATH']}"

    def becomes(script: str, *names: str) -> None:
        for name in names:
            (place / name).write_text(f"#!/bin/sh\n{script}\n")
            (place / name).chmod(0o755)

    return becomes
