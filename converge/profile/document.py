"""Strict YAML. In: a file. Out: plain data with the place of every node.

Only what every YAML reader and JSON read alike is accepted: mappings, lists, text, decimal
integers, ``true`` and ``false``. What YAML would guess, expand or hide is refused with its line and
column, and all problems are reported at once. The tree is built from parser events, so an alias
cannot expand and a tag cannot name a class.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from converge.problem import (
    InvalidInput,
    NodePath,
    Place,
    Problem,
    hidden_characters,
    show_path,
    shown,
)
from converge.profile.scalar import RefusedScalar, plain
from converge.profile.unparsed import UNCLOSED, explained

if TYPE_CHECKING:
    import yaml

__all__ = ["Document", "InvalidInput", "NodePath", "Place", "Problem", "load", "parse", "scan"]

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_PROBLEMS = 100


@dataclass(frozen=True)
class Document:
    """The data of one file. ``damaged``: the nodes whose value was refused."""

    file: str
    data: dict[str, Any]
    places: Mapping[NodePath, Place]
    keys: Mapping[NodePath, Place]
    damaged: frozenset[NodePath] = frozenset()

    def place(self, path: NodePath) -> Place:
        """Return the place of the value at ``path``, or that of the nearest node above."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place(1, 1))

    def key(self, path: NodePath) -> Place:
        """Return the place of the key at the end of ``path``."""
        return self.keys.get(path) or self.place(path)

    def problem(
        self,
        path: NodePath,
        message: str,
        hint: str,
        *,
        at_key: bool = False,
        rank: int = 0,
    ) -> Problem:
        """Make the problem of the node at ``path``."""
        at = self.key(path) if at_key else self.place(path)
        return Problem(self.file, at.line, at.column, show_path(path), message, hint, rank)

    def is_damaged(self, path: NodePath) -> bool:
        """Say whether ``path`` or a node above was refused already."""
        return any(path[:length] in self.damaged for length in range(len(path) + 1))


def load(path: str | os.PathLike[str]) -> Document:
    """Read one strict YAML file whose root is a mapping.

    Raises InvalidInput with every problem of the file.
    """
    document, problems = scan(path)
    if problems:
        raise InvalidInput(problems)
    return document


def scan(path: str | os.PathLike[str]) -> tuple[Document, tuple[Problem, ...]]:
    """Read like ``load``, but return the problems, so that a caller can add its own.

    Raises InvalidInput where the file cannot be read as a tree at all.
    """
    return parse(content(path), os.fspath(path))


def content(path: str | os.PathLike[str]) -> str:
    """The text of a YAML file. Raises InvalidInput where it cannot be read."""
    file = os.fspath(path)
    return _decode(file, _read(path, file))


def parse(text: str, file: str) -> tuple[Document, tuple[Problem, ...]]:
    """Read strict YAML from ``text``; ``file`` is its name in problems."""
    _refuse_hidden(text, file)
    return _Tree(file).build(text)


def _fail(file: str, message: str, hint: str, line: int = 0, column: int = 0) -> NoReturn:
    raise InvalidInput([Problem(file, line, column, "", message, hint)])


def _read(path: str | os.PathLike[str], file: str) -> bytes:
    # O_NONBLOCK and O_NOFOLLOW protect also against a file that is exchanged after lstat.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        _refuse_special(file, os.lstat(path).st_mode)
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        _fail(file, f"cannot be read: {reason}", "check the path and its permissions")
    try:
        _refuse_special(file, os.fstat(descriptor).st_mode)
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            data = stream.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > MAX_BYTES:
        _fail(
            file,
            f"is larger than {MAX_BYTES // 1024} KiB",
            "a file of this kind has a few KiB: name the right one",
        )
    return data


def _refuse_special(file: str, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    kinds = {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a directory", stat.S_IFIFO: "a FIFO"}
    kind = kinds.get(stat.S_IFMT(mode), "a socket or device")
    _fail(file, f"is {kind}, expected a regular file", "name a YAML file")


def _decode(file: str, data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line, column = _line_column(before, len(before))
        byte = data[error.start]
        _fail(file, f"byte 0x{byte:02x} is not UTF-8", "save the file as UTF-8", line, column)
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def _line_column(text: str, index: int) -> tuple[int, int]:
    return text.count("\n", 0, index) + 1, index - (text.rfind("\n", 0, index) + 1) + 1


def _refuse_hidden(text: str, file: str) -> None:
    problems = []
    for number, row in enumerate(text.split("\n"), start=1):
        for index, what in hidden_characters(row):
            hint = "indent and separate with spaces" if what == "a tab" else "remove it"
            problems.append(
                Problem(file, number, index + 1, "", f"{what} is not allowed here", hint)
            )
    if problems:
        raise InvalidInput(problems[:MAX_PROBLEMS])


@dataclass(slots=True)
class _Frame:
    """A mapping or list that is being filled."""

    into: dict[str, Any] | list[Any]
    path: NodePath
    key: str | None = None
    dropped: bool = False  # a repeated key: its value is read for problems and not kept


@dataclass
class _Tree:
    """Builds plain data from parser events, and collects the problems."""

    file: str
    problems: list[Problem] = field(default_factory=list)
    places: dict[NodePath, Place] = field(default_factory=dict)
    keys: dict[NodePath, Place] = field(default_factory=dict)
    damaged: set[NodePath] = field(default_factory=set)
    stack: list[_Frame] = field(default_factory=list)
    root: Any = None

    def build(self, text: str) -> tuple[Document, tuple[Problem, ...]]:
        import yaml

        loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        documents = 0
        try:
            for event in yaml.parse(text, Loader=loader):
                if isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    self._start(event, documents)
                elif isinstance(event, yaml.NodeEvent):
                    self._node(event)
                elif isinstance(event, yaml.CollectionEndEvent):
                    self.stack.pop()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = _place(mark) if mark is not None else Place(1, 1)
            said = str(error.problem or error.context)
            if "quoted" in str(error.context) and error.context_mark is not None:
                place, said = _place(error.context_mark), UNCLOSED
            self._stop(*explained(text.splitlines(), place, said))
        except yaml.YAMLError as error:
            self._stop(Place(1, 1), f"is not YAML: {shown(str(error))}", "save it as plain text")
        if not isinstance(self.root, dict):
            what = "is empty" if documents == 0 else "is not a mapping of keys to values"
            place = self.places.get((), Place(1, 1))
            self._stop(place, what, 'begin with a line such as "schemaVersion: 1"')
        document = Document(self.file, self.root, self.places, self.keys, frozenset(self.damaged))
        return document, tuple(self.problems)

    def _start(self, event: yaml.DocumentStartEvent, count: int) -> None:
        place = _place(event.start_mark)
        if event.version or event.tags:
            self._add(place, (), "a YAML directive is not allowed", "remove the line with %")
        if count > 1:
            self._stop(place, "a second document begins here", "keep one document in one file")

    def _node(self, event: yaml.NodeEvent) -> None:
        import yaml

        place = _place(event.start_mark)
        path = self._path()
        if isinstance(event, yaml.AliasEvent):
            if self._expects_key():
                self._stop(place, "a key is an alias", "write keys as plain words")
            self._add(place, path, f"the alias *{event.anchor} is not allowed", "write the value")
            self._attach(None, place, path)
            return
        if event.anchor is not None:
            self._add(place, path, f"the anchor &{event.anchor} is not allowed", "remove it")
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._add(place, path, f"the tag {shown(tag)} is not allowed", "remove it")
        if isinstance(event, yaml.ScalarEvent):
            if self._expects_key():
                self._key(event, place)
            else:
                self._attach(self._scalar(event, place, path), place, path)
            return
        if self._expects_key():
            self._stop(place, "a key is a list or a mapping", "write keys as plain words")
        if len(self.stack) >= MAX_DEPTH:
            self._stop(place, f"is nested deeper than {MAX_DEPTH} levels", "remove some levels")
        into: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._attach(into, place, path)
        self.stack.append(_Frame(into, path))

    def _scalar(self, event: yaml.ScalarEvent, place: Place, path: NodePath) -> Any:
        if not event.style and event.tag is None:
            value = plain(event.value)
            if not isinstance(value, RefusedScalar):
                return value
            self._add(place, path, value.message, value.hint)
            return None
        for _, what in hidden_characters(event.value):
            what, hint = (
                ("a line break", "write it on one line, with a quote at each end")
                if what.endswith("U+000A")
                else (what, "remove it")
            )
            self._add(place, path, f"{what} in a value is not allowed", hint)
            return None
        return event.value

    def _key(self, event: yaml.ScalarEvent, place: Place) -> None:
        frame = self.stack[-1]
        assert isinstance(frame.into, dict)
        text: str = event.value
        path = (*frame.path, text)
        frame.key, frame.dropped = text, False
        if text == "<<" and not event.style:
            self._add(place, path, "a merge key is not allowed", "write the keys out")
            frame.dropped = True
        elif not event.style and not isinstance(meaning := plain(text), str):
            hint = f'write "{text}" with quotes where the text is meant'
            why = meaning.message if isinstance(meaning, RefusedScalar) else f"{text} is not text"
            self._add(place, path, f"as a key, {why}", hint)
        elif any(True for _ in hidden_characters(text)):
            self._add(place, path, "an invisible character in a key", "remove it")
        if text in frame.into:
            first = self.keys[path]
            self._add(
                place,
                path,
                f"the key {shown(text)} is there already, on line {first.line}",
                "keep one of the two",
            )
            frame.dropped = True
        self.keys.setdefault(path, place)

    def _attach(self, value: Any, place: Place, path: NodePath) -> None:
        self.places.setdefault(path, place)
        if not self.stack:
            self.root = value
            return
        frame = self.stack[-1]
        if isinstance(frame.into, list):
            frame.into.append(value)
            return
        assert frame.key is not None
        if not frame.dropped:
            frame.into[frame.key] = value
        frame.key = None

    def _expects_key(self) -> bool:
        return (
            bool(self.stack)
            and isinstance(self.stack[-1].into, dict)
            and (self.stack[-1].key is None)
        )

    def _path(self) -> NodePath:
        if not self.stack:
            return ()
        frame = self.stack[-1]
        if isinstance(frame.into, list):
            return (*frame.path, len(frame.into))
        return frame.path if frame.key is None else (*frame.path, frame.key)

    def _add(self, place: Place, path: NodePath, message: str, hint: str) -> None:
        self.damaged.add(path)
        self.problems.append(
            Problem(self.file, place.line, place.column, show_path(path), message, hint)
        )
        if len(self.problems) >= MAX_PROBLEMS:
            raise InvalidInput(self.problems)

    def _stop(self, place: Place, message: str, hint: str) -> NoReturn:
        self._add(place, (), message, hint)
        raise InvalidInput(self.problems)


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1)
