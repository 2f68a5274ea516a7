"""A server that was not reached: what happened, that nothing was done, what to do."""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path

import pytest
from paramiko import AuthenticationException, SSHException
from paramiko.ssh_exception import NoValidConnectionsError
from pyinfra.api.exceptions import ConnectError

from converge.report.terminal import wrap
from tasks.reach import unreached
from tests import sshd
from tests.conftest import Cli

REFUSED = NoValidConnectionsError({("10.0.0.5", 22): ConnectionRefusedError(111, "refused")})
BANNER = SSHException("Error reading SSH protocol banner[Errno 104] Connection reset by peer")


@pytest.mark.parametrize(
    ("error", "what", "do"),
    [
        (
            SSHException("No authentication methods available"),
            "no key to log in with was found; nothing was done there",
            "make one (ssh-keygen -t ed25519), or put yours into ssh-agent, then "
            "ssh-copy-id -p 2222 me@box",
        ),
        (
            AuthenticationException("Authentication failed."),
            "box lets me in with no key that was found (Authentication failed); nothing was done",
            "ssh-copy-id -p 2222 me@box, or mend user, ssh_key or at=",
        ),
        (
            socket.gaierror(-2, "Name or service not known"),
            "no machine is called box here (Name or service not known); nothing was done there",
            "mend at=",
        ),
        (
            REFUSED,
            "nothing listens on port 2222 of box (Unable to connect to port 22",
            "start sshd",
        ),
        (
            ConnectionRefusedError(111, "Connection refused"),
            "nothing listens on port 2222 of box (Connection refused); nothing was done there",
            "start sshd there, or mend the port in at=",
        ),
        (TimeoutError("timed out"), "box does not answer (timed out); nothing", "on and in reach"),
        (
            BANNER,
            "does not speak SSH, or hung up (Error reading SSH protocol banner: Connection reset",
            "look at sshd there, or mend the port in at=",
        ),
        (EOFError(), "does not speak SSH, or hung up (EOFError); nothing", "look at sshd there"),
        (
            OSError(113, "No route to host"),
            "No route to host; nothing was done there",
            "look at the network, or mend at=",
        ),
    ],
)
def test_each_way_to_fail_is_said_in_three_parts(error: Exception, what: str, do: str) -> None:
    with pytest.raises(ConnectError) as raised:
        try:
            raise error
        except Exception:
            raise ConnectError("of pyinfra") from None
    raised.value.__context__ = error
    why = unreached.why(raised.value, host="box", port=2222, user="me", place="at=")
    assert what in why and do in why and "; nothing was done there; " in why
    assert "Errno" not in why
    assert not [line for line in wrap(why, 40) if re.search(r"ssh-copy-id$", line)], "not broken"


def test_another_user_than_the_owner_of_the_workspace_is_told_to_be_the_owner() -> None:
    refused = AuthenticationException("Authentication failed.")
    why = unreached.why(refused, host="box", port=22, user="me", place="at=", owner="mitsio")
    assert why.endswith("; the workspace belongs to mitsio: write mitsio@ into at=")
    same = unreached.why(refused, host="box", port=22, user="me", place="at=", owner="me")
    assert "ssh-copy-id me@box" in same


def test_a_user_who_is_not_let_in_is_told_how_the_key_gets_there(
    cli: Cli, ssh_server: sshd.Server, tmp_path: Path
) -> None:
    key = tmp_path / "other"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
    subprocess.run(command, check=True)
    profile = "inventory/hardware/shoshin.yaml"
    made = ssh_server.choices(sshd.ONE, name="box", profile=profile) | {"ssh_key": str(key)}
    run = cli(cli.inventory(made), "deploy.py", "--dry")
    said = " ".join(run.out.split())
    assert run.code == 1
    assert f"127.0.0.1 lets {sshd.ONE} in with no key that was found" in said
    assert f"ssh-copy-id -p {ssh_server.port} {sshd.ONE}@127.0.0.1" in said
    assert "mend user, ssh_key or at= in the inventory file" in said
