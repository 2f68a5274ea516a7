"""The page as a reader sees it: its structure, its contrast, and in a real browser."""

from __future__ import annotations

import json
import re
import subprocess
from html import escape, unescape
from itertools import pairwise
from pathlib import Path

import pytest

from converge.report.html import STYLE, page
from converge.report.model import build, load
from tests.report.report_reading import read
from tests.tools import need

JOURNALS = Path(__file__).parents[1] / "data" / "journals"
CASES = {
    "proved": ("proved", "measured"),
    "dry": ("dry",),
    "fleet": ("fleet",),
    "disproved": ("disproved",),
}
WIDTHS = (320, 360, 768, 1280)
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--hide-scrollbars",
)
DUMP = ("--virtual-time-budget=20000", "--dump-dom")
DARK = "--blink-settings=preferredColorScheme=0"

#: A page with the reports in frames of a reader's widths; it opens every fold and measures.
PROBE = """<!DOCTYPE html><meta charset="utf-8"><body>{frames}<pre id="result"></pre><script>
addEventListener("load", () => {{
  const found = {{}};
  for (const frame of document.querySelectorAll("iframe")) {{
    const page = frame.contentDocument;
    for (const fold of page.querySelectorAll("details")) fold.open = true;
    const nodes = [...page.querySelectorAll("body *")];
    const width = frame.contentWindow.innerWidth;
    const start = (node) => node.outerHTML.slice(0, 80);
    const outside = nodes.filter((node) => {{
      const box = node.getBoundingClientRect();
      return box.right > width + 0.5 && box.width > 1 && box.height > 1;
    }});
    const small = nodes.filter((node) =>
      node.textContent.trim() && parseFloat(getComputedStyle(node).fontSize) < 12);
    const overlaps = [...page.querySelectorAll("svg g")].filter((row) => {{
      const label = row.querySelector(".label").getBoundingClientRect();
      return label.right > row.querySelector(".verdict").getBoundingClientRect().left;
    }});
    found[frame.id] = {{
      width,
      scroll: page.documentElement.scrollWidth,
      outside: outside.map(start),
      small: small.map(start),
      overlaps: overlaps.map((row) => row.textContent),
      ground: getComputedStyle(page.body).backgroundColor,
      height: page.body.getBoundingClientRect().height,
    }};
  }}
  document.querySelector("#result").textContent = JSON.stringify(found);
}});
</script>"""


def shown(name: str) -> str:
    return page(build([load(JOURNALS / f"{journal}.jsonl") for journal in CASES[name]]))


def in_browser(directory: Path, *flags: str) -> dict[str, dict[str, object]]:
    """What a real browser makes of every case at every width."""
    frames = "".join(
        f'<iframe id="{name}-{width}" style="width:{width}px;height:900px;border:0" '
        f'srcdoc="{escape(shown(name))}"></iframe>'
        for name in CASES
        for width in WIDTHS
    )
    probe = directory / "probe.html"
    probe.write_text(PROBE.format(frames=frames))
    profile = f"--user-data-dir={directory / 'profile'}"
    ended = subprocess.run(
        [need("chromium"), *QUIET, profile, *flags, *DUMP, probe.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    result = re.findall(r'<pre id="result">(.*?)</pre>', ended.stdout, re.DOTALL)[-1]
    found: dict[str, dict[str, object]] = json.loads(unescape(result))
    assert len(found) == len(CASES) * len(WIDTHS)
    return found


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    return in_browser(tmp_path_factory.mktemp("light"))


@pytest.mark.slow
def test_nothing_is_wider_than_the_window_with_every_fold_open(
    light: dict[str, dict[str, object]],
) -> None:
    for name, one in light.items():
        assert one["width"] == int(name.rpartition("-")[2])
        assert one["scroll"] == one["width"], (name, one["outside"])
        assert one["outside"] == [], name
        assert float(str(one["height"])) > 500, "an empty page fits everywhere"


@pytest.mark.slow
def test_no_letter_is_too_small_to_read_and_no_words_of_the_picture_meet(
    light: dict[str, dict[str, object]],
) -> None:
    for name, one in light.items():
        assert (one["small"], one["overlaps"]) == ([], []), name


@pytest.mark.slow
def test_the_page_is_dark_where_the_reader_wants_it_dark(
    light: dict[str, dict[str, object]], tmp_path: Path
) -> None:
    dark = in_browser(tmp_path, DARK)
    for name in light:
        bright, dim = (
            sum(map(int, re.findall(r"\d+", str(found[name]["ground"]))[:3]))
            for found in (light, dark)
        )
        assert bright > 600 and 0 < dim < 150, name
        assert dark[name]["outside"] == []


# -- without a browser ---------------------------------------------------------------------------


def colours(text: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+):\s*(#[0-9a-f]{6});", text))


def luminance(colour: str) -> float:
    """As WCAG 2 defines it."""

    def linear(value: float) -> float:
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[i : i + 2], 16) / 255) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(scheme: str) -> None:
    style = STYLE.read_text()
    parts = style.partition("@media (prefers-color-scheme: dark)")
    found = colours(parts[0] if scheme == "light" else parts[2])
    assert len(found) == len(colours(parts[0])), "a colour has no dark counterpart"
    pairs = [(text, ground) for text in ("ink", "quiet", "link") for ground in ("ground", "sheet")]
    pairs += [("ink", "soft")]
    pairs += [(tone, f"{tone}-ground") for tone in ("good", "bad", "waiting", "plain")]
    pairs += [(tone, "sheet") for tone in ("good", "bad", "waiting", "plain")]
    for text, ground in pairs:
        assert contrast(found[text], found[ground]) >= 4.5, (text, ground)
    # Drawings, not text: 3 to 1 against what they lie on is what they need.
    for tone in ("good", "bad", "waiting", "plain"):
        assert contrast(found[tone], found["claimed"]) >= 3, tone


@pytest.mark.parametrize("name", CASES)
def test_the_page_can_be_read_without_seeing_it(name: str) -> None:
    tree = read(shown(name))
    html = tree.all("html")[0]
    assert html.attributes["lang"] == "en"
    assert [node.name for node in tree.all("h1")] == ["h1"]
    levels = [int(node.name[1]) for node in tree.all("h1", "h2", "h3", "h4")]
    several = len(tree.all("article")) > 1
    for before, after in pairwise(levels):
        assert after <= before + (1 if several or before > 1 else 2), levels
    named = tree.all("h2", "h3", "title", "desc")
    ids = [node.attributes["id"] for node in named if "id" in node.attributes]
    assert len(set(ids)) == len(ids)
    for node in tree.all("section", "svg"):
        for reference in str(node.attributes["aria-labelledby"]).split():
            assert reference in ids
    for table in tree.all("table"):
        assert table.all("caption")[0].text
        heads = table.all("thead")[0].all("th")
        assert all(head.attributes["scope"] == "col" and head.text for head in heads)
        for row in table.all("tbody")[0].all("tr"):
            assert len(row.children) == len(heads)
            assert row.children[0].attributes["scope"] == "row"
            named = [cell.attributes.get("data-head") for cell in row.children[1:]]
            assert named == [head.text for head in heads[1:]]


def test_the_picture_says_in_words_all_that_it_draws() -> None:
    tree = read(shown("proved"))
    picture = tree.all("svg")[0]
    assert picture.attributes["role"] == "img"
    words = picture.all("desc")[0].text
    assert (
        "bzip2: compression: claimed 15 to 30 %, measured +17.4 % (+15.3 to +19.6), met." in words
    )
    assert "sha512: cryptography: claimed 20 to 40 %, measured \u22123.1 %" in words
    assert len(picture.all("g")) == len(picture.all("circle")) == words.count("measured")
    drawn = {node.attributes["class"] for node in picture.all("circle")}
    assert drawn == {"gain met", "gain below", "gain worse", "gain no-evidence"}


def test_places_in_the_picture_are_in_the_order_of_their_values() -> None:
    picture = read(shown("proved")).all("svg")[0]
    at = [float(str(node.attributes["cx"])[:-1]) for node in picture.all("circle")]
    zstd, bzip2, xz, sha512, kwin = at
    assert sha512 < zstd < xz < bzip2 < kwin
    assert all(0 <= place <= 100 for place in at)


def test_the_page_fetches_nothing_and_runs_nothing() -> None:
    text = shown("proved")
    assert not re.search(r"(src|href)\s*=\s*[\"']?(?!#)|url\(|@import|https?://", text)
    tree = read(text)
    policy = [one.attributes.get("content") for one in tree.all("meta")]
    assert any("default-src 'none'" in str(one) for one in policy)
    assert tree.all("script", "link", "iframe", "form") == []


def test_colour_is_never_all_that_tells_a_verdict() -> None:
    for name in CASES:
        marks = [node for node in read(shown(name)).all("span") if "mark" in str(node.attributes)]
        assert marks and all(node.text.strip() for node in marks)
