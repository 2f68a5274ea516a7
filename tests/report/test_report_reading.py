"""The quick reader of a page says what Python's parser says, or leaves the page to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from converge.report.html import page
from converge.report.model import build, load
from tests.report.report_reading import Node, quickly, read, thoroughly

JOURNALS = sorted((Path(__file__).parents[1] / "data" / "journals").glob("*.jsonl"))
HEAD = "<!DOCTYPE html><html><head><title>t</title></head><body>"
END = "</body></html>"


def same(one: Node, other: Node) -> bool:
    """Whether two trees say the same, node by node."""
    return (
        (one.name, one.attributes, one.text) == (other.name, other.attributes, other.text)
        and len(one.children) == len(other.children)
        and all(map(same, one.children, other.children))
    )


@pytest.mark.parametrize("path", JOURNALS, ids=lambda path: path.stem)
def test_both_readers_read_a_page_alike_and_the_quick_one_reads_it(path: Path) -> None:
    shown = page(build([load(path)]))
    quick = quickly(shown)
    assert quick and same(quick, thoroughly(shown))


@pytest.mark.parametrize(
    "text",
    [
        *("<script>x</script>", "<img src='x'>", '<p onclick="x">a</p>', '<a src="x">a</a>'),
        *('<p id="1" id="2">a</p>', "<p>", "</p>", "<p><span></p></span>", "<!-- x -->", "<?x>"),
        *("<![CDATA[x]]>", "<form>", '<p id="a"class="b"onload="x">a</p>', "<p onload=x>a</p>"),
        *("<br/>", "</br>"),
    ],
)
def test_what_no_report_has_fails_in_the_thorough_reader(text: str) -> None:
    assert quickly(HEAD + text + END) is None
    with pytest.raises(AssertionError):
        read(HEAD + text + END)


@pytest.mark.parametrize(
    "text",
    [
        *("a < b", "&copy; x", "&nosuch x", "<p id='1'>a</p>", "<p id=1>a</p>", "<p\n>a</p >"),
        *("<style>p {} <i></i></style>", "<P>a</P>", "<style>a &amp; b</style>"),
    ],
)
def test_what_has_more_than_one_reading_is_left_to_the_thorough_reader(text: str) -> None:
    assert quickly(HEAD + text + END) is None
    assert same(read(HEAD + text + END), thoroughly(HEAD + text + END))
