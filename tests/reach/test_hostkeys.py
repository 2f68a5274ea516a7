"""Lines of known_hosts mean what they mean to the real ssh, or are refused."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from converge.problem import InvalidInput
from tasks.reach import hostkeys, known_hosts
from tests import sshd
from tests.reach.test_ssh_keys import other_key, own_key

#: {key}: the server's; {other}: of no server; {rsa}: of another type; {at}: its name with the port.
LINES = {
    "its name with the port": "{at} {key}",
    "its name without the port": "localhost {key}",
    "another port": "[localhost]:1 {key}",
    "in capitals": "[LOCALHOST]:{port} {key}",
    "one of several names": "some,{at},other {key}",
    "a star": "* {key}",
    "a star within": "[local*]:{port} {key}",
    "a star for the port": "[localhost]:* {key}",
    "stars in a row": "[l**t]:{port} {key}",
    "question marks": "[localhos?]:???* {key}",
    "too many question marks": "[localhost??]:{port} {key}",
    "brackets are no set": "[loc[a]lhost]:{port} {key}",
    "a dot is a dot": "[local.ost]:{port} {key}",
    "negated": "*,!{at} {key}",
    "negated in capitals": "*,!*LOCALHOST* {key}",
    "another one negated": "*,!elsewhere {key}",
    "only a negation": "!elsewhere {key}",
    "negated before a line that is for it": "*,!{at} {other}\n{at} {key}",
    "negated, and known without its port": "!{at},* {key}\nlocalhost {key}",
    "blanks and tabs": "  {at} \t {key}  a comment\n",
    "a carriage return": "{at} {key}\r\n",
    "a comment": "# {at} {key}",
    "another key": "{at} {other}",
    "another key first": "{at} {other}\n{at} {key}",
    "another key behind it": "{at} {key}\n{at} {other}",
    "another key without the port": "{at} {key}\nlocalhost {other}",
    "another type": "{at} {rsa}",
    "another type first": "{at} {rsa}\n{at} {key}",
    "revoked": "@revoked {at} {key}\n{at} {key}",
    "revoked behind it": "{at} {key}\n@revoked {at} {key}",
    "revoked by a pattern": "@revoked *host* {key}\n{at} {key}",
    "revoked by a star": "@revoked * {key}\n{at} {key}",
    "revoked in capitals": "@revoked [LOCAL*]:{port} {key}\n{at} {key}",
    "revoked but for it": "@revoked *,!{at} {key}\n{at} {key}",
    "another key is revoked": "@revoked * {other}\n{at} {key}",
    "revoked with the port, known without it": "@revoked {at} {key}\nlocalhost {key}",
    "revoked without the port": "@revoked localhost {key}\n{at} {key}",
    "revoked for another host": "@revoked elsewhere {key}\n{at} {key}",
    "an authority for it": "@cert-authority * {other}\n{at} {key}",
    "its own key as an authority": "@cert-authority {at} {key}",
    "an authority behind it": "{at} {key}\n@cert-authority *.lan {rsa}",
    "nothing": "",
    "the same line twice": "{at} {key}\n{at} {key}",
    "lines with carriage returns": "# mine\r\n\r\n{at} {other}\r\n{at} {key}\r\n",
    "an empty line with blanks": " \t \n{at} {key}",
    "a comment with blanks before it": "  # {at} {key}",
    "a tab before it": "\t{at} {key}",
    "a comment that says revoked": "{at} {key} @revoked",
    "its address": "[127.0.0.1]:{port} {key}",
    "its address without the port": "127.0.0.1 {key}",
    "its name with a dot at the end": "localhost. {key}",
    "its name in quotes": '"{at}" {key}',
    "its port without brackets": "localhost:{port} {key}",
    "brackets without a port": "[localhost] {key}",
    "a pattern of its port": "*:{port} {key}",
    "revoked by its port": "@revoked *:{port} {key}\n{at} {key}",
    "revoked for another port": "@revoked [localhost]:1 {key}\n{at} {key}",
    "revoked without brackets": "@revoked localhost:{port} {key}\n{at} {key}",
    "revoked for all but another": "@revoked *,!elsewhere {key}\n{at} {key}",
    "revoked for one of several": "@revoked elsewhere,{at} {key}\n{at} {key}",
    "revoked but for its name without the port": "@revoked *,!localhost {key}\n{at} {key}",
    "revoked twice": "@revoked * {key}\n@revoked {at} {key}\n{at} {key}",
    "revoked with tabs": "@revoked *\t{key}\n{at} {key}",
    "revoked with blanks before it": "   @revoked * {key}\n{at} {key}",
    "revoked with a carriage return": "@revoked * {key}\r\n{at} {key}\r\n",
    "its own key as an authority of others": "@cert-authority elsewhere {key}\n{at} {key}",
    "an authority for all but it": "@cert-authority *,!{at} {other}\n{at} {key}",
    "an authority of the same key, and the key": "@cert-authority * {key}\n{at} {key}",
    "an authority of the same key, revoked": "@cert-authority * {key}\n@revoked * {key}",
}
HASH = "YWFhYWFhYWFhYWFhYWFhYWFhYWE="
#: ssh passes over such a line, and what it makes of the rest is not asked: nothing is connected.
REFUSED = {
    "an unknown marker": "@trusted {at} {key}\n{at} {key}",
    "a marker with a tab behind it": "@revoked\t*\t{key}\n{at} {key}",
    "a marker in capitals": "@REVOKED {at} {key}\n{at} {key}",
    "a marker with nothing behind it": "@revoked\n{at} {key}",
    "a marker that is part of the names": "@revoked* {key}\n{at} {key}",
    "a NUL": "{at} {key}\n@revoked\0 * {key}",
    "a form feed for a blank": "@revoked\f* {key}\n{at} {key}",
    "a key of bytes after its end": "@revoked * {key}AAAA\n{at} {key}",
    "no key": "{at}\n{at} {key}",
    "a key that is cut": "elsewhere ssh-ed25519 AAAAC3NzaC1lZDI1NTE5\n{at} {key}",
    "an empty name": "{at},,x {key}",
    "two markers": "@revoked @revoked {at} {key}\n{at} {key}",
    "a revoked line that is cut": "@revoked {at}\n{at} {key}",
    "halves of a hash": "|1|AAAA {key}\n{at} {key}",
    "a hash that is negated": "!|1|x|y,{at} {other}\n{at} {key}",
    "a hash and a name": "|1|" + HASH + "|" + HASH + ",{at} {key}",
    "a name and a hash": "{at},|1|" + HASH + "|" + HASH + " {key}",
    "a blank that is none to ssh": "{at}\u00a0{key}",
    "another one within": "{at} {key}\n@revoked\u2003* {key}",
}


@pytest.fixture(scope="module")
def words(ssh_server: sshd.Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    directory = tmp_path_factory.mktemp("keys")
    return {
        "key": own_key(ssh_server),
        "other": other_key(directory),
        "rsa": other_key(directory, "rsa"),
        "at": f"[localhost]:{ssh_server.port}",
        "port": ssh_server.port,
    }


def openssh(server: sshd.Server, files: str) -> bool:
    """Whether the real ssh connects."""
    options = {
        "UserKnownHostsFile": files,
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
        "IdentityFile": server.directory / "client",
        "Port": server.port,
        "AddressFamily": "inet",
        "UpdateHostKeys": "no",
    }
    given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    argv = ["ssh", "-F", "/dev/null", *given, f"{sshd.ONE}@LocalHost", "true"]
    return subprocess.run(argv, capture_output=True, timeout=60).returncode == 0


def ours(server: sshd.Server, words: dict[str, object], *files: Path) -> bool:
    """Whether paramiko is given the server's key, as it asks for it."""
    name = known_hosts.host_name("LocalHost", server.port)
    known = hostkeys.Known({name: hostkeys.standing(files, name)})
    key = known_hosts.parse(f"x {words['key']}")
    assert key is not None
    allowed = known.get(name, {}).get(key.type)
    given = allowed is not None and allowed == key.key
    assert given is bool([one for one in hostkeys.standing(files, name).keys if one == key.key])
    return given


@pytest.mark.parametrize("name", LINES)
def test_a_line_means_what_it_means_to_openssh(
    name: str, ssh_server: sshd.Server, words: dict[str, object], tmp_path: Path
) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(LINES[name].format(**words))
    assert ours(ssh_server, words, known) is openssh(ssh_server, str(known))


@pytest.mark.parametrize("name", ["its name with the port", "revoked", "its name without the port"])
def test_hashed_names_mean_what_they_mean_to_openssh(
    name: str, ssh_server: sshd.Server, words: dict[str, object], tmp_path: Path
) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(LINES[name].format(**words) + "\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(known)], check=True, capture_output=True)
    assert "|1|" in known.read_text() or name == "revoked"
    assert ours(ssh_server, words, known) is openssh(ssh_server, str(known))


@pytest.mark.parametrize("first", ["{at} {key}", "{at} {other}", "@revoked * {key}", ""])
def test_several_files_mean_what_they_mean_to_openssh(
    first: str, ssh_server: sshd.Server, words: dict[str, object], tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text(f"{first}\n".format(**words))
    two.write_text("{at} {key}\n".format(**words))
    assert ours(ssh_server, words, one, two) is openssh(ssh_server, f"{one} {two}")


@pytest.mark.parametrize("name", REFUSED)
def test_a_line_that_openssh_passes_over_is_refused(
    name: str, ssh_server: sshd.Server, words: dict[str, object], tmp_path: Path
) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(REFUSED[name].format(**words))
    with pytest.raises(InvalidInput, match=str(known)):
        hostkeys.standing([known], known_hosts.host_name("localhost", ssh_server.port))


def test_paramiko_is_asked_for_the_types_of_the_known_keys_first(
    words: dict[str, object], tmp_path: Path
) -> None:
    known = tmp_path / "known_hosts"
    known.write_text("{at} {rsa}\n".format(**words))
    at = str(words["at"])
    found = hostkeys.Known({at: hostkeys.standing([known], at)}).get(at)
    assert found is not None
    assert found.keys()[0] == "ssh-rsa"
    assert hostkeys.Known({at: hostkeys.standing([tmp_path / "none"], at)}).get(at) is None
    assert hostkeys.Known({}).get(at) is None


# ---- certificates of hosts -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def certified(
    ssh_server: sshd.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[dict[str, object], sshd.Server]]:
    """A server that shows a certificate of its host key, where it is asked for one."""
    directory = tmp_path_factory.mktemp("certified")
    for name in ("authority", "host"):
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)]
        subprocess.run(argv, check=True)
    sign = ["ssh-keygen", "-q", "-s", str(directory / "authority"), "-I", "test", "-h"]
    subprocess.run(
        [*sign, "-n", "localhost", str(directory / "host.pub")], check=True, capture_output=True
    )
    text = (ssh_server.directory / "config").read_text()
    shown = f"HostKey {directory}/host\nHostCertificate {directory}/host-cert.pub\n"
    (directory / "config").write_text(re.sub("HostKey .*\n", shown, text))
    with ssh_server.again(config=directory / "config") as (port, _):
        server = replace(ssh_server, port=port)
        yield (
            {
                "key": " ".join((directory / "host.pub").read_text().split()[:2]),
                "authority": " ".join((directory / "authority.pub").read_text().split()[:2]),
                "other": other_key(directory),
                "at": f"[localhost]:{server.port}",
                "port": server.port,
            },
            server,
        )


AUTHORITIES = {
    "the key itself": "{at} {key}",
    "the key and its authority": "@cert-authority * {authority}\n{at} {key}",
    "the key and another authority": "@cert-authority * {other}\n{at} {key}",
    "another key and its authority revoked": "@revoked * {authority}\n{at} {other}",
    "the key as its own authority": "@cert-authority {at} {key}",
    "another authority": "@cert-authority * {other}",
    "an authority for others": "@cert-authority elsewhere {authority}",
    "the authority without its marker": "{at} {authority}",
    "the key revoked, and its authority": "@revoked * {key}\n@cert-authority * {authority}",
}


@pytest.mark.parametrize("name", AUTHORITIES)
def test_a_server_with_a_certificate_is_known_by_its_key_as_to_openssh(
    name: str, certified: tuple[dict[str, object], sshd.Server], tmp_path: Path
) -> None:
    words, server = certified
    known = tmp_path / "known_hosts"
    known.write_text(AUTHORITIES[name].format(**words) + "\n")
    assert ours(server, words, known) is openssh(server, str(known))


@pytest.mark.parametrize("names", ["{at}", "*", "localhost", "*,!elsewhere"])
def test_a_server_that_only_a_certificate_vouches_for_is_refused_by_name(
    names: str, certified: tuple[dict[str, object], sshd.Server], tmp_path: Path
) -> None:
    """OpenSSH accepts such a server; this project refuses it and names the line."""
    words, server = certified
    known = tmp_path / "known_hosts"
    known.write_text(f"# mine\n@cert-authority {names} {{authority}}\n".format(**words))
    assert openssh(server, str(known))
    found = hostkeys.standing([known], known_hosts.host_name("LocalHost", server.port))
    assert not found.keys
    assert f"{known}:2 has an authority for it, but certificates of hosts are not used" in found.why


def test_the_lines_of_a_file_are_read_once_for_all_hosts_and_again_where_they_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    parse = known_hosts.parse

    def counting(line: str) -> known_hosts.KnownKey | None:
        read.append(line)
        return parse(line)

    monkeypatch.setattr(known_hosts, "parse", counting)
    known = tmp_path / "known_hosts"
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPUETJD+RmWa95+1bPLsgMm8TWrTMbsbwgX7OYkJoTpX"
    known.write_text("".join(f"host{number} {key}\n" for number in range(50)))
    for number in range(50):
        assert hostkeys.standing([known], f"host{number}").keys
    assert len(read) == 51  # with the empty one behind the last line end
    known.write_text(f"host0 {key}\nhost1 nothing\n")
    for _ in range(2):
        with pytest.raises(InvalidInput, match="names, type of key and key"):
            hostkeys.standing([known], "host0")
