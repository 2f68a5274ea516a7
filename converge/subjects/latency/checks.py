"""Checks of the rows beyond the plan: the kernel's own numbers, and what systemd-oomd watches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from converge.boot.checks import BootCheck, is_, lines
from converge.effect import Effect, Verdict, effective, matches, not_effective, pending
from converge.proof.check import Answers, Ask, Context, Proof, Unreadable, value
from converge.setting import Phase, Setting
from converge.subjects.memory.checks import MEMORY
from converge.subjects.workspace import system
from converge.subjects.workspace.generations import BOOTED, marker_asks, settle

#: Id of a row -> file of the kernel -> its content where the row is in use.
KERNEL: Mapping[str, Mapping[str, str]] = {
    "memory.zswap": {"/sys/module/zswap/parameters/enabled": "N"},
    "boot.restart": {"/proc/sys/kernel/panic": "30"},
    "memory.min-ttl": {"/sys/kernel/mm/lru_gen/min_ttl_ms": "1000"},
    "memory.sched-ext": {
        "/sys/kernel/sched_ext/state": "enabled",
        "/sys/kernel/sched_ext/root/ops": "lavd",
    },
}
OOMD = Ask("oomd", machine=True)


def _file(path: str) -> Ask:
    return Ask("file", (path,), machine=True)


#: Whether the kernel has its generations of pages on: bits, 0 for off (its mm/multigen_lru).
GENERATIONS = "/sys/kernel/mm/lru_gen/enabled"
#: What this boot was started with; of a parameter given twice the last one counts.
BOOT_LINE = "/proc/cmdline"
#: Id of a row -> a file that says whether the row's value is used at all.
_USED_BY: Mapping[str, str] = {"memory.min-ttl": GENERATIONS, "boot.restart": BOOT_LINE}


def _kernel_asks(context: Context, setting: Setting) -> Iterable[Ask]:
    more = [_USED_BY[setting.id]] if setting.id in _USED_BY else []
    files = (_file(path) for path in (*KERNEL[setting.id], *more))
    return (*files, BOOTED, *marker_asks(context, setting.layer))


def _judge_kernel(context: Context, answers: Answers, setting: Setting) -> Verdict:
    wanted = KERNEL[setting.id]
    found = {path: answers.text(_file(path)).strip() for path in wanted}
    live = matches(_shown(found), _shown(wanted), reason="the kernel says otherwise")
    if setting.id == "memory.sched-ext":  # the file has lavd_1.0.9_x86_64_unknown_linux_gnu
        running = all(found[path].partition("_")[0] == word for path, word in wanted.items())
        live = effective(_shown(found), expected=_shown(wanted)) if running else live
    if live.effect is Effect.EFFECTIVE and (unused := _unused(answers, setting)):
        live = not_effective(unused, expected=_shown(wanted), reason="so the value is not used")
    return settle(context, answers, setting, live)


def _unused(answers: Answers, setting: Setting) -> str:
    """What keeps the kernel or systemd from using a row's value; "" for nothing."""
    if setting.id == "memory.min-ttl":
        bits = answers.text(_file(GENERATIONS)).strip()
        if not re.fullmatch(r"0x[0-9a-f]+", bits):
            raise Unreadable("the kernel did not say whether its generations of pages are on")
        return "" if int(bits, 16) else f"lru_gen is off ({bits})"
    if setting.id == "boot.restart":
        given = answers.text(_file(BOOT_LINE)).split()
        last = {word.partition("=")[0]: word for word in given}
        lacking = [
            word
            for word in value(setting)["kernelParams"]
            if last.get(word.partition("=")[0]) != word
        ]
        return f"this boot was started without {' '.join(lacking)}" if lacking else ""
    return ""


def _kernel_after_boot(context: Context, setting: Setting) -> Iterator[BootCheck]:
    for path, text in KERNEL[setting.id].items():
        rule = is_(text)
        if setting.id == "memory.sched-ext":
            rule = lines("^", f"^{text}(_.*)?$")
        yield BootCheck(name=setting.id, ask=_file(path), rules=(rule,))


def _shown(values: Mapping[str, str]) -> str:
    return ", ".join(f"{path.rpartition('/')[2]}={text}" for path, text in values.items())


# -- what systemd-oomd watches ------------------------------------------------------------------

APP = Ask("properties", ("user", "app.slice", "ManagedOOMSwap,ManagedOOMMemoryPressure"))


def _oomd_asks(context: Context, setting: Setting) -> Iterable[Ask]:
    return (OOMD, APP, BOOTED, *marker_asks(context, setting.layer))


def _judge_oomd(context: Context, answers: Answers, setting: Setting) -> Verdict:
    """Whether ``oomctl dump`` lists the control group, for swap or for pressure."""
    uid = context.snapshot.facts["uid"]
    watched = f"/user.slice/user-{uid}.slice/user@{uid}.service/app.slice"
    text = answers.text(OOMD)
    swap, _, pressure = text.partition("Memory Pressure Monitored CGroups")
    expected = f"oomd watches {watched} for swap and pressure"
    missing = [
        name
        for name, part in (("swap", swap), ("pressure", pressure))
        if f"Path: {watched}" not in [line.strip() for line in part.splitlines()]
    ]
    if "Dry Run: yes" in [line.strip() for line in text.splitlines()]:
        dry = not_effective("oomd runs dry", expected=expected, reason="it only says what it would")
        return settle(context, answers, setting, dry)
    if not missing:
        return effective("it is watched for both", expected=expected)
    if "Swap Monitored CGroups" not in swap or not pressure:
        raise Unreadable("oomctl did not list what is watched")
    wrong = f"it is not watched for {' and '.join(missing)}"
    reply = answers.reply(APP)
    told = system.properties(reply.text) if reply.status == 0 else {}
    if all(told.get(name) == "kill" for name in value(setting)["userSlices"]["app"]):
        reason = "the user's manager has read it; oomd is told at the next login"
        return pending(reason, expected=expected, found=wrong)
    return settle(context, answers, setting, not_effective(wrong, expected=expected))


# -- the promise of memory, from the top down ---------------------------------------------------


def _groups(context: Context) -> tuple[str, ...]:
    """The control groups that all need ``memory.min``, the session's last."""
    uid = context.snapshot.facts["uid"]
    user = f"user.slice/user-{uid}.slice"
    manager = f"{user}/user@{uid}.service"
    return ("user.slice", user, manager, f"{manager}/session.slice")


def _promise(context: Context) -> Ask:
    return Ask("promise", _groups(context), machine=True)


def _session_unit() -> Ask:
    return Ask("properties", ("user", "session.slice", "MemoryMin"), machine=True)


def _session_asks(context: Context, setting: Setting) -> Iterable[Ask]:
    asks = (_promise(context), _session_unit(), MEMORY, BOOTED)
    return (*asks, *marker_asks(context, setting.layer))


def _judge_session(context: Context, answers: Answers, setting: Setting) -> Verdict:
    """Whether every group from the top down promises the memory, and KWin is in the last one."""
    total = system.memory(answers.text(MEMORY))["MemTotal"]
    wanted = total * float(value(setting)["protect"].rstrip("%")) / 100
    expected = f"session.slice keeps {wanted / system.MIB:.0f} MiB, with KWin in it"
    minima, desktop = _promised(answers.text(_promise(context)), _groups(context))
    least = min(minima, key=lambda name: minima[name])
    found = f"{least.rpartition('/')[2]} promises {minima[least] / system.MIB:.0f} MiB"
    if minima[least] < 0.99 * wanted:
        reply = answers.reply(_session_unit())
        told = system.properties(reply.text).get("MemoryMin", "") if reply.status == 0 else ""
        if told.isdecimal() and int(told) >= 0.99 * wanted:
            reason = "systemd has read it; the kernel gets it when the slices start, after a reboot"
            return pending(reason, expected=expected, found=found)
        return settle(context, answers, setting, not_effective(found, expected=expected))
    if not desktop:
        return pending("KWin does not run: at the next login", expected=expected, found=found)
    outside = [path for path in desktop if not path.startswith(f"/{_groups(context)[-1]}/")]
    if outside:
        reason = "systemd did not start it, so the promise does not reach it"
        live = not_effective(f"KWin is in {outside[0]}", expected=expected, reason=reason)
        return settle(context, answers, setting, live)
    return effective(f"{minima[least] / system.MIB:.0f} MiB at each level, KWin in it")


def _promised(text: str, groups: tuple[str, ...]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Control group -> its promised bytes (``memory.min``), and the control groups of KWin."""
    minima: dict[str, int] = {}
    desktop: list[str] = []
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        name, _, number = rest.rpartition(" ")
        if word == "minimum" and name in groups and number.isdecimal():
            minima[name] = int(number)
        elif word == "minimum" and name in groups and number == "max":
            minima[name] = 2**63
        elif word == "desktop" and rest.startswith("/"):
            desktop.append(rest)
        else:
            raise Unreadable("what the kernel promises was not told")
    if minima.keys() != set(groups):
        raise Unreadable("what the kernel promises was told in part")
    return minima, tuple(desktop)


PROOFS: tuple[Proof, ...] = (
    Proof(
        id="latency.kernel",
        title="The kernel's own values",
        phase=Phase.MEMORY,
        asks=_kernel_asks,
        judge=_judge_kernel,
        after_boot=_kernel_after_boot,
    ),
    Proof(
        id="latency.session",
        title="Memory that the kernel leaves to the session",
        phase=Phase.MEMORY,
        asks=_session_asks,
        judge=_judge_session,
    ),
    Proof(
        id="latency.oomd",
        title="What systemd-oomd watches",
        phase=Phase.MEMORY,
        asks=_oomd_asks,
        judge=_judge_oomd,
    ),
)
