"""The first thing of this project that runs, before pyinfra reads its command line.

pyinfra reads ``config.py`` only after its arguments are valid, and only in the directory it is
started in. ``workspace_start.pth`` of the installed project imports this file in a process whose
command line says pyinfra, so that a mistyped option, another directory and an early Ctrl-C end with
this project's exit codes too. Anything else that is started from the same environment is left
alone; so is pyinfra where neither the directory nor an argument is this project's.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import os
import pwd
import sys
from collections.abc import Sequence
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, cast

PROJECT = Path(__file__).resolve().parent
#: While pyinfra is imported, paramiko does without invoke, which takes long to import: pyinfra puts
#: its own in its place at once.
_ABSENT: Any = None
#: Objects that are made before the first look for unreachable ones. A start makes 50,000, which all
#: stay: Python looks through them 130 times else, a twelfth of the time of a run without changes.
_LOOK_AFTER = 200_000
#: What pyinfra imports at its start and calls in few runs: together a fifth of the time of a start.
_LATER = ("typeguard", "jinja2", "dateutil.parser", "distro", "pyinfra.operations.server")


def concerns(arguments: Sequence[str]) -> bool:
    """Whether a command line may be about this project: its directory, one of its files, or one
    of its commands where there is no file of that name."""
    with contextlib.suppress(OSError):
        names = [one for one in arguments if one == "deploy.py" or one.startswith("tasks/")]
        if any(not Path(name).exists() for name in names):
            return True
        places = [Path.cwd(), *(Path(one) for one in arguments if not one.startswith("-"))]
        return any(PROJECT in (one, *one.parents) for one in (each.resolve() for each in places))
    return False


def _find_home() -> None:
    """Give the process its user's home where HOME is no absolute path: pyinfra, OpenSSH's files and
    this project would look below the directory that it was started in."""
    if not Path(os.environ.get("HOME", "")).is_absolute():
        with contextlib.suppress(KeyError):
            os.environ["HOME"] = pwd.getpwuid(os.getuid()).pw_dir


def _open_streams() -> None:
    """Give a process that was started without one of its three streams a stream to nowhere.

    pyinfra ends with a traceback then, and a file that is opened later gets the number of the
    stream, so that what is printed goes into that file."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


class _Later:
    """A name of a module that is imported when the name is first called or asked for a part."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def real(self) -> Any:
        """What the name stands for."""
        return getattr(importlib.import_module(self._module), self._name)

    def __getattr__(self, part: str) -> Any:
        return getattr(self.real(), part)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.real()(*map(_real, arguments), **{k: _real(v) for k, v in named.items()})


def _real(value: Any) -> Any:
    return value.real() if isinstance(value, _Later) else value


class _LaterModule(ModuleType):
    """Has every name of a module, and imports nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Later(self.__name__, name)


def _types_checked_later() -> ModuleType:
    """What pyinfra uses of typeguard; a value of just the class that is asked for needs none."""

    class TypeCheckError(Exception):
        """As typeguard's own, which is not imported yet where pyinfra names the class."""

    def check_type(value: Any, expected: Any) -> Any:
        if type(value) is expected:
            return value
        import typeguard

        try:
            return typeguard.check_type(value, expected)
        except typeguard.TypeCheckError as error:
            raise TypeCheckError(str(error)) from error

    module: Any = ModuleType("typeguard")
    module.TypeCheckError, module.check_type = TypeCheckError, check_type
    return cast(ModuleType, module)


def _put_off() -> None:
    """Let the modules of ``_LATER`` be imported by whoever uses them first."""
    for name in _LATER:
        if name not in sys.modules:
            sys.modules[name] = _LaterModule(name)
            _put.append(name)
    if "typeguard" in _put:
        sys.modules["typeguard"] = _types_checked_later()


def _take_off() -> None:
    """From here on, an import of such a module is an import of the real one."""
    while _put:
        del sys.modules[_put.pop()]


_put: list[str] = []


def _look_for_plugins_once() -> None:
    """gevent asks 25 times which plugins are installed, and each time Python reads the metadata of
    every package: a tenth of a start. The answers are selected from one look."""
    metadata: Any = importlib.import_module("importlib.metadata")
    look = cache(metadata.entry_points)
    metadata.entry_points = lambda **wanted: look().select(**wanted) if wanted else look()


class _Finder(MetaPathFinder):
    """Finds ``pyinfra_cli.main`` once, and puts ``tasks.run.start`` around its ``main``."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "pyinfra_cli.main":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            _find_home()
            _open_streams()
            _put_off()
            try:
                execute(module)
            finally:
                _take_off()
            if sys.modules.get("invoke", module) is _ABSENT:
                del sys.modules["invoke"]
            from tasks.run import start

            start.take_over(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def install() -> None:
    """What the .pth file calls."""
    if concerns(sys.orig_argv[2:]):
        gc.set_threshold(_LOOK_AFTER)
        from tasks.run.signals import hold_signals

        hold_signals()
        _look_for_plugins_once()
        sys.meta_path.insert(0, _Finder())
        sys.modules.setdefault("invoke", _ABSENT)
