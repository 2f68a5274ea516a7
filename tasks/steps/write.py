"""Write the changed files of a workspace: one remote command for the user's, one for root's."""

from __future__ import annotations

import getpass
import os
import socket
import time
from dataclasses import replace

from converge.exits import Exit
from converge.plan.plan import Change
from converge.plan.setting import Layer
from tasks.reach.payload import pack
from tasks.reach.remote import Answer
from tasks.run.begin import Work
from tasks.run.operations import perform


def controller() -> str:
    """Who runs this, for whoever finds the workspace locked."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a number without a name, as in a container
        user = str(os.getuid())
    return f"{_word(socket.gethostname())} {_word(user)} {os.getpid()} {int(time.time())}"


def _word(text: str) -> str:
    return "".join(c for c in text if c.isalnum() or c in "-._") or "unknown"


def record(work: Work) -> Change:
    """The record of what was last written, as one more file to write."""
    assert work.plan is not None and work.snapshot is not None
    path = f"{work.snapshot.state}/written.json"
    node = work.snapshot.nodes.get(path)
    written = replace(work.plan.written, run=work.run.id)
    return Change(
        path=path,
        layer=Layer.SESSION,
        before=node.content if node else None,
        after=written.encode(),
        mode=0o600,
    )


def layer_files(work: Work) -> None:
    """Take the workspace's lock and write the user's files that have no effect by themselves.

    When the run changes nothing else, the record is written with them and the lock given back.
    """

    def action() -> str:
        assert work.plan is not None
        assert work.snapshot is not None
        changes = [c for c in work.plan.inert if not c.root]
        last = not work.transacts
        work.holds_lock = bool(work.transacts or work.root_changes or work.root_sweep)
        place = f"{work.record_directory}/layer"
        answer = work.remote(
            "write",
            work.run.id,
            place,
            work.lock,
            controller(),
            "keep" if work.holds_lock else "release",
            stdin=pack(
                [*changes, record(work)] if last else changes,
                home=work.snapshot.home,
                sweep=work.plan.sweep,
            ),
        )
        work.records.append((place, "user", "home"))
        return verdict(work, answer)

    perform(
        name="Take the lock, write the user's layer",
        work=work,
        step="take the lock and write the user's layer",
        action=action,
        noop="" if work.acts else "nothing to change",
    )


def verdict(work: Work, answer: Answer) -> str:
    """Why a write did not succeed, or the empty string."""
    if answer.of("done"):
        return ""
    if answer.of("locked"):
        holder = dict(line.partition(" ")[::2] for line in answer.of("lock"))
        work.stop(Exit.LOCKED, f"locked by run {holder.get('run')} of {holder.get('host')}")
        return "locked by another run"
    if answer.lost:
        work.stop(
            Exit.UNKNOWN,
            "the connection was lost: each file is wholly old or wholly new; the next run tells",
        )
        return f"connection lost: {answer.last_error}"
    if answer.of("stale"):
        return f"{answer.first('stale')} was changed since it was read; nothing was written"
    return answer.first("refused") or answer.last_error


def root_files(work: Work) -> None:
    """Write the NixOS layer as root; the lock is the user's."""

    def action() -> str:
        assert work.snapshot is not None
        place = f"{work.system_record}/layer"
        answer = work.remote(
            "write",
            work.run.id,
            place,
            "",
            controller(),
            "keep",
            stdin=pack(work.root_changes, home=work.snapshot.home, sweep=work.root_sweep),
            sudo=work.snapshot.needs_sudo,
        )
        work.records.append((place, "root" if work.snapshot.needs_sudo else "user", "system"))
        return verdict(work, answer)

    perform(
        name="Write the NixOS layer as root",
        work=work,
        step="write the NixOS layer as root",
        action=action,
        noop="" if work.root_changes or work.root_sweep else "no file of root changes",
    )
