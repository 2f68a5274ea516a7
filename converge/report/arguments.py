"""The command line of a program of this project that is not a command of pyinfra."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from converge.exits import Exit


class Arguments(argparse.ArgumentParser):
    """argparse, ending a wrong call with our code: its own 2 is a dry run that found changes."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(int(Exit.INVALID), f"{self.prog}: {message}\n")
