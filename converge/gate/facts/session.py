"""Desktop and session type: is there anybody to read what is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from converge.gate.facts.verdict import Look, Outcome, Verdict


def session(look: Look) -> Iterator[Verdict]:
    declared, machine = look.profile.session, look.machine
    desktop = look.same("session.desktop", declared.desktop, machine.desktop)
    if desktop.outcome is Outcome.DIFFERS:
        desktop = replace(
            desktop,
            why="files of a desktop that is not there are read by nobody",
            settings=look.ids(look.desktop),
        )
    yield desktop
    found = machine.session_type
    verdict = look.same("session.type", declared.type, found)
    if declared.type == "none" and found is None:
        verdict = replace(verdict, outcome=Outcome.TRUE)
    elif declared.type == "x11" and found is None and machine.x11_offered is False:
        verdict = replace(
            verdict,
            outcome=Outcome.DIFFERS,
            found="no X11 session installed",
            fix=look.edit("session.type", "wayland"),
        )
    if verdict.outcome is Outcome.DIFFERS:
        verdict = replace(
            verdict,
            why="settings and flags for one session type have no effect in the other",
            settings=look.ids(look.x11),
        )
    yield verdict
