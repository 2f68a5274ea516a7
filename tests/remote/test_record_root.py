"""Root and the user: what root runs, and that root opens nothing below a home (S2, S3)."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import time
from pathlib import Path

import pytest

from tasks.reach.remote import PROGRAMS, program, text
from tests import sshd
from tests.conftest import PROJECT
from tests.remote.recording import Workspace, record, run_id
from tests.tools import missing, need

THEM = "nobody"


class Rooted(Workspace):
    """A workspace of another user, whose change is root's as by sudo."""

    def place(self, run: str) -> Path:
        return self.root / "var/lib/workspace-tuning/runs" / THEM / run / "transaction"

    def plan(self, run: str, number: int, *lines: str, deadline: int = 60) -> str:
        mine = str(self.place(run).parent)
        text = super().plan(run, number, *lines, deadline=deadline)
        return text.replace(mine, str(self.state / "runs" / run))


@pytest.fixture
def rooted(tmp_path: Path) -> Rooted:
    return opened(tmp_path)


def opened(place: Path) -> Rooted:
    """Such a workspace; its user can go through the directories to it."""
    if os.getuid() != 0:
        missing("root's part needs root: run the tests as root")
    need("dash")
    them = pwd.getpwnam(THEM)
    for parent in (place, *place.parents):
        if parent.stat().st_uid == 0 and parent.name.startswith(
            ("pytest-", "wt-tests-", "popen-", "test_")
        ):
            parent.chmod(0o755)
    workspace = Rooted(place, {"SUDO_UID": str(them.pw_uid)}, THEM)
    workspace.state.mkdir(parents=True, mode=0o700)
    for path in (workspace.home, *workspace.home.rglob("*")):
        os.chown(path, them.pw_uid, them.pw_gid)
    return workspace


@pytest.mark.parametrize(
    "path",
    [
        "{home}/.local/state/workspace-tuning/workspace/roots/nixos",
        "/nix/store/../../tmp/evil",
        "/nix/store/evil/sub",
        "/nix/store/.links",
        "/nix/store/",
        "/nix/store/00000000000000000000000000000000-never-built",
    ],
)
def test_s2_root_runs_no_path_but_a_valid_one_of_the_store(rooted: Rooted, path: str) -> None:
    need("nix")
    evil = rooted.root / "evil"
    (evil / "bin").mkdir(parents=True)
    (evil / "bin/switch-to-configuration").write_text(f"#!/bin/sh\ntouch {rooted.root}/ran\n")
    (evil / "bin/switch-to-configuration").chmod(0o755)
    link = rooted.state / "roots/nixos"
    link.parent.mkdir()
    link.symlink_to(evil)
    path = path.format(home=rooted.home)
    said = rooted.begin(run_id(1), 1, {}, f"nixos {path} {rooted.root}/profile - -")
    assert said == f"failed {path}: not a valid path of the Nix store; root runs no other\n"
    assert not (rooted.root / "ran").exists()


def test_s2_a_valid_path_of_the_users_making_is_run_and_its_name_stays_with_root(
    rooted: Rooted,
) -> None:
    """The limit of that: whoever may add to the store can make such a path. Root runs that one
    program, with nothing of the user's in its PATH and its umask, and keeps its name."""
    need("nix-store")
    made, told = rooted.root / "made", rooted.root / "told"
    (made / "bin").mkdir(parents=True)
    (made / "bin/switch-to-configuration").write_text(
        f"#!/bin/sh\n{{ id -un; echo $PATH; umask; }} >>{told}\n"
    )
    (made / "bin/switch-to-configuration").chmod(0o755)
    environment = {"NIX_STORE_DIR": f"{rooted.root}/store", "NIX_REMOTE": "local"}
    environment |= {"NIX_STATE_DIR": f"{rooted.root}/state", "NIX_CONF_DIR": f"{rooted.root}/none"}
    rooted.environment |= environment
    path = subprocess.run(
        ["nix-store", "--add", str(made)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    rooted.begin(run_id(1), 1, {}, f"nixos {path} {rooted.root}/profile - -")
    name, places, umask = told.read_text().splitlines()[:3]
    assert name == "root"
    assert not [one for one in places.split(":") if one.startswith(("/home", str(rooted.root)))]
    assert umask == "0022"
    plan = rooted.place(run_id(1)) / "plan"
    assert f"nixos {path} " in plan.read_text()
    assert (plan.owner(), plan.stat().st_mode & 0o022) == ("root", 0)


def test_s3_a_change_of_roots_keeps_the_users_record_with_the_user(rooted: Rooted) -> None:
    said = rooted.change(run_id(1), 1, b"new\n")
    assert "status kept" in said, said
    assert rooted.file().read_bytes() == b"new\n"
    for path in (rooted.file(), rooted.written, rooted.state / "runs" / run_id(1)):
        assert path.owner() == THEM, path
    for path in rooted.place(run_id(1)).parent.rglob("*"):
        if not path.is_symlink():
            assert path.owner() == "root", path
            assert path.stat().st_mode & 0o007 == 0, path
    private = {
        one.name for one in rooted.place(run_id(1)).iterdir() if one.stat().st_mode & 0o040 == 0
    }
    assert {"live", "written"} <= private
    assert "status undone" in rooted.transact("undo", run_id(1))
    assert not rooted.file().exists()
    assert not rooted.written.exists()


def test_what_an_older_change_of_roots_added_is_noted_by_the_user(rooted: Rooted) -> None:
    for number in (1, 2):
        assert "status kept" in rooted.change(run_id(number), number, b"%d\n" % number)
    older = run_id(1)
    assert "status undone" in rooted.transact("undo", older)
    noted = rooted.state / "undone" / older
    held = {path.name: path.read_bytes() for path in noted.iterdir()}
    assert held.keys() == {"after", "before", "parts"}
    assert older.encode() in held["after"] and held["before"] == b""
    assert {path.owner() for path in (noted, *noted.iterdir())} == {THEM}


def test_the_users_programs_have_the_same_homes_in_a_change_of_roots_as_in_the_reading(
    rooted: Rooted,
) -> None:
    """A home and XDG directories that the account does not say: chezmoi's source is found there."""
    homes = [f"HOME={rooted.home}"]
    homes += [f"XDG_{name}_HOME={rooted.root}/{name} here" for name in ("CONFIG", "DATA", "STATE")]
    spy = rooted.root / "spy"
    (spy / "home-files").mkdir(parents=True)
    seen = rooted.home / "seen"
    (spy / "activate").write_text(f"#!/bin/sh\nenv >{seen}\nid -un >>{seen}\n")
    (spy / "activate").chmod(0o755)
    store = rooted.root / "store"
    environment = {"NIX_STORE_DIR": str(store), "NIX_STATE_DIR": f"{rooted.root}/state"}
    environment |= {"NIX_REMOTE": "local", "NIX_CONF_DIR": f"{rooted.root}/none"}
    rooted.environment |= environment
    need("nix-store")
    path = subprocess.run(
        ["nix-store", "--add", str(spy)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    lines = [f"variable {one}" for one in (*homes, "LD_PRELOAD=/evil.so")]
    plan = f"home-manager {path} {rooted.home}/profile - -"
    assert "status activated" in rooted.begin(run_id(1), 1, {"one.conf": b"new\n"}, *lines, plan)
    found = seen.read_text().splitlines()
    assert set(homes) <= set(found)
    assert not [one for one in found if one.startswith("LD_PRELOAD=")]
    assert THEM in found
    assert "status undone" in rooted.transact("decide", run_id(1), "undo")


@pytest.mark.parametrize("trick", ["fifo", "link", "directory"])
def test_s3_no_trick_with_the_record_holds_root_up_or_shows_what_is_roots(
    rooted: Rooted, trick: str
) -> None:
    secret = rooted.root / "secret"
    secret.write_text("only for root\n")
    secret.chmod(0o600)
    assert "status activated" in rooted.begin(run_id(1), 1, {"one.conf": b"new\n"})
    if trick == "fifo":
        os.mkfifo(rooted.written)
    elif trick == "link":
        rooted.written.symlink_to(secret)
    else:
        rooted.written.mkdir()
    begun = time.monotonic()
    said = rooted.transact("decide", run_id(1), "confirm")
    assert time.monotonic() - begun < 40
    assert "status undone not kept" in said and "is not a regular file" in said
    assert secret.read_text() == "only for root\n"
    for top in (rooted.home, rooted.root / "var/lib/workspace-tuning"):
        for path in top.rglob("*"):
            if path.is_file() and not path.is_symlink():
                assert b"only for root" not in path.read_bytes(), path


CALL = re.compile(r"^(?P<name>\w+)\((?P<rest>.*)$")


def calls_in(log: Path) -> list[tuple[str, str, str]]:
    """Process, name and rest of each call, whole also where others are written in between."""
    begun: dict[str, str] = {}
    found = []
    for line in log.read_text(errors="replace").splitlines():
        pid, _, text = line.partition(" ")
        text = text.strip()
        if text.endswith("<unfinished ...>"):
            begun[pid] = text.removesuffix("<unfinished ...>")
            continue
        resumed = re.match(r"<\.\.\. \w+ resumed>(.*)", text)
        if resumed:
            text = begun.pop(pid, "") + resumed[1]
        match = CALL.match(text)
        if match:
            found.append((pid, match["name"], match["rest"]))
    return found


def opened_as_root(log: Path) -> list[str]:
    """The paths that processes of root opened, in a log of strace. A process may open something
    before the line that says who started it."""
    calls = calls_in(log)
    parent: dict[str, str] = {}
    for pid, name, rest in calls:
        made = re.search(r"= (\d+)$", rest)
        if made and name.startswith(("clone", "fork", "vfork")):
            parent[made[1]] = pid
    user: dict[str, str] = {}

    def of(pid: str) -> str:
        if pid not in user:
            user[pid] = of(parent[pid]) if pid in parent else "0"
        return user[pid]

    found = []
    for pid, name, rest in calls:
        if name.startswith("set"):
            ids = re.findall(r"-?\d+", rest.partition(")")[0])
            effective = ids[0 if name == "setuid" else 1]
            if effective != "-1" and rest.endswith("= 0"):
                user[pid] = effective
        elif name in ("open", "openat", "creat") and of(pid) == "0":
            found += re.findall(r'"([^"]*)"', rest)[:1]
    return found


def test_s3_root_opens_nothing_below_the_home_from_the_beginning_to_the_undo(
    rooted: Rooted,
) -> None:
    log = rooted.root / "strace"
    calls = "trace=open,openat,creat,clone,clone3,fork,vfork,setuid,setresuid,setreuid"
    traced = [need("strace"), "-f", "-A", "-o", str(log), "-e", calls, need("dash"), "-c"]
    traced += [program("transact"), "workspace-transact"]
    environment = {**os.environ, "HOME": str(rooted.home), **rooted.environment}
    place = str(rooted.place(run_id(1)))
    given = rooted.root / "payload"
    given.write_bytes(
        rooted.payload(rooted.plan(run_id(1), 1), {"one.conf": b"new\n"}, record(run_id(1)))
    )
    with given.open() as payload:  # strace ends with the process that the change has of its own
        change = subprocess.Popen(
            [*traced, "start", place], stdin=payload, stdout=subprocess.DEVNULL, env=environment
        )
    sshd.wait_for((rooted.place(run_id(1)) / "status").exists, "the change")
    assert "status activated" in rooted.transact("wait", run_id(1), "40")
    assert "status kept" in rooted.transact("decide", run_id(1), "confirm")
    assert change.wait(60) == 0
    subprocess.run([*traced, "undo", place], env=environment, check=True, timeout=60)
    assert not rooted.file().exists()
    opened = opened_as_root(log)
    assert str(rooted.place(run_id(1)) / "plan") in opened
    assert [path for path in opened if path.startswith(str(rooted.home))] == []


def test_root_is_used_for_what_the_readme_says_and_nothing_else() -> None:
    """Every place that asks sudo, in what runs on a workspace and in what sends it there."""
    found = set()
    for path in (*PROGRAMS.rglob("*.sh"), *PROGRAMS.parent.glob("subjects/*/*probe.sh")):
        for line in text(path).splitlines():
            if re.search(r"\bsudo -n\b|\bas_root \w|as=sudo|\bsudo \"", line):
                found.add((path.relative_to(PROGRAMS.parent).as_posix(), line.strip()))
    assert {path for path, _ in found} == {
        "remote/read.sh",  # whether sudo works at all, once
        "remote/common.sh",  # by_root: for rollback.sh, and for the boot menu
        "remote/probes/common.sh",  # the boot menu: peek, exists
        "subjects/workspace/boot_probe.sh",  # the boot menu
    }, found
    sent = set()
    for path in (PROJECT / "tasks").rglob("*.py"):
        pattern = r'remote\(\s*"(\w+)",(?:[^()]|\([^()]*\))*?sudo=(?!False)'
        sent |= {call[1] for call in re.finditer(pattern, path.read_text())}
    assert sent == {"write", "transact", "choose"}
    readme = " ".join((PROJECT / "README.md").read_text().split())
    assert (
        "Root is used for the NixOS layer alone: to write its files, and for the transaction that "
        "activates or undoes it; beside that to look at a boot menu that is closed, and for "
        "`choose=` where you ask."
    ) in readme
