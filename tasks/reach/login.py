"""Who runs this program. Out: the user's name, as ``id -un`` prints it."""

from __future__ import annotations

import os
import pwd


def own_name() -> str:
    """The name of this process's user; the number where there is none, as in a container.

    ``USER`` and ``LOGNAME`` do not count: after ``su`` or ``sudo -E`` they can name who called."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
