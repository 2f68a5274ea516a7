"""Show the plan: the same in a dry run and before a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from converge.exits import Exit, Outcome
from converge.journal.form import copied
from converge.journal.journal import controller_state
from converge.journal.kinds import DriftRecord, EstimateRecord, VerdictRecord
from converge.plan.held import OTHERWISE, not_known
from converge.plan.standing import Stand
from converge.plan.written import SettingProof
from converge.problem import count
from converge.profile.choices import Choices
from converge.proof import keep
from converge.report.record import plan_record
from converge.report.show import show_gate, show_plan, stands
from converge.setting import Layer
from tasks.run import plans
from tasks.run.stages import Over, Planned
from tasks.steps import gate


def plan(work: Planned) -> Planned:
    """Print and record the plan, and set the outcome that counts if nothing more happens."""
    run, made = work.run, work.plan
    estimates = {
        record.layer: record.text for record in run.records(EstimateRecord, work.host.name)
    }
    work.record(plan_record(made))
    if work.blocks:
        show_gate(run.terminal, run.records(VerdictRecord, work.host.name))
        raise gate.refused(work)
    for drift in made.drift:
        work.record(copied(DriftRecord, drift))
    home = work.snapshot.home
    show_plan(run.terminal, made, home=home, diff=run.diff, whole=run.verbose, estimates=estimates)
    if not made.empty or run.verbose:
        show_gate(run.terminal, run.records(VerdictRecord, work.host.name))
    if made.refusals:
        first = made.refusals[0]
        code = Exit.INVALID if first.given else Exit.FAILED
        raise Over(f"{first.path}: {first.what}; to do: {first.fix}", code)
    if work.unbuildable:
        raise Over(work.unbuildable)
    if made.empty or (run.dry and made.quiet):
        raise nothing_to_do(work)
    run.changes(work.host.name, f"plan {made.id}")
    if run.dry:
        try:
            plans.save(
                controller_state() / "plans",
                made,
                home=work.snapshot.home,
                choices=work.choices,
            )
        except OSError as error:
            work.problem(f"the plan could not be saved: {error}")
    return work


def nothing_to_do(work: Planned) -> Over:
    """The ``Over`` of a part that changes nothing. Where no layer applies although one was named
    or applied before, the outcome is a fault."""
    missing = work.plan.not_applicable
    if not missing.keys() >= set(Layer):
        some = any(standing.in_force for standing in work.plan.standings) or work.plan.written.files
        word = Outcome.UNCHANGED if some else Outcome.NOWHERE
        return Over(
            "; ".join(filter(None, (stands(work.plan.standings), waiting(work), unasked(work)))),
            word,
            said=False,
        )
    why = "; ".join(dict.fromkeys(f"{layer}: {text}" for layer, text in missing.items()))
    written = work.snapshot.written
    if asked_for(work.choices) or written.files or written.entries:
        return Over(why, Outcome.MISSING)
    return Over(why, Outcome.NOWHERE, said=False)


def waiting(work: Planned, recorded: Mapping[str, SettingProof] | None = None) -> str:
    """A sentence: which settings earlier runs did not prove, and what makes each of them known.
    ``recorded``: the workspace's record, where it differs from the one that was read."""
    found = work.snapshot.written.settings if recorded is None else recorded
    if all(one.holds for one in found.values()):
        return ""
    return keep.still_open(found, work.plan.standings, work.snapshot.clock)


def unasked(work: Planned) -> str:
    """A sentence: the settings that are held back because chezmoi failed, and why; or ""."""
    held = [one for one in work.plan.standings if one.stand is Stand.HELD]
    failed = [one.why for one in held if not_known(work.snapshot, one.setting)]
    if not failed:
        return ""
    return f"{count(len(failed), 'setting')} not looked at: {failed[0].partition(OTHERWISE)[0]}"


def asked_for(choices: Choices) -> bool:
    """Whether the choices name a layer, or settings."""
    usual = {field.name: field.default for field in fields(Choices)}
    named = ("base_nixos", "base_home")
    return (
        any(getattr(choices, name) != usual[name] for name in named)
        or choices.layers != frozenset(Layer)
        or bool(choices.include | choices.accept)
    )
