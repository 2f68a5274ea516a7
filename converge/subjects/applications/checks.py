"""Checks of phase 3: flags, launchers, OOM scores and GPU processes of Electron applications."""

from __future__ import annotations

import re
from collections.abc import Iterable

from converge.effect import Verdict, effective, not_applicable, not_effective, pending
from converge.proof.check import (
    ABSENT,
    BUILT,
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
from converge.subjects.applications.limits import APPS, processes, unit_files
from converge.subjects.applications.rows import slice_name
from converge.subjects.video import gpu
from converge.subjects.workspace import system
from converge.subjects.workspace.generations import marker_asks, settle

#: Layers that have the driver, the launchers and their variables.
DRAWING = frozenset({*BUILT, Layer.SESSION})
GPU_PROCESSES = Ask("gpu-processes")
PMON = Ask("pmon", machine=True)


# -- OOM score -----------------------------------------------------------------------------------


def _drop_ins(context: Context) -> tuple[str, ...]:
    return tuple(
        f"app-{identifier.replace('-', chr(92) + 'x2d')}@.service.d/50-workspace-tuning.conf"
        for app in context.in_force(APPS)
        for identifier in value(app)["desktopIds"]
    )


def _score_asks(context: Context, setting: Setting) -> Iterable[Ask]:
    for name in _drop_ins(context):
        yield from unit_files(context, name)
    for app in context.in_force(APPS):
        yield processes(context, app)
    yield from marker_asks(context, Layer.HOME_MANAGER)


def _judge_score(context: Context, answers: Answers, setting: Setting) -> Verdict:
    wanted = value(setting)["value"]
    expected = f"OOM score {wanted} of what Plasma starts"
    lacking, built = [], True
    for name in _drop_ins(context):
        live, of_generation = (answers.reply(ask) for ask in unit_files(context, name))
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
    for app in context.in_force(APPS):
        names = {i.replace("-", r"\x2d") for i in value(app)["desktopIds"]}
        found = system.processes(answers.text(processes(context, app)))
        # Chromium raises the scores of its children, so the lowest score is the application's own.
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


# -- launchers ---------------------------------------------------------------------------------


def _program(context: Context, program: str) -> Ask:
    return Ask("file", (f"{context.generation(Layer.HOME_MANAGER)}/home-path/bin/{program}",))


def _entry(context: Context, identifier: str) -> Ask:
    place = f"{context.generation(Layer.HOME_MANAGER)}/home-path/share/applications"
    return Ask("file", (f"{place}/{identifier}.desktop",))


def _launcher_asks(context: Context) -> Iterable[Ask]:
    for app in context.in_force(APPS):
        for program in value(app)["programs"]:
            yield _program(context, program)
        for identifier in value(app)["desktopIds"]:
            yield _entry(context, identifier)


def _there(answers: Answers, ask: Ask) -> str | None:
    """The text of a file; None where there is no file."""
    return None if answers.reply(ask).status == ABSENT else answers.text(ask)


def _judge_launchers(context: Context, answers: Answers) -> Verdict:
    """Whether a terminal and the menu start the user's own applications through the launchers."""
    found, wrong = [], []
    for app in context.in_force(APPS):
        name, programs = app.id.removeprefix(APPS), value(app)["programs"]
        texts = {p: _there(answers, _program(context, p)) for p in programs}
        here = {p: text for p, text in texts.items() if text is not None}
        if not here:
            continue  # the user does not have the application: only its limits are set
        found.append(name)
        wrong += [p for p, text in here.items() if slice_name(name) not in text]
        for identifier in value(app)["desktopIds"]:
            entry = _there(answers, _entry(context, identifier))
            if entry is not None and "\nExec=" not in f"\n{entry}":
                raise Unreadable(f"{identifier}.desktop starts nothing")
            for line in (entry or "").splitlines():
                # Any word may be the program: quoted, behind "env NAME=VALUE", within "sh -c".
                words = re.split(r"[\s\"']+", line.removeprefix("Exec="))
                named = [word for word in words if word.rpartition("/")[2] in programs]
                passed = [word for word in named if "-home-manager-path/bin/" not in word]
                if line.startswith("Exec=") and passed == named and named:
                    wrong.append(f"{identifier}.desktop: {named[0]}")
    expected = "programs and menu entries are the layer's launchers"
    if not found:
        return not_applicable("the home generation holds none of the applications")
    if wrong:
        reason = "it would start without flags, and from a terminal without limits"
        return not_effective("; ".join(wrong), expected=expected, reason=reason)
    return effective(f"launchers of {' '.join(found)}", expected=expected)


# -- GPU processes -------------------------------------------------------------------------------


def _gpu_faults(found: Iterable[system.Process]) -> list[str]:
    faults = []
    for process in found:
        for flag in process.flags:
            if flag == "--use-gl=disabled" or "swiftshader" in flag:
                faults.append(f"process {process.pid}: {flag}")
    return faults


def _judge_gpu_processes(context: Context, answers: Answers) -> Verdict:
    found = system.gpu_processes(answers.text(GPU_PROCESSES))
    expected = "no GPU process draws in software"
    if not found:
        return not_applicable("no Chromium or Electron application runs now")
    faults = _gpu_faults(found)
    if faults:
        return not_effective(
            "; ".join(faults), expected=expected, reason="it ended and was started without GL"
        )
    if "video-nvidia" in context.profile.facts and not any(process.nvidia for process in found):
        return not_effective(
            f"{len(found)} GPU processes, none with NVIDIA's driver",
            expected=expected,
            reason="none of them has loaded libnvidia",
        )
    return effective(f"{len(found)} GPU processes draw on the GPU", expected=expected)


def _judge_pmon(context: Context, answers: Answers) -> Verdict:
    found = {process.pid for process in system.gpu_processes(answers.text(GPU_PROCESSES))}
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
        for app in context.in_force(APPS)
        if value(app)["engine"] == "electron"
        and (names is None or app.id.removeprefix(APPS) in names)
    )


def _wrapper(context: Context, app: Setting) -> Ask:
    program = value(app)["programs"][0]
    return Ask("file", (f"{context.generation(Layer.HOME_MANAGER)}/home-path/bin/{program}",))


def _passes(launcher: str, wanted: str) -> bool:
    """Whether a launcher passes a flag, or switches a feature on. Chromium follows the last list of
    features to switch on, and a feature that is on no list of those to switch off."""
    words = re.split(r"[\s\"']+", launcher)
    if wanted.startswith("--"):
        return wanted in words
    on, off = (
        [word.removeprefix(option).split(",") for word in words if word.startswith(option)]
        for option in ("--enable-features=", "--disable-features=")
    )
    return bool(on) and wanted in on[-1] and not any(wanted in one for one in off)


def _judge_flag(context: Context, answers: Answers, setting: Setting) -> Verdict:
    """Whether flags that ``include=`` asked for are in the launchers, and drawing still works."""
    row = value(setting)
    wanted = [*row.get("flags", ()), *row.get("features", ())]
    expected = " ".join(wanted)
    found = [_there(answers, _wrapper(context, app)) for app in _electron_apps(context, setting)]
    launchers = [text for text in found if text is not None]
    if not launchers:
        return not_applicable("the home generation holds no Electron application of this plan")
    lacking = [flag for flag in wanted if not all(_passes(text, flag) for text in launchers)]
    if lacking:
        live = not_effective(
            f"no {' '.join(lacking)}", expected=expected, reason="a launcher lacks it"
        )
        return settle(context, answers, setting, live)
    running = system.gpu_processes(answers.text(GPU_PROCESSES))
    if not running:
        return pending("in the launchers; seen once an application is started", expected=expected)
    faults = _gpu_faults(running)
    if faults:
        return not_effective("; ".join(faults), expected=expected, reason=setting.reason)
    return effective(f"in {len(launchers)} launchers, drawing on the GPU", expected=expected)


ITEMS: tuple[Item, ...] = (
    Item(
        id="electron.launchers",
        brought=True,
        touched_by=BUILT,
        title="Applications start through their launchers",
        when=When.AFTER,
        phase=Phase.ELECTRON,
        layer=Layer.HOME_MANAGER,
        asks=_launcher_asks,
        judge=_judge_launchers,
    ),
    Item(
        id="electron.gpu-process",
        touched_by=DRAWING,
        title="Applications draw on the GPU",
        when=When.AFTER,
        phase=Phase.ELECTRON,
        asks=lambda context: (GPU_PROCESSES,),
        judge=_judge_gpu_processes,
    ),
    Item(
        id="electron.pmon",
        touched_by=DRAWING,
        title="Their GPU processes are on the NVIDIA GPU",
        when=When.AFTER,
        phase=Phase.ELECTRON,
        needs=frozenset({"video-nvidia"}),
        asks=lambda context: (GPU_PROCESSES, PMON),
        judge=_judge_pmon,
    ),
)

PROOFS: tuple[Proof, ...] = (
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
