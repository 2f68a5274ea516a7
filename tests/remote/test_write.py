"""remote/write.sh alone, with dash: each file is wholly old or wholly new, whatever ends it."""

from __future__ import annotations

import os
import stat
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from converge.plan.plan import Change
from converge.setting import Layer
from tasks.reach.payload import pack
from tasks.reach.remote import PROGRAMS, joined, program
from tests.tools import missing, need

TOOLS = (
    *("base64", "cat", "chmod", "cp", "ln", "mkdir", "mv", "readlink", "rm", "sha256sum"),
    *("sort", "stat", "sync", "tar", "tr", "uname", "xargs"),
)
SHIM = """\
#!/bin/sh
# Counts the programs that write.sh runs; the one with the number in $KILL_AT ends write.sh instead.
echo >>"$COUNT" # one line each: programs of a pipeline count at the same time
n=0
while read -r _; do n=$((n + 1)); done <"$COUNT"
if [ "$n" = "$KILL_AT" ]; then
    read -r pid <"$COUNT.pid"
    kill -KILL "$pid"
    exit 137
fi
exec REAL "$@"
"""


class Place:
    """A directory with an old file, a KDE file and a missing one; a payload that changes all."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home"
        self.files = {
            self.home / ".config" / "kwinrc": (b"[A]\nx=1\n", b"[A]\nx=2\n"),
            self.home / ".config" / "plain": (b"old\n" * 2000, b"new\n" * 3000),
            self.home / "new" / "deep" / "file": (None, b"fresh\n"),
        }
        (self.home / ".config").mkdir(parents=True)
        for path, (before, _) in self.files.items():
            if before is not None:
                path.write_bytes(before)
                path.chmod(0o640)

    def payload(self, *, sweep: tuple[str, ...] = ()) -> str:
        changes = []
        for path, (_, after) in self.files.items():
            held = path.read_bytes() if path.exists() else None
            if held != after:
                changes.append(
                    Change(
                        path=str(path),
                        layer=Layer.PLASMA,
                        before=held,
                        after=after,
                        kde=path.name == "kwinrc",
                    )
                )
        return pack(changes, home=str(self.home), sweep=sweep)

    def write(self, payload: str, run: str = "run-1", **environment: str) -> tuple[int, list[str]]:
        state = self.root / "state"
        arguments = [run, str(state / "runs" / run), str(state / "lock"), "here me 1 1", "release"]
        done = subprocess.run(
            ["dash", "-c", program("write"), "workspace-write", *arguments],
            input=payload,
            env={**os.environ, "HOME": str(self.home), **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout.splitlines()

    def leftovers(self) -> list[Path]:
        return [path for path in self.home.rglob("*") if ".wt-" in path.name]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    need("dash")
    return Place(tmp_path)


def test_all_files_are_replaced_and_the_old_bytes_are_kept(place: Place) -> None:
    code, said = place.write(place.payload())
    assert (code, said[-1]) == (0, "done")
    for path, (_, after) in place.files.items():
        assert path.read_bytes() == after
    assert (place.home / ".config/plain").stat().st_mode & 0o7777 == 0o640
    assert (place.home / "new/deep/file").stat().st_mode & 0o7777 == 0o600
    kept = place.root / "state/runs/run-1/before"
    assert {path.read_bytes() for path in kept.iterdir()} == {b"[A]\nx=1\n", b"old\n" * 2000}
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert not place.leftovers()
    assert not (place.root / "state/lock").exists()


def test_a_file_that_was_changed_since_it_was_read_stops_the_whole_step(place: Place) -> None:
    payload = place.payload()
    (place.home / ".config/plain").write_bytes(b"theirs\n")
    code, said = place.write(payload)
    assert (code, said[-1]) == (75, f"stale {place.home}/.config/plain")
    assert (place.home / ".config/kwinrc").read_bytes() == b"[A]\nx=1\n"
    assert not (place.home / "new/deep/file").exists()
    assert not place.leftovers()


def test_kconfigs_lock_is_waited_for_and_a_dead_one_is_cleared(place: Place) -> None:
    lock = place.home / ".config/kwinrc.lock"
    name = Path("/proc/self/exe").resolve().name
    lock.write_text(f"{os.getpid()}\n{name}\n{os.uname().nodename}\n")
    code, said = place.write(place.payload())
    assert code == 75
    assert f"KConfig's lock is held by process {os.getpid()}" in said[-1]
    assert lock.read_text().startswith(str(os.getpid()))
    assert not (place.home / "new").exists(), "a directory that was made for nothing stayed"
    assert not place.leftovers()

    lock.write_text(f"999999999\nkwin_x11\n{os.uname().nodename}\n")
    assert place.write(place.payload(), "run-2")[0] == 0
    assert not lock.exists()


def test_a_disk_without_room_for_kconfigs_lock_is_said_as_full_and_not_as_stale(
    place: Place,
) -> None:
    if os.getuid() != 0:
        missing("only root can mount a small disk: run as root")
    config = place.home / ".config"
    payload = place.payload()
    # The old files take three pages, the new ones four.
    small = f"size={7 * os.sysconf('SC_PAGESIZE')}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", small, "none", str(config)], check=True)
    try:
        for path, (before, _) in place.files.items():
            if before is not None:
                path.write_bytes(before)
        code, said = place.write(payload)
        why = f"KConfig's lock {config}/kwinrc.lock cannot be made: No space left on device"
        assert (code, said[-1]) == (70, f"failed {config}/kwinrc: {why}")
        assert {path.name: path.read_bytes() for path in config.iterdir()} == {
            "kwinrc": b"[A]\nx=1\n",
            "plain": b"old\n" * 2000,
        }
    finally:
        subprocess.run(["umount", str(config)], check=True)


@pytest.mark.parametrize("kind", ["link", "fifo", "directory"])
def test_what_came_to_stand_in_place_of_a_file_is_refused(place: Place, kind: str) -> None:
    payload = place.payload()
    plain = place.home / ".config/plain"
    plain.unlink()
    if kind == "link":
        (place.root / "victim").write_bytes(b"old\n" * 2000)
        plain.symlink_to(place.root / "victim")
    elif kind == "fifo":
        os.mkfifo(plain)
    else:
        plain.mkdir()
    code, said = place.write(payload)
    assert code == 73
    assert said[-1].startswith(f"refused {plain}")
    if kind == "link":
        assert (place.root / "victim").read_bytes() == b"old\n" * 2000


def shims(place: Place) -> dict[str, str]:
    """An environment in which every program that write.sh runs is counted."""
    directory = place.root / "shims"
    directory.mkdir()
    for tool in TOOLS:
        real = next(p for d in ("/usr/bin", "/bin") if (p := Path(d, tool)).exists())
        shim = directory / tool
        shim.write_text(SHIM.replace("REAL", str(real)))
        shim.chmod(0o755)
    return {"PATH": f"{directory}:{os.environ['PATH']}", "COUNT": str(place.root / "count")}


def killed(place: Place, at: int, environment: dict[str, str]) -> int:
    """Run write.sh and kill it at its n-th program; how many programs it came to run."""
    (place.root / "count").write_text("")
    state = place.root / "state"
    arguments = ["run-1", str(state / "runs/run-1"), str(state / "lock"), "here me 1 1", "release"]
    # The shell writes its own id first, so that a program it runs can end it.
    start = 'echo $$ >"$COUNT.pid"; program=$1; shift; exec dash -c "$program" workspace-write "$@"'
    payload = place.root / "payload"
    payload.write_text(place.payload())
    with payload.open() as given:  # no pipes: children that outlive the program hold nobody up
        subprocess.run(
            ["dash", "-c", start, "start", program("write"), *arguments],
            stdin=given,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(place.home), **environment, "KILL_AT": str(at)},
            timeout=60,
            check=False,
        )
    return (place.root / "count").read_text().count("\n")


def test_killed_at_any_program_each_file_is_old_or_new_and_the_next_run_converges(
    tmp_path: Path,
) -> None:
    need("dash")
    whole = Place(tmp_path / "whole")
    total = killed(whole, 0, shims(whole))
    assert total > 40
    for at in range(1, total + 1):
        place = Place(tmp_path / str(at))
        killed(place, at, shims(place))
        for path, (before, after) in place.files.items():
            held = path.read_bytes() if path.exists() else None
            assert held in (before, after), f"{path} is torn after a kill at program {at}"
        left = tuple(str(path) for path in place.leftovers())
        assert len(left) <= 2 * len(place.files)
        code, said = place.write(place.payload(sweep=left), "run-2")
        assert (code, said[-1]) == (0, "done"), f"after a kill at program {at}: {said}"
        for path, (_, after) in place.files.items():
            assert sha256(path.read_bytes()).digest() == sha256(after).digest()
        assert not place.leftovers(), f"after a kill at program {at}"


@pytest.mark.parametrize("mode", [0o600, None])
def test_a_mode_counts_in_a_directory_that_gives_new_files_to_others(
    tmp_path: Path, mode: int | None
) -> None:
    """A default access list counts instead of the umask."""
    place = Place(tmp_path)
    directory = place.home / ".config"
    subprocess.run([need("setfacl"), "-d", "-m", "g::rwx,o::r", str(directory)], check=True)
    record = directory / "record"
    change = Change(
        path=str(record), layer=Layer.PLASMA, before=None, after=b"private\n", mode=mode
    )
    code, said = place.write(pack([change], home=str(place.home)))
    assert (code, said[-1]) == (0, "done")
    assert stat.S_IMODE(record.stat().st_mode) == 0o600


def test_a_record_is_private_in_a_directory_that_gives_new_files_to_others(tmp_path: Path) -> None:
    """It has copies of private files."""
    place, script = Place(tmp_path), joined(PROGRAMS / "own.sh") + 'place "$1"'
    runs = tmp_path / "state/runs"
    runs.mkdir(mode=0o700, parents=True)
    subprocess.run([need("setfacl"), "-d", "-m", "g::rx,o::rx", str(runs)], check=True)
    environment = {**os.environ, "HOME": str(place.home)}
    subprocess.run(["dash", "-c", script, "x", runs / "run"], env=environment, check=True)
    assert stat.S_IMODE((runs / "run").stat().st_mode) == 0o700


def test_a_full_disk_leaves_every_file_as_it_was(tmp_path: Path) -> None:
    need("dash")
    if os.getuid() != 0:
        missing("only root can mount a small disk: run as root")
    mount = tmp_path / "disk"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "none", str(mount)], check=True)
    try:
        place = Place(mount)
        big = place.home / ".config/plain"
        place.files[big] = (place.files[big][0], b"x" * 200_000)
        code, said = place.write(place.payload())
        assert code == 70
        assert said[-1].startswith("failed")
        for path, (before, _) in place.files.items():
            assert (path.read_bytes() if path.exists() else None) == before
        assert not place.leftovers()
    finally:
        subprocess.run(["umount", str(mount)], check=True)
