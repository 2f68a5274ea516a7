"""sandbox: a complete workspace in one directory (SANDBOX, default .sandbox here), to try things."""

import os
from pathlib import Path

from converge import sandbox

hosts = [("@local", sandbox.data(Path(os.environ.get("SANDBOX", ".sandbox"))))]
