"""A report shows texts of machines that others control: they stay text, and secrets stay out."""

from __future__ import annotations

import copy
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converge.report.data import data
from converge.report.html import TEMPLATES, environment, page
from converge.report.junit import xml
from converge.report.model import Report, build, load
from converge.report.summary import show
from converge.report.terminal import Terminal
from converge.text import redact
from tests.json_values import value as any_value
from tests.report.report_reading import read

JOURNALS = Path(__file__).parents[1] / "data" / "journals"
NAMES = ("proved", "measured", "dry", "fleet", "disproved")
HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "' onmouseover='alert(1)",
    "</style><script>x</script>",
    "</title></head><body onload=x>",
    "<!-- <![CDATA[ ]]> -->",
    "]]></testcase><testcase name='passed'/>",
    "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e 'x'>]>&e;",
    "&lt;b&gt; &amp;amp; &#60; &nosuch;",
    "\x00\x01\x1b[31mred\x1b[0m\x7f\x9b",
    "\ud800 half a pair \udfff \ufffe \uffff",
    "\u202egnihton\u202c \u200b\u2066\u2028\u2029",
    "a\r\nb\tc\n\n",
    "x" * 10_000,
    "{{ 7 * 7 }} ${7*7} %s {0} \\",
    "",
)


def records(name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (JOURNALS / f"{name}.jsonl").read_text().splitlines()]


def places(node: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Where each text of a record is; keys of mappings as well."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from places(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from places(value, (*path, index))
    elif isinstance(node, str):
        yield path


def replaced(record: dict[str, object], path: tuple[object, ...], value: object) -> object:
    node = made = copy.copy(record)
    for step in path[:-1]:
        node[step] = copy.copy(node[step])  # type: ignore[index]
        node = node[step]  # type: ignore[index,assignment]
    node[path[-1]] = value  # type: ignore[index]
    return made


def report_of(rows: list[object], path: Path) -> Report:
    return report_of_lines([json.dumps(row) for row in rows], path)


def report_of_lines(lines: list[str], path: Path) -> Report:
    path.write_text("".join(f"{line}\n" for line in lines))
    return build([load(path)])


def forms(report: Report) -> str:
    """All four, each parsed back; their texts together."""
    stream = io.StringIO()
    show(Terminal(stream), report)
    shown, document, text = page(report), xml(report), data(report)
    tree = read(shown)
    suites = ElementTree.fromstring(document)
    assert json.loads(text)["schemaVersion"] == 1
    for output in (stream.getvalue(), shown, document, text):
        output.encode()  # no half of a surrogate pair
        assert not [c for c in set(output) if not c.isprintable() and c not in "\n\t\u00a0"]
    passed = [one for one in suites.iter("testcase") if not len(one)]
    found = [tree.text, stream.getvalue(), text, *(one.get("name", "") for one in passed)]
    return "\n".join(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_in_all_fields_stays_text(name: str, value: str, tmp_path: Path) -> None:
    rows: list[object] = []
    for record in records(name):
        kept = ("kind", "effect", "outcome", "status", "verdict")
        for path in places(record):
            if path[-1] not in kept and not (path == ("workspace",) and record["workspace"] == ""):
                record = replaced(record, path, value)  # type: ignore[assignment]
        rows.append(record)
    forms(report_of(rows, tmp_path / "j"))


def first_of_each(rows: list[dict[str, object]]) -> Iterator[tuple[int, tuple[object, ...]]]:
    """Number of a record and place in it, once for each kind and shape of place."""
    seen = set()
    for number, record in enumerate(rows):
        for path in places(record):
            shape = (record["kind"], *("" if isinstance(step, int) else step for step in path))
            if shape not in seen:
                seen.add(shape)
                yield number, path


def few(name: str) -> list[dict[str, object]]:
    """The records of a journal without the items of its lists that have no first place of any
    shape: they would be written and read back once for each place."""
    rows = records(name)
    ways = {(n, path[:end]) for n, path in first_of_each(rows) for end in range(len(path) + 1)}

    def kept(number: int, node: object, path: tuple[object, ...]) -> Any:
        if isinstance(node, dict):
            return {key: kept(number, value, (*path, key)) for key, value in node.items()}
        if isinstance(node, list):
            items = [(item, (*path, index)) for index, item in enumerate(node)]
            return [kept(number, item, way) for item, way in items if (number, way) in ways]
        return node

    made = [kept(number, record, ()) for number, record in enumerate(rows)]
    assert len(list(first_of_each(made))) == len(list(first_of_each(rows)))
    return made


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_text_in_one_field_at_a_time_comes_back_as_it_was(
    name: str, tmp_path: Path
) -> None:
    value = "<i a='b' c=\"d\">&amp; </table><script>"
    rows = few(name)
    lines = [json.dumps(row) for row in rows]
    for number, path in first_of_each(rows):
        changed = [*lines]
        changed[number] = json.dumps(replaced(rows[number], path, value))
        text = forms(report_of_lines(changed, tmp_path / "j"))
        if path[-1] in ("text", "why") and rows[number]["kind"] in ("problem", "result"):
            assert value in text, (rows[number]["kind"], path)


@pytest.fixture(scope="module")
def one_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report names the path of its journal: with one path, what differs is what was read."""
    return tmp_path_factory.mktemp("journal") / "j"


@pytest.fixture(scope="module")
def formed() -> set[str]:
    """The reports, as text, whose forms were looked at; each has the same forms each time."""
    return set()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["proved", "measured"])
@pytest.mark.parametrize("value", [None, 7, -1.5, True, [], {}, [["x"]], {"a": {"b": []}}, 1e300])
def test_a_field_of_another_type_breaks_nothing(
    name: str, value: object, one_path: Path, formed: set[str]
) -> None:
    rows = few(name)
    lines = [json.dumps(row) for row in rows]
    wholes = {(n, path[:1]) for n, path in first_of_each(rows)}
    for number, path in sorted({*first_of_each(rows), *wholes}, key=str):
        changed = [*lines]
        changed[number] = json.dumps(replaced(rows[number], path, value))
        report = report_of_lines(changed, one_path)
        if (said := repr(report)) not in formed:  # what is read as nothing makes one report
            forms(report)
            formed.add(said)


def test_numbers_that_are_none_become_nothing(tmp_path: Path) -> None:
    text = (JOURNALS / "measured.jsonl").read_text().replace("17.4", "NaN").replace("19.6", "1e999")
    (tmp_path / "j").write_text(text)
    forms(build([load(tmp_path / "j")]))


@given(st.text())
@settings(deadline=None)
def test_any_text_comes_back_from_the_templates(value: str) -> None:
    harmless = redact.visible(value)
    made = environment().from_string('<p id="{{ value }}">{{ value }}</p>').render(value=harmless)
    node = read(made).children[0]
    assert (node.text, node.attributes["id"]) == (harmless, harmless)


def test_no_template_lets_a_value_in_as_markup() -> None:
    """Escaping is on, nothing turns it off, and a value in an attribute stands in quotes."""
    assert environment().autoescape is True
    for path in sorted(TEMPLATES.iterdir()):
        text = path.read_text()
        assert not re.search(r"\|\s*safe|autoescape|Markup|<script", text), path.name
        outside = re.sub(r"\{#.*?#\}", "", text, flags=re.DOTALL)
        assert not re.search(r"<[a-z0-9]+[^<>]*=\{\{", outside), f"{path.name}: no quotes"
    for path in sorted(TEMPLATES.parent.glob("*.py")):
        assert "Markup" not in path.read_text(), path.name


@pytest.mark.parametrize("name", NAMES)
def test_markup_in_every_field_at_once_stays_text_on_the_page(name: str, tmp_path: Path) -> None:
    """Each field of each record holds another element; all of them are read back as text."""
    rows: list[object] = []
    planted: list[str] = []
    kept = ("kind", "effect", "outcome", "status", "verdict", "time", "stand", "workspace", "run")
    for number, record in enumerate(records(name)):
        changed: object = record
        for path in places(record):
            if path[-1] not in kept:
                value = f"<b id=\"{number}\" class='{path[-1]}'>&amp;{len(planted)}</b>"
                planted.append(value)
                changed = replaced(changed, path, value)  # type: ignore[arg-type]
        rows.append(changed)
    report = report_of(rows, tmp_path / "j")
    tree = read(page(report))  # an element or an attribute that was not made fails there
    shown = [value for value in planted if value in tree.text]
    assert len(shown) > len(planted) / 4, "most fields are on the page, and as they are"


@given(st.integers(0, 2**64 - 1))
def test_any_record_becomes_harmless_json(seed: int) -> None:
    random = Random(seed)
    for _ in range(5):
        made = redact.harmless({"kind": "x", "field": any_value(random)})
        text = json.dumps(made, allow_nan=False, ensure_ascii=False)
        text.encode()


def test_a_record_without_an_end_to_its_depth_is_cut(tmp_path: Path) -> None:
    deep: object = "bottom"
    for _ in range(500):
        deep = [deep]
    forms(
        report_of([{"kind": "problem", "workspace": "w", "text": deep, "seq": 1}], tmp_path / "j")
    )


def test_a_text_without_end_is_shortened_and_says_so() -> None:
    assert redact.text("x" * 5000).endswith("... (1000 more characters)")


# -- secrets -------------------------------------------------------------------------------------

SECRET = "hunter2-Zx9"
KEYS = (
    *("password", "Password", "passwd", "wifi-psk", "PASSPHRASE", "user_pass", "secret"),
    *("clientSecret", "token", "AuthToken", "api_key", "apiKey", "private key", "credentials"),
    *("Authorization", "session_key", "cookie"),
)
PLAIN = (
    *("only basic indexing", "passive", "compass", "keyboard", "tokyo", "key", "monkey"),
    *("Backend", "exclude folders", "index hidden folders", "shortcut keys", "bypass compositing"),
)
MATERIAL = (
    "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\n{}",
    "https://user:{}@host.example/path",
    "password={}",
    "DB_PASSWORD: '{}'",
    'export API_KEY="{}"',
    "--token={}",
    "token : {}",
    "Authorization: Bearer {}aaaaaaaaaaaa",
    "ghp_{}aaaaaaaaaaaaaaaa".replace("-", ""),
    "$6$salt{}",
)


@pytest.mark.parametrize("key", KEYS)
def test_a_value_behind_a_telling_name_is_in_no_report(key: str, tmp_path: Path) -> None:
    rows = records("proved")
    plan = next(row for row in rows if row["kind"] == "plan")
    plan["entries"] = [
        {"path": "/p", "group": "[G]", "key": key, "before": SECRET, "after": f"{SECRET}2"}
    ]
    drift = next(row for row in rows if row["kind"] == "drift")
    drift |= {"what": f"[G] {key}", "old": SECRET, "found": f"x{SECRET}", "wanted": SECRET}
    snapshot = next(row for row in rows if row["kind"] == "snapshot")
    snapshot["facts"] = {"home": "/h", key: SECRET}
    found = forms(report_of([*rows], tmp_path / "j"))
    assert SECRET not in found
    assert redact.HIDDEN in found
    assert key in found, "the name itself says what is hidden"


@pytest.mark.parametrize("key", PLAIN)
def test_a_value_behind_any_other_name_is_shown(key: str) -> None:
    row = {"key": key, "before": "old", "after": "new"}
    assert redact.harmless(row) == row


@pytest.mark.slow
@pytest.mark.parametrize("form", MATERIAL)
@pytest.mark.parametrize("name", NAMES)
def test_key_material_in_any_field_is_in_no_report(form: str, name: str, tmp_path: Path) -> None:
    secret = SECRET.replace("-", "")
    value = form.replace("{}", secret)
    rows = records(name)
    for number, record in enumerate(rows):
        changed = record
        for path in places(record):
            if path[-1] not in ("kind", "workspace"):
                changed = replaced(changed, path, value)  # type: ignore[assignment]
        rows[number] = changed
    assert secret not in forms(report_of([*rows], tmp_path / "j"))


def test_a_plan_brings_no_secret_into_the_journal(tmp_path: Path) -> None:
    from types import SimpleNamespace

    from converge.journal.kinds import PlanRecord, PlanSummary
    from converge.kde.merge import EntryChange as Key
    from converge.report.record import plan_record
    from tasks.run.journal import Journal

    key = Key(group=("Wifi", "home"), key="psk", found=SECRET, wanted="new" + SECRET, line=3)
    other = Key(group=("KDE",), key="SingleClick", found="true", wanted=None, line=None)
    plan = SimpleNamespace(
        changes=[SimpleNamespace(path="/h/kwinrc", keys=(key, other))],
        standings=(),
        warnings=(f"token={SECRET}",),
        id="abcdef012345",
        empty=False,
        summary=lambda: PlanSummary(workspace="w", changes=(), builds=(), sweep=()),
    )
    journal = Journal(tmp_path, "20260101t000000-abcd")
    line = journal.append(plan_record(plan), workspace="w")  # type: ignore[arg-type]
    assert SECRET not in journal.path.read_text()
    assert SECRET not in json.dumps(line.fields())
    assert isinstance(line.record, PlanRecord)
    assert [(entry.key, entry.before, entry.after) for entry in line.record.entries] == [
        ("psk", redact.HIDDEN, redact.HIDDEN),
        ("SingleClick", "true", None),
    ]
