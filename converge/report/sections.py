"""The sections of a workspace on the page. Each returns None when there is nothing to say."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from converge.exits import Outcome, kept, well
from converge.journal.kinds import FACT_WORDS
from converge.problem import count
from converge.proof.effect import Effect
from converge.report.markup import Markup, element
from converge.report.model import Report, ReportedWorkspace, clock
from converge.report.parts import (
    WORST_FIRST,
    ReportedChange,
    ReportedFact,
    ReportedFinding,
    ReportedMeasurement,
    signed,
)
from converge.report.picture import picture, spread
from converge.report.words import PHASES, duration, proof, tone
from converge.report.words import effects as counted

Cell = str
LONG = 12  # rows of a table that are shown without being asked for


def anchor(workspace: str, section: str) -> str:
    """An id that no name of a workspace can break."""
    return f"{section}-{hashlib.sha256(workspace.encode()).hexdigest()[:8]}"


def section(workspace: ReportedWorkspace, name: str, title: str, *children: str | None) -> Markup:
    place = anchor(workspace.name, name)
    return element("section", element("h3", title, id=place), *children, aria_labelledby=place)


#: Heads of a table's columns with their share of its width in percent.
Heads = Sequence[tuple[str, int]]

FINDINGS: Heads = (
    *(("setting", 27), ("effect", 13)),
    *(("expected", 20), ("found", 20), ("reason", 20)),
)
ENTRIES: Heads = (("entry", 30), ("before", 30), ("after", 40))
FILES: Heads = (("file", 52), ("what", 10), ("owner", 10), ("digest", 28))
DRIFT: Heads = (("what", 34), ("written last", 22), ("found", 22), ("wanted", 22))
CLAIMS: Heads = (
    *(("what", 22), ("claimed", 12), ("measured", 22)),
    *(("n", 5), ("verdict", 14), ("why", 25)),
)
MEMORY: Heads = (("program", 40), ("memory", 20), ("processes", 20), ("the first run", 20))
GATES: Heads = (
    *(("fact", 19), ("verdict", 11), ("in the profile", 12), ("on the machine", 15)),
    *(("meaning", 22), ("to do", 21)),
)
SETTINGS: Heads = (("setting", 40), ("stands", 18), ("why", 42))
STEPS: Heads = (("step", 30), ("ended", 14), ("took", 12), ("at", 10), ("why", 34))


def table(caption: str, heads: Heads, rows: Iterable[Sequence[Cell]]) -> Markup:
    """A table that becomes one block a row on a narrow screen; the roles keep it a table there."""
    head = [element("th", name, scope="col", role="columnheader") for name, _ in heads]
    return element(
        "table",
        element("caption", caption),
        element("colgroup", *(element("col", style=f"width:{share}%") for _, share in heads)),
        element("thead", element("tr", *head, role="row"), role="rowgroup"),
        element("tbody", *(_row(heads, row) for row in rows), role="rowgroup"),
        role="table",
    )


def _row(heads: Heads, cells: Sequence[Cell]) -> Markup:
    made: list[Markup] = []
    for (name, _), cell in zip(heads, cells, strict=True):
        empty = None if cell else "empty"
        if made:
            made.append(element("td", cell, role="cell", data_head=name, class_=empty))
        else:
            made.append(element("th", cell, scope="row", role="rowheader"))
    return element("tr", *made, role="row")


def folded(summary: str, *children: str | None) -> Markup:
    return element("details", element("summary", summary), *children)


def code(text: str) -> Markup:
    return element("code", text)


def mark(word: str) -> Markup:
    return element("span", word, class_=f"mark {tone(word)}")


def tiles(report: Report, one: ReportedWorkspace) -> Markup:
    """The workspace at a glance."""
    machine = " ".join(filter(None, (one.facts.get("hostname"), one.facts.get("kernel"))))
    facts: list[tuple[str, str]] = [("result", mark(one.outcome or "no result"))]
    if report.task == "deploy":
        facts.append(("files", _files(report, one)))
        none = "none found" if one.plan else "not looked for"
        facts.append(("drift", f"{len(one.drift)} found" if one.drift else none))
    facts += [("effects", proof(one)), ("machine", machine or "not read")]
    rows = [element("div", element("dt", name), element("dd", value)) for name, value in facts]
    return element("dl", *rows, class_="tiles")


def _files(report: Report, one: ReportedWorkspace) -> str:
    if not one.plan:
        return "no plan was made"
    if not one.changes:
        return "no change"
    done = "changed" if kept(one.outcome) else "to change"
    return f"{len(one.changes)} {'would change' if report.dry else done}"


def problems(one: ReportedWorkspace) -> Markup | None:
    """What went wrong, and why the run ended as it did where that says more."""
    why = "" if well(one.outcome) or one.outcome == Outcome.CHANGES else one.why
    texts = [*one.problems, *([why] if why and why not in one.problems else [])]
    if not texts:
        return None
    items = [element("li", text) for text in texts]
    return section(one, "problems", "Problems", element("ul", *items, class_="problems"))


def gate(one: ReportedWorkspace) -> Markup | None:
    """The profile against the machine: what is not true in full, what is true behind a fold."""
    if not one.gates:
        return None

    def listed(gates: Sequence[ReportedFact]) -> Markup:
        rows = [
            (each.fact, mark(each.outcome), each.declared, each.found, _means(each), each.fix)
            for each in sorted(gates, key=lambda each: FACT_WORDS.index(each.outcome))
        ]
        return table("Facts of the profile", GATES, rows)

    true = [each for each in one.gates if each.outcome == "true"]
    other = [each for each in one.gates if each.outcome != "true"]
    return section(
        one,
        "gate",
        "Profile and machine",
        listed(other) if other else None,
        folded(f"{count(len(true), 'fact')} of the profile true of the machine", listed(true))
        if true
        else None,
    )


def _means(gate: ReportedFact) -> str:
    needed = f"needed by {gate.settings}" if gate.settings else ""
    return "; ".join(filter(None, (gate.why, needed)))


#: Effects that a person has to look at; the others are counted, and stand behind a fold.
OPEN = (Effect.NOT_EFFECTIVE, Effect.UNKNOWN)


def effects(one: ReportedWorkspace) -> Markup:
    """Effects by phase: what needs a person in full, the rest counted and behind a fold."""
    title = "Effects"
    if not one.findings:
        text = (
            "No check ran in this run, so nothing is proved; tasks/verify.py checks every setting."
        )
        return section(one, "effects", title, element("p", text, class_="quiet"))
    blocks: list[str | None] = []
    for phase, group in groupby(
        sorted(one.findings, key=lambda each: _place(each.phase)), key=lambda each: each.phase
    ):
        found = tuple(group)
        shown = [each for each in found if each.effect in OPEN]
        rest = [each for each in found if each.effect not in OPEN]
        blocks += [
            element("h4", PHASES.get(phase, f"Phase {phase}"), _counts(found)),
            _findings(shown) if shown else None,
            folded(_more(rest, shown), _findings(rest)) if rest else None,
        ]
    runs = ", ".join(sorted({each.run for each in one.findings}))
    note = element("p", f"Checked in run {runs}.", class_="quiet")
    return section(one, "effects", title, *blocks, note)


def _place(phase: str) -> tuple[int, str]:
    order = list(PHASES)
    return (order.index(phase) if phase in order else len(order), phase)


def _counts(findings: Sequence[ReportedFinding]) -> Markup:
    """How many have which effect, in words and colours."""
    words = [
        element("span", f"{number} {effect}", class_=f"mark {tone(effect)}")
        for effect, number in counted(findings)
    ]
    return element("span", *words, class_="counts")


def _more(rest: Sequence[ReportedFinding], shown: Sequence[ReportedFinding]) -> str:
    if shown:
        return f"the other {len(rest)} in detail"
    return "this one in detail" if len(rest) == 1 else f"all {len(rest)} in detail"


def _findings(findings: Sequence[ReportedFinding]) -> Markup:
    rows = [
        (
            _setting(each.setting or each.check, each.title),
            mark(each.effect),
            each.expected,
            each.found,
            each.reason,
        )
        for each in sorted(findings, key=lambda each: WORST_FIRST.index(each.effect))
    ]
    return table("What the checks found", FINDINGS, rows)


def _setting(id: str, title: str) -> Markup:
    return element("span", title, " ", code(id)) if title else code(id)


def changed(report: Report, one: ReportedWorkspace) -> Markup | None:
    """Files by layer and entries with their values, before and after."""
    if not one.changes and not one.entries and not one.estimates:
        return None
    layers = sorted({each.layer for each in one.changes})
    return section(
        one,
        "changed",
        _changed_title(report, one),
        _entries(one) if one.entries else None,
        *(_layer(layer, [each for each in one.changes if each.layer == layer]) for layer in layers),
        element("ul", *(element("li", text) for text in one.estimates)) if one.estimates else None,
    )


def _changed_title(report: Report, one: ReportedWorkspace) -> str:
    if report.dry:
        return "What would change"
    return "What changed" if kept(one.outcome) else "What was to change"


def _entries(one: ReportedWorkspace) -> Markup:
    rows = [
        (
            element("span", code(f"{each.group} {each.key}"), " ", element("small", each.path)),
            code(each.before),
            code(each.after),
        )
        for each in one.entries
    ]
    return table("Entries", ENTRIES, rows)


def _layer(layer: str, found: Sequence[ReportedChange]) -> Markup:
    """The files of one layer, behind a line that counts them."""
    rows = [
        (
            code(each.path),
            each.verb,
            "root" if each.root else "the user",
            code(f"{each.before} \N{RIGHTWARDS ARROW} {each.after}"),
        )
        for each in found
    ]
    verbs = ", ".join(f"{number} {verb}" for verb, number in Counter(e.verb for e in found).items())
    return folded(
        f"{layer}: {count(len(found), 'file')} ({verbs})",
        table(f"Files of the layer {layer}", FILES, rows),
    )


def drift(one: ReportedWorkspace) -> Markup | None:
    if not one.drift:
        return None
    rows = [
        (
            element("span", each.what, " ", element("small", each.path)),
            code(each.old),
            code(each.found),
            code(each.wanted),
        )
        for each in one.drift
    ]
    text = "Managed values that somebody else changed since they were last written."
    return section(one, "drift", "Drift", element("p", text), table("Drift", DRIFT, rows))


def claims(one: ReportedWorkspace) -> Markup | None:
    """Claims against measurement: the picture, then the same as a table."""
    if not one.measurements:
        return None
    drawn = [
        each
        for each in one.measurements
        if each.value is not None and each.subject not in ("control",)
    ]
    control = [each for each in one.measurements if each.control]
    figure = (
        element(
            "figure",
            picture(drawn),
            element("figcaption", *_legend()),
        )
        if drawn
        else None
    )
    rows = [_claim(each) for each in one.measurements if not each.control]
    notes = [
        element(
            "p", f"Control: {each.why}.", class_="notice" if each.verdict == "worse" else "quiet"
        )
        for each in control
    ]
    cpus = sorted({each.cpu for each in one.measurements if each.cpu})
    runs = sorted({each.run for each in one.measurements})
    where = f"Measured in run {', '.join(runs)}" + (f" on {', '.join(cpus)}" if cpus else "") + "."
    return section(
        one,
        "claims",
        "Claims and measurement",
        figure,
        *notes,
        folded(f"All {count(len(rows), 'figure')}", table("Claims and measurement", CLAIMS, rows))
        if len(rows) > LONG
        else table("Claims and measurement", CLAIMS, rows),
        element("p", where, class_="quiet"),
    )


def _legend() -> Iterable[Markup]:
    for class_, text in (
        ("claimed", "claimed by the plan"),
        ("dot", "measured, with its 99 % interval"),
        ("line", "no gain"),
    ):
        yield element("span", element("i", class_=class_, aria_hidden="true"), text)


def _claim(each: ReportedMeasurement) -> Sequence[Cell]:
    claimed = "" if each.claimed_low is None else f"{each.claimed_low:g} to {each.claimed_high:g} %"
    value = "" if each.value is None else f"{signed(each.value)} % {each.word}"
    interval = f" ({spread(each)})" if value and spread(each) else ""
    before = element("small", f"before: {', '.join(each.earlier)}") if each.earlier else None
    measured = element("span", value, interval, before) if value or before else ""
    why = each.why.replace(" %", "\N{NO-BREAK SPACE}%")
    return (each.label, claimed, measured, str(each.n), mark(each.verdict), why)


def memory(one: ReportedWorkspace) -> Markup | None:
    if not one.memory:
        return None
    rows = [
        (each.name, f"{each.mib:.0f} MiB", str(each.processes) if each.processes else "", each.when)
        for each in one.memory
    ]
    text = "Pss and SwapPss of a program's processes; available is what the kernel could hand out."
    return section(one, "memory", "Memory", element("p", text), table("Memory", MEMORY, rows))


def settings(one: ReportedWorkspace) -> Markup | None:
    """What of the plan is not in force, and why."""
    out = [each for each in one.settings if each.stand != "in force"]
    if not one.settings:
        return None
    text = f"{len(one.settings) - len(out)} in force"
    if not out:
        return section(one, "settings", "Settings of the plan", element("p", f"{text}."))
    rows = [(_setting(each.id, each.title), mark(each.stand), each.why) for each in out]
    listed = table("Settings that are not in force", SETTINGS, rows)
    return section(
        one,
        "settings",
        "Settings of the plan",
        folded(f"{text}, {len(out)} not: which, and why", listed),
        *(element("p", note, class_="quiet") for note in one.notes),
    )


def steps(one: ReportedWorkspace) -> Markup | None:
    if not one.steps:
        return None
    rows = [
        (
            each.name,
            mark(each.status),
            duration(each.seconds),
            clock(each.time).partition(" ")[2].removesuffix(" UTC"),
            each.why,
        )
        for each in one.steps
    ]
    return section(one, "steps", "Steps", table("Steps of the run", STEPS, rows))


def undo(one: ReportedWorkspace) -> Markup:
    parts = [
        element("pre", code(text[2:]), tabindex=0) if text.startswith("$ ") else element("p", text)
        for text in one.undo
    ]
    return section(one, "undo", "How to undo", *parts)
