"""Remove this product from a workspace: undo every run, then remove files, layers and records.

``pyinfra INVENTORY tasks/remove.py``; ``--dry`` shows what would go. What somebody changed since
stays and is named; so do KDE entries whose old value is not known any more.
"""

from pyinfra import host

from tasks.run.operations import change, look
from tasks.run.stages import workspace
from tasks.steps import away, read

leaving = look(
    workspace(host),  # what was given, checked before anything was connected
    read.snapshot,  # all that is on the workspace, in one remote command
    away.choose,  # which runs are in force, which other files are this product's
)
change(
    leaving,
    away.lock,
    away.undo,  # KDE entries, session files, generations: the newest run first
    away.files,  # the rest of the layers and the session files
    away.records,
)
