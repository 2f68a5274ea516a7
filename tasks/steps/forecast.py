"""Forecast what an update of the user's flakes would do to the plan, before the update.

In: a planned workspace and ``against=``, references that replace inputs of the user's own flakes.
Out: a finding for each Nix layer: whether the plan evaluates with them, what breaks, and what the
new release says about options that move. Nothing is built; Nix keeps what it fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from converge.effect import Finding, Verdict, effective, not_effective, unknown
from converge.journal.kinds import FindingRecord
from converge.plan.plan import Build
from converge.setting import Layer
from converge.text.limits import document, frame
from converge.text.reason import reason_of, trouble
from tasks.reach.remote import Answer
from tasks.run.stages import Planned
from tasks.steps import build

#: Seconds. All of nixpkgs is read, and may have to be fetched first.
LIMIT_S = 1800
#: The input that a reference without a name replaces.
USUAL = "nixpkgs"
_NAMED = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)=(.+)", re.DOTALL)
#: Why a reference could not be read, and what to do (``converge.text.reason.trouble``).
_KINDS = {
    "absent": "it is not there; look at how it is written",
    "unreachable": "there is no way to it now; try again with a connection",
    "refused": "access is refused; it needs a key or a token of yours, or a later moment",
}
#: Without a network, Nix answers from its cache and only warns.
_CACHED = re.compile(r"using cached version|don't have Internet access", re.IGNORECASE)
#: Nix found no such output, in a flake that it could read.
_LACKS = re.compile(r"does not provide attribute|attribute 'nixosSystem' missing")
#: A place in a flake.nix: it is there, and Nix could not read it.
_AT = re.compile(r"flake\.nix:\d")
BROKEN = "it does not evaluate, whatever the plan is"
_LOCAL = ("path:", "git+file:", "/")
#: A warning of the evaluation, about options that will be removed; Nix before 2.24 says "trace".
_SAID = re.compile(r"\s*(?:trace|evaluation)(?: warning)?: (?:warning: )?(?P<text>.+)")


def inputs(against: frozenset[str]) -> tuple[str, ...]:
    """Arguments of ``remote/estimate.sh``: input, reference, input, reference, ..."""
    pairs: list[str] = []
    for text in sorted(against):
        named = _NAMED.fullmatch(text)
        pairs += [named[1], named[2]] if named else [USUAL, text]
    return tuple(pairs)


def look(work: Planned) -> tuple[Finding, ...]:
    """A finding for each Nix layer of the plan; none without ``against=``."""
    if not work.choices.against:
        return ()
    findings = tuple(_finding(work, build) for build in work.plan.builds)
    for finding in findings:
        work.record(FindingRecord.of(finding))
    return findings


def _finding(work: Planned, one: Build) -> Finding:
    verdict = _ask(work, one)
    return Finding(
        check=f"forecast.{one.nix.layer}",
        title=f"The plan on {one.nix.layer}, after an update",
        effect=verdict.effect,
        expected=verdict.expected,
        found=verdict.found,
        reason=verdict.reason,
    )


def _ask(work: Planned, one: Build) -> Verdict:
    given = inputs(work.choices.against)
    expected = "the plan evaluates with " + ", ".join(
        f"{name} from {reference}" for name, reference in zip(given[::2], given[1::2], strict=True)
    )
    if one.nix.layer is Layer.NIXOS and build.grafts(work):
        return unknown(build.GRAFTED, expected=expected)
    answer = build.dry_run(work, one, *given, timeout=LIMIT_S)
    if not answer.first("metadata"):
        return unknown(answer.last_error, expected=expected)
    said = tuple(dict.fromkeys(_said(answer)))
    if absent := sorted(set(given[::2]) - _inputs_of(answer)):
        why = f"your flake has no input {', '.join(absent)}; name one that it has: INPUT=REFERENCE"
        return not_effective("nothing was replaced", expected=expected, reason=why)
    if why := _unreadable(answer, dict(zip(given[::2], given[1::2], strict=True))):
        return unknown(why, expected=expected)
    if answer.of("estimated"):
        text = build.summary((*answer.lines, *answer.errors), where="here")
        return effective(f"it evaluates: {text}", expected=expected, reason="; ".join(said))
    if answer.lost:
        return unknown(answer.last_error, expected=expected)
    if kind := trouble(answer.last_error):  # another input could not be read
        return unknown(f"{_KINDS[kind]}: {answer.last_error}", expected=expected)
    build.tell(work, answer)
    return not_effective(answer.last_error, expected=expected, reason="; ".join(said))


def _unreadable(answer: Answer, given: Mapping[str, str]) -> str:
    """Why the forecast is unknown: a reference of ``given`` (input -> reference) could not be read,
    or came from Nix's cache. The empty string where all were read."""
    read = dict(line.split(" ", 1) for line in answer.of("reference") if " " in line)
    for name, reference in given.items():
        ok, _, errors = _framed(read.get(name, ""))
        if not ok:
            return _told(reference, errors, answer, "it cannot be read")
        if _CACHED.search(errors) and not reference.startswith(_LOCAL):
            return f"{reference}: {_KINDS['unreachable']}: Nix has only what it fetched before"
        if name == USUAL:
            ok, printed, errors = _framed(answer.first("nixpkgs"))
            if not ok or printed.strip() != b"true":
                lacks = ok or _LACKS.search(errors)
                otherwise = "it is a flake, and no nixpkgs" if lacks else BROKEN
                return _told(reference, errors, answer, otherwise)
    return ""


def _told(reference: str, errors: str, answer: Answer, otherwise: str) -> str:
    said = reason_of(errors) or " ".join(answer.errors[-1:]) or "it gave no reason"
    what = _KINDS.get(trouble(errors), otherwise)
    if reference.startswith("channel:"):
        name = reference.removeprefix("channel:")
        what = f"a channel is no flake; name its branch: github:NixOS/nixpkgs/{name}"
    elif _AT.search(said):
        what = BROKEN
    elif "flake.nix" in said:
        what = "it is no flake"
    return f"{reference}: {what}: {said}"


def _framed(text: str) -> tuple[bool, bytes, str]:
    """Whether a program succeeded, its output and its errors; a malformed frame is a failure."""
    try:
        code, printed, errors = frame(text)
    except ValueError:
        return False, b"", ""
    return code == 0, printed, errors


def _inputs_of(answer: Answer) -> set[str]:
    """Names of the inputs of the user's flake; none where Nix could not read the flake."""
    try:
        locks = document(answer.first("metadata"))["locks"]
        return set(locks["nodes"][locks["root"]].get("inputs", {}))
    except (ValueError, KeyError, TypeError, AttributeError):
        return set()


def _said(answer: Answer) -> Iterator[str]:
    for line in answer.errors:
        if match := _SAID.fullmatch(line):
            yield match["text"].strip()
