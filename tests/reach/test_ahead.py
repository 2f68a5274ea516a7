"""The channel of a command is open before the command, where the server allows one more session."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import gevent
import paramiko
import pytest

from tasks.reach import ahead, remote
from tests import sshd
from tests.conftest import PROJECT, Cli

#: A process that gevent patches, as it does pyinfra. It prints what it sends, and the answers.
CLIENT = """
from gevent import monkey

monkey.patch_all()
import logging
import sys

import gevent
import paramiko

from tasks.reach import connection
from tasks.reach.ahead import Transport

logging.getLogger("paramiko").addHandler(logging.NullHandler())
directory, port, user, *commands = sys.argv[1:]
send = Transport._send_user_message


def told(self, message):
    kind = {90: "open", 98: "command"}.get(message.asbytes()[0])
    if kind:
        print(kind, flush=True)
    send(self, message)


Transport._send_user_message = told
client = paramiko.SSHClient()
client.load_host_keys(f"{directory}/known_hosts")
client.connect(
    "127.0.0.1",
    int(port),
    user,
    key_filename=f"{directory}/client",
    look_for_keys=False,
    allow_agent=False,
    transport_factory=connection.transport,
)
asked = client.get_transport().asked
assert not asked.is_set()
for command in commands:
    try:
        _, out, _ = client.exec_command(command, timeout=60)
        said = out.read().decode().strip()
        assert asked.is_set() or not said
        client.get_transport().prepare()  # as tasks.reach.remote does
        gevent.sleep(0)
        print("answer", said, flush=True)
    except (paramiko.SSHException, OSError, EOFError) as error:
        print("error", flush=True)
client.close()
"""


def told(server: sshd.Server, port: int, commands: Sequence[str]) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, str(server.directory), str(port), sshd.ONE, *commands],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


#: So long that what is sent beside a command is sent before its answer is there.
COMMANDS = tuple(f"sleep 0.5; echo {number}" for number in range(4))


def test_the_next_channel_is_opened_at_the_end_of_the_first_command_and_beside_the_others(
    ssh_server: sshd.Server,
) -> None:
    first, *rest = (line for line in told(ssh_server, ssh_server.port, COMMANDS))
    assert first == "open"
    assert rest == [
        *("command", "open", "answer 0"),
        *("command", "open", "answer 1"),
        *("command", "open", "answer 2"),
        *("command", "open", "answer 3"),
    ]


def _alone(server: sshd.Server, tmp_path: Path) -> Path:
    path = tmp_path / "config"
    text = (server.directory / "config").read_text()
    path.write_text(text.replace("MaxSessions 20", "MaxSessions 1"))
    return path


def test_a_server_of_one_session_at_a_time_is_asked_once_and_then_left_alone(
    ssh_server: sshd.Server, tmp_path: Path
) -> None:
    with ssh_server.again(config=_alone(ssh_server, tmp_path)) as (port, _):
        lines = told(ssh_server, port, COMMANDS)
    assert [line for line in lines if line.startswith(("answer", "error"))] == [
        f"answer {number}" for number in range(4)
    ]
    # One ahead, and more only where the server still closes the session before.
    second = lines[lines.index("answer 0") : lines.index("answer 1")]
    assert second.count("open") >= 1
    for number in (2, 3):
        part = lines[lines.index(f"answer {number - 1}") : lines.index(f"answer {number}")]
        assert part[-1] == "command", "nothing is opened beside it"


@pytest.mark.parametrize("lost", ["kill $PPID; sleep 60", "kill -KILL $PPID; sleep 60"])
def test_a_connection_that_breaks_meanwhile_breaks_the_next_command_and_says_nothing_else(
    ssh_server: sshd.Server, lost: str
) -> None:
    lines = told(ssh_server, ssh_server.port, ("echo 0", "echo 1", lost, "echo 3"))
    assert lines[-1] == "error" and lines.count("error") <= 2


class Answers:
    """What the server says to each request for a channel, in order."""

    def __init__(self, *answers: paramiko.Channel | Exception) -> None:
        self.left = list(answers)

    def __call__(self, *_: object, **__: object) -> paramiko.Channel:
        answer = self.left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def _asked(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> ahead.Transport:
    monkeypatch.setattr(paramiko.Transport, "open_session", answers)
    return ahead.Transport.__new__(ahead.Transport)


def test_a_server_that_still_closes_its_session_is_asked_again_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused, channel = paramiko.ChannelException(2, "Connect failed"), paramiko.Channel(1)
    pauses: list[float] = []
    monkeypatch.setattr(gevent, "sleep", pauses.append)
    assert _asked(Answers(refused, refused, channel), monkeypatch).open_session() is channel
    assert pauses == list(ahead.PAUSES_S[:2])
    whole = Answers(*[refused] * 9)
    with pytest.raises(paramiko.ChannelException):
        _asked(whole, monkeypatch).open_session()
    assert len(whole.left) == 9 - 1 - len(ahead.PAUSES_S)


@pytest.mark.parametrize("lost", [OSError("reset"), EOFError(), paramiko.SSHException("over")])
def test_a_channel_that_could_not_be_opened_ahead_is_asked_for_when_it_is_needed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], lost: Exception
) -> None:
    first, second, third = (paramiko.Channel(number) for number in range(3))
    way = _asked(Answers(first, second, lost, third, paramiko.Channel(3)), monkeypatch)
    assert [way.open_session() for _ in range(3)] == [first, second, third]
    assert capfd.readouterr().err == "", "the command itself tells, if it fails too"


def test_the_input_of_a_program_closes_on_a_broken_connection_and_nothing_is_printed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    way = ahead.Transport(ours)
    way.active = True  # the reader has not seen it yet
    way.clear_to_send.set()
    channel = paramiko.Channel(1)
    channel._set_transport(way)  # type: ignore[attr-defined]
    with pytest.raises(EOFError):
        way.packetizer.send_message(paramiko.Message(b"x"))
    with ours:
        channel.makefile_stdin("wb").close()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("lost", [None, OSError("reset"), paramiko.SSHException("over")])
def test_a_command_that_ends_begins_to_open_the_channel_of_the_next(lost: Exception | None) -> None:
    begun: list[str] = []
    transport = SimpleNamespace(prepare=lambda: begun.append("open"))
    client = SimpleNamespace(get_transport=lambda: transport)

    def run(*_: object, **__: object) -> tuple[bool, SimpleNamespace]:
        if lost:
            raise lost
        return True, SimpleNamespace(stdout_lines=["end"], stderr_lines=[])

    connector = SimpleNamespace(client=client)
    host = SimpleNamespace(connector=connector, data={}, run_shell_command=run)
    answer = remote.send(host, remote.sh("true"))
    assert answer.lost is bool(lost)
    assert begun == ([] if lost else ["open"])


def test_a_run_through_such_a_server_says_nothing_of_it(
    cli: Cli, ssh_server: sshd.Server, tmp_path: Path
) -> None:
    made = ssh_server.box(sshd.ONE, "alone", nix=False)
    with ssh_server.again(config=_alone(ssh_server, tmp_path)) as (port, _):
        made["at"] = f"{sshd.ONE}@127.0.0.1:{port}"
        ended = cli(cli.inventory(made), "deploy.py", "-y")
    assert ended.code == 0, ended.out + ended.err
    assert "open" not in ended.err and "annel" not in ended.out + ended.err
