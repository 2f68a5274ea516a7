"""Why: everything about one setting, or where each of them stands. Changes nothing.

``pyinfra INVENTORY tasks/why.py --data setting=kwin.contrast``; without a setting it lists them.
Exit: 0, or 5 where no setting has that id.
"""

from pyinfra import host

from tasks.run.operations import look
from tasks.run.stages import workspace
from tasks.steps import glance, proof

look(workspace(host), proof.look, glance.why)
