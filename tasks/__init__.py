"""What a person names on the command line: one file a command.

``steps`` holds the lines of ``deploy.py`` and of the commands, ``run`` one process from the first
check to the exit code, ``reach`` the way to a workspace.
"""

import sys

from tasks.reach import connection

# Inventory files that were written before ``reach`` was a room say ``tasks.connection``.
sys.modules[f"{__name__}.connection"] = connection
