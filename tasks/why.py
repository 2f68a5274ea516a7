"""Why: everything about one setting. Changes nothing.

``pyinfra INVENTORY tasks/why.py --data setting=kwin.contrast``. Exit: 0, or 5 where no setting has
that id.
"""

from pyinfra import host

from converge.exits import Exit
from converge.journal.journal import controller_state
from converge.proof import glance, history
from tasks.run import begin
from tasks.steps import proof

work = begin.workspace(host)

proof.look(work)
if work.open and work.snapshot is not None and work.plan is not None:
    name, terminal = work.choices.setting, work.run.terminal
    found = {one.setting.id: one for one in work.plan.standings}
    if name not in found:
        work.stop(Exit.INVALID, glance.no_such_setting(name, found))
    else:
        known = proof.context(work, work.snapshot, work.plan.standings)
        newest = history.last_of(controller_state() / "runs", work.choices.workspace, name)
        terminal.line()
        terminal.line(f"{work.choices.workspace}: {name}", "bold")
        for row in glance.why(known, found[name], newest):
            terminal.row(row, (11,))
        work.run.set(host.name, Exit.CONVERGED, f"{name}: {found[name].stand}")
work.run.prepared(host.name)
