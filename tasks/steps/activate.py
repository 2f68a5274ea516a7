"""Activate a change, prove it, and keep it; a change that is not proved is undone.

The controller sends one transaction to the workspace, asks how it stands, and says "confirm" or
"undo". Without the controller, or without a connection, the workspace undoes the change by itself
after the deadline.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from hashlib import sha256

from converge.effect import Effect
from converge.exits import Exit, Outcome
from converge.journal.kinds import FindingRecord
from converge.plan.plan import Plan
from converge.plan.snapshot import Generation, Kind, Node, Snapshot
from converge.proof import keep
from converge.report.ending import effects, latest
from tasks.reach.payload import archive, encoded, pack, squeezed
from tasks.reach.remote import PROGRAMS, Answer, program, text
from tasks.run.operations import proves, step, transacts
from tasks.run.stages import Activated, Built, Kept, Looked, Over, Planned, Proved
from tasks.steps import proof, read, together, trial, write
from tasks.steps.transaction import ask, standing
from tasks.steps.write import record

#: Variables that tell the user's programs where their files are; ``remote/read.sh`` reads them.
HOMES = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
#: Programs for a later undo.
UNDO = ("kdelock", "replace", "seal", "stopped", "restore", "home", "installer", "undo")
ATTEMPTS = 3  # the desktop may write a file between our reading and our writing
#: Items whose fault before a change ends the run, because the change could not be undone safely.
BLOCKING = frozenset({"disk.room", "before.boot-menu"})
NOTHING = "nothing was changed"  # how remote/transact.sh begins its reason then
WAIT_S = 20  # one question waits so long for the end of the activation
DECISION_S = 660  # a little more than remote/transact.sh waits for a decision to be carried out
ACTIVATION_S = 1800  # the switch of a system can take minutes; the deadline begins only after it


def plan_lines(work: Built, attempt: int) -> Iterator[str]:
    """The lines of the transaction's plan; ``remote/transact.sh`` documents them."""
    snapshot = work.snapshot
    yield f"run {work.run.id}"
    last = max((transaction.number for transaction in snapshot.transactions), default=0)
    yield f"number {last + 1}"
    yield f"deadline {work.choices.deadline_s}"
    yield f"user {work.choices.user}"
    yield f"written {snapshot.state}/written.json"
    yield f"rollback {snapshot.state}/rollback"
    yield f"after_reboot {snapshot.expand('~/.config/systemd/user/workspace-tuning-undo.service')}"
    where = dict.fromkeys(path.rpartition("/")[0] for path in snapshot.tools.values())
    if places := ":".join(one for one in where if one and ":" not in one):
        yield f"places {places}"
    yield f"variable HOME={snapshot.home}"
    for name in HOMES:
        if path := snapshot.facts.get(name):
            yield f"variable {name}={path}"
    for place, owner, part in work.records:
        yield _words("record", place, owner, part)
    if work.live:
        yield f"live {work.record_directory}/live-{attempt} user"
    for build in work.needed_builds:
        current = snapshot.current(build.nix.profile)
        number, old = (str(current.number), current.path) if current else ("-", "-")
        if build.nix.root:
            old = snapshot.running_system or "-"
        path, profile = work.paths[build.nix.layer.value], snapshot.profiles[build.nix.profile]
        if build.nix.root:  # root must not take the path of a profile from the workspace's answer
            profile = f"{work.choices.root}/nix/var/nix/profiles/system"
        yield _words(build.nix.layer.value, path, profile, number, old)


def _words(*words: str) -> str:
    """A line that ``remote/record.sh`` parts at its blanks. Raises ``Over`` for a word of a
    workspace with a blank in it: what follows would be taken for the words behind it."""
    for word in words:
        if word.split() != [word]:
            raise Over(
                f"{word!r}: no name that the record of a change can hold; nothing was changed"
            )
    return " ".join(words)


def payload(work: Built, attempt: int) -> str:
    """The standard input of ``transact.sh start``. gzip packs what two programs have in common once
    where they lie close together, so they stand in this order."""
    live = pack(work.live, home=work.snapshot.home)
    public = {
        "plan": "".join(f"{line}\n" for line in plan_lines(work, attempt)).encode(),
        "after-reboot": (PROGRAMS / "after-reboot.service").read_bytes(),
        **{f"{name}.sh": program(name).encode() for name in ("write", "rollback", "transact")},
        "undo.sh": "".join(text(PROGRAMS / f"{part}.sh") for part in UNDO).encode(),
        "entries.awk": text(PROGRAMS / "entries.awk").encode(),
    }
    secret = {"live": live.encode(), "written": record(work).after or b""}
    members = {name: (content, 0o644) for name, content in public.items()}
    members |= {name: (content, 0o600) for name, content in secret.items()}
    return encoded(archive(members))


@step("look before the change", gives=Looked, idle=proves("nothing to activate"))
def preflight(planned: Planned) -> Looked:
    """Look at what has to hold before anything is written, and record the faults from before."""
    if any(build.nix.root for build in planned.needed_builds) and (why := read.to_leave(planned)):
        raise Over(why, Exit.LOCKED)
    first = proof.first(planned, BLOCKING | keep.HEALTH)
    earlier = together.take(planned, first) if planned.only_locks else None
    known = proof.before(planned, first, earlier)
    blocking = BLOCKING if planned.needed_builds else ()  # these are about new generations
    for one in known:
        if one.effect is Effect.NOT_EFFECTIVE and one.counts and one.check in blocking:
            raise Over(f"{one.title}: found {one.found}")
    if why := keep.held_back(read.stage_of(planned, planned.snapshot), known):
        raise Over(why)
    return Looked.of(planned, known=known, holds_lock=planned.only_locks)


@step("prove", gives=Proved, idle=proves("nothing was activated"))
def prove(active: Activated) -> Proved:
    """Look at the workspace as it is now: whether every setting has its effect. Without an answer
    the change is disproved."""
    now, earlier = active, None
    if active.transacts:
        found, earlier = together.look(active, _expected(active), active.looked)
        if found is None:
            return Proved.of(active, disproved="the workspace could not be read after the change")
        now = Activated.of(
            active, snapshot=_as_if_kept(active, found), plan=_as_planned(active, found)
        )
    findings = proof.after(now, earlier)
    speaking = proof.against(now, active.known, findings)
    disproved = not_known = ""
    if speaking:
        worst = speaking[0]
        name = worst.setting or worst.check
        disproved = f"{name}: expected {worst.expected}, found {worst.found}"
        if worst.effect is Effect.UNKNOWN:
            disproved = f"{name} could not be looked at: {worst.reason}"
        proof.table(now, [finding for finding in findings if finding.effect in proof.WRONG])
    lacking = [
        finding for finding in findings if finding.setting and finding.effect is Effect.UNKNOWN
    ]
    if lacking and not disproved:
        not_known = f"{lacking[0].setting}: {lacking[0].reason}"
    why = effects(latest(active.run.records(FindingRecord, active.host.name)))
    active.step("prove", "found", why)
    return Proved.of(
        active, disproved=disproved, not_known=not_known, proof=proof.record_of(now, findings)
    )


def _expected(work: Built) -> Built:
    """The workspace as it was read before the change, with the change."""
    here = work.snapshot
    nodes = dict(here.nodes)
    for change in work.plan.changes:
        if change.after is None:
            nodes.pop(change.path, None)
        else:
            before = nodes.get(change.path)
            mode = change.mode or (before.mode if before else 0o600)
            nodes[change.path] = Node(
                path=change.path,
                kind=Kind.FILE,
                mode=mode,
                uid=before.uid if before else 0,
                owner=before.owner if before else "",
                content=change.after,
            )
    return Built.of(work, snapshot=_as_if_kept(work, replace(here, nodes=nodes)))


def _as_planned(active: Activated, found: Snapshot) -> Plan:
    """The plan that was shown, with the standings of the workspace as it is now."""
    return replace(active.plan, standings=read.plan_for(active, found).standings)


def _as_if_kept(work: Built, found: Snapshot) -> Snapshot:
    """The snapshot with the activated generations as the current ones, as if they were kept, since
    the profiles still lead to the old ones."""
    generations = dict(found.generations)
    for build in work.needed_builds:
        path = work.paths[build.nix.layer.value]
        older = generations.get(build.nix.profile, ())
        number = max((one.number for one in older), default=0) + 1
        generations[build.nix.profile] = (
            *(replace(one, current=False) for one in older),
            Generation(number=number, path=path, current=True),
        )
    return replace(found, generations=generations)


@step("activate", gives=Activated, idle=transacts("nothing to activate"))
def begin(built: Built) -> Activated:
    """Write the live files and activate what was built, in a process of the workspace's own."""
    now = built
    for attempt in range(1, ATTEMPTS + 1):
        answer, looked = together.begin(now, _expected(now), WAIT_S, payload(now, attempt))
        if not answer.of("started") and not answer.of("status"):
            raise _unknown(now, answer) if answer.lost else Over(answer.last_error)
        word, reason = _wait(now, answer)
        if word == "activated":
            return Activated.of(now, take_back=partial(_take_back, now), looked=looked)
        if word == "undone" and reason.startswith(f"{NOTHING}: stale"):
            now.step("activate", "stale", reason)
            now = _again(now)
            if not now.transacts:  # another run has made the same change meanwhile
                return Activated.of(now)
        elif word == "kept":
            return Kept.of(now)
        else:
            raise Over(*meaning(now, word, reason), short=word)
    if ": KConfig's lock " in reason:
        raise Over(
            f"{reason.removeprefix(f'{NOTHING}: stale ')}; {NOTHING}; run again once it is free"
        )
    raise Over("a file kept changing while it was to be written; nothing was changed")


def _wait(work: Built, answer: Answer) -> tuple[str, str]:
    """How the activation ended: word and reason. ``answer``: the answer to ``start``, which waits
    up to WAIT_S."""
    if not any(answer.of(word) for word in ("status", "gone", "none")):
        answer = ask(work, "wait", str(WAIT_S))
    for _ in range(ACTIVATION_S // WAIT_S):
        word, reason = standing(answer)
        if word not in ("activating", "undoing"):
            return word, reason
        answer = ask(work, "wait", str(WAIT_S))
    return "lost", "activation did not end"


def _again(work: Built) -> Built:
    """Make the plan again, because a file changed. Raises ``Over`` where it cannot be applied."""
    found = read.take_again(work)
    if found is None:
        raise Over("the workspace changed, and could not be read again")
    plan = read.plan_for(work, found)
    if plan.refusals:
        first = plan.refusals[0]
        raise Over(f"{first.path}: {first.what}; to do: {first.fix}")
    return Built.of(work, snapshot=found, plan=plan)


def _take_back(work: Built, because: str) -> None:
    answer = ask(work, "decide", "undo")
    word, reason = ("lost", answer.last_error) if answer.lost else standing(answer)
    why, code = meaning(work, word, reason, disproved=because)
    work.ends(code, why)
    work.step("take back", "done" if word == "undone" else "failed", why)


def _unknown(work: Planned, answer: Answer) -> Over:
    return Over(
        f"the connection was lost ({answer.last_error}); unless it was confirmed, the change is "
        f"undone there within {work.choices.deadline_s} s; the next run tells",
        Exit.UNKNOWN,
        short="connection lost",
    )


def meaning(
    work: Planned, word: str, reason: str, *, disproved: str = ""
) -> tuple[str, Exit | Outcome]:
    """The reason and the outcome of this run for the end of its transaction."""
    match word:
        case "kept":
            return reason, Exit.DONE
        case "undone" if reason.startswith(NOTHING):
            return reason, Exit.FAILED
        case "undone":
            because, _, left = reason.partition("; ")  # ``left``: what stays changed
            return "; ".join(filter(None, (f"undone: {disproved or because}", left))), (
                Exit.ROLLED_BACK
            )
        case "broken":
            return f"not all could be undone: {reason}", Outcome.ROLLBACK_FAILED
        case "none":
            return f"{reason}; nothing was activated", Exit.FAILED
        case "gone":
            return f"{reason}; the next run undoes it", Exit.UNKNOWN
    return (
        f"{reason}; unless confirmed it is undone within {work.choices.deadline_s} s",
        Exit.UNKNOWN,
    )


@step("keep or undo", gives=Kept, idle=transacts("nothing was activated"), decides=True)
def decide(proved: Proved) -> Kept:
    """Keep what was proved: the built paths become generations, the system the boot default."""
    if not proved.transacts:
        if proved.acts and not proved.proves:  # only the record changes; else finish.run writes it
            write.proof(proved, proved.proof, keep="keep")
        return Kept.of(proved)
    if proved.disproved:
        answer = ask(proved, "decide", "undo")
    else:
        trial.offer(proved)  # where effects wait for a boot, the next boot is a trial
        # The new record goes with the word "confirm".
        text = record(proved, proved.proof).after or b""
        answer = ask(
            proved,
            "decide",
            "confirm",
            sha256(text).hexdigest(),
            *([] if proved.as_root else [proved.lock]),  # the lock is the user's
            stdin=squeezed(text),
            timeout=DECISION_S,
        )
    if answer.lost:
        raise _unknown(proved, answer)
    word, reason = standing(answer)
    if word != "kept":
        raise Over(*meaning(proved, word, reason, disproved=proved.disproved), short=word)
    proved.step("kept", "done", reason)
    tried, _, how = answer.first("trial").partition(" ")
    if tried == "none":
        proved.step("trial", "found", trial.untried(how))
    elif tried:
        proved.step("trial", "found", f"{tried}: {how}")
    held = proved.holds_lock and not answer.of("released")
    return Kept.of(proved, tried=tried == "booting", holds_lock=held)
