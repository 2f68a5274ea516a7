"""Checks against the real KWin, Baloo and KConfig tools of a desktop release."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from converge.effect import Effect, Finding
from converge.plan.layers import KDE_FILES
from converge.proof import inquiry
from converge.proof.check import MISSING, Answers, Context, Reply
from converge.subjects.checks import ITEMS, PROOFS
from tests import kwin
from tests.proof import checks

FILES = {name: checks.plasma_file(name) for name in KDE_FILES}
#: A row that KWin reports on, the entry that is planted, and its value before and after.
PLANTED = {
    "kwin.contrast": ("kwinrc", "Plugins", "contrastEnabled", "true", "false"),
    "kwin.blur": ("kwinrc", "Plugins", "blurEnabled", "false", "true"),
    "kwin.wobbly-windows": ("kwinrc", "Plugins", "wobblywindowsEnabled", "true", "false"),
    "kwin.magic-lamp": ("kwinrc", "Plugins", "magiclampEnabled", "true", "false"),
    "kwin.buffer-swap": ("kwinrc", "Compositing", "GLPreferBufferSwap", "c", "a"),
    "kwin.windows-block": ("kwinrc", "Compositing", "WindowsBlockCompositing", "false", "true"),
    "desktop.animation-speed": ("kdeglobals", "KDE", "AnimationDurationFactor", "1", "0.5"),
}
ALWAYS = ("kwin.backend", "kwin.compositing", "kwin.environment")


def findings(
    session: kwin.Session, *names: str, asked: frozenset[str] = frozenset({"kde", "kwin", "baloo"})
) -> dict[str, Finding]:
    """What the checks find in a session, by setting or item. ``asked``: probes whose real answers
    count; without KDE's reader and with the plan's own files, KWin alone decides."""
    known = context(session) if "kde" in asked else checks.context()
    todo = [
        job
        for job in inquiry.jobs(known, ITEMS, PROOFS)
        if (job.setting.id if job.setting else job.check.id) in names
    ]
    wanted = inquiry.questions(known, todo)
    answers = session.ask(known, wanted)
    if "kde" not in asked:
        missing = Reply(status=MISSING, errors="kreadconfig6")
        replies = {a: missing if a.probe == "kde" else answers.reply(a) for a in wanted}
        answers = Answers(replies)
    return {
        finding.setting or finding.check: finding
        for finding in inquiry.findings(known, todo, answers)
    }


def context(session: kwin.Session) -> Context:
    """The workspace with the KDE files as they are in the session."""
    known = checks.context()
    nodes = dict(known.snapshot.nodes)
    for name in KDE_FILES:
        path = f"{checks.HOME}/.config/{name}"
        nodes[path] = checks.node(path, (session.root / path[1:]).read_bytes())
    return replace(known, snapshot=replace(known.snapshot, nodes=nodes))


@pytest.fixture(scope="module")
def session() -> Iterator[kwin.Session]:
    with kwin.session(FILES) as one:
        yield one


def test_a_kwin_that_read_the_plans_files_is_effective_in_every_row(session: kwin.Session) -> None:
    found = findings(session, *PLANTED, *ALWAYS)
    assert {name: one.effect for name, one in found.items()} == dict.fromkeys(
        (*PLANTED, *ALWAYS), Effect.EFFECTIVE
    ), found


def until(session: kwin.Session, setting: str, effect: Effect) -> Finding:
    """What KWin alone says, once it has followed: it does so a moment after it was told. The last
    finding where it does not."""
    deadline = time.monotonic() + 10
    while True:
        found = findings(session, setting, asked=frozenset({"kwin"}))[setting]
        if found.effect is effect or time.monotonic() > deadline:
            return found


@pytest.mark.parametrize("setting", PLANTED)
def test_a_value_that_kwin_uses_instead_is_found(session: kwin.Session, setting: str) -> None:
    file, group, key, wrong, right = PLANTED[setting]
    session.set(file, group, key, wrong)
    try:
        by_file = findings(session, setting)[setting]
        assert (by_file.effect, f"{key}={wrong}" in by_file.found) == (Effect.NOT_EFFECTIVE, True)
        by_kwin = until(session, setting, Effect.NOT_EFFECTIVE)
        assert (by_kwin.effect, "KWin: " in by_kwin.found) == (Effect.NOT_EFFECTIVE, True)
    finally:
        session.set(file, group, key, right)
    assert until(session, setting, Effect.EFFECTIVE).effect is Effect.EFFECTIVE


def test_the_plans_variable_stops_compositing_and_both_checks_say_so() -> None:
    with kwin.session(FILES, KWIN_OPENGL_INTERFACE="egl") as broken:
        found = findings(broken, *ALWAYS)
    assert {name: one.effect for name, one in found.items()} == dict.fromkeys(
        ALWAYS, Effect.NOT_EFFECTIVE
    ), found
    assert found["kwin.environment"].found == "KWIN_OPENGL_INTERFACE=egl"


BALOO = {
    "baloo.basic-indexing": ("only basic indexing", "false", "true"),
    "baloo.hidden-folders": ("index hidden folders", "true", "false"),
    "baloo.exclude-folders": ("exclude folders", "/home/mitsio/.cache", ""),
}


def test_a_baloo_that_read_the_plans_file_is_effective_in_every_row(session: kwin.Session) -> None:
    found = findings(session, *BALOO)
    assert {name: one.effect for name, one in found.items()} == dict.fromkeys(
        BALOO, Effect.EFFECTIVE
    ), found


@pytest.mark.parametrize("setting", BALOO)
def test_a_value_that_baloo_uses_instead_is_found(session: kwin.Session, setting: str) -> None:
    key, wrong, _ = BALOO[setting]
    path = session.root / "home/mitsio/.config/baloofilerc"
    before = path.read_bytes()
    session.run("kwriteconfig6", "--file", "baloofilerc", "--group", "General", "--key", key, wrong)
    try:
        assert findings(session, setting)[setting].effect is Effect.NOT_EFFECTIVE
    finally:
        path.write_bytes(before)


def test_a_lock_in_the_systems_own_file_wins_over_the_users(session: kwin.Session) -> None:
    system = session.root / "etc/xdg/kwinrc"
    system.write_text("[Plugins][$i]\nblurEnabled=false\n")
    try:
        found = findings(session, "kwin.blur")["kwin.blur"]
        assert (found.effect, found.found) == (Effect.NOT_EFFECTIVE, "KDE reads blurEnabled=false")
    finally:
        system.unlink()
