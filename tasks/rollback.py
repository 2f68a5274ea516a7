"""Undo the last run, or ``--data run=<id>``; ``--data layers=`` undoes a part of the run.

``pyinfra INVENTORY tasks/rollback.py``. It goes back to recorded generation numbers and bytes, and
names what it could not restore, with the commands to do so by hand.
Without a controller: ``~/.local/state/workspace-tuning/workspace/rollback`` on the workspace.
"""

from pyinfra import host

from tasks.run.operations import change, look
from tasks.run.stages import workspace
from tasks.steps import back, read

chosen = look(
    workspace(host),  # what was given, checked before anything was connected
    read.snapshot,  # all that is on the workspace, in one remote command
    back.choose,  # which run, which parts, from which state
)
change(
    chosen,
    back.lock,
    back.undo,
    back.release,
)
