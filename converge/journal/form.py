"""The dataclass of a record is its only description: it is written, read and documented by it.

A field is ``name: Annotated[type, Says("what it is")]``. Types: text, numbers, bool, enumerations,
``None``, tuples of one type, mappings by text, and dataclasses of such fields.

  plain    a record -> JSON values
  taken    JSON values that are not trusted -> a record; never raises. A field that is missing or of
           another type becomes empty, or what ``Says.otherwise`` names: never a good word
  schema   the JSON Schema of a record; a field without a default is required
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from enum import Enum
from functools import lru_cache, partial
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, get_args, get_origin

LARGEST = 1e12  # the limit of a figure in a record

R = TypeVar("R")
#: Types that are JSON values as they are, and their names in JSON Schema.
_NAMES = {str: "string", bool: "boolean", int: "integer", float: "number", NoneType: "null"}


@dataclass(frozen=True)
class Says:
    """What a field is. ``otherwise``: the value in place of one that cannot be read. ``rules``:
    further keywords of JSON Schema."""

    text: str
    otherwise: Any = None
    rules: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FieldForm:
    """A field of a record: its type without ``Annotated``, its description, its default.

    ``read``: makes a value of the type from a JSON value that is not trusted."""

    name: str
    type: Any
    says: Says
    required: bool
    default: Any
    read: Callable[[object], Any]


def forms(kind: Any) -> tuple[FieldForm, ...]:
    """The fields of a record, in their order."""
    return _forms(kind)


@lru_cache(maxsize=64)
def _forms(kind: type[Any]) -> tuple[FieldForm, ...]:
    hints = typing.get_type_hints(kind, include_extras=True)
    found = []
    for field in dataclasses.fields(kind):
        base, says = _split(hints[field.name])
        made = None if field.default is dataclasses.MISSING else field.default
        if field.default_factory is not dataclasses.MISSING:
            made = field.default_factory()
        required = (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        found.append(
            FieldForm(
                name=field.name,
                type=base,
                says=says,
                required=required,
                default=made,
                read=_reader(base),
            )
        )
    return tuple(found)


def _split(hint: Any) -> tuple[Any, Says]:
    """A type and what is said of it."""
    if get_origin(hint) is Annotated:
        base, says = get_args(hint)[:2]
        return base, says
    return hint, Says("")


# -- write -----------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """A record, or a part of a record, as JSON values."""
    if type(value) in _NAMES:
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {form.name: plain(getattr(value, form.name)) for form in _forms(type(value))}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


# -- read ------------------------------------------------------------------------------------------


def taken(kind: type[R], value: object) -> R:
    """A record of this kind from JSON values that are not trusted. Never raises."""
    given = value if isinstance(value, Mapping) else {}
    return kind(**{form.name: _field(form, given) for form in forms(kind)})


def copied(kind: type[R], value: object) -> R:
    """A record from the fields of the same names of another value."""
    return kind(**{form.name: getattr(value, form.name) for form in forms(kind)})


def _field(field: FieldForm, found: Mapping[str, object]) -> Any:
    if field.name not in found and not field.required:
        return field.default
    raw = found.get(field.name)
    value = field.read(raw)
    words = field.says.rules.get("enum")
    if field.says.otherwise is not None and (value is None or (words and raw not in words)):
        return field.says.otherwise
    if isinstance(field.default, bool) and not isinstance(raw, bool):
        return field.default
    return value


def _reader(kind: Any) -> Callable[[object], Any]:
    """The function that makes a value of this type, looked up once for a field: a plan has hundreds
    of values. It gives None where the type is an enumeration without this value."""
    origin = get_origin(kind)
    if origin in (UnionType, typing.Union):
        (inner,) = (argument for argument in get_args(kind) if argument is not NoneType)
        if inner in (int, float):
            return lambda value: None if value is None else _number(inner, value)
        read, is_record = _reader(inner), is_dataclass(inner)
        return lambda value: (
            None if value is None or (is_record and not isinstance(value, Mapping)) else read(value)
        )
    if origin is tuple:
        return partial(_rows, *_inner(kind, 0))
    if origin is not None and issubclass(origin, Mapping):
        return partial(_by_text, *_inner(kind, 1))
    if is_dataclass(kind) and isinstance(kind, type):
        return partial(taken, kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return lambda value: next((one for one in kind if one.value == value), None)
    if kind is bool:
        return lambda value: value is True
    if kind in (int, float):
        return lambda value: _number(kind, value) or kind()
    return text


def _inner(kind: Any, place: int) -> tuple[Callable[[object], Any], bool]:
    """How a value in a list or a mapping is read, and whether it is a record."""
    inner = _split(get_args(kind)[place])[0]
    return _reader(inner), is_dataclass(inner)


def _rows(read: Callable[[object], Any], is_record: bool, value: object) -> tuple[Any, ...]:
    rows = value if isinstance(value, list | tuple) else ()
    return tuple(read(one) for one in rows if not is_record or isinstance(one, Mapping))


def _by_text(read: Callable[[object], Any], is_record: bool, value: object) -> dict[str, Any]:
    rows = value if isinstance(value, Mapping) else {}
    return {
        text(key): read(one)
        for key, one in rows.items()
        if not is_record or isinstance(one, Mapping)
    }


def _number(kind: Callable[[Any], float], value: object) -> float | None:
    """A figure; None for anything else: NaN, the infinite, and what is beyond LARGEST."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return kind(value) if abs(value) <= LARGEST else None


def text(value: object) -> str:
    """A value as text: numbers are written out, lists are joined, None is the empty text."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(text(one) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {text(one)}" for key, one in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


# -- schema ----------------------------------------------------------------------------------------


def schema(kind: type) -> dict[str, object]:
    """JSON Schema of the fields of a record: ``properties`` and ``required``."""
    return {
        "properties": {form.name: _described(form.type, form.says) for form in forms(kind)},
        "required": [form.name for form in forms(kind) if form.required],
    }


def about(kind: type) -> str:
    """The first line of a record's docstring."""
    return (kind.__doc__ or "").strip().partition("\n")[0].rstrip(".")


def _described(kind: Any, says: Says) -> dict[str, object]:
    form = {"enum": says.rules["enum"]} if "enum" in says.rules else _type(kind)
    return {**form, "description": says.text, **says.rules}


def _type(kind: Any) -> dict[str, object]:
    origin = get_origin(kind)
    if origin in (UnionType, typing.Union):
        (inner,) = (argument for argument in get_args(kind) if argument is not NoneType)
        form = _type(inner)
        return {**form, "type": [form["type"], "null"]}
    if origin is tuple:
        return {"type": "array", "items": _items(get_args(kind)[0])}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _items(get_args(kind)[1])}
    if is_dataclass(kind) and isinstance(kind, type):
        return {"type": "object", "additionalProperties": False, **schema(kind)}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [one.value for one in kind]}
    return {"type": _NAMES[kind]}


def _items(hint: Any) -> dict[str, object]:
    """The form of what is in a list or a mapping; a record in it describes itself."""
    kind, says = _split(hint)
    if is_dataclass(kind) and isinstance(kind, type):
        says = Says(about(kind))
    return _described(kind, says) if says.text else _type(kind)
