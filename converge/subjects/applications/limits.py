"""Checks of phase 3: limits of applications, as the kernel has them.

systemd's answers prove little: ``systemctl status`` of a pattern without a match ends with 0, so
does ``show`` of a missing unit, and properties are shown that no controller applies. So the unit
has to be loaded from a file, and the numbers come from the control group itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from converge.effect import Effect, Verdict, effective, not_applicable, not_effective, pending
from converge.proof.check import (
    BUILT,
    MISSING,
    NOBODY,
    Answers,
    Ask,
    Context,
    Item,
    Proof,
    Unreadable,
    When,
    value,
)
from converge.setting import Layer, Phase, Setting
from converge.subjects.applications import rows
from converge.subjects.workspace import system
from converge.subjects.workspace.generations import marker_asks, settle

APPS = "electron.app."


def _slice(unit: str) -> Ask:
    return Ask("slice", (unit,))


def unit_files(context: Context, name: str) -> tuple[Ask, Ask]:
    """Questions for a unit file of the user: the file in place, and that of the generation."""
    inside = f".config/systemd/user/{name}"
    return (
        Ask("file", (context.home(inside),)),
        Ask("file", (f"{context.generation(Layer.HOME_MANAGER)}/home-files/{inside}",)),
    )


def processes(context: Context, setting: Setting) -> Ask:
    programs = value(setting)["programs"]
    return Ask("processes", (str(len(programs)), *programs, *context.links))


def _memory(context: Context) -> Ask:
    return Ask("file", (context.path("/proc/meminfo"),))


# -- limits of one application ------------------------------------------------------------------


def _app_asks(context: Context, setting: Setting) -> Iterable[Ask]:
    unit = rows.slice_name(setting.id.removeprefix(APPS))
    return (
        _slice(unit),
        *unit_files(context, unit),
        processes(context, setting),
        *marker_asks(context, Layer.HOME_MANAGER),
    )


def _wanted(setting: Setting) -> dict[str, float]:
    """The numbers of a setting by name: MiB, and percent of one CPU."""
    row = value(setting)
    return {
        "MemoryHigh": row["memoryHighMB"],
        "MemoryMax": row["memoryMaxMB"],
        "MemorySwapMax": row["memorySwapMaxMB"],
        "CPUQuota": row["cpuQuotaPercent"],
    }


def _in_kernel(numbers: system.Group) -> dict[str, float | None]:
    def mib(value: int | None) -> float | None:
        return None if value is None else value / system.MIB

    return {
        "MemoryHigh": mib(numbers.high),
        "MemoryMax": mib(numbers.maximum),
        "MemorySwapMax": mib(numbers.swap),
        "CPUQuota": numbers.cpu,
    }


def _shown(numbers: Mapping[str, float | None]) -> str:
    def one(name: str, number: float | None) -> str:
        if number is None:
            return f"{name} none"
        return f"{name} {number:g}{'%' if name == 'CPUQuota' else 'M'}"

    return ", ".join(one(name, number) for name, number in numbers.items())


def _judge_app(context: Context, answers: Answers, setting: Setting) -> Verdict:
    unit = rows.slice_name(setting.id.removeprefix(APPS))
    wanted = _wanted(setting)
    live = _limits(context, answers, unit, wanted)
    if live.effect is not Effect.EFFECTIVE:
        return settle(context, answers, setting, live)
    return _inside(context, answers, setting, unit, live)


def _limits(context: Context, answers: Answers, unit: str, wanted: Mapping[str, float]) -> Verdict:
    expected = _shown(wanted)
    reply = answers.reply(_slice(unit))
    if reply.status in (MISSING, NOBODY):
        return _on_disk(context, answers, unit, wanted, reply.last_error)
    text = answers.text(_slice(unit))
    unit_state = system.properties(text)
    if unit_state.get("LoadState") != "loaded" or not unit_state.get("FragmentPath"):
        return not_effective(
            f"{unit}: {unit_state.get('LoadState', 'not known')}, from no file",
            expected=expected,
            reason="systemd has no such unit, whatever it shows for it",
        )
    numbers = system.group(text)
    needed = {"memory.high", "memory.max", "memory.swap.max", "cpu.max"}
    found = _in_kernel(numbers)
    if not {"memory.high", "memory.max"} <= numbers.known:
        missing = " ".join(sorted(needed - numbers.known))
        return not_effective(
            f"the control group has no {missing}",
            expected=expected,
            reason="the controller is not delegated to the user's manager",
        )
    found = {name: found[name] for name in wanted}
    if all(_equal(found[name], number) for name, number in wanted.items()):
        return effective(_shown(found), expected=expected)
    if unit_state.get("NeedDaemonReload") == "yes":
        reason = "systemd has not read the changed unit: systemctl --user daemon-reload"
        return pending(reason, expected=expected, found=_shown(found))
    return not_effective(_shown(found), expected=expected, reason="the kernel has other numbers")


def _equal(found: float | None, wanted: float) -> bool:
    """Whether two numbers are equal, except for rounding: the kernel keeps whole pages."""
    return found is not None and abs(found - wanted) <= 0.01


def _on_disk(
    context: Context, answers: Answers, unit: str, wanted: Mapping[str, float], why: str
) -> Verdict:
    """The verdict without a user manager: the unit file decides what will be in force."""
    expected = _shown(wanted)
    live, built = (answers.reply(ask) for ask in unit_files(context, unit))
    if live.status != 0:
        found = "not in ~/.config/systemd/user"
        if built.status == 0:
            reason = "its generation is built; the unit is in place after its activation"
            return pending(reason, expected=expected, found=found)
        return not_effective(f"{unit}: {found}", expected=expected)
    lines = [line.strip() for line in live.text.splitlines()]
    found = ", ".join(line for line in lines if line.partition("=")[0] in wanted)
    texts = {f"{n}={v:g}{'%' if n == 'CPUQuota' else 'M'}" for n, v in wanted.items()}
    if texts <= set(lines):
        return pending(f"at the next login: {why}", expected=expected, found=found)
    return not_effective(found or "no limits", expected=expected, reason=f"in {unit}")


def _inside(
    context: Context, answers: Answers, setting: Setting, unit: str, live: Verdict
) -> Verdict:
    """``live``, unless a process of the application is outside of the slice; a process that is
    older than the slice makes the verdict pending."""
    text = answers.text(processes(context, setting))
    made = system.since(text)
    outside = [p for p in system.processes(text) if f"/{unit}/" not in f"{p.group}/"]
    if not outside:
        return live
    numbers = " ".join(str(process.pid) for process in outside)
    if all(process.started < made for process in outside):
        reason = f"process {numbers} is older than the limits: close the application and start it"
        return pending(reason, expected=live.expected, found=live.found)
    return not_effective(
        f"process {numbers} outside of {unit}",
        expected=f"every process in {unit}",
        reason=_way_out(outside),
    )


def _way_out(outside: Iterable[system.Process]) -> str:
    """A sentence on processes outside of the slice: Chromium asks for a scope and moves there."""
    for process in outside:
        scope = process.group.rpartition("/")[2]
        if scope.startswith("app-") and scope.endswith(f"-{process.pid}.scope"):
            return (
                f"the application went into a scope of its own, {scope}, that no drop-in led here"
            )
    return "it was started past the menu entry and the wrapper"


# -- the budget of all ---------------------------------------------------------------------------


def _budget_asks(context: Context, setting: Setting) -> Iterable[Ask]:
    unit = str(value(setting)["slice"])
    return (
        _slice(unit),
        *unit_files(context, unit),
        _memory(context),
        *marker_asks(context, Layer.HOME_MANAGER),
    )


def _judge_budget(context: Context, answers: Answers, setting: Setting) -> Verdict:
    row = value(setting)
    unit, percent = str(row["slice"]), row["memoryHighPercent"]
    reply = answers.reply(_slice(unit))
    expected = f"MemoryHigh {percent} % of memory"
    if reply.status in (MISSING, NOBODY):
        live, built = (answers.reply(ask) for ask in unit_files(context, unit))
        if live.status == 0 and f"MemoryHigh={percent}%" in live.text.split():
            return pending(f"at the next login: {reply.last_error}", expected=expected)
        verdict = not_effective(f"{unit}: not in ~/.config/systemd/user", expected=expected)
        if live.status != 0 and built.status == 0:
            verdict = pending("after the activation of its generation", expected=expected)
        return settle(context, answers, setting, verdict)
    total = system.memory(answers.text(_memory(context)))["MemTotal"]
    text = answers.text(_slice(unit))
    numbers = system.group(text)
    if not system.properties(text).get("FragmentPath") or numbers.high is None:
        verdict = not_effective(f"{unit} has no limit", expected=expected)
        return settle(context, answers, setting, verdict)
    found = f"MemoryHigh {100 * numbers.high / total:.1f} % of memory"
    if abs(100 * numbers.high / total - percent) < 1:
        return effective(found, expected=expected)
    return settle(context, answers, setting, not_effective(found, expected=expected))


# -- within the limits ---------------------------------------------------------------------------


def _kills_asks(context: Context) -> Iterable[Ask]:
    for app in context.in_force(APPS):
        yield _slice(rows.slice_name(app.id.removeprefix(APPS)))


def _judge_kills(context: Context, answers: Answers) -> Verdict:
    counted, killed = 0, []
    for app in context.in_force(APPS):
        name = app.id.removeprefix(APPS)
        ask = _slice(rows.slice_name(name))
        if answers.reply(ask).status in (MISSING, NOBODY):
            continue
        text = answers.text(ask)
        if "LoadState" not in system.properties(text):
            raise Unreadable(f"systemd said nothing of {rows.slice_name(name)}")
        numbers = system.group(text)
        if "oom_kill" not in numbers.known:
            continue
        counted += 1
        if numbers.oom_kills:
            killed.append(f"{name} {numbers.oom_kills}")
    expected = "no process ended at its limit"
    if not counted:
        return not_applicable("no limited application has a slice now")
    if killed:
        reason = "its MemoryMax is too low for what it does"
        return not_effective(", ".join(killed), expected=expected, reason=reason, faults=killed)
    return effective(f"none in {counted} slices", expected=expected)


ITEMS: tuple[Item, ...] = (
    Item(
        id="limits.kills",
        touched_by=BUILT,
        title="No application was ended at its limit",
        when=When.AFTER,
        phase=Phase.ELECTRON,
        asks=_kills_asks,
        judge=_judge_kills,
    ),
)

PROOFS: tuple[Proof, ...] = (
    *(
        Proof(
            id=row.check,
            title=f"Limits of {value(row)['title']} in the kernel",
            phase=Phase.ELECTRON,
            asks=_app_asks,
            judge=_judge_app,
        )
        for row in rows.ROWS
        if row.id.startswith(APPS)
    ),
    Proof(
        id="limits.budget",
        title="Limit of all applications together",
        phase=Phase.ELECTRON,
        asks=_budget_asks,
        judge=_judge_budget,
    ),
)
