"""The commands: one file for each, beside three rooms.

``steps`` has the lines of ``deploy.py`` and of the commands, ``run`` the course of one process from
the first check to the exit code, ``reach`` the way to a workspace.
"""

import sys

from tasks.reach import connection

# Older inventory files import ``tasks.connection``.
sys.modules[f"{__name__}.connection"] = connection
