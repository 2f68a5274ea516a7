"""One self-contained HTML page of a report, without scripts and without requests.

The Jinja2 templates beside this module lay the page out. Autoescape is on, and no text is marked as
safe. ``sections`` makes the texts of the page.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from converge.exits import Exit
from converge.problem import count
from converge.report import ledger, picture, sections
from converge.report.model import Report, clock
from converge.report.timeline import Timeline
from converge.report.words import duration, exit_sentence, outcome, proof, tone, total

STYLE = Path(__file__).with_name("report.css")
TEMPLATES = Path(__file__).with_name("templates")
#: The browser fetches and runs nothing, whatever a value in the page has.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def timeline_page(found: Timeline) -> str:
    """The page of a workspace over its runs, as text; write it as UTF-8."""
    return environment().get_template("timeline.html.j2").render(found=found, policy=POLICY)


def page(report: Report) -> str:
    """The page of a run as text; write it as UTF-8."""
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            word=outcome(report),
            several=len(report.workspaces) > 1,
            lede=_lede(report),
            policy=POLICY,
            codes=", ".join(f"{int(code)} {code.meaning}" for code in Exit),
        )
    )


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The Jinja2 environment with the functions that the templates call."""
    made = Environment(
        loader=FileSystemLoader([TEMPLATES, STYLE.parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals.update(
        anchor=sections.anchor,
        changed_title=sections.changed_title,
        claimed=sections.claimed,
        count=count,
        drawing=picture.drawing,
        duration=duration,
        files=sections.files,
        gained=sections.gained,
        ledger=ledger.ledger,
        layer_summary=sections.layer_summary,
        layers=sections.layers,
        machine=sections.machine,
        measured_where=sections.measured_where,
        moment=lambda time: clock(time).partition(" ")[2].removesuffix(" UTC"),
        phases=sections.phases,
        pieces=sections.pieces,
        problems=sections.problems,
        proof=proof,
        still_open=sections.still_open,
        tone=tone,
        untrue=sections.untrue,
        waits=sections.waits,
        when=lambda time: clock(time).removesuffix(" UTC"),
    )
    return made


def _lede(report: Report) -> str:
    when = clock(report.started) if report.started else "at an unknown time"
    took = f", took {duration(report.seconds)}" if report.seconds is not None else ""
    end = f" {exit_sentence(report.exit, report.outcome)}" if report.exit is not None else ""
    return f"{total(report)}. Begun {when}{took}.{end}"
