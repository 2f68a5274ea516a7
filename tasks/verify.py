"""Verify: the effect of every setting and every item of the plan's checklists. Changes nothing.

``pyinfra INVENTORY tasks/verify.py``; ``--data phases=1,4`` narrows, ``--diff`` tells every reason.
Exit: 0 all that applies is effective, or is so after the next login or reboot; 1 something is not
effective; 4 something could not be looked at.
"""

from pyinfra import host

from tasks.run import begin
from tasks.steps import proof

work = begin.workspace(host)  # what was given, checked before anything was connected

proof.look(work)  # all that is on the workspace, in one remote command
if work.open:
    findings = proof.after(work, settle=False)  # everything that is asked, in one more
    proof.table(work, findings, whole=work.run.diff)
    work.run.set(host.name, *proof.result(findings))
work.run.prepared(host.name)  # nothing to execute, so nothing to confirm
