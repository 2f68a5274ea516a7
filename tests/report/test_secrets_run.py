"""A whole run over files full of secrets shows none of them, in the process list neither."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import pytest

from tests.conftest import Box, Cli
from tests.report.test_secrets import PLANTED
from tests.tools import need


class Watch:
    """The command lines of all processes, looked at again and again while it is entered."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._over.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    self.seen.add(path.read_bytes())

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


@pytest.mark.slow
def test_a_run_over_files_full_of_secrets_shows_none_of_them(cli: Cli, desktop: Box) -> None:
    need("chezmoi")
    need("nix")
    planted = {k: v for k, v in PLANTED.items() if "\n" not in v[0].strip("\n")}
    kwinrc, source = desktop.config("kwinrc"), desktop.source("kwinrc")
    lines = [f"Note{n}={text.strip()}" for n, (text, _) in enumerate(planted.values())]
    for path in (kwinrc, source):
        header, found, rest = path.read_text().partition("[Compositing]\n")
        assert found
        path.write_text("\n".join([f"{header}[Compositing]", *lines, rest]))
    nix = desktop.home / ".config/nix/nix.conf"
    nix.parent.mkdir(parents=True, exist_ok=True)
    nix.write_text("\n".join(text.strip() for text, _ in planted.values()))
    cli.environment["GITHUB_TOKEN"] = PLANTED["GitHub, classic"][0]
    with Watch() as watch:
        dry = cli(desktop.inventory, "deploy.py", "--dry", "--diff")
        run = cli(desktop.inventory, "deploy.py", "-y", "--diff")
        verify = cli(desktop.inventory, "tasks/verify.py", "--diff")
    assert dry.code == 2, dry.out
    assert run.kinds("finding"), run.out
    assert "Note" in dry.out, "the lines around a change are shown"
    assert any(b"pyinfra" in line for line in watch.seen)
    kept = [path.read_bytes() for path in cli.state.rglob("*") if path.is_file()]
    said = [one.encode() for r in (dry, run, verify) for one in (r.out, r.err)]
    told = b"illegal configuration line 'x (not shown) y'"
    assert any(told in one for one in (*kept, *said)), "what Nix says of its file"
    for name, (_, secret) in planted.items():
        for place in (*kept, *said, *watch.seen):
            assert secret.encode() not in place, name
