"""One self-contained HTML page of a report: no script, no network, nothing but this text.

It is made of the parts of ``sections``; here are the frame, the sentence on top and the footer.
"""

from __future__ import annotations

from pathlib import Path

from converge.exits import Exit
from converge.report import sections
from converge.report.markup import Markup, element
from converge.report.model import Report, ReportedWorkspace, clock
from converge.report.words import duration, exit_sentence, tone, total

STYLE = Path(__file__).with_name("report.css")
FLEET = (("workspace", 25), ("result", 25), ("why", 50))
#: Nothing is fetched and nothing runs, whatever a value in the page would like.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(report: Report) -> str:
    """The page as text; write it as UTF-8."""
    title = f"{', '.join(one.name for one in report.workspaces) or report.run}: {outcome(report)}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("title", title),
        element("style", Markup(STYLE.read_text())),
    )
    body = element(
        "body",
        _header(report),
        element("main", *[_workspace(report, one) for one in report.workspaces] or [_nothing()]),
        _footer(report),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def outcome(report: Report) -> str:
    """The word for the whole run. A run without an end is never a good one."""
    if report.cut or not report.outcome:
        return "no end recorded"
    return report.outcome


def _header(report: Report) -> Markup:
    word = outcome(report)
    several = len(report.workspaces) > 1
    name = (
        f"{len(report.workspaces)} workspaces"
        if several
        else (report.workspaces[0].name if report.workspaces else "no workspace")
    )
    kind = "dry run" if report.dry else "run"
    return element(
        "header",
        element(
            "p",
            f"workspace-tuning \N{MIDDLE DOT} {report.task or 'unknown task'}, {kind}",
            class_="eyebrow",
        ),
        element("h1", f"{name} ", element("span", word, class_=f"badge {tone(word)}")),
        element("p", _lede(report), class_="lede"),
        element(
            "p",
            f"{_capital(report.cut)}. What follows is all that was recorded.",
            class_="notice",
            role="note",
        )
        if report.cut
        else None,
        _fleet(report) if several else None,
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lede(report: Report) -> str:
    when = clock(report.started) if report.started else "at an unknown time"
    took = f", took {duration(report.seconds)}" if report.seconds is not None else ""
    end = f" {exit_sentence(report.exit, report.outcome)}" if report.exit is not None else ""
    return f"{total(report)}. Begun {when}{took}.{end}"


def _fleet(report: Report) -> Markup:
    rows = [
        (
            element("a", one.name, href=f"#{sections.anchor(one.name, 'workspace')}"),
            element("span", one.outcome or "no result", class_=f"mark {tone(one.outcome)}"),
            one.why,
        )
        for one in report.workspaces
    ]
    return sections.table("Workspaces of this run", FLEET, rows)


def _workspace(report: Report, one: ReportedWorkspace) -> Markup:
    several = len(report.workspaces) > 1
    parts = [
        element("h2", one.name, id=sections.anchor(one.name, "workspace")) if several else None,
        sections.tiles(report, one),
        sections.problems(one),
        sections.effects(one),
        sections.changed(report, one),
        sections.drift(one),
        sections.claims(one),
        sections.memory(one),
        sections.undo(one),
        sections.gate(one),
        sections.settings(one),
        sections.steps(one),
    ]
    return element("article", *parts)


def _nothing() -> Markup:
    return element("p", "The journal names no workspace.", class_="quiet")


def _footer(report: Report) -> Markup:
    sources = [
        element(
            "li",
            f"run {one.run} ({one.task or 'unknown task'}), {one.records} records: ",
            element("code", one.path),
            f" \N{EM DASH} {one.cut}" if one.cut and number else None,
        )
        for number, one in enumerate(report.sources)
    ]
    codes = ", ".join(f"{int(code)} {code.meaning}" for code in Exit)
    return element(
        "footer",
        element("h2", "Where this comes from"),
        element("p", "Everything on this page is taken from these journals; times are in UTC."),
        element("ul", *sources),
        element("p", f"Exit codes: {codes}."),
        element("p", f"workspace-tuning {report.version}") if report.version else None,
    )
