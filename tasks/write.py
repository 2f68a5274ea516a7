"""Write the changed files of a workspace: one remote command for the user's, one for root's."""

from __future__ import annotations

import getpass
import os
import socket
import time

from converge import layers
from converge.exits import Exit
from converge.plan import Change
from converge.setting import Layer
from converge.written import Written
from tasks import read
from tasks.begin import Work
from tasks.operations import perform
from tasks.payload import pack

ATTEMPTS = 3  # the desktop may write between our reading and our writing


def controller() -> str:
    """Who runs this, for whoever finds the workspace locked."""
    host = "".join(c for c in socket.gethostname() if c.isalnum() or c in "-.") or "unknown"
    return f"{host} {getpass.getuser()} {os.getpid()} {int(time.time())}"


def record(work: Work) -> Change:
    """The record of what was last written, as one more file to write."""
    assert work.plan is not None and work.snapshot is not None
    path = f"{work.snapshot.state}/written.json"
    node = work.snapshot.nodes.get(path)
    written = Written(
        run=work.run.id, files=work.plan.written.files, entries=work.plan.written.entries
    )
    return Change(
        path=path,
        layer=Layer.SESSION,
        before=node.content if node else None,
        after=written.encode(),
        mode=0o600,
    )


def more_steps(work: Work) -> bool:
    """Whether steps follow the user's files; the record is then written at the very end."""
    assert work.plan is not None
    changed = {change.layer for change in work.plan.changes}
    return (
        any(change.root for change in work.plan.changes)
        or any(build.needed for build in work.plan.builds)
        or Layer.PLASMA in changed
    )


def user_files(work: Work) -> None:
    """Take the workspace's lock and write all changed files of its user."""

    def action() -> str:
        for attempt in range(1, ATTEMPTS + 1):
            assert work.plan is not None and work.snapshot is not None
            changes = [change for change in work.plan.changes if not change.root]
            last = not more_steps(work)
            answer = work.remote(
                "write",
                work.run.id,
                f"{work.record_directory}/{attempt}",
                work.lock,
                controller(),
                "release" if last else "keep",
                stdin=pack(
                    [*changes, record(work)] if last else changes,
                    home=work.snapshot.home,
                    sweep=work.plan.sweep,
                ),
            )
            if answer.of("locked"):
                holder = dict(line.partition(" ")[::2] for line in answer.of("lock"))
                work.stop(Exit.LOCKED, f"locked by run {holder.get('run')} of {holder.get('host')}")
                return "locked by another run"
            if not answer.of("stale"):
                return verdict(work, answer)
            work.step(
                "write the user's files", "stale", f"{answer.first('stale')} changed meanwhile"
            )
            again = read.take(work)
            if again is None:
                return "the workspace could not be read again"
            work.snapshot = again
            work.plan = read.plan_for(work, again)
        return f"a file kept changing: {answer.first('stale')}; nothing was written"

    perform(
        name="Write the user's files",
        work=work,
        step="write the user's files",
        action=action,
        noop="" if work.acts else "nothing to change",
    )


def verdict(work: Work, answer: object) -> str:
    """Why a write did not succeed, or the empty string."""
    from tasks.remote import Answer

    assert isinstance(answer, Answer)
    if answer.of("done"):
        return ""
    if answer.lost:
        work.stop(
            Exit.UNKNOWN,
            "the connection was lost: each file is wholly old or wholly new; the next run tells",
        )
        return f"connection lost: {answer.last_error}"
    return answer.first("refused") or answer.last_error


def root_files(work: Work) -> None:
    """Write the NixOS layer as root; the lock is the user's."""
    files = [c for c in work.plan.changes if c.root] if work.acts and work.plan else []

    def action() -> str:
        assert work.snapshot is not None
        directory = layers.system_layer(work.choices.root).rpartition("/")[0]
        answer = work.remote(
            "write",
            work.run.id,
            f"{directory}/runs/{work.run.id}",
            "",
            controller(),
            "keep",
            stdin=pack(files, home=work.snapshot.home),
            sudo=work.snapshot.needs_sudo,
        )
        return verdict(work, answer)

    perform(
        name="Write the NixOS layer as root",
        work=work,
        step="write the NixOS layer as root",
        action=action,
        noop="" if files else "no file of root changes",
    )


def reload(work: Work) -> None:
    """Let the running desktop read its changed files again."""
