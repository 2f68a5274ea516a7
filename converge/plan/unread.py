"""Why a workspace could not be read. In: what it printed. Out: a reason, and what to do.

The command prints ``BEGIN`` first and ``END`` last. What the login prints before or after them is
passed over; a missing mark tells how far the command came.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

BEGIN, END = "workspace-begin", "end"
QUOTED = 160  # characters of what the workspace said that are shown
#: Words that are printed before the command begins, with their likely cause and what to do.
_BEFORE = (
    (
        r"not available|nologin|account (?:is|has)",
        "the account there refuses logins (its shell is nologin or the like)",
        "give the user a shell: sudo usermod -s /bin/sh USER",
    ),
    (
        r"Unmatched ['\"`]|Event not found|Badly placed|Illegal variable name",
        "the login shell there is a csh, which cannot take this command",
        "give the user another shell: chsh -s /bin/sh",
    ),
    (
        r"[Uu]nterminated|unexpected EOF|[Ss]yntax error",
        "the command did not arrive whole",
        "nothing was run; try again",
    ),
    (
        r"\bsh: (?:command )?not found|sh: No such file",
        "there is no sh in the PATH of a login without a terminal",
        "see what ssh HOST env says, and mend PATH there",
    ),
)
_BETWEEN = (
    (
        r"tar: (?:unrecognized|invalid|unknown) option|BusyBox",
        "tar there is not GNU tar (BusyBox has another one)",
        "install GNU tar and coreutils on the workspace",
    ),
    (
        r"No space left on device",
        "its disk is full",
        "make room on the workspace",
    ),
    (r"not found", "a program is missing there", "install it on the workspace"),
)


def framed(lines: Sequence[str]) -> list[str] | None:
    """The lines of the command itself, with ``END``; None where it did not come to its end."""
    if BEGIN not in lines or END not in lines:
        return None
    start = lines.index(BEGIN) + 1
    last = len(lines) - 1 - lines[::-1].index(END)
    return list(lines[start : last + 1]) if start <= last else None


def why(lines: Sequence[str], errors: Iterable[str], *, lost: bool = False) -> str:
    """A sentence: the likely cause, the last words of the workspace, and what to do. ``lost``: the
    connection broke or the time ran out."""
    complaints = [line.strip() for line in errors if line.strip()]
    said = [*complaints, *(line.strip() for line in lines if line.strip())]
    if lost:
        what, do = "the connection broke or the time ran out", "nothing was written; try again"
    elif BEGIN in lines:
        what, do = _known(complaints, _BETWEEN) or (
            "the answer ends before its end",
            "nothing was written; try again, with -vvv where it happens again",
        )
        said = complaints
    else:
        what, do = _known(said, _BEFORE) or _silence(said)
    text = next((f": {line[:QUOTED]!r}" for line in reversed(said)), "")
    return f"the workspace could not be read: {what}{text}; to do: {do}"


def lacks(errors: Iterable[str]) -> bool:
    """Whether the workspace lacks something without which its answer is not whole."""
    return _known(list(errors), _BETWEEN) is not None


def _known(said: Sequence[str], table: Iterable[tuple[str, str, str]]) -> tuple[str, str] | None:
    text = "\n".join(said)
    return next(((what, do) for form, what, do in table if re.search(form, text)), None)


def _silence(said: Sequence[str]) -> tuple[str, str]:
    if not said:
        return (
            "the login ended without a word before the command began, as an exit or exec in "
            "~/.bashrc does",
            "put it behind a test for a terminal: case $- in *i*) ... ;; esac",
        )
    return (
        "something else answered in place of the command: a ForceCommand of sshd, a command= in "
        "authorized_keys, or an exec in ~/.bashrc",
        "let this user run commands over SSH",
    )
