"""Prove the effects: ask a workspace everything in one remote command, record and show the findings.

``before`` is for the time before anything is written, ``after`` for the time after; ``prove`` is what
both do. Nothing is changed on the workspace.
"""

from __future__ import annotations

from collections.abc import Iterable

from converge import layers
from converge.checks import ITEMS, PROOFS, prove, show
from converge.checks.check import Context, When
from converge.effect import Finding, new_faults, summary, verdict
from converge.exits import Exit
from converge.snapshot import Snapshot
from converge.standing import Standing
from tasks import read, remote
from tasks.begin import Work

SLACK_S = 60  # for the connection, on top of the time limits of all probes together
_BEFORE, _AFTER = frozenset({When.BEFORE}), frozenset({When.ALWAYS, When.AFTER})


def context(work: Work, snapshot: Snapshot, standings: tuple[Standing, ...]) -> Context:
    """What the checks may know of a workspace before they ask anything."""
    choices = work.choices
    return Context(
        profile=work.profile,
        snapshot=snapshot,
        standings=standings,
        not_applicable=layers.not_applicable(snapshot, work.profile),
        layers=layers.nix_layers(
            snapshot, root=choices.root, host=choices.host, user=choices.user
        ),
        root=choices.root,
    )


def prove(work: Work, known: Context, *, when: frozenset[When]) -> tuple[Finding, ...]:
    """Ask, judge and record. Without an answer everything is unknown; nothing is raised."""
    todo = prove_jobs(work, known, when)
    asked = prove_questions(known, todo)
    answer = work.remote(
        "check",
        *prove_arguments(known, asked),
        stdin="".join(remote.program(f"probes/{part}") for part in prove_program()),
        timeout=SLACK_S + sum(ask.limit for ask in asked),
    )
    failure = "" if answer.ok else f"no whole answer: {answer.last_error}"
    answers = prove_read(known, asked, answer.lines, failure)
    found = prove_findings(known, todo, answers)
    for finding in found:
        work.record("finding", **finding.record())
    return found
