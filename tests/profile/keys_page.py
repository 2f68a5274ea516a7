"""``python -m tests.profile.keys_page``: write docs/keys.md, every key of a profile and of a
workspace.

In: the two schemas, which describe each key for editors too. Nothing about a key is written by hand
there; ``tests/test_docs.py`` fails when the page is not what this makes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from converge.profile.schema import load_schema
from tests.conftest import PROJECT
from tests.plan.settings_page import WIDTH

PAGE = PROJECT / "docs" / "keys.md"
HEAD = """\
# Keys

Made from `schemas/` by `.venv/bin/python -m tests.profile.keys_page`; not edited by hand.
"""
CHOICES = """
## The workspace: inventory and `--data`

In `inventory/<workspace>.py` a key holds for every run; by `--data` it holds for one, and wins.
Lists may be written `a,b`. `workspace`, `profile` and `user` must be there. A value that reads as a
number needs two pairs of quotes: `--data 'plan="1e45"'`. Keys of pyinfra's own (`ssh_...`, `_sudo`,
...) are not looked at.
"""
PROFILE = """
## The hardware profile

`inventory/hardware/<workspace>.yaml`. `[]` is one of a list; what is *optional* may be left out.
"""
Node = Mapping[str, Any]


def resolved(node: Node, schema: Node) -> Node:
    """``node`` with what it refers to; its own words win."""
    reference = node.get("$ref")
    if reference is None:
        return node
    target: Node = schema["$defs"][reference.rpartition("/")[2]]
    return {**resolved(target, schema), **node}


def kind(node: Node) -> str:
    """What may be written, where a few words say it."""
    if "const" in node:
        return f"`{node['const']}`"
    if "enum" in node:
        words = [f"`{one}`" for one in node["enum"]]
        return ", ".join(words) if len(words) <= 9 else f"one of {len(words)}"
    if node.get("type") == "array":
        return f"a list: {kind(node['items'])}" if "enum" in node["items"] else "a list"
    low, high = node.get("minimum"), node.get("maximum")
    return f"{low} to {high}" if low is not None and high is not None else ""


def lines(path: str, node: Node, schema: Node, optional: bool) -> Iterator[str]:
    """The key at ``path``, and those below it."""
    node = resolved(node, schema)
    marks = [part for part in (kind(node), "optional" * optional) if part]
    if "default" in node and node["default"] not in ("", []):
        marks.append(f"default `{node['default']}`")
    said = f" ({'; '.join(marks)})" if marks else ""
    text = " ".join(str(node["description"]).split()).rstrip(".")
    indent = "  " * path.count(".")
    yield textwrap.fill(
        f"{indent}- `{path}`{said}: {text}",
        WIDTH,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    below = node
    if node.get("type") == "array":
        path, below = f"{path}[]", resolved(node["items"], schema)
    required = below.get("required", ())
    for name, child in below.get("properties", {}).items():
        yield from lines(f"{path}.{name}", child, schema, name not in required)


def keys(name: str) -> Iterator[str]:
    schema = load_schema(name)
    required = schema["required"]
    for key, node in schema["properties"].items():
        optional = name == "hardware-profile" and key not in required
        yield from lines(key, node, schema, optional)


def page() -> str:
    parts = [HEAD.rstrip(), CHOICES, *keys("workspace"), PROFILE, *keys("hardware-profile")]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
