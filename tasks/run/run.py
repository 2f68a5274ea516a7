"""One run from the first check to the exit code: input, journal, signals, result.

``config.py`` installs a run before pyinfra connects to anything. The run replaces behaviour of
pyinfra 3.10: there, Ctrl-C and a declined or partly failed run end with 0, a dry run ends with the
same code with and without changes, and the first dead host ends the verdicts of the others.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import tomllib
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click
from pyinfra.api.state import BaseStateCallback

from converge.exits import Exit, Outcome, together
from converge.journal.journal import controller_state, of_kind
from converge.journal.kinds import ProblemRecord, Record, ResultRecord, RunEndRecord, RunStartRecord
from converge.measure.options import Options
from converge.plan.standing import MOVED_ASIDE
from converge.problem import InvalidInput, Problem
from converge.profile import asked, schema
from converge.profile.choices import Choices, check_choices, fleet_problems
from converge.profile.chosen import chosen
from converge.profile.profile import Profile, load_profile
from converge.report import ending, fleet
from converge.report.progress import STYLES, Progress
from converge.report.terminal import Terminal
from tasks.reach import bare, builder, connection, output, quiet, ssh_config
from tasks.run import allowed, loading, options, signals, start
from tasks.run.journal import Journal, JournalError, new_run_id, open_journal
from tasks.run.options import problem as _problem
from tasks.run.start import PROJECT, leave
from tasks.run.waits import Waits

R = TypeVar("R")
__all__ = ["PROJECT", "Run", "begin", "install", "leave"]
#: Tasks that change nothing, so they ask nothing.
READ_ONLY = frozenset({"verify", "status", "why", "detect"})
#: Tasks that look at the machine alone; all others read the workspace first.
LOOKS = frozenset({"detect"})


def version() -> str:
    """The version of this project, from pyproject.toml."""
    data = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    return str(data["project"]["version"])


class Run:
    """One process. It holds the outcome of each workspace that would count if it ended now."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.id = new_run_id()
        self.dry = bool(params["dry"])
        self.diff = bool(params["diff"])
        self.yes = bool(params["yes"])
        self.verbose = bool(params.get("verbosity"))
        self.inventory = str(params.get("inventory", ""))
        self.data = tuple(map(str, params.get("data") or ()))
        # The keys of --data; all other choices are the inventory's.
        self.given = frozenset(one.partition("=")[0] for one in self.data)
        self.command = start.directory(params) / str(params["operations"][0])
        self.task = self.command.stem
        self.terminal = Terminal(sys.stderr if params.get("json_output") else sys.stdout)
        self.progress = Progress(self.terminal, whole=self.verbose)
        self.waits = Waits(Terminal(sys.stderr, beside=self.terminal), stays=self.verbose)
        self.inputs: dict[str, tuple[Choices, Profile | None]] = {}  # by pyinfra's host name
        self.outcomes: dict[str, Outcome] = {}  # by pyinfra's host name
        self.whys: dict[str, str] = {}
        # A dry run needs nothing more of pyinfra, unless these options ask for it.
        self.ends_here = not (params.get("json_output") or params.get("debug_operations"))
        self.pending: set[str] = set()  # hosts whose preparation has not ended
        self.to_do: set[str] = set()  # hosts on which something is to be changed
        self.interrupted = False
        self.executing: Callable[[], bool] = lambda: False  # the steps that change something
        self.working: Callable[[], Container[object]] = tuple  # the greenlets of the workspaces
        self.journal: Journal | None = None

    # -- the record -------------------------------------------------------------------------

    def start(self) -> None:
        """Open the journal. Raises ``JournalError``."""
        self.journal = open_journal(controller_state() / "runs", self.id)
        self.id = self.journal.run
        self.journal.listeners.append(self.progress.say)
        self.journal.append(
            RunStartRecord(
                version=version(),
                task=self.task,
                mode="dry run" if self.dry else "run",
                workspaces=tuple(choices.workspace for choices, _ in self.inputs.values()),
                inventory=self.inventory,
            )
        )

    def record(self, host: str, *records: Record) -> None:
        """Write records for a workspace into the journal, which also prints their messages.

        Where the journal fails before anything is changed, the run ends. Raises ``JournalError``
        after that."""
        assert self.journal is not None
        try:
            self.journal.extend(records, workspace=self.inputs[host][0].workspace)
        except JournalError as error:
            if not self.pending:
                raise
            for name in self.pending:
                self.set(name, Exit.FAILED, f"stopped before anything was changed: {error}")
            self.pending.clear()
            self.finish()

    def records(self, kind: type[R], host: str) -> list[R]:
        """The records of one kind for a workspace in this run."""
        assert self.journal is not None
        workspace = self.inputs[host][0].workspace
        return list(of_kind(self.journal.of(workspace), kind, workspace))

    def _end(self, host: str, outcome: Outcome) -> None:
        """Print the end of a workspace's part: what changed, what is pending, what to do next."""
        assert self.journal is not None
        workspace = self.inputs[host][0].workspace
        for row in ending.rows(
            self.journal.of(workspace),
            workspace,
            outcome,
            run=self.id,
            inventory=self.inventory,
            data=self.data,
            wide=len(self.inputs) > 1,
        ):
            if row.typed:
                self.terminal.line(f"  {row.word:<8}  {row.text}")
            else:
                self.terminal.row((row.word, row.text), (8,), *STYLES[row.tone])

    # -- verdicts ---------------------------------------------------------------------------

    def set(self, host: str, outcome: Exit | Outcome, why: str = "") -> None:
        """Set the outcome of this host, which counts unless it is set again."""
        self.outcomes[host] = Outcome.of(outcome)
        self.whys[host] = why

    @property
    def exits(self) -> dict[str, Exit]:
        """The exit code of each host if the run ended now."""
        return {host: outcome.exit for host, outcome in self.outcomes.items()}

    def changes(self, host: str, why: str) -> None:
        """Note that this host has something to change. A run that ends before the change has
        failed; a dry run, or a run in which the person is still asked, has found changes."""
        self.to_do.add(host)
        if self.dry:
            self.set(host, Outcome.CHANGES, why)
        elif self.yes:
            self.set(host, Outcome.FAILED, "ended before anything was changed")
        else:
            self.set(host, Outcome.DECLINED, f"{why}; nothing was changed")

    def stop_host(self, host: str, code: Exit | Outcome, why: str) -> None:
        """End the part of this host; the other hosts go on."""
        self.set(host, code, why)
        self.record(host, ProblemRecord(text=why))

    def prepared(self, host: str) -> None:
        """Note that the plan of one host is known. Where no host has anything to do, end the run
        before pyinfra asks."""
        self.pending.discard(host)
        to_do = self.task not in READ_ONLY and bool(self.to_do)
        if not self.pending and (not to_do or (self.dry and self.ends_here)):
            sys.exit(0)  # finish() sets the code

    # -- the end ----------------------------------------------------------------------------

    def interrupt(self, number: int, _frame: object) -> None:
        """Answer a signal: the first ends the run after the running step, the second at once."""
        name = signal.Signals(number).name
        if self.interrupted:
            self.terminal.line(
                f"{name} again: not waiting. A step that was sent may run to its end;"
            )
            self.terminal.line("the next run reads what is there and goes on.")
            self.finish()
        self.interrupted = start.interrupted = True
        self.terminal.line(
            f"{name}: waiting for the running step, then ending. Again: do not wait."
        )
        if not self.executing():  # running steps look at ``interrupted``, and undo what is open
            signals.end(128 + number, self.working())

    def finish(self) -> None:
        """Write the result into the journal, print it, and leave with its exit code."""
        for number in signals.SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # the end itself is not interrupted
        ends = []
        for host in self.inputs:
            end = self.outcomes[host]
            whole = end.exit in (Exit.DONE, Exit.UNKNOWN) and self.task not in READ_ONLY
            if self.interrupted and not whole:
                end = Outcome.INTERRUPTED
            ends.append(end)
        end = Outcome.INTERRUPTED if self.interrupted else together(ends)
        try:
            assert self.journal is not None
            for host, one in zip(self.inputs, ends, strict=True):
                self.record(host, ResultRecord(outcome=one.value, why=self.whys[host]))
                self._end(host, one)
            fleet.show(self.terminal, self.journal.lines, dry=self.dry)
            self.journal.append(
                RunEndRecord(outcome=end.value, exit=int(end.exit), journal=str(self.journal.path))
            )
        except JournalError as error:
            end = together([end, Outcome.FAILED])
            self.terminal.line(f"{end} (exit {int(end.exit)}): {error}")
        except Exception as error:  # an exit handler that raises would end with code 0
            end = together([end, Outcome.FAILED])
            what = f"{type(error).__name__}: {error}"
            self.terminal.line(f"{end} (exit {int(end.exit)}): the end could not be told: {what}")
        leave(end.exit)


class _Events(BaseStateCallback):
    """Notes pyinfra's events."""

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
    if not start.is_ours(params):
        return
    original: Callable[..., None] = state.init

    def init(inventory: Any, config: Any, **kwargs: Any) -> None:
        original(inventory, config, **kwargs)
        begin(state, params)

    state.init = init


def begin(state: Any, params: dict[str, Any]) -> None:
    """Check all input. Bad input ends the process before anything is connected or written."""
    global current
    output.install()
    run = Run(params)
    # The run counts failed hosts; otherwise pyinfra asks on the terminal at the first one.
    state.should_raise_failed_hosts = None
    state.config.FAIL_PERCENT = None
    connection.never_ask()
    connection.read_keys_here()
    ssh_config.read_config_here()
    quiet.install(run.waits.terminal, run.waits.progress, whole=run.verbose)
    problems: list[Problem] = list(_flags(params))
    allowed.recall(controller_state())
    before = frozenset(schema.allowed)
    given = run.given
    for host in state.inventory:
        if state.is_host_in_limit(host):
            wrong: list[Problem] = []
            try:
                run.inputs[host.name] = _input(host, run.task, given)
            except InvalidInput as error:
                wrong += error.problems
            # After _input, which sets the connection data of a bare address.
            wrong = [*connection.problems(host), *wrong]
            problems += [_placed(one, host, given, run.inventory) for one in wrong]
            says = partial(_connecting, run, host)
            connection.guard(host, says)
    chosen = {name: choices for name, (choices, _) in run.inputs.items()}
    logins = {one.name: connection.login(one) for one in state.inventory}
    between = (*fleet_problems(chosen, logins), *builder.problems(state.inventory, chosen))
    for problem in between:
        problems.append(replace(problem, file="--data") if problem.path in given else problem)
    waiting = _canary(
        chosen,
        at_once=state.config.PARALLEL,
        serial=bool(params["serial"]),
    )
    if waiting:
        problems.append(_problem("--data canary", waiting, "or leave the canary out"))
    problems += options.picked(state.inventory, params)
    if not run.inputs and not problems:
        problems.append(options.no_workspace(state, params))
    if problems:
        start.refuse(problems, run.terminal)
    allowed.keep(controller_state(), before)
    for name in run.inputs:
        run.set(name, Exit.FAILED, "not reached")
    run.pending = set(run.inputs)
    interrupts = signals.defer()  # so that a begun journal always gets its end
    try:
        run.start()
    except JournalError as error:
        elsewhere = "nothing was touched; mend that, or export XDG_STATE_HOME=DIRECTORY of yours"
        run.terminal.line(f"{Outcome.FAILED} (exit {int(Exit.FAILED)}): {error}; {elsewhere}")
        leave(Exit.FAILED)
    current = run
    start.begun = True
    run.executing = lambda: bool(state.is_executing)
    run.working = lambda: state.pool.greenlets
    atexit.register(run.finish)
    state.add_callback_handler(_Events(run))
    signals.hand_over(interrupts, run.interrupt)


@contextlib.contextmanager
def _connecting(run: Run, host: Any) -> Iterator[None]:
    with run.waits.waiting(host.name, options.named(host), "connect"):
        yield
    if run.task not in LOOKS:
        from tasks.reach import reading

        reading.begin(host, run.inputs[host.name][0])
    loading.begin(run.command)


def _canary(choices: Mapping[str, Choices], *, at_once: int, serial: bool) -> str:
    """Why workspaces cannot wait for a canary in this run, or the empty string."""
    if not any(choice.canary for choice in choices.values()):
        return ""
    if serial:
        return "--serial goes through the workspaces in no order, so they cannot wait for a canary"
    if at_once < len(choices):
        return f"only {at_once} of {len(choices)} workspaces at once: --parallel {len(choices)}"
    return ""


def _flags(params: dict[str, Any]) -> Iterable[Problem]:
    if params["dry"] and params["yes"]:
        yield _problem("--dry -y", "-y makes a dry run show nothing", "leave -y out")
    if params["no_wait"]:
        yield _problem("--no-wait", "failures would go unseen", "leave it out")
    if Path(str(params["operations"][0])).stem in READ_ONLY:
        return
    if not (params["dry"] or params["yes"] or sys.stdin.isatty()):
        yield _problem("standard input", "there is nobody to ask", "add -y to apply, --dry to look")


def _input(host: Any, task: str, given: frozenset[str]) -> tuple[Choices, Profile | None]:
    """The checked choices and profile of one workspace; tasks/detect.py needs no profile."""
    from converge.gate.gate import CONSENTS, FACTS, FORMER
    from converge.plan.standing import OFFERED
    from converge.subjects.settings import BY_ID

    data = dict(host.data.dict())
    if task == "detect" and bare.is_bare(host):
        data = {**bare.choices(host), **data}
    known = [*BY_ID, *FACTS, OFFERED, MOVED_ASIDE]
    choices = check_choices(host.name, data, known_settings=known)
    ids = asked.Ids(BY_ID, FACTS, (*CONSENTS, MOVED_ASIDE), FORMER)
    wrong = [*asked.problems(choices, task=task, given=given, ids=ids)]
    if task == "measure":
        try:
            Options.read(os.environ)
        except ValueError as problem:
            wrong.append(_problem("the environment", str(problem), "see docs/measuring.md"))
    if wrong:
        raise InvalidInput(wrong)
    if task == "deploy" and choices.plan:
        from converge.plan import saved

        shown = saved.load(controller_state() / "plans", choices.plan)
        choices = saved.narrowed(choices, shown, given)
    path = PROJECT / choices.profile
    if task == "detect" and (choices.write or not path.exists()):
        return choices, None
    return choices, chosen(load_profile(path), choices)


def _placed(problem: Problem, host: Any, given: frozenset[str], inventory: str) -> Problem:
    """The problem with its true source: ``--data``, or the inventory's file and workspace."""
    if not problem.file.startswith("inventory host "):
        return problem
    key = problem.path.partition(".")[0].partition("[")[0].strip('"')
    name = str(host.data.get("workspace") or host.name)
    file = inventory if name == inventory else f"{inventory}, workspace {name}"
    return replace(problem, file="--data" if key in given else file)
