"""After an undo a home is as before the run, with all that others wrote since.

The homes are random (``furnish.py``): KDE files and chezmoi sources in every form, files of the
user's at our places, a desktop that writes meanwhile with the real kwriteconfig. HOMES says how
many (``make homes``).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import DESKTOP, Box, Cli
from tests.kde.oracle import KDE
from tests.run.furnish import Home

HOMES = int(os.environ.get("HOMES", "4"))


def written(keys: dict[str, str]) -> dict[tuple[bytes, bytes], bytes]:
    """What KDE has written, as it reads it."""
    return {(b"[Session]", key.encode()): value.encode() for key, value in keys.items()}


@pytest.mark.parametrize("seed", range(HOMES))
def test_a_random_home_comes_back_as_it_was(
    cli: Cli, make_box: Callable[..., Box], tmp_path: Path, seed: int
) -> None:
    home = Home(make_box(layers=DESKTOP), seed)
    home.furnish()
    about = f"{seed}: {home.trait}, {home.forms}"
    remembered, said = home.remembered(tmp_path), home.chezmoi("status")
    before = home.look()

    chosen = home.random.choice(((), ("chezmoi_programs=run",), ("prefer=live",)))
    chosen = ("--data", *chosen) if chosen else ()
    run = cli(home.box.inventory, "deploy.py", "-y", *chosen)
    assert run.code in (0, 1), about + run.out + run.err  # 1: what a source holds back was named
    home.desktop_writes()
    for _ in range(3):
        back = cli(home.box.inventory, "tasks/rollback.py", "-y")
        assert back.code == 0, about + back.out + back.err
        if "nothing left to roll back" in back.out:
            break
    else:
        raise AssertionError("the rollback never ends")

    after = home.look()
    # A file that the run made and KDE wrote to meanwhile stays, with what KDE wrote.
    made = home.others.keys() - before.keys()
    assert after.keys() == before.keys() | made, about
    judge = KDE(tmp_path / "judge")
    for name in made:
        content = after[name][0]
        assert isinstance(content, bytes)
        assert judge.entries(content) == written(home.others[name]), about + name
    for name, (was, mode) in before.items():
        if name not in home.others:
            assert after[name] == (was, mode), about + name
            continue
        now = after[name][0]
        assert isinstance(was, bytes) and isinstance(now, bytes)
        entries, kept = judge.entries(now), judge.entries(was)
        assert entries is not None and kept is not None, about + name
        assert entries == {**kept, **written(home.others[name])}, about + name
        assert after[name][1] in (mode, home.modes[name]), about + name
    assert home.remembered(tmp_path) == remembered, about
    if not home.others:
        assert home.chezmoi("status") == said, about
