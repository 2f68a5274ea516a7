"""Checks: whether builds yield to the desktop, and whether Nix asks the community's cache."""

from __future__ import annotations

from collections.abc import Iterable

from converge.effect import Verdict, effective, not_effective, pending
from converge.proof.check import Answers, Ask, Context, Proof, Unreadable, value
from converge.setting import Phase, Setting
from converge.subjects.workspace import system
from converge.subjects.workspace.generations import BOOTED, marker_asks, settle

SLICE = "build.slice"
BUILDS = Ask("build-slice", (SLICE,), machine=True)
DAEMON = Ask("properties", ("system", "nix-daemon.service", "Slice"), machine=True)


def _idle_asks(context: Context, setting: Setting) -> Iterable[Ask]:
    return (BUILDS, DAEMON, BOOTED, *marker_asks(context, setting.layer))


def _judge_idle(context: Context, answers: Answers, setting: Setting) -> Verdict:
    """Whether the kernel schedules the slice as idle and the build daemon is in the slice. A daemon
    that started before the change stays outside until it is restarted."""
    idle, groups = _builds(answers.text(BUILDS))
    expected = f"the build daemon in {SLICE}, scheduled as idle"
    # The slice of the system: one of the same name below another is another slice.
    outside = [group for group in groups if not group.startswith(f"/{SLICE}/")]
    reply = answers.reply(DAEMON)
    told = reply.status == 0 and system.properties(reply.text).get("Slice") == SLICE
    if groups and not outside and idle == "1":
        return effective(f"in {SLICE}, idle", expected=expected)
    if outside:
        found = f"the build daemon is in {outside[0]}"
        waits = "the daemon moves when it starts again"
    elif not groups:
        found, waits = "no build daemon runs", "the daemon starts with the first build"
    else:
        found = f"{SLICE} is not scheduled as idle"
        reason = "the kernel has no cpu.idle for it" if idle == "-" else f"cpu.idle is {idle}"
        live = not_effective(found, expected=expected, reason=reason)
        return settle(context, answers, setting, live)
    if told:
        return pending(waits, expected=expected, found=found)
    return settle(context, answers, setting, not_effective(found, expected=expected))


def _builds(text: str) -> tuple[str, tuple[str, ...]]:
    """``cpu.idle`` of the slice ("-": the kernel lacks the file), and the groups of the daemons."""
    lines = text.splitlines()
    if len(lines) < 2 or lines[0] not in ("slice 0", "slice 1", "slice -"):
        raise Unreadable("the slice of builds was not told")
    groups = tuple(line.removeprefix("daemon ") for line in lines[1:] if line != "no daemon")
    if not all(group.startswith("/") for group in groups):
        raise Unreadable("the control group of the build daemon was not told")
    return lines[0].removeprefix("slice "), groups


def _cache(setting: Setting) -> Ask:
    return Ask("nix-cache", (value(setting)["substituter"], value(setting)["key"]), machine=True)


def _cache_asks(context: Context, setting: Setting) -> Iterable[Ask]:
    return (_cache(setting), BOOTED, *marker_asks(context, setting.layer))


def _judge_cache(context: Context, answers: Answers, setting: Setting) -> Verdict:
    found = dict(line.partition(" ")[::2] for line in answers.text(_cache(setting)).splitlines())
    if found.keys() != {"asked", "trusted"} or not set(found.values()) <= {"yes", "no"}:
        raise Unreadable("the caches of Nix were not told")
    expected = f"{value(setting)['substituter']}, and its key"
    if found["asked"] == found["trusted"] == "yes":
        return effective("Nix asks it and trusts its key", expected=expected)
    wrong = "Nix does not ask it" if found["asked"] == "no" else "Nix does not trust its key"
    return settle(context, answers, setting, not_effective(wrong, expected=expected))


PROOFS: tuple[Proof, ...] = (
    Proof(
        id="build.idle",
        title="How the kernel schedules builds",
        phase=Phase.MEMORY,
        asks=_idle_asks,
        judge=_judge_idle,
    ),
    Proof(
        id="build.cache",
        title="Caches and keys of the build daemon",
        phase=Phase.MEMORY,
        asks=_cache_asks,
        judge=_judge_cache,
    ),
)
