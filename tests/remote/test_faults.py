"""Faults on a workspace that is this machine: what holds in each, and that the next run is done.

Every row of the fault matrix, and the tests that have it.
W: test_faults_wire.py, T: test_transaction.py.

row  fault                                 tests
1    cut before connect                    W, test_fleet.py, test_run_ssh.py
2    cut at every step                     W
3    cut during upload                     W; here: a payload that ends at any byte
4    cut during the switch                 W (activate), test_run_ssh.py, T
5    cut between switch and proof          W (prove), T: nobody confirms
6    the line flaps while confirming       W (keep or undo), T: confirming twice
7    disk full on the workspace            test_write.py; here: a small home
8    disk full on the controller           here, test_journal.py
9    controller killed at every step       here
10   program killed on the workspace       test_write.py, T; here: while a dead lock is cleared
11   Ctrl-C, once and twice                here, test_run_local.py
12   two runs at once                      here, test_two_runs.py, test_run_local.py
13   the desktop writes during a run       here
14   corrupt KDE file                      test_kconfig*.py, test_plan.py; here: a refused line
15   corrupt record, status, journal       here, test_read.py, test_snapshot.py, test_journal.py
16   symbolic link in place of a file      test_run_local.py, test_read.py, test_plan.py
17   symbolic link above a file            here
18   directory, FIFO, device               test_run_local.py, test_read.py, test_write.py
19   owner, mode, setuid, immutable, ACL   here, test_run_local.py, test_plan.py
20   read-only or missing directory        here, test_fleet.py (canary)
21   malformed profile                     test_profile.py, test_document.py
22   YAML traps                            test_document.py, test_profile.py
23   hostile values                        test_choices.py, test_kconfig_property.py; here
24   hostile names of hosts                test_choices.py, test_connection.py
25   leavings of a run before              here
26   clocks that are wrong or jump         here, test_read.py, test_rollout.py, test_report.py
27   reboot before it is proved            T
28   switch exits with 4                   T
29   old generation is gone                T
30   sudo                                  test_run_sudo.py, test_plan.py
31   locale and terminal                   test_show.py
32   a tool is missing                     here, test_checks_wire.py
33   one of two hosts is dead or slow      test_fleet.py, test_run_ssh.py
34   a check hangs                         here, test_checks_wire.py
35   the rollback fails                    here, T
36   nothing to do                         here, test_run_local.py
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import sandbox
from converge.kde.merge import merge
from converge.plan.plan import Change
from converge.setting import Layer
from converge.subjects.settings import ALL
from tasks.reach.payload import pack
from tasks.reach.remote import program
from tests.conftest import DESKTOP, Box, Cli, tree
from tests.remote.faults import STEPS, Guard, end_of_power, transaction, until
from tests.remote.reading import BOOT
from tests.tools import missing, need

STATE = ".local/state/workspace-tuning/workspace"


@pytest.fixture(autouse=True)
def _real_tools() -> None:
    need("chezmoi")


@pytest.fixture
def guard(cli: Cli, desktop: Box) -> Guard:
    return Guard(cli, desktop)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A mounted disk of a given size."""
    if os.getuid() != 0:
        missing("only root can mount a small disk: run as root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounts = 0

    def mount(size: str, *options: str) -> Path:
        nonlocal mounts
        option = ",".join((f"size={size}", *options))
        subprocess.run(["mount", "-t", "tmpfs", "-o", option, "none", str(disk)], check=True)
        mounts += 1
        return disk

    try:
        yield mount
    finally:
        for _ in range(mounts):
            subprocess.run(["umount", "--lazy", str(disk)], check=True)


# ---- 8: disk full on the controller --------------------------------------------------------------


# The journal of such a run has 39 kB; the disk is full while the plan is made, while the run looks
# before the change, and while it proves the change: on the last page that the journal needs.
@pytest.mark.parametrize("size", ["12k", "24k", "36k"])
def test_8_without_room_for_the_journal_nothing_is_changed_or_it_is_taken_back(
    cli: Cli, guard: Guard, small_disk: Callable[[str], Path], size: str
) -> None:
    roomy, cli.state = cli.state, small_disk(size)
    cli.environment["XDG_STATE_HOME"] = str(cli.state)
    run = cli(guard.box.inventory, "deploy.py", "-y")
    assert run.code in (1, 3), run.out
    assert "No space left on device" in run.out
    assert "Traceback" not in run.err
    assert run.last_line.startswith(
        f"{'failed' if run.code == 1 else 'not proved, rolled back'} (exit {run.code})"
    )
    guard.after(None)
    assert guard.held == guard.before, "something is in force that no journal tells of"
    cli.state = roomy
    cli.environment["XDG_STATE_HOME"] = str(roomy)
    guard.converges()


def test_8_a_plan_that_cannot_be_saved_is_still_shown(cli: Cli, guard: Guard) -> None:
    plans = cli.state / "workspace-tuning/controller/plans"
    plans.parent.mkdir(parents=True)
    plans.write_text("a file where the directory belongs")
    run = cli(guard.box.inventory, "deploy.py", "--dry")
    assert run.code == 2, run.out + run.err
    assert "the plan could not be saved" in run.out
    assert "contrastEnabled" in run.out
    guard.after(run)


# ---- 9: the controller is killed at each step ----------------------------------------------------


@pytest.mark.parametrize("step", STEPS)
def test_9_a_controller_killed_at_any_step_leaves_whole_files_and_a_stale_lock(
    cli: Cli, guard: Guard, step: str
) -> None:
    process = cli.start(guard.box.inventory, "deploy.py", "-vy")
    until(process, f"{step}: started")
    process.send_signal(signal.SIGKILL)
    run = cli.end(process)
    assert run.code == -signal.SIGKILL
    assert run.journal[-1]["kind"] == "step"
    guard.after(None)
    end_of_power(guard.box)  # else the workspace itself would undo it, after its deadline
    guard.after(None)
    guard.converges()


# ---- 10: a program is killed on the workspace ----------------------------------------------------


def test_10_killed_while_a_dead_lock_is_cleared_the_next_run_still_gets_it(tmp_path: Path) -> None:
    from tests.remote.test_write import Place, killed, shims

    need("dash")
    dead = f"run old\nhost h\nuser u\npid 1\nsince 1\nanchor 999999999\nstart 1\nboot {BOOT}\n"
    for at in range(1, 22):
        place = Place(tmp_path / str(at))
        lock = place.root / "state/lock"
        lock.parent.mkdir()
        lock.write_text(dead)
        killed(place, at, shims(place))
        code, said = place.write(place.payload(), "run-2")
        assert (code, said[-1]) == (0, "done"), f"after a kill at program {at}: {said}"
        assert not lock.exists()
        assert not list(lock.parent.glob("lock.clearing"))


@pytest.mark.parametrize("call", ["rename,renameat,renameat2", "fsync,syncfs", "fchmod,fchmodat"])
def test_10_a_system_call_that_fails_leaves_each_file_old_or_new(tmp_path: Path, call: str) -> None:
    from tests.remote.test_write import Place

    for when in (1, 2, 3):
        place = Place(tmp_path / f"{call[:5]}{when}")
        state = place.root / "state"
        arguments = ("run-1", str(state / "runs/run-1"), str(state / "lock"), "h u 1 1", "release")
        inject = f"inject={call}:error=EIO:when={when}"
        done = subprocess.run(
            [
                *(need("strace"), "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject),
                *(need("dash"), "-c", program("write"), "workspace-write", *arguments),
            ],
            input=place.payload(),
            env={**os.environ, "HOME": str(place.home)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        for path, (before, after) in place.files.items():
            held = path.read_bytes() if path.exists() else None
            assert held in (before, after), f"{path}: {done.stdout}"
            assert (held == after) or done.returncode != 0
        assert done.stdout.splitlines()[-1].split()[0] in ("done", "failed")
        left = tuple(map(str, place.leftovers()))
        assert place.write(place.payload(sweep=left), "run-2")[0] == 0
        assert not place.leftovers()


# ---- 3: an upload that ends early ----------------------------------------------------------------


def test_3_a_payload_that_ends_at_any_byte_changes_nothing(tmp_path: Path) -> None:
    from tests.remote.test_write import Place

    need("dash")
    place = Place(tmp_path)
    payload = place.payload()
    cut = 0
    for length in range(0, len(payload), len(payload) // 30):
        code, said = place.write(payload[:length], f"run-{length}")
        held = [path.read_bytes() if path.exists() else None for path in place.files]
        if code == 0:  # only padding was cut off
            assert held == [after for _, after in place.files.values()]
            break
        cut += 1
        assert (code, said[-1].split()[0]) == (70, "failed"), f"{length} of {len(payload)}: {said}"
        assert held == [before for before, _ in place.files.values()]
        assert not place.leftovers()
        assert not (place.root / "state/lock").exists()
    assert cut > 20


# ---- 7: disk full on the workspace ---------------------------------------------------------------


def test_7_a_full_home_keeps_its_files_and_the_message_names_the_place(
    cli: Cli, guard: Guard, small_disk: Callable[..., Path]
) -> None:
    disk = small_disk("16k", "mode=700")
    environment = guard.box.home / ".config/environment.d"
    environment.symlink_to(disk)
    (disk / "filler").write_bytes(b"x" * 16_000)
    run = cli(guard.box.inventory, "deploy.py", "-y")
    assert run.code in (1, 3), run.out
    assert f"{environment}/" in run.out
    guard.after(run)
    assert [run.kinds("step")[-1]["status"]] == ["failed"]
    (disk / "filler").unlink()
    guard.converges()


# ---- 11: Ctrl-C ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "at_terminal"),
    [
        ("take the lock and write the user's layer", True),
        ("activate", False),
        ("activate", True),
        ("prove", False),
        ("prove", True),
    ],
)
def test_11_ctrl_c_ends_after_the_running_step_and_leaves_nothing_undecided(
    cli: Cli, guard: Guard, step: str, at_terminal: bool
) -> None:
    """At a terminal every program of the foreground gets the signal, not only the controller."""
    process = cli.start(guard.box.inventory, "deploy.py", "-vy", own_group=True)
    until(process, f"{step}: started")
    if at_terminal:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)
    run = cli.end(process)
    assert run.code == 130, run.out + run.err
    assert "SIGINT: waiting for the running step" in run.out
    assert "Traceback" not in run.err
    guard.after(run)
    assert guard.held == guard.before, run.out
    if step != "take the lock and write the user's layer":
        assert "undone" in str(run.kinds("result")[0]["why"])
    guard.converges()  # at once: nothing is left to be decided


@pytest.mark.parametrize("arguments", [("-y",), ("--dry",)], ids=["run", "dry run"])
def test_11_ctrl_c_while_a_workspace_is_read_changes_nothing(
    cli: Cli, guard: Guard, arguments: tuple[str, ...]
) -> None:
    process = cli.start(guard.box.inventory, "deploy.py", *arguments, own_group=True)
    until(process, "on sandbox (run ")  # the first line: nothing is planned yet
    os.killpg(process.pid, signal.SIGINT)
    run = cli.end(process)
    assert run.code == 130, run.out + run.err
    guard.after(run)
    assert guard.held == guard.before
    assert not (guard.box.home / STATE).exists()


def test_11_ctrl_c_twice_stops_waiting_and_says_what_goes_on(cli: Cli, guard: Guard) -> None:
    process = cli.start(guard.box.inventory, "deploy.py", "-vy", own_group=True)
    until(process, "activate: started")
    process.send_signal(signal.SIGINT)
    until(process, "SIGINT: waiting for the running step")
    process.send_signal(signal.SIGINT)
    run = cli.end(process)
    assert run.code == 130
    if "SIGINT again" in run.out:  # else the step had ended before
        assert "may run to its end" in run.out
    guard.after(run)
    end_of_power(guard.box)
    guard.converges()


@pytest.mark.parametrize(
    ("number", "step"),
    [(signal.SIGTERM, "activate"), (signal.SIGHUP, "activate"), (signal.SIGHUP, "prove")],
)
def test_11_an_end_that_is_asked_for_in_another_way_is_the_same(
    cli: Cli, guard: Guard, number: signal.Signals, step: str
) -> None:
    process = cli.start(guard.box.inventory, "deploy.py", "-vy")
    until(process, f"{step}: started")
    process.send_signal(number)
    run = cli.end(process)
    assert run.code == 130
    guard.after(run)
    assert guard.held == guard.before
    guard.converges()


# ---- 12: two runs at once ------------------------------------------------------------------------


def test_12_of_two_runs_at_once_one_changes_and_the_other_is_refused_or_finds_it_done(
    cli: Cli, tmp_path: Path, guard: Guard
) -> None:
    other = Cli(tmp_path / "other")
    other.directory.mkdir()
    both = [(one, one.start(guard.box.inventory, "deploy.py", "-y")) for one in (cli, other)]
    runs = [one.end(process) for one, process in both]
    codes = sorted(run.code for run in runs)
    assert codes in ([0, 7], [0, 0]), [run.out + run.err for run in runs]
    for run in runs:
        assert run.journal[-1]["exit"] == run.code
        if run.code == 7:
            assert re.search(
                r"locked by run \S+|has held this|is being proved there|changed this", run.out
            )
    guard.after(None)
    guard.converges()


# ---- 13: the desktop writes meanwhile ------------------------------------------------------------


def write_key(config: Path, key: str, value: str) -> None:
    """As a program of the desktop does: under KConfig's lock, with what the file holds then."""
    subprocess.run(
        [need("kwriteconfig"), "--file", "kwinrc", "--group", "Theirs", "--key", key, value],
        env={**os.environ, "XDG_CONFIG_HOME": str(config), "QT_LOGGING_RULES": "*=false"},
        check=True,
        capture_output=True,
        timeout=60,
    )


@pytest.fixture
def written_by_kde(cli: Cli, desktop: Box) -> Guard:
    """KDE drops comments at its first write; what it leaves is what has to stay."""
    write_key(desktop.config(""), "k0", "v0")
    shutil.copy(desktop.config("kwinrc"), desktop.source("kwinrc"))
    return Guard(cli, desktop)


def test_13_a_desktop_that_writes_all_the_time_loses_nothing_and_is_waited_for(
    cli: Cli, written_by_kde: Guard
) -> None:
    guard = written_by_kde
    stop, written = threading.Event(), 0

    def desktop() -> None:
        nonlocal written
        while not stop.is_set():
            written += 1
            write_key(guard.box.config(""), f"k{written}", f"v{written}")

    writer = threading.Thread(target=desktop)
    writer.start()
    try:
        run = cli(guard.box.inventory, "deploy.py", "-y")
    finally:
        stop.set()
        writer.join()
    assert run.code in (0, 1), run.out + run.err
    if run.code == 1:
        assert "kept changing" in run.out
        assert len([r for r in run.kinds("step") if r["status"] == "stale"]) == 3
    assert written > 5
    for attempt in (run, guard.converges()):
        text = guard.box.config("kwinrc").read_text()
        for number in range(1, written + 1):
            assert f"\nk{number}=v{number}\n" in text, attempt.out


@pytest.mark.parametrize("moment", [".kwinrc.wt-{}", "kwinrc.lock", "kwinrc"])
def test_13_a_write_of_the_desktop_in_the_same_moment_is_never_lost(
    tmp_path: Path, moment: str
) -> None:
    """It begins when ours has staged its file, has KConfig's lock, or at once."""
    from tests.remote.test_write import Place

    need("dash")
    place = Place(tmp_path)
    kwinrc = place.home / ".config/kwinrc"
    codes = []
    for number in range(1, 9):
        run = f"run-{number}"
        before = kwinrc.read_bytes()
        after = merge(before, {("Ours",): {"n": str(number)}}).text
        change = Change(path=str(kwinrc), layer=Layer.PLASMA, before=before, after=after, kde=True)
        payload = pack([change], home=str(place.home))
        said: list[tuple[int, list[str]]] = []
        ours = threading.Thread(target=lambda: said.append(place.write(payload, run)))  # noqa: B023
        ours.start()
        while ours.is_alive() and not (kwinrc.parent / moment.format(run)).exists():
            pass
        write_key(kwinrc.parent, f"k{number}", "v")
        ours.join()
        codes.append(said[0][0])
        assert codes[-1] in (0, 75), said
        text = kwinrc.read_text()
        assert set(re.findall(r"^(k\d+)=v$", text, re.M)) == {
            f"k{one}" for one in range(1, number + 1)
        }
        assert (f"\nn={number}\n" in text) is (codes[-1] == 0)
        assert not list(kwinrc.parent.glob("*.lock"))
    if moment == "kwinrc.lock":
        assert set(codes) == {0}, "whoever has the lock is first"


def test_13_a_desktop_that_writes_once_makes_the_run_read_again(
    cli: Cli, written_by_kde: Guard
) -> None:
    """The write comes between our reading and our writing, at the first attempt only."""
    guard = written_by_kde
    process = cli.start(guard.box.inventory, "deploy.py", "-vy")
    until(process, "look before the change: started")
    process.send_signal(signal.SIGSTOP)
    write_key(guard.box.config(""), "theirs", "kept")
    process.send_signal(signal.SIGCONT)
    run = cli.end(process)
    assert run.code == 0, run.out + run.err
    assert [r["status"] for r in run.kinds("step") if r["step"] == "activate"] == [
        "started",
        "stale",
        "done",
    ]
    guard.after(run)
    assert "\ntheirs=kept\n" in guard.box.config("kwinrc").read_text()
    assert guard.box.config("kwinrc").read_bytes() == guard.box.source("kwinrc").read_bytes()
    guard.converges()


def test_13_what_is_refused_at_the_second_reading_is_refused(cli: Cli, guard: Guard) -> None:
    process = cli.start(guard.box.inventory, "deploy.py", "-vy")
    until(process, "look before the change: started")
    process.send_signal(signal.SIGSTOP)
    kwinrc = guard.box.config("kwinrc")
    kwinrc.rename(kwinrc.with_name("elsewhere"))
    kwinrc.symlink_to("elsewhere")
    process.send_signal(signal.SIGCONT)
    run = cli.end(process)
    assert run.code == 1, run.out + run.err
    assert str(kwinrc) in str(run.kinds("result")[0]["why"])
    assert kwinrc.is_symlink()
    kwinrc.unlink()
    kwinrc.with_name("elsewhere").rename(kwinrc)
    guard.after(run)
    guard.converges()


# ---- 14, 15: what is corrupt ---------------------------------------------------------------------


def test_14_a_line_that_makes_a_change_impossible_is_refused_with_its_number(
    cli: Cli, guard: Guard
) -> None:
    kwinrc = guard.box.config("kwinrc")
    good = kwinrc.read_bytes()
    bad = good.replace(b"contrastEnabled=true\n", b"contrastEnabled[de]=true\n")
    line = bad[: bad.index(b"contrastEnabled")].count(b"\n") + 1
    kwinrc.write_bytes(bad)
    before = tree(guard.box.root)
    run = cli(guard.box.inventory, "deploy.py", "-y")
    assert run.code == 1
    assert f"{kwinrc}:{line}: " in run.out.replace("\n", " ")
    assert tree(guard.box.root) == before
    kwinrc.write_bytes(good)
    guard.after(run)
    guard.converges()


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff\xfe", b"[" * 50_000], ids=["empty", "bytes", "deep"]
)
def test_15_a_corrupt_record_is_said_and_made_anew_from_what_is_there(
    cli: Cli, guard: Guard, content: bytes
) -> None:
    state = guard.box.home / STATE
    state.mkdir(parents=True, mode=0o700)
    (state / "written.json").write_bytes(content)
    run = cli(guard.box.inventory, "deploy.py", "-y")
    assert run.code == 0, run.out + run.err
    assert "written.json is damaged" in " ".join(run.out.split())
    kept = [path.read_bytes() for path in state.glob("runs/*/transaction/written-before")]
    assert kept == [content], "what it was is kept with the run"
    guard.after(run)
    guard.converges()


@pytest.mark.parametrize("status", ["kep", "$(reboot) x"])
def test_15_a_corrupt_status_ends_in_a_known_state(cli: Cli, guard: Guard, status: str) -> None:
    assert cli(guard.box.inventory, "deploy.py", "-y").code == 0
    end_of_power(guard.box)
    (transaction(guard.box) / "status").write_text(status)
    run = cli(guard.box.inventory, "deploy.py", "-y")
    assert run.code == 0, run.out + run.err
    said = " ".join(run.out.split())
    assert "ended there: broken: its record is damaged" in said
    assert f"{transaction(guard.box)}/status" in said
    guard.after(run)
    guard.converges()


@pytest.mark.parametrize("part", ["undo.sh", "transact.sh", "plan"])
def test_15_a_transaction_that_lost_a_part_holds_nobody_up_for_ever(
    cli: Cli, guard: Guard, part: str
) -> None:
    assert cli(guard.box.inventory, "deploy.py", "-y").code == 0
    end_of_power(guard.box)
    place = transaction(guard.box)
    (place / "status").write_text("activated x\n")
    (place / part).unlink()
    run = cli(guard.box.inventory, "deploy.py", "-y")
    if run.code != 0:
        assert run.code == 4, run.out
        assert str(place) in run.out.replace("\n", ""), "what is in the way has to be named"
        if part == "transact.sh":
            assert f"{place}/{part} is gone" in " ".join(run.out.split())
        shutil.rmtree(place)
    guard.after(run)
    guard.converges()


# ---- 17, 19, 20: links above, attributes, places that cannot be written --------------------------


def test_17_a_directory_that_is_a_link_of_ones_own_stays_one(cli: Cli, guard: Guard) -> None:
    config = guard.box.home / ".config"
    elsewhere = guard.box.home / "dotfiles"
    config.rename(elsewhere)
    config.symlink_to("dotfiles")
    run = cli(guard.box.inventory, "deploy.py", "-y")
    assert run.code == 0, run.out + run.err
    guard.after(run)
    assert config.readlink() == Path("dotfiles")
    guard.converges()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away: run as root")
def test_17_a_link_into_a_directory_of_somebody_else_is_refused(cli: Cli, guard: Guard) -> None:
    theirs = guard.box.root / "theirs"
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    place = guard.box.home / ".config/environment.d"
    place.symlink_to(theirs)
    run = cli(guard.box.inventory, "deploy.py", "-y")
    assert run.code in (1, 3), run.out
    assert f"{place}: belongs to another user" in run.out
    assert list(theirs.iterdir()) == []
    place.unlink()
    guard.after(run)
    assert guard.held == guard.before
    guard.converges()


def test_19_mode_access_list_and_a_setuid_bit_are_kept(cli: Cli, guard: Guard) -> None:
    need("setfacl")
    kwinrc, globals_ = guard.box.config("kwinrc"), guard.box.config("kdeglobals")
    for name in ("kwinrc", "kdeglobals"):
        guard.box.source(name).rename(guard.box.source(name).with_suffix(".gone"))
    kwinrc.chmod(0o600)
    subprocess.run(["setfacl", "-m", "u:nobody:r", str(kwinrc)], check=True)
    globals_.chmod(0o4400)

    def access() -> str:
        listed = ["getfacl", "--omit-header", "--absolute-names", str(kwinrc), str(globals_)]
        return subprocess.run(listed, capture_output=True, text=True, check=True).stdout

    before = access()
    assert "user:nobody:r--" in before
    run = cli(guard.box.inventory, "deploy.py", "-y")
    assert run.code == 0, run.out + run.err
    assert access() == before
    assert globals_.stat().st_mode & 0o7777 == 0o4400
    assert cli(guard.box.inventory, "tasks/rollback.py", "-y").code == 0
    assert access() == before
    assert kwinrc.read_bytes() == guard.before[kwinrc][0]


def test_19_an_immutable_file_stops_the_run_and_nothing_is_changed(cli: Cli, guard: Guard) -> None:
    kwinrc = guard.box.config("kwinrc")
    if subprocess.run(["chattr", "+i", str(kwinrc)], capture_output=True).returncode != 0:
        missing("chattr +i needs root and a file system that knows it: run as root on ext4")
    try:
        run = cli(guard.box.inventory, "deploy.py", "-y")
    finally:
        subprocess.run(["chattr", "-i", str(kwinrc)], check=True)
    assert run.code in (1, 3), run.out
    assert str(kwinrc) in run.out
    guard.after(run)
    assert guard.held == guard.before
    guard.converges()


@pytest.mark.parametrize("place", [".config/environment.d", ".config", STATE])
def test_20_a_place_that_cannot_be_written_stops_the_run_before_any_change(
    cli: Cli, guard: Guard, small_disk: Callable[..., Path], place: str
) -> None:
    where = guard.box.home / place
    where.mkdir(parents=True, exist_ok=True)
    for command in (["mount", "--bind", str(where)], ["mount", "-o", "remount,bind,ro"]):
        subprocess.run([*command, str(where)], check=True)
    try:
        run = cli(guard.box.inventory, "deploy.py", "-y")
        guard.after(run)
    finally:
        subprocess.run(["umount", "--lazy", str(where)], check=True)
    assert run.code in (1, 3), run.out + run.err
    assert str(where) in run.out
    assert guard.held == guard.before
    guard.converges()


@pytest.mark.parametrize("home", ["nowhere", "with a blank"])
def test_20_a_home_that_is_missing_or_has_a_blank_is_refused(
    cli: Cli, make_box: Callable[..., Box], tmp_path: Path, home: str
) -> None:
    box = make_box(layers=DESKTOP)
    environment = dict(sandbox.environment(box.root))
    environment["HOME"] = str(tmp_path / home)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        del environment[name]
    if " " in home:
        shutil.copytree(box.home, tmp_path / home)
    box = make_box(layers=DESKTOP, _env=environment)
    before = tree(tmp_path)
    run = cli(box.inventory, "deploy.py", "-y")
    assert run.code == 1, run.out + run.err
    assert ("does not exist" if home == "nowhere" else "there is a blank in its name") in run.out
    changed = {path for path in tree(tmp_path).keys() ^ before.keys() if "/controller" not in path}
    assert changed == set()


# ---- 23: hostile values --------------------------------------------------------------------------

VALUES = ("; touch evil", "$(touch evil)", "`touch evil`", "\n", "'", '"', "\\", "${IFS}", "%s")
KEYS = ("workspace", "user", "host", "base_home", "base_nixos", "phases", "accept", "plan", "run")


def test_23_no_hostile_choice_gets_further_than_the_check(cli: Cli, desktop: Box) -> None:
    data = json.loads(desktop.inventory.with_suffix(".json").read_text())[0]
    before = tree(desktop.root)
    named = [{**data, "name": f"w{n}"} for n in range(len(KEYS))]
    for value in VALUES:
        workspaces = [
            {**one, ("name" if key == "workspace" else key): f"a{value}"}
            for one, key in zip(named, KEYS, strict=True)
        ]
        inventory = cli.inventory(workspaces[VALUES.index(value) % len(KEYS)], name="hostile")
        run = cli(inventory, "deploy.py", "-y")
        assert run.code == 5, run.out + run.err
        assert "invalid input (exit 5)" in run.out
        assert "Traceback" not in run.err
    assert tree(desktop.root) == before
    assert not list(Path.cwd().glob("evil"))


# ---- 25, 26: what was there before, and clocks ---------------------------------------------------


def test_25_leavings_of_a_run_before_go_and_its_backups_stay(cli: Cli, guard: Guard) -> None:
    config, state = guard.box.home / ".config", guard.box.home / STATE
    old = "20250101t000000-abcd"
    left = [config / f".kwinrc.wt-{old}", config / f".kwinrc.wt-{old}.lock"]
    backup = state / f"runs/{old}/live-1/before/1"
    backup.parent.mkdir(parents=True)
    left.append(state / f"lock.{old}")
    for path in (*left, backup, config / "kwinrc.bak"):
        path.write_text("half")
    (config / "kwinrc.lock").write_text(f"999999999\nkwin_x11\n{os.uname().nodename}\n")
    run = cli(guard.box.inventory, "deploy.py", "-y")
    assert run.code == 0, run.out + run.err
    assert not any(path.exists() for path in left)
    assert backup.read_text() == (config / "kwinrc.bak").read_text() == "half"
    guard.after(run)
    guard.converges()


def test_26_a_lock_of_a_controller_whose_clock_is_ahead_is_told_without_nonsense(
    cli: Cli, desktop: Box
) -> None:
    lock = desktop.home / STATE / "lock"
    lock.parent.mkdir(parents=True)
    start = Path("/proc/self/stat").read_text().rpartition(") ")[2].split()[19]
    lock.write_text(
        f"run 29990101t000000-abcd\nhost h\nuser u\npid 7\nsince 32472144000\n"
        f"anchor {os.getpid()}\nstart {start}\nboot {BOOT}\n"
    )
    run = cli(desktop.inventory, "deploy.py", "-y")
    assert run.code == 7
    assert "for 0 min" in run.out


def test_26_the_newest_run_is_rolled_back_whatever_the_clocks_of_the_controllers_say(
    cli: Cli, guard: Guard
) -> None:
    """A run id begins with the controller's time; one from the future must not stay the newest."""
    assert cli(guard.box.inventory, "deploy.py", "-y").code == 0
    first = transaction(guard.box).parent
    future = first.with_name("29990101t000000-abcd")
    first.rename(future)
    for name in ("plan", "status"):
        path = future / "transaction" / name
        path.write_text(path.read_text().replace(first.name, future.name))
    guard.box.config("kwinrc").write_bytes(guard.before[guard.box.config("kwinrc")][0])
    second = cli(guard.box.inventory, "deploy.py", "-y")
    assert second.code == 0, second.out
    back = cli(guard.box.inventory, "tasks/rollback.py", "--dry")
    assert f"run {second.journal[0]['run']} can be rolled back" in back.out
    script = subprocess.run(
        [str(guard.box.home / STATE / "rollback"), "--list"],
        env={**os.environ, **dict(sandbox.environment(guard.box.root))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.split()[0] for line in script.stdout.splitlines()] == [
        future.name,
        second.journal[0]["run"],
    ]


# ---- 32, 34, 35: tools, checks, rollback ---------------------------------------------------------


def test_32_without_chezmoi_kreadconfig_and_nix_the_rest_is_done_and_said(
    cli: Cli, make_box: Callable[..., Box], tmp_path: Path
) -> None:
    box = make_box(layers=DESKTOP)
    programs = tmp_path / "bin"
    programs.mkdir()
    for directory in ("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin"):
        for tool in Path(directory).iterdir() if Path(directory).is_dir() else ():
            if not re.match(r"chezmoi|kreadconfig|kwriteconfig|nix", tool.name):
                (programs / tool.name).unlink(missing_ok=True)
                (programs / tool.name).symlink_to(tool)
    environment = {**dict(sandbox.environment(box.root)), "PATH": str(programs)}
    box = make_box(layers=[*DESKTOP, "home-manager"], _env=environment)
    box.source("baloofilerc").unlink()
    before = box.config("kwinrc").read_bytes(), box.source("kwinrc").read_bytes()
    run = cli(box.inventory, "deploy.py", "-y")
    assert run.code in (0, 4), run.out + run.err
    assert "nix is not installed" in run.out
    # A file that has a source is not written without the program that keeps the two in step.
    assert (box.config("kwinrc").read_bytes(), box.source("kwinrc").read_bytes()) == before
    stands = {one["setting"]: one for one in run.kinds("plan")[-1]["settings"]}
    assert stands["kwin.contrast"]["stand"] == "held back"
    assert (
        f"chezmoi is not found here, and {box.source('kwinrc')}" in stands["kwin.contrast"]["why"]
    )
    assert "chezmoi is not found here" in " ".join(run.out.split()), "a person is told as well"
    # The rest is done: a KDE file without a source, and the files of the session.
    assert b"only basic indexing=true" in box.config("baloofilerc").read_bytes()
    assert (box.home / ".config/environment.d/60-video-variables.conf").is_file()
    effects = {str(one["setting"]): one["effect"] for one in run.kinds("finding")}
    assert effects["baloo.basic-indexing"] != "effective", "what nobody could look at is not proved"
    assert effects.get("kwin.contrast") != "effective"


def test_34_a_check_that_hangs_is_unknown_which_is_not_verified(
    cli: Cli, make_box: Callable[..., Box], tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    hanging = programs / Path(need("kreadconfig")).name
    hanging.write_text("#!/bin/sh\ntrap '' TERM\nsleep 604801\nsleep 604801\n")
    hanging.chmod(0o755)
    environment = dict(sandbox.environment(tmp_path / "box"))
    environment["PATH"] = f"{programs}:{cli.environment['PATH']}"
    others = [one.id for one in ALL if one.layer is Layer.PLASMA and one.id != "kwin.contrast"]
    choices = {"phases": ["4"], "exclude": others}
    assert cli(make_box(layers=DESKTOP, **choices).inventory, "deploy.py", "-y").code == 0
    box = make_box(layers=DESKTOP, _env=environment, **choices)
    run = cli(box.inventory, "tasks/verify.py")
    assert run.code == 4, run.out + run.err
    (hung,) = [r for r in run.kinds("finding") if r["setting"] == "kwin.contrast"]
    assert hung["effect"] == "unknown"
    assert "no answer in 10 s" in str(hung["reason"])
    sleeping = subprocess.run(["pgrep", "-f", "sleep 604801"], capture_output=True, text=True)
    assert sleeping.stdout == "", "what hung was left behind"


def test_35_a_rollback_that_fails_says_what_is_left_to_do_by_hand(cli: Cli, guard: Guard) -> None:
    assert cli(guard.box.inventory, "deploy.py", "-y").code == 0
    plan = transaction(guard.box) / "plan"
    profile, new, old = (guard.box.root / name for name in ("p/home-manager", "new", "collected"))
    profile.parent.mkdir()
    new.mkdir()
    profile.with_name("home-manager-2-link").symlink_to(new)
    profile.symlink_to("home-manager-2-link")
    plan.write_text(plan.read_text() + f"home {new} {profile} 1 {old}\n")
    every = "layers=nixos,home-manager,plasma,session"
    back = cli(guard.box.inventory, "tasks/rollback.py", "-y", "--data", every)
    assert back.code == 4, back.out
    assert f"{old} is gone; by hand: home-manager generations" in back.out
    assert back.last_line.startswith("state unknown (exit 4)")
    guard.after(back)
    assert guard.held == guard.before, "what could be undone was"
    guard.converges()


# ---- 36: nothing to do ---------------------------------------------------------------------------

_WRITES = (
    "trace=rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,"
    "symlinkat,chmod,fchmod,fchmodat,chown,fchown,fchownat,lchown,truncate,ftruncate,openat,open,"
    "creat,utimensat"
)


def test_36_a_run_with_nothing_to_do_makes_no_call_that_writes_below_the_workspace(
    cli: Cli, guard: Guard, tmp_path: Path
) -> None:
    strace = need("strace")
    assert cli(guard.box.inventory, "deploy.py", "-y").code == 0
    before = tree(guard.box.root)
    log = tmp_path / "calls"
    command = [strace, "-f", "-z", "-qq", "-o", str(log), "-e", _WRITES, "-s", "500"]
    run = cli(guard.box.inventory, "deploy.py", "-y", under=command)
    assert run.code == 0, run.out + run.err
    calls = [
        line
        for line in log.read_text(errors="replace").splitlines()
        if f'"{guard.box.root}' in line
        and (not re.search(r" open(at)?\(", line) or re.search(r"O_(WRONLY|RDWR|CREAT)", line))
        and "/home/.cache/" not in line
    ]
    assert log.stat().st_size > 0
    assert calls == []
    assert tree(guard.box.root) == before
