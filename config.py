"""pyinfra's settings for this project; pyinfra reads it first, before it connects to anything."""

import os

os.environ.setdefault("PYINFRA_PROGRESS", "off")  # its spinner can dead-lock while connecting

from pyinfra import config, state

from tasks import run

config.REQUIRE_PYINFRA_VERSION = "~=3.10.0"  # tasks/run.py leans on measured behaviour of 3.10

run.install(state)
