"""known_hosts is read strictly, addresses are parsed, bad input is refused before connecting."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.problem import InvalidInput
from tasks.reach import address, connection, hostkeys, known_hosts
from tasks.reach.connection import fleet, servers, workspace

BLOB = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(range(32))
KEY = f"ssh-ed25519 {base64.b64encode(BLOB).decode()}"
HASHED = "|1|mGQx8s0Xf0qQb5Vv0G5oU0T9h2s=|wkfy4LGQLMRQ8BfLZ5zP0m3pJxk="


def test_a_line_becomes_names_type_and_key() -> None:
    found = known_hosts.parse(f"shoshin,10.0.0.5 {KEY} a comment  of three")
    assert found is not None
    assert (found.names, found.type, found.blob) == (("shoshin", "10.0.0.5"), "ssh-ed25519", BLOB)
    assert found.key is not None


@pytest.mark.parametrize("line", ["", "# a comment", "old.host 1024 65537 1234567890123"])
def test_lines_without_a_key_for_us(line: str) -> None:
    assert known_hosts.parse(line) is None


def test_a_key_of_a_type_that_paramiko_lacks_is_no_error_and_not_known_either(
    tmp_path: Path,
) -> None:
    kind = b"sk-ssh-ed25519@openssh.com"
    blob = len(kind).to_bytes(4, "big") + kind + b"\0\0\0\x04abcd"
    found = known_hosts.parse(f"a {kind.decode()} {base64.b64encode(blob).decode()}")
    assert found is not None
    assert found.key is None
    path = tmp_path / "known"
    path.write_text(known_hosts.encode("a", found))
    assert hostkeys.standing([path], "a").keys == ()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("a ssh-ed25519", "names, type of key and key"),
        (f"a,,b {KEY}", "an empty one"),
        (f"@other a {KEY}", "is not a marker"),
        (f"a {KEY[:-4]}", "the key is cut"),
        (f"a {KEY}====", "not base64"),
        (f"a {KEY.replace('ssh-ed25519', 'ssh-rsa')}", "not of the type"),
        (f"|1|AAAA|AAAA {KEY}", "20 bytes"),
        (f"|2|x|y {KEY}", "salt"),
        (f"a\x1b[2J {KEY}", "control character"),
    ],
)
def test_what_is_not_understood_is_said(line: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        known_hosts.parse(line)


@given(st.text(max_size=200))
def test_no_line_gets_through_in_another_way(text: str) -> None:
    try:
        found = known_hosts.parse(f"a {text}")
    except ValueError:
        return
    assert found is None or known_hosts.encode("a", found).split()[:3] == f"a {text}".split()[:3]


@given(st.binary(max_size=300), st.integers(0, 255), st.data())
def test_a_damaged_file_is_entries_or_problems(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, byte: int, data: st.DataObject
) -> None:
    good = f"one {KEY}\ntwo {KEY}\n".encode()
    at = data.draw(st.integers(0, len(good) - 1))
    path = tmp_path_factory.getbasetemp() / "damaged"
    for content in (noise, good[:at] + bytes([byte]) + good[at + 1 :]):
        path.write_bytes(content)
        try:
            entries = known_hosts.read(path)
        except InvalidInput as error:
            assert all(problem.line >= 1 for problem in error.problems)
        else:
            assert all(entry.blob for entry in entries)


def test_a_key_that_any_file_revokes_is_not_accepted(tmp_path: Path) -> None:
    known, other = tmp_path / "known", tmp_path / "other"
    known.write_text(f"@cert-authority * {KEY}\nbox.bad,box.good,*.LAN {KEY}\n")
    other.write_text(f"a damaged line\n@revoked *.Bad,!box.good {KEY}\n")
    for name, word in (
        *(("box.good", ""), ("BOX.lan", ""), ("[box.good]:2222", "")),
        *(("box.bad", "revoked"), ("[box.bad]:22", "revoked"), ("else", "is not known")),
    ):
        found = hostkeys.standing([known], name, revoking=[other])
        assert word in found.why, name
        assert bool(found.keys) is not bool(word)
    other.write_text(f"@revoked *.bad {KEY[:-8]}\n")
    with pytest.raises(InvalidInput, match=":1:1"):
        hostkeys.standing([known], "box.good", revoking=[other])


def test_a_missing_file_knows_nobody_and_an_unreadable_one_is_said(tmp_path: Path) -> None:
    assert known_hosts.read(tmp_path / "none") == ()
    with pytest.raises(InvalidInput, match="cannot be read"):
        known_hosts.read(tmp_path)


# ---- inventory files -----------------------------------------------------------------------------


def test_a_workspace_is_on_this_machine_or_at_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AT_MY_BOX", raising=False)
    assert workspace("my-box", user="u")[0] == "@local"
    name, data = workspace("my-box", at="me@host.lan:2222")
    assert name == "my-box"
    assert [data[f"ssh_{key}"] for key in ("hostname", "user", "port")] == ["host.lan", "me", 2222]
    assert data["ssh_strict_host_key_checking"] == "yes"
    monkeypatch.setenv("AT_MY_BOX", "elsewhere")
    assert workspace("my-box", at="me@host.lan")[1]["ssh_hostname"] == "elsewhere"
    monkeypatch.setenv("AT_MY_BOX", "")
    assert workspace("my-box", at="me@host.lan")[0] == "@local"


def test_every_way_has_time_limits() -> None:
    local, remote = workspace("a")[1], workspace("b", at="b")[1]
    assert local["_timeout"] == remote["_timeout"] == connection.LIMIT_S
    options = remote["ssh_paramiko_connect_kwargs"]
    for name in ("banner_timeout", "auth_timeout", "channel_timeout"):
        assert 0 < options[name] <= 60


@pytest.mark.parametrize(
    ("given_address", "why"),
    [
        ("-oProxyCommand=id", "the host '-oProxyCommand=id' is neither"),
        ("-l root@host", "the user '-l root' is no name"),
        ("a b", "the host 'a b' is neither"),
        ("host:99999999", "the port '99999999' is no number from 1 to 65535"),
        ("host:0", "the port '0' is no number"),
        ("host:65536", "the port '65536' is no number"),
        ("host:", "the port behind : is missing"),
        ("[::1]:", "the port behind : is missing"),
        ("me@", "the host is missing"),
        ("@host", "the user before @ is missing"),
        ("../x", "the host '../x' is neither"),
        ("host\n", "is neither a name nor an address"),
        ("$(id)@host", "the user '$(id)' is no name"),
        ("me@host;id", "the host 'host;id' is neither"),
        ("1:2:3", "'1:2:3' is no IPv6 address"),
        ("[host]:22", "'host' in brackets is no IPv6 address"),
        ("::1%;id", "is no IPv6 address"),
        ("[::1]:ssh", "the port 'ssh' is no number"),
        ("me@münchen.example:22", "know 'münchen.example' as xn--mnchen-3ya.example: write that"),
        ("https://host", "https:// is another way than SSH"),
        ("ssh://me@host/etc", "'etc' behind the host is a path"),
        ("ssh://a%20b@host", "the user 'a b' is no name"),
        ("ssh://", "the host is missing"),
        ("256.1.1.1", "'256.1.1.1' is no IPv4 address"),
        ("10.0.0.1234:22", "'10.0.0.1234' is no IPv4 address"),
        ("host..lan", "'host..lan' has two dots in a row"),
    ],
)
def test_an_address_of_another_form_is_refused_for_what_is_wrong_with_it(
    monkeypatch: pytest.MonkeyPatch, given_address: str, why: str
) -> None:
    monkeypatch.delenv("AT_BOX", raising=False)
    with pytest.raises(InvalidInput) as refused:
        workspace("box", at=given_address)
    (problem,) = refused.value.problems
    assert why in problem.message
    assert "not of the form [user@]host[:port]" in problem.message
    # Nobody set a variable, so none is blamed.
    assert "AT_BOX" not in str(problem)
    assert str(problem).startswith("workspace box: at=")
    monkeypatch.setenv("AT_BOX", given_address)
    with pytest.raises(InvalidInput) as refused:
        workspace("box", at="fine")
    assert str(refused.value).startswith("AT_BOX=")


@pytest.mark.parametrize(
    "given_address",
    ["me:hunter2@host", "ssh://me:hunter2@host:22", "me:hun@ter2@host", ":hunter2@h"],
)
def test_a_password_in_an_address_is_refused_and_shown_nowhere(
    monkeypatch: pytest.MonkeyPatch, given_address: str
) -> None:
    for variable in (False, True):
        if variable:
            monkeypatch.setenv("AT_BOX", given_address)
        with pytest.raises(InvalidInput) as refused:
            workspace("box", at=given_address)
        assert "a password stands before @" in str(refused.value)
        assert "ter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("given_address", "user", "host", "port"),
    [
        ("john.doe@h", "john.doe", "h", None),
        ("Mitsio@h:2222", "Mitsio", "h", 2222),
        ("DOMAIN\\me@h", "DOMAIN\\me", "h", None),
        ("me@corp.example@h", "me@corp.example", "h", None),
        ("svc$@h", "svc$", "h", None),
        ("my_host", None, "my_host", None),
        ("_gate.lan:23", None, "_gate.lan", 23),
        ("::1", None, "::1", None),
        ("[::1]", None, "::1", None),
        ("[2001:db8::7]:2222", None, "2001:db8::7", 2222),
        ("me@fe80::1%eth0", "me", "fe80::1%eth0", None),
        ("::ffff:10.0.0.5", None, "::ffff:10.0.0.5", None),
        ("10.0.0.5:22", None, "10.0.0.5", 22),
        ("host.lan.", None, "host.lan.", None),
        ("[fe80::1%eth0]:2222", None, "fe80::1%eth0", 2222),
        ("xn--mnchen-3ya.example", None, "xn--mnchen-3ya.example", None),
        ("ssh://me@host:2222", "me", "host", 2222),
        ("SSH://host/", None, "host", None),
        ("ssh://DOMAIN%5Cme@[::1]:22", "DOMAIN\\me", "::1", 22),
        ("ssh://me@[fe80::1%25eth0]:22", "me", "fe80::1%eth0", 22),
    ],
)
def test_addresses_are_taken_as_ssh_takes_them(
    monkeypatch: pytest.MonkeyPatch,
    given_address: str,
    user: str | None,
    host: str,
    port: int | None,
) -> None:
    monkeypatch.delenv("AT_BOX", raising=False)
    data = workspace("box", at=given_address)[1]
    found = [data.get(f"ssh_{key}") for key in ("user", "hostname", "port")]
    assert found == [user, host, port]


@given(st.text(max_size=40))
def test_any_address_is_refused_or_names_no_option_of_ssh(text: str) -> None:
    try:
        found = address.parse(text)
    except ValueError:
        return
    assert not found["host"].startswith("-")
    assert not found["user"].startswith("-")
    assert (found["host"] + found["user"]).isprintable()
    where = address.written(found["host"], int(found["port"] or 22))
    assert address.parse(where)["host"] == found["host"]


def test_two_workspaces_of_a_fleet_cannot_both_be_this_machine() -> None:
    with pytest.raises(InvalidInput, match="AT_TWO="):
        fleet(workspace("one"), workspace("two"))
    assert len(fleet(workspace("one"), workspace("two", at="two"))) == 2


# ---- the way to a server -------------------------------------------------------------------------


@pytest.fixture
def ssh_config(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        path = tmp_path / "config"
        path.write_text(text)
        return str(path)

    return write


def test_servers_on_the_way_are_named_as_they_are_looked_up(
    ssh_config: Callable[[str], str],
) -> None:
    file = ssh_config(
        "Host box\n  HostName 10.0.0.5\n  ProxyJump gate:2200,inner\n"
        "Host gate\n  HostName gate.example.org\n  UserKnownHostsFile /k/one /k/two\n"
        "Host inner\n  Port 23\n"
    )
    gate, inner, box = servers("box", port=2222, known_hosts="/mine", config_file=file)
    assert (gate.name, gate.files) == (
        "[gate.example.org]:2200",
        (Path("/k/one"), Path("/k/two"), *hostkeys.GLOBAL),
    )
    assert inner.name == "[inner]:23"
    assert (box.name, box.files, box.direct) == (
        "[10.0.0.5]:2222",
        (Path("/mine"), *hostkeys.GLOBAL),
        False,
    )


def test_without_a_config_it_is_the_host_itself(ssh_config: Callable[[str], str]) -> None:
    (one,) = servers("box", config_file=ssh_config(""))
    assert (one.name, one.address, one.direct) == ("box", "box", True)


def test_a_proxy_command_has_no_jump_host(ssh_config: Callable[[str], str]) -> None:
    (one,) = servers("box", config_file=ssh_config("Host box\n  ProxyCommand nc %h %p\n"))
    assert not one.direct


@pytest.mark.parametrize(
    ("text", "name", "direct"),
    [
        ("Match originalhost box user root\n  HostName 10.0.0.9\n", "10.0.0.9", True),
        ("Match host b*x !localuser nobody\n  ProxyJump gate\n", "box", False),
        ("Match all\n  Port 99\n", "[box]:99", True),
        ("Match host other exec id\n  Port 9\n", "box", True),  # never reached for box
        ("Host box\n  ProxyJump none\nHost *\n  ProxyJump gate\n", "box", True),
        ("Host box\n  ProxyCommand none\n", "box", True),
        ("Host box\n  HostName fe80::1%eth0\n", "fe80::1%eth0", True),
    ],
)
def test_the_ssh_config_is_read_as_ssh_reads_it(
    monkeypatch: pytest.MonkeyPatch,
    ssh_config: Callable[[str], str],
    text: str,
    name: str,
    *,
    direct: bool,
) -> None:
    monkeypatch.setenv("USER", "root")
    monkeypatch.setattr("tasks.reach.known_by.own_name", lambda: "root")
    found = servers("box", config_file=ssh_config(text))
    assert (found[-1].name, found[-1].direct) == (name, direct)
    assert all(server.name in {name, "gate"} for server in found)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        *(
            (f"Match {kind}\n  HostName elsewhere\n", f"Match {kind.split()[0]} may be for box")
            for kind in ("exec id", "localnetwork 10.0.0.0/8", "tagged work", "command ls")
        ),
        ("Match host box exec id\n  Port 9\n", "Match exec may be for box"),
        ("Host box\n  Port ssh\n", "Port ssh of box is no number"),
    ],
)
def test_what_only_ssh_evaluates_is_refused_where_it_would_decide(
    ssh_config: Callable[[str], str], text: str, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        servers("box", config_file=ssh_config(text))


def test_pyinfra_connects_by_the_configuration_as_it_is_read_here(
    monkeypatch: pytest.MonkeyPatch, ssh_config: Callable[[str], str]
) -> None:
    from pyinfra.connectors.sshuserclient import client

    from tasks.reach.ssh_config import read_config_here

    monkeypatch.setattr(client, "get_ssh_config", client.get_ssh_config)  # put back afterwards
    read_config_here()
    read_config_here()  # each run of a process does
    file = ssh_config("Host box\n  ProxyJump none\n")
    _, options, *_ = client.SSHClient().parse_config("box", ssh_config_file=file)
    assert "sock" not in options


def test_a_jump_for_every_host_never_ends(ssh_config: Callable[[str], str]) -> None:
    with pytest.raises(ValueError, match="circles"):
        servers("box", config_file=ssh_config("Host *\n  ProxyJump gate\n"))
