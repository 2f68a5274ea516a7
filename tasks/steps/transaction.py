"""Ask the transaction of a workspace (``remote/transact.sh``), and read how it stands."""

from __future__ import annotations

from converge.text.reason import spoken
from tasks.reach.remote import Answer
from tasks.run.stages import Planned


def directory(work: Planned) -> str:
    """The transaction's directory; it belongs to the user who activates, or to root."""
    base = work.system_record if work.as_root else work.record_directory
    return f"{base}/transaction"


def ask(work: Planned, *arguments: str, stdin: str = "", timeout: int = 300) -> Answer:
    """Ask the transaction. Where the connection breaks, it is opened and the question asked again.

    Every question may be asked twice, because only the first decision counts.
    """
    verb, *rest = arguments
    sudo = work.as_root
    answer = work.remote(
        "transact", verb, directory(work), *rest, stdin=stdin, sudo=sudo, timeout=timeout
    )
    if answer.lost and work.reconnect():
        again = ("wait", "60") if verb == "start" else arguments
        answer = work.remote(
            "transact",
            again[0],
            directory(work),
            *again[1:],
            stdin="" if verb == "start" else stdin,
            sudo=sudo,
            timeout=timeout,
        )
    return answer


def standing(answer: Answer) -> tuple[str, str]:
    """Word and reason of the transaction's status; "lost" where it could not be asked."""
    if answer.of("none"):
        return "none", "the connection was lost before the change was begun"
    if answer.of("gone"):
        return "gone", "its process ended without a result"
    word, _, reason = answer.first("status").partition(" ")
    return (word, spoken(reason)) if word else ("lost", answer.last_error)
