"""Detect: compare a machine with its profile, or write a profile of the machine.

``pyinfra INVENTORY tasks/detect.py`` shows the differences.
``--data write=inventory/hardware/<workspace>.yaml`` writes a new file; an existing file stays.
Changes nothing on the workspace, and needs no root. Exit: 0 nothing differs, or written; 1
something differs or could not be read, or the file exists already; 5 bad input.
"""

from pyinfra import host

from tasks.run.operations import look
from tasks.run.stages import addressed
from tasks.steps import machine

look(addressed(host), machine.answer)  # one remote command; nothing to execute or to confirm
