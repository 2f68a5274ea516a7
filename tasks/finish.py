"""The end of a workspace's part: what was written is recorded, and the lock is released."""

from __future__ import annotations

from converge.exits import Exit
from tasks.begin import Work
from tasks.operations import perform
from tasks.payload import pack
from tasks.write import controller, more_steps, record, verdict


def run(work: Work) -> None:
    """Record what this run wrote, release the lock, say how it ended."""

    def action() -> str:
        assert work.snapshot is not None
        if more_steps(work):
            answer = work.remote(
                "write",
                work.run.id,
                f"{work.record_directory}/record",
                work.lock,
                controller(),
                "release",
                stdin=pack([record(work)], home=work.snapshot.home),
            )
            why = verdict(work, answer)
            if why:
                return why
        work.open = False
        work.run.set(work.host.name, Exit.CONVERGED)
        return ""

    perform(
        name="Record what was written",
        work=work,
        step="record what was written",
        action=action,
        noop="" if work.acts else "nothing was written",
    )
