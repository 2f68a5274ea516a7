"""Fixtures: a sandbox, pyinfra as a process, and a throw-away sshd with separate Unix users."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import sandbox
from converge.journal import journal
from tests import sshd
from tests.preloaded import Preloaded
from tests.rooms import Rooms

# A deadline for an example measures the machine, not the code.
settings.register_profile("unhurried", parent=settings(), deadline=None)
settings.load_profile("unhurried")

PROJECT = Path(__file__).parent.parent
_OWN = pytest.StashKey[Path]()
_ROOMS = pytest.StashKey[Rooms]()
# As make has it: a sandbox is made by the programs that its runs will find.
os.environ["PATH"] = f"{PROJECT / '.tools/bin'}:{os.environ['PATH']}"
PYINFRA = Path(sys.executable).parent / "pyinfra"
DESKTOP = ["plasma", "session"]  # the layers that need no Nix

INVENTORY = """\
import json
from pathlib import Path

from tasks.reach.connection import workspace

hosts = [workspace(**one) for one in json.loads(Path(__file__).with_suffix(".json").read_text())]
"""


@dataclass(frozen=True)
class Outcome:
    """How a run of pyinfra ended: exit code, what it printed, its journal."""

    code: int
    out: str
    err: str
    journal: tuple[Mapping[str, Any], ...]  # as it is on disk

    def kinds(self, kind: str) -> list[Mapping[str, Any]]:
        return [record for record in self.journal if record["kind"] == kind]

    @property
    def last_line(self) -> str:
        return self.out.rstrip().rpartition("\n")[2]


def _environment() -> dict[str, str]:
    """What a run gets of the environment of the tests."""
    ours = ("XDG_", "AT_", "NIX_")
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith(ours)},
        "PYINFRA_PROGRESS": "off",
        "PATH": f"{PROJECT / '.tools/bin'}:{os.environ['PATH']}",
    }


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """A directory of this run's own. The one of pytest is for all runs of a user, and each start
    closes it to other users, whose tests may be running."""
    if config.option.basetemp is None:  # else a person's, or a worker's
        config.option.basetemp = tempfile.mkdtemp(prefix="wt-tests-")
        config.stash[_OWN] = Path(config.option.basetemp)


def pytest_collection_finish() -> None:
    """Python would look through thousands of tests, which all stay, for unreachable objects."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remove that directory, unless a person may want to look at it."""
    place = session.config.stash.get(_OWN, None)
    if place is None or exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return
    for directory, _, _ in os.walk(place):  # a store of Nix is closed to writing
        with contextlib.suppress(OSError):  # what a test left running may remove it meanwhile
            os.chmod(directory, 0o700)
    shutil.rmtree(place, ignore_errors=True)


@cache
def _preloaded() -> Preloaded:
    return Preloaded(PYINFRA, PROJECT, _environment())


def pytest_unconfigure() -> None:
    if _preloaded.cache_info().currsize:
        _preloaded().close()
        _preloaded.cache_clear()


class Cli:
    """pyinfra in the project's directory, with its own controller state."""

    patience_s = 300.0  # for one run

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = directory / "controller"
        self.environment = {**_environment(), "XDG_STATE_HOME": str(self.state)}

    def preloaded(self) -> Preloaded:
        """What its runs are forked from."""
        return _preloaded()

    def inventory(self, *workspaces: dict[str, object], name: str = "some") -> Path:
        """An inventory file with these workspaces (arguments of ``connection.workspace``)."""
        path = self.directory / f"{name}.py"
        path.write_text(INVENTORY)
        path.with_suffix(".json").write_text(json.dumps(workspaces))
        return path

    def start(
        self,
        inventory: Path,
        *arguments: str,
        under: Sequence[str] = (),
        own_group: bool = False,
        stdin: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[str]:
        """Begin a run. ``under``: a program that runs it; ``own_group``: as a job of a terminal."""
        if under or not self.preloaded().can(self.environment):
            process = subprocess.Popen(
                [*under, str(PYINFRA), str(inventory), *arguments],
                process_group=0 if own_group else None,
                cwd=PROJECT,
                env=self.environment,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        else:
            process = self.preloaded().start(
                [str(inventory), *arguments], self.environment, stdin=stdin, own_group=own_group
            )
        # A test reads the one while the other fills: --debug says more than the 64 KiB of a pipe.
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, 1 << 20)
        return process

    def end(self, process: subprocess.Popen[str]) -> Outcome:
        return self.outcome(*self._ended(process))

    def outcome(self, code: int, out: str, err: str) -> Outcome:
        journals = (self.state / "workspace-tuning/controller/runs").glob("*/journal.jsonl")
        # By time and not by name: two runs may begin within one second.
        runs = sorted(journals, key=lambda path: path.stat().st_mtime_ns)
        records = tuple(journal.objects(runs[-1].read_bytes())) if runs else ()
        return Outcome(code, out, err, records)

    def __call__(self, inventory: Path, *arguments: str, under: Sequence[str] = ()) -> Outcome:
        """A run to its end."""
        return self.end(self.start(inventory, *arguments, under=under))

    def said(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, output and errors of pyinfra with these arguments."""
        return self._ended(_preloaded().start(arguments, self.environment))

    def _ended(self, process: subprocess.Popen[str]) -> tuple[int, str, str]:
        try:
            out, err = process.communicate(timeout=self.patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return process.returncode, out, err


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


@dataclass(frozen=True)
class Box:
    """A sandbox and the inventory that names it."""

    root: Path
    inventory: Path

    @property
    def home(self) -> Path:
        return self.root / "home"

    def config(self, name: str) -> Path:
        return self.home / ".config" / name

    def source(self, name: str) -> Path:
        return self.home / ".local/share/chezmoi/dot_config" / f"private_{name}"


@dataclass(frozen=True)
class Applied(Box):
    """A sandbox to which the plan was applied, the run, and what was kept of the time before."""

    run: Outcome
    before: Any


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Behind all fixtures: one may have something to take away in a room."""
    try:
        return (yield)
    finally:
        if _ROOMS in item.config.stash:
            item.config.stash[_ROOMS].leave()


@pytest.fixture
def rooms(
    request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Rooms:
    """Places that are furnished once, and as they were then for each test."""
    stash = request.config.stash
    if _ROOMS not in stash:
        stash[_ROOMS] = Rooms(tmp_path_factory.mktemp("rooms", numbered=False))
    stash[_ROOMS].aside = tmp_path / "rooms"
    return stash[_ROOMS]


def _sandbox(root: Path, *, within: bool, choices: Mapping[str, object]) -> dict[str, object]:
    with pytest.MonkeyPatch.context() as patch:
        if choices.get("layers") == DESKTOP:  # then nobody looks at generations of Nix
            patch.setattr(sandbox, "_generations", lambda *_, **__: None)
        return {**sandbox.data(root, within=within), **choices}


def _box(cli: Cli, root: Path, data: dict[str, object]) -> Box:
    return Box(root, cli.inventory({"name": data.pop("workspace"), **data}, name=root.name))


def _fresh(
    name: str, *, within: bool, choices: Mapping[str, object]
) -> tuple[Hashable, Callable[[Path], object]]:
    """How a room with a fresh sandbox of that name is called and furnished."""
    key = ("fresh", within, choices.get("layers") == DESKTOP, os.environ["PATH"])
    return key, lambda room: _sandbox(room / name, within=within, choices=choices)


@pytest.fixture
def make_box(rooms: Rooms, cli: Cli) -> Callable[..., Box]:
    """A fresh sandbox; ``within``: its home is a part of the system; keyword arguments are further
    choices."""
    laid: dict[str, Path] = {}

    def make(name: str = "box", *, within: bool = False, **choices: object) -> Box:
        if name not in laid:
            laid[name], _ = rooms.lay(name, *_fresh(name, within=within, choices=choices))
        root = laid[name] / name
        return _box(cli, root, _sandbox(root, within=within, choices=choices))

    return make


@pytest.fixture
def make_applied(rooms: Rooms, cli: Cli) -> Callable[..., Applied]:
    """A sandbox to which the plan was applied by a run that is not under test: with these arguments
    and choices it is done once, and the later tests find what it left, its journal too.
    ``prepare`` changes the sandbox before the run; ``look`` returns what a test wants to know of it
    as it was before the run."""

    def make(
        *arguments: str,
        prepare: Callable[[Box], object] = lambda _: None,
        look: Callable[[Box], object] = lambda _: None,
        within: bool = False,
        **choices: object,
    ) -> Applied:
        def box_in(room: Path, cli: Cli) -> Box:
            root = room / "box"
            return _box(cli, root, _sandbox(root, within=within, choices=choices))

        def prepared(room: Path) -> None:
            prepare(box_in(room, cli))

        def applied(room: Path) -> Outcome:
            first = Cli(room)
            run = first(box_in(room, first).inventory, "deploy.py", "-y", *arguments)
            assert run.code == 0, run.out + run.err
            return run

        made = json.dumps([arguments, within, choices])
        fresh = _fresh("box", within=within, choices=choices)
        start = ("prepared", *fresh[0], prepare.__qualname__), prepared
        looked = ("looked", start[0], look.__qualname__)
        if looked not in rooms.known:
            room, _ = rooms.lay("box", *start, upon=fresh)
            rooms.known[looked] = look(box_in(room, cli))
        room, run = rooms.lay("box", ("applied", made, start[0]), applied, upon=start)
        shutil.copytree(room / "controller", cli.state, dirs_exist_ok=True)
        box = box_in(room, cli)
        return Applied(box.root, box.inventory, run, deepcopy(rooms.known[looked]))

    return make


@pytest.fixture
def desktop(make_box: Callable[..., Box]) -> Box:
    """A sandbox in which only the layers that need no Nix are selected."""
    return make_box(layers=DESKTOP)


@pytest.fixture
def applied(make_applied: Callable[..., Applied]) -> Applied:
    """A sandbox whose desktop layers were applied."""
    return make_applied(layers=DESKTOP)


@pytest.fixture(scope="session")
def ssh_server() -> Iterator[sshd.Server]:
    """A real sshd on loopback with its own users; its log counts connections and commands."""
    with sshd.serve() as server:
        yield server


def tree(root: Path, *, without: tuple[str, ...] = ()) -> dict[str, tuple[int, int, int, int]]:
    """Inode, modification time, size and mode of everything below ``root``."""
    found = {}
    for directory, names, files in os.walk(root):
        relative = os.path.relpath(directory, root)
        names[:] = [n for n in names if os.path.normpath(f"{relative}/{n}") not in without]
        for name in [*names, *files]:
            path = os.path.join(directory, name)
            stat = os.lstat(path)
            found[path] = (stat.st_ino, stat.st_mtime_ns, stat.st_size, stat.st_mode)
    return found
