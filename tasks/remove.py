"""Take the product off a workspace: every run is rolled back, then files, layers and records go.

``pyinfra INVENTORY tasks/remove.py``, with ``--dry`` to see what would go. What somebody changed
since stays and is named, so do KDE entries of which the value before is not known any more.
"""

from pyinfra import host

from tasks.run.operations import change, look
from tasks.run.stages import workspace
from tasks.steps import away, read

leaving = look(
    workspace(host),  # what was given, checked before anything was connected
    read.snapshot,  # all that is on the workspace, in one remote command
    away.choose,  # which runs are in force, what else is ours
)
change(
    leaving,
    away.lock,
    away.undo,  # KDE entries, session files, generations: the newest run first
    away.files,  # what is left of the layers and the session files
    away.records,
)
