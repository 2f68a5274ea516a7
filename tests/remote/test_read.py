"""remote/read.sh with dash prints all that exists, writes nothing, and never hangs."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from converge.plan.snapshot import Kind
from tasks.reach.remote import program
from tests.conftest import tree
from tests.remote.reading import BOOT, Reader, start_time
from tests.tools import missing, need

RUN = "20260101t000000-abcd"


def test_a_file_comes_with_its_bytes_mode_and_owner(reader: Reader) -> None:
    content = b"\x00\xff\r\n[no newline at the end"
    reader.kwinrc.write_bytes(content)
    reader.kwinrc.chmod(0o640)
    node = reader.read().nodes[str(reader.kwinrc)]
    assert (node.kind, node.content, node.mode) == (Kind.FILE, content, 0o640)
    assert (node.uid, node.owner) == (os.getuid(), reader.kwinrc.owner())


@pytest.mark.parametrize(
    ("name", "value"),
    [("TAR_OPTIONS", "--exclude=kwinrc"), ("TAR_OPTIONS", "--mode=777"), ("GZIP", "--verbose")],
)
def test_options_in_the_users_environment_lead_no_program(
    reader: Reader, name: str, value: str
) -> None:
    reader.kwinrc.write_bytes(b"[A]\n")
    reader.kwinrc.chmod(0o640)
    reader.environment[name] = value
    node = reader.read().nodes[str(reader.kwinrc)]
    assert (node.content, node.mode, reader.errors) == (b"[A]\n", 0o640, "")


def test_absent_is_said_and_not_guessed(reader: Reader) -> None:
    found = reader.read()
    for path in (reader.kwinrc, reader.home / ".config/plain", reader.home / ".local/share/ours"):
        assert str(path) in found.absent
        assert str(path) not in found.nodes


@pytest.mark.parametrize("there", ["", "kwinrc", "ours", "kwinrc and ours"])
def test_what_is_there_and_what_is_not_is_no_error(reader: Reader, there: str) -> None:
    if "kwinrc" in there:
        reader.kwinrc.write_text("[A]\n")
    if "ours" in there:
        (reader.home / ".local/share/ours/lib").mkdir(parents=True)
    found = reader.read()
    assert reader.errors == ""
    assert (str(reader.kwinrc) in found.nodes) is ("kwinrc" in there)
    assert (str(reader.home / ".local/share/ours/lib") in found.nodes) is ("ours" in there)


def test_reading_writes_nothing(reader: Reader) -> None:
    reader.kwinrc.write_text("[A]\n")
    reader.transaction(RUN, "kept")
    before = tree(reader.root)
    reader.read()
    assert tree(reader.root) == before


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (Kind.SYMLINK, "/nix/store/00000000000000000000000000000000-kwinrc"),
        (Kind.SYMLINK, "nowhere"),
        (Kind.SYMLINK, "kwinrc"),  # a loop
        (Kind.SYMLINK, "/etc/shadow"),
        (Kind.DIRECTORY, ""),
        (Kind.FIFO, ""),
    ],
)
def test_what_is_no_file_is_named_and_neither_followed_nor_waited_for(
    reader: Reader, kind: Kind, target: str
) -> None:
    if kind is Kind.SYMLINK:
        reader.kwinrc.symlink_to(target)
    elif kind is Kind.DIRECTORY:
        reader.kwinrc.mkdir()
    else:
        os.mkfifo(reader.kwinrc)
    node = reader.read().nodes[str(reader.kwinrc)]
    assert (node.kind, node.target, node.content) == (kind, target, b"")


@pytest.mark.parametrize("place", ["lock", "written.json"])
def test_a_fifo_among_our_own_records_holds_nobody_up(reader: Reader, place: str) -> None:
    reader.state.mkdir(parents=True)
    os.mkfifo(reader.state / place)
    assert reader.read().lock is None


def test_a_directory_of_ours_comes_with_all_that_is_in_it(reader: Reader) -> None:
    ours = reader.home / ".local/share/ours"
    (ours / "lib").mkdir(parents=True)
    (ours / "lib" / "a b.nix").write_text("x")
    (ours / "link").symlink_to("lib")
    found = reader.read()
    assert found.nodes[f"{ours}/lib/a b.nix"].content == b"x"
    assert found.nodes[f"{ours}/link"].kind is Kind.SYMLINK
    assert found.nodes[str(ours)].kind is Kind.DIRECTORY


@pytest.fixture
def nobody(reader: Reader) -> Reader:
    """The same workspace, read as a user who may not read everything."""
    if os.getuid() != 0:
        missing("giving files away needs root: run the tests as root")
    for parent in reader.root.parents:
        if parent.stat().st_uid == 0 and parent.name.startswith(
            ("pytest-", "wt-tests-", "popen-", "test_")
        ):
            parent.chmod(0o755)
    return reader


def as_nobody(reader: Reader, *files: str) -> list[str]:
    command = [need("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups", need("dash")]
    done = subprocess.run(
        [*command, "-c", program("read"), "workspace-read", str(reader.root), *files],
        input=b"managed end\n",
        env={"PATH": os.environ["PATH"], "HOME": str(reader.home)},
        capture_output=True,
        timeout=20,
        check=True,
    )
    return done.stdout.decode().splitlines()


def test_what_cannot_be_read_is_unreadable_and_never_absent(nobody: Reader) -> None:
    ours, config = nobody.home / ".local/share/ours", nobody.home / ".config"
    ours.mkdir(parents=True)
    for path in (nobody.kwinrc, ours / "one.nix", ours / "two.nix"):
        path.write_text("secret")
    nobody.kwinrc.chmod(0o600)
    (ours / "one.nix").chmod(0o600)
    said = as_nobody(nobody, "-f", str(nobody.kwinrc), "-d", str(ours))
    assert f"unreadable {nobody.kwinrc}" in said
    assert f"unreadable {ours}/one.nix" in said
    assert f"unreadable {ours}/two.nix" not in said

    config.chmod(0o700)
    ours.chmod(0o700)
    said = as_nobody(nobody, "-f", str(nobody.kwinrc), "-d", str(ours), "-d", f"{config}/a/b")
    assert {f"unreadable {path}" for path in (nobody.kwinrc, ours, f"{config}/a/b")} <= set(said)
    assert f"absent {nobody.kwinrc}" not in said


# ---- what a killed run left ----------------------------------------------------------------------


def test_what_a_killed_run_left_is_found_beside_a_file_and_in_a_directory_of_ours(
    reader: Reader,
) -> None:
    ours = reader.home / ".local/share/ours/lib"
    ours.mkdir(parents=True)
    left = [
        reader.home / f".config/.kwinrc.wt-{RUN}",
        reader.home / f".config/.kwinrc.wt-{RUN}.lock",
        ours / f".layer.nix.wt-{RUN}",
    ]
    for path in left:
        path.write_text("half")
    found = reader.read()
    assert set(found.leftovers) == {str(path) for path in left}
    assert not found.nodes.keys() & set(found.leftovers)


@pytest.mark.parametrize(
    "name",
    [
        ".kwinrc.wt-x\nmark sudo",
        ".kwinrc.wt-x\nend",
        ".kwinrc.wt-\udcff",
        ".kwinrc.wt-$(touch evil)",
        ".kwinrc.wt-*",
        ".kwinrc.wt-A B",
    ],
)
def test_a_hostile_name_says_nothing_in_our_words(reader: Reader, name: str) -> None:
    (reader.home / ".config" / name).write_text("")
    found = reader.read()
    assert found.leftovers == ()
    assert "sudo" not in found.marks
    assert not (reader.home / "evil").exists()


def test_a_hostile_name_in_a_directory_of_ours_is_one_node(reader: Reader) -> None:
    ours = reader.home / ".local/share/ours"
    ours.mkdir(parents=True)
    name = "a\nabsent here\n$(touch evil)\udcff"
    (ours / name).write_text("x")
    found = reader.read()
    assert found.nodes[f"{ours}/{name}"].content == b"x"
    assert "here" not in found.absent


# ---- the lock ------------------------------------------------------------------------------------


def held(pid: int, *, start: str = "", boot: str = BOOT, since: str = "1700000000") -> str:
    start = start or start_time(pid)
    return (
        f"run {RUN}\nhost there\nuser me\npid 7\nsince {since}\n"
        f"anchor {pid}\nstart {start}\nboot {boot}\n"
    )


@pytest.mark.parametrize(
    ("text", "alive"),
    [
        (held(os.getpid()), True),
        (held(os.getpid(), start="1"), False),  # the number was given to another process
        (held(os.getpid(), boot="another"), False),
        (held(os.getpid()).replace(f"anchor {os.getpid()}", "anchor 999999999"), False),
        (held(os.getpid()).replace("anchor", "pid"), False),
        ("", False),
        ("run", False),
        ("\x00\xff garbage \x1b[2J\nrun\nrun run run\n", False),
        (held(os.getpid()).replace("\n", ""), False),
    ],
)
def test_a_lock_is_alive_while_its_process_is(reader: Reader, text: str, alive: bool) -> None:
    reader.state.mkdir(parents=True)
    (reader.state / "lock").write_text(text)
    lock = reader.read().lock
    assert lock is not None
    assert lock.alive is alive


def test_a_lock_torn_at_any_length_is_dead_and_breaks_nothing(reader: Reader) -> None:
    reader.state.mkdir(parents=True)
    whole = held(os.getpid())
    for length in range(0, len(whole), 5):
        (reader.state / "lock").write_text(whole[:length])
        lock = reader.read("-f", "~/x").lock
        assert lock is not None
        assert not lock.alive


@pytest.mark.parametrize("since", ["-5", "²", "9" * 30, "soon", ""])
def test_a_time_that_is_none_breaks_nothing(reader: Reader, since: str) -> None:
    reader.state.mkdir(parents=True)
    (reader.state / "lock").write_text(held(os.getpid(), since=since))
    lock = reader.read().lock
    assert lock is not None
    assert lock.alive


# ---- transactions --------------------------------------------------------------------------------


def test_many_transactions_come_in_the_order_of_their_numbers_whatever_the_clock_said(
    reader: Reader,
) -> None:
    """Two controllers whose clocks differ by a day; the system's belong to another directory."""
    runs = ["20260103t000000-aaaa", "20260101t000000-bbbb", "20260102t000000-cccc"]
    for number, run in enumerate(runs, 1):
        reader.transaction(run, f"kept {run}", number=number, system=number == 2)
    for number in range(4, 40):
        reader.transaction(f"2025{number:04d}t000000-dddd", "undone", number=number)
    found = reader.read().transactions
    assert [one.number for one in found] == list(range(1, 40))
    assert [one.run for one in found[:3]] == runs
    assert {one.word for one in found[3:]} == {"undone"}


def test_a_transaction_is_alive_while_its_process_is_and_says_how_long(reader: Reader) -> None:
    place = reader.transaction(RUN, "activated")
    (place / "process").write_text(f"{os.getpid()} {start_time(os.getpid())} {BOOT}\n")
    uptime = int(float(Path("/proc/uptime").read_text().split()[0]))
    (place / "deadline").write_text(f"{uptime + 1000}\n")
    (one,) = reader.read().transactions
    assert one.alive
    assert 900 < one.left_s <= 1000
    (place / "process").write_text(f"{os.getpid()} {start_time(os.getpid())} another-boot\n")
    (one,) = reader.read().transactions
    assert (one.alive, one.left_s) == (False, 0)


@pytest.mark.parametrize("part", ["status", "process", "deadline", "plan"])
@pytest.mark.parametrize("text", ["", "x", "9z $(id) `id`\n", "\x00\xff\n", "a b c d e f\n" * 3])
def test_a_corrupt_part_of_a_transaction_breaks_no_reading(
    reader: Reader, part: str, text: str
) -> None:
    place = reader.transaction(RUN, "kept yes")
    (place / "process").write_text(f"{os.getpid()} {start_time(os.getpid())} {BOOT}\n")
    (place / part).write_text(text)
    (one,) = reader.read().transactions
    assert one.run == RUN
    assert (one.word == "broken") is (part == "status")
    assert one.ended is (part == "process"), "its process is still there"


# ---- generations, homes --------------------------------------------------------------------------


def test_a_reading_starts_no_program_more_for_many_generations(reader: Reader) -> None:
    log, profiles = reader.root / "log", reader.home / ".local/state/nix/profiles"
    profiles.mkdir(parents=True)

    def started() -> int:
        traced = ("-f", "-qq", "-e", "trace=execve", "-e", "signal=none", "-o", str(log))
        reader.user = (need("strace"), *traced)
        said = reader.output()
        assert sum(line.startswith("generation home") for line in said) == len(links)
        return sum(line.endswith("= 0") for line in log.read_text().splitlines())

    links = [profiles / "home-manager-1-link"]
    links[0].symlink_to("/nix/store/1-home")
    (profiles / "home-manager").symlink_to(links[0].name)
    few = started()
    for number in range(2, 60):
        links.append(profiles / f"home-manager-{number}-link")
        links[-1].symlink_to(f"/nix/store/{number}-home")
    assert started() == few


def test_generations_are_numbered_links_and_nothing_else(reader: Reader) -> None:
    profiles = reader.home / ".local/state/nix/profiles"
    profiles.mkdir(parents=True)
    for name in ("1-link", "12-link", "x-link", "-link", "3\nmark sudo-link"):
        (profiles / f"home-manager-{name}").symlink_to(f"/nix/store/{len(name)}-home")
    (profiles / "home-manager").symlink_to("home-manager-12-link")
    found = reader.read()
    assert [(one.number, one.current) for one in found.generations["home"]] == [
        (1, False),
        (12, True),
    ]
    assert "sudo" not in found.marks


def test_a_home_that_does_not_exist_is_said(reader: Reader) -> None:
    reader.environment["HOME"] = str(reader.root / "nowhere")
    found = reader.read()
    assert "homeless" in found.marks
    assert not (reader.root / "nowhere").exists()


def test_the_state_follows_xdg(reader: Reader) -> None:
    reader.environment["XDG_STATE_HOME"] = str(reader.root / "elsewhere")
    assert reader.read().state == f"{reader.root}/elsewhere/workspace-tuning/workspace"


@pytest.mark.parametrize("given", ["state", "./state", "../state", "~/state", ".", ""])
def test_a_relative_xdg_directory_is_none_and_holds_nobody_up(reader: Reader, given: str) -> None:
    for name in ("STATE_HOME", "CONFIG_HOME", "DATA_HOME", "CACHE_HOME", "RUNTIME_DIR"):
        reader.environment[f"XDG_{name}"] = given
    found = reader.read()
    assert found.state == f"{reader.home}/.local/state/workspace-tuning/workspace"
    assert f"fact config {reader.home}/.config" in reader.output()
    assert not found.unreadable


def test_a_setuid_bit_is_read_as_it_is(reader: Reader) -> None:
    reader.kwinrc.write_text("")
    reader.kwinrc.chmod(0o4711)
    assert reader.read().nodes[str(reader.kwinrc)].mode == 0o4711
    assert stat.S_IMODE(reader.kwinrc.stat().st_mode) == 0o4711
