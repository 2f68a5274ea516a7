"""``make demo``: the main job on the sandbox, from setting it up to a second run that does nothing.

Prints what is left out on this machine first. Ends with the exit code of the last run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import sandbox

PROJECT = Path(__file__).parent.parent
PYINFRA = Path(sys.executable).parent / "pyinfra"


def act(title: str, *arguments: str, expect: int = 0) -> None:
    """Run pyinfra on the sandbox; end the demo when it does not end as it should."""
    shown = " ".join(("pyinfra", "inventory/sandbox.py", *arguments))
    print(f"\n=== {title}\n$ {shown}", flush=True)
    command = [str(PYINFRA), "inventory/sandbox.py", *arguments]
    code = subprocess.run(command, cwd=PROJECT, check=False).returncode
    if code != expect:
        print(f"\nthe demo ends here: exit {code}, expected {expect}")
        raise SystemExit(code or 1)


def second_act(place: Path) -> None:
    """A change that has no effect where it should have one is undone."""
    kwinrc = place / "home/.config/kwinrc"
    kwinrc.write_text(kwinrc.read_text().replace("contrastEnabled=false", "contrastEnabled=true"))
    forbidden = place / "etc/xdg/kwinrc"
    forbidden.parent.mkdir(parents=True, exist_ok=True)
    forbidden.write_text("[Plugins]\ncontrastEnabled[$i]=true\n")
    print("\nSecond act: somebody changes a managed key, and the administrator forbids ours.")
    proved = bool(shutil.which("kreadconfig6") or shutil.which("kreadconfig5"))
    act("The change has no effect, so it is undone", "deploy.py", "-y", expect=3 if proved else 0)
    forbidden.unlink()
    act("Allowed again, the drift is healed", "deploy.py", "-y")


def main() -> None:
    place = Path(os.environ.get("SANDBOX", ".sandbox"))
    print(f"The sandbox is a complete workspace in {place}; nothing outside it is changed.")
    for line in sandbox.left_out():
        print(f"  left out: {line}")
    fresh = not (place / sandbox.MADE).exists()
    sandbox.data(place)
    if not fresh:
        act("The sandbox is as the last demo left it: a run changes nothing", "deploy.py", "-y")
        print("\nAll acts again: make clean demo")
        return
    act("A dry run shows exactly what would change", "deploy.py", "--dry", expect=2)
    act("A run applies it, proves it and keeps it", "deploy.py", "-y")
    act("The same run again changes nothing", "deploy.py", "-y")
    second_act(place)
    print("\nNext: change a key in", place / "home/.config/kwinrc", "and look at the drift:")
    print("  .venv/bin/pyinfra inventory/sandbox.py deploy.py --dry --diff")


if __name__ == "__main__":
    main()
