"""A proof asks what its change can have touched, with few programs: counted, not timed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from converge.proof import inquiry
from converge.proof.check import Ask, When
from converge.proof.touched import touched
from converge.setting import Layer, Phase
from converge.subjects.checks import ITEMS, PROOFS
from converge.subjects.settings import ALL
from tasks.reach import remote
from tests.proof import checks
from tests.tools import need

AFTER = frozenset({When.ALWAYS, When.AFTER})


def asked(layers: frozenset[Layer], *files: str) -> tuple[Ask, ...]:
    known = checks.context()
    by = touched(layers, files, ALL, ITEMS)
    phases = frozenset(Phase)
    todo = inquiry.jobs(known, ITEMS, PROOFS, when=AFTER, phases=phases, wanted=by)
    return inquiry.questions(known, todo)


def test_a_change_of_one_key_asks_a_fifth_of_what_a_new_system_does() -> None:
    one = asked(frozenset({Layer.PLASMA}), "kwinrc")
    every = asked(frozenset(Layer), "kwinrc")
    assert len(one) * 5 <= len(every), (len(one), len(every))
    assert {ask.probe for ask in one} == {"kde", "kwin", "state", "journal", "coredumps"}


def test_the_same_question_of_several_settings_is_asked_once() -> None:
    for layer in Layer:
        found = asked(frozenset({layer}), "kwinrc", "baloofilerc")
        assert len(found) == len(set(found))


def processes(tmp_path: Path, questions: int) -> int:
    """Those that ``remote/check.sh`` starts for so many questions, which builtins answer."""
    strace, dash = need("strace"), need("dash")
    ask = [Ask("exist", (f"/nowhere/{number}",)) for number in range(questions)]
    known = checks.context(root="/r")
    log = tmp_path / "log"
    arguments = inquiry.arguments(known, ask)
    counting = (strace, "-f", "-e", "trace=none", "-o", str(log))
    outcome = subprocess.run(
        [*counting, dash, "-c", remote.program("check"), "workspace-check", *arguments],
        input=remote.joined(*inquiry.PROBES),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = inquiry.read(known, ask, outcome.stdout.splitlines())
    assert {answers.text(one) for one in ask} == {f"gone {one.arguments[0]}\n" for one in ask}
    return sum(" +++ " in line for line in log.read_text().splitlines())  # each that ended


def test_a_question_costs_one_process_of_its_own(tmp_path: Path) -> None:
    """The shell that a probe may end. The four sessions are there for all."""
    assert processes(tmp_path, 80) - processes(tmp_path, 40) == 40


def test_few_questions_get_few_sessions(tmp_path: Path) -> None:
    assert processes(tmp_path, 4) < processes(tmp_path, 8) < processes(tmp_path, 20) <= 20 + 90
