from pyinfra import host

from tasks.run.operations import look
from tasks.run.stages import workspace
from tasks.steps import proof

look(
    workspace(host),  # what was given, checked before anything was connected
    proof.look,  # all that is on the workspace, in one remote command
    proof.verify,  # everything that is asked, in one more
)
