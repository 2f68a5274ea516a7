"""The user's graphical session. In: processes, session files and the answer of loginctl (lines of
``remote/detect.sh``). Out: the desktop and the session type."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from converge.gate.rows import Rows, field, one, pairs

#: The program of a desktop or window manager -> its name here, where the two differ.
_PROGRAMS = {
    "plasmashell": "plasma",
    "gnome-shell": "gnome",
    "xfce4-session": "xfce",
    "mate-session": "mate",
    "lxqt-session": "lxqt",
    "budgie-wm": "budgie",
    "cosmic-comp": "cosmic",
    "cosmic-session": "cosmic",
    "cinnamon": "cinnamon",
    "cinnamon-session": "cinnamon",
    "enlightenment": "enlightenment",
    "gala": "pantheon",
    "lxsession": "lxde",
}
#: Names that display managers give to a session without a desktop of its own.
_NO_NAMES = {"none", "unknown", "default", "custom", "xsession", "home-manager", "failsafe"}
#: XDG_SESSION_DESKTOP -> the name here, where the two differ.
_SESSIONS = {"kde": "plasma", "plasmax11": "plasma", "plasmawayland": "plasma", "ubuntu": "gnome"}


def _desktop_name(program: str) -> str:
    """Name the desktop of a program, whose name the kernel cuts at 15 characters; "" for none."""
    plain = re.sub(r"-(?:wrapp?e?d?|wra?|w)?$", "", program)
    for known, name in _PROGRAMS.items():
        if plain and (plain == known or (len(plain) > 8 and known.startswith(plain))):
            return name
    return _session_name(plain)


def _session_name(text: str) -> str:
    """Name the desktop of a session's own name; "" where this is no name of a desktop."""
    name = text.strip().lower().replace(" ", "-").removeprefix("none+")  # NixOS: no desktop + WM
    name = re.sub(r"-(?:wayland|x11|xorg|session)$", "", name)
    name = _SESSIONS.get(name, re.sub(r"^(gnome|xfce|plasma)[-_0-9].*$", r"\1", name))
    known = re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,30}", name) and name not in _NO_NAMES
    return name if known else ""


def session(rows: Rows) -> dict[str, object]:
    """Return the fields of ``Machine`` that are about the session."""
    session = pairs(rows, "session")
    processes = {field(row, 0): field(row, 1) for row in rows["process"]}
    types = [*session["type"], *processes.values()]
    kind = next((text for text in types if text in {"x11", "wayland"}), None)
    offered = {field(row, 0) for row in rows["offered"]}
    programs = {field(row, 0) for row in rows["program"]}
    # KWin does not count: other desktops than Plasma run it too.
    programs_of = [program for program in processes if not program.startswith("kwin_")]
    running = [name for program in programs_of if (name := _desktop_name(program))]
    whole = set(_PROGRAMS.values())
    said = [name for text in session["desktop"] if (name := _session_name(text))]
    there = [_desktop_name(one) for one in ("plasmashell", "gnome-shell") if one in programs]
    alone = {_session_name(PurePosixPath(name).stem) for name in offered}
    # A desktop may run a window manager that other people use alone: the desktop goes first.
    running.sort(key=lambda name: (name not in {"plasma", "gnome"}, name not in whole))
    names = running or said or there
    if not names and len(alone) == 1:
        names = [name for name in alone if name]
    desktop = names[0] if names else None
    release = one(rows, "plasma", r"[0-9]{1,2}(?:\.[0-9]{1,3}){1,3}")
    if desktop == "plasma" and release:
        desktop = f"plasma{int(release.partition('.')[0])}"
    elif desktop == "plasma":
        # Plasma 5 called its X11 session plasma; Plasma 6 gave that name to the Wayland one.
        five = any(
            name.endswith(("xsessions/plasma.desktop", "plasmawayland.desktop")) for name in offered
        )
        desktop = "plasma5" if five else "plasma6"
    if desktop is None and kind is None and not offered and (programs or session["type"]):
        desktop = "none"
    return {
        "session_type": kind,
        "desktop": desktop,
        "plasma": release,
        "x11_offered": any("/xsessions/" in name for name in offered) if offered else None,
    }
