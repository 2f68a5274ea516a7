"""A workspace at a glance: rows of text for ``tasks/status.py``, and for ``tasks/why.py``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from converge.effect import Effect, Finding, summary
from converge.plan import rollout
from converge.plan.layers import home_within, session_file
from converge.plan.plan import Plan
from converge.plan.snapshot import Snapshot
from converge.plan.standing import Standing
from converge.plan.written import digest_of
from converge.problem import count, did_you_mean
from converge.proof.check import Context
from converge.report.history import RunFindings
from converge.setting import NEEDS, Layer, Phase, Risk, Setting
from converge.subjects.checks import BY_ID

#: Ids of the items that a glance asks.
ITEMS = frozenset(
    {"generation.system", "generation.home", "flakes.readable"}
    | {"system.booted", "system.state", "disk.room"}
)
Row = tuple[str, str]


def status(
    context: Context, plan: Plan, findings: Iterable[Finding], proof: RunFindings | None
) -> Iterator[Row]:
    """The rows of a glance: generations, layers, drift, open ends, the last proof, room."""
    snapshot = context.snapshot
    yield "machine", f"{snapshot.facts['hostname']}, Linux {snapshot.facts.get('kernel', '?')}"
    yield from _generations(snapshot, "system")
    if home_within(snapshot):
        yield "home", "within the system's generations (home-manager as a module of NixOS)"
    else:
        yield from _generations(snapshot, "home")
    for finding in findings:
        text = finding.found or finding.reason
        if finding.found and finding.reason:
            text = f"{finding.found}: {finding.reason}"
        yield finding.check, f"{finding.effect}: {text}"
    yield "plan", _plan(plan)
    for drift in plan.drift:
        yield "drift", f"{drift.path} {drift.what}: we wrote {drift.old}, found {drift.found}"
    if not plan.drift:
        yield "drift", "none"
    yield from _proved(snapshot, plan)
    yield "transaction", _transaction(snapshot)
    yield from _trial(snapshot)
    yield "lock", _lock(snapshot)
    if snapshot.written.run:
        yield "last run", snapshot.written.run
    if runs := ", ".join(one.run for one in reversed(snapshot.transactions) if one.to_undo):
        yield "can be undone", runs
    if proof is None:
        known = (
            "what the workspace's record has stands above; " if snapshot.written.settings else ""
        )
        yield "last proof", f"none on this controller; {known}tasks/verify.py makes one"
    else:
        yield "last proof", f"{_moment(proof.time)} by {proof.task}: {summary(proof.findings)}"


def _generations(snapshot: Snapshot, name: str) -> Iterator[Row]:
    found = snapshot.generations.get(name, ())
    if not found:
        yield name, "no generation"
        return
    numbers = ", ".join(f"{one.number}{' (current)' if one.current else ''}" for one in found[-6:])
    more = f", {len(found) - 6} older" if len(found) > 6 else ""
    yield name, f"generation{'s' if len(found) > 1 else ''} {numbers}{more}"


def _proved(snapshot: Snapshot, plan: Plan) -> Iterator[Row]:
    """How far each phase is proved, by the workspace's own record of each setting in force."""
    settings = [one.setting for one in plan.standings if one.in_force]
    phases = rollout.progress(snapshot.written.settings, settings, frozenset(Phase))
    for one in phases:
        apart = sum(each.effect == Effect.NOT_APPLICABLE for each in one.proofs)
        known = len(one.proofs) - len(one.lacking) - apart
        total = len(one.proofs) + len(one.out) - apart
        if not total + apart:
            continue
        parts = [f"{known} of {total} proved"] if total else []
        parts += [f"{apart} not applicable here"] if apart else []
        text = f"phase {one.phase}: {', '.join(parts)}"
        if one.lacking:
            name, effect = next(iter(one.lacking.items()))
            waits = snapshot.written.settings[name].waits
            text += f"; {name} is {effect}" + (f" ({waits})" if waits else "")
        elif one.out:
            text += f"; {one.out[0]} was not applied yet"
        yield "proof", text
    if snapshot.written.staged:
        due = next((f"the next run lets phase {one.phase} in" for one in phases if one.out), "")
        waits = next((text for text in plan.warnings if " waits: " in text), due)
        yield "rollout", waits or "staged; every phase of this workspace is in"


def _plan(plan: Plan) -> str:
    if plan.quiet:
        look = f"; the next run looks at {count(len(plan.to_prove), 'setting')}"
        return "nothing to change" + (look if plan.to_prove else "")
    builds = sum(build.needed for build in plan.builds)
    files, layers = count(len(plan.changes), "file"), count(builds, "layer")
    return f"{files} to change, {layers} to build; see deploy.py --dry"


def _transaction(snapshot: Snapshot) -> str:
    one = snapshot.open_transaction
    if one is not None:
        if one.alive:
            return f"run {one.run} is {one.word}; it undoes itself in {max(0, one.left_s)} s"
        return f"run {one.run} was cut off while {one.word}; the next run undoes it first"
    last = snapshot.last_transaction
    return f"none open; {last.run} was {last.word}" if last else "none"


def _trial(snapshot: Snapshot) -> Iterator[Row]:
    """The present trial, or the last one, and what a person can do about it."""
    one = snapshot.trial
    if one is None or one.trial is None:
        return
    boot = snapshot.facts["boot_id"]
    yield "trial", f"run {one.run}: {one.trial.stands(boot)}"
    for line in one.trial.worst:
        yield "", f"that boot: {line}"
    if then := one.trial.next_step(boot):
        yield "", then


def _lock(snapshot: Snapshot) -> str:
    lock = snapshot.lock
    if lock is None:
        return "free"
    since = datetime.fromtimestamp(lock.since, UTC).isoformat(timespec="minutes")
    if lock.alive:
        return f"held by run {lock.run} of {lock.user} on {lock.host} since {since}"
    return f"left by run {lock.run} of {lock.host}, which is gone; the next run clears it"


def _moment(time: str) -> str:
    return time[:16].replace("T", " ") + " UTC"


# -- one setting ---------------------------------------------------------------------------------


def no_such_setting(name: str, known: Iterable[str]) -> str:
    """The message for an id that no setting has."""
    listed = list(known)
    if not name:
        return f"name one: --data setting=ID, such as {listed[0]}; tasks/verify.py lists them"
    return f"there is no setting {name}: {did_you_mean(name, listed, 'tasks/verify.py lists them')}"


def why(
    context: Context, standing: Standing, newest: tuple[RunFindings, Finding] | None
) -> Iterator[Row]:
    """All that is known of a setting: the plan's words, its state, where its values land, its
    check, where the setting stands here, and its last effect."""
    setting = standing.setting
    yield "title", setting.title
    yield "plan", setting.says
    yield "phase", f"{setting.phase}, layer {setting.layer}"
    yield "state", f"{setting.state}{f': {setting.reason}' if setting.reason else ''}"
    yield from (("value" if number == 0 else "", text) for number, text in _values(setting))
    yield "lands in", _place(context, setting)
    yield "risk", _risk(setting)
    if setting.claim:
        claim = setting.claim
        yield "claim", f"{claim.subject}: {claim.low:g} to {claim.high:g} {claim.unit}"
    if setting.gain:
        yield "gain", setting.gain
        yield from (
            ("" if number else "evidence", link) for number, link in enumerate(setting.evidence)
        )
    yield "needs", _needs(setting, context.profile.facts)
    check = BY_ID.get(setting.check)
    yield "check", f"{setting.check}: {check.title}" if check else f"{setting.check}: no such check"
    yield "here", f"{standing.stand}{f': {standing.why}' if standing.why else ''}"
    recorded = context.snapshot.written.settings.get(setting.id)
    if newest is None or (recorded and recorded.run > newest[0].run):
        if recorded is None or recorded.never or recorded.digest != digest_of(setting):
            yield "last effect", "not looked at yet; tasks/verify.py does"
            return
        yield "last effect", f"{recorded.effect}, run {recorded.run}, by the workspace's record"
        if recorded.waits:
            yield "", recorded.waits
        return
    proof, finding = newest
    yield "last effect", f"{finding.effect}, {_moment(proof.time)}, run {proof.run}"
    for name in ("found", "expected", "reason"):
        text = getattr(finding, name)
        if text:
            yield "", f"{name}: {text}"


def _values(setting: Setting) -> Iterator[tuple[int, str]]:
    """The values of a setting, one on a line: entries of a file, variables, or options."""
    value, found = setting.value, []
    if isinstance(value, Mapping) and isinstance(value.get("entries"), Mapping):
        for group, entries in value["entries"].items():
            for key, entry in entries.items():
                wanted = entry.get("value", entry) if isinstance(entry, Mapping) else entry
                found.append(f"{value['file']} [{group}] {key}={_word(wanted)}")
    elif isinstance(value, Mapping) and isinstance(value.get("variables"), Mapping):
        where = f" for {value['unit']}" if value.get("unit") else ""
        found += [f"{name}={_word(one)}{where}" for name, one in value["variables"].items()]
    elif isinstance(value, Mapping):
        found += [f"{name}: {_word(one)}" for name, one in value.items()]
    else:
        found.append(_word(value))
    return enumerate(found or ["nothing but that it is on"])


def _word(value: object) -> str:
    """A value as a person writes it."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, list | tuple):
        return " ".join(map(_word, value)) or "nothing"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_word(part)}" for name, part in value.items()) or "nothing"
    return str(value)


def _risk(setting: Setting) -> str:
    if not setting.forcible:
        return f"{setting.risk}: it cannot be included (see its state for why)"
    if setting.risk is Risk.HIGH:
        return f"{setting.risk}: --data accept={setting.id}"
    return str(setting.risk)


def _needs(setting: Setting, facts: frozenset[str]) -> str:
    if not setting.needs:
        return "no fact of the profile"
    return ", ".join(
        f"{name} (given)" if name in facts else f"{name} ({NEEDS[name]})"
        for name in sorted(setting.needs)
    )


def _place(context: Context, setting: Setting) -> str:
    """The file on the workspace that the setting is written to."""
    if setting.layer is Layer.SESSION:
        return session_file(setting)[0]
    if setting.layer is Layer.PLASMA and isinstance(setting.value, Mapping):
        return f"~/.config/{setting.value['file']}, entry by entry"
    nix = context.layer(setting.layer)
    if nix is None:
        return f"nowhere: {context.not_applicable.get(setting.layer, 'its layer is not here')}"
    return f"{nix.data}, settings.{setting.id}"
