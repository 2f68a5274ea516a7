"""JUnit XML of a report: every check is a test case, and only an effective one has passed.

  effective                       passed
  not effective                   failure
  unknown                         error
  pending, not applicable         skipped, with the reason
  a reminder to a person          skipped, unless effective

The facts of the profile are test cases too: blocks is a failure, unknown an error, differs is
skipped. The result of each workspace is a test case as well, so that a run that was cut or failed
is never green.
"""

from __future__ import annotations

from collections import Counter
from xml.etree.ElementTree import Element, tostring

from converge.effect import Effect
from converge.exits import Exit, Outcome, known, well
from converge.report.model import Report, ReportedWorkspace
from converge.report.parts import ReportedFact, ReportedFinding
from converge.report.words import outcome, tone


def xml(report: Report) -> str:
    """The document as text; write it as UTF-8."""
    document = Element("testsuites", name=f"workspace-tuning {report.run}")
    document.extend(_suite(report, workspace) for workspace in report.workspaces)
    if not report.workspaces or report.cut:
        why = report.cut or "the journal names no workspace"
        end = _case("the run", "end", Element("error", message=why))
        document.append(_suite_of(report.run, [end]))
    text = tostring(document, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(report: Report, one: ReportedWorkspace) -> Element:
    cases = [_case(one.name, "result", _result(report, one))]
    cases += (_case(f"{one.name}.gate", each.fact, _gate(each)) for each in one.gates)
    cases += (
        _case(f"{one.name}.phase {each.phase or 'none'}", _name(each), _effect(each))
        for each in one.findings
    )
    return _suite_of(one.name, cases, timestamp=report.started)


def _suite_of(name: str, cases: list[Element], timestamp: str = "") -> Element:
    """A suite with its counts; readers of the format use the counts as they are."""
    found = Counter(verdict.tag for case in cases for verdict in case)
    counts = {
        "tests": str(len(cases)),
        "failures": str(found["failure"]),
        "errors": str(found["error"]),
        "skipped": str(found["skipped"]),
    }
    suite = Element("testsuite", {"name": name, **counts})
    if timestamp:
        suite.set("timestamp", timestamp)
    suite.extend(cases)
    return suite


def _case(group: str, name: str, verdict: Element | None) -> Element:
    case = Element("testcase", classname=group, name=name or "unnamed")
    if verdict is not None:
        case.append(verdict)
    return case


def _detailed(kind: str, text: str, **attributes: str) -> Element:
    found = Element(kind, attributes)
    found.text = text
    return found


def _name(finding: ReportedFinding) -> str:
    return ": ".join(filter(None, (finding.setting, finding.check)))


def _effect(finding: ReportedFinding) -> Element | None:
    text = f"expected: {finding.expected}\nfound: {finding.found}\nreason: {finding.reason}"
    said = finding.reason or f"expected {finding.expected}, found {finding.found}"
    if not finding.counts and finding.effect is not Effect.EFFECTIVE:
        return Element("skipped", message=f"{finding.effect}: {said}")
    match finding.effect:
        case Effect.EFFECTIVE:
            return None
        case Effect.NOT_EFFECTIVE:
            return _detailed("failure", text, message=said, type="not effective")
        case Effect.PENDING | Effect.NOT_APPLICABLE:
            return Element("skipped", message=f"{finding.effect}: {said}")
        case _:
            return _detailed("error", text, message=said, type="unknown")


def _gate(gate: ReportedFact) -> Element | None:
    said = f"declared {gate.declared}, found {gate.found}; {gate.fix}"
    match gate.outcome:
        case "true":
            return None
        case "differs":
            return Element("skipped", message=f"differs: {said}")
        case "blocks":
            return Element("failure", message=said, type="blocks")
        case _:
            return Element("error", message=said, type="unknown")


def _result(report: Report, one: ReportedWorkspace) -> Element | None:
    word = one.outcome or outcome(report)
    if well(one.outcome) or (report.dry and one.outcome == Outcome.CHANGES):
        return None
    ended = known(word)
    unknown = ended is None or (
        ended.exit in (Exit.UNKNOWN, Exit.INTERRUPTED) and ended is not Outcome.ROLLBACK_FAILED
    )
    kind = "error" if unknown or tone(word) == "waiting" else "failure"
    return Element(kind, message=": ".join(filter(None, (word, one.why))), type=word)
