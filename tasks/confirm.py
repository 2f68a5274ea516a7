"""Keep the change that was booted on trial, or undo it: a person's answer.

``pyinfra INVENTORY tasks/confirm.py`` shows what was found after the boot, and asks. ``--data
answer=undo`` undoes the change. Without an answer in time the workspace undoes it by itself.
"""

from pyinfra import host

from tasks.run.operations import change, look
from tasks.run.stages import workspace
from tasks.steps import read, trial

waiting = look(
    workspace(host),  # what was given, checked before anything was connected
    read.any_state,  # all that is on the workspace, in one remote command
    trial.choose,  # the trial that waits for an answer
)
change(
    waiting,
    trial.answer,
)
