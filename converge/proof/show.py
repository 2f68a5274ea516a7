"""The table of findings: one line for what is right, the whole why for what is not."""

from __future__ import annotations

from collections.abc import Iterable

from converge.plan.setting import Phase
from converge.proof.effect import Effect, Finding, summary
from converge.report.terminal import Terminal, fit

_STYLES = {
    Effect.EFFECTIVE: "green",
    Effect.PENDING: "blue",
    Effect.NOT_EFFECTIVE: "red",
    Effect.UNKNOWN: "yellow",
    Effect.NOT_APPLICABLE: "dim",
}
_PHASES = {
    "": "the workspace",
    Phase.LIBRARIES.value: "phase 1, libraries",
    Phase.RUNTIMES.value: "phase 2, runtimes",
    Phase.ELECTRON.value: "phase 3, applications",
    Phase.DESKTOP.value: "phase 4, desktop",
    Phase.VIDEO.value: "phase 5, video",
    Phase.MEMORY.value: "memory and storage",
}
_WIDTHS = (14, 31)  # effect, setting or check


def show(
    terminal: Terminal, workspace: str, findings: Iterable[Finding], *, whole: bool = False
) -> None:
    """All findings of a workspace by phase; of what is right or does not apply a line each, unless
    ``whole`` asks for every reason to its end."""
    listed = tuple(findings)
    terminal.line()
    terminal.line(f"{workspace}: {summary(listed)}", "bold")
    told: dict[tuple[str, ...], str] = {}
    for phase, name in _PHASES.items():
        rows = [finding for finding in listed if finding.phase == phase]
        if rows:
            terminal.line(f"{name}", "bold")
            for finding in rows:
                _row(terminal, finding, told, whole=whole)


def _row(
    terminal: Terminal, finding: Finding, told: dict[tuple[str, ...], str], *, whole: bool
) -> None:
    """One finding. ``told``: what was said at length already, and of which finding."""
    effect, name = finding.effect, finding.setting or finding.check
    style, texts = _STYLES[effect], lines(finding)
    first = told.setdefault((effect, *texts), name)
    if first != name and not whole and effect is not Effect.NOT_APPLICABLE:
        texts = [f"as {first}"]
        terminal.row((effect.value, name, texts[0]), _WIDTHS, style)
        return
    if effect in (Effect.EFFECTIVE, Effect.NOT_APPLICABLE) and not whole:
        room = terminal.width - sum(_WIDTHS) - 2 * len(_WIDTHS) - 2
        terminal.row((effect.value, name, fit(texts[0], room)), _WIDTHS, style)
        return
    terminal.row((effect.value, name), _WIDTHS[:1], style)
    for text in texts:
        terminal.row(("", text), (2,), style)


def lines(finding: Finding) -> list[str]:
    """What is said of a finding, most important first."""
    match finding.effect:
        case Effect.EFFECTIVE:
            told = [finding.found, finding.reason]
        case Effect.PENDING | Effect.UNKNOWN:
            told = [finding.reason, finding.found and f"found: {finding.found}"]
        case Effect.NOT_EFFECTIVE:
            told = [f"found: {finding.found}", f"expected: {finding.expected}", finding.reason]
        case _:
            told = [finding.reason]
    return [text for text in told if text] or [""]
