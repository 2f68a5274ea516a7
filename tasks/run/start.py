"""Check how a command is started: every wrong start ends with exit code 5 and one clear line.

``workspace_start`` hands pyinfra's ``main`` over to this module before pyinfra reads its arguments;
``config.py`` calls ``check`` again, for an environment where the project is not installed. pyinfra
3.10 alone would answer with a traceback, exit code 1 (inventory) or 2 (option; here 2 means changes
found), and a file ``pyinfra-debug.log`` in the current directory.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, NoReturn

import click

from converge.exits import Outcome
from converge.problem import InvalidInput, Problem, did_you_mean, nearest
from converge.report.terminal import Terminal, flush
from tasks.reach import quiet
from tasks.reach.address import parse
from tasks.run import inventory_word, options
from tasks.run.options import problem
from tasks.run.signals import hold_signals

PROJECT = Path(__file__).parents[2]
#: The commands, which a person names after the inventory.
COMMANDS = (
    "deploy.py",
    "tasks/verify.py",
    "tasks/status.py",
    "tasks/why.py",
    "tasks/rollback.py",
    "tasks/confirm.py",
    "tasks/remove.py",
    "tasks/detect.py",
    "tasks/measure.py",
)
#: Options of other tools that people try -> pyinfra's option.
_MEANT = {
    "--check": "--dry",
    "--dry-run": "--dry",
    "--noop": "--dry",
    "--apply": "-y",
    "--force": "-y",
    "--tags": "--data phases=...",
    "--phases": "--data phases=...",
    "--layers": "--data layers=...",
    "--plan": "--data plan=ID",
    "--setting": "--data setting=ID",
    "--accept": "--data accept=ID",
    "--include": "--data include=ID",
    "--inventory": "the inventory as the first word",
    "-i": "the inventory as the first word",
}
#: Set by ``tasks.run.run.begin``: from then on the run itself reports its end.
begun = False
#: Set when that run is interrupted: what fails afterwards may fail because of that.
interrupted = False


def leave(code: int) -> NoReturn:
    """End the process with ``code``, whatever pyinfra's own exit code would have been."""
    flush()
    os._exit(code)


def refuse(problems: Iterable[Problem], terminal: Terminal | None = None) -> NoReturn:
    """Print the problems and end the process with exit code 5."""
    errors = Terminal(sys.stderr)
    for line in str(InvalidInput(problems)).splitlines():
        errors.wrapped(line)
    word = Outcome.INVALID
    (terminal or Terminal()).line(f"{word} (exit {int(word.exit)}): nothing was touched", "red")
    leave(word.exit)


# -- what was asked for ---------------------------------------------------------------------------


def is_ours(params: Mapping[str, Any]) -> bool:
    """Whether the command line is for one of the project's commands, or meant to be. Plain pyinfra
    (``exec``, ``fact``, an operation, another deploy file) is left alone."""
    operations = [str(one) for one in params.get("operations") or ()]
    if not operations:
        return directory(params) == PROJECT
    if _swapped(params):
        return True
    here = Path().resolve()
    if params.get("chdir") and here == PROJECT and any(_is_command(here, o) for o in operations):
        return True
    paths = [(directory(params) / operation).resolve() for operation in operations]
    if any(p == PROJECT / "deploy.py" or PROJECT / "tasks" in p.parents for p in paths):
        return True
    if (there := directory(params)) != PROJECT:
        return any(one in COMMANDS and not (there / one).exists() for one in operations)
    if operations[0] in ("exec", "fact", "debug-inventory"):
        return False
    if paths[0].is_dir():
        return True
    if all(path.suffix.lower() == ".py" for path in paths):
        return not any(path.exists() for path in paths)
    return (
        _stem(operations[0]) in {Path(command).stem for command in COMMANDS} or "/" in operations[0]
    )


def _swapped(params: Mapping[str, Any]) -> bool:
    """Whether a command stands in the place of the inventory."""
    return _is_command(directory(params), str(params.get("inventory") or ""))


def directory(params: Mapping[str, Any]) -> Path:
    """The directory in which pyinfra looks for config.py and relative paths."""
    return Path(params.get("chdir") or ".").resolve()


def problems(params: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the problems of the command line, before an inventory is read."""
    operations = [str(one) for one in params.get("operations") or ()]
    here = directory(params)
    if here != PROJECT:
        todo = f"cd {PROJECT}, and the same command again"
        todo += " without --chdir" if params.get("chdir") else ""
        yield problem(str(here), "is not the project's directory", todo)
        return
    config = (here / str(params.get("config_filename") or "config.py")).resolve()
    if config != PROJECT / "config.py":
        yield problem("--config", f"{config} takes the place of our config.py", "leave it out")
    if _swapped(params):
        first, rest = str(params["inventory"]), " ".join(operations)
        yield problem(first, "stands where the inventory has to be", f"pyinfra {rest} {first}")
        return
    wrong = [operation for operation in operations if not _is_command(here, operation)]
    for one in wrong:
        yield problem(one, _what(here / one), _instead(one))
    if len(operations) > 1 and not wrong:
        yield problem(
            " ".join(operations), "are several commands, and a call runs one", "a call for each"
        )
    given = str(params.get("inventory") or "")
    looks = [_stem(operation) for operation in operations] == ["detect"]
    yield from inventory_word.problems(given, alone=looks or bool(wrong))
    yield from options.idle(params, options.typed(sys.argv[1:]))
    named = [str(text) for text in params.get("data") or ()]
    yield from options.data(named, alone=looks and not Path(given).is_file())


def _is_command(here: Path, operation: str) -> bool:
    path = (here / operation).resolve()
    return path.is_file() and any(path == PROJECT / command for command in COMMANDS)


def _what(path: Path) -> str:
    if not path.exists():
        return "there is no such command"
    return "is no command"


def _instead(operation: str) -> str:
    same = [command for command in COMMANDS if Path(command).stem == _stem(operation)]
    if _stem(operation) == "trust":
        return "it is a program of its own: .venv/bin/python -m tasks.trust HOST"
    by_stem = {Path(command).stem: command for command in COMMANDS}
    close = same[:1] or [by_stem[name] for name in [nearest(_stem(operation), by_stem)] if name]
    listed = f"the commands are {', '.join(COMMANDS)}"
    return f"did you mean {close[0]}? {listed}" if close else listed


def _stem(operation: str) -> str:
    return operation.rpartition("/")[2].lower().removesuffix(".py").removeprefix("tasks.")


# -- what pyinfra and click say -------------------------------------------------------------------


def take_over(module: ModuleType) -> None:
    """Wrap ``pyinfra_cli.main.main``; ``workspace_start`` calls this."""
    original: Callable[[], None] = module.main

    def main() -> None:
        params = _params(sys.argv[1:])
        if not is_ours(params):
            return original()
        _keep_signals(module)
        _take_addresses()
        _take_interrupts()
        take_errors()
        if not params.get("verbosity"):
            quiet.hush()
        if params.get("operations"):
            found = list(problems(params))
            if found:
                refuse(found)
        try:
            original()
        except SystemExit as error:
            given = str(params.get("inventory"))
            own = [line for name, line in _lines(error.__traceback__) if name == given]
            if own and not begun and (error.code is None or isinstance(error.code, int)):
                what = f"ends the run before it began: SystemExit({error.code or 0})"
                refuse([problem(f"{given}:{own[-1]}", what, "leave that out")])
            if begun or error.code is None or isinstance(error.code, int):
                raise
            refuse([problem(given, str(error.code), "")])

    module.main = main  # type: ignore[attr-defined]


def _params(arguments: Sequence[str]) -> Mapping[str, Any]:
    """The command line as far as click can read it; click itself reports errors later."""
    from pyinfra_cli.cli import cli

    command: Any = cli
    try:
        context = command.make_context("pyinfra", list(arguments), resilient_parsing=True)
    except (click.ClickException, click.exceptions.Exit):
        return {}
    found: dict[str, Any] = dict(context.params)
    return found


class _Quiet:
    """A module in which the given functions replace its own."""

    def __init__(self, module: Any, **instead: Any) -> None:
        self.module, self.instead = module, instead

    def __getattr__(self, name: str) -> Any:
        return self.instead[name] if name in self.instead else getattr(self.module, name)


def _keep_signals(module: Any) -> None:
    """Keep pyinfra's ``main`` from answering Ctrl-C with "Exiting upon user request!" and 0."""
    module.signal = _Quiet(module.signal, signal=lambda *_: None)
    module.gevent = _Quiet(module.gevent, signal_handler=lambda *_: None)
    hold_signals()


def _take_addresses() -> None:
    """Make pyinfra accept ``host:22`` and ``[::1]:22`` as hosts: by itself it only knows names and
    words with ``@``."""
    from pyinfra_cli import inventory

    module: Any = inventory
    resolves: Callable[[str], bool] = module._resolves_to_host

    def known(given: str) -> bool:
        if resolves(given):
            return True
        try:
            found = parse(given)
        except ValueError:
            return False
        return bool(found["port"]) and resolves(found["host"])

    module._resolves_to_host = known


def _take_interrupts() -> None:
    """Report a KeyboardInterrupt of an inventory's code as a fault of the inventory. Ctrl-C itself
    never arrives as an exception (``hold_signals``), and click would end with "Aborted!" and 1."""
    from pyinfra_cli import exceptions, inventory

    module: Any = inventory
    execute: Callable[..., Any] = module.exec_file

    def executed(filename: str, *arguments: Any, **others: Any) -> Any:
        here = Path.cwd()
        try:
            defined = execute(filename, *arguments, **others)
        except (Exception, SystemExit):
            raise
        except BaseException as error:
            raise exceptions.UnexpectedExternalError(error, filename) from error
        finally:
            os.chdir(here)  # whatever the file did: deploy.py is read from there
        if found := [*options.alone(filename, defined), *options.twice(filename, defined)]:
            refuse(found)
        # pyinfra takes (name, data) for (hosts, data): each letter of the name for a host.
        return {name: value for name, value in defined.items() if not options.is_host(value)}

    module.exec_file = executed


def take_errors() -> None:
    """Report the errors of pyinfra and click in this project's words and with exit code 5."""
    from pyinfra_cli import exceptions

    for kind in (
        click.ClickException,
        click.UsageError,
        click.FileError,
        exceptions.CliError,
        exceptions.WrappedError,
        exceptions.UnexpectedExternalError,
        exceptions.UnexpectedInternalError,
    ):
        kind.show = _show  # type: ignore[method-assign]


def _show(error: click.ClickException, file: Any = None) -> None:
    """The method ``show`` for errors of click and pyinfra."""
    inner = getattr(error, "exception", None)
    if begun:
        if not _ends_a_run(error, inner):
            Terminal(sys.stderr).line(_text(error, inner), "red")
        return  # the run reports its end itself
    if isinstance(inner, InvalidInput):
        refuse(inner.problems)
    if isinstance(error, click.UsageError):
        refuse([_usage(error)])
    if inner is None:
        refuse([problem("the command line", error.format_message().strip(), "pyinfra --help")])
    place = _place(error, inner)
    if place is None:  # neither the inventory nor the command line: a fault of this project
        Terminal(sys.stderr).line("".join(traceback.format_exception(inner)), "red")
        word = Outcome.FAILED
        Terminal().line(f"{word} (exit {int(word.exit)}): {_text(error, inner)}", "red")
        leave(word.exit)
    refuse([problem(place, _said(inner), "mend it, then the same command again")])


def _ends_a_run(error: click.ClickException, inner: object) -> bool:
    """Whether the error is an end that the run reports itself: it is interrupted, no host is left,
    or nobody answered the question."""
    return (
        interrupted or isinstance(inner, EOFError) or "No hosts remaining!" in _text(error, inner)
    )


def _text(error: click.ClickException, inner: object) -> str:
    if isinstance(inner, BaseException):
        return _said(inner)
    return error.format_message()


def _said(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg}"
    text = "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _place(error: click.ClickException, inner: BaseException) -> str | None:
    """File and line in the input that the error comes from; None: the error is elsewhere."""
    if isinstance(inner, SyntaxError) and inner.filename:
        return f"{inner.filename}:{inner.lineno or 1}:{inner.offset or 1}"
    named = str(getattr(error, "filename", ""))
    lines = _lines(getattr(inner, "_traceback", None) or inner.__traceback__)
    given = [line for line in lines if named and line[0] == named]
    if given:
        return f"{named}:{given[-1][1]}"
    if _text(error, inner).startswith(("OSError", "FileNotFound", "Permission", "Unicode")):
        return named or _given()
    pyinfras = lines and "/pyinfra" in lines[-1][0]
    return _given() if pyinfras else None


def _given() -> str:
    """The inventory, as it was typed."""
    return str(_params(sys.argv[1:]).get("inventory") or "the inventory")


def _lines(frames: TracebackType | None) -> list[tuple[str, int]]:
    return [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(frames)]


def _usage(error: click.UsageError) -> Problem:
    """A command line that pyinfra cannot read."""
    first = "pyinfra inventory/<workspace>.py COMMAND"
    if isinstance(error, click.NoSuchOption):
        name = error.option_name
        known = [
            text for one in (error.ctx.command.params if error.ctx else ()) for text in one.opts
        ]
        meant = _MEANT.get(name)
        hint = f"did you mean {meant}?" if meant else did_you_mean(name, known, "pyinfra --help")
        return problem(name, "pyinfra has no such option", hint)
    if isinstance(error, click.MissingParameter):
        return problem(
            "the command line", "has no inventory or no command", f"{first}: {', '.join(COMMANDS)}"
        )
    return problem("the command line", error.format_message().rstrip("."), "pyinfra --help")


def check(params: Mapping[str, Any]) -> None:
    """Check the command line, for a pyinfra that was started without ``workspace_start``;
    ``config.py`` calls this."""
    if is_ours(params):
        hold_signals()
        take_errors()
        found = list(problems(params))
        if found:
            refuse(found)
