"""Checks of the machine: whether it runs, whether commands work, what crashed since a switch."""

from __future__ import annotations

from collections.abc import Iterable

from converge.effect import Verdict, effective, not_applicable, not_effective, unknown
from converge.hardware.cpus import missing_flags
from converge.problem import count
from converge.proof.check import (
    BUILT,
    DENIED,
    MISSING,
    NOTHING,
    Answers,
    Ask,
    Context,
    Item,
    NoAnswer,
    When,
)
from converge.setting import Phase
from converge.subjects.video import gpu
from converge.subjects.workspace import system
from converge.text.limits import document

COMMANDS = Ask("commands")
BUILD = Ask("build", limit=60)
SYSTEM_STATE = Ask("state", ("system",), machine=True)
USER_STATE = Ask("state", ("user",))
NVIDIA = Ask("nvidia", machine=True)
REMOVABLE = Ask("removable", machine=True)
UPTIME = Ask("file", ("/proc/uptime",), machine=True)
LOAD = Ask("file", ("/proc/loadavg",), machine=True)
GIB = 1024**3
IDLE = 4 * GIB


def journal(context: Context) -> Ask:
    return Ask("journal", context.links, limit=20, machine=True)


def coredumps(context: Context) -> Ask:
    return Ask("coredumps", context.links, limit=20, machine=True)


def _file(path: str) -> Ask:
    return Ask("file", (path,))


def _memory(context: Context) -> Ask:
    return _file(context.path("/proc/meminfo"))


# -- before -----------------------------------------------------------------------------------


def _judge_baseline(context: Context, answers: Answers) -> Verdict:
    """Record memory and GPU as they are: this finding in the journal is the baseline."""
    text = _meminfo(context, answers)
    used, total = system.in_use(text), system.memory(text)["MemTotal"]
    found = f"{used // system.MIB} of {total // system.MIB} MiB in use"
    if "nvidia" in context.profile.facts and not context.sandbox:
        reply = answers.reply(NVIDIA)
        if reply.status != 0:
            return unknown("the memory of the GPU is not known: nvidia-smi gave no answer")
        one = gpu.gpus(reply.text)[0]
        found += f", GPU {one.memory_used} of {one.memory_total} MiB, {one.busy} % busy"
    return effective(found, expected="memory and GPU recorded")


def _meminfo(context: Context, answers: Answers) -> str:
    ask = _memory(context)
    if context.sandbox and not answers.has(ask):
        raise NoAnswer(not_applicable("this sandbox has no /proc"))
    return answers.text(ask)


def _judge_flakes(context: Context, answers: Answers) -> Verdict:
    found, wrong = [], []
    for layer in context.layers:
        if layer.layer in context.not_applicable or layer.within:
            continue
        flake = context.snapshot.flakes[layer.base]
        found.append(f"{layer.base}: {flake.url}")
        if "nix" not in context.snapshot.tools:
            wrong.append(f"{layer.layer}: nix is not installed or not in PATH")
        elif why := context.flake_fault(layer.layer):
            wrong.append(why)
    if not found:
        return not_applicable("neither Nix layer applies here")
    if wrong:
        return not_effective("; ".join(wrong), expected="a flake that Nix can read")
    return effective("; ".join(found), expected="flakes that Nix can read")


def _judge_rescue(context: Context, answers: Answers) -> Verdict:
    text = answers.text(REMOVABLE)
    labels = []
    for disk in document(text)["blockdevices"]:
        if disk.get("tran") == "usb":
            parts = [disk, *disk.get("children", ())]
            labels += [str(p["label"]) for p in parts if p.get("fstype") == "iso9660"]
    live = [label for label in labels if label.startswith("nixos-")]
    if live:
        return effective(live[0], expected="a NixOS live medium")
    return unknown(
        "no NixOS live medium is plugged in: is one at hand? Only a person can say so",
        expected="a NixOS live medium",
        found=", ".join(labels) or "no live medium",
    )


# -- always -----------------------------------------------------------------------------------


def _judge_cpu(context: Context, answers: Answers) -> Verdict:
    march = context.profile.build.compiler.march
    ask = _file(context.path("/proc/cpuinfo"))
    if context.sandbox and not answers.has(ask):
        return not_applicable("this sandbox has no /proc")
    missing = missing_flags(march, system.cpu_flags(answers.text(ask)))
    if missing:
        return not_effective(
            f"without {' '.join(sorted(missing))}",
            expected=f"a CPU that runs {march}",
            reason="code for this march ends with an illegal instruction here",
        )
    return effective(f"every CPU runs {march}", expected=f"a CPU that runs {march}")


def _state(answers: Answers, ask: Ask) -> Verdict:
    reply = answers.reply(ask)
    if reply.status in (MISSING, 123):
        return not_applicable(
            "systemd is not installed" if reply.status == MISSING else reply.last_error
        )
    state = system.state(reply.text)
    if state.state == "offline":
        return not_applicable("systemd does not run here")
    if state.failed:
        found = f"{state.state}: {' '.join(state.failed)}"
        return not_effective(
            found, expected="running", reason="units have failed", faults=state.failed
        )
    if state.state == "running":
        return effective("running", expected="running")
    if state.state in ("starting", "initializing"):
        return unknown("it is still starting", expected="running", found=state.state)
    return not_effective(state.state or "no answer", expected="running")


def _judge_crashes(context: Context, answers: Answers) -> Verdict:
    crashes = [c for c in system.journal(answers.text(journal(context))) if not _is_oom(c.text)]
    dumps: tuple[str, ...] = ()
    reply = answers.reply(coredumps(context))
    if reply.status == 0:
        dumps = system.coredumps(reply.text)
    elif reply.status != MISSING:
        answers.good(coredumps(context))
    expected = "no crash since the switch"
    if crashes or dumps:
        found = crashes[-1].text if crashes else dumps[0]
        return not_effective(
            found,
            expected=expected,
            reason=f"{count(len(crashes), 'line')} of the kernel, "
            f"{count(len(dumps), 'core dump')} since then",
            faults=(*map(str, crashes), *dumps),
        )
    if reply.status == MISSING:
        return effective(
            "none in the kernel's log; core dumps are not collected", expected=expected
        )
    return effective("none", expected=expected)


def _is_oom(text: str) -> bool:
    return text.startswith("oom-kill:") or "out of memory" in text.lower()


def _judge_oom(context: Context, answers: Answers) -> Verdict:
    found = [c for c in system.journal(answers.text(journal(context))) if _is_oom(c.text)]
    expected = "no program ended for lack of memory since the switch"
    if found:
        return not_effective(
            found[-1].text,
            expected=expected,
            reason=count(len(found), "line"),
            faults=map(str, found),
        )
    return effective("none", expected=expected)


def _judge_idle(context: Context, answers: Answers) -> Verdict:
    """The memory of an idle machine: not before five minutes after its start, nor under load."""
    uptime, load = system.uptime(answers.text(UPTIME)), system.load(answers.text(LOAD))
    if uptime < 300 or load >= 0.5:
        return not_applicable(f"the machine is not idle (load {load:g}, up {uptime:.0f} s)")
    used = system.in_use(_meminfo(context, answers))
    found, expected = f"{used / GIB:.1f} GiB in use", "less than 4 GiB in use"
    if used >= IDLE:
        return not_effective(found, expected=expected, reason="the idle machine holds more")
    return effective(found, expected=expected)


def room_paths(context: Context) -> tuple[str, ...]:
    return (context.path("/nix/store"), context.path("/boot"), context.snapshot.home)


def _judge_room(context: Context, answers: Answers) -> Verdict:
    free = system.kilobytes_free(answers.text(Ask("room", room_paths(context))))
    if not free:
        return unknown("df told nothing")
    found = ", ".join(f"{mount} {kib // 1024} MiB" for mount, kib in sorted(free.items()))
    tight = [mount for mount, kib in free.items() if kib < _least(mount)]
    expected = "2 GiB free (100 MiB of a /boot of its own)"
    if tight:
        reason = f"{', '.join(sorted(tight))}: no room for another generation"
        return not_effective(found, expected=expected, reason=reason)
    return effective(found, expected=expected)


def _least(mount: str) -> int:
    return 100 * 1024 if mount.endswith("/boot") else 2 * 1024 * 1024


# -- after phase 1 ----------------------------------------------------------------------------


def _judge_commands(context: Context, answers: Answers) -> Verdict:
    lines = answers.text(COMMANDS).splitlines()
    good = {line[3:] for line in lines if line.startswith("ok ")}
    wrong = [line[6:] for line in lines if line.startswith("wrong ")]
    missing = {"ls", "cat", "grep", "git"} - good
    expected = "ls cat grep git give the right answers"
    if wrong or missing:
        return not_effective(
            "; ".join(wrong) or f"no answer of {sorted(missing)}",
            expected=expected,
            faults=({"ls", "cat", "grep", "git"} - good),
        )
    return effective("ls cat grep git", expected=expected)


def _judge_build(context: Context, answers: Answers) -> Verdict:
    reply = answers.reply(BUILD)
    if reply.status == MISSING:
        return not_applicable("nix is not installed")
    if reply.status == DENIED or reply.status != 0:
        return not_effective(
            reply.last_error, expected="a build that succeeds", reason="nix-build failed"
        )
    lines = dict(line.partition(" ")[::2] for line in reply.text.splitlines())
    if lines.get("text") != "built" or not lines.get("path", "").startswith("/"):
        return not_effective(reply.text.strip(), expected="a store path that holds `built`")
    return effective("a derivation that was never built before", expected="a build that succeeds")


def _state_item(id: str, title: str, ask: Ask) -> Item:
    return Item(
        id=id,
        title=title,
        asks=lambda context: (ask,),
        judge=lambda context, answers: _state(answers, ask),
    )


def _crash_asks(context: Context) -> Iterable[Ask]:
    return (journal(context), coredumps(context))


ITEMS: tuple[Item, ...] = (
    Item(
        id="before.baseline",
        touched_by=NOTHING,
        title="Memory and GPU are recorded as they were",
        when=When.BEFORE,
        asks=lambda context: (_memory(context), NVIDIA),
        judge=_judge_baseline,
    ),
    Item(
        id="before.rescue-medium",
        touched_by=NOTHING,
        title="A live medium is at hand",
        when=When.BEFORE,
        needs=frozenset({"bootloader"}),
        counts=False,
        asks=lambda context: (REMOVABLE,),
        judge=_judge_rescue,
    ),
    Item(
        id="flakes.readable",
        touched_by=NOTHING,
        title="The user's flakes are there, and Nix can read them",
        asks=lambda context: (),
        judge=_judge_flakes,
    ),
    Item(
        id="profile.cpu",
        touched_by=BUILT,
        title="Every CPU runs the code of the profile",
        asks=lambda context: (_file(context.path("/proc/cpuinfo")),),
        judge=_judge_cpu,
    ),
    _state_item("system.state", "The system runs and no unit has failed", SYSTEM_STATE),
    _state_item("user.state", "The user's manager runs and no unit has failed", USER_STATE),
    Item(
        id="journal.crashes",
        title="No crash since the switch",
        asks=_crash_asks,
        judge=_judge_crashes,
    ),
    Item(
        id="journal.memory",
        title="Nothing ended for lack of memory since the switch",
        asks=lambda context: (journal(context),),
        judge=_judge_oom,
    ),
    Item(
        id="memory.idle",
        touched_by=NOTHING,
        title="The idle machine holds less than 4 GiB",
        counts=False,
        asks=lambda context: (
            _memory(context),
            UPTIME,
            LOAD,
        ),
        judge=_judge_idle,
    ),
    Item(
        id="disk.room",
        touched_by=BUILT,
        title="Room for another generation",
        asks=lambda context: (Ask("room", room_paths(context)),),
        judge=_judge_room,
    ),
    Item(
        id="commands.basic",
        touched_by=BUILT,
        title="The basic commands work",
        when=When.AFTER,
        phase=Phase.LIBRARIES,
        asks=lambda context: (COMMANDS,),
        judge=_judge_commands,
    ),
    Item(
        id="nix.build",
        touched_by=BUILT,
        title="Nix builds something new",
        when=When.AFTER,
        phase=Phase.LIBRARIES,
        asks=lambda context: (BUILD,),
        judge=_judge_build,
    ),
)
