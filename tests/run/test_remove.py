"""A removal leaves a workspace as it was before, and names what it cannot restore."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import DESKTOP, Applied, Box, Cli
from tests.remote.test_transaction import begun, state, until
from tests.tools import need

APART = (".cache", ".config/chezmoi", ".local/share/chezmoi/.git")


@pytest.fixture(autouse=True)
def _real_tools() -> None:
    need("chezmoi")


def home(box: Box) -> dict[str, bytes]:
    """Every file of the home, but what chezmoi and Nix keep for themselves."""
    found = {}
    for directory, _, files in os.walk(box.home):
        for name in files:
            path = Path(directory, name)
            relative = path.relative_to(box.home).as_posix()
            if not relative.startswith(APART) and not path.is_symlink():
                found[relative] = path.read_bytes()
    return found


def record(box: Box) -> Path:
    return box.home / ".local/state/workspace-tuning"


def test_remove_gives_the_home_back_as_it_was_before_the_first_run(
    cli: Cli, make_applied: Callable[..., Applied]
) -> None:
    desktop = make_applied(layers=DESKTOP, look=home)
    before = desktop.before
    first = home(desktop)
    assert first != before
    assert cli(desktop.inventory, "deploy.py", "-y", "--data", "exclude=kwin.contrast").code == 0
    there = home(desktop)

    look = cli(desktop.inventory, "tasks/remove.py", "--dry")
    assert look.code == 2, look.out
    for text in ("to be rolled back", "to be removed, with the records of every run"):
        assert text in " ".join(look.out.split())
    assert home(desktop) == there

    run = cli(desktop.inventory, "tasks/remove.py", "-y")
    assert run.code == 0, run.out
    assert run.last_line.startswith("removed (exit 0)")
    assert home(desktop) == before
    assert not record(desktop).exists()
    assert not (desktop.root / "var/lib/workspace-tuning").exists()

    again = cli(desktop.inventory, "tasks/remove.py", "-y")
    assert (again.code, again.last_line.split(" (")[0]) == (0, "nothing to change")


def test_remove_names_what_it_cannot_give_back_and_takes_the_rest_off(
    cli: Cli, applied: Box
) -> None:
    sessions = list((applied.home / ".config/environment.d").glob("60-*.conf"))
    assert sessions
    mine = sessions[0]
    mine.write_text(mine.read_text() + "MINE=1\n")
    shutil.rmtree(record(applied) / "workspace/runs")  # older than the newest ten
    run = cli(applied.inventory, "tasks/remove.py", "-y")
    said = " ".join(run.out.split())
    assert run.code == 1, run.out
    assert run.last_line.startswith("undone in part (exit 1)")
    assert f"{mine}: changed since, left alone" in said
    assert "[Plugins] contrastEnabled=false: what was there before is not known" in said
    assert [path for path in sessions if path.exists()] == [mine]
    assert not record(applied).exists()


def test_remove_refuses_while_a_change_is_being_proved(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    box = make_box(layers=DESKTOP, deadline_s=60)
    process = begun(cli, box)
    until(box, "activating", "activated")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    if until(box, "activated", "undone", "kept").startswith("activated"):
        for mode in ("--dry", "-y"):
            run = cli(box.inventory, "tasks/remove.py", mode)
            assert run.code == 7, run.out
    assert record(box).exists()


def test_remove_takes_the_nix_layers_off_and_goes_back_to_the_generations_from_before(
    cli: Cli, make_applied: Callable[..., Applied]
) -> None:
    need("nix")
    box = make_applied(look=state)
    before = box.before
    assert state(box) != before
    look = cli(box.inventory, "tasks/remove.py", "--dry")
    assert look.code == 2, look.out
    run = cli(box.inventory, "tasks/remove.py", "-y")
    assert run.code == 0, run.out
    assert state(box) == before
    assert not record(box).exists()
    assert not (box.home / ".local/share/workspace-tuning").exists()
    assert not (box.root / "var/lib/workspace-tuning").exists()
    assert cli(box.inventory, "deploy.py", "-y").code == 0, "the next first run goes well"
