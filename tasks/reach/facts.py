"""pyinfra facts: a command and a parser."""

from __future__ import annotations

from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from converge.plan.snapshot import Snapshot, SnapshotError, parse
from tasks.reach import remote


class WorkspaceSnapshot(FactBase[Snapshot | None]):
    """The state of a workspace, in one remote command. ``None`` is unknown, never absent."""

    def command(self, root: str, arguments: list[str]) -> StringCommand:
        return remote.read_command(root, arguments)

    @staticmethod
    def default() -> Snapshot | None:
        return None

    def process(self, output: list[str]) -> Snapshot:
        try:
            return parse(output)
        except SnapshotError as error:
            raise FactProcessError(str(error)) from error
        except Exception as error:  # a hostile answer ends this workspace's part, not the run
            raise FactProcessError(f"malformed: {type(error).__name__}: {error}") from error
