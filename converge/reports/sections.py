"""The sections of a workspace on the page. Each returns None when there is nothing to say."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from converge.reports.markup import Markup, element
from converge.reports.model import Report, Workspace, clock
from converge.reports.parts import Change, Effect, Finding, Measurement
from converge.reports.picture import picture, signed, spread
from converge.reports.words import PHASES, count, duration, proof, tone
from converge.reports.words import effects as counted

Cell = str
LONG = 12  # rows of a table that are shown without being asked for


def anchor(workspace: str, section: str) -> str:
    """An id that no name of a workspace can break."""
    return f"{section}-{hashlib.sha256(workspace.encode()).hexdigest()[:8]}"


def section(workspace: Workspace, name: str, title: str, *children: str | None) -> Markup:
    place = anchor(workspace.name, name)
    return element("section", element("h3", title, id=place), *children, aria_labelledby=place)


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Markup:
    """A table that becomes one block a row on a narrow screen; the roles keep it a table there."""
    head = element(
        "tr", *(element("th", one, scope="col", role="columnheader") for one in heads), role="row"
    )
    body = [
        element(
            "tr",
            *(
                element(
                    "th" if number == 0 else "td",
                    cell,
                    scope="row" if number == 0 else None,
                    role="rowheader" if number == 0 else "cell",
                    data_head=heads[number],
                    class_="empty" if not cell else None,
                )
                for number, cell in enumerate(row)
            ),
            role="row",
        )
        for row in rows
    ]
    return element(
        "table",
        element("caption", caption),
        element("thead", head, role="rowgroup"),
        element("tbody", *body, role="rowgroup"),
        role="table",
    )


def folded(summary: str, *children: str | None) -> Markup:
    return element("details", element("summary", summary), *children)


def code(text: str) -> Markup:
    return element("code", text)


def mark(word: str) -> Markup:
    return element("span", word, class_=f"mark {tone(word)}")


def tiles(report: Report, one: Workspace) -> Markup:
    """The workspace at a glance."""
    facts = [
        ("result", element("span", one.outcome or "no result", class_=f"mark {tone(one.outcome)}")),
        ("files", _files(report, one)),
        ("drift", f"{len(one.drift)} found" if one.drift else "none found"),
        ("effects", proof(one)),
        ("machine", " ".join(filter(None, (one.facts.get("hostname"), one.facts.get("kernel"))))),
    ]
    rows = [
        element("div", element("dt", name), element("dd", value)) for name, value in facts if value
    ]
    why = element("p", one.why, class_="why") if one.why else None
    return element("div", element("dl", *rows, class_="tiles"), why)


def _files(report: Report, one: Workspace) -> str:
    if not one.changes:
        return "no change"
    return f"{len(one.changes)} {'would change' if report.dry else 'in the plan'}"


def problems(one: Workspace) -> Markup | None:
    if not one.problems:
        return None
    items = [element("li", text) for text in one.problems]
    return section(one, "problems", "Problems", element("ul", *items, class_="problems"))


def gate(one: Workspace) -> Markup | None:
    """The profile against the machine; a fact that blocks stands first."""
    if not one.gates:
        return None
    rows = [
        (
            each.fact,
            mark("blocks") if each.blocks else mark(each.verdict),
            each.declared,
            each.found,
            each.fix,
        )
        for each in sorted(one.gates, key=lambda each: (not each.blocks, each.holds))
    ]
    heads = ("fact", "verdict", "in the profile", "on the machine", "to do")
    return section(one, "gate", "Profile and machine", table("Facts of the profile", heads, rows))


def effects(one: Workspace) -> Markup:
    """Effects by phase: what is not effective in full, what is effective behind a fold."""
    title = "Effects"
    if not one.findings:
        text = (
            "No check ran in this run, so nothing is proved; tasks/verify.py checks every setting."
        )
        return section(one, "effects", title, element("p", text, class_="quiet"))
    order = list(PHASES)
    known = sorted(one.findings, key=lambda each: _place(order, each.phase))
    blocks = []
    for phase, group in groupby(known, key=lambda each: each.phase):
        found = tuple(group)
        open_, good = (
            [
                each
                for each in found
                if (each.effect in (Effect.EFFECTIVE, Effect.NOT_APPLICABLE)) is good
            ]
            for good in (False, True)
        )
        heading = element("h4", PHASES.get(phase, f"Phase {phase}"), _bar(found))
        quiet = folded(_summary(good), _findings(good)) if good else None
        blocks += [heading, _findings(open_) if open_ else None, quiet]
    runs = sorted({each.run for each in one.findings})
    note = element("p", f"Checked in run {', '.join(runs)}.", class_="quiet")
    return section(one, "effects", title, *blocks, note)


def _place(order: Sequence[str], phase: str) -> tuple[int, str]:
    return (order.index(phase) if phase in order else len(order), phase)


def _bar(findings: tuple[Finding, ...]) -> Markup:
    """How many have which effect, in words and colours."""
    words = [
        element("span", f"{number} {effect}", class_=f"mark {tone(effect)}")
        for effect, number in counted(findings)
    ]
    return element("span", *words, class_="counts")


def _summary(findings: Sequence[Finding]) -> str:
    return ", ".join(f"{number} {effect}" for effect, number in counted(tuple(findings)))


def _findings(findings: Sequence[Finding]) -> Markup:
    order = list(Effect)
    rows = [
        (
            _setting(each.setting or each.check, each.title),
            mark(each.effect),
            each.expected,
            each.found,
            each.reason,
        )
        for each in sorted(findings, key=lambda each: order.index(each.effect))
    ]
    return table(
        "What the checks found", ("setting", "effect", "expected", "found", "reason"), rows
    )


def _setting(id: str, title: str) -> Markup:
    return element("span", title, " ", code(id)) if title else code(id)


def changed(report: Report, one: Workspace) -> Markup | None:
    """Files by layer and entries with their values, before and after."""
    if not one.changes and not one.entries and not one.estimates:
        return None
    layers = sorted({each.layer for each in one.changes})
    return section(
        one,
        "changed",
        "What would change" if report.dry else "What changed",
        _entries(one) if one.entries else None,
        *(_layer(layer, [each for each in one.changes if each.layer == layer]) for layer in layers),
        element("ul", *(element("li", text) for text in one.estimates)) if one.estimates else None,
    )


def _entries(one: Workspace) -> Markup:
    rows = [
        (
            element("span", code(f"{each.group} {each.key}"), " ", element("small", each.path)),
            code(each.before),
            code(each.after),
        )
        for each in one.entries
    ]
    return table("Entries", ("entry", "before", "after"), rows)


def _layer(layer: str, found: Sequence[Change]) -> Markup:
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
        table(f"Files of the layer {layer}", ("file", "what", "owner", "digest"), rows),
    )


def drift(one: Workspace) -> Markup | None:
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
    heads = ("what", "written last", "found", "wanted")
    return section(one, "drift", "Drift", element("p", text), table("Drift", heads, rows))


def claims(one: Workspace) -> Markup | None:
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
    heads = ("what", "claimed", "measured", "n", "verdict", "why")
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
        folded(f"All {count(len(rows), 'figure')}", table("Claims and measurement", heads, rows))
        if len(rows) > LONG
        else table("Claims and measurement", heads, rows),
        element("p", where, class_="quiet"),
    )


def _legend() -> Iterable[Markup]:
    for class_, text in (
        ("claimed", "claimed by the plan"),
        ("dot", "measured, with its 99 % interval"),
        ("line", "no gain"),
    ):
        yield element("span", element("i", class_=class_, aria_hidden="true"), text)


def _claim(each: Measurement) -> Sequence[Cell]:
    claimed = "" if each.claimed_low is None else f"{each.claimed_low:g} to {each.claimed_high:g} %"
    value = "" if each.value is None else f"{signed(each.value)} % {each.word}"
    interval = f" ({spread(each)})" if value and spread(each) else ""
    return (each.label, claimed, f"{value}{interval}", str(each.n), mark(each.verdict), each.why)


def memory(one: Workspace) -> Markup | None:
    if not one.memory:
        return None
    rows = [
        (each.name, f"{each.mib:.0f} MiB", str(each.processes) if each.processes else "", each.when)
        for each in one.memory
    ]
    heads = ("program", "memory", "processes", "the first run")
    text = "Pss and SwapPss of a program's processes; available is what the kernel could hand out."
    return section(one, "memory", "Memory", element("p", text), table("Memory", heads, rows))


def settings(one: Workspace) -> Markup | None:
    """What of the plan is not in force, and why."""
    out = [each for each in one.settings if each.stand != "in force"]
    if not one.settings:
        return None
    text = f"{len(one.settings) - len(out)} in force"
    if not out:
        return section(one, "settings", "Settings of the plan", element("p", f"{text}."))
    rows = [(_setting(each.id, each.title), mark(each.stand), each.why) for each in out]
    listed = table("Settings that are not in force", ("setting", "stands", "why"), rows)
    return section(
        one,
        "settings",
        "Settings of the plan",
        folded(f"{text}, {len(out)} not: which, and why", listed),
        *(element("p", note, class_="quiet") for note in one.notes),
    )


def steps(one: Workspace) -> Markup | None:
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
    heads = ("step", "ended", "took", "at", "why")
    return section(one, "steps", "Steps", table("Steps of the run", heads, rows))


def undo(one: Workspace) -> Markup:
    parts = [
        element("pre", code(text[2:]), tabindex=0) if text.startswith("$ ") else element("p", text)
        for text in one.undo
    ]
    return section(one, "undo", "How to undo", *parts)
