"""JUnit XML of a report: every check is a test case, and only an effective one has passed.

  effective                       passed
  not effective                   failure
  unknown                         error
  pending, not applicable         skipped, with the reason
  a reminder to a person          skipped, unless effective

The facts of the profile are test cases too: blocks is a failure, unknown an error, differs is
skipped. So is each workspace's result, so that a run that was cut or failed is never green.
"""

from __future__ import annotations

from converge.exits import Exit, Outcome, known, well
from converge.proof.effect import Effect
from converge.report.html import outcome
from converge.report.markup import Markup, element
from converge.report.model import Report, ReportedWorkspace
from converge.report.parts import ReportedFact, ReportedFinding
from converge.report.words import tone


def xml(report: Report) -> str:
    """The document as text; write it as UTF-8."""
    suites = [_suite(report, one) for one in report.workspaces]
    if not suites or report.cut:
        why = report.cut or "the journal names no workspace"
        suites.append(
            _suites_of(report.run, [_case("the run", "end", element("error", message=why))])
        )
    document = element("testsuites", *suites, name=f"workspace-tuning {report.run}")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{document}\n'


def _suite(report: Report, one: ReportedWorkspace) -> Markup:
    cases = [_case(one.name, "result", _result(report, one))]
    cases += (_case(f"{one.name}.gate", each.fact, _gate(each)) for each in one.gates)
    cases += (
        _case(f"{one.name}.phase {each.phase or 'none'}", _name(each), _effect(each))
        for each in one.findings
    )
    return _suites_of(one.name, cases, timestamp=report.started)


def _suites_of(name: str, cases: list[Markup], timestamp: str = "") -> Markup:
    """A suite with its counts, which readers of the format trust."""
    counts = {
        kind: sum(f"<{element_name}" in case for case in cases)
        for kind, element_name in (
            ("failures", "failure"),
            ("errors", "error"),
            ("skipped", "skipped"),
        )
    }
    return element(
        "testsuite", *cases, name=name, tests=len(cases), **counts, timestamp=timestamp or None
    )


def _case(group: str, name: str, verdict: Markup | None) -> Markup:
    return element("testcase", verdict, classname=group, name=name or "unnamed")


def _name(finding: ReportedFinding) -> str:
    return ": ".join(filter(None, (finding.setting, finding.check)))


def _effect(finding: ReportedFinding) -> Markup | None:
    text = f"expected: {finding.expected}\nfound: {finding.found}\nreason: {finding.reason}"
    said = finding.reason or f"expected {finding.expected}, found {finding.found}"
    if not finding.counts and finding.effect is not Effect.EFFECTIVE:
        return element("skipped", message=f"{finding.effect}: {said}")
    match finding.effect:
        case Effect.EFFECTIVE:
            return None
        case Effect.NOT_EFFECTIVE:
            return element("failure", text, message=said, type="not effective")
        case Effect.PENDING | Effect.NOT_APPLICABLE:
            return element("skipped", message=f"{finding.effect}: {said}")
        case _:
            return element("error", text, message=said, type="unknown")


def _gate(gate: ReportedFact) -> Markup | None:
    said = f"declared {gate.declared}, found {gate.found}; {gate.fix}"
    match gate.outcome:
        case "true":
            return None
        case "differs":
            return element("skipped", message=f"differs: {said}")
        case "blocks":
            return element("failure", message=said, type="blocks")
        case _:
            return element("error", message=said, type="unknown")


def _result(report: Report, one: ReportedWorkspace) -> Markup | None:
    word = one.outcome or outcome(report)
    if well(one.outcome) or (report.dry and one.outcome == Outcome.CHANGES):
        return None
    ended = known(word)
    unknown = ended is None or ended.exit in (Exit.UNKNOWN, Exit.INTERRUPTED)
    kind = "error" if unknown or tone(word) == "waiting" else "failure"
    return element(kind, message=": ".join(filter(None, (word, one.why))), type=word)
