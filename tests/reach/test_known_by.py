"""The files and the name that ``~/.ssh/config`` says a server is known by: beside the real ssh."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from converge.problem import InvalidInput
from tasks.reach import connection, hostkeys, known_hosts
from tests import sshd
from tests.reach.test_ssh_keys import other_key, own_key

#: Files with lines of known_hosts, then what the configuration says. {d}: the directory of the
#: files; {home}: that of the user, where "known" lies as well.
FILES = {
    "good": "{at} {key}\n",
    "bad": "{at} {other}\n",
    "empty": "",
    "alias": "box-alias {key}\n",
    "plain": "localhost {key}\n",
    "alias revoked": "@revoked box-alias {key}\n{at} {key}\n",
    "with blank": "{at} {key}\n",
    "localhost-{port}": "{at} {key}\n",
    "box": "{at} {key}\n",
    "box-alias": "box-alias {key}\n",
    "100%": "{at} {key}\n",
    "revoking": "@revoked * {key}\n",
    "list": "{other}\n# mine\n\n{key} a comment\n",
    "others": "{other}\n",
}
CONFIGS = {
    "one file": "UserKnownHostsFile {d}/good",
    "another file": "UserKnownHostsFile {d}/bad",
    "two files": "UserKnownHostsFile {d}/empty {d}/good",
    "two files, the other way": "UserKnownHostsFile {d}/good {d}/empty",
    "a key in each": "UserKnownHostsFile {d}/bad {d}/good",
    "revoked in the other": "UserKnownHostsFile {d}/good {d}/revoking",
    "none": "UserKnownHostsFile none",
    "none in capitals": "UserKnownHostsFile NONE",
    "none and a global one": "UserKnownHostsFile none\nGlobalKnownHostsFile {d}/good",
    "no file at all": "UserKnownHostsFile {d}/absent",
    "a global one": "UserKnownHostsFile {d}/empty\nGlobalKnownHostsFile {d}/good",
    "two global ones": "UserKnownHostsFile none\nGlobalKnownHostsFile {d}/empty {d}/good",
    "revoked in a global one": "UserKnownHostsFile {d}/good\nGlobalKnownHostsFile {d}/revoking",
    "no global one": "UserKnownHostsFile {d}/good\nGlobalKnownHostsFile none",
    "a token of the user's is none of a global one": (
        "UserKnownHostsFile none\nGlobalKnownHostsFile {d}/100%%"
    ),
    "the host": "UserKnownHostsFile {d}/%h-%p",
    "the name that was given": "UserKnownHostsFile {d}/%n",
    "the key's name": "UserKnownHostsFile {d}/%k",
    "the key's name by an alias": "HostKeyAlias box-alias\n  UserKnownHostsFile {d}/%k",
    "a percent sign": "UserKnownHostsFile {d}/100%%",
    "the home": "UserKnownHostsFile %d/.known-{port}",
    "a variable": "UserKnownHostsFile ${{KNOWN_DIRECTORY}}/good",
    "quoted": 'UserKnownHostsFile "{d}/good"',
    "a blank in quotes": 'UserKnownHostsFile {d}/empty "{d}/with blank"',
    "quotes around both": 'UserKnownHostsFile "{d}/empty" "{d}/with blank"',
    "the first one counts": "UserKnownHostsFile {d}/good\n  UserKnownHostsFile {d}/bad",
    "the first one counts as well": "UserKnownHostsFile {d}/bad\n  UserKnownHostsFile {d}/good",
    "an alias": "HostKeyAlias box-alias\n  UserKnownHostsFile {d}/alias",
    "an alias in capitals": "HostKeyAlias BOX-ALIAS\n  UserKnownHostsFile {d}/alias",
    "an alias, known by its name": "HostKeyAlias box-alias\n  UserKnownHostsFile {d}/good",
    "an alias, known without its port": "HostKeyAlias box-alias\n  UserKnownHostsFile {d}/plain",
    "an alias with a port": "HostKeyAlias [localhost]:{port}\n  UserKnownHostsFile {d}/good",
    "an alias that is revoked": (
        'HostKeyAlias box-alias\n  UserKnownHostsFile {d}/alias "{d}/alias revoked"'
    ),
    "another is revoked by alias": 'UserKnownHostsFile "{d}/alias revoked" {d}/good',
    "a list that revokes": "UserKnownHostsFile {d}/good\n  RevokedHostKeys {d}/list",
    "a list of others": "UserKnownHostsFile {d}/good\n  RevokedHostKeys {d}/others",
    "an empty list": "UserKnownHostsFile {d}/good\n  RevokedHostKeys {d}/empty",
    "no list": "UserKnownHostsFile {d}/good\n  RevokedHostKeys none",
    "a list that is not there": "UserKnownHostsFile {d}/good\n  RevokedHostKeys {d}/absent",
    "a list of ssh's own form": "UserKnownHostsFile {d}/good\n  RevokedHostKeys {d}/krl",
}


@pytest.fixture
def words(ssh_server: sshd.Server, tmp_path: Path) -> dict[str, object]:
    found: dict[str, object] = {
        **{"key": own_key(ssh_server), "other": other_key(tmp_path)},
        **{"at": f"[localhost]:{ssh_server.port}", "port": ssh_server.port, "d": tmp_path},
    }
    for name, text in FILES.items():
        (tmp_path / name.format(**found)).write_text(text.format(**found))
    keys = tmp_path / "revoked.pub"
    keys.write_text("{key}\n".format(**found))
    make = ["ssh-keygen", "-q", "-k", "-f", str(tmp_path / "krl"), str(keys)]
    subprocess.run(make, check=True, capture_output=True)
    return found


def config_of(server: sshd.Server, words: dict[str, object], name: str, directory: Path) -> Path:
    config = directory / "config"
    config.write_text(
        f"Host box\n  HostName localhost\n  Port {server.port}\n  "
        + CONFIGS[name].format(**words)
        + "\nHost *\n  GlobalKnownHostsFile /dev/null\n"
    )
    return config


def openssh(server: sshd.Server, config: Path) -> bool:
    options = {
        **{"StrictHostKeyChecking": "yes", "BatchMode": "yes", "AddressFamily": "inet"},
        **{"IdentityFile": server.directory / "client", "UpdateHostKeys": "no"},
    }
    given = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    argv = ["ssh", "-F", str(config), *given, f"{sshd.ONE}@box", "true"]
    done = subprocess.run(argv, capture_output=True, timeout=60)
    return done.returncode == 0


def ours(words: dict[str, object], config: Path) -> bool:
    (server,) = connection.servers("box", config_file=str(config))
    try:
        found = connection._standing(server)
    except InvalidInput:
        return False
    key = known_hosts.parse(f"x {words['key']}")
    assert key is not None
    given = hostkeys.Known({server.called: found}).get(f"[localhost]:{words['port']}", {})
    return given.get(key.type) is not None and given[key.type] == key.key


@pytest.mark.parametrize("name", CONFIGS)
def test_a_server_is_known_by_what_the_configuration_says_as_to_openssh(
    name: str,
    ssh_server: sshd.Server,
    words: dict[str, object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KNOWN_DIRECTORY", str(tmp_path))
    mine = Path.home() / f".known-{ssh_server.port}"
    mine.write_text(FILES["good"].format(**words))
    try:
        config = config_of(ssh_server, words, name, tmp_path)
        assert ours(words, config) is openssh(ssh_server, config)
    finally:
        mine.unlink()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("UserKnownHostsFile /k/%C", "token %C"),
        ("UserKnownHostsFile /k/%r", "token %r"),
        ("UserKnownHostsFile /k/%", "token %"),
        ("UserKnownHostsFile ${NO_SUCH_NAME}/k", "NO_SUCH_NAME"),
        ('UserKnownHostsFile /k "/l', "quote"),
    ],
)
def test_a_file_that_only_ssh_can_name_is_refused(text: str, why: str, tmp_path: Path) -> None:
    os.environ.pop("NO_SUCH_NAME", None)
    config = tmp_path / "config"
    config.write_text(f"Host box\n  {text}\n")
    with pytest.raises(ValueError, match=why):
        connection.servers("box", config_file=str(config))


def test_a_list_of_revoked_keys_has_to_be_read_whole(tmp_path: Path) -> None:
    for text in ("ssh-ed25519 AAAA\n", "nonsense\n", "ssh-rsa\n"):
        (tmp_path / "list").write_text(text)
        with pytest.raises(InvalidInput, match="list"):
            known_hosts.public_keys(tmp_path / "list")
    with pytest.raises(InvalidInput, match="cannot be read"):
        known_hosts.public_keys(tmp_path / "absent")


def test_no_end_of_a_list_of_revoked_keys_is_passed_over_and_no_pipe_is_waited_for(
    tmp_path: Path,
) -> None:
    long, pipe = tmp_path / "long", tmp_path / "pipe"
    long.write_text("#" * known_hosts.LIMIT + f"\n{other_key(tmp_path)}\n")
    with pytest.raises(InvalidInput, match="is larger than 4 MiB"):
        known_hosts.public_keys(long)
    os.mkfifo(pipe)
    with pytest.raises(InvalidInput, match="is not a file"):
        known_hosts.public_keys(pipe)
    assert known_hosts.public_keys(Path("/dev/null")) == frozenset()
