"""Every reader of what a workspace says: its corpus, random bytes, and that none is left out."""

from __future__ import annotations

import ast
import pkgutil
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import PROJECT
from tests.fuzz import corpus
from tests.fuzz.readers import ANSWERS, READERS


@cache
def seeds() -> dict[str, list[bytes]]:
    return {name: [*reader.seeds(), *corpus.kept(name)] for name, reader in READERS.items()}


def _each() -> st.SearchStrategy[tuple[str, int]]:
    return st.sampled_from([(name, n) for name, some in seeds().items() for n in range(len(some))])


@pytest.mark.parametrize("name", READERS)
def test_what_was_ever_found_is_read_or_refused(name: str) -> None:
    assert corpus.kept(name), "make fuzz keeps what leads further"
    for data in seeds()[name]:
        READERS[name].read(data)


def spoilt(data: bytes, seed: int, words: list[bytes]) -> bytes:
    """A right answer with some of its bytes cut, doubled, or made something else."""
    chance = random.Random(seed)
    for word in words:
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((0, 1, len(word), 40)))
        data = data[:start] + word + data[end:]
    return data


@settings(deadline=None, max_examples=200)
@given(
    st.deferred(_each),
    st.integers(0, 2**32),
    st.lists(st.binary(max_size=24), min_size=1, max_size=5),
)
def test_any_bytes_are_read_or_refused(
    seed: tuple[str, int], chance: int, words: list[bytes]
) -> None:
    name, number = seed
    READERS[name].read(spoilt(seeds()[name][number], chance, words))
    READERS[name].read(b"".join(words))


# ---- none is left out ----------------------------------------------------------------------------

TASKS = sorted((PROJECT / "tasks").rglob("*.py"))
#: What of an answer holds the words of the other side (``tasks.reach.remote.Answer``).
WORDS = {"lines", "errors"}


def calls(path: Path) -> Iterator[ast.Call]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def programs() -> set[str]:
    """The programs that a controller starts on a workspace."""
    there = {path.stem for path in (PROJECT / "converge" / "remote").glob("*.sh")}
    found = set()
    for path in TASKS:
        for call in calls(path):
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            place = {"remote": 0, "command": 0, "run": 1}.get(name, len(call.args))
            words = [
                argument.value
                for argument in call.args[place:][:1]
                if isinstance(argument, ast.Constant)
            ]
            found |= {word for word in words if word in there}
            if name == "read_command":
                found |= {"detect", "flakes", "read"}
    return found


def test_the_answer_of_every_program_has_readers_that_are_fuzzed() -> None:
    assert programs() == ANSWERS.keys(), "a new program: name what reads its answer"
    assert {name for names in ANSWERS.values() for name in names} == READERS.keys()


def test_whatever_gets_the_words_of_an_answer_is_fuzzed() -> None:
    """Functions of ``converge`` that ``tasks/steps`` hand the lines of an answer are all fuzzed."""
    fuzzed = {name for reader in READERS.values() for name in reader.called}
    called = set()
    for path in sorted((PROJECT / "tasks" / "steps").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        modules = {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("converge")
            for alias in node.names
        }
        for call in calls(path):
            function = call.func
            if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Name):
                continue
            given = [sub for argument in call.args for sub in ast.walk(argument)]
            words = any(isinstance(one, ast.Attribute) and one.attr in WORDS for one in given)
            if function.value.id in modules and (words or function.attr == "parse"):
                called.add(f"{modules[function.value.id]}.{function.attr}")
    assert called <= fuzzed, f"fuzz them: {called - fuzzed}"
    assert len(called) >= 6


#: How a step gets at single words of an answer.
PICKED = {*WORDS, "first", "of", "reason", "last_error"}


def test_whatever_of_converge_gets_a_single_word_of_an_answer_is_fuzzed() -> None:
    """By the names that ``tasks/steps`` imports from ``converge``, such as ``frame``."""
    fuzzed = {name for reader in READERS.values() for name in reader.called}
    called = set()
    for path in sorted((PROJECT / "tasks" / "steps").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("converge")
            for alias in node.names
        }
        for call in calls(path):
            if isinstance(call.func, ast.Name) and call.func.id in names:
                given = [sub for one in call.args for sub in ast.walk(one)]
                if any(isinstance(one, ast.Attribute) and one.attr in PICKED for one in given):
                    called.add(names[call.func.id])
    readers = {one for one in called if not one.rpartition(".")[2][:1].isupper()}
    assert readers <= fuzzed | SHOWN, f"fuzz them: {readers - fuzzed - SHOWN}"
    assert "converge.text.limits.frame" in called


#: These count, or make a sentence of what is text to them.
SHOWN = {
    *("converge.problem.count", "converge.effect.not_effective", "converge.effect.unknown"),
    *(f"converge.text.reason.{name}" for name in ("spoken", "trouble", "with_remedy")),
}


def test_each_word_of_a_reading_is_in_an_answer_that_the_search_begins_with() -> None:
    """A new word of ``remote/read.sh`` or ``managed.sh`` would else be found by chance alone."""
    tree = ast.parse((PROJECT / "converge/plan/observed.py").read_text(encoding="utf-8"))
    words = {
        one.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.match_case)
        for one in ast.walk(node.pattern)
        if isinstance(one, ast.MatchValue) and isinstance(one.value, ast.Constant)
    }
    assert "chezmoi_runs" in words
    begun = b"\n".join(
        b"\n" + seed for name in ("plan", "snapshot") for seed in READERS[name].seeds()
    )
    assert [word for word in sorted(words) if f"\n{word} ".encode() not in begun] == []


def test_every_named_reader_is_there() -> None:
    for reader in READERS.values():
        for name in reader.called:
            assert pkgutil.resolve_name(name)


# ---- the search itself ---------------------------------------------------------------------------


def test_the_corpus_keeps_what_leads_further_and_no_more() -> None:
    alike = [b"flake home git d /x\n", b"flake home git d /y\n"]
    kept = corpus.choose(READERS["flakes"].read, [*alike, b"nonsense\n", b"x" * 5000])
    assert b"nonsense\n" in kept
    assert len(kept) == 2, "two of them take the same way, one is too long"
