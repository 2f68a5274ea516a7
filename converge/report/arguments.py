"""The command line of a program of this project that is not a command of pyinfra."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from converge.exits import Exit


class Arguments(argparse.ArgumentParser):
    """argparse, but a wrong call ends with exit code 5: argparse's own 2 means "changes found"."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(int(Exit.INVALID), f"{self.prog}: {message}\n")
