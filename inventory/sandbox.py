"""sandbox: a complete workspace in one directory, to try things (SANDBOX, default .sandbox)."""

import os
from pathlib import Path

import sandbox

hosts = [("@local", sandbox.data(Path(os.environ.get("SANDBOX", ".sandbox"))))]
