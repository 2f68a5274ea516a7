"""What a check found at run time: one of five effects, with what was expected and what was found.

In: nothing but the findings themselves. Out: the summary that a person reads first, and the exit
code that a verification ends with. What could not be looked at is unknown, and that never passes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from converge.exits import Exit

#: Whoever did what an effect waits for looks at it so.
VERIFY = "then tasks/verify.py"
#: What stands in the reason of a pending finding, and what makes its effect known.
_REMEDIES = (
    ("login", f"log out and in, {VERIFY}"),
    ("log in", f"log out and in, {VERIFY}"),
    ("boot", f"restart the machine, {VERIFY}"),
    ("application", f"start one from the menu, {VERIFY}"),
)
#: Those of them that a restart of the machine has done as well.
BY_A_RESTART = frozenset(how for word, how in _REMEDIES if word != "application")


class Effect(StrEnum):
    """In the order in which a summary names them."""

    EFFECTIVE = "effective"
    PENDING = "pending"  # in place, and in use after the next login or reboot
    NOT_EFFECTIVE = "not effective"
    UNKNOWN = "unknown"  # no answer, no permission, no tool: not known, so not passed
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one check says. ``reason`` is empty only for an effect that speaks for itself.

    ``faults``: names of the single faults, where a check can find several (units, crashes).
    ``answered`` is false where a question had no answer: no time, no line, no whole output.
    ``own``: it is so by the user's own choice, so it is shown and decides nothing."""

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
    faults: frozenset[str] = frozenset()  # as in ``Verdict``; neither of these two is recorded
    answered: bool = True


def remedy(finding: Finding) -> str:
    """What a person does so that the effect of a pending or unknown finding is known."""
    if finding.effect is Effect.PENDING:
        for word, how in _REMEDIES:
            if word in finding.reason:
                return how
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
    """Effective where both are the same text, else not effective for ``reason``."""
    if found == expected:
        return effective(found, expected=expected)
    return not_effective(found, expected=expected, reason=reason)


def counted(findings: Iterable[Finding]) -> dict[Effect, int]:
    """How many findings have each effect, in the order of ``Effect``."""
    counts = Counter(finding.effect for finding in findings)
    return {effect: counts[effect] for effect in Effect}


def summary(findings: Iterable[Finding]) -> str:
    """``7 effective, 1 not effective, 3 not applicable``; what there is none of is left out,
    and so are reminders to a person: every count of a run is this one."""
    counts = counted(one for one in findings if one.counts)
    parts = [f"{number} {effect}" for effect, number in counts.items() if number]
    return ", ".join(parts) or "nothing was checked"


def verdict(findings: Iterable[Finding]) -> Exit:
    """The exit code of a verification.

    A known fault decides first (1), then anything unknown (4): neither can hide behind the other's
    silence. Nothing at all that is effective or pending proves nothing, so that is unknown too,
    unless everything is not applicable for a reason that is known."""
    counts = counted(finding for finding in findings if finding.counts)
    if counts[Effect.NOT_EFFECTIVE]:
        return Exit.FAILED
    if counts[Effect.UNKNOWN] or not any(counts.values()):
        return Exit.UNKNOWN
    return Exit.DONE
