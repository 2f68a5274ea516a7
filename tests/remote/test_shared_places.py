"""Places that another user of the machine has prepared: nothing is kept, written or run there."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from converge.plan.plan import Change
from converge.setting import Layer
from tasks.reach.payload import pack
from tasks.reach.remote import PROGRAMS, program, text
from tasks.run.journal import Journal, JournalError
from tests import sshd
from tests.remote.recording import run_id
from tests.tools import need

ME, THEM = sshd.ONE, sshd.TWO


@pytest.fixture
def theirs(ssh_server: sshd.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory of another user's that everybody may write to, with one of mine within."""
    place = ssh_server.homes[THEM] / tmp_path_factory.mktemp("theirs").name
    (place / "mine").mkdir(parents=True)
    sshd.own(place, THEM)
    sshd.own(place / "mine", ME)
    place.chmod(0o777)
    yield place


def as_me(server: sshd.Server, script: str, *words: str, **more: str) -> str:
    """What a program says that I run: its text, its words, and standard input as ``stdin``."""
    stdin = more.pop("stdin", "")
    given = {"HOME": str(server.homes[ME]), "PATH": os.environ["PATH"], **more}
    variables = [f"{name}={value}" for name, value in given.items()]
    shell = [need("dash"), "-c", script, "workspace", *words]
    done = subprocess.run(
        ["runuser", "-u", ME, "--", "env", "-i", *variables, *shell],
        **{"input": stdin, "capture_output": True, "text": True, "timeout": 60, "cwd": "/"},
    )
    return done.stdout + done.stderr


def write(server: sshd.Server, state: Path, *changes: Change, lock: bool = True) -> str:
    place = state / "workspace-tuning/workspace"
    words = (
        run_id(1),
        str(place / f"runs/{run_id(1)}/live-1"),
        str(place / "lock") if lock else "",
    )
    stdin = pack(changes, home=str(server.homes[ME]))
    return as_me(server, program("write"), *words, "here me 1 1", "release", stdin=stdin)


def everything(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*"))


PLACES = ("their directory", "mine in theirs", "a link of mine", "not made yet", "open to all")


@pytest.mark.parametrize("lock", [True, False])
@pytest.mark.parametrize("name", PLACES)
def test_s11_no_record_is_kept_where_another_user_can_replace_it(
    ssh_server: sshd.Server, theirs: Path, name: str, lock: bool
) -> None:
    """They could swap the record that I undo by, and the script that lies beside."""
    home = ssh_server.homes[ME]
    link = home / f"link-{theirs.name}"
    state, named = {
        "their directory": (theirs, theirs),
        "mine in theirs": (theirs / "mine", theirs),
        "a link of mine": (link, theirs),
        "not made yet": (theirs / "mine/a/b", theirs),
        "open to all": (home / f"open-{theirs.name}/mine", home / f"open-{theirs.name}"),
    }[name]
    link.symlink_to(theirs / "mine")
    state.mkdir(parents=True, exist_ok=True)
    if name == "open to all":
        sshd.own(named, ME)
        named.chmod(0o777)
    before = everything(named)
    said = write(ssh_server, state, lock=lock)
    first = named if name == "open to all" else ssh_server.homes[THEM]
    assert said.startswith("failed ") and f"another user can replace it, in {first}; " in said
    assert everything(named) == before
    if name == "open to all":
        named.chmod(0o1777)  # as /tmp is
        assert write(ssh_server, state, lock=lock).endswith("done\n")


def test_s11_no_record_is_kept_where_the_system_allows_none(ssh_server: sshd.Server) -> None:
    said = write(ssh_server, Path("/etc"))
    assert said.startswith("failed /etc/workspace-tuning") or "Permission denied" in said
    assert not Path("/etc/workspace-tuning/workspace").exists()


def test_s9_no_file_is_written_where_another_user_can_replace_it(
    ssh_server: sshd.Server, theirs: Path
) -> None:
    """With a link in place of the directory, mine would be written where they like."""
    path = theirs / "mine/kwinrc"
    change = Change(path=str(path), layer=Layer.SESSION, before=None, after=b"x\n", mode=0o600)
    state = ssh_server.homes[ME] / f"state-{theirs.name}"
    said = write(ssh_server, state, change)
    assert f"refused {path}: another user can replace it, in {theirs.parent}" in said
    assert everything(theirs) == ["mine"]
    mine = Path(f"{state}.conf")
    said = write(ssh_server, state, Change(**{**vars(change), "path": str(mine)}))
    assert said == f"wrote {mine}\ndone\n"


@pytest.mark.parametrize("name", ["XDG_RUNTIME_DIR", "TMPDIR"])
def test_the_guarded_git_is_not_put_where_another_user_can_replace_it(
    ssh_server: sshd.Server, theirs: Path, name: str
) -> None:
    need("git")
    script = 'run_nothing_of_git; echo "$guard"; rm -rf -- "$guard"'
    script = text(PROGRAMS / "common.sh") + script
    said = as_me(ssh_server, script, **{name: str(theirs)})
    assert "/workspace-git." in said and str(theirs) not in said, said
    own = theirs.parent.parent / ME / f"own-{theirs.name}"
    own.mkdir()
    sshd.own(own, ME)
    assert as_me(ssh_server, script, **{name: str(own)}).startswith(f"{own}/workspace-git.")


def test_no_program_is_taken_from_a_linuxbrew_of_another_user(
    ssh_server: sshd.Server, theirs: Path
) -> None:
    """Mounted in place of /home, for these processes alone."""
    place = theirs / "linuxbrew/.linuxbrew/bin"
    place.mkdir(parents=True)
    (place / "wt-brewed").write_text("#!/bin/sh\necho brewed\n")
    (place / "wt-brewed").chmod(0o755)
    script = text(PROGRAMS / "common.sh") + "command -v wt-brewed || echo none"
    for user, found in ((THEM, "none"), (ME, "/home/linuxbrew/.linuxbrew/bin/wt-brewed")):
        sshd.own(theirs / "linuxbrew", user)
        said = subprocess.run(
            [
                *("unshare", "-m", "sh", "-c"),
                'mount --bind "$1" /home && cd / && shift && exec "$@"',
                *("sh", str(theirs), "runuser", "-u", ME, "--", "env", "-i", "HOME=/nowhere"),
                *("PATH=/usr/bin:/bin", need("dash"), "-c", script),
            ],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert said.stdout == f"{found}\n", said.stderr


@pytest.mark.parametrize("mode", [0o755, 0o777])
def test_s11_no_journal_is_kept_where_another_user_can_replace_it(
    ssh_server: sshd.Server, tmp_path: Path, mode: int
) -> None:
    place, run = tmp_path / "state", "20260101t000000-abcd"
    runs = place / "mine/workspace-tuning/controller/runs"
    (place / "mine").mkdir(parents=True)
    place.chmod(mode)
    if mode == 0o755:
        os.chown(place, pwd.getpwnam(THEM).pw_uid, 0)
    with pytest.raises(JournalError, match=f"another user can replace what is in {place}"):
        Journal(runs, run)
    os.chown(place, os.getuid(), 0)
    place.chmod(0o1777)  # as /tmp is
    Journal(runs, run)
