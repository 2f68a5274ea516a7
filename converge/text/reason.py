"""Why a tool failed, in its own words: the reason that Nix, git, chezmoi and others print.

In: the lines that a program printed. Out: a ``Reason``, whose first line alone says what is wrong
and where. Nix prints the reason in three forms:

- up to 2.13: ``error: what``, and below it ``at file:line:column:`` with an excerpt;
- from 2.14 on, where it prints a trace: ``error:`` alone, the trace, and at its end an indented
  ``error: what``, which is the reason;
- for a failed build: the error of that build, then one error for everything that needed it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: How a tool begins the line that says what is wrong.
_BEGINS = re.compile(
    r"(?:error|fatal|chezmoi|nix(?:-[a-z-]+)?|git|ssh|sudo|tar)(?: \(.*?\))?:(?: |$)"
)
#: Lines that begin as an error and tell of something that ended nothing.
_IGNORED = re.compile(
    r"error \(ignored\)|[a-z-]+: warning: |sudo: (?:unable to resolve host|setrlimit\()"
    r"|tar: (?:Removing leading|Ignoring unknown|.* time stamp .* in the future)"
)
#: With these words git ends after ssh or a server has said why, in a line before.
_AFTER = re.compile(r"fatal: (?:Could not read from remote repository|[Tt]he remote end hung up)")
#: A line of a builder's log in Nix's error, and the words of the one that tells most.
_LOG = re.compile(r"> (.*\S)")
_CAUSE = re.compile(r"\b(?:error|fatal|FAILED)\b.*:|: (?:command )?not found|No space left", re.I)
_LOG_NOTE = re.compile(r"> note: ")
_ERROR = re.compile(r"\s*error:\s*")
_PLACE = re.compile(r"\s*(?:… )?at (\S.*?:\d+:\d+):?\s*$")
_EXCERPT = re.compile(r"\s*(?:\d+\s*)?\|")
_NOISE = re.compile(r"\s*\((?:use '--show-trace'|stack trace truncated|\d+ duplicate frames)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
#: Kinds of failure to read from a place, by the words of curl, git, ssh and Nix. A refusal comes
#: first: of a private repository that it does not show, git also says that it may not exist.
_TROUBLES = (
    (
        "refused",
        r"HTTP error (?:401|403|407|429)|error: (?:401|403|407|429)|permission denied"
        r"|authentication failed|could not read (?:username|password)|access denied"
        r"|host key verification failed|rate limit|dubious ownership|not owned by",
    ),
    (
        "unreachable",
        r"resolve host|name resolution|name or service not known|failed to connect"
        r"|couldn'?t connect"
        r"|could not connect|connection (?:refused|reset|timed out|closed)|network is unreachable"
        r"|no route to host|timed out|timeout was reached|internet access|SSL|certificate"
        r"|HTTP error 5\d\d|unexpectedly disconnected|recv failure|remote end hung up",
    ),
    (
        "absent",
        # GitHub answers 422 for a branch or a revision that it does not have.
        r"does not exist|no such file|cannot find (?:flake|git revision)|HTTP error (?:404|410|422)"
        r"|repository .*not found|not appear to be a git repository|not a git repository"
        r"|couldn'?t find remote ref|does not contain a .*flake\.nix|is not a (?:flake|valid URL)"
        r"|unknown revision|bad revision|not a tree object|not a directory",
    ),
)
#: What a system or git says of a place that cannot be used, and what a person does about it.
_PLACES = (
    (r"No space left on device|disk is full", "make room there"),
    (r"Disk quota exceeded", "make room within the quota"),
    (r"Read-only file system", "make that file system writable"),
    (r"\.lock': File exists", "end the other git, or remove that file where none runs"),
    (
        r"dubious ownership|not owned by",
        "let it belong to this user, or add it to git's safe.directory",
    ),
    (r"Permission denied \(", "let a key of this user log in there"),
    (r"Permission denied", "let this user write there"),
    (r"Operation not permitted", "look at the attributes there (lsattr)"),
)
_LIMIT = 60  # lines of one reason
#: What is looked at: characters of a line, and the last lines. Some of the expressions take the
#: square of a line's length.
_WIDEST, _MOST = 4000, 4000
_HEADINGS = 3  # a first line that ends with ":" is joined with the lines that it announces


@dataclass(frozen=True)
class Reason:
    """``first`` is a summary in one line; ``lines`` are all lines, with the place in a file."""

    first: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def reason(printed: Iterable[str]) -> Reason | None:
    """The reason among the lines that a program printed; None where no line begins as an error."""
    lines = [_COLOUR.sub("", line[:_WIDEST]).rstrip() for line in deque(printed, _MOST)]
    lines = [line for line in lines if not _IGNORED.match(line)]
    begin = next((n for n, line in enumerate(lines) if _BEGINS.match(line)), None)
    if begin is None:
        return None
    if lines[begin].startswith("error:"):
        found, place = _of_nix(_block(lines, begin))
    else:
        found, place = [line.strip() for line in lines[begin:] if line.strip()], ""
    found = found[:_LIMIT]
    if not found:
        return None
    head = found[0]
    for more in found[1:_HEADINGS]:
        if not (head.endswith(":") or more.startswith("Reason: ")):
            break
        head = f"{head} {more.removeprefix('- ')}"
    if head.startswith("hash mismatch") and (got := _got(found)):
        head = f"{head}, {got}"
    if log := _log(found):
        head = f"{head.rstrip('.;')}: {log}"
    if _AFTER.match(head) and (said := next(filter(trouble, reversed(lines[:begin])), "")):
        head = f"{said.strip().rstrip('.')}; {head}"
        found.insert(0, said.strip())
    if place:
        head += f" (at {place})"
        found.append(f"at {place}")
    return Reason(head, tuple(found))


def reason_of(errors: str) -> str:
    """Why a program failed, in one line: its reason, else its last line, else the empty string."""
    said = [_COLOUR.sub("", line) for line in errors.splitlines()]
    given = reason(said)
    return given.first if given else last_line(said)


def trouble(said: str) -> str:
    """Why a place could not be read, from the words of a program: ``refused``, ``unreachable`` or
    ``absent``; the empty string for any other reason."""
    # Warnings tell of retries and of deprecated things: they are not the reason.
    last = (line[:_WIDEST] for line in said.splitlines()[-_MOST:])
    lines = (line for line in last if not line.startswith("warning:"))
    text = "\n".join(line for line in lines if not _IGNORED.match(line))
    return next((kind for kind, how in _TROUBLES if re.search(how, text, re.IGNORECASE)), "")


def last_line(printed: Sequence[str]) -> str:
    """The last line that is not blank; the empty string where all are."""
    return next((line.strip() for line in reversed(printed) if line.strip()), "")


def spoken(text: str) -> str:
    """A reason of several parts (``a; b``) without the empty parts that a cut record leaves. Where
    no part is left, the text says so."""
    parts = [part.strip() for part in text.split("; ")]
    return "; ".join(part for part in parts if part.strip(" ;:.")) or "the reason is not recorded"


def with_remedy(why: str, safe: str) -> str:
    """``why`` with what is ``safe`` and what to do, where it is a place that cannot be used."""
    do = next((do for said, do in _PLACES if re.search(said, why, re.IGNORECASE)), "")
    return f"{why}; {safe}; {do}, then run it again" if do else why


def _block(lines: Sequence[str], begin: int) -> list[str]:
    """One error with the indented lines below it, without noise."""
    end = begin + 1
    while end < len(lines) and (not lines[end] or lines[end][0] in " \t"):
        end += 1
    return [line for line in lines[begin:end] if not _NOISE.match(line)]


def _got(found: Sequence[str]) -> str:
    """The hash that was found, of a ``hash mismatch``: a person copies it."""
    return next((" ".join(line.split()) for line in found if line.startswith("got:")), "")


def _log(found: Sequence[str]) -> str:
    """The line of a builder's log that says why it failed, else the last one, else ""."""
    logged = [
        match[1] for line in found if not _LOG_NOTE.match(line) and (match := _LOG.match(line))
    ]
    return next(filter(_CAUSE.search, logged), logged[-1] if logged else "")


def _of_nix(block: list[str]) -> tuple[list[str], str]:
    """The lines of an error's message, and the place ``file:line:column`` that it names, if any."""
    # A line of a message may begin with "error:" too, so the first one ends the trace.
    bare = not _ERROR.sub("", block[0], count=1)
    inner = bare and next((n for n, line in enumerate(block) if n and _ERROR.match(line)), 0)
    start = inner or 0
    message: list[str] = []
    place, excerpt = "", False
    for line in [_ERROR.sub("", block[start], count=1), *block[start + 1 :]]:
        if at := _PLACE.match(line):
            place, excerpt = place or at[1], True
        elif (excerpt and _EXCERPT.match(line)) or not line.strip():
            continue
        elif line.strip().startswith("… "):  # a trace begins: the message has ended
            break
        else:
            message.append(line.strip())
    if not place and inner and ".nix" not in "".join(message):  # the nearest frame of the trace
        places = [at[1] for line in block[:start] if (at := _PLACE.match(line))]
        place = places[-1] if places else ""
    return message, place
