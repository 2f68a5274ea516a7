"""``make demo``: the main job on the sandbox, from setting it up to a second run that does nothing.

Prints what is left out on this machine first. What an act comes to is said after it, from its exit
code, so that the demo tells what happened on this machine and not what happens elsewhere. All of it
stays in the sandbox's directory, the journals of its runs too.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import sandbox

PROJECT = Path(__file__).parent.parent
PYINFRA = Path(sys.executable).parent / "pyinfra"
TOOLS = ("nix", "chezmoi", "kreadconfig6", "kreadconfig5")
ALL_IS_WELL = {0: "Applied. What could be looked at is effective, and the change is kept."}


def act(place: Path, title: str, *arguments: str, ends: Mapping[int, str]) -> None:
    """Run pyinfra on the sandbox and say what came of it. ``ends``: a sentence for each exit code
    that the act may have; any other one ends the demo."""
    shown = " ".join(("pyinfra", "inventory/sandbox.py", *arguments))
    print(f"\n=== {title}\n$ {shown}", flush=True)
    command = [str(PYINFRA), "inventory/sandbox.py", *arguments]
    environment = {**os.environ, "XDG_STATE_HOME": str((place / "controller").resolve())}
    code = subprocess.run(command, cwd=PROJECT, env=environment, check=False).returncode
    if code not in ends:
        print(f"\nThe demo ends here: exit {code}, which this act should not have.")
        raise SystemExit(code or 1)
    print(f"--- {ends[code]}")


def second_act(place: Path) -> None:
    """Somebody changes a managed key, and a file of the administrator's forbids ours."""
    kwinrc = place / "home/.config/kwinrc"
    kwinrc.write_text(kwinrc.read_text().replace("contrastEnabled=false", "contrastEnabled=true"))
    forbidden = place / "etc/xdg/kwinrc"
    forbidden.parent.mkdir(parents=True, exist_ok=True)
    forbidden.write_text("[Plugins]\ncontrastEnabled[$i]=true\n")
    act(
        place,
        "Somebody changes a managed key, and the administrator forbids ours",
        "deploy.py",
        "-y",
        ends={
            0: "What can be done was done; the forbidden key is named, and was left alone.",
            1: "The forbidden key was seen before anything was written.",
            3: "The change had not its effect, so the workspace undid it.",
            4: "Nothing here can ask KDE, so the key was written and is not known to be in use.",
        },
    )
    forbidden.unlink()
    act(place, "Allowed again: the changed key is put right", "deploy.py", "-y", ends=ALL_IS_WELL)


def tools() -> list[str]:
    """The programs of this machine that decide what the sandbox can show."""
    return [name for name in TOOLS if shutil.which(name)]


def main() -> None:
    place = Path(os.environ.get("SANDBOX", ".sandbox"))
    print(f"The sandbox is a complete workspace in {place}; nothing outside it is changed.")
    for line in sandbox.left_out():
        print(f"  left out: {line}")
    fresh = not (place / sandbox.MADE).exists()
    sandbox.data(place)
    memory = place / "demo.json"
    earlier = json.loads(memory.read_text()) if memory.exists() else []
    memory.write_text(json.dumps(tools()))
    if not fresh:
        new = sorted(set(tools()) - set(earlier))
        if new:
            print(f"  new on this machine since the last demo: {', '.join(new)}")
        act(
            place,
            "The sandbox of an earlier demo: what would a run change?",
            "deploy.py",
            "--dry",
            ends={0: "Nothing: the plan is applied.", 2: "This; the next act applies it."},
        )
        act(place, "A run applies what is missing", "deploy.py", "-y", ends=ALL_IS_WELL)
        print("\nAll acts again: make clean demo")
        return
    act(
        place,
        "A dry run shows exactly what would change",
        "deploy.py",
        "--dry",
        ends={2: "Nothing was written."},
    )
    act(place, "A run applies it, proves it, keeps it", "deploy.py", "-y", ends=ALL_IS_WELL)
    act(place, "The same run again", "deploy.py", "-y", ends={0: "Nothing was left to change."})
    second_act(place)
    act(
        place,
        "And the way back",
        "tasks/rollback.py",
        "-y",
        ends={0: "The last run is undone.", 1: "Undone but for what is named above."},
    )
    print("\nNext: change a key in", place / "home/.config/kwinrc", "and look at the drift:")
    print("  .venv/bin/pyinfra inventory/sandbox.py deploy.py --dry --diff")


if __name__ == "__main__":
    main()
