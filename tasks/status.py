"""Status: a workspace at a glance. Changes nothing, waits for nobody.

``pyinfra INVENTORY tasks/status.py``. Exit: 0 all is well, 1 something is not, 4 something is not
known.
"""

from pyinfra import host

from converge.journal.journal import controller_state
from converge.proof import glance, history, inquiry
from converge.subjects.checks import ITEMS
from tasks.run import begin
from tasks.steps import proof

work = begin.workspace(host)

proof.look(work)
if work.open and work.snapshot is not None and work.plan is not None:
    known = proof.context(work, work.snapshot, work.plan.standings)
    todo = inquiry.jobs(
        known, [item for item in ITEMS if item.id in glance.ITEMS], (), settings=False
    )
    findings = proof.ask(work, known, todo)
    last = history.last(controller_state() / "runs", work.choices.workspace)
    work.run.terminal.line()
    work.run.terminal.line(work.choices.workspace, "bold")
    for row in glance.status(known, work.plan, findings, last):
        work.run.terminal.row(row, (17,))
    work.run.set(host.name, *proof.result(findings))
work.run.prepared(host.name)
