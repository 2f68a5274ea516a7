"""Elements of HTML and XML. Text is escaped where it enters an element; no other way leads in."""

from __future__ import annotations

from html import escape


class Markup(str):
    """Text that is markup already. Only ``element`` and the modules' own constants make it."""

    __slots__ = ()


_VOID = frozenset(("meta", "br", "hr", "link", "col"))


def element(name: str, /, *children: str | None, **attributes: str | int | float | None) -> Markup:
    """An element. Children that are not ``Markup`` are text; None is left out.

    An attribute is named as in Python: ``class_`` is class, ``aria_label`` is aria-label."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{join(children)}</{name}>")


def join(children: tuple[str | None, ...] | list[str] | list[Markup]) -> Markup:
    """Children of an element, or elements one after the other."""
    return Markup(
        "".join(
            child if isinstance(child, Markup) else escape(child)
            for child in children
            if child is not None
        )
    )
