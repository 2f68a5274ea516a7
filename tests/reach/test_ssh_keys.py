"""Host keys and ways to log in, against a real sshd: no unknown server is connected."""

from __future__ import annotations

import base64
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import sshd
from tests.conftest import PROJECT, Cli, Outcome
from tests.tools import need

PROFILE = "inventory/hardware/shoshin.yaml"


def workspace(server: sshd.Server, **choices: object) -> dict[str, object]:
    """A workspace without anything on it: reading it is all that these tests need."""
    return server.choices(sshd.ONE, name="some", profile=PROFILE, root="/nowhere", **choices)


def other_key(directory: Path, kind: str = "ed25519") -> str:
    """The public part of a key that no server has, ``TYPE KEY``."""
    path = directory / f"other-{kind}"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path)], check=True)
    return " ".join((path.with_suffix(".pub")).read_text().split()[:2])


def name_of(server: sshd.Server) -> str:
    return f"[127.0.0.1]:{server.port}"


def own_key(server: sshd.Server) -> str:
    return " ".join((server.directory / "host.pub").read_text().split()[:2])


def dry(cli: Cli, made: dict[str, object], *arguments: str) -> Outcome:
    return cli(cli.inventory(made), "deploy.py", "--dry", *arguments)


def reached(run: Outcome) -> bool:
    """Whether the workspace was read."""
    return bool(run.kinds("snapshot"))


def trust(*arguments: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **({"HOME": str(home)} if home else {})}
    return subprocess.run(
        [sys.executable, "-m", "tasks.trust", *arguments],
        cwd=PROJECT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def fingerprint(server: sshd.Server) -> str:
    """As OpenSSH prints it."""
    argv = ["ssh-keygen", "-lf", str(server.directory / "host.pub")]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()[1]


# ---- unknown, changed, malformed, revoked --------------------------------------------------------


def test_a_known_key_is_accepted(cli: Cli, ssh_server: sshd.Server) -> None:
    run = dry(cli, workspace(ssh_server))
    assert reached(run), run.out + run.err


@pytest.mark.parametrize("more", [(), ("--data", "ssh_strict_host_key_checking=accept-new")])
def test_an_unknown_key_is_refused_without_a_connection(
    cli: Cli, ssh_server: sshd.Server, more: tuple[str, ...]
) -> None:
    known = cli.directory / "known_hosts"
    before, connections = f"elsewhere {own_key(ssh_server)}\n", ssh_server.connections
    known.write_text(before)
    run = dry(cli, workspace(ssh_server, ssh_known_hosts_file=str(known)), *more)
    assert (run.code, reached(run)) == (1, False)
    assert f"python -m tasks.trust 127.0.0.1:{ssh_server.port}" in run.out
    assert ssh_server.connections == connections
    assert known.read_text() == before


def test_a_changed_key_is_refused_before_anything_is_sent(
    cli: Cli, ssh_server: sshd.Server
) -> None:
    known = cli.directory / "known_hosts"
    known.write_text(f"{name_of(ssh_server)} {other_key(cli.directory)}\n")
    logins = ssh_server.log.count("Accepted publickey")
    run = dry(cli, workspace(ssh_server, ssh_known_hosts_file=str(known)))
    assert (run.code, reached(run)) == (1, False)
    assert "does not match" in run.out
    assert f"python -m tasks.trust --replace 127.0.0.1:{ssh_server.port}" in run.out
    assert ssh_server.log.count("Accepted publickey") == logins


def test_a_key_of_another_type_is_a_changed_key(cli: Cli, ssh_server: sshd.Server) -> None:
    known = cli.directory / "known_hosts"
    known.write_text(f"{name_of(ssh_server)} {other_key(cli.directory, 'ecdsa')}\n")
    run = dry(cli, workspace(ssh_server, ssh_known_hosts_file=str(known)))
    assert (run.code, reached(run)) == (1, False)
    assert "does not match" in run.out


def short_key() -> str:
    """An ed25519 key with 24 bytes, which looks well-formed."""
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x18" + b"k" * 24
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


@pytest.mark.parametrize(
    "line",
    [
        "host ssh-ed25519 not*base64",
        f"host {short_key()}",
        "one word",
        "|1|c2hvcnQ=|c2hvcnQ= ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==",
        "@trusted host ssh-ed25519 AAAA",
        "host ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIEHHbNJ1",
        "host\u202e ssh-ed25519 AAAA",
    ],
)
@pytest.mark.parametrize("changed", [True, False])
def test_a_malformed_line_ends_the_run_with_its_place_whatever_follows_it(
    cli: Cli, ssh_server: sshd.Server, line: str, changed: bool
) -> None:
    known = cli.directory / "known_hosts"
    key = other_key(cli.directory) if changed else own_key(ssh_server)
    text = f"# mine\n{line}\n{name_of(ssh_server)} {key}\n"
    known.write_text(text)
    connections = ssh_server.connections
    run = dry(
        cli,
        workspace(ssh_server, ssh_known_hosts_file=str(known)),
        "--data",
        "ssh_strict_host_key_checking=accept-new",
    )
    assert (run.code, reached(run)) == (5, False)
    assert f"{known}:2:1: " in run.err
    assert ssh_server.connections == connections
    assert known.read_text() == text


def test_a_revoked_key_is_refused(cli: Cli, ssh_server: sshd.Server) -> None:
    known = cli.directory / "known_hosts"
    key = own_key(ssh_server)
    known.write_text(f"@revoked * {key}\n{name_of(ssh_server)} {key}\n")
    connections = ssh_server.connections
    run = dry(cli, workspace(ssh_server, ssh_known_hosts_file=str(known)))
    assert (run.code, reached(run)) == (1, False)
    assert "revoked" in run.out
    assert ssh_server.connections == connections


def test_a_hashed_name_is_known(cli: Cli, ssh_server: sshd.Server) -> None:
    known = cli.directory / "known_hosts"
    known.write_text(f"{name_of(ssh_server)} {own_key(ssh_server)}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(known)], check=True, capture_output=True)
    assert known.read_text().startswith("|1|")
    run = dry(cli, workspace(ssh_server, ssh_known_hosts_file=str(known)))
    assert reached(run), run.out


def test_one_that_everybody_may_write_is_not_believed(cli: Cli, ssh_server: sshd.Server) -> None:
    known = cli.directory / "known_hosts"
    known.write_text(f"{name_of(ssh_server)} {own_key(ssh_server)}\n")
    known.chmod(0o666)
    run = dry(cli, workspace(ssh_server, ssh_known_hosts_file=str(known)))
    assert run.code == 5
    assert "chmod o-w" in run.err


# ---- trust ---------------------------------------------------------------------------------------


def test_trust_with_the_right_fingerprint_lets_the_next_run_connect(
    cli: Cli, ssh_server: sshd.Server
) -> None:
    known, address = cli.directory / "known_hosts", f"127.0.0.1:{ssh_server.port}"
    made = workspace(ssh_server, ssh_known_hosts_file=str(known))
    assert not reached(dry(cli, made))
    said = fingerprint(ssh_server)
    done = trust("--file", str(known), "--fingerprint", said, address)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    assert known.read_text() == f"{name_of(ssh_server)} {own_key(ssh_server)}\n"
    assert known.stat().st_mode & 0o7777 == 0o644
    assert reached(dry(cli, made))
    assert "trusted already" in trust("--file", str(known), address).stdout


def test_trust_refuses_another_fingerprint_and_nobody_to_ask(
    tmp_path: Path, ssh_server: sshd.Server
) -> None:
    known, address = tmp_path / "known_hosts", f"127.0.0.1:{ssh_server.port}"
    wrong = trust("--file", str(known), "--fingerprint", "SHA256:AAAA", address)
    assert (wrong.returncode, "do not connect" in wrong.stderr) == (1, True)
    nobody = trust("--file", str(known), address)
    assert (nobody.returncode, "nobody is there" in nobody.stderr) == (5, True)
    assert fingerprint(ssh_server) in nobody.stdout
    assert not known.exists()


def test_trust_takes_no_other_key_unless_told_to_replace_it(
    tmp_path: Path, ssh_server: sshd.Server
) -> None:
    known, address = tmp_path / "known_hosts", f"127.0.0.1:{ssh_server.port}"
    others = f"# mine\nelsewhere {own_key(ssh_server)}\n"
    known.write_text(f"{others}{name_of(ssh_server)},second {other_key(tmp_path)}\n")
    before, said = known.read_text(), fingerprint(ssh_server)
    done = trust("--file", str(known), "--fingerprint", said, address)
    assert (done.returncode, "--replace" in done.stderr) == (1, True)
    assert known.read_text() == before
    done = trust("--file", str(known), "--fingerprint", said, "--replace", address)
    assert done.returncode == 0, done.stderr
    lines = known.read_text().splitlines()
    assert "".join(f"{line}\n" for line in lines[:2]) == others
    assert lines[2].startswith("second ssh-ed25519 ")
    assert lines[3] == f"{name_of(ssh_server)} {own_key(ssh_server)}"


@pytest.mark.parametrize(("answer", "code"), [("yes", 0), ("y", 1), ("", 1)])
def test_a_person_is_shown_the_fingerprint_and_writes_yes(
    tmp_path: Path, ssh_server: sshd.Server, answer: str, code: int
) -> None:
    known = tmp_path / "known_hosts"
    person, terminal = pty.openpty()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tasks.trust", "--file", str(known)),
            f"127.0.0.1:{ssh_server.port}",
        ],
        cwd=PROJECT,
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.write(person, f"{answer}\n".encode())
    out, _ = process.communicate(timeout=60)
    for end in (person, terminal):
        os.close(end)
    assert process.returncode == code
    assert fingerprint(ssh_server) in out
    assert known.exists() == (code == 0)


def test_trust_says_when_nobody_answers(tmp_path: Path) -> None:
    done = trust("--file", str(tmp_path / "known_hosts"), "127.0.0.1:1")
    assert (done.returncode, "nothing listens on port 1" in done.stderr) == (1, True)


# ---- ways to log in ------------------------------------------------------------------------------


@contextmanager
def agent(key: Path) -> Iterator[dict[str, str]]:
    """An ssh-agent that holds one key."""
    need("ssh-agent")
    said = subprocess.run(["ssh-agent", "-s"], check=True, capture_output=True, text=True).stdout
    found = dict(part.split("=", 1) for part in said.replace("\n", "").split(";") if "=" in part)
    try:
        subprocess.run(
            ["ssh-add", "-q", str(key)], check=True, env={**os.environ, **found}, timeout=20
        )
        yield found
    finally:
        os.kill(int(found["SSH_AGENT_PID"]), 15)


def config(cli: Cli, text: str) -> str:
    path = cli.directory / "ssh_config"
    path.write_text(text)
    return str(path)


def test_a_key_in_an_agent(cli: Cli, ssh_server: sshd.Server) -> None:
    made = workspace(ssh_server, ssh_allow_agent=True)
    made.pop("ssh_key")
    with agent(ssh_server.directory / "client") as variables:
        cli.environment |= variables
        run = dry(cli, made)
    assert reached(run), run.out


def test_host_port_user_key_and_known_hosts_from_the_ssh_config(
    cli: Cli, ssh_server: sshd.Server
) -> None:
    made = {
        "name": "some",
        "profile": PROFILE,
        "root": "/nowhere",
        "user": sshd.ONE,
        "at": "alias",
        "ssh_config_file": config(
            cli,
            f"Host alias\n  HostName 127.0.0.1\n  Port {ssh_server.port}\n  User {sshd.ONE}\n"
            f"  IdentityFile {ssh_server.directory}/client\n"
            f"  UserKnownHostsFile {ssh_server.directory}/known_hosts\n"
            "  StrictHostKeyChecking no\n",
        ),
    }
    run = dry(cli, made)
    assert reached(run), run.out


def jump(cli: Cli, server: sshd.Server, known: str, *, to: str = "alias") -> dict[str, object]:
    there = (
        f"  HostName 127.0.0.1\n  Port {server.port}\n"
        f"  IdentityFile {server.directory}/client\n  UserKnownHostsFile {known}\n"
    )
    text = (
        f"Host jump\n{there}  User {sshd.TWO}\n  StrictHostKeyChecking no\n"
        f"Host alias\n{there}  User {sshd.ONE}\n  ProxyJump jump\n"
        "Host round\n  ProxyJump round\n"
    )
    return {
        "name": "some",
        "profile": PROFILE,
        "root": "/nowhere",
        "user": sshd.ONE,
        "at": to,
        "ssh_config_file": config(cli, text),
        "ssh_known_hosts_file": str(server.directory / "known_hosts"),
    }


def test_through_a_jump_host(cli: Cli, ssh_server: sshd.Server) -> None:
    run = dry(cli, jump(cli, ssh_server, str(ssh_server.directory / "known_hosts")))
    assert reached(run), run.out + run.err
    assert f"for {sshd.TWO}" in ssh_server.log


def test_an_unknown_jump_host_is_refused_without_a_connection(
    cli: Cli, ssh_server: sshd.Server
) -> None:
    (cli.directory / "empty").touch()
    connections = ssh_server.connections
    run = dry(cli, jump(cli, ssh_server, str(cli.directory / "empty")))
    assert (run.code, reached(run)) == (1, False)
    assert "is not known" in run.out
    assert ssh_server.connections == connections


def test_a_jump_that_goes_in_circles_is_bad_input(cli: Cli, ssh_server: sshd.Server) -> None:
    made = jump(cli, ssh_server, str(ssh_server.directory / "known_hosts"), to="round")
    run = dry(cli, made)
    assert (run.code, "goes in circles" in run.err) == (5, True)


def test_through_a_proxy_command(cli: Cli, ssh_server: sshd.Server) -> None:
    bridge = (
        "import os,socket,sys,threading\n"
        f"s=socket.create_connection(('127.0.0.1',{ssh_server.port}))\n"
        "def up():\n"
        " while d:=os.read(0,65536): s.sendall(d)\n"
        "threading.Thread(target=up,daemon=True).start()\n"
        "while d:=s.recv(65536): os.write(1,d)\n"
    )
    script = cli.directory / "bridge.py"
    script.write_text(bridge)
    text = f"Host 127.0.0.1\n  ProxyCommand {sys.executable} {script}\n"
    run = dry(cli, workspace(ssh_server, ssh_config_file=config(cli, text)))
    assert reached(run), run.out + run.err


@pytest.mark.parametrize(
    ("file", "word"), [("missing", "No such private key"), ("locked", "is encrypted")]
)
def test_a_key_that_cannot_be_used_is_bad_input_and_nobody_is_asked(
    cli: Cli, ssh_server: sshd.Server, file: str, word: str
) -> None:
    path = cli.directory / file
    if file == "locked":
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(path)]
        subprocess.run(argv, check=True)
    run = dry(cli, workspace(ssh_server, ssh_key=str(path)))
    assert run.code == 5
    assert word in run.err
    assert "ssh-agent" in run.err
