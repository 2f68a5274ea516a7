"""One run from the first check to the exit code: input, journal, signals, result.

``config.py`` installs it before pyinfra connects to anything. It replaces what pyinfra 3.10 gets
wrong for us: Ctrl-C and a declined or partly failed run end with 0 there, a dry run does not tell
changes from none, and the first dead host ends the verdicts of the others.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

import click
from pyinfra.api.state import BaseStateCallback

from converge.exits import Exit, worst
from converge.journal.journal import Journal, JournalError, controller_state, new_run_id
from converge.problem import InvalidInput, Problem
from converge.profile.choices import Choices, check_choices, fleet_problems
from converge.profile.profile import Profile, load_profile
from converge.report import fleet
from converge.report.show import describe, style
from converge.report.terminal import Terminal
from tasks.reach import connection, output
from tasks.run import canary
from tasks.steps import elsewhere

PROJECT = Path(__file__).parents[2]
VERSION = "0.1.0"
#: Tasks that change nothing: there is nothing to confirm, so nobody has to be there.
READ_ONLY = frozenset({"verify", "status", "why", "detect"})
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: In place of the profile that tasks/detect.py is there to write.
NO_PROFILE = cast(Profile, None)


class Run:
    """All that one process does. Per workspace: the exit code that holds if it ended now."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.id = new_run_id()
        self.dry = bool(params["dry"])
        self.diff = bool(params["diff"])
        self.yes = bool(params["yes"])
        self.task = Path(str(params["operations"][0])).stem
        self.terminal = Terminal(sys.stderr if params.get("json_output") else sys.stdout)
        self.inputs: dict[str, tuple[Choices, Profile]] = {}  # by pyinfra's host name
        self.exits: dict[str, Exit] = {}  # by pyinfra's host name
        self.whys: dict[str, str] = {}
        self.pending: set[str] = set()  # hosts whose preparation has not ended
        self.to_do: set[str] = set()  # hosts on which something is to be changed
        self.interrupted = False
        self.executing: Callable[[], bool] = lambda: False  # the steps that change something
        self.journal: Journal | None = None

    # -- the record -------------------------------------------------------------------------

    def start(self) -> None:
        """Open the journal. Raises ``JournalError``."""
        self.journal = Journal(controller_state() / "runs", self.id)
        self.journal.listeners.append(self._say)
        self.journal.append(
            "run-start",
            version=VERSION,
            task=self.task,
            mode="dry run" if self.dry else "run",
            workspaces=[choices.workspace for choices, _ in self.inputs.values()],
        )

    def record(self, kind: str, host: str, **fields: object) -> None:
        """One journal record for a workspace; the message follows from it.

        While the plans are made nothing is changed yet: without a journal the run ends there.
        Raises ``JournalError`` afterwards."""
        assert self.journal is not None
        try:
            self.journal.append(kind, workspace=self.inputs[host][0].workspace, **fields)
        except JournalError as error:
            if not self.pending:
                raise
            for name in self.pending:
                self.set(name, Exit.FAILED, f"stopped before anything was changed: {error}")
            self.pending.clear()
            self.finish()

    def records(self, kind: str, host: str) -> list[dict[str, object]]:
        """The records of one kind for a workspace in this run."""
        assert self.journal is not None
        return list(self.journal.of(self.inputs[host][0].workspace, kind))

    def _say(self, record: dict[str, object]) -> None:
        text = describe(record)
        if text:
            self.terminal.line(text, *style(record))

    # -- verdicts ---------------------------------------------------------------------------

    def set(self, host: str, code: Exit, why: str = "") -> None:
        """What the run ends with for this host unless something else happens."""
        self.exits[host] = code
        self.whys[host] = why

    def changes(self, host: str, why: str) -> None:
        """Something is to be changed there. A run that ends before it comes to that has failed;
        where a person is asked, or in a dry run, there are changes."""
        self.to_do.add(host)
        if self.yes:
            self.set(host, Exit.FAILED, "ended before anything was changed")
        else:
            self.set(host, Exit.CHANGES, why)

    def stop_host(self, host: str, code: Exit, why: str) -> None:
        """This host's part is over: nothing more is done there, the others go on."""
        self.set(host, code, why)
        self.record("problem", host, text=why)

    def prepared(self, host: str) -> None:
        """The plan of one host is known. When no host has anything to do, the run is over: there
        is no question to ask and nothing to execute."""
        self.pending.discard(host)
        to_do = self.task not in READ_ONLY and bool(self.to_do)
        if not self.pending and not to_do:
            sys.exit(0)  # finish() sets the code

    # -- the end ----------------------------------------------------------------------------

    def interrupt(self, number: int, _frame: object) -> None:
        """Once: end after the step that is running. Twice: stop waiting for it."""
        name = signal.Signals(number).name
        if self.interrupted:
            self.terminal.line(
                f"{name} again: not waiting. A step that was sent may run to its end;"
            )
            self.terminal.line("the next run reads what is there and goes on.")
            self.finish()
        self.interrupted = True
        self.terminal.line(
            f"{name}: waiting for the running step, then ending. Again: do not wait."
        )
        if not self.executing():  # else the steps look, and what was not decided is taken back
            sys.exit(128 + number)

    def finish(self) -> None:
        """Say the result and leave with its code: the journal, the last line and the code agree."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # the result is said once
        codes = []
        for host, (_, _) in self.inputs.items():
            code = self.exits[host]
            if self.interrupted and code not in (Exit.CONVERGED, Exit.UNKNOWN):
                code = Exit.INTERRUPTED
            codes.append(code)
        code = Exit.INTERRUPTED if self.interrupted else worst(codes)
        try:
            assert self.journal is not None
            for host, one in zip(self.inputs, codes, strict=True):
                self.record("result", host, outcome=one.outcome, why=self.whys[host])
            fleet.show(self.terminal, self.journal.records, dry=self.dry)
            self.journal.append(
                "run-end",
                outcome=code.outcome,
                exit=int(code),
                journal=str(self.journal.path),
            )
        except JournalError as error:
            code = worst([code, Exit.FAILED])
            self.terminal.line(f"{code.outcome} (exit {int(code)}): {error}")
        leave(code)


def leave(code: Exit) -> None:
    """End the process with ``code``, whatever pyinfra's own exit code would have been."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


class _Events(BaseStateCallback):
    """pyinfra's events, as records."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def host_connect_error(self, state: Any, host: Any, error: Any) -> None:  # type: ignore[override]
        self.run.stop_host(host.name, Exit.FAILED, f"no connection: {error}")
        self.run.pending.discard(host.name)


current: Run | None = None


def install(state: Any) -> None:
    """Hook a run into pyinfra's ``state``, from ``config.py``.

    pyinfra drops all callback handlers in ``State.init`` (3.10.0, api/state.py), the last call
    before it connects; so that call is wrapped, on this one instance.
    """
    params = click.get_current_context().params
    if not _ours(params["operations"]):
        return
    original: Callable[..., None] = state.init

    def init(inventory: Any, config: Any, **kwargs: Any) -> None:
        original(inventory, config, **kwargs)
        begin(state, params)

    state.init = init


def _ours(operations: Iterable[str]) -> bool:
    """Whether the operations are this project's files (plain pyinfra stays plain pyinfra)."""
    paths = [Path(str(name)).resolve() for name in operations]
    return any(p == PROJECT / "deploy.py" or p.parent == PROJECT / "tasks" for p in paths)


def begin(state: Any, params: dict[str, Any]) -> None:
    """Check all that was given. Bad input ends here: nothing connected, nothing written."""
    global current
    run = Run(params)
    # Failed hosts are counted by us: without this, pyinfra asks on the terminal at the first one.
    state.should_raise_failed_hosts = None
    state.config.FAIL_PERCENT = None
    connection.never_ask()
    output.install()
    problems: list[Problem] = list(_flags(params))
    for host in state.inventory:
        if state.is_host_in_limit(host):
            problems += connection.problems(host)
            try:
                run.inputs[host.name] = _input(host, run.task)
            except InvalidInput as error:
                problems += error.problems
            connection.guard(host)
    chosen = {name: choices for name, (choices, _) in run.inputs.items()}
    problems += fleet_problems(chosen)
    problems += elsewhere.problems(state.inventory, chosen)
    waiting = canary.problem(
        chosen,
        at_once=state.config.PARALLEL,
        serial=bool(params["serial"]),
    )
    if waiting:
        problems.append(_problem("--data canary", waiting, "or leave the canary out"))
    if not run.inputs and not problems:
        problems.append(_problem("the inventory", "no workspace is selected", "see --limit"))
    if problems:
        for problem in InvalidInput(problems).problems:
            print(str(problem), file=sys.stderr)
        run.terminal.line(f"{Exit.INVALID.outcome} (exit {int(Exit.INVALID)}): nothing was touched")
        leave(Exit.INVALID)
    for name in run.inputs:
        run.set(name, Exit.FAILED, "not reached")
    run.pending = set(run.inputs)
    try:
        run.start()
    except JournalError as error:
        run.terminal.line(f"{Exit.FAILED.outcome} (exit {int(Exit.FAILED)}): {error}")
        leave(Exit.FAILED)
    current = run
    run.executing = lambda: bool(state.is_executing)
    for number in SIGNALS:
        signal.signal(number, run.interrupt)
    atexit.register(run.finish)
    state.add_callback_handler(_Events(run))


def _problem(file: str, message: str, hint: str) -> Problem:
    return Problem(file=file, line=0, column=0, path="", message=message, hint=hint)


def _flags(params: dict[str, Any]) -> Iterable[Problem]:
    if params["dry"] and params["yes"]:
        yield _problem("--dry -y", "-y makes a dry run show nothing", "leave -y out")
    if params["no_wait"]:
        yield _problem("--no-wait", "failures would go unseen", "leave it out")
    if params["use_sudo_password"] or params["same_sudo_password"]:
        yield _problem(
            "--use-sudo-password", "shows the password in ps on the workspace", "see docs/ssh.md"
        )
    if Path(str(params["operations"][0])).stem in READ_ONLY:
        return
    if not (params["dry"] or params["yes"] or sys.stdin.isatty()):
        yield _problem("standard input", "there is nobody to ask", "add -y to apply, --dry to look")


def _input(host: Any, task: str) -> tuple[Choices, Profile]:
    from converge.gate.gate import FACTS
    from converge.subjects.settings import BY_ID

    choices = check_choices(host.name, host.data.dict(), known_settings=[*BY_ID, *FACTS])
    path = PROJECT / choices.profile
    if task == "detect" and not path.exists():
        return choices, NO_PROFILE
    return choices, load_profile(path)
