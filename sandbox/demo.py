"""``make demo``: the main job on the sandbox, from setting it up to a second run that does nothing.

The demo first prints what is left out on this machine. The heading of an act asks a question, and
the sentence after the act answers it from the journal of its run, so that the demo tells what
happened on this machine. All files stay in the sandbox's directory, the journals too. A demo on the
sandbox of an earlier demo only looks, or applies what new programs of the machine allow.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import sandbox
from converge.exits import Exit, Outcome, known
from converge.journal.journal import last_of_kind, read
from converge.journal.kinds import RunEndRecord
from converge.problem import InvalidInput
from tasks.reach.login import own_name

PROJECT = Path(__file__).parent.parent
PYINFRA = Path(sys.executable).parent / "pyinfra"
TOOLS = ("nix", "chezmoi", "kreadconfig6", "kreadconfig5")
KEPT = (Outcome.PROVED, Outcome.PENDING, Outcome.UNSEEN)
APPLIED = "Applied. What could be looked at is effective, and the change is kept."
NOTHING = {Outcome.UNCHANGED: "Nothing was left to change."}


def act(place: Path, title: str, *arguments: str, ends: Mapping[Outcome, str]) -> None:
    """Run pyinfra on the sandbox and print how it ended. ``ends``: a sentence for each outcome that
    the act may have; any other outcome ends the demo."""
    shown = " ".join(("pyinfra", "inventory/sandbox.py", *arguments))
    print(f"\n=== {title}\n$ {shown}", flush=True)
    command = [str(PYINFRA), "inventory/sandbox.py", *arguments]
    state = (place / "controller").resolve()
    environment = {**os.environ, "XDG_STATE_HOME": str(state)}
    code = subprocess.run(command, cwd=PROJECT, env=environment, check=False).returncode
    outcome = _outcome(state / "workspace-tuning/controller/runs")
    if outcome is None or outcome not in ends or outcome.exit != code:
        print(f"\nThe demo ends here: exit {code}, which this act should not have.")
        raise SystemExit(code or 1)
    print(f"--- {ends[outcome]}")


def _outcome(runs: Path) -> Outcome | None:
    """The outcome of the newest run, from its journal; None where the journal has none."""
    newest = max(runs.glob("*/journal.jsonl"), key=lambda one: one.stat().st_mtime_ns, default=None)
    end = last_of_kind(read(newest), RunEndRecord) if newest else None
    return known(end.outcome) if end else None


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
            **dict.fromkeys(KEPT, "What can be done was done; the forbidden key was left alone."),
            Outcome.UNCHANGED: "The forbidden key is named, and was left alone.",
            Outcome.INEFFECTIVE: "The forbidden key is named, and was left alone.",
            Outcome.ROLLED_BACK: "The change had not its effect, so the workspace undid it.",
            Outcome.UNPROVED: "Nothing here can ask KDE, so it is not known whether it is in use.",
        },
    )
    forbidden.unlink()
    act(
        place,
        "The administrator allows it again: what does a run make of the changed key?",
        "deploy.py",
        "-y",
        ends=dict.fromkeys(KEPT, "The drift is named, and the key is put right."),
    )


def tools() -> list[str]:
    """The programs of this machine that decide what the sandbox can show."""
    return [name for name in TOOLS if shutil.which(name)]


def again(place: Path, new: Sequence[str]) -> None:
    """A demo before this one made the sandbox: look at it, and apply what new programs allow."""
    if new:
        print(f"  new on this machine since the last demo: {', '.join(new)}")
        sandbox.catch_up(place.resolve(), host="sandbox", user=own_name())
    act(
        place,
        "The sandbox of an earlier demo: what would a run change?",
        "deploy.py",
        "--dry",
        ends={
            Outcome.UNCHANGED: "Nothing: the plan is applied.",
            Outcome.CHANGES: "This. Nothing was written.",
        },
    )
    if new:
        ends = {**dict.fromkeys(KEPT, APPLIED), **NOTHING}
        act(place, "A run with what is new: apply, prove, keep", "deploy.py", "-y", ends=ends)
    print("\nAll acts again: make clean demo")


def main() -> None:
    try:
        place = sandbox.place()
    except InvalidInput as error:
        print(f"{error}\nNothing was made.", file=sys.stderr)
        raise SystemExit(int(Exit.INVALID)) from None
    shown = os.path.relpath(place) if place.is_relative_to(Path.cwd()) else place
    print(f"The sandbox is a complete workspace in {shown}; nothing outside it is changed.")
    for line in sandbox.left_out():
        print(textwrap.fill(line, 80, initial_indent="  left out: ", subsequent_indent=" " * 12))
    fresh = not (place / sandbox.MADE).exists()
    sandbox.data(place)
    memory = place / "demo.json"
    earlier = json.loads(memory.read_text()) if memory.exists() else []
    memory.write_text(json.dumps(tools()))
    if not fresh:
        again(place, sorted(set(tools()) - set(earlier)))
        return
    act(
        place,
        "A dry run: what would change, to the byte?",
        "deploy.py",
        "--dry",
        ends={Outcome.CHANGES: "This. Nothing was written."},
    )
    act(
        place,
        "A run: apply, prove, keep",
        "deploy.py",
        "-y",
        ends=dict.fromkeys(KEPT, APPLIED),
    )
    act(place, "The same run again", "deploy.py", "-y", ends=NOTHING)
    second_act(place)
    act(
        place,
        "And the way back",
        "tasks/rollback.py",
        "-y",
        ends={
            Outcome.UNDONE: "The last run is undone: somebody's value is back.",
            Outcome.LEFT: "Undone but for what is named above.",
        },
    )
    print("\nNext: look at the changed key, and at what a run would make of it:")
    print("  .venv/bin/pyinfra inventory/sandbox.py deploy.py --dry --diff")


if __name__ == "__main__":
    main()
