"""Check data against a JSON Schema. In: data and its source. Out: problems with places.

The schemas under ``schemas/`` have the rules, and the messages quote their descriptions. Four keys
are this project's own:

  x-refused   value -> why this value is refused, in place of "is not known"
  x-hint      what to do about any other wrong value
  x-removed   former key -> message and hint (an empty message: another check reports the key)
  x-exact     the values are names of hardware: a hint guesses only names with the same digits
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from converge.problem import NodePath, Problem, did_you_mean, nearest, shown

SCHEMAS = Path(__file__).parents[2] / "schemas"

#: Digests of data that a schema allowed. Such data is not validated again, so that jsonschema,
#: which takes long to import, is not imported. ``tasks/run/allowed.py`` keeps the digests.
allowed: set[str] = set()

MANY = 12  # names that a person still reads to find the right one

_TYPES = {
    "string": "text",
    "integer": "an integer",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
}


class Located(Protocol):
    """A source that can make problems with places: a document, or the data of a host."""

    def problem(
        self,
        path: NodePath,
        message: str,
        hint: str,
        *,
        at_key: bool = False,
        rank: int = 0,
    ) -> Problem: ...

    def is_damaged(self, path: NodePath) -> bool: ...


@cache
def _text(name: str) -> bytes:
    return (SCHEMAS / f"{name}.schema.json").read_bytes()


@cache
def load_schema(name: str) -> Mapping[str, Any]:
    """Return the schema ``schemas/<name>.schema.json``."""
    schema: Mapping[str, Any] = json.loads(_text(name))
    return schema


def _digest(name: str, data: Any) -> str:
    """A digest of a schema and of data; ``repr`` tells 1, True, 1.0 and "1" apart."""
    return hashlib.sha256(_text(name) + b"\0" + repr(data).encode()).hexdigest()


def schema_problems(name: str, data: Any, source: Located) -> tuple[Problem, ...]:
    """Return a problem for all in ``data`` that the schema ``name`` does not allow."""
    digest = _digest(name, data)
    if digest in allowed:
        return ()
    errors = list(_validator(name).iter_errors(data))
    if not errors:
        allowed.add(digest)
    meant: set[NodePath] = set()  # missing keys for which a misspelt key was found
    missing: list[tuple[NodePath, Problem]] = []
    found: list[Problem] = []
    for error in _first_of_each(errors):
        path: NodePath = tuple(error.absolute_path)
        if source.is_damaged(path):
            continue
        if error.validator == "additionalProperties":
            found += _unknown_keys(error, path, source, meant)
        elif error.validator == "required":
            missing += _missing_keys(error, path, source)
        else:
            found.append(_wrong_value(error, path, source))
    found += [problem for path, problem in missing if path not in meant]
    return tuple(dict.fromkeys(found))


def _first_of_each(errors: Sequence[Any]) -> Iterator[Any]:
    """Yield the errors; of a value with a wrong type, or a text of a wrong form, only this one."""
    for worse in ("type", "pattern"):
        named = {tuple(error.absolute_path) for error in errors if error.validator == worse}
        errors = [
            error
            for error in errors
            if error.validator == worse or tuple(error.absolute_path) not in named
        ]
    yield from errors


@cache
def _validator(name: str) -> Any:
    from jsonschema import Draft202012Validator, validators

    def is_integer(_checker: object, value: object) -> bool:
        return type(value) is int  # neither True nor 3.0, which JSON Schema counts as integers

    checker = Draft202012Validator.TYPE_CHECKER.redefine("integer", is_integer)
    extend: Any = validators.extend
    return extend(Draft202012Validator, type_checker=checker)(load_schema(name))


def _unknown_keys(
    error: Any, path: NodePath, source: Located, meant: set[NodePath]
) -> Iterator[Problem]:
    known: Mapping[str, Any] = error.schema.get("properties", {})
    for key in error.instance:
        here = (*path, key)
        if key in known or source.is_damaged(here):
            continue
        if removed := error.schema.get("x-removed", {}).get(key):
            if "becomes" in removed:
                meant.add((*path, removed["becomes"]))
            if removed["message"]:
                yield source.problem(here, removed["message"], removed["hint"], at_key=True)
            continue
        if guess := nearest(str(key), [name for name in known if name not in error.instance]):
            meant.add((*path, guess))
            hint = f"did you mean {guess}?"
        elif guess := nearest(str(key), known):
            hint = f"remove it: {guess} is there already"
        else:
            hint = f"the keys here are {', '.join(known)}"
        yield source.problem(here, "is not a known key", hint, at_key=True)


def _missing_keys(
    error: Any, path: NodePath, source: Located
) -> Iterator[tuple[NodePath, Problem]]:
    for key in error.validator_value:
        if key in error.instance:
            continue
        rule = error.schema.get("properties", {}).get(key, {})
        message = f"the key {key} is missing"
        about = rule.get("description", "")
        hint = error.schema.get("x-hint") or (f"add it. {about}" if about else "add it")
        yield (*path, key), source.problem(path, message, hint, at_key=True, rank=2)


def _wrong_value(error: Any, path: NodePath, source: Located) -> Problem:
    value, rule = error.instance, error.schema
    about: str = rule.get("description", "")
    hint: str = rule.get("x-hint", about)
    refused: Mapping[str, str] = rule.get("x-refused", {})
    if isinstance(value, str) and value in refused:
        return source.problem(path, f"{value} is refused: {refused[value]}", hint)
    match error.validator:
        case "type":
            hint = _number(value, rule) or hint
            return source.problem(path, f"is {_kind(value)}, expected {_expected(rule)}", hint)
        case "enum":
            names = [str(name) for name in error.validator_value]
            message = f"{shown(value)} is not known, expected one of {', '.join(names)}"
            exact = rule.get("x-exact", False)
            if len(names) > MANY and nearest(str(value), names, exact=exact):
                message = f"{shown(value)} is not known"
            hint = did_you_mean(str(value), names, rule.get("x-hint", ""), exact=exact)
            return source.problem(path, message, hint)
        case "const":
            message = f"is {shown(value)}, expected {shown(error.validator_value)}"
            return source.problem(path, message, hint)
        case "minimum" | "maximum":
            return source.problem(
                path, f"{value} is out of range, expected {_expected(rule)}", hint
            )
        case "minItems":
            return source.problem(path, "is an empty list", f"name one or more. {about}")
        case "maxItems":
            most = error.validator_value
            return source.problem(path, f"has {len(value)} entries, expected at most {most}", hint)
        case "uniqueItems":
            return source.problem(path, "names something twice", "name it once")
        case "maxLength":
            message = f"is longer than {error.validator_value} characters"
            return source.problem(path, message, hint)
        case "maxProperties":
            return source.problem(path, "has keys that do not go together", hint, rank=1)
        case _:
            return source.problem(path, f"{shown(value)} does not have the form it needs", hint)


def _number(value: object, rule: Mapping[str, Any]) -> str:
    """What to write in place of a number with quotes or with its unit, or the empty string."""
    found = re.fullmatch(r"\s*([0-9]{1,9})\s*[A-Za-z%]*(?: \w+)?", str(value))
    if rule.get("type") != "integer" or not isinstance(value, str) or not found:
        return ""
    return f"write {int(found[1])}, without quotes and without a unit"


def _kind(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {shown(value)}"
        case str():
            return f"the text {shown(value)}"
        case Mapping():
            return "a mapping"
        case Sequence():
            return "a list"
        case _:
            return "nothing" if value is None else f"a {type(value).__name__}"


def _expected(rule: Mapping[str, Any]) -> str:
    """Say in words which values a rule takes."""
    if "const" in rule:
        return shown(rule["const"])
    if "enum" in rule:
        return "one of " + ", ".join(str(name) for name in rule["enum"])
    kind = _TYPES.get(str(rule.get("type")), "a value")
    low, high = rule.get("minimum"), rule.get("maximum")
    return kind if low is None or high is None else f"{kind} from {low} to {high}"
