"""Read a page back strictly: every tag is closed, and only known elements are there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from html import unescape
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


@dataclass(slots=True)
class Node:
    name: str
    attributes: dict[str, str | None]
    said: list[str]  # the texts of the whole page, in order; this node's begin and end there
    start: int = 0
    end: int = 0
    children: list[Node] = field(default_factory=list)

    def all(self, *names: str) -> list[Node]:
        found = [self] if self.name in names else []
        return found + [node for child in self.children for node in child.all(*names)]

    @property
    def text(self) -> str:
        return "".join(self.said[self.start : self.end])


class _Tree:
    """A tree that is made from the begin and the end of each element."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.root = Node("", {}, self.said)
        self.path = [self.root]

    def begin(self, tag: str, attributes: dict[str, str | None]) -> None:
        node = Node(tag, attributes, self.said, len(self.said), len(self.said))
        self.path[-1].children.append(node)
        if tag not in VOID:
            self.path.append(node)

    def finish(self, tag: str) -> None:
        assert self.path[-1].name == tag, f"</{tag}> closes <{self.path[-1].name}>"
        self.path.pop().end = len(self.said)

    def whole(self) -> Node:
        assert len(self.path) == 1, f"not closed: {[node.name for node in self.path]}"
        self.root.end = len(self.said)
        return self.root


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tree = _Tree()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        wrong = _wrong(tag, [name for name, _ in attrs])
        assert not wrong, wrong
        self.tree.begin(tag, dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        self.tree.finish(tag)

    def handle_data(self, data: str) -> None:
        self.tree.said.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")

    def handle_decl(self, decl: str) -> None:
        assert decl == "DOCTYPE html"

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data!r}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data!r}")


def _wrong(tag: str, names: list[str]) -> str:
    """What no element of a report has, or the empty text."""
    if tag not in KNOWN:
        return f"<{tag}> is not an element of a report"
    if len(set(names)) != len(names):
        return f"<{tag}> has an attribute twice: {names}"
    if any(name.startswith("on") or name == "src" for name in names):
        return f"<{tag}> runs or fetches something: {names}"
    return ""


def read(page: str) -> Node:
    """The tree of a page. Fails on what is not well formed or no part of a report."""
    return quickly(page) or thoroughly(page)


def thoroughly(page: str) -> Node:
    """The same by Python's parser, which knows all of HTML and takes ten times as long."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.tree.whole()


#: A begin of an element in the plainest form: each value is in double quotes.
_BEGIN = re.compile(r'[a-z][a-z0-9]*(?: [a-z][a-z0-9-]*="[^"<>]*")*')
_ATTRIBUTE = re.compile(r' ([a-z][a-z0-9-]*)="([^"]*)"')
_TEXTS = ("style", "title")  # what is in these is text alone, and in the first without references
#: A reference that autoescape does not write.
_OTHER = re.compile(r"&(?!(?:amp|lt|gt|#34|#39);)")


@lru_cache(maxsize=4096)
def _begun(text: str) -> tuple[str, dict[str, str | None]] | None:
    """Name and attributes of a begin, or None where it is not plain, or of no report."""
    tag, found = text.partition(" ")[0], _ATTRIBUTE.findall(text)
    if not _BEGIN.fullmatch(text) or _OTHER.search(text) or _wrong(tag, [one for one, _ in found]):
        return None
    return tag, {name: unescape(value) for name, value in found}


def quickly(page: str) -> Node | None:
    """The tree of a page where each ``<`` begins or ends an element in the plainest form, as the
    templates write them; else, and where it is no page of a report, None."""
    tree = _Tree()
    first, *rest = page.split("<")
    if first:
        return None
    for piece in rest:
        tag, closed, text = piece.partition(">")
        if not closed or ("&" in text and _OTHER.search(text)):
            return None
        if tag[:1] == "/":
            if tag[1:] != tree.path[-1].name:
                return None
            tree.finish(tag[1:])
        elif tree.path[-1].name in _TEXTS:
            return None
        elif tag != "!DOCTYPE html":
            begun = _begun(tag)
            if begun is None or (begun[0] == "style" and "&" in text):
                return None
            tree.begin(begun[0], {**begun[1]})
        if text:
            tree.said.append(unescape(text) if "&" in text else text)
    return tree.whole() if len(tree.path) == 1 else None
