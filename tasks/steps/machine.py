"""Compare a machine with its profile, or write a profile of the machine."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from converge.exits import Exit, Outcome
from converge.gate import declare, detect, gate
from converge.gate.machine import Machine
from converge.journal.kinds import VerdictRecord
from converge.problem import InvalidInput, count
from converge.profile.profile import load_profile
from converge.report.show import show_gate
from tasks.reach import bare
from tasks.run.run import PROJECT
from tasks.run.stages import Given, Over, Workspace


def look(work: Workspace) -> Machine:
    """Read the machine in one remote command, unprivileged. Raises ``Over`` where it fails."""
    answer = work.remote("detect", work.choices.root, timeout=120)
    try:
        return detect.parse("\n".join(answer.lines) + "\n")
    except detect.NotDetected as error:
        why = f"{error}: {answer.last_error}" if not answer.ok else str(error)
        raise Over(why, Exit.FAILED) from error


def compare(work: Given, machine: Machine) -> None:
    """Print each fact of the profile that is not true, and what could not be seen."""
    terminal = work.run.terminal
    verdicts = gate.gate(work.profile, machine, ())
    work.record(*map(gate.record, verdicts))
    terminal.line()
    terminal.line(f"{work.choices.workspace}: {work.profile.file} and the machine", "bold")
    show_gate(terminal, work.run.records(VerdictRecord, work.host.name))
    for verdict in verdicts:
        if verdict.outcome is gate.FactOutcome.TRUE and verdict.why:
            terminal.row((verdict.fact, f"true for now: {verdict.why}; {verdict.fix}"), (26,))
    for text in machine.unseen:
        terminal.row(("not seen", text), (26,), "dim")
    wrong = gate.differences(work.profile, machine)
    if wrong:
        names = [one.fact for one in wrong[:3]] + (["..."] if len(wrong) > 3 else [])
        work.ends(Outcome.DIFFERS, f"{count(len(wrong), 'fact')}: {', '.join(names)}")
    else:
        work.ends(Outcome.AS_DECLARED, "nothing that could be seen differs")


def _profile(work: Workspace, machine: Machine, path: Path) -> str:
    """The text of a profile for the file ``path``. Raises CannotDeclare."""
    schema = os.path.relpath(PROJECT / "schemas/hardware-profile.schema.json", path.parent)
    try:
        return declare.declare(machine, path.stem, schema=schema)
    except declare.CannotDeclare as error:
        if root := work.choices.root:
            raise declare.CannotDeclare(f"{error}; does {root} hold a whole machine?") from error
        raise


def write(work: Workspace, machine: Machine) -> None:
    """Write the profile of the machine as a new file, once it has passed every check.

    1. The text is written into a private directory under its later name, and loaded from there like
       any profile.
    2. The file is linked to its place; the link fails where a file exists already.
    """
    path = PROJECT / work.choices.write
    try:
        text = _profile(work, machine, path)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".detect-") as directory:
            stage = Path(directory) / path.name
            stage.write_text(text, encoding="utf-8")
            load_profile(stage)
            if not work.run.dry:
                os.link(stage, path)
            elif os.path.lexists(path):
                raise FileExistsError
    except FileExistsError:
        why = f"{path} is there already, and stays as it is; name a new file"
        raise Over(why, Exit.FAILED) from None
    except OSError as error:
        why = f"no profile was written: {path.parent}: {error.strerror}; name a file elsewhere"
        raise Over(why, Exit.FAILED) from error
    except (declare.CannotDeclare, InvalidInput) as error:
        raise Over(f"no profile was written: {error}", Exit.FAILED) from error
    for why in machine.unseen:
        work.run.terminal.row(("not seen", why), (12,), "dim")
    if work.run.dry:
        for line in text.splitlines():
            work.run.terminal.line(line)
        return work.ends(Outcome.SHOWN, "nothing was written; without --dry it would be")
    wrote = [os.path.relpath(path, PROJECT) if path.is_relative_to(PROJECT) else str(path)]
    wrote += _inventory(work, wrote[0])
    read = "read both before you use them" if len(wrote) > 1 else "read it before you use it"
    if wrote[1:]:
        then = f".venv/bin/pyinfra {wrote[1]} deploy.py --dry --diff"
        work.run.terminal.line(f"  {'then':<12}  {then}")
    work.ends(Outcome.WRITTEN, f"wrote {' and '.join(wrote)}; {read}")


def _inventory(work: Workspace, profile: str) -> Iterator[str]:
    """Write an inventory file for a machine that has none; an existing file stays. An inventory
    names a profile of this project alone."""
    if not bare.is_bare(work.host) or Path(profile).is_absolute():
        return
    choices = work.choices
    path = PROJECT / "inventory" / f"{choices.workspace}.py"
    with contextlib.suppress(FileExistsError), path.open("x", encoding="utf-8") as stream:
        name, user = choices.workspace, choices.user
        stream.write(bare.inventory(work.host, name=name, user=user, profile=profile))
        yield os.path.relpath(path, PROJECT)


def offer(work: Workspace, machine: Machine) -> None:
    """Print the profile that would be written for a machine without an inventory."""
    terminal, path = work.run.terminal, work.choices.profile
    try:
        text = _profile(work, machine, PROJECT / path)
    except declare.CannotDeclare as error:
        raise Over(f"no profile can be made of it: {error}", Exit.FAILED) from error
    for line in text.splitlines():
        terminal.line(line)
    terminal.line()
    terminal.line(f"to write it, and inventory/{work.choices.workspace}.py:")
    terminal.line(f"  .venv/bin/pyinfra {work.host.name} tasks/detect.py --data write={path}")
    work.ends(Outcome.SHOWN, "nothing was written")


def answer(work: Workspace) -> Workspace:
    """Write a profile, show one, or compare the machine with its profile: what was asked for."""
    machine = look(work)
    _, profile = work.run.inputs[work.host.name]
    if work.choices.write:
        write(work, machine)
    elif bare.is_bare(work.host):
        offer(work, machine)
    elif profile is None:
        hint = f"there is no {work.choices.profile} yet: --data write={work.choices.profile}"
        raise Over(hint, Exit.INVALID)
    else:
        compare(Given.of(work, profile=profile), machine)
    return work
