"""Refuse parts of a command line or an inventory that would be dropped or do nothing.

In: the command line as click read it, and the names that an inventory's file defines. Out:
problems, before any connection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import click
from pyinfra.api.exceptions import NoGroupError

from converge.problem import Problem, did_you_mean

#: Options for operations of plain pyinfra, by click's name: without effect here.
_IDLE = frozenset(
    {"sudo", "sudo_user", "use_sudo_login", "su_user", "dzdo", "dzdo_user", "shell_executable"}
    | {"retry", "retry_delay", "fail_percent"}
)
_ROOT = "root does two steps, by a sudo that asks nothing: docs/ssh.md; leave it out"
#: Options with a password in the command line, and those at which pyinfra would ask for one.
_PASSWORDS = frozenset({"use_sudo_password", "ssh_password", "ssh_key_password"})
_PROMPTS = frozenset({"same_sudo_password", "ssh_password_prompt"})
#: What a number of an option is, and its limits.
_NUMBERS = {"parallel": ("number of workspaces", 1, 1000), "ssh_port": ("port", 1, 65535)}


def problem(given: str, message: str, hint: str) -> Problem:
    return Problem(file=given, line=0, column=0, path="", message=message, hint=hint)


def typed(arguments: Sequence[str]) -> tuple[click.Option, ...]:
    """The options of a command line in the order in which they were typed; none where click cannot
    read it, and says so later."""
    from pyinfra_cli.cli import cli

    command: Any = cli
    try:
        context = command.make_context("pyinfra", list(arguments), resilient_parsing=True)
        _, _, order = command.make_parser(context).parse_args(list(arguments))
    except (click.ClickException, click.exceptions.Exit):
        return ()
    return tuple(one for one in order if isinstance(one, click.Option))


def idle(params: Mapping[str, Any], given: Sequence[click.Option]) -> Iterator[Problem]:
    """Yield options that would change nothing or be dropped, and values that no option can have.
    ``given`` is from ``typed``."""
    for one in dict.fromkeys(given):
        name, value = str(one.name), params.get(str(one.name))
        option = one.opts[0]
        times = given.count(one)
        if name in _IDLE:
            root = any(part in name for part in ("sudo", "su_", "dzdo"))
            yield problem(option, "does nothing here", _ROOT if root else "leave it out")
        elif name in _PASSWORDS:
            what = f"has a password that ps would show ({option})"
            yield problem("the command line", what, "leave it out; docs/ssh.md says what instead")
        elif name in _PROMPTS:
            what = f"asks for a password, and none is used here ({option})"
            yield problem("the command line", what, "leave it out; docs/ssh.md says what instead")
        elif times > 1 and not (one.multiple or one.is_flag or one.count):
            what = f"is given {times} times, and the last alone would count"
            yield problem(option, what, "give it once")
        elif value == "":
            yield problem(f"{option} ''", "is empty", f"give {option} a value, or leave it out")
        elif name in _NUMBERS and isinstance(value, int):
            noun, lowest, highest = _NUMBERS[name]
            if not lowest <= value <= highest:
                limits = f"{lowest} to {highest}"
                yield problem(f"{option} {value}", f"is no {noun}", limits)
        elif name == "group_data":
            for path in value or ():
                if not Path(str(path)).is_dir():
                    hint = "name a directory with files of data, or leave it out"
                    yield problem(f"{option} {path}".strip(), "is no directory", hint)


def data(given: Sequence[str], *, alone: bool = False) -> Iterator[Problem]:
    """Yield words that are no ``KEY=VALUE``, and keys that are given twice, of which pyinfra would
    use one value. ``alone``: a machine is named without an inventory, so a name can be given."""
    for text in given:
        key, equals, _ = text.partition("=")
        if not key.strip():
            yield problem(f"--data {text}".strip(), "names no key", "--data KEY=VALUE")
        elif not equals:
            yield problem(f"--data {text}", "has no value", f"--data {text}=VALUE")
        elif key == "workspace" and not alone:
            what = "the inventory names its workspaces"
            yield problem("--data workspace", what, "leave it out; --limit picks some of them")
        elif key.startswith("_") and key != "_timeout":
            what = "is for operations of pyinfra's, and does nothing here"
            yield problem(f"--data {key}", what, "leave it out")
    keys = [text.partition("=")[0] for text in given]
    for key in dict.fromkeys(key for key in keys if key.strip() and keys.count(key) > 1):
        what = f"is given {keys.count(key)} times, and the last alone would count"
        yield problem(f"--data {key}", what, f"give it once; a list is --data {key}=ONE,TWO")


def picked(inventory: Any, params: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield patterns of ``--limit`` and ``--exclude`` that match no host."""
    names = sorted(host.name for host in inventory)
    for option in ("limit", "exclude"):
        for pattern in params.get(option) or ():
            if not _matches(inventory, str(pattern), names):
                hint = did_you_mean(
                    str(pattern), names, f"{params.get('inventory')} has {', '.join(names)}"
                )
                what = {"limit": "leaves no workspace", "exclude": "leaves none out"}[option]
                yield problem(
                    f"--{option} '{pattern}'" if not pattern else f"--{option} {pattern}",
                    what,
                    hint,
                )


def _matches(inventory: Any, pattern: str, names: Collection[str]) -> bool:
    try:
        return bool(inventory.get_group(pattern))
    except NoGroupError:
        return any(fnmatch(name, pattern) for name in names)


def is_host(value: object) -> bool:
    """Whether a variable of an inventory is one workspace, which its lists may name."""
    return isinstance(value, tuple) and [type(one) for one in value] == [str, dict]


def alone(inventory: str, defined: Mapping[str, object]) -> Iterator[Problem]:
    """Yield a workspace that stands where an inventory has to have a list."""
    public = {name: value for name, value in defined.items() if not name.startswith("_")}
    ones = [name for name, value in public.items() if is_host(value)]
    if ones and not any(isinstance(value, list) for value in public.values()):
        what = f"{ones[0]} is one workspace and no list"
        yield problem(inventory, what, "write hosts = [workspace(...)]")
    for name, value in public.items():
        if isinstance(value, tuple) and len(value) == 1 and isinstance(value[0], list):
            what = f"{name} is a tuple with a list in it"
            yield problem(inventory, what, f"remove the comma behind the ] of {name}")


def twice(inventory: str, defined: Mapping[str, object]) -> Iterator[Problem]:
    """Yield hosts that an inventory defines twice with different data: pyinfra would use the last.

    ``defined``: the names that the file defines, and their values."""
    found: dict[str, Mapping[str, object]] = {}
    said = set()
    for name, one in (pair for value in defined.values() for pair in _hosts(value)):
        other = found.setdefault(name, one)
        if other is not one and other != one and name not in said:
            said.add(name)
            both = " and ".join(str(each.get("workspace", "a host")) for each in (other, one))
            what = f"names {name} twice, as {both}, and the last alone would count"
            yield problem(
                inventory, what, "give one of them another address: at=[user@]host[:port]"
            )


def _hosts(value: object) -> Iterator[tuple[str, Mapping[str, object]]]:
    for one in value if isinstance(value, list) else ():
        if isinstance(one, tuple) and len(one) == 2 and isinstance(one[1], Mapping):
            yield str(one[0]), one[1]


def named(host: Any) -> str:
    """The name of a host's workspace, as far as the inventory has one."""
    return str(host.data.get("workspace") or host.name)


def no_workspace(state: Any, params: Mapping[str, Any]) -> Problem:
    """Why no workspace is left to work on."""
    given = str(params["inventory"])
    names = sorted(host.name for host in state.inventory)
    if names:
        return problem(
            f"--limit {','.join(params['limit'] or ()) or params['exclude']}",
            "leaves no workspace",
            f"{given} has {', '.join(names)}",
        )
    if Path(given).exists():
        return problem(given, "names no workspace", "see docs/new-workspace.md for its form")
    return problem(
        given, "is no inventory file, and no host of that name is known", "see inventory/"
    )
