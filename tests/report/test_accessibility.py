"""axe-core, run by the real browser on the real pages: contrast, keyboard, names, structure.

The pages carry a policy that runs no script; so the probe reads each one into a frame of its own,
where axe looks at it. Light and dark, narrow and wide.
"""

from __future__ import annotations

import json
import re
import subprocess
from html import escape, unescape
from pathlib import Path

import pytest

from converge.report.html import page, timeline_page
from converge.report.model import build, load
from converge.report.timeline import timeline
from tests.conftest import PROJECT
from tests.report.test_report_html import CASES, DARK, DUMP, JOURNALS, QUIET
from tests.tools import need

AXE = PROJECT / ".tools/npm/node_modules/axe-core/axe.min.js"
WIDTHS = (320, 1280)
#: The policy of a page, which would not let axe run.
RULE = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
PROBE = """<!DOCTYPE html><html lang="en"><title>probe</title><body>{frames}<pre id="result"></pre>
<script>
addEventListener("load", async () => {{
  const found = {{}};
  for (const frame of document.querySelectorAll("iframe")) {{
    const page = frame.contentDocument;
    for (const fold of page.querySelectorAll("details")) fold.open = true;
    const script = page.createElement("script");
    script.textContent = document.querySelector("#axe").textContent;
    page.head.append(script);
    const said = await frame.contentWindow.axe.run(page, {{
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
    }});
    found[frame.id] = {{
      passed: said.passes.map((one) => one.id),
      wrong: said.violations.map((one) => `${{one.id}}: ${{one.nodes[0].html.slice(0, 120)}}`),
    }};
  }}
  document.querySelector("#result").textContent = JSON.stringify(found);
}});
</script>
<script type="text/plain" id="axe">{axe}</script>"""


def pages() -> dict[str, str]:
    """The pages of runs, and that of a workspace over all of them."""
    found = {
        name: page(build([load(JOURNALS / f"{journal}.jsonl") for journal in journals]))
        for name, journals in CASES.items()
    }
    reports = [build([load(JOURNALS / f"{name}.jsonl")]) for name in ("proved", "measured", "dry")]
    found["workspace"] = timeline_page(timeline("shoshin", reports))
    return found


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm install --prefix .tools/npm axe-core@4")
    return AXE.read_text(encoding="utf-8").replace("</script", "<\\/script")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", [(), (DARK,)], ids=["light", "dark"])
def test_axe_finds_nothing_wrong_with_any_page(
    axe: str, tmp_path: Path, scheme: tuple[str, ...]
) -> None:
    frames = "".join(
        f'<iframe title="{name} {width}" id="{name}-{width}" '
        f'style="width:{width}px;height:900px;border:0" '
        f'srcdoc="{escape(RULE.sub("", text))}"></iframe>'
        for name, text in pages().items()
        for width in WIDTHS
    )
    probe = tmp_path / "probe.html"
    probe.write_text(PROBE.format(frames=frames, axe=axe), encoding="utf-8")
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    ended = subprocess.run(
        [need("chromium"), *QUIET, profile, *scheme, *DUMP, probe.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    result = re.findall(r'<pre id="result">(.*?)</pre>', ended.stdout, re.DOTALL)[-1]
    found = json.loads(unescape(result))
    assert len(found) == (len(CASES) + 1) * len(WIDTHS)
    for name, said in found.items():
        assert "color-contrast" in said["passed"], f"{name}: axe has not looked"
        assert said["wrong"] == [], name
