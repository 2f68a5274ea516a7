"""Read a page back strictly: every tag is closed, and only known elements are there."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset(("meta", "col", "br", "hr", "wbr"))
#: All that a report is made of. A script, an image or a form would have to come from a value.
KNOWN = VOID | frozenset(
    (
        *("html", "head", "title", "style", "body", "header", "main", "article", "section"),
        *("footer", "h1", "h2", "h3", "h4", "p", "a", "span", "small", "code", "pre", "ul", "li"),
        *("div", "dl", "dt", "dd", "details", "summary", "figure", "figcaption", "i"),
        *("table", "caption", "colgroup", "thead", "tbody", "tr", "th", "td"),
        *("svg", "desc", "g", "line", "rect", "circle", "text"),
    )
)


@dataclass
class Node:
    name: str
    attributes: dict[str, str | None]
    children: list[Node] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    def all(self, *names: str) -> list[Node]:
        found = [self] if self.name in names else []
        return found + [node for child in self.children for node in child.all(*names)]

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("", {})
        self.path = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in KNOWN, f"<{tag}> is not an element of a report"
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"<{tag}> has an attribute twice: {names}"
        assert not [name for name in names if name.startswith("on") or name == "src"], names
        node = Node(tag, dict(attrs))
        self.path[-1].children.append(node)
        if tag not in VOID:
            self.path.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self.path[-1].name == tag, f"</{tag}> closes <{self.path[-1].name}>"
        self.path.pop()

    def handle_data(self, data: str) -> None:
        for node in self.path:
            node.pieces.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")

    def handle_decl(self, decl: str) -> None:
        assert decl == "DOCTYPE html"

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data!r}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data!r}")


def read(page: str) -> Node:
    """The tree of a page. Fails on what is not well formed or no part of a report."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert len(reader.path) == 1, f"not closed: {[node.name for node in reader.path]}"
    return reader.root
