"""Checks of memory and storage, by the answers of the kernel."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from converge.boot.checks import BootCheck, has, is_, lines
from converge.effect import (
    Effect,
    Verdict,
    effective,
    matches,
    not_effective,
    pending,
    unknown,
)
from converge.proof.check import ABSENT, Answers, Ask, Context, Proof, Unreadable, value
from converge.setting import Phase, Setting
from converge.subjects.workspace import system
from converge.subjects.workspace.generations import BOOTED, marker_asks, settle

SWAPS = Ask("file", ("/proc/swaps",), machine=True)
ALGORITHM = Ask("file", ("/sys/block/zram0/comp_algorithm",), machine=True)
MEMORY = Ask("file", ("/proc/meminfo",), machine=True)
ZSWAP = Ask("file", ("/sys/module/zswap/parameters/enabled",), machine=True)
DISKS = Ask("disks", machine=True)
_DEVICE = re.compile(r"/dev/zram[0-9]+")


def _layer(context: Context, setting: Setting, *asks: Ask) -> Iterable[Ask]:
    return (*asks, BOOTED, *marker_asks(context, setting.layer))


# -- zram -------------------------------------------------------------------------------------


def _judge_zram(context: Context, answers: Answers, setting: Setting) -> Verdict:
    return settle(context, answers, setting, _zram(context, answers))


def _zram(context: Context, answers: Answers) -> Verdict:
    wanted = context.profile.memory.zram
    if wanted is None:
        return unknown("the profile declares no zram")
    expected = f"zram {wanted.percent} %, {wanted.algorithm}, priority {wanted.priority}"
    swaps = system.swaps(answers.text(SWAPS))
    found = [swap for swap in swaps if _DEVICE.fullmatch(swap.name)]
    if not found:
        return not_effective("no swap in zram", expected=expected)
    if len(found) > 1:
        return not_effective(
            f"{len(found)} zram devices",
            expected=expected,
            reason="another configuration makes one as well",
        )
    if _zswap(answers):
        return not_effective(
            "zswap is enabled",
            expected=expected,
            reason="it keeps swapped pages in a pool of its own, so few of them reach zram; "
            "start the kernel with zswap.enabled=0",
        )
    if found[0].name != "/dev/zram0":
        raise Unreadable(f"the swap is {found[0].name}, and zram0 was asked")
    before = [one.name for one in swaps if one.priority >= found[0].priority and one not in found]
    if before:
        return not_effective(
            f"{before[0]} has the same priority or a higher one",
            expected=expected,
            reason="the kernel fills that swap before zram",
        )
    total = system.memory(answers.text(MEMORY))["MemTotal"]
    algorithm = system.chosen(answers.text(ALGORITHM))
    percent = 100 * found[0].size / total
    shown = f"zram {percent:.0f} %, {algorithm}, priority {found[0].priority}"
    if (
        abs(percent - wanted.percent) < 1
        and algorithm == wanted.algorithm
        and found[0].priority == wanted.priority
    ):
        return effective(shown, expected=expected)
    return not_effective(shown, expected=expected)


def _zram_after_boot(context: Context, setting: Setting) -> Iterator[BootCheck]:
    wanted = context.profile.memory.zram
    if wanted is not None:
        device = r"^/dev/zram[0-9]+[[:space:]]"
        rule = lines(device, rf"[[:space:]]{wanted.priority}$")
        yield BootCheck(name=setting.id, ask=SWAPS, rules=(rule,))
        yield BootCheck(name=setting.id, ask=ALGORITHM, rules=(has(f"[{wanted.algorithm}]"),))


def _zswap(answers: Answers) -> bool:
    """Whether zswap is in front of every swap. A kernel without zswap lacks the file."""
    if answers.reply(ZSWAP).status == ABSENT:
        return False
    text = answers.text(ZSWAP).strip()
    if text not in ("Y", "N", "1", "0"):
        raise Unreadable(f"zswap is neither on nor off: {text[:20]!r}")
    return text in ("Y", "1")


# -- sysctl -----------------------------------------------------------------------------------


def _sysctl(name: str) -> Ask:
    return Ask("file", (f"/proc/sys/{name.replace('.', '/')}",), machine=True)


def _sysctl_asks(context: Context, setting: Setting) -> Iterable[Ask]:
    return _layer(context, setting, *(_sysctl(name) for name in value(setting)["sysctl"]))


def _judge_sysctl(context: Context, answers: Answers, setting: Setting) -> Verdict:
    wanted = {name: str(number) for name, number in value(setting)["sysctl"].items()}
    found = {name: answers.text(_sysctl(name)).strip() for name in wanted}
    live = matches(_shown(found), _shown(wanted), reason="another file sets it, or none")
    return settle(context, answers, setting, live)


def _shown(values: dict[str, str]) -> str:
    return ", ".join(f"{name}={text}" for name, text in values.items())


def _sysctl_after_boot(context: Context, setting: Setting) -> Iterator[BootCheck]:
    for name, number in value(setting)["sysctl"].items():
        yield BootCheck(name=setting.id, ask=_sysctl(name), rules=(is_(str(number)),))


# -- slices: all that a user runs, and the applications alone ---------------------------------


def _user(context: Context) -> tuple[Ask, Ask]:
    """Questions for the limits of all that the user runs: the kernel's numbers, and systemd's."""
    name = f"user-{context.snapshot.facts['uid']}.slice"
    return (
        Ask("group", (f"user.slice/{name}",), machine=True),
        Ask("properties", ("system", name, "MemoryHigh,MemoryMax"), machine=True),
    )


def _applications(context: Context) -> tuple[Ask, Ask]:
    """The same questions for the applications alone; KWin and Plasma run in session.slice."""
    uid = context.snapshot.facts["uid"]
    group = f"user.slice/user-{uid}.slice/user@{uid}.service/app.slice"
    return (
        Ask("group", (group,), machine=True),
        Ask("properties", ("user", "app.slice", "MemoryHigh,MemoryMax"), machine=True),
    )


def _above(context: Context) -> tuple[Ask, ...]:
    """Questions for the limits of every group above the applications, by the kernel's numbers."""
    uid = context.snapshot.facts["uid"]
    groups = ("user.slice", f"user.slice/user-{uid}.slice/user@{uid}.service")
    return (_user(context)[0], *(Ask("group", (group,), machine=True) for group in groups))


def _slice_asks(context: Context, setting: Setting) -> Iterable[Ask]:
    return _layer(context, setting, *_user(context), MEMORY)


def _app_slice_asks(context: Context, setting: Setting) -> Iterable[Ask]:
    own, above = _applications(context), _above(context)
    return _layer(context, setting, *own, *_user(context), *above[1:], MEMORY)


def _waits(answers: Answers, ask: Ask, wanted: Mapping[str, float], total: int) -> bool:
    """Whether systemd has read the wanted limits of memory. It hands them to the kernel at the
    start of the slice, and not at a `daemon-reload` (systemd 257, `tests/vm`); a restart of the
    slice would end all that the user runs."""
    reply = answers.reply(ask)
    read = system.properties(reply.text) if reply.status == 0 else {}
    limits = [name for name in wanted if name.startswith("Memory")]
    return bool(limits) and all(
        read.get(name, "").isdecimal() and abs(100 * int(read[name]) / total - wanted[name]) < 1
        for name in limits
    )


def _limits(
    answers: Answers, asks: tuple[Ask, Ask], config: Mapping[str, str], whose: str
) -> Verdict:
    """Compare the kernel's limits with ``config``, in percent of memory and of one CPU."""
    numbers = system.group(answers.text(asks[0]))
    total = system.memory(answers.text(MEMORY))["MemTotal"]
    in_force = {
        "MemoryHigh": None if numbers.high is None else 100 * numbers.high / total,
        "MemoryMax": None if numbers.maximum is None else 100 * numbers.maximum / total,
        "CPUQuota": numbers.cpu,
    }
    wanted = {name: float(text.rstrip("%")) for name, text in config.items()}

    def shown(values: Mapping[str, float | None]) -> str:
        return ", ".join(
            f"{name} {'none' if values[name] is None else f'{values[name]:.0f}%'}"
            for name in wanted
        )

    expected = shown(wanted)
    right = all(
        (found := in_force[name]) is not None and abs(found - number) < 1
        for name, number in wanted.items()
    )
    if right:
        return effective(shown(in_force), expected=expected)
    if _waits(answers, asks[1], wanted, total):
        reason = f"systemd has read it; the kernel gets it with the next start of {whose}"
        return pending(reason, expected=expected, found=shown(in_force))
    return not_effective(shown(in_force), expected=expected, reason=f"of {whose}")


def _judge_slice(context: Context, answers: Answers, setting: Setting) -> Verdict:
    config = value(setting)["sliceConfig"]
    live = _limits(answers, _user(context), config, "the user's own slice")
    return settle(context, answers, setting, live)


def _judge_app_slice(context: Context, answers: Answers, setting: Setting) -> Verdict:
    config = value(setting)["userSlices"]["app"]
    live = _limits(answers, _applications(context), config, "the applications' slice")
    whole, unit = _user(context)
    above = system.group(answers.text(whole))
    if "memory.high" not in above.known:
        raise Unreadable("the kernel did not say what limits all that the user runs")
    if live.effect is Effect.EFFECTIVE and above.high is not None:
        reply = answers.reply(unit)
        read = system.properties(reply.text) if reply.status == 0 else {}
        if read.get("MemoryHigh") == "infinity":  # runs until 2026-11 set this
            return pending(
                "the limit of an earlier run slows KWin down as well, until the user's slice "
                "starts anew: after a reboot",
                expected="no limit of the whole user",
                found="MemoryHigh of the user's own slice",
            )
    if live.effect is Effect.EFFECTIVE and (lower := _lower(context, answers)):
        reason = "by your own choice: it limits the applications and the desktop before ours does"
        live = replace(not_effective(lower, expected=live.expected, reason=reason), own=True)
    return settle(context, answers, setting, live)


def _lower(context: Context, answers: Answers) -> str:
    """A group above the applications with a lower limit than theirs, or the empty string."""
    ours = system.group(answers.text(_applications(context)[0])).high
    for ask in _above(context):
        numbers = system.group(answers.text(ask))
        limits = [one for one in (numbers.high, numbers.maximum) if one is not None]
        if ours is not None and limits and min(limits) < ours:
            return f"{ask.arguments[0].rpartition('/')[2]} ends at {min(limits) // system.MIB} MiB"
    return ""


# -- I/O scheduler ----------------------------------------------------------------------------


def _is(disk: system.DiskQueue, kind: str, declared: Collection[str]) -> bool:
    """Say whether a disk can be of a kind, by its kernel name and the other declared kinds."""
    match kind:
        case "nvme":
            return disk.name.startswith("nvme")
        case "emmc":
            return disk.name.startswith("mmcblk")
        case "virtual":  # a virtual machine may call its disk sda or nvme0n1
            if disk.name.startswith("nvme"):
                return "nvme" not in declared
            return disk.name.startswith(("vd", "xvd", "sd"))
        case "ssd" | "hdd":
            return disk.name.startswith("sd") and disk.rotational is (kind == "hdd")
        case _:
            return False


def _judge_scheduler(context: Context, answers: Answers, setting: Setting) -> Verdict:
    disks = system.disks(answers.text(DISKS))
    wanted = {
        disk.kind: disk.scheduler
        for disk in context.profile.storage.disks
        if disk.scheduler and disk.kind != "unknown"
    }
    expected = ", ".join(f"{name} on the {kind} disk" for kind, name in wanted.items())
    shown = ", ".join(f"{disk.name} {disk.scheduler}" for disk in disks) or "no disk"
    missing = [kind for kind in wanted if not any(_is(disk, kind, wanted) for disk in disks)]
    wrong = [
        disk.name
        for kind, name in wanted.items()
        for disk in disks
        if _is(disk, kind, wanted) and disk.scheduler != name
    ]
    if missing:
        live = not_effective(
            shown,
            expected=expected,
            reason=f"the profile says {' and '.join(missing)}, and the machine has no such disk",
        )
    elif wrong:
        live = not_effective(shown, expected=expected, reason=f"on {' '.join(wrong)}")
    else:
        live = effective(shown, expected=expected)
    return settle(context, answers, setting, live)


#: Kernel names of the disks of a kind, and whether they rotate, as the probe ``disks`` prints them.
_DISKS = {
    "nvme": "nvme[^ ]* [01]",
    "emmc": "mmcblk[^ ]* [01]",
    "virtual": "(vd|xvd|sd)[^ ]* [01]",
    "ssd": "sd[^ ]* 0",
    "hdd": "sd[^ ]* 1",
}


def _scheduler_after_boot(context: Context, setting: Setting) -> Iterator[BootCheck]:
    for disk in context.profile.storage.disks:
        if disk.scheduler and disk.kind in _DISKS:
            chosen = rf"\[{disk.scheduler}\]| {disk.scheduler}$"
            rule = lines(f"^disk {_DISKS[disk.kind]} ", chosen)
            yield BootCheck(name=setting.id, ask=DISKS, rules=(rule,))


PROOFS: tuple[Proof, ...] = (
    Proof(
        id="memory.zram",
        title="/proc/swaps and the zram device",
        phase=Phase.MEMORY,
        asks=lambda context, setting: _layer(context, setting, SWAPS, ALGORITHM, MEMORY, ZSWAP),
        judge=_judge_zram,
        after_boot=_zram_after_boot,
    ),
    Proof(
        id="memory.sysctl",
        title="The kernel's own values",
        phase=Phase.MEMORY,
        asks=_sysctl_asks,
        judge=_judge_sysctl,
        after_boot=_sysctl_after_boot,
    ),
    Proof(
        id="memory.user-slice",
        title="Limits of the user's slice in the kernel",
        phase=Phase.MEMORY,
        asks=_slice_asks,
        judge=_judge_slice,
    ),
    Proof(
        id="memory.app-slice",
        title="Limits of the applications' slice in the kernel",
        phase=Phase.MEMORY,
        asks=_app_slice_asks,
        judge=_judge_app_slice,
    ),
    Proof(
        id="storage.scheduler",
        title="Scheduler of the disk that the profile declares",
        phase=Phase.MEMORY,
        asks=lambda context, setting: _layer(context, setting, DISKS),
        judge=_judge_scheduler,
        after_boot=_scheduler_after_boot,
    ),
)
