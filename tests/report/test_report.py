"""Reports of the journals under tests/data/journals, and of journals that are not whole."""

from __future__ import annotations

import io
import json
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest

from converge.report import model
from converge.report.data import data
from converge.report.html import page
from converge.report.junit import xml
from converge.report.model import Report, build, load
from converge.report.summary import show
from converge.report.terminal import Terminal, wrap
from converge.report.words import outcome
from tests.conftest import Box, Cli
from tests.report.report_reading import read

PROJECT = Path(__file__).parents[2]
JOURNALS = sorted((PROJECT / "tests" / "data" / "journals").glob("*.jsonl"))
SCHEMA = json.loads((PROJECT / "schemas" / "journal.schema.json").read_text())
NAMES = [path.stem for path in JOURNALS]


def case(*names: str) -> Report:
    return build([load(PROJECT / "tests/data/journals" / f"{name}.jsonl") for name in names])


def printed(report: Report) -> str:
    stream = io.StringIO()
    show(Terminal(stream), report)
    return stream.getvalue()


def every_form(report: Report) -> tuple[str, str, str, str]:
    """All four, each read back by a parser that is not ours."""
    shown, document, text = page(report), xml(report), data(report)
    read(shown)
    ElementTree.fromstring(document)
    json.loads(text)
    return printed(report), shown, document, text


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_run_has_all_four_forms(name: str) -> None:
    report = case(name)
    assert report.cut == ""
    terminal, shown, document, _ = every_form(report)
    for workspace in report.workspaces:
        assert workspace.name in terminal and workspace.name in shown and workspace.name in document
    assert outcome(report) in terminal and outcome(report) in read(shown).text
    for line in terminal.splitlines():
        told = line.split("  ")[-1]  # behind the name of a row
        assert len(line) <= 80 or len(wrap(told, 1)) == 1, "only a word or a command is that long"


@pytest.mark.parametrize("path", JOURNALS, ids=NAMES)
def test_every_record_of_the_cases_is_as_the_schema_describes(path: Path) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    validator.check_schema(SCHEMA)
    for line in path.read_text().splitlines():
        problems = [problem.message for problem in validator.iter_errors(json.loads(line))]
        assert problems == [], line[:200]


def test_the_schema_refuses_what_no_record_may_hold() -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    record = json.loads(JOURNALS[0].read_text().splitlines()[0])
    assert validator.is_valid(record)
    for change in ({"more": 1}, {"kind": "unheard"}, {"seq": 0}, {"workspace": "x"}, {"mode": ""}):
        assert not validator.is_valid({**record, **change}), change
    assert not validator.is_valid({key: record[key] for key in record if key != "mode"})


def test_every_field_of_the_schema_is_described() -> None:
    def undescribed(node: object, path: str) -> list[str]:
        if not isinstance(node, dict):
            return []
        found = []
        for name, field in node.get("properties", {}).items():
            reference = SCHEMA["$defs"].get(str(field.get("$ref", "")).rpartition("/")[2], {})
            if not ({"description"} & (field.keys() | reference.keys()) or path in ("if", "base")):
                found.append(f"{path}.{name}")
            found += undescribed(field, f"{path}.{name}") + undescribed(field.get("items"), name)
        return found

    kinds = {name: one for name, one in SCHEMA["$defs"].items() if "properties" in one}
    assert kinds.keys() == set(SCHEMA["properties"]["kind"]["enum"])
    problems = [text for name, one in kinds.items() for text in undescribed(one, name)]
    assert [text for text in problems if not text.endswith(".workspace")] == []


@pytest.mark.slow
def test_a_real_run_writes_what_the_schema_describes(cli: Cli, desktop: Box) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for arguments in (("deploy.py", "--dry"), ("deploy.py", "-y"), ("deploy.py", "-y")):
        done = cli(desktop.inventory, *arguments)
        assert done.journal, done.err
        for record in done.journal:
            assert [p.message for p in validator.iter_errors(record)] == [], record
        every_form(build([load(Path(str(done.journal[-1]["journal"])))]))


def test_a_proved_run_says_what_changed_how_it_is_proved_and_how_to_go_back() -> None:
    terminal, shown, _, _ = every_form(case("proved", "measured"))
    text = read(shown).text
    for part in (
        *("16 changed", "7 of 8 effective", "Exit 0: kept: what can be looked at"),
        *("[Plugins] contrastEnabled", "~/.config/kwinrc", "XRender", "libraries.overlay.glibc"),
        *("5 min 12 s", "write storage.kind: sata"),
        "tasks/rollback.py --data run=20261121t081503-4c1e",
        "Measured in run 20261121t093011-77aa on Intel(R) Core(TM) i7-6700K",
    ):
        assert part in text, part
    for part in ("7 of 8 effective", "drift", "bzip2: compression", "+17.4 %", "tasks/rollback.py"):
        assert part in terminal, part


def test_a_dry_run_says_that_nothing_was_written() -> None:
    text = read(page(case("dry"))).text
    assert "16 would change" in text and "What would change" in text
    assert "nothing was written, there is nothing to undo" in text
    assert "7 derivations to build here" in text


def test_the_way_back_names_the_inventory_that_the_run_was_given(tmp_path: Path) -> None:
    journal = PROJECT / "tests/data/journals/fleet.jsonl"
    lines = journal.read_text().splitlines()
    start = {**json.loads(lines[0]), "inventory": "../my machines/all.py"}
    other = tmp_path / "journal.jsonl"
    other.write_text("\n".join([json.dumps(start), *lines[1:]]) + "\n")
    report = build([load(other)])
    said = [line for workspace in report.workspaces for line in workspace.undo if "pyinfra" in line]
    assert said, report
    for line in said:
        assert "pyinfra '../my machines/all.py' tasks/rollback.py --limit " in line


def test_a_run_that_undid_itself_shows_the_fault_and_offers_no_second_undo() -> None:
    report = case("disproved")
    text = read(page(report)).text
    assert "expected not loaded, found loaded" in text
    assert "The run undid its own change" in text and "tasks/rollback.py" not in text
    assert "What was to change" in text


@pytest.mark.parametrize(
    ("task", "says"),
    [
        ("deploy", "tasks/rollback.py --data run=20261121t081503-4c1e"),
        ("rollback", "deploy.py makes its changes again"),
        ("verify", "This task changes no setting"),
        ("measure", "This task changes no setting"),
    ],
)
def test_how_to_undo_depends_on_what_the_task_did(task: str, says: str, tmp_path: Path) -> None:
    text = (PROJECT / "tests/data/journals/proved.jsonl").read_text()
    path = tmp_path / "j"
    path.write_text(text.replace('"task": "deploy"', f'"task": "{task}"'))
    undo = " ".join(build([load(path)]).workspaces[0].undo)
    assert says in undo
    assert ("tasks/rollback.py" in undo) == (task == "deploy")


def test_each_workspace_of_a_fleet_has_its_own_verdict() -> None:
    report = case("fleet")
    assert {workspace.name: workspace.outcome for workspace in report.workspaces} == {
        "shoshin": "failed",
        "kinoite": "hardware gate refused",
        "gyakusatsu": "failed",
    }
    links = {node.attributes["href"] for node in read(page(report)).all("a")} - {"#workspaces"}
    ids = {f"#{node.attributes['id']}" for node in read(page(report)).all("h2") if node.attributes}
    assert len(links) == 3 and links <= ids


def test_the_last_look_of_a_check_counts(tmp_path: Path) -> None:
    """A run asks before its change and again after it; the report has the last answer."""
    lines = Path(JOURNALS[NAMES.index("disproved")]).read_text().splitlines()
    again = json.loads(
        next(line for line in lines if "kwin.contrast" in line and "finding" in line)
    )
    again |= {"effect": "effective", "seq": 99}
    (tmp_path / "j").write_text("\n".join([*lines[:6], json.dumps(again), *lines[6:]]) + "\n")
    found = build([load(tmp_path / "j")]).workspaces[0].findings
    contrast = [one for one in found if one.setting == "kwin.contrast"]
    assert [one.effect for one in contrast] == ["effective"]


# -- journals that are not whole ---------------------------------------------------------------


@pytest.fixture(scope="module")
def short() -> bytes:
    """A journal of one line each of the kinds that matter, short enough for every length."""
    lines = JOURNALS[NAMES.index("disproved")].read_bytes().splitlines(keepends=True)
    kinds = ("run-start", "step", "result", "run-end")
    records = [json.loads(line) for line in lines]
    chosen = [record for record in records if record["kind"] in kinds]
    return b"".join(
        json.dumps({**record, "seq": number}).encode() + b"\n"
        for number, record in enumerate(chosen, 1)
    )


@pytest.mark.slow
def test_a_journal_that_is_torn_at_any_byte_gives_a_report_that_says_so(
    short: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(short)
    assert build([load(path)]).cut == ""
    ends = {i + 1 for i, byte in enumerate(short) if byte == 10}
    for length in range(len(short)):
        path.write_bytes(short[:length])
        report = build([load(path)])
        assert report.cut, length
        assert outcome(report) == "no end recorded"
        assert ("cannot be read" in report.cut) == (length not in ends and length > 0), length
        assert "applied and proved" not in printed(report).partition("\n")[0]
        assert report.cut in read(page(report)).text.replace("The journal", "the journal")
        suite = ElementTree.fromstring(xml(report))
        assert suite.findall(".//error"), length


@pytest.mark.parametrize("name", NAMES)
def test_a_journal_that_ends_behind_any_record_is_still_a_report(name: str, tmp_path: Path) -> None:
    lines = (PROJECT / "tests/data/journals" / f"{name}.jsonl").read_bytes().splitlines(True)
    path = tmp_path / "journal.jsonl"
    for number in range(len(lines)):
        path.write_bytes(b"".join(lines[:number]))
        report = build([load(path)])
        assert "without the end of the run" in report.cut
        every_form(report)


def test_a_damaged_line_in_the_middle_is_said_and_what_follows_is_not_believed(
    short: bytes, tmp_path: Path
) -> None:
    lines = short.splitlines(keepends=True)
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"".join([*lines[:1], b'{"run": "x", \xff\xfe\n', *lines[1:]]))
    report = build([load(path)])
    assert report.cut.startswith("the journal is damaged after record 1")
    assert report.exit is None


def test_missing_records_are_noticed_by_their_numbers(short: bytes, tmp_path: Path) -> None:
    lines = short.splitlines(keepends=True)
    path = tmp_path / "journal.jsonl"
    for missing in range(len(lines) - 1):
        path.write_bytes(b"".join([*lines[:missing], *lines[missing + 1 :]]))
        assert "has a gap" in load(path).source.cut, missing


@pytest.mark.parametrize(
    "line", [b"17", b"null", b"[]", b'"x"', b"{}", b'{"kind": 5, "seq": true}']
)
def test_lines_that_are_no_records_break_nothing(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(line + b"\n")
    report = build([load(path)])
    assert report.cut
    every_form(report)


def test_a_step_without_an_end_is_not_shown_as_done(short: bytes, tmp_path: Path) -> None:
    started = next(line for line in short.splitlines(True) if b'"started"' in line)
    start = short.splitlines(True)[0]
    (tmp_path / "j").write_bytes(start + started)
    step = build([load(tmp_path / "j")]).workspaces[0].steps[0]
    assert (step.status, step.seconds) == ("no end recorded", None)


def test_times_that_are_none_and_clocks_that_jump_break_nothing() -> None:
    assert model.seconds("2026-01-01T00:00:10+00:00", "2026-01-01T00:00:00+00:00") == 0.0
    assert model.seconds("yesterday", "2026-01-01T00:00:00+00:00") is None
    assert model.seconds("2026-01-01T00:00:10", "2026-01-01T00:00:00+00:00") is None
    assert model.clock("yesterday") == "yesterday"
    assert model.clock("2026-01-01T02:00:00+02:00") == "2026-01-01 00:00:00 UTC"
