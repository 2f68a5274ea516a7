"""Refusals: what stands in place of a managed file and must not be replaced."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import PurePosixPath

from converge.plan.plan import Refusal
from converge.plan.snapshot import Kind, Snapshot


def refuse_home(snapshot: Snapshot) -> Iterator[Refusal]:
    """Refuse homes that the programs on the workspace cannot work with."""
    if "homeless" in snapshot.marks:
        yield Refusal(
            path=snapshot.home,
            what="the home directory does not exist",
            fix="make it, or correct HOME for this user",
        )
    if any(char in " \t" for char in snapshot.home + snapshot.state):
        yield Refusal(
            path=snapshot.state,
            what="there is a blank in its name",
            fix="use a home and an XDG_STATE_HOME without blanks",
        )


def refuse(snapshot: Snapshot, path: str, *, root: bool = False) -> Refusal | None:
    """Why a run does not replace what is at ``path``, or None. ``root``: a file of root's."""
    for place in (path, *_above(path)):
        if place in snapshot.unreadable:
            return Refusal(path=place, what="it cannot be read", fix="see who owns it: ls -ld")
    for parent in _above(path):
        node = snapshot.nodes.get(parent)
        if node and node.kind is not Kind.DIRECTORY:
            return Refusal(
                path=parent,
                what=f"a {node.kind} stands where a directory of ours belongs",
                fix="move it away, then run again",
            )
    node = snapshot.nodes.get(path)
    if node is None:
        return None
    if node.kind is Kind.SYMLINK:
        owner = "home-manager or NixOS" if node.target.startswith("/nix/store/") else "its owner"
        return Refusal(
            path=path,
            what=f"it is a symbolic link to {node.target}",
            fix=f"let {owner} give the file up, or remove the link; then run again",
        )
    if node.kind is not Kind.FILE:
        return Refusal(
            path=path, what=f"it is a {node.kind}, not a file", fix="move it away, then run again"
        )
    if node.uid != int(snapshot.facts["system_uid" if root else "uid"]):
        name = "root" if root and snapshot.needs_sudo else snapshot.facts["user"]
        return Refusal(
            path=path,
            what=f"it belongs to {node.owner}, not to {name}",
            fix=f"chown {name} {path}",
        )
    return None


@lru_cache(maxsize=4096)
def _above(path: str) -> tuple[str, ...]:
    """Each directory above, the nearest first."""
    return tuple(map(str, PurePosixPath(path).parents))
