"""The kinds of records: written by their dataclass, read by it, described by it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.effect import Effect
from converge.gate.facts.verdict import FactOutcome
from converge.journal import journal, kinds, measured
from converge.journal.form import copied, forms, plain, schema, taken
from converge.journal.journal import Line
from converge.journal.kinds import KINDS, DriftRecord, FindingRecord, OtherRecord
from converge.measure.gain import ClaimVerdict
from converge.plan.plan import FileDrift
from tests.json_values import value
from tests.report import journal_schema

JOURNALS = sorted((Path(__file__).parents[1] / "data/journals").glob("*.jsonl"))


def said(schema: object) -> Iterator[str]:
    """The names of fields and the words in a schema."""
    if isinstance(schema, dict):
        yield from schema.get("properties", ())
        yield from (word for word in schema.get("enum", ()) if isinstance(word, str))
        for one in schema.values():
            yield from said(one)


SAID = {word: sorted({*said(schema(kind))}) for word, kind in KINDS.items()}


def test_the_schema_of_the_journal_is_made_from_the_records() -> None:
    assert journal_schema.FILE.read_text(encoding="utf-8") == journal_schema.text(), (
        "the records have changed: python -m tests.report.journal_schema"
    )


def holds(shown: object, raw: object) -> bool:
    """Whether a value has all of an older one, which may lack fields that came since."""
    if isinstance(raw, dict):
        return isinstance(shown, dict) and all(
            key in shown and holds(shown[key], value) for key, value in raw.items()
        )
    if isinstance(raw, list):
        return isinstance(shown, list) and len(shown) == len(raw) and all(map(holds, shown, raw))
    return shown == raw


@pytest.mark.parametrize("path", JOURNALS, ids=lambda path: path.stem)
def test_every_record_of_an_older_journal_is_read_and_nothing_of_it_is_lost(path: Path) -> None:
    found = tuple(journal.objects(path.read_bytes()))
    for raw, line in zip(found, journal.read(path), strict=True):
        assert not isinstance(line.record, OtherRecord)
        assert holds(line.fields(), raw), raw


def test_a_record_of_a_kind_that_is_not_known_is_passed_over_and_named() -> None:
    line = Line.of({"kind": "of a later version", "seq": 3, "workspace": "w", "text": "x"})
    assert (line.kind, line.seq, line.workspace) == ("of a later version", 3, "w")
    assert list(journal.of_kind([line], FindingRecord)) == []


@pytest.mark.slow
@pytest.mark.parametrize("word", KINDS)
@given(st.integers(0, 2**64 - 1))
def test_any_json_is_read_as_each_kind_and_written_as_it_was_read(word: str, seed: int) -> None:
    random, names = Random(seed), [*(form.name for form in forms(KINDS[word])), "other"]
    for _ in range(5):
        chosen = random.sample(names, random.randint(0, len(names)))
        given = {name: value(random, SAID[word]) for name in chosen}
        record = taken(KINDS[word], given)
        again = taken(KINDS[word], json.loads(json.dumps(plain(record))))
        assert again == record, given


@pytest.mark.parametrize("value", [None, 7, "excellent", [], {}, True])
def test_what_cannot_be_read_is_never_something_good(value: object) -> None:
    found = taken(FindingRecord, {"effect": value})
    assert found.effect is Effect.UNKNOWN
    assert taken(kinds.VerdictRecord, {"outcome": value}).outcome == "unknown"
    assert taken(measured.MeasurementRecord, {"verdict": value}).verdict == "no evidence"
    if not isinstance(value, int) or isinstance(value, bool):
        assert taken(kinds.RunEndRecord, {"exit": value}).exit is None
    assert taken(FindingRecord, {"counts": value}).counts is True, "a reminder says so itself"


def test_the_words_of_the_records_are_those_that_are_written() -> None:
    assert set(kinds.FACT_WORDS) == {one.value for one in FactOutcome}
    assert set(measured.CLAIM_WORDS) == {one.value for one in ClaimVerdict}


def test_a_drift_has_the_fields_of_its_record() -> None:
    assert [field.name for field in fields(FileDrift)] == [
        field.name for field in fields(DriftRecord)
    ]
    drift = FileDrift(path="/h/x", what="the file", old="a", found="b", wanted="c")
    assert vars(copied(DriftRecord, drift)) == vars(drift)
