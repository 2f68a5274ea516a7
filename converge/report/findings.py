"""The table of findings: a short line for each right one, the whole reason for each other."""

from __future__ import annotations

from collections import Counter
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
    """Print all findings of a workspace: first those that need a person, then the rest by phase.
    Those that are not applicable are counted by reason; ``whole`` names each."""
    listed = tuple(findings)
    terminal.line()
    terminal.line(f"{workspace}: {summary(listed)}", "bold")
    told: dict[tuple[str, ...], str] = {}
    wrong = [one for one in listed if one.effect in (Effect.NOT_EFFECTIVE, Effect.UNKNOWN)]
    sections = [("not as it should be", sorted(wrong, key=lambda one: one.effect.value))]
    sections += [
        (name, [one for one in listed if one.phase == phase and one not in wrong])
        for phase, name in _PHASES.items()
    ]
    for name, rows in sections:
        rows = [row for row in rows if whole or row.effect is not Effect.NOT_APPLICABLE]
        if rows:
            terminal.line(name, "bold")
            for finding in rows:
                _row(terminal, finding, told, whole=whole)
    if not whole:
        _apart(terminal, listed)


def _apart(terminal: Terminal, findings: Iterable[Finding]) -> None:
    """Print how many findings are not applicable, by their reasons."""
    effect = Effect.NOT_APPLICABLE
    reasons = Counter(_short(finding.reason) for finding in findings if finding.effect is effect)
    if reasons:
        terminal.line(f"{effect.value} here, by name with --diff", "bold")
    for reason, number in reasons.most_common():
        terminal.row((f"{number:>4}", reason), (4,), _STYLES[effect])


def _short(reason: str) -> str:
    """A reason without the word of the heading. All withheld settings share one reason, and so do
    all offered ones."""
    for word in ("withheld", "offered"):
        if reason.startswith(f"{word}: "):
            return f"{word}; tasks/why.py lists them"
    return reason.removeprefix(f"{Effect.NOT_APPLICABLE.value}: ")


def _row(
    terminal: Terminal, finding: Finding, told: dict[tuple[str, ...], str], *, whole: bool
) -> None:
    """Print one finding. ``told``: long reasons that were printed already -> of which finding."""
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
    """The lines about a finding, most important first."""
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
