"""Trust the host key of a server, after a person compared its fingerprint.

usage: python -m tasks.trust [--fingerprint SHA256:...] [--key FILE] [--replace] HOST[:PORT]

Asks the server for its key, shows the fingerprint, and adds the key to inventory/known_hosts once
somebody answers yes. Compare it with what the server's own console says:

    ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub

With --fingerprint the key has to have this fingerprint, and nobody is asked. --key reads the public
key from a file (copied from the server) instead of asking the server, which may be behind a jump
host. To put a key in place of another one, --replace is needed.
Exit: 0 trusted, 1 not trusted, 5 could not ask.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from converge.exits import Exit
from converge.problem import InvalidInput
from converge.report.arguments import Arguments
from converge.report.terminal import Terminal
from tasks.reach import connection, hostkeys, known_hosts, output, unreached
from tasks.reach.address import parse, shown

WAIT_S = 15


class NotTrusted(Exception):
    """Why nothing was written."""


class CannotAsk(Exception):
    """The arguments do not lead to a key that a person could compare."""


def offered(address: str) -> known_hosts.KnownKey:
    """The key that the server at ``[user@]host[:port]`` shows. Raises NotTrusted."""
    import paramiko

    where = parse(address)
    screen = Terminal(sys.stderr)
    screen.passing(f"asking {address} for its key ...")
    try:
        with socket.create_connection((where["host"], int(where["port"] or 22)), WAIT_S) as sock:
            transport = connection.transport(sock)
            transport.banner_timeout = WAIT_S
            try:
                transport.start_client(timeout=WAIT_S)
                key = transport.get_remote_server_key()
            finally:
                transport.close()
    except (OSError, EOFError, paramiko.SSHException) as error:
        why = unreached.why(
            error, host=where["host"], port=int(where["port"] or 22), user="", place="the address"
        )
        raise NotTrusted(why) from error
    finally:
        screen.clear()
    return known_hosts.KnownKey(names=(), type=key.get_name(), blob=key.asbytes())


def from_file(path: str) -> known_hosts.KnownKey:
    """The key in a file as sshd keeps it, ``TYPE KEY [COMMENT]``. Raises CannotAsk."""
    try:
        found = known_hosts.parse(f"* {Path(path).read_text().strip()}")
    except (OSError, ValueError) as error:
        raise CannotAsk(f"{path}: {error}") from error
    if found is None or not found.key:
        raise CannotAsk(f"{path}: not the public host key of a server")
    return found


def describe(key: known_hosts.KnownKey) -> str:
    return f"{key.type.removeprefix('ssh-')} {known_hosts.fingerprint(key.blob)}"


def decide(
    name: str,
    key: known_hosts.KnownKey,
    known: Sequence[known_hosts.KnownKey],
    *,
    fingerprint: str,
    in_place: bool,
) -> None:
    """Show the key; return once it is confirmed. Raises NotTrusted and CannotAsk."""
    print(f"{name} shows {describe(key)}")
    others = [one for one in known if one.blob != key.blob]
    for other in others:
        print(f"known until now {describe(other)} ({','.join(other.names)})")
    if any(not other.is_exact for other in others):
        raise NotTrusted("another key is known for it by a pattern: mend that line by hand first")
    if others and not in_place:
        raise NotTrusted(
            "another key is known for it. If it was set up anew, and its console says so: --replace"
        )
    if fingerprint:
        if fingerprint != known_hosts.fingerprint(key.blob):
            raise NotTrusted(f"that is not {fingerprint}: do not connect")
        return
    if not sys.stdin.isatty():
        raise CannotAsk("nobody is there to compare it: add --fingerprint SHA256:...")
    print("Compare it with the console of the server, then write yes:", end=" ", flush=True)
    if sys.stdin.readline().strip() != "yes":
        raise NotTrusted("not confirmed")


def remember(file: Path, name: str, key: known_hosts.KnownKey) -> None:
    """Add the key to a file, in place of other keys of ``name``; the file is wholly old or new. A
    link of the user's stays, and the file behind it keeps its mode."""
    file = file.resolve()
    mode = file.stat().st_mode & 0o777 if file.exists() else 0o644
    lines = file.read_text().splitlines() if file.exists() else []
    kept = []
    for line in lines:
        found = known_hosts.parse(line.strip())
        if found is None or found.marker or not found.matches(name):
            kept.append(line)
        elif rest := [one for one in found.names if not replace(found, names=(one,)).matches(name)]:
            kept.append(
                line.replace(",".join(found.names), ",".join(rest), 1)
            )  # for others as well
    entry = known_hosts.encode(name, key)
    descriptor, stage = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    with os.fdopen(descriptor, "w") as stream:
        stream.write("".join(f"{line}\n" for line in [*kept, entry]))
        os.fchmod(stream.fileno(), mode)
        os.fsync(stream.fileno())
    Path(stage).replace(file)


def trust(given: argparse.Namespace) -> str:
    """Carry out the command; returns a sentence. Raises NotTrusted, CannotAsk and InvalidInput."""
    try:
        address = parse(given.address)
    except ValueError as error:
        raise CannotAsk(
            f"{shown(given.address)!r}: {error}; not of the form HOST[:PORT]"
        ) from error
    server = connection.servers(address["host"], port=int(address["port"] or 0))[-1]
    if not given.key and not server.direct:
        raise CannotAsk(
            f"{server.name} is behind a jump host: copy its /etc/ssh/ssh_host_ed25519_key.pub here "
            "on a way that you trust, and name it with --key"
        )
    file = Path(given.file)
    entries = known_hosts.read(file)
    known = [
        entry for entry in entries if entry.key and not entry.marker and entry.matches(server.name)
    ]
    key = from_file(given.key) if given.key else offered(server.address)
    if hostkeys.is_revoked(entries, key.blob, [server.name]):
        raise NotTrusted(f"{file} says that this key is revoked: {describe(key)}; do not connect")
    if [one.blob for one in known] == [key.blob]:
        return f"{server.name} is trusted already: {describe(key)} ({file})"
    decide(server.name, key, known, fingerprint=given.fingerprint, in_place=given.replace)
    remember(file, server.name, key)
    return f"{server.name} is trusted: {describe(key)} ({file})"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit code."""
    assert __doc__ is not None
    parser = Arguments(
        prog="python -m tasks.trust",
        description=__doc__.partition("\n\n")[0],
        epilog=__doc__.partition("\n\n")[2].partition("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("address", metavar="HOST[:PORT]", help="as in the inventory, without user")
    parser.add_argument("--fingerprint", default="", help="as ssh-keygen -l prints it")
    parser.add_argument("--key", default="", metavar="FILE", help="public host key, from a file")
    parser.add_argument("--replace", action="store_true", help="in place of the key known so far")
    parser.add_argument("--file", default=str(connection.KNOWN_HOSTS), help="known_hosts to add to")
    given = parser.parse_args(arguments)
    output.cover()  # the server is not known yet, so its words must be made harmless
    try:
        print(trust(given))
    except NotTrusted as error:
        print(f"not trusted: {error}", file=sys.stderr)
        return int(Exit.FAILED)
    except (CannotAsk, InvalidInput, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return int(Exit.INVALID)
    return int(Exit.DONE)


if __name__ == "__main__":
    sys.exit(main())
