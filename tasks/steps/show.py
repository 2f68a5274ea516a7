"""Show the plan: the same in a dry run and before a run."""

from __future__ import annotations

from converge.exits import Exit
from converge.journal.journal import controller_state
from converge.plan import saved
from converge.plan.setting import Layer
from converge.report.record import plan_fields
from converge.report.show import show_gate, show_plan
from tasks.run.begin import Work


def plan(work: Work) -> None:
    """Print and record the plan; it decides what the run ends with if nothing more happens."""
    run, made = work.run, work.plan
    if made is not None:
        work.record(
            "plan", id=made.id, summary=made.summary(), empty=made.empty, **plan_fields(made)
        )
    if not work.open:  # what stands in the way was said; here are all facts together
        show_gate(run.terminal, run.records("verdict", work.host.name))
    elif made is not None and work.snapshot is not None:
        for drift in made.drift:
            work.record("drift", **vars(drift))
        show_plan(run.terminal, made, home=work.snapshot.home, diff=run.diff)
        show_gate(run.terminal, run.records("verdict", work.host.name))
        if made.refusals:
            first = made.refusals[0]
            work.stop(Exit.FAILED, f"{first.path}: {first.what}; to do: {first.fix}")
        elif made.empty:
            nowhere = made.not_applicable.keys() >= set(Layer)
            why = "no layer applies here" if nowhere else "nothing to change"
            run.set(work.host.name, Exit.CONVERGED, why)
        else:
            run.changes(work.host.name, f"plan {made.id}")
            if run.dry:
                try:
                    saved.save(controller_state() / "plans", made, home=work.snapshot.home)
                except OSError as error:
                    work.record("problem", text=f"the plan could not be saved: {error}")
    run.prepared(work.host.name)
