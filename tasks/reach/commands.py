"""The commands that read a workspace and that ask it the questions of checks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pyinfra.api.command import StringCommand

from tasks.reach import remote

#: The programs of a reading.
READ = ("managed", "detect", "flakes", "read")
#: The programs are functions of one shell, which begins once: common.sh starts programs too. Two
#: halves at a time; a half that fails leaves the answer without its end.
_SNAPSHOT = """\
root=$1 system=$2 system_with=$3 home=$4 home_with=$5
shift 5
echo workspace-begin
{
    workspace_places "$root"
    workspace_managed "$root" "$@" | workspace_read "$root" "$@"
} </dev/null | {
    workspace_detect "$root" </dev/null &&
        workspace_flakes system "$system" "$system_with" home "$home" "$home_with" </dev/null &&
        cat
}
"""


def read_command(root: str, arguments: Sequence[str]) -> StringCommand:
    """The command that reads a workspace: its machine, its flakes and its managed files.
    ``arguments``: ``Choices.flakes``, then the arguments of ``read.sh``."""
    programs = _programs("places", *READ)
    whole = remote.text(remote.PROGRAMS / "common.sh") + programs + _SNAPSHOT
    return remote.sh(whole, "workspace-snapshot", root, *arguments)


#: What is left of it once a change is in force: neither the machine nor the user's flakes are asked
#: again.
_AGAIN = """\
root=$1
shift
echo workspace-begin
workspace_places "$root"
workspace_managed "$root" "$@" | workspace_read "$root" "$@"
"""
#: A program, and where it succeeds remote/check.sh, whose probes begin with the text of common.sh
#: too. The first argument of the program is the number of those that are its own.
_ASK = """\
common=$1 first=$2 check=$3
shift 3
sh -c "$common$first" "$0" "$@" </dev/null || exit
shift "$((1 + $1))"
root=$1 cap=$2 may_sudo=$3 probes=$4
shift 4
if [ "$probes" = - ]; then probes=$(cat); fi
sh -c "$common$check" workspace-check "$root" "$cap" "$may_sudo" "$common$probes" "$@" || :
"""
#: The reading as such a program.
_OWN = """\
own=$1
shift
with_first "$own" workspace_again "$@"
"""


def look_command(root: str, arguments: Sequence[str], questions: Sequence[str]) -> StringCommand:
    """The command that reads the managed files of a workspace and its records, and asks
    ``check.sh`` these questions, if the workspace could be read. ``arguments``: those of
    ``read.sh``. The probes have no common text."""
    return remote.sh(*_look(root, arguments, questions))


def take_command(arguments: Sequence[str], questions: Sequence[str]) -> StringCommand:
    """``take.sh``, and behind its answer that of ``check.sh`` to these questions, if the lock was
    taken. The probes have no common text."""
    take = f"shift\n{remote.without_common('take')}"
    return remote.sh(*_ask("take", take, arguments, questions))


#: Begins a transaction and, where its change is in force within the time that it waits, looks.
_BEGIN = """\
begun=$(sh -c "$1" "$2" "$3" "$4" "$5" "$6" "$7")
code=$?
printf '%s\\n' "$begun"
case "
$begun" in *"
status activated "*) ;; *) exit "$code" ;; esac
shift 7
exec sh -c "$@" </dev/null
"""


def begin_command(
    place: str, wait_s: int, root: str, arguments: Sequence[str], questions: Sequence[str]
) -> StringCommand:
    """``transact.sh start`` from its payload and, once the change is in force, ``look_command``.
    ``place``: the transaction's directory."""
    begin = remote.carried_words("transact", ["start", place, str(wait_s)])
    return remote.sh(_BEGIN, "workspace-begin", *begin, *_look(root, arguments, questions))


def _look(root: str, arguments: Sequence[str], questions: Sequence[str]) -> Sequence[str]:
    programs = _programs("places", "managed", "read")
    read = f"{programs}workspace_again() {{\n{_AGAIN}}}\n{_OWN}"
    return _ask("again", read, (root, *arguments), questions)


def _ask(name: str, first: str, own: Sequence[str], questions: Sequence[str]) -> Sequence[str]:
    common, check = remote.text(remote.PROGRAMS / "common.sh"), remote.without_common("check")
    words = (common, first, check, str(len(own)), *own, *questions)
    return (_ASK, f"workspace-{name}", *words)


#: How long the text of probes may be as an argument. A longer one would push the common text out of
#: the 32 kB in which a connection finds what it has sent before.
_ROOM = 12_000


def asking(
    questions: Sequence[str], probes: Sequence[Path], *, common: bool = False
) -> tuple[Sequence[str], str]:
    """The arguments of ``check.sh`` and its standard input. ``questions``: the arguments without
    the probes; ``common``: the probes need the common text too.

    The probes are an argument where there is room: what a program reads is sent a round trip
    later, once the server has said that the program runs."""
    own = "".join(map(remote.text, probes))
    whole = remote.joined(*probes) if common else own
    if len(own) > _ROOM:
        return questions, whole
    return (*questions[:3], whole, *questions[4:]), ""


def _programs(*names: str) -> str:
    """The programs as functions, ``workspace_NAME``."""
    return "".join(f"workspace_{name}() {{\n{remote.without_common(name)}}}\n" for name in names)
