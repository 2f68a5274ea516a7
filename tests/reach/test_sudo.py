"""Sudo is asked before anything starts, and nobody is ever asked for a password."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.connectors.util import make_unix_command

import sandbox
from tasks.reach import remote
from tests import sshd
from tests.conftest import PROJECT, PYINFRA, Cli, tree
from tests.tools import need

USER = sshd.TWO
RULES = Path(f"/etc/sudoers.d/workspace-tuning-test-sudo-{sshd.SLOT}")
APART = ("nix", "home/.cache", "run/user")


def rooted(server: sshd.Server, name: str) -> dict[str, object]:
    """A workspace whose system belongs to root, with the NixOS layer to be done."""
    need("sudo")
    need("nix")
    made = server.box(USER, name)
    os.chown(Path(str(made["root"])) / "var/lib", 0, 0)
    return {**made, "layers": ["nixos"]}


@pytest.fixture
def fresh(
    ssh_server: sshd.Server, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> dict[str, object]:
    """The same without any generation yet, which is quick."""
    monkeypatch.setattr(sandbox, "_generations", lambda *_, **__: None)
    return rooted(ssh_server, f"fresh-{len(request.node.name)}")


@pytest.fixture
def rule() -> Iterator[Callable[[str], None]]:
    """Write a line of sudoers, which goes away with the test."""

    def write(line: str) -> None:
        RULES.write_text(f"{line}\n")
        RULES.chmod(0o440)
        subprocess.run(["visudo", "-cqf", str(RULES)], check=True)

    yield write
    RULES.unlink(missing_ok=True)


@pytest.mark.parametrize(
    "line",
    [
        "",
        f"{USER} ALL=(root) ALL",
        f"{USER} ALL=(root) NOPASSWD: /bin/true, /usr/bin/true",
        f"{USER} ALL=(nobody) NOPASSWD: ALL",
    ],
    ids=["no rule", "with a password", "only for another program", "only as another user"],
)
def test_without_sudo_for_what_is_needed_nothing_is_begun(
    cli: Cli, fresh: dict[str, object], rule: Callable[[str], None], line: str
) -> None:
    if line:
        rule(line)
    root = Path(str(fresh["root"]))
    before = tree(root, without=APART)
    run = cli(cli.inventory(fresh), "deploy.py", "-y")
    assert run.code == 1, run.out
    assert f"{USER} cannot become root without a password" in run.out
    assert "docs/ssh.md" in run.out
    assert "--data layers=home-manager,plasma,session" in run.out.replace("\n", " ")
    assert not run.kinds("step")
    assert tree(root, without=APART) == before


def test_the_documented_rule_is_enough(
    cli: Cli, fresh: dict[str, object], rule: Callable[[str], None]
) -> None:
    text = (PROJECT / "docs/ssh.md").read_text()
    (line,) = [one for one in text.splitlines() if "ALL=(root) NOPASSWD: /" in one]
    rule(line.replace("mitsio", USER))
    run = cli(cli.inventory(fresh), "deploy.py", "--dry")
    assert run.code == 2, run.out
    (snapshot,) = run.kinds("snapshot")
    assert "sudo" in str(snapshot["marks"])
    assert "cannot become root" not in run.out


def test_nobody_is_asked_at_a_terminal_either(
    cli: Cli, fresh: dict[str, object], rule: Callable[[str], None]
) -> None:
    rule(f"{USER} ALL=(root) ALL")
    person, terminal = pty.openpty()
    process = subprocess.Popen(
        [str(PYINFRA), str(cli.inventory(fresh)), "deploy.py", "-y"],
        cwd=PROJECT,
        env=cli.environment,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    said = b""
    try:
        while part := os.read(person, 65536):
            said += part
    except OSError:  # Linux: the other end is closed
        pass
    assert process.wait(timeout=60) == 1, said.decode()
    assert b"sudo password:" not in said
    os.close(person)


def test_a_rule_that_goes_away_in_the_middle_asks_nobody(
    cli: Cli, ssh_server: sshd.Server, rule: Callable[[str], None]
) -> None:
    rule(f"{USER} ALL=(root) NOPASSWD: ALL")
    made = rooted(ssh_server, "revoked")
    process = cli.start(cli.inventory(made), "deploy.py", "-vy", "--debug")
    assert process.stdout is not None
    for line in process.stdout:
        if "look before the change: started" in line:
            rule(f"{USER} ALL=(root) ALL")
            break
    run = cli.end(process)
    assert run.code == 1, run.out
    assert "sudo asks for a password" in run.out
    assert "sudo -H -n" in run.err
    # Our own programs say to git and ssh that nobody is there to be asked.
    said = run.err.replace("GIT_ASKPASS=false", "").replace("SSH_ASKPASS=false", "")
    for leak in ("ASKPASS", "PYINFRA_SUDO_PASSWORD", "sudo password:"):
        assert leak not in said, leak
    assert not (Path(str(made["root"])) / "var/lib/workspace-tuning").exists()


@pytest.mark.parametrize(
    ("choices", "arguments", "word"),
    [
        ({"_sudo_password": "secret"}, (), "_sudo_password"),
        ({"_use_sudo_password": True}, (), "_use_sudo_password"),
        ({}, ("--use-sudo-password",), "--use-sudo-password"),
    ],
)
def test_a_password_for_sudo_is_refused_because_it_would_show_in_ps(
    cli: Cli,
    ssh_server: sshd.Server,
    choices: dict[str, object],
    arguments: tuple[str, ...],
    word: str,
) -> None:
    profile = "inventory/hardware/shoshin.yaml"
    made = ssh_server.choices(USER, name="some", profile=profile, **choices)
    connections = ssh_server.connections
    run = cli(cli.inventory(made), "deploy.py", "-y", *arguments)
    assert run.code == 5
    assert word in run.err
    assert "secret" not in run.out + run.err
    assert ssh_server.connections == connections


#: What sudo can be set up to keep, each of it something that the user may choose.
PERMISSIVE = {
    "env_reset off": (f"Defaults:{USER} !env_reset, !secure_path",),
    "all names kept": (f'Defaults:{USER} env_keep += "*", !secure_path',),
    "setenv": (f"Defaults:{USER} setenv, !env_reset, !secure_path",),
}
THEIRS = {
    **dict.fromkeys(("NIX_REMOTE", "NIX_STORE_DIR", "NIX_STATE_DIR", "NIX_CONFIG"), "theirs"),
    **dict.fromkeys(("NIX_USER_CONF_FILES", "NIX_PATH", "NIX_CONF_DIR", "LD_BIND_NOW"), "theirs"),
    **dict.fromkeys(("GCONV_PATH", "LOCPATH", "PYTHONPATH", "PYTHONSTARTUP", "PERL5LIB"), "theirs"),
    **dict.fromkeys(("GIT_SSH_COMMAND", "GIT_EXEC_PATH", "XDG_CONFIG_HOME", "TMPDIR"), "/theirs"),
    **dict.fromkeys(("XDG_DATA_DIRS", "ENV", "BASH_ENV", "SYSTEMD_UNIT_PATH", "CDPATH"), "/theirs"),
    **dict.fromkeys(("IFS", "LANG", "POSIXLY_CORRECT", "TAR_OPTIONS", "GREP_OPTIONS"), "x"),
    "HOME": "/theirs",
}


@pytest.mark.parametrize("how", PERMISSIVE)
def test_nothing_of_the_users_environment_reaches_roots_part(
    ssh_server: sshd.Server, rule: Callable[[str], None], how: str
) -> None:
    need("sudo")
    rule("\n".join((f"{USER} ALL=(ALL) NOPASSWD: ALL", *PERMISSIVE[how])))
    home = ssh_server.homes[USER]
    theirs, ran = home / "theirs", home / "ran"
    theirs.mkdir(exist_ok=True)
    ran.unlink(missing_ok=True)
    for name in ("sh", "env", "id", "sed", "cat", "printf", "test", "mv", "nix-store"):
        program = theirs / name
        body = f'[ "$(/usr/bin/id -u)" != 0 ] || echo "$0" >>{ran}'
        program.write_text(f'#!/bin/sh\n{body}\nexec /usr/bin/{name} "$@"\n')
        program.chmod(0o755)
    sshd.own(theirs, USER)
    part = remote.joined(remote.PROGRAMS / "own.sh") + "own /; start_time $$ >/dev/null; env\n"
    given = StringCommand("sh", "-c", QuoteString(part), "part")
    begun = remote.for_login(remote.as_root(given, {"INVENTORYS": "a b"}))
    asked = make_unix_command(begun, _sudo=True, _shell_executable=None)  # as remote.send does
    before = "".join(f"export {name}='{value}'\n" for name, value in THEIRS.items())
    # The first sh is the one that sudo starts, by the name that its rule allows.
    line = f"{before}export PATH={theirs}:/usr/bin:/bin\n{asked.get_raw_value()}"
    line = line.replace("sudo -H -n sh", "sudo -H -n /bin/sh")
    assert "/bin/sh -c" in line
    done = subprocess.run(
        [
            *("ssh", "-F", "none", "-i", str(ssh_server.directory / "client")),
            *("-o", f"UserKnownHostsFile={ssh_server.directory}/known_hosts"),
            *("-p", str(ssh_server.port), f"{USER}@127.0.0.1", line),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    found = dict(one.split("=", 1) for one in done.stdout.splitlines())
    assert found.pop("INVENTORYS") == "a b", done.stderr
    assert (found["SUDO_USER"], found["HOME"], found["LC_ALL"]) == (USER, "/root", "C")
    ours = {"SUDO_UID", "SUDO_GID", "SUDO_USER", "HOME", "LC_ALL", "PATH", "PWD", "_", "SHLVL"}
    assert set(found) <= ours | {"OLDPWD"}, set(found) - ours
    assert str(home) not in done.stdout
    assert not ran.exists(), ran.read_text()
