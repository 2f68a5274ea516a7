"""What a check found at run time: one of five effects, with what was expected and what was found.

In: the findings of a run. Out: the summary that a person reads first, and the exit code of a
verification. A setting that no check could look at is *unknown*, and unknown never passes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from converge.exits import Exit

#: How a person looks again after the login or restart that an effect waited for.
VERIFY = "then tasks/verify.py"
#: A word in the reason of a pending finding, and the action after which its effect is known.
_REMEDIES = (
    ("login", f"log out and in, {VERIFY}"),
    ("log in", f"log out and in, {VERIFY}"),
    ("boot", f"restart the machine, {VERIFY}"),
    ("application", f"start one from the menu, {VERIFY}"),
    ("Baloo is not installed", f"once Baloo is installed, {VERIFY}"),
)
#: What journald says to a user outside of the group that may read all of it.
_NO_JOURNAL = r"not permitted to read .*\bjournal\b"
#: The actions that a restart of the machine includes: whoever restarts logs in again, too.
BY_A_RESTART = frozenset(how for word, how in _REMEDIES if word in ("login", "log in", "boot"))


class Effect(StrEnum):
    """The five effects, in the order in which a summary names them."""

    EFFECTIVE = "effective"
    PENDING = "pending"  # in place, and in use after the next login or reboot
    NOT_EFFECTIVE = "not effective"
    UNKNOWN = "unknown"  # no answer, no permission or no tool; never passed
    NOT_APPLICABLE = "not applicable"


#: The order in which effects are shown: what needs a person comes first.
WORST_FIRST = (
    Effect.NOT_EFFECTIVE,
    Effect.UNKNOWN,
    Effect.PENDING,
    Effect.EFFECTIVE,
    Effect.NOT_APPLICABLE,
)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one check says. ``reason`` may be empty where the effect needs no explanation.

    ``faults``: names of the single faults, where a check can find several (units, crashes).
    ``answered`` is false where a question had no answer: no time, no line, no whole output.
    ``own``: the user chose this value, so the verdict is shown and decides nothing."""

    effect: Effect
    expected: str = ""
    found: str = ""
    reason: str = ""
    faults: frozenset[str] = frozenset()
    answered: bool = True
    own: bool = False


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A verdict with the check that made it and the setting it is about ("" for none)."""

    check: str
    setting: str = ""
    title: str = ""
    phase: str = ""  # value of ``converge.setting.Phase``, or "" where it belongs to none
    effect: Effect
    expected: str = ""
    found: str = ""
    reason: str = ""
    counts: bool = True  # False: shown, and left out of the exit code (a reminder to a person)
    faults: frozenset[str] = frozenset()  # as in ``Verdict``; this and ``answered``: not recorded
    answered: bool = True


def remedy(finding: Finding) -> str:
    """What a person does to learn the effect of a pending or unknown finding."""
    if finding.effect is Effect.PENDING:
        for word, how in _REMEDIES:
            if word in finding.reason:
                return how
    if finding.effect is Effect.UNKNOWN and re.search(_NO_JOURNAL, finding.reason):
        return f"add the user to the group systemd-journal, log in again, {VERIFY}"
    return f"{finding.reason or 'it gave no answer'}; {VERIFY}"


def effective(found: str, *, expected: str = "", reason: str = "") -> Verdict:
    return Verdict(effect=Effect.EFFECTIVE, expected=expected, found=found, reason=reason)


def not_effective(
    found: str, *, expected: str, reason: str = "", faults: Iterable[str] = ()
) -> Verdict:
    return Verdict(
        effect=Effect.NOT_EFFECTIVE,
        expected=expected,
        found=found,
        reason=reason,
        faults=frozenset(faults),
    )


def pending(reason: str, *, expected: str = "", found: str = "") -> Verdict:
    return Verdict(effect=Effect.PENDING, expected=expected, found=found, reason=reason)


def unknown(reason: str, *, expected: str = "", found: str = "") -> Verdict:
    return Verdict(effect=Effect.UNKNOWN, expected=expected, found=found, reason=reason)


def unanswered(reason: str) -> Verdict:
    """Unknown because a question had no answer."""
    return Verdict(effect=Effect.UNKNOWN, reason=reason, answered=False)


def not_applicable(reason: str) -> Verdict:
    return Verdict(effect=Effect.NOT_APPLICABLE, reason=reason)


def matches(found: str, expected: str, *, reason: str = "") -> Verdict:
    """Effective where both texts are equal, else not effective with ``reason``."""
    if found == expected:
        return effective(found, expected=expected)
    return not_effective(found, expected=expected, reason=reason)


def counted(findings: Iterable[Finding]) -> dict[Effect, int]:
    """How many findings have each effect, in the order of ``Effect``."""
    counts = Counter(finding.effect for finding in findings)
    return {effect: counts[effect] for effect in Effect}


def summary(findings: Iterable[Finding]) -> str:
    """``7 effective, 1 not effective, 3 not applicable``: all counts of a run are made here.

    Left out are effects that no finding has, and findings that do not count (reminders)."""
    counts = counted(finding for finding in findings if finding.counts)
    parts = [f"{number} {effect}" for effect, number in counts.items() if number]
    return ", ".join(parts) or "nothing was checked"


def verdict(findings: Iterable[Finding]) -> Exit:
    """The exit code of a verification.

    A setting that is not effective decides first (1), then an unknown one (4). No finding at all is
    unknown (4) as well; findings that are all not applicable are done (0)."""
    counts = counted(finding for finding in findings if finding.counts)
    if counts[Effect.NOT_EFFECTIVE]:
        return Exit.FAILED
    if counts[Effect.UNKNOWN] or not any(counts.values()):
        return Exit.UNKNOWN
    return Exit.DONE
