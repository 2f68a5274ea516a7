"""A server that sends too much is cut meanwhile; a hostile answer ends only its own part."""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import os
import socket
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest
from gevent import subprocess as green
from paramiko.compress import ZlibCompressor

import sandbox
from converge.plan import unread
from tasks.reach import connection, limits, output, packing
from tests import sshd
from tests.conftest import Cli, Outcome
from tests.plan.test_snapshot import answer, archive
from tests.tools import need

NO_NIX = ["plasma", "session"]


# ---- the answer of one program -------------------------------------------------------------------


def read(script: str, *, shown: bool = False, timeout: int = 60) -> Any:
    process = green.Popen(["sh", "-c", script], stdout=green.PIPE, stderr=green.PIPE)
    try:
        return limits.read_output_buffers(process.stdout, process.stderr, timeout, shown, "")
    finally:
        process.kill()
        process.wait()


def test_the_lines_of_both_streams_are_read_as_they_are() -> None:
    found = read(r"printf 'one\n\ntwo\n\377 three'; printf 'a\nb\n' >&2")
    assert found.stdout_lines == ["one", "", "two", "\ufffd three"]
    assert found.stderr_lines == ["a", "b"]


@pytest.mark.parametrize(
    "script",
    [
        "yes",
        "yes >&2",
        "yes ''",
        "tr '\\0' x </dev/zero",
        "tr '\\0' x </dev/zero >&2",
        "cat /dev/zero",
    ],
)
def test_an_endless_answer_is_cut_while_it_arrives(script: str) -> None:
    with pytest.raises(limits.TooMuch, match="it said more than 48 MiB"):
        read(script)


def test_the_messages_of_a_long_build_are_read_to_their_end_and_the_last_are_kept() -> None:
    found = read("seq 1 400000 >&2; echo path", shown=True)
    assert found.stdout_lines == ["path"]
    assert found.stderr_lines[-1] == "400000"
    assert len(found.stderr_lines) == limits.SHOWN
    with pytest.raises(limits.TooMuch):
        read("tr '\\0' x </dev/zero >&2", shown=True)
    with pytest.raises(limits.TooMuch):
        read("yes", shown=True)


def test_an_answer_that_takes_too_long_ends_in_time() -> None:
    with pytest.raises(TimeoutError):
        read("echo one; sleep 60", timeout=1)


# ---- before the host key is known ----------------------------------------------------------------


@contextlib.contextmanager
def speaker(say: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that says what ``say`` does to each connection; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                with contextlib.suppress(OSError):
                    say(sock)
                sock.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def endless(sock: socket.socket) -> None:
    while True:
        sock.sendall(b"x" * 65536)


def large_packet(sock: socket.socket) -> None:
    sock.sendall(b"SSH-2.0-large\r\n")
    sock.sendall((0xFFFFFFF4).to_bytes(4, "big"))
    endless(sock)


@pytest.mark.parametrize(
    ("say", "why"), [(endless, "before it speaks SSH"), (large_packet, "are allowed")]
)
def test_a_server_without_an_end_is_cut_before_its_host_key_is_known(
    say: Callable[[socket.socket], None], why: str
) -> None:
    with speaker(say) as port, socket.create_connection(("127.0.0.1", port), 10) as sock:
        transport = connection.transport(sock)
        with pytest.raises(paramiko.SSHException, match=why):
            transport.start_client(timeout=20)
        transport.close()


def test_a_packet_unpacks_to_no_more_than_a_packet_may_hold() -> None:
    packer, unpacker = ZlibCompressor(), limits.Unpacker()
    for text in (b"", b"x" * 32768, os.urandom(32768), b"y" * limits.PACKET):
        assert unpacker(packer(text)) == text
    bomb = packer(b"\0" * 50 * limits.PACKET)
    assert len(bomb) < limits.PACKET
    with pytest.raises(paramiko.SSHException, match="unpacks to over 262144 bytes"):
        unpacker(bomb)
    with pytest.raises(paramiko.SSHException, match="cannot be unpacked"):
        limits.Unpacker()(b"no stream of zlib")


def test_a_connection_is_packed_and_never_before_the_login(ssh_server: sshd.Server) -> None:
    asked = {"user": "", "host": "127.0.0.1", "port": ""}
    options = connection.ssh(asked)["ssh_paramiko_connect_kwargs"]
    assert options["disabled_algorithms"] == {"compression": ["zlib"]}
    client = paramiko.SSHClient()
    client.load_host_keys(str(ssh_server.directory / "known_hosts"))
    client.connect(
        "127.0.0.1",
        ssh_server.port,
        sshd.ONE,
        key_filename=str(ssh_server.directory / "client"),
        allow_agent=False,
        look_for_keys=False,
        **options,
    )
    with client:
        way: Any = client.get_transport()
        both = (way.local_compression, way.remote_compression)
        assert both == ("zlib@openssh.com", "zlib@openssh.com")
        assert isinstance(way.packetizer._Packetizer__compress_engine_out, packing.Packer)
        assert way.sock.gettimeout() == connection.IDLE_S >= 1  # not awake ten times a second
        _, out, _ = client.exec_command("head -c 3000000 /dev/zero; head -c 300000 /dev/urandom")
        assert len(out.read()) == 3_300_000


def test_a_server_that_speaks_one_letter_at_a_time_holds_nobody_up(
    cli: Cli, tmp_path: Path
) -> None:
    from tests.reach.test_ssh_keys import other_key

    over = threading.Event()

    def drip(sock: socket.socket) -> None:
        while not over.wait(1):
            sock.sendall(b"x")

    with speaker(drip) as port:
        known = tmp_path / "known_hosts"
        known.write_text(f"[127.0.0.1]:{port} {other_key(tmp_path)}\n")
        made = {
            **{"name": "some", "user": "me", "at": f"me@127.0.0.1:{port}"},
            **{"profile": "inventory/hardware/shoshin.yaml", "root": "/nowhere"},
            "ssh_known_hosts_file": str(known),
        }
        began = time.monotonic()
        run = cli(cli.inventory(made), "deploy.py", "--dry")
        over.set()
    assert run.code == 1, run.out + run.err
    assert time.monotonic() - began < 60


ESCAPES = b"\x1b[2J\x1b]0;owned\x07\x9b31m\xe2\x80\xae"


@pytest.mark.parametrize(
    "greeting", [ESCAPES + b"\r\n", b"SSH-9.9-" + ESCAPES + b"\r\n", b"SSH-2.0-x" + ESCAPES]
)
def test_nothing_of_a_server_reaches_the_terminal_unfiltered(
    greeting: bytes, cli: Cli, tmp_path: Path
) -> None:
    from tests.reach.test_ssh_keys import other_key, trust

    def say(sock: socket.socket) -> None:
        sock.sendall(greeting * (1 if greeting.startswith(b"SSH") else 100))
        sock.recv(10)

    with speaker(say) as port:
        known = tmp_path / "known_hosts"
        known.write_text(f"[127.0.0.1]:{port} {other_key(tmp_path)}\n")
        made = {
            **{"name": "some", "user": "me", "at": f"me@127.0.0.1:{port}"},
            **{"profile": "inventory/hardware/shoshin.yaml", "root": "/nowhere"},
            "ssh_known_hosts_file": str(known),
        }
        asked = trust("--file", str(tmp_path / "none"), f"127.0.0.1:{port}")
        run = cli(cli.inventory(made), "deploy.py", "--dry")
    assert (asked.returncode, run.code) == (1, 1), asked.stderr + run.out + run.err
    for text in (asked.stdout, asked.stderr, run.out, run.err):
        assert not {c for c in text if not c.isprintable() and c != "\n"}, text


def test_what_goes_through_a_covered_stream_keeps_our_colours_and_nothing_else() -> None:
    inner = io.StringIO()
    stream = output.Harmless(inner)
    print("\033[1;31mred\033[0m \033[2J\x9b\rover\tx", file=stream)
    assert inner.getvalue() == "\033[1;31mred\033[0m \\x1b[2J\\x9b\\x0dover\tx\n"
    with pytest.raises(AttributeError):
        _ = stream.buffer


# ---- a hostile workspace beside a good one -------------------------------------------------------


def bomb() -> str:
    """70 kB that hold one file of 40 MiB, and a thousand hard links to it."""
    members: list[tarfile.TarInfo | tuple[str, bytes]] = [("/home/big", b"\0" * (40 << 20))]
    for number in range(1000):
        link = tarfile.TarInfo(f"/home/{number}")
        link.type, link.linkname = tarfile.LNKTYPE, "/home/big"
        members.append(link)
    return archive(*members)


def many() -> str:
    return archive(*((f"/home/{number}", b"") for number in range(20_000)))


def lines(*more: str, **archives: str) -> str:
    """A whole answer, so that what is in it is read."""
    return "\n".join([unread.BEGIN, *answer(*more, **archives)]) + "\n"


def nested() -> str:
    written = "[" * 200_000 + "]" * 200_000
    return archive(("/home/me/state/written.json", written.encode()))


HOSTILE: dict[str, tuple[Callable[[], str], str]] = {
    "hard links to one big file": (lambda: lines(files=bomb()), "has 41943040 bytes"),
    "many members": (lambda: lines(files=many()), "more than 10000 members"),
    "zeros without end": (
        lambda: lines(files=base64.b64encode(gzip.compress(b"\0" * (80 << 20))).decode()),
        "unpacks to more than",
    ),
    "a number of 400 digits": (lambda: lines(f"lock since {'9' * 400}"), ""),
    "a generation of 400 digits": (
        lambda: lines(f"generation home {'9' * 400} current /x"),
        "not a number",
    ),
    "a time of 400 digits": (
        lambda: lines(f"transaction /a/b/c 1 yes {'9' * 400} activated x"),
        "not a number",
    ),
    "nested json": (lambda: lines(files=nested()), ""),
    "halves of characters": (lambda: lines(r"mark \udc80", "tool nix /\udcff"), ""),
}


@pytest.fixture(scope="module")
def shell(ssh_server: sshd.Server) -> Iterator[Path]:
    """The login shell of one user, which says what is in a file whatever it is asked."""
    path, said = ssh_server.directory / "hostile-shell", ssh_server.directory / "hostile-answer"
    path.write_text(f"#!/bin/sh\n[ -x {said} ] && exec {said}\nexec cat {said}\n")
    path.chmod(0o755)
    sshd.account("usermod", "-s", str(path), sshd.THREE)
    yield said
    sshd.account("usermod", "-s", "/bin/sh", sshd.THREE)


@pytest.fixture
def beside(
    cli: Cli, ssh_server: sshd.Server, shell: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Outcome]:
    """Run the plan on a good workspace and a hostile one, with little memory for all of it."""
    need("chezmoi")
    monkeypatch.setattr(sandbox, "_generations", lambda *_, **__: None)

    def run(said: str | bytes, *, program: bool = False) -> Outcome:
        shell.write_bytes(
            said if isinstance(said, bytes) else said.encode(errors="surrogateescape")
        )
        shell.chmod(0o755 if program else 0o644)
        good = ssh_server.box(sshd.ONE, f"good-{os.urandom(4).hex()}")
        bad = ssh_server.choices(
            sshd.THREE, name="bad", profile="inventory/hardware/shoshin.yaml", root="/nowhere"
        )
        both = ({**good, "name": "good", "layers": NO_NIX}, {**bad, "layers": NO_NIX})
        limit = ["prlimit", f"--as={3 << 30}"]
        return cli(cli.inventory(*both), "deploy.py", "-y", under=limit)

    return run


def assert_good_alone(run: Outcome) -> str:
    """The good workspace converged; why the hostile one did not."""
    found = {str(r["workspace"]): r for r in run.kinds("result")}
    assert found["good"]["outcome"] == "applied, some pending", run.out + run.err
    assert found["bad"]["outcome"] in ("failed", "invalid input", "state unknown"), run.out
    assert "Traceback" not in run.out + run.err
    return str(found["bad"]["why"])


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_fails_its_own_part_and_the_good_workspace_converges(
    name: str, beside: Callable[..., Outcome]
) -> None:
    make, limit = HOSTILE[name]
    run = beside(make())
    assert "something else answered" not in assert_good_alone(run), "its content was not looked at"
    assert limit in run.out + run.err, run.out + run.err


E = ESCAPES.decode("utf-8", "surrogateescape")
#: What is said in place of an answer, or within one.
SAID: dict[str, Callable[[], str | bytes]] = {
    "bytes of nothing": lambda: bytes(range(256)) * 64,
    "half an answer": lambda: lines("mark nixos")[:-60],
    "the answer of another program": lambda: "workspace-check 1\nanswer 0 =eA== 0 =\nend\n",
    "escapes in an answer": lambda: lines(
        *(f"mark {E}", f"tool nix /{E}", f"absent /{E}", f"config_dir /{E}", f"fact user {E}"),
        f"transaction /{E}/x/transaction 1 no 0 broken {E}",
    ),
    "escapes in place of words": lambda: "\n".join([unread.BEGIN, E, f"{E} {E}", "end", ""]),
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_no_answer_fails_its_own_part_and_moves_no_cursor(
    name: str, beside: Callable[..., Outcome]
) -> None:
    run = beside(SAID[name]())
    assert_good_alone(run)
    for text in (run.out, run.err):
        assert not {c for c in text if not c.isprintable() and c != "\n"}, text


@pytest.mark.parametrize("script", ["#!/bin/sh\nexec yes", "#!/bin/sh\nexec cat /dev/zero"])
def test_an_endless_workspace_is_cut_and_the_good_one_converges(
    script: str, beside: Callable[..., Outcome]
) -> None:
    run = beside(script, program=True)
    assert_good_alone(run)
    assert "it said more than 48 MiB" in run.out + run.err
