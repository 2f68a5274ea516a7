"""Show the state of a workspace at a glance, or all about one setting."""

from __future__ import annotations

from converge.effect import Effect
from converge.exits import Exit, Outcome
from converge.journal.journal import controller_state
from converge.plan.standing import Stand
from converge.plan.written import digest_of
from converge.problem import count
from converge.proof import inquiry
from converge.report import glance, history
from converge.report.ending import effects, verified
from converge.report.show import show_settings, stands
from converge.subjects.checks import ITEMS
from tasks.run.stages import Over, Planned
from tasks.steps import proof, show


def status(work: Planned) -> Planned:
    """Print generations, drift and the last proof, and set the outcome."""
    known = proof.context(work)
    todo = inquiry.jobs(
        known, [item for item in ITEMS if item.id in glance.ITEMS], (), settings=False
    )
    findings = proof.ask(work, known, todo)
    runs = controller_state() / "runs"
    last = history.last(runs, work.choices.workspace, work.snapshot.facts)
    work.run.terminal.line()
    work.run.terminal.line(work.choices.workspace, "bold")
    for row in glance.status(known, work.plan, findings, last):
        work.run.terminal.row(row, (17,))
    outcome, why = verified(findings), effects(findings)
    if outcome.exit is Exit.DONE:
        outcome, why = _declared(work)
    open_ = work.snapshot.open_trial
    if outcome.exit is Exit.DONE and open_ and open_.trial:
        outcome = Outcome.ON_TRIAL
        why = f"run {open_.run}: {open_.trial.stands(work.snapshot.facts['boot_id'])}"
    work.ends(outcome, why)
    return work


#: What the workspace's record has of a setting, that is worse than "as declared"; worst first.
_WORSE = {Effect.NOT_EFFECTIVE: Outcome.INEFFECTIVE, Effect.UNKNOWN: Outcome.NOT_KNOWN}


def _declared(work: Planned) -> tuple[Outcome, str]:
    """The outcome, and a sentence on what differs from the declaration."""
    cut, last = work.snapshot.open_transaction, work.snapshot.last_transaction
    if cut and not cut.alive:
        return Outcome.DIFFERS, f"run {cut.run} was cut off; the next run undoes it first"
    if last and last.word == "broken":
        return Outcome.DIFFERS, f"run {last.run} is not undone whole; tasks/rollback.py goes on"
    plan = work.plan
    parts = [count(len(plan.drift), "drifted value")] if plan.drift else []
    parts += [f"{count(len(plan.changes), 'file')} to change"] if plan.changes else []
    parts += [f"{count(len(plan.needed_builds), 'layer')} to build"] if plan.needed_builds else []
    parts += [f"{count(len(plan.refusals), 'thing')} in the way"] if plan.refusals else []
    locked = [standing.setting.id for standing in plan.standings if standing.stand is Stand.LOCKED]
    parts += [f"{', '.join(locked)} locked at another value"] if locked else []
    if parts:
        return Outcome.DIFFERS, f"{', '.join(parts)}; deploy.py --dry shows what"
    if why := show.unasked(work):
        return Outcome.NOT_KNOWN, why
    over = show.nothing_to_do(work)
    recorded = work.snapshot.written.settings
    wanted = (one.setting for one in work.plan.standings if one.in_force)
    last_found = {
        recorded[one.id].effect
        for one in wanted
        if one.id in recorded and recorded[one.id].digest == digest_of(one)
    }
    for effect, word in _WORSE.items():
        if effect.value in last_found:
            return word, over.why
    if over.code is Outcome.UNCHANGED or over.code is None:
        return Outcome.AS_DECLARED, over.why
    return Outcome.of(over.code), over.why


def why(work: Planned) -> Planned:
    """Print all about one setting, or where each setting stands."""
    name, terminal = work.choices.setting, work.run.terminal
    if not name:
        terminal.line()
        show_settings(terminal, work.plan.standings)
        work.ends(Outcome.EXPLAINED, f"{stands(work.plan.standings)}; --data setting=ID tells all")
        return work
    found = {standing.setting.id: standing for standing in work.plan.standings}
    if name not in found:
        raise Over(glance.no_such_setting(name, found), Exit.INVALID)
    runs = controller_state() / "runs"
    newest = history.last_of(runs, work.choices.workspace, work.snapshot.facts, name)
    terminal.line()
    terminal.line(f"{work.choices.workspace}: {name}", "bold")
    for row in glance.why(proof.context(work), found[name], newest):
        terminal.row(row, (11,))
    work.ends(Outcome.EXPLAINED, f"{name}: {found[name].stand}")
    return work
