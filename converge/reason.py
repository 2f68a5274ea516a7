"""Why a tool failed, in its own words: the reason that Nix, git, chezmoi and others print.

In: the lines that a program printed. Out: a ``Reason``: its first line, which alone says what is
wrong and where, and all of its lines. Nix prints the reason in three forms:

- up to 2.13: ``error: what`` with ``at file:line:column:`` and an excerpt below it;
- from 2.14 on, where there is a trace: ``error:`` alone, the trace, and an indented ``error: what``
  at its end, which is the reason;
- a failed build, followed by one more error for everything that needed the result.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: How a tool begins the line that says what is wrong.
_BEGINS = re.compile(
    r"(?:error|fatal|chezmoi|nix(?:-[a-z-]+)?|git|ssh|sudo|tar)(?: \(.*?\))?:(?: |$)"
)
_IGNORED = re.compile(r"error \(ignored\)")
_ERROR = re.compile(r"\s*error:\s*")
_PLACE = re.compile(r"\s*(?:… )?at (\S.*?:\d+:\d+):?\s*$")
_EXCERPT = re.compile(r"\s*\d*\s*\|")
_NOISE = re.compile(r"\s*\((?:use '--show-trace'|stack trace truncated|\d+ duplicate frames)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
#: Why nothing could be read from a place, by what curl, git, ssh and Nix say of it. A refusal comes
#: first: git says of a repository that it does not show to everybody that there may be none.
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
        r"does not exist|no such file|cannot find (?:flake|git revision)|HTTP error (?:404|410)"
        r"|repository .*not found|not appear to be a git repository|not a git repository"
        r"|couldn'?t find remote ref|does not contain a .*flake\.nix|is not a (?:flake|valid URL)"
        r"|unknown revision|bad revision|not a tree object|not a directory",
    ),
)
_LIMIT = 60  # lines of one reason
_HEADINGS = 3  # a first line that ends with ":" takes what it announces


@dataclass(frozen=True)
class Reason:
    """``first`` is one line; ``lines`` are all, the place in a file among them."""

    first: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def reason(printed: Iterable[str]) -> Reason | None:
    """The reason among the lines a program printed; None where no line says that it is one."""
    lines = [_COLOUR.sub("", line).rstrip() for line in printed]
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
    if place:
        head += f" (at {place})"
        found.append(f"at {place}")
    return Reason(head, tuple(found))


def reason_of(errors: str) -> str:
    """In one line, why a program failed that printed these errors; "" where it gave no reason."""
    said = [_COLOUR.sub("", line) for line in errors.splitlines()]
    found = reason(said)
    return found.first if found else last_line(said)


def trouble(said: str) -> str:
    """``refused``, ``unreachable`` or ``absent``: why a place could not be read, by what a program
    says of it; the empty string where that is something else."""
    lines = [line for line in said.splitlines() if not line.startswith("warning:")]
    text = "\n".join(
        lines
    )  # a warning is no reason: it is of what was tried again, or of old things
    return next((kind for kind, how in _TROUBLES if re.search(how, text, re.IGNORECASE)), "")


def last_line(printed: Sequence[str]) -> str:
    """The last line that says something; the empty string where none does."""
    return next((line.strip() for line in reversed(printed) if line.strip()), "")


def spoken(text: str) -> str:
    """A reason in parts (``one; other``) without those that a cut record left empty; that there is
    none is said too."""
    parts = [part.strip() for part in text.split("; ")]
    return "; ".join(part for part in parts if part.strip(" ;:.")) or "the reason is not recorded"


def _block(lines: Sequence[str], begin: int) -> list[str]:
    """One error with what is indented below it; the next one at the margin is another."""
    end = begin + 1
    while end < len(lines) and (not lines[end] or lines[end][0] in " \t"):
        end += 1
    return [line for line in lines[begin:end] if not _NOISE.match(line)]


def _of_nix(block: list[str]) -> tuple[list[str], str]:
    """The message of an error, and the place that it names."""
    inner = [n for n, line in enumerate(block) if n and _ERROR.match(line)]
    start = inner[-1] if inner else 0
    message: list[str] = []
    place = ""
    for line in [_ERROR.sub("", block[start], count=1), *block[start + 1 :]]:
        if at := _PLACE.match(line):
            place = place or at[1]
        elif _EXCERPT.match(line) or not line.strip():
            continue
        elif line.strip().startswith("… "):  # a trace begins: the message has ended
            break
        else:
            message.append(line.strip())
    if not place and inner and ".nix" not in "".join(message):  # the nearest frame of the trace
        places = [at[1] for line in block[:start] if (at := _PLACE.match(line))]
        place = places[-1] if places else ""
    return message, place
