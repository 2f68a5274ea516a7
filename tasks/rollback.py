"""Undo what a run did: the last one, or ``--data run=<id>``; ``--data layers=`` for a part of it.

``pyinfra INVENTORY tasks/rollback.py``. It goes back to recorded generation numbers and bytes,
never to "the previous one". What it could not restore is said, with the commands to do by hand.
Without this controller: ``~/.local/state/workspace-tuning/workspace/rollback`` on the workspace.
"""

from pyinfra import host

from tasks.run import begin
from tasks.steps import back, read

work = begin.workspace(host)  # what was given, checked before anything was connected

read.snapshot(work)  # all that is on the workspace, in one remote command
back.choose(work)  # which run, which parts, from which state
back.lock(work)
back.undo(work)
back.release(work)
