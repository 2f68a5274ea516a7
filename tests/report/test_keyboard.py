"""The report's pages by keyboard, in a real browser: order, visible focus, folds and links; and no
word is broken over two lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.report.browser import Browser
from tests.report.test_accessibility import pages
from tests.report.test_report_html import contrast

#: Everything that a keyboard reaches, in the order of the page, folds open or not.
STOPS = "[...document.querySelectorAll('a[href], summary, [tabindex=\"0\"]')]"
#: Where the keyboard is, and how that is shown.
FOCUS = f"""(() => {{
  const node = document.activeElement, style = getComputedStyle(node);
  const box = node.getBoundingClientRect();
  let behind = node;
  while (behind.parentElement && getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)")
    behind = behind.parentElement;
  return {{
    stop: {STOPS}.indexOf(node),
    name: node.tagName + " " + node.textContent.trim().slice(0, 40),
    folded: node.tagName === "SUMMARY" && !node.parentElement.open,
    outline: [style.outlineStyle, parseFloat(style.outlineWidth)],
    colours: [style.outlineColor, getComputedStyle(behind).backgroundColor],
    seen: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
  }};
}})()"""
#: Words that stand on two lines, though there is no place to part them.
BROKEN = r"""(() => {
  for (const fold of document.querySelectorAll("details")) fold.open = true;
  const UNSEEN = ".unseen, .skip, caption, thead";
  const found = [], range = document.createRange();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode;
    const around = node.parentElement;
    if (!around.checkVisibility() || around.closest(UNSEEN)) continue;
    for (const word of node.data.matchAll(/[\p{L}\p{N}]+/gu)) {
      if (word[0].length > 31) continue;  // a digest
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map((box) => Math.round(box.top)));
      const where = around.parentElement.outerHTML.slice(0, 300);
      if (lines.size > 1) found.push(`${word[0]} in ${where}`);
    }
  }
  return found;
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as window:
        yield window


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("pages")
    for name, text in pages().items():
        (place / f"{name}.html").write_text(text, encoding="utf-8")
    return {path.stem: path for path in place.iterdir()}


def hexadecimal(colour: str) -> str:
    """``rgb(1, 2, 3)`` as #010203."""
    parts = colour.partition("(")[2].rstrip(")").split(", ")
    return "#" + "".join(f"{int(part):02x}" for part in parts[:3])


def walk(browser: Browser) -> list[dict[str, Any]]:
    """Tab through the page to its end; a fold is opened by the keyboard when it is come to."""
    stops = []
    while True:
        browser.press("Tab")
        focus = browser.ask(FOCUS)
        if focus["stop"] in (
            -1,
            *(stop["stop"] for stop in stops),
        ):  # behind the last, or at the first again
            return stops
        stops.append(focus)
        if focus["folded"]:
            browser.press("Enter")
            assert not browser.ask(FOCUS)["folded"], f"{focus['name']} does not open by Enter"


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_the_keyboard_reaches_everything_in_order_and_is_seen_where_it_is(
    browser: Browser, files: dict[str, Path], width: int, dark: bool
) -> None:
    for name, file in files.items():
        browser.show(file, width=width, dark=dark)
        stops = walk(browser)
        assert [stop["stop"] for stop in stops] == list(range(browser.ask(f"{STOPS}.length"))), name
        assert len(stops) > 1, name
        for stop in stops:
            style, thick = stop["outline"]
            assert (style, thick >= 2, stop["seen"]) == ("solid", True, True), (name, stop)
            assert contrast(*map(hexadecimal, stop["colours"])) >= 3, (name, stop)


@pytest.mark.slow
def test_space_closes_a_fold_again_and_what_is_in_it_is_passed_by(
    browser: Browser, files: dict[str, Path]
) -> None:
    browser.show(files["proved"], width=1280)
    browser.press("Tab")
    first = browser.ask(FOCUS)
    for folded in (False, True):
        browser.press("Space")
        assert browser.ask(FOCUS) == {**first, "folded": folded}
    browser.ask("first = document.activeElement.parentElement; 0")
    browser.press("Tab")
    assert not browser.ask("first.contains(document.activeElement)")


@pytest.mark.slow
def test_the_first_stop_of_a_page_of_many_workspaces_leads_past_their_list(
    browser: Browser, files: dict[str, Path]
) -> None:
    browser.show(files["fleet"], width=320)
    browser.press("Tab")
    assert browser.ask("document.activeElement.textContent") == "Skip the list of workspaces"
    assert browser.ask(FOCUS)["seen"]
    browser.press("Enter")
    browser.press("Tab")
    assert browser.ask("document.activeElement.closest('main') !== null")


@pytest.mark.slow
@pytest.mark.parametrize("width", [320, 480, 640, 768, 1024, 1280])
def test_no_word_of_a_page_is_broken_inside(
    browser: Browser, files: dict[str, Path], width: int
) -> None:
    for name, file in files.items():
        browser.show(file, width=width)
        assert browser.ask(BROKEN) == [], name
