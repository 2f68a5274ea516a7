"""Phase 3: limits of applications as the kernel has them, and what their GPU processes do.

What proves nothing here: ``systemctl status`` of a pattern that matches no unit ends with 0, and
``show`` of a unit that is not there does so too; properties are shown that no controller applies. So
a unit has to be loaded from a file, and the numbers are those of the control group itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from converge.checks.check import MISSING, NOBODY, Answers, Ask, Context, Item, Proof, When, value
from converge.checks.generations import marker_asks, settle
from converge.checks.outputs import gpu, system
from converge.effect import (
    Effect,
    Verdict,
    effective,
    not_applicable,
    not_effective,
    pending,
)
from converge.setting import Layer, Phase, Setting
from converge.settings import electron

GPU_PROCESSES = Ask("gpu-processes")
PMON = Ask("pmon", machine=True)
_APPS = "electron.app."


def _slice(unit: str) -> Ask:
    return Ask("slice", (unit,))


def _unit_files(context: Context, name: str) -> tuple[Ask, Ask]:
    """A unit file of the user: the one in place, and that of the generation."""
    inside = f".config/systemd/user/{name}"
    return (
        Ask("file", (context.home(inside),)),
        Ask("file", (f"{context.generation('home')}/home-files/{inside}",)),
    )


def _link(context: Context) -> str:
    current = context.snapshot.current("home")
    profile = context.snapshot.profiles.get("home", "")
    return f"{profile}-{current.number}-link" if current else profile


def _processes(context: Context, setting: Setting) -> Ask:
    return Ask("processes", (_link(context), *value(setting)["programs"]))


def _memory(context: Context) -> Ask:
    return Ask("file", (context.path("/proc/meminfo"),))


# -- limits of one application ------------------------------------------------------------------


def _app_asks(context: Context, setting: Setting) -> Iterable[Ask]:
    unit = electron.slice_name(setting.id.removeprefix(_APPS))
    return (
        _slice(unit),
        *_unit_files(context, unit),
        _processes(context, setting),
        *marker_asks(context, Layer.HOME_MANAGER),
    )


def _wanted(setting: Setting) -> dict[str, float]:
    """The numbers of a row by the names that ``Limits`` uses: MiB, and percent of one CPU."""
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
    unit = electron.slice_name(setting.id.removeprefix(_APPS))
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
    """The kernel keeps whole pages, so a percentage of memory may lose up to one of them."""
    return found is not None and abs(found - wanted) <= 0.01


def _on_disk(
    context: Context, answers: Answers, unit: str, wanted: Mapping[str, float], why: str
) -> Verdict:
    """No manager to ask: what the unit file says decides whether it will be so."""
    expected = _shown(wanted)
    live, built = (answers.reply(ask) for ask in _unit_files(context, unit))
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
    """Every process of the application has to be in the slice; one may be older than it."""
    text = answers.text(_processes(context, setting))
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
        reason="it was started past the menu entry and the wrapper",
    )


# -- the budget of all ---------------------------------------------------------------------------


def _budget_asks(context: Context, setting: Setting) -> Iterable[Ask]:
    unit = str(value(setting)["slice"])
    return (
        _slice(unit),
        *_unit_files(context, unit),
        _memory(context),
        *marker_asks(context, Layer.HOME_MANAGER),
    )


def _judge_budget(context: Context, answers: Answers, setting: Setting) -> Verdict:
    row = value(setting)
    unit, percent = str(row["slice"]), row["memoryHighPercent"]
    reply = answers.reply(_slice(unit))
    expected = f"MemoryHigh {percent} % of memory"
    if reply.status in (MISSING, NOBODY):
        live, built = (answers.reply(ask) for ask in _unit_files(context, unit))
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


# -- OOM score -----------------------------------------------------------------------------------


def _drop_ins(context: Context) -> tuple[str, ...]:
    return tuple(
        f"app-{identifier.replace('-', chr(92) + 'x2d')}@.service.d/50-workspace-tuning.conf"
        for app in context.in_force(_APPS)
        for identifier in value(app)["desktopIds"]
    )


def _score_asks(context: Context, setting: Setting) -> Iterable[Ask]:
    for name in _drop_ins(context):
        yield from _unit_files(context, name)
    for app in context.in_force(_APPS):
        yield _processes(context, app)
    yield from marker_asks(context, Layer.HOME_MANAGER)


def _judge_score(context: Context, answers: Answers, setting: Setting) -> Verdict:
    wanted = value(setting)["value"]
    expected = f"OOM score {wanted} of what Plasma starts"
    lacking, built = [], True
    for name in _drop_ins(context):
        live, of_generation = (answers.reply(ask) for ask in _unit_files(context, name))
        if live.status != 0 or f"OOMScoreAdjust={wanted}" not in live.text.split():
            lacking.append(name.partition("@")[0])
            built = built and of_generation.status == 0
    if lacking:
        reason = f"no drop-in for {lacking[0]}" + (
            f" and {len(lacking) - 1} more" * (len(lacking) > 1)
        )
        verdict = not_effective("200, systemd's own", expected=expected, reason=reason)
        if built:
            verdict = pending(f"{reason} before the activation", expected=expected)
        return settle(context, answers, setting, verdict)
    scores: list[int] = []
    for app in context.in_force(_APPS):
        names = {i.replace("-", r"\x2d") for i in value(app)["desktopIds"]}
        found = system.processes(answers.text(_processes(context, app)))
        # Chromium raises the scores of its own children: the lowest is that of the application.
        own = [
            p.score
            for p in found
            if p.score is not None and any(f"/app-{name}@" in p.group for name in names)
        ]
        if own:
            scores.append(min(own))
    if not scores:
        return pending("seen once an application is started from the menu", expected=expected)
    if all(score == wanted for score in scores):
        return effective(f"OOM score {wanted}", expected=expected)
    return not_effective(f"OOM scores {sorted(set(scores))}", expected=expected)


# -- GPU processes -------------------------------------------------------------------------------


def _gpu_faults(found: Iterable[system.Process]) -> list[str]:
    faults = []
    for process in found:
        if "--type=gpu-process" not in process.flags:
            continue
        for flag in process.flags:
            if flag == "--use-gl=disabled" or "swiftshader" in flag:
                faults.append(f"process {process.pid}: {flag}")
    return faults


def _judge_gpu_processes(context: Context, answers: Answers) -> Verdict:
    found = [
        process
        for process in system.processes(answers.text(GPU_PROCESSES))
        if "--type=gpu-process" in process.flags
    ]
    expected = "no GPU process draws in software"
    if not found:
        return not_applicable("no Chromium or Electron application runs now")
    faults = _gpu_faults(found)
    if faults:
        return not_effective(
            "; ".join(faults), expected=expected, reason="it ended and was started without GL"
        )
    if "nvidia" in context.profile.facts and not any(process.nvidia for process in found):
        return not_effective(
            f"{len(found)} GPU processes, none with NVIDIA's driver",
            expected=expected,
            reason="none of them has loaded libnvidia",
        )
    return effective(f"{len(found)} GPU processes draw on the GPU", expected=expected)


def _judge_pmon(context: Context, answers: Answers) -> Verdict:
    found = {
        process.pid
        for process in system.processes(answers.text(GPU_PROCESSES))
        if "--type=gpu-process" in process.flags
    }
    if not found:
        return not_applicable("no Chromium or Electron application runs now")
    listed = {use.pid for use in gpu.pmon(answers.text(PMON))}
    expected = "every GPU process on the GPU"
    lacking = sorted(found - listed)
    if lacking:
        return not_effective(
            f"process {' '.join(map(str, lacking))} is not on the GPU", expected=expected
        )
    return effective(f"{len(found)} GPU processes", expected=expected)


def _flag_asks(context: Context, setting: Setting) -> Iterable[Ask]:
    yield GPU_PROCESSES
    for app in _electron_apps(context, setting):
        yield _wrapper(context, app)
    yield from marker_asks(context, Layer.HOME_MANAGER)


def _electron_apps(context: Context, setting: Setting) -> tuple[Setting, ...]:
    names = value(setting).get("apps")
    return tuple(
        app
        for app in context.in_force(_APPS)
        if value(app)["engine"] == "electron"
        and (names is None or app.id.removeprefix(_APPS) in names)
    )


def _wrapper(context: Context, app: Setting) -> Ask:
    program = value(app)["programs"][0]
    return Ask("file", (f"{context.generation('home')}/home-path/bin/{program}",))


def _judge_flag(context: Context, answers: Answers, setting: Setting) -> Verdict:
    """Flags that were asked for by name: in the launchers, and does drawing survive them."""
    row = value(setting)
    wanted = [*row.get("flags", ()), *row.get("features", ())]
    expected = " ".join(wanted)
    launchers = [
        reply.text
        for app in _electron_apps(context, setting)
        if (reply := answers.reply(_wrapper(context, app))).status == 0
    ]
    if not launchers:
        return not_applicable("no Electron application of this plan is installed by the layer")
    lacking = [flag for flag in wanted if not all(flag in text for text in launchers)]
    if lacking:
        live = not_effective(
            f"no {' '.join(lacking)}", expected=expected, reason="a launcher lacks it"
        )
        return settle(context, answers, setting, live)
    running = [
        process
        for process in system.processes(answers.text(GPU_PROCESSES))
        if "--type=gpu-process" in process.flags
    ]
    if not running:
        return pending("in the launchers; seen once an application is started", expected=expected)
    faults = _gpu_faults(running)
    if faults:
        return not_effective("; ".join(faults), expected=expected, reason=setting.reason)
    return effective(f"in {len(launchers)} launchers, drawing on the GPU", expected=expected)


# -- within the limits ---------------------------------------------------------------------------


def _kills_asks(context: Context) -> Iterable[Ask]:
    for app in context.in_force(_APPS):
        yield _slice(electron.slice_name(app.id.removeprefix(_APPS)))


def _judge_kills(context: Context, answers: Answers) -> Verdict:
    counted, killed = 0, []
    for app in context.in_force(_APPS):
        name = app.id.removeprefix(_APPS)
        reply = answers.reply(_slice(electron.slice_name(name)))
        if reply.status != 0 or not (numbers := system.group(reply.text)).known:
            continue
        counted += 1
        if numbers.oom_kills:
            killed.append(f"{name} {numbers.oom_kills}")
    expected = "no process ended at its limit"
    if not counted:
        return not_applicable("no limited application has a slice now")
    if killed:
        reason = "its MemoryMax is too low for what it does"
        return not_effective(", ".join(killed), expected=expected, reason=reason)
    return effective(f"none in {counted} slices", expected=expected)


ITEMS: tuple[Item, ...] = (
    Item(
        id="electron.gpu-process",
        title="Applications draw on the GPU",
        when=When.AFTER,
        phase=Phase.ELECTRON,
        asks=lambda context: (GPU_PROCESSES,),
        judge=_judge_gpu_processes,
    ),
    Item(
        id="electron.pmon",
        title="Their GPU processes are on the NVIDIA GPU",
        when=When.AFTER,
        phase=Phase.ELECTRON,
        needs=frozenset({"nvidia"}),
        asks=lambda context: (GPU_PROCESSES, PMON),
        judge=_judge_pmon,
    ),
    Item(
        id="limits.kills",
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
        for row in electron.ROWS
        if row.id.startswith(_APPS)
    ),
    Proof(
        id="limits.budget",
        title="Limit of all applications together",
        phase=Phase.ELECTRON,
        asks=_budget_asks,
        judge=_judge_budget,
    ),
    Proof(
        id="electron.oom-score",
        title="OOM score of what Plasma starts",
        phase=Phase.ELECTRON,
        asks=_score_asks,
        judge=_judge_score,
    ),
    Proof(
        id="electron.gpu",
        title="Flags in the launchers, and drawing with them",
        phase=Phase.ELECTRON,
        asks=_flag_asks,
        judge=_judge_flag,
    ),
)

__all__ = ["GPU_PROCESSES", "ITEMS", "PROOFS"]
