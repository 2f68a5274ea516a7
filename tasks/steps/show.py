"""Show the plan: the same in a dry run and before a run."""

from __future__ import annotations

from converge.exits import Exit
from converge.journal.journal import controller_state
from converge.plan import saved
from converge.plan.setting import Layer
from converge.report.record import plan_fields
from converge.report.show import show_gate, show_plan
from tasks.run.stages import Over, Planned
from tasks.steps import gate


def plan(work: Planned) -> Planned:
    """Print and record the plan; it decides what the run ends with if nothing more happens."""
    run, made = work.run, work.plan
    work.record("plan", id=made.id, summary=made.summary(), empty=made.empty, **plan_fields(made))
    if work.blocks:
        show_gate(run.terminal, run.records("verdict", work.host.name))
        raise gate.refused(work)
    for drift in made.drift:
        work.record("drift", **vars(drift))
    show_plan(run.terminal, made, home=work.snapshot.home, diff=run.diff)
    show_gate(run.terminal, run.records("verdict", work.host.name))
    if made.refusals:
        first = made.refusals[0]
        raise Over(f"{first.path}: {first.what}; to do: {first.fix}", Exit.FAILED)
    if made.empty:
        nowhere = made.not_applicable.keys() >= set(Layer)
        why = "no layer applies here" if nowhere else "nothing to change"
        raise Over(why, Exit.CONVERGED, said=False)
    run.changes(work.host.name, f"plan {made.id}")
    if run.dry:
        try:
            saved.save(controller_state() / "plans", made, home=work.snapshot.home)
        except OSError as error:
            work.record("problem", text=f"the plan could not be saved: {error}")
    return work
