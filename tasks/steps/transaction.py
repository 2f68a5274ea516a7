"""Ask the transaction of a workspace (``remote/transact.sh``), and read how it stands."""

from __future__ import annotations

from converge.text.reason import spoken
from tasks.reach.remote import Answer
from tasks.run.stages import Planned


def directory(work: Planned) -> str:
    """The transaction's directory; it belongs to the user who activates, or to root."""
    base = work.system_record if work.as_root else work.record_directory
    return f"{base}/transaction"


LIMIT_S = 300


def ask(
    work: Planned,
    *arguments: str,
    stdin: str = "",
    timeout: int = LIMIT_S,
    answered: Answer | None = None,
) -> Answer:
    """Ask the transaction. Where the connection breaks, it is opened and the question asked again.
    ``answered``: the answer, where another command had the question in it.

    Every question may be asked twice, because only the first decision counts.
    """
    answer = answered or _asked(work, *arguments, stdin=stdin, timeout=timeout)
    if answer.lost and work.reconnect():
        if arguments[0] == "start":
            arguments, stdin = ("wait", "60"), ""
        answer = _asked(work, *arguments, stdin=stdin, timeout=timeout)
    return answer


def _asked(work: Planned, verb: str, *rest: str, stdin: str, timeout: int) -> Answer:
    """Ask once. "start" is a program of its payload; all else is asked of the copy that the
    transaction keeps."""
    place, begins = directory(work), verb == "start"
    return work.remote(
        "transact",
        *(verb, place, *rest),
        copy="" if begins else f"{place}/transact.sh",
        packed=begins,
        stdin=stdin,
        sudo=work.as_root,
        timeout=timeout,
    )


def standing(answer: Answer) -> tuple[str, str]:
    """Word and reason of the transaction's status; "lost" where it could not be asked."""
    if answer.of("none"):
        return "none", "the connection was lost before the change was begun"
    if answer.of("gone"):
        _, _, why = answer.first("gone").partition(" ")
        said = "its process ended without a result"
        return "gone", f"{said}: {spoken(why)}" if why else said
    word, _, reason = answer.first("status").partition(" ")
    return (word, spoken(reason)) if word else ("lost", answer.last_error)
