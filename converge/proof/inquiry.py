"""Run checks: choose the questions, encode them for the workspace, and make the findings.

Three pure steps: ``jobs`` and ``questions`` (what to ask), ``arguments`` and ``read`` (the wire of
``converge/remote/check.sh``), ``findings`` (the verdicts). A caller runs the remote command between
``arguments`` and ``read``.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from converge.effect import Finding, Verdict, not_applicable, not_effective, unknown
from converge.plan.standing import Stand
from converge.proof.check import (
    Answers,
    Ask,
    Check,
    Context,
    Item,
    NoAnswer,
    Proof,
    Reply,
    Unreadable,
    When,
)
from converge.proof.touched import Touched
from converge.setting import NEEDS, Phase, Setting
from converge.text.limits import count, decoded, frame, number

FIRST = "workspace-check 1"  # line of remote/check.sh
CAP = 256 * 1024  # bytes of output kept of one probe
_ERRORS = 4096  # and of its errors, from their end
_CONVERGE = Path(__file__).parents[1]
_SHARED = _CONVERGE / "remote" / "probes"
#: The files of the probes in their order: shared functions, the probes of each subject, and the
#: lines that run one probe.
PROBES = (
    _SHARED / "common.sh",
    _SHARED / "files.sh",
    *sorted(_CONVERGE.glob("subjects/*/*probe.sh")),
    _SHARED / "last.sh",
)


_PROBE = re.compile(r"^probe_(\w+)\(\)", re.MULTILINE)


def probes(asked: Iterable[Ask]) -> tuple[Path, ...]:
    """The files that these questions need: what all share, and the subjects that are asked."""
    names = {ask.probe.replace("-", "_") for ask in asked}
    return tuple(path for path in PROBES if path.parent == _SHARED or names & _probes_of(path))


@cache
def _probes_of(path: Path) -> frozenset[str]:
    return frozenset(_PROBE.findall(path.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Job:
    """A check to judge, for the workspace or for one setting. ``settled``: its verdict, where this
    is known without asking."""

    check: Check
    setting: Setting | None = None
    settled: Verdict | None = None


def jobs(
    context: Context,
    items: Iterable[Item],
    proofs: Iterable[Proof],
    *,
    when: frozenset[When] = frozenset({When.ALWAYS, When.AFTER}),
    phases: frozenset[Phase] = frozenset(Phase),
    chosen: frozenset[Phase] | None = None,
    settings: bool = True,
    wanted: Touched | None = None,
) -> tuple[Job, ...]:
    """A job for each item of these phases that is due and, with ``settings``, for each setting.

    ``wanted``: leave out what it does not have. ``chosen``: the phases whose settings get a finding
    although a staged rollout has not let them in; None: ``phases``."""
    todo = [
        Job(item, settled=_inapplicable(context, item))
        for item in items
        if item.when in when
        and (item.phase is None or item.phase in phases)
        and (wanted is None or wanted.has(item.id, ""))
    ]
    by_id = {proof.id: proof for proof in proofs}
    if settings and When.AFTER in when:
        for standing in context.standings:
            setting = standing.setting
            proof = by_id.get(setting.check)
            told = phases if chosen is None else chosen
            if setting.phase not in told and standing.stand is Stand.OTHER_PHASE:
                continue
            if wanted is not None and not wanted.has(setting.check, setting.id):
                continue
            # A locked setting is asked like one in force: it is wanted, and should be effective.
            if standing.stand is Stand.HELD:
                # The run does not touch this setting, so the setting must not undo the run.
                held = not_effective("left as it is", expected="in force", reason=standing.why)
                settled = replace(held, own=True)
                todo.append(Job(proof or _unproved(setting), setting, settled))
            elif not standing.in_force and standing.stand is not Stand.LOCKED:
                settled = not_applicable(f"{standing.stand}: {standing.why}")
                todo.append(Job(proof or _unproved(setting), setting, settled))
            elif proof is None:
                text = f"no check is called {setting.check}"
                todo.append(Job(_unproved(setting), setting, unknown(text)))
            else:
                todo.append(Job(proof, setting))
    return tuple(todo)


def _unproved(setting: Setting) -> Check:
    return Check(id=setting.check, title=setting.title, phase=setting.phase)


def _inapplicable(context: Context, item: Item) -> Verdict | None:
    if item.layer in context.not_applicable and item.layer is not None:
        return not_applicable(context.not_applicable[item.layer])
    lacking = sorted(item.needs - context.profile.facts)
    return not_applicable(NEEDS[lacking[0]]) if lacking else None


def questions(context: Context, todo: Iterable[Job]) -> tuple[Ask, ...]:
    """The questions of these jobs, each once."""
    unique: dict[Ask, None] = {}
    for job in todo:
        if job.settled is None:
            # Where a check cannot make its questions from the snapshot, its verdict is unknown.
            with contextlib.suppress(Exception):
                asked = tuple(_asks(context, job))
                unique |= {ask: None for ask in asked if not (ask.machine and context.sandbox)}
    return tuple(unique)


def _asks(context: Context, job: Job) -> Iterable[Ask]:
    match job.check:
        case Item():
            return job.check.asks(context)
        case Proof() if job.setting is not None:
            return job.check.asks(context, job.setting)
    return ()


def whole(lines: Sequence[str]) -> bool:
    """Whether the output of ``remote/check.sh`` has its first and its last line."""
    return bool(lines) and lines[0] == FIRST and lines[-1] == "end"


def apart(lines: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The output of a reading and that of ``remote/check.sh`` behind it."""
    starts = [number for number, line in enumerate(lines) if line == FIRST]
    at = starts[-1] if starts else len(lines)
    return lines[:at], lines[at:]


def arguments(context: Context, asked: Sequence[Ask]) -> list[str]:
    """The arguments of ``remote/check.sh`` for these questions; the probes on standard input."""
    may = "sudo" if "sudo" in context.snapshot.marks and not context.root else "-"
    words = [context.root, str(CAP), may, "-"]
    for place, ask in enumerate(asked):
        words += [str(place), str(ask.limit), str(1 + len(ask.arguments))]
        words += [ask.probe, *ask.arguments]
    return words


def read(
    context: Context, asked: Sequence[Ask], lines: Iterable[str], *, failure: str = ""
) -> Answers:
    """The answers in the output of ``remote/check.sh``. A question without an intact answer gets
    a reply without a status, with ``failure`` as its reason where this is given."""
    replies: dict[Ask, Reply] = {}
    missing = failure or "the workspace gave no answer"
    for line in lines:
        words = line.split(" ")
        found: Mapping[str, Reply | Sequence[str]] = {}
        if words[0] == "share" and len(words) == 3:
            found = _shared(words[1], words[2])
        elif words[0] == "answer" and len(words) >= 3:
            found = {words[1]: words[2:]}
        for place, answer in found.items():
            if count(place) is not None and number(place) < len(asked):
                ask = asked[number(place)]
                reply = answer if isinstance(answer, Reply) else _reply(ask, answer)
                replies.setdefault(ask, reply)
    for ask in asked:
        replies.setdefault(ask, Reply(status=None, errors=f"{ask.probe}: {missing}"))
    return Answers(replies, sandbox=context.sandbox)


def _shared(mark: str, stream: str) -> Mapping[str, Reply]:
    """The replies in a line "share", by the place of their question, where both their output and
    their errors have come; none of a damaged line."""
    try:
        *outputs, (last, _) = _marked(mark, decoded(stream))
        complaints = dict(_marked(mark, decoded(last)))
        replies = {}
        for words, output in outputs:
            place, status = words.split(" ")
            if (errors := complaints.get(place)) is not None:
                replies[place] = Reply(
                    status=number(status),
                    output=output[:CAP],
                    errors=errors[-_ERRORS:].decode(errors="replace"),
                    cut=len(output) >= CAP,
                )
    except ValueError:
        return {}
    return replies


def _marked(mark: str, stream: bytes) -> list[tuple[str, bytes]]:
    """The rest of each line that begins with the mark, and what is between the line and the one
    before."""
    found, (before, *parts) = [], stream.split(b"\n" + mark.encode() + b" ")
    for part in parts:
        line, _, behind = part.partition(b"\n")
        found.append((line.decode(), before))
        before = behind
    return found


def _reply(ask: Ask, words: Sequence[str]) -> Reply:
    if words[0] == "timeout":
        return Reply(status=None, errors=f"{ask.probe}: no answer in {ask.limit} s")
    try:
        status, output, errors = frame(" ".join(words))
        return Reply(status=status, output=output, errors=errors, cut=len(output) >= CAP)
    except ValueError:
        return Reply(status=None, errors=f"{ask.probe}: its answer is damaged")


def findings(context: Context, todo: Iterable[Job], answers: Answers) -> tuple[Finding, ...]:
    """One finding for every job; unknown where an answer cannot be read."""
    return tuple(_finding(context, job, answers) for job in todo)


def _finding(context: Context, job: Job, answers: Answers) -> Finding:
    verdict = job.settled or _judge(context, job, answers)
    check, setting = job.check, job.setting
    phase = setting.phase if setting else check.phase
    return Finding(
        check=check.id,
        setting=setting.id if setting else "",
        title=setting.title if setting else check.title,
        phase=phase.value if phase else "",
        effect=verdict.effect,
        expected=verdict.expected,
        found=verdict.found,
        reason=verdict.reason,
        counts=check.counts if isinstance(check, Item) else not verdict.own,
        faults=verdict.faults,
        answered=verdict.answered,
    )


def _judge(context: Context, job: Job, answers: Answers) -> Verdict:
    try:
        match job.check:
            case Item():
                return job.check.judge(context, answers)
            case Proof() if job.setting is not None:
                return job.check.judge(context, answers, job.setting)
    except NoAnswer as nothing:
        return nothing.verdict
    except Unreadable as error:
        return unknown(str(error)[:200])
    except Exception:
        # The output is not what the program should print: it proves nothing, and must not end the
        # run. The text of Python's error would help nobody.
        asked = " and ".join(dict.fromkeys(ask.probe for ask in _asks(context, job)))
        return unknown(f"the answer cannot be read: {asked or job.check.id} said something else")
    return unknown(f"{job.check.id} is of no known kind")
