"""pyinfra's settings for this project; pyinfra reads it first, before it connects to anything."""

import os
import sys

import click

from tasks.run import start

start.check(click.get_current_context().params)  # first: from here on Ctrl-C ends with 130

os.environ.setdefault("PYINFRA_PROGRESS", "off")  # its spinner can dead-lock while connecting

from pyinfra import config, state  # noqa: E402

# pyinfra 3.10 forbids bytecode for all that is imported from here on (pyinfra_cli/main.py): every
# run would compile this project, and what it uses, anew.
sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))

from tasks.run import run  # noqa: E402

config.REQUIRE_PYINFRA_VERSION = "~=3.10.0"  # tasks/run leans on measured behaviour of 3.10

run.install(state)
