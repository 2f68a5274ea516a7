"""A proof asks what its change can have touched, with few programs: counted, not timed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("questions", [1, 21])
def test_a_question_costs_few_programs(tmp_path: Path, questions: int) -> None:
    """One more question starts only the programs that frame its output and its errors.
    Four sessions of setsid, two shells, timeout and cat are there for all."""
    strace, dash = need("strace"), need("dash")
    # Builtins alone: what is counted is the frame.
    ask = [Ask("exist", (f"/nowhere/{number}",)) for number in range(questions)]
    known = checks.context(root="/r")
    log = tmp_path / "log"
    arguments = inquiry.arguments(known, ask)
    counting = (strace, "-f", "-qq", "-e", "trace=execve", "-e", "signal=none", "-o", str(log))
    subprocess.run(
        [*counting, dash, "-c", remote.program("check"), "workspace-check", *arguments],
        input=remote.joined(*inquiry.PROBES),
        capture_output=True,
        text=True,
        check=True,
    )
    started = sum(1 for line in log.read_text().splitlines() if line.endswith("= 0"))
    assert started <= 6 + 5 * 4 + 4 * questions, log.read_text()
