"""After an undo a home is what it was before the run, and all that others wrote is there.

The homes are random: KDE files and chezmoi sources in every form, files of the user's at our
places, a desktop that writes meanwhile with the real kwriteconfig. HOMES says how many (``make
homes``).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

import sandbox
from tests.conftest import DESKTOP, Box, Cli
from tests.kde.oracle import KDE
from tests.remote.test_undo import write_key
from tests.tools import need

HOMES = int(os.environ.get("HOMES", "4"))
FILES = tuple(sandbox.KDE_FILES)
#: Ours, of the run, or of chezmoi's own making.
NOT_THE_HOME = (".local/state/workspace-tuning", ".config/chezmoi", ".cache")
LINES = (
    b"[Plugins]\nblurEnabled=false\nkrohnkiteEnabled=true\n",
    b"[Compositing]\nBackend=XRender\nMaxFPS=144\n",
    b'[Tiling][11]\ntiles={"width":0.5}\n',
    b"[General]\nexclude folders[$e]=$HOME/.cache/,$HOME/Mirrors/\ndbVersion=2\n",
    b"[General]\nonly basic indexing=false\nName[de]=Suche\n",
    b"[KDE]\nAnimationDurationFactor=2\nSingleClick=false\n",
    b"[Windows]\nFocusPolicy=FocusFollowsMouse\nTitle=a\\tb\n",
    b"# by hand, years ago\n",
    b"\n",
)
SOURCES = ("dot_config/{}", "dot_config/private_{}", "dot_config/create_{}", "dot_config/{}.tmpl")


@dataclass
class Home:
    """A box that was furnished at random; ``others`` is what the desktop wrote since."""

    box: Box
    random: Random
    others: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def sources(self) -> Path:
        return self.box.home / ".local/share/chezmoi"

    def furnish(self) -> None:
        for name in FILES:
            self._file(name)
            self._source(name)
        if self.random.random() < 0.4:  # the user's own file where we would put ours
            own = self.box.config("environment.d/60-video-variables.conf")
            own.parent.mkdir(exist_ok=True)
            own.write_text("LIBVA_DRIVER_NAME=mine\n")
            own.chmod(self.random.choice((0o600, 0o644)))

    def _file(self, name: str) -> None:
        live, shape = self.box.config(name), self.random.random()
        if shape < 0.15:
            live.unlink()
            return
        if shape < 0.8:
            text = b"".join(self.random.sample(LINES, self.random.randint(1, 6)))
            if self.random.random() < 0.2:
                text = text.replace(b"\n", b"\r\n")
            live.write_bytes(text.removesuffix(b"\n") if self.random.random() < 0.2 else text)
        live.chmod(self.random.choice((0o600, 0o644, 0o640)))

    def _source(self, name: str) -> None:
        self.box.source(name).unlink()
        live = self.box.config(name)
        if not live.exists() or self.random.random() < 0.35:
            return
        source = self.sources / self.random.choice(SOURCES).format(name)
        source.write_bytes(live.read_bytes())
        if self.random.random() < 0.25:  # edited by hand, or pulled, and not applied yet
            source.write_bytes(source.read_bytes().rstrip(b"\r\n") + b"\n[Mine]\nedited=yes\n")

    def desktop_writes(self) -> None:
        """What KDE writes while the change is in force: entries that are not ours."""
        for number in range(self.random.randint(0, 3)):
            name = self.random.choice(FILES)
            if self.box.config(name).exists():
                write_key(self.box, name, "Session", f"window {number}", "1,2,3")
                self.others.setdefault(name, {})[f"window {number}"] = "1,2,3"

    def look(self) -> dict[str, tuple[bytes, int]]:
        found = {}
        for path in sorted(self.box.home.rglob("*")):
            name = path.relative_to(self.box.home).as_posix()
            if path.is_file() and not name.startswith(NOT_THE_HOME):
                found[name] = (path.read_bytes(), path.stat().st_mode & 0o7777)
        return found

    def verified(self) -> str:
        """What chezmoi itself says of the home."""
        done = subprocess.run(
            [need("chezmoi"), "--no-tty", "status"],
            env={**os.environ, **dict(sandbox.environment(self.box.root))},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout


def written(keys: dict[str, str]) -> dict[tuple[bytes, bytes], bytes]:
    """What KDE has written, as it reads it."""
    return {(b"[Session]", key.encode()): value.encode() for key, value in keys.items()}


@pytest.mark.parametrize("seed", range(HOMES))
def test_a_random_home_comes_back_as_it_was(
    cli: Cli, make_box: Callable[..., Box], tmp_path: Path, seed: int
) -> None:
    home = Home(make_box(layers=DESKTOP), Random(seed))
    home.furnish()
    before, said = home.look(), home.verified()

    run = cli(home.box.inventory, "deploy.py", "-y")
    assert run.code in (0, 1), run.out + run.err  # 1: what a source holds back was named
    home.desktop_writes()
    while (back := cli(home.box.inventory, "tasks/rollback.py", "-y")).code == 0:
        if "nothing left to roll back" in back.out:
            break
    assert back.code == 0, back.out + back.err

    after = home.look()
    # A file that the run made and KDE wrote to meanwhile stays, with what KDE wrote.
    made = {f".config/{name}" for name in home.others} - before.keys()
    assert after.keys() == before.keys() | made
    judge = KDE(tmp_path / "judge")
    for name in made:
        assert judge.entries(after[name][0]) == written(home.others[Path(name).name]), name
    for name, (text, mode) in before.items():
        wrote = home.others.get(name.rpartition("/")[2], {}) if ".local" not in name else {}
        if not wrote:
            assert after[name] == (text, mode), name
            continue
        was, now = judge.entries(text), judge.entries(after[name][0])
        assert now is not None and was is not None
        assert now == {**was, **written(wrote)}, name
    if not home.others:
        assert home.verified() == said
