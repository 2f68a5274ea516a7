"""Nix's own tools on the controller, and the stores of other machines that they reach over SSH.

The controller begins every connection, by ``nix copy`` or ``nix-store``, and the ``nix-daemon`` of
the other machine answers. A word of a machine reaches a command only as a checked store path
(``store_path``), or as the place of a program that runs on that machine itself. ssh is OpenSSH's,
with the known host keys and the identity of the run.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import tempfile
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gevent import subprocess
from pyinfra.api.output import echo

from converge.problem import InvalidInput
from converge.report.terminal import plain
from tasks.reach import connection, hostkeys
from tasks.reach.remote import LOST, Answer, limited

STORE = "/nix/store"
KEPT = 400  # last lines of what a program says
LONGEST = 4096  # bytes of one line: a program that is built may print anything
PATIENCE_S = 30  # for a connection
_PATH = re.compile(r"[0-9abcdfghijklmnpqrsvwxyz]{32}-[0-9A-Za-z+._?=-]{1,211}")
_PROGRAM = re.compile(r"(/[A-Za-z0-9._+-]+)+")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9._-]*")
_FEATURES = ("--extra-experimental-features", "nix-command flakes")


class Refused(Exception):
    """A word of a machine, or of its connection data, must not go into a command."""


@dataclass(frozen=True, kw_only=True)
class Store:
    """The store of a machine. ``url``: its name for Nix on the controller; empty for a workspace on
    the controller itself, whose store ``environment`` names."""

    url: str
    environment: Mapping[str, str]


def store_path(text: str, store: str = STORE, *, derivation: bool = False) -> str:
    """``text``, checked to be a path directly below ``store`` in the letters of Nix.

    Raises ``Refused`` for any other text, since machines are not trusted."""
    directory, _, name = text.rpartition("/")
    if directory != store or not _PATH.fullmatch(name) or name.endswith(".drv") is not derivation:
        kind = "derivation" if derivation else "store path"
        raise Refused(f"{plain(text)[:100]!r} is no {kind} of {store}")
    return text


def store_directory(host: Any) -> str:
    """The store directory of a machine: /nix/store, or that of a sandbox."""
    return str((host.data.get("_env") or {}).get("NIX_STORE_DIR", STORE))


def missing() -> str:
    """Why the controller cannot drive a build elsewhere, or the empty string."""
    for program in ("nix", "nix-store", "ssh"):
        if shutil.which(program) is None:
            return f"{program} is not installed on this machine, which drives builds elsewhere"
    return ""


@contextlib.contextmanager
def reached(*machines: tuple[Any, str]) -> Iterator[tuple[Store, ...]]:
    """The stores of machines, each given as pyinfra's host and the path of its ``nix-daemon``.

    A context manager: the configuration of ssh exists until the block ends. Raises ``Refused``."""
    with tempfile.TemporaryDirectory(prefix="workspace-tuning-") as directory:
        config = Path(directory) / "ssh_config"
        stores: list[Store] = []
        blocks: list[str] = []
        for host, daemon in machines:
            environment = {k: str(v) for k, v in (host.data.get("_env") or {}).items()}
            data = getattr(host.connector, "data", None) or {}
            if "ssh_hostname" not in data:
                stores.append(Store(url="", environment=environment))
                continue
            name, block = _block(host, data, taken={one.split()[1] for one in blocks})
            blocks.append(block)
            url = _url(name, daemon, str(data.get("ssh_user") or ""), environment)
            own = {"NIX_SSHOPTS": f"-F {config}"}
            if "NIX_STORE_DIR" in environment:  # a sandbox, whose paths are below its own store
                own["NIX_STORE_DIR"] = environment["NIX_STORE_DIR"]
            stores.append(Store(url=url, environment=own))
        file = next((d for host, _ in machines if (d := host.data.get("ssh_config_file"))), "")
        revoked = Path(directory) / "revoked"
        revoked.write_text(_revoked())
        config.write_text("".join(blocks) + _rest(str(file or "~/.ssh/config"), revoked))
        yield tuple(stores)


def _url(name: str, daemon: str, user: str, environment: Mapping[str, str]) -> str:
    if not _PROGRAM.fullmatch(daemon):
        raise Refused(f"{plain(daemon)[:100]!r} is no place of nix-daemon")
    program = shlex.join(["env", *(f"{k}={v}" for k, v in environment.items()), daemon])
    query = quote(program if environment else daemon, safe="/")
    return f"ssh-ng://{user + '@' if user else ''}{name}?remote-program={query}"


def _block(host: Any, data: Mapping[str, Any], *, taken: Collection[str]) -> tuple[str, str]:
    """The name by which ssh reaches a machine, and the block of its configuration, as in the run.
    ``taken``: names of other machines."""
    address, user = str(data["ssh_hostname"] or host.name), str(data.get("ssh_user") or "")
    if data.get("ssh_password"):
        raise Refused("Nix reaches it by key only: put one there, and leave ssh_password out")
    if not _HOST.fullmatch(address) or (user and not _USER.fullmatch(user)):
        raise Refused(f"{plain(address)!r} is no host name that Nix takes")
    # For the host "localhost" Nix would run the program here instead of over ssh.
    name = address
    while name in taken or name.casefold() == "localhost":
        name = f"workspace-tuning-{len(taken)}-{name}"
    lines = [f"Host {name}", *([f"HostName {address}"] if name != address else [])]
    if data.get("ssh_port"):
        lines.append(f"Port {int(data['ssh_port'])}")
    if data.get("ssh_key"):
        lines.append(f"IdentityFile {_quoted(str(data['ssh_key']))}")
    if data.get("ssh_known_hosts_file"):
        lines.append(f"UserKnownHostsFile {_quoted(str(data['ssh_known_hosts_file']))}")
    if data.get("ssh_look_for_keys") is False:
        lines.append("IdentitiesOnly yes")
    if data.get("ssh_allow_agent") is False:
        lines.append("IdentityAgent none")
    return name, "\n".join(lines) + "\n"


def _revoked() -> str:
    """The revoked keys of a run as one file, so that ssh refuses them too. Raises ``Refused``."""
    try:
        return hostkeys.revocations((*connection.REVOKING, *hostkeys.USER))
    except InvalidInput as error:
        raise Refused(str(error)) from error


def _rest(own: str, revoked: Path) -> str:
    """The configuration of ssh for every machine on the way. In ssh the first value counts, so the
    user's own file, included last, adds only the rest: jump hosts and further names."""
    known = " ".join(_quoted(str(path)) for path in (revoked, *hostkeys.GLOBAL))
    lines = (
        *("Host *", "StrictHostKeyChecking yes", "UpdateHostKeys no", "BatchMode yes"),
        *("PermitLocalCommand no", "ForwardAgent no", "ForwardX11 no", "ClearAllForwardings yes"),
        *("ControlMaster no", "ControlPath none", "LogLevel ERROR"),
        # Certificates are not accepted, as in the run itself.
        *(f"GlobalKnownHostsFile {known}", "HostKeyAlgorithms -*-cert-v01@openssh.com"),
        f"ConnectTimeout {PATIENCE_S}",
        *("ServerAliveInterval 10", "ServerAliveCountMax 6"),
        *("Match all", f"Include {_quoted(own)}", "Include /etc/ssh/ssh_config"),
    )
    return "\n".join(lines) + "\n"


def _quoted(path: str) -> str:
    if any(char in path for char in '"\\\n\r\0'):
        raise Refused(f"{plain(path)!r}: no file name for a configuration of ssh")
    return f'"{path}"'


def copy(
    path: str, *, source: Store | None, to: Store | None, derivation: bool, limit: int
) -> Answer:
    """Copy a store path and all that it needs, where the other side lacks them. None as a store:
    this machine. ``limit``: seconds.

    A derivation is addressed by its content, so every store accepts it. A result is not: the
    receiving store decides whether its user may add a result without a signature."""
    words = ["copy", "--derivation"]
    if not derivation:
        words = ["copy", "--substitute-on-destination", "--no-check-sigs"]
    for option, store in (("--from", source), ("--to", to)):
        if store and store.url:
            words += [option, store.url]
    return run(["nix", *_FEATURES, *words, "--", path], (source, to), limit=limit)


def realise(
    derivation: str,
    *,
    at: Store | None,
    jobs: str,
    cores: str,
    root: Path | None,
    limit: int,
    host: str = "",
) -> Answer:
    """Build a derivation, here or in the store ``at``. ``root``: path of a link that protects the
    result from garbage collection. ``limit``: seconds; ``host``: as of ``run``."""
    words = ["nix-store", "--realise"]
    for option, value in (("--max-jobs", jobs), ("--cores", cores)):
        if value != "-":
            words += [option, value]
    if at and at.url:
        words += ["--store", at.url]
    elif root:
        words += ["--add-root", str(root)]
    return run([*words, "--", derivation], (at,), limit=limit, host=host)


def unconfined(store: Store | None = None) -> bool:
    """Whether Nix builds without its sandbox, so that builds have the rights of the user."""
    words = ("config", "show"), ("show-config",)
    for word in words:
        answer = run(["nix", *_FEATURES, *word], (store,), limit=60)
        if answer.ok:
            return any(line.replace(" ", "") == "sandbox=false" for line in answer.lines)
    return False


def run(
    command: Sequence[str], stores: Sequence[Store | None] = (), *, limit: int, host: str = ""
) -> Answer:
    """Run a program of Nix on the controller. ``limit``: seconds; ``host``: pyinfra's name of the
    host that waits for it, where its messages are told as they come. Never raises for a
    failure of the program or the connection."""
    environment = dict(os.environ)
    for store in stores:
        environment |= store.environment if store else {}
    said: deque[str] = deque(maxlen=KEPT)
    try:
        with limited(limit), _process(command, environment) as process:
            while line := process.stderr.readline(LONGEST):
                text = line.decode(errors="replace").rstrip("\n")
                said.append(text)
                if host:
                    echo(f"[{host}] {text}")
            output = process.stdout.read(1 << 20).decode(errors="replace")
            code = process.wait()
    except LOST as error:
        return Answer(ok=False, lines=(), errors=(*said, str(error) or type(error).__name__))
    return Answer(ok=code == 0, lines=tuple(output.splitlines()), errors=tuple(said))


@contextlib.contextmanager
def _process(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Any]:
    process = subprocess.Popen(
        list(command),
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, 15)
        process.wait()
        for stream in (process.stdout, process.stderr):
            stream.close()
