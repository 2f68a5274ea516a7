"""Show what the built layers change, before anything of them is activated."""

from __future__ import annotations

from tasks.run.begin import Work
from tasks.run.operations import perform

SHOWN = 12  # lines a layer on the terminal; the journal has all


def show(work: Work) -> None:
    """Packages old and new with sizes, and the units that will restart: one remote command."""

    def action() -> str:
        assert work.snapshot is not None
        arguments: list[str] = []
        for build in work.needed_builds:
            current = work.snapshot.current(build.nix.profile)
            layer = build.nix.layer.value
            arguments += (layer, current.path if current else "-", work.paths[layer])
        answer = work.remote("difference", *arguments, sudo=False, timeout=300)
        for build in work.needed_builds:
            layer = build.nix.layer.value
            lines = answer.of(layer)
            for line in lines[:SHOWN]:
                work.run.terminal.row((layer, line), (12,))
            if len(lines) > SHOWN:
                work.run.terminal.row((layer, f"and {len(lines) - SHOWN} more lines"), (12,))
            work.record("difference", layer=layer, lines=list(lines))
        return ""  # what was not told is said; it is no reason to stop

    perform(
        name="Show the difference",
        work=work,
        step="show the difference",
        action=action,
        noop="" if work.needed_builds else "no layer was built",
    )
