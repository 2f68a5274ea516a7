"""Verify: the effect of every setting and every item of the plan's checklists.

Changes nothing but the workspace's record of what was found, and that only where it says otherwise.

``pyinfra INVENTORY tasks/verify.py``; ``--data phases=1,4`` narrows, ``--diff`` shows all reasons.
Exit: 0 each setting that applies is effective, or pending and named; 1 something is not effective;
4 something could not be looked at. ``docs/exit-codes.md`` has the words.
"""

from pyinfra import host

from tasks.run.operations import look
from tasks.run.stages import workspace
from tasks.steps import proof

look(
    workspace(host),  # what was given, checked before anything was connected
    proof.look,  # all that is on the workspace, in one remote command
    proof.verify,  # everything that is asked, in one more; the record is told
)
