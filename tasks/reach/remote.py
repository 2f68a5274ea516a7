"""Run one of ``converge/remote/*.sh`` on a workspace: only this module makes remote commands.

A program is one argument of ``sh -c``; its data comes as further quoted arguments or on standard
input, and never in the program's text.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import gevent
from paramiko.ssh_exception import SSHException
from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.connectors.util import SUDO_PASSWORD_REQUIRED_LINES

from converge.text.reason import Reason, last_line, reason

#: What pyinfra and paramiko raise where a connection breaks or a time limit ends.
LOST = (TimeoutError, OSError, EOFError, SSHException)
GRACE_S = 60  # for the connection: paramiko waits for ever for the answer to a request
PROGRAMS = Path(__file__).parents[2] / "converge" / "remote"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a program printed. ``lost``: the connection broke or the time ran out, so it is not
    known what the program did."""

    ok: bool
    lines: tuple[str, ...]
    errors: tuple[str, ...] = ()
    lost: bool = False

    def of(self, word: str) -> tuple[str, ...]:
        """The rest of every line that begins with ``word``."""
        return tuple(
            line[len(word) + 1 :]
            for line in self.lines
            if line == word or line.startswith(f"{word} ")
        )

    def first(self, word: str) -> str:
        return next(iter(self.of(word)), "")

    @property
    def reason(self) -> Reason | None:
        """The reason of the tool that the program ran, in all its lines, or None."""
        return reason(self.errors) or (None if self.ok else reason(self.lines))

    @property
    def last_error(self) -> str:
        """One line: what failed in the program's words, and why in the words of its tool."""
        said, why = self.first("failed"), self.reason
        parts = [part for part in (said, why.first if why else "") if part]
        told = ": ".join(parts) or last_line(self.errors) or last_line(self.lines)
        return told or "it gave no reason"


_RECORD = ("record", "former")
#: Program -> the parts that it needs in addition to ``common.sh``.
PARTS = {
    "read": ("places",),
    "managed": ("places", "sources"),
    "build": ("difference",),
    "estimate": ("difference",),
    "take": ("own", "lock"),
    "write": ("own", "lock", "kdelock", "replace", "seal"),
    "transact": ("own", "replace", "seal", "stopped", "discard", *_RECORD, "profiles", "installer"),
    "remove": ("own", "replace", "seal", "stopped", "discard"),
    "rollback": ("seal",),
    "trial": (*_RECORD, "loader", "prove", "installer"),
}


@cache
def program(name: str) -> str:
    """The text of ``common.sh``, the parts of a program, and ``converge/remote/<name>.sh``."""
    return text(PROGRAMS / "common.sh") + without_common(name)


def without_common(name: str) -> str:
    return "".join(text(PROGRAMS / f"{part}.sh") for part in (*PARTS.get(name, ()), name))


def joined(*paths: Path) -> str:
    """The text of ``common.sh`` and of these parts of one program."""
    return "".join(text(path) for path in (PROGRAMS / "common.sh", *paths))


#: Blank lines above a comment or a function, which no text of several lines has.
_ABOVE = re.compile(r"(?m)^\n+(?=#|\w+\(\) )")
_SIGNATURE = re.compile(r"^((?:function )?(\w+)\(.*\) (?:[{(]|[{(].*[)}](?= # \2\b))) +#.*")
#: Indentation; a line of a text for a person has another number of blanks before it.
_INDENTED = re.compile(r"(?m)^(?: {4})+(?! )")


@cache
def text(path: Path) -> str:
    """The text of a shell program without what only costs transfer: comment lines, blank lines
    before them, comments on a function's arguments, three of four blanks of an indentation."""
    lines = _ABOVE.sub("", path.read_text(encoding="utf-8")).splitlines()
    kept_lines = (line for line in lines if not line.lstrip().startswith("#"))
    kept_text = "\n".join(_SIGNATURE.sub(r"\1", line) for line in kept_lines) + "\n"
    return _INDENTED.sub(lambda blanks: " " * (len(blanks[0]) // 4), kept_text)


def command(name: str, arguments: Sequence[str]) -> StringCommand:
    """The command that runs a program with its arguments, all quoted."""
    return sh(program(name), f"workspace-{name}", *arguments)


#: Runs a program from a file of the workspace or from a member of the payload, where its text is
#: what would be sent. The text is read once, so root runs nothing else, whoever can write the file.
_KEPT = """\
whole() { sum=$(printf %s "$text" | sha256sum) && [ "${sum%% *}" = "$1" ]; }
if [ -f "$1" ] && text=$(cat -- "$1" 2>/dev/null) && whole "$2"; then
    shift 2
    exec sh -c "$text" "$0" "$@"
fi
cat >/dev/null
echo lacking
"""
_CARRIED = """\
whole() { sum=$(printf %s "$text" | sha256sum) && [ "${sum%% *}" = "$1" ]; }
payload=$(cat)
text=$(
    PATH=$PATH:/run/current-system/sw/bin:/usr/bin:/bin
    printf '%s\\n' "$payload" | base64 -d | gzip -dc | tar -xOf - -- "$1"
) 2>/dev/null
if whole "$2"; then
    shift 2
    printf '%s\\n' "$payload" | sh -c "$text" "$0" "$@"
    exit
fi
echo lacking
"""


def kept(name: str, file: str, arguments: Sequence[str]) -> StringCommand:
    """The command that runs a program from the copy ``file``. It prints "lacking" where ``file`` is
    another text, or none."""
    return sh(_KEPT, f"workspace-{name}", file, _digest(name), *arguments)


def carried(name: str, arguments: Sequence[str]) -> StringCommand:
    """The same for a program that its own payload has as ``<name>.sh``."""
    return sh(*carried_words(name, arguments))


def carried_words(name: str, arguments: Sequence[str]) -> tuple[str, ...]:
    """The same, as the arguments of ``sh -c``."""
    return (_CARRIED, f"workspace-{name}", f"{name}.sh", _digest(name), *arguments)


def _digest(name: str) -> str:
    """The digest of a program as a shell reads it from a file: without the last line break."""
    return sha256(program(name).rstrip("\n").encode()).hexdigest()


#: The line between what was written as the user and what was written as root.
_ROOTS_PART = "workspace-root"
#: Writes as the user and, where this is done, as root. After root's part the exit code is always 0:
#: after another one pyinfra would ask for a password of sudo.
_BOTH = f"""\
write=$1 run=$2 work=$3 lock=$4 controller=$5 root_work=$6 begin=$7
shift 7
payload=$(cat)
part() {{ printf '%s\\n' "$payload" | "$@"; }}
part sh -c "$write" "$0" "$run" "$work" "$lock" "$controller" keep user || exit
echo {_ROOTS_PART}
set -- "$@" sh -c "$write" "$0" "$run" "$root_work" '' "$controller" keep root
if [ -n "$begin" ]; then set -- sudo -H -n sh -c "$begin" sh "$@"; fi
part "$@" || :
"""


def write_both(
    host: Any,
    run: str,
    *,
    user: str,
    root: str,
    lock: str,
    controller: str,
    stdin: str,
    sudo: bool,
) -> tuple[Answer, Answer | None]:
    """``write.sh`` for the user and then for root in one command: two answers; None where root's
    part was not begun. ``user`` and ``root``: the directories of their records. Root begins as with
    ``sudo=True`` of ``send``."""
    environment = host.data.get("_env") or {} if sudo else {}
    names = _named(environment)
    words = (program("write"), run, user, lock, controller, root, _ROOTS if sudo else "")
    answer = send(host, sh(_BOTH, "workspace-write", *words, *names), stdin=stdin)
    if _ROOTS_PART not in answer.lines:
        return answer, None
    at = answer.lines.index(_ROOTS_PART)
    lines = answer.lines[at + 1 :]
    errors = answer.errors
    if any(line.strip() in SUDO_PASSWORD_REQUIRED_LINES for line in errors):
        errors = ("sudo asks for a password; see docs/ssh.md, nothing was run as root",)
    return (
        Answer(ok=True, lines=answer.lines[:at]),
        Answer(ok=answer.ok, lines=lines, errors=errors, lost=not lines and not errors),
    )


#: The first program that sudo starts, in builtins of sh: root's part gets nothing of the user's
#: environment, whatever sudo is configured to keep, and runs no program from a user's directory.
_ROOTS = (
    "cd / && PATH=/run/current-system/sw/bin:/usr/bin:/bin && export PATH && exec env -i "
    'PATH="$PATH" HOME=/root SUDO_UID="$SUDO_UID" SUDO_GID="$SUDO_GID" SUDO_USER="$SUDO_USER" "$@"'
)


def as_root(given: StringCommand, environment: Mapping[str, str]) -> StringCommand:
    """The command with these variables and no others. ``environment`` is the inventory's."""
    return StringCommand(sh(_ROOTS, "sh", *_named(environment)), given)


def _named(environment: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in environment.items()]


def sh(*arguments: str) -> StringCommand:
    return StringCommand("sh", "-c", *(QuoteString(text) for text in arguments))


def for_login(given: StringCommand) -> StringCommand:
    """The command for each login shell that takes it: fish too."""
    bits = (
        for_login(bit)
        if isinstance(bit, StringCommand)
        else quoted(str(bit.obj))
        if isinstance(bit, QuoteString)
        else bit
        for bit in given.bits
    )
    return StringCommand(*bits, _separator=given.separator)


_SPECIAL = re.compile(r"'|\\\\+|\\(?='|\Z)")


@lru_cache(maxsize=64)  # the programs are the same for all workspaces of a fleet
def quoted(text: str) -> str:
    """One word for them: between single quotes fish reads two backslashes, or one before a quote,
    as an escape; between double quotes all read the same."""
    return f"'{_SPECIAL.sub(_apart, text)}'"


def _apart(found: re.Match[str]) -> str:
    return "'\"" + found[0].replace("\\", "\\\\") + "\"'"


def alike(given: StringCommand, environment: Mapping[str, str]) -> StringCommand:
    """A command of ``sh`` with these variables too, which begins for all workspaces with the same
    bytes: ``packing`` packs them once. So the variables, which pyinfra would put first, come last,
    and blanks fill up the length, which SSH sends before the text."""
    if environment:
        named = map(QuoteString, _named(environment))
        given = StringCommand(sh(_LAST, "sh", str(len(given.bits))), given, *named)
    blanks = " " * (-len(given.get_raw_value()) % _LENGTHS)
    return StringCommand(given, blanks, _separator="")


_LENGTHS = 1024  # bytes between two lengths that a command may have
#: Runs so many words with the variables behind them. It evaluates the numbers of the words alone.
_LAST = """\
n=$1 first= last= i=0 && shift
for word do i=$((i + 1)) at=" \\"\\${$i}\\""
if [ "$i" -gt "$n" ]; then first=$first$at; else last=$last$at; fi
done; eval "exec env $first $last"
"""


@contextlib.contextmanager
def limited(seconds: int | None) -> Iterator[None]:
    """Raise TimeoutError ``GRACE_S`` after a remote command should have ended by itself."""
    with gevent.Timeout(seconds and seconds + GRACE_S, TimeoutError):
        yield


def run(
    host: Any,
    name: str,
    arguments: Sequence[str],
    *,
    copy: str = "",
    packed: bool = False,
    stdin: str = "",
    sudo: bool = False,
    show: bool = False,
    timeout: int | None = None,
) -> Answer:
    """Run a program of ``converge/remote`` on ``host``, as ``send`` does. ``copy``: a file there
    that may have the program; ``packed``: the payload has it. It is sent where neither is so."""
    options: dict[str, Any] = {"stdin": stdin, "sudo": sudo, "show": show, "timeout": timeout}
    if copy or packed:
        short = kept(name, copy, arguments) if copy else carried(name, arguments)
        answer = send(host, short, **options)
        if not answer.of("lacking"):
            return answer
    return send(host, command(name, arguments), **options)


def send(
    host: Any,
    given: StringCommand,
    *,
    stdin: str = "",
    sudo: bool = False,
    show: bool = False,
    timeout: int | None = None,
) -> Answer:
    """Run a command on ``host``. ``show``: print its errors as they come; ``timeout``: seconds.

    Never raises for a failure on the workspace or of the connection."""
    limit: int | None = timeout or host.data.get("_timeout")
    options: dict[str, Any] = {"_timeout": limit}
    environment = host.data.get("_env") or {}
    if sudo:
        given, options["_sudo"] = as_root(given, environment), True
    else:
        given = alike(given, environment)
    # The quotes that the login shell reads are ours and not pyinfra's.
    given, options["_shell_executable"] = for_login(given), None
    if stdin:
        options["_stdin"] = stdin
    try:
        with limited(limit):
            ok, output = host.run_shell_command(
                given, print_output=show, print_input=False, **options
            )
    except PermissionError as error:  # sudo asked for a password, so nothing was run
        return Answer(ok=False, lines=(), errors=(str(error),))
    except LOST as error:
        reason = str(error) or type(error).__name__
        return Answer(ok=False, lines=(), errors=(reason,), lost=True)
    prepare = getattr(_transport(host), "prepare", None)
    if prepare:  # the channel of the next command, if there is one
        prepare()
    lines = tuple(output.stdout_lines)
    return Answer(
        ok=bool(ok),
        lines=lines,
        errors=tuple(output.stderr_lines),
        lost=not ok and not lines and not output.stderr_lines,
    )


def connected(host: Any) -> bool:
    """Whether the connection is still open, as far as this side knows; true for this machine."""
    if getattr(host.connector, "client", None) is None:
        return True
    transport = _transport(host)
    return bool(transport and transport.is_active())


def asked(host: Any) -> Any:
    """The event of the first command that was sent over SSH; None for this machine."""
    return getattr(_transport(host), "asked", None)


def _transport(host: Any) -> Any:
    """The transport of an open connection; None for this machine."""
    client = getattr(getattr(host, "connector", None), "client", None)
    return client.get_transport() if client else None


def reconnect(host: Any, *, patience_s: int = 60) -> bool:
    """Close the connection and open it again, trying for ``patience_s`` seconds with pauses of up
    to 8 s. Returns whether it is open."""
    client = getattr(host.connector, "client", None)
    if client is None:
        return True  # this machine
    deadline, pause = time.monotonic() + patience_s, 1.0
    while time.monotonic() < deadline:
        with contextlib.suppress(Exception):
            client.close()
        host.connected = False
        try:
            # pyinfra's host would tell each try that fails as a host that was never reached.
            host.connector.connect()
            host.connected = True
            return True
        except Exception:
            gevent.sleep(pause)
            pause = min(8.0, pause * 2)
    return False
