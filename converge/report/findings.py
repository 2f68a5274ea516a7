"""The table of findings: what was found for what is right, the whole why for what is not."""

from __future__ import annotations

from collections.abc import Iterable

from converge.effect import Effect, Finding, summary
from converge.report.terminal import Terminal
from converge.setting import Phase

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
    """All findings of a workspace by phase; what does not apply here stands together by its reason,
    unless ``whole`` asks for each on its own."""
    listed = tuple(findings)
    terminal.line()
    terminal.line(f"{workspace}: {summary(listed)}", "bold")
    told: dict[tuple[str, ...], str] = {}
    for phase, name in _PHASES.items():
        rows = [finding for finding in listed if finding.phase == phase]
        if rows:
            terminal.line(f"{name}", "bold")
            apart: dict[str, list[str]] = {}
            for finding in rows:
                if finding.effect is Effect.NOT_APPLICABLE and not whole:
                    names = apart.setdefault(finding.reason, [])
                    names.append(finding.setting or finding.check)
                else:
                    _row(terminal, finding, told, whole=whole)
            for reason, names in apart.items():
                _together(terminal, reason, names)


def _together(terminal: Terminal, reason: str, names: Iterable[str]) -> None:
    """What does not apply here for one reason."""
    effect = Effect.NOT_APPLICABLE
    text = ": ".join(filter(None, (reason, ", ".join(names))))
    terminal.row((effect.value, text), _WIDTHS[:1], _STYLES[effect])


def _row(
    terminal: Terminal, finding: Finding, told: dict[tuple[str, ...], str], *, whole: bool
) -> None:
    """One finding. ``told``: what was said at length already, and of which finding."""
    effect, name = finding.effect, finding.setting or finding.check
    style, texts = _STYLES[effect], lines(finding)
    first = told.setdefault((effect, *texts), name)
    if first != name and not whole:
        texts = [f"as {first}"]
        terminal.row((effect.value, name, texts[0]), _WIDTHS, style)
        return
    if effect is Effect.EFFECTIVE and not whole:
        terminal.row((effect.value, name, texts[0]), _WIDTHS, style)
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
