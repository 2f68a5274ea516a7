"""Refuse parts of a command line or an inventory that would be dropped or do nothing.

In: the command line as click read it, and the names that an inventory's file defines. Out:
problems, before any connection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from pyinfra.api.exceptions import NoGroupError

from converge.problem import Problem, did_you_mean

#: Options for operations of plain pyinfra, without effect here: click's name -> the option.
_IDLE = {
    "sudo": "--sudo",
    "sudo_user": "--sudo-user",
    "use_sudo_login": "--use-sudo-login",
    "su_user": "--su-user",
    "dzdo": "--dzdo",
    "dzdo_user": "--dzdo-user",
    "shell_executable": "--shell-executable",
    "retry": "--retry",
    "fail_percent": "--fail-percent",
}
_ROOT = "root does two steps, by a sudo that asks nothing: docs/ssh.md; leave it out"


def problem(given: str, message: str, hint: str) -> Problem:
    return Problem(file=given, line=0, column=0, path="", message=message, hint=hint)


def idle(params: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield options that would change nothing, and a negative ``--parallel``."""
    if (at_once := params.get("parallel")) and int(at_once) < 0:
        yield problem(f"--parallel {at_once}", "is no number of workspaces", "1 or more")
    for name, option in _IDLE.items():
        if params.get(name):
            root = any(part in name for part in ("sudo", "su_", "dzdo"))
            yield problem(option, "does nothing here", _ROOT if root else "leave it out")


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
