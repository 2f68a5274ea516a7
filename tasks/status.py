"""Status: a workspace at a glance. Changes nothing, and does not wait for a lock.

``pyinfra INVENTORY tasks/status.py``. Exit: 0 as declared, 1 something differs or is
not effective, 4 something is not known.
"""

from pyinfra import host

from tasks.run.operations import look
from tasks.run.stages import workspace
from tasks.steps import glance, proof

look(workspace(host), proof.look, glance.status)
