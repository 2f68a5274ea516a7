"""Desktop and session type: whether the programs that read the settings run on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from converge.gate.facts.verdict import FactOutcome, FactVerdict, Look

#: Said while X11 still works, so that nobody learns of the end at the login after the update.
BEFORE_68 = "the update to Plasma 6.8 takes the X11 session away, and with it what is set for X11"
STAY_OR_GO = (
    "before it, stay on Plasma 6.7 (fixes for X11 until early 2027), or log in to the Wayland "
    "session, see that it works, and write session.type: wayland"
)


def session(look: Look) -> Iterator[FactVerdict]:
    declared, machine = look.profile.session, look.machine
    desktop = look.same("session.desktop", declared.desktop, machine.desktop)
    if declared.desktop == "unknown":
        desktop = replace(desktop, outcome=FactOutcome.UNKNOWN)
    elif desktop.outcome is FactOutcome.DIFFERS:
        desktop = replace(
            desktop,
            why="files of a desktop that is not there are read by nobody",
            settings=look.ids(look.desktop),
        )
    yield desktop
    found = machine.session_type
    verdict = look.same("session.type", declared.type, found)
    if declared.type == "unknown":
        verdict = replace(verdict, outcome=FactOutcome.UNKNOWN)
    elif declared.type == "none" and found is None:
        verdict = replace(verdict, outcome=FactOutcome.TRUE)
    elif declared.type == "x11" and found is None and machine.x11_offered is False:
        verdict = replace(
            verdict,
            outcome=FactOutcome.DIFFERS,
            found="no X11 session installed",
            fix=look.edit("session.type", "wayland"),
        )
    # Another desktop keeps its X11 session, whatever Plasma lies beside it.
    of_plasma = declared.desktop == "plasma6"
    if of_plasma and declared.type == "x11" and without_x11(machine.plasma):
        yield replace(
            verdict,
            outcome=FactOutcome.BLOCKS if look.x11 else FactOutcome.DIFFERS,
            found=f"Plasma {machine.plasma}, which has no X11 session",
            why="what is set for X11 is read by nobody; Plasma 6.7 gets fixes until early 2027",
            fix=f"{look.edit('session.type', 'wayland')}, or go back to Plasma 6.7",
            settings=look.ids(look.x11),
        )
        return
    if verdict.outcome is FactOutcome.DIFFERS:
        verdict = replace(
            verdict,
            why="settings and flags for one session type have no effect in the other",
            settings=look.ids(look.x11),
        )
    if of_plasma and found == "x11" and verdict.fix and without_x11(machine.plasma):
        # The session began before the update; the next login cannot be X11, so "declare x11" would
        # be the wrong advice.
        verdict = replace(
            verdict,
            found=f"x11, which Plasma {machine.plasma} does not have any more",
            fix="log out, and in to the Wayland session",
        )
    if of_plasma and declared.type == "x11" and verdict.outcome is FactOutcome.TRUE:
        verdict = replace(verdict, why=BEFORE_68, fix=STAY_OR_GO)
    yield verdict


def without_x11(plasma: str | None) -> bool:
    """Say whether a release of Plasma has no X11 session: 6.8 (first beta: 6.7.80) and later."""
    numbers = [int(part) for part in (plasma or "").split(".") if part.isdecimal()]
    return numbers >= [6, 7, 80]
