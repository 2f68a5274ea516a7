"""Checks of phase 4: what KDE reads from the files, and what KWin and Baloo say they use.

A value is effective when three readings agree: our own reading of the file, KDE's reading of all
files together, and the answer of the running program. Without a running program the value is
pending until the next login.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from converge.effect import (
    Verdict,
    effective,
    not_applicable,
    not_effective,
    pending,
    unknown,
)
from converge.kde import lower
from converge.kde.declared import checked
from converge.plan import cascade
from converge.proof.check import (
    BUILT,
    MISSING,
    NOBODY,
    Answers,
    Ask,
    Context,
    Item,
    Proof,
    Reply,
    Unreadable,
    When,
    value,
)
from converge.setting import Layer, Phase, Setting
from converge.subjects.plasma import desktop, rows
from converge.subjects.workspace import system

BALOO = Ask("baloo", limit=15)
INDEXER = Ask("indexer")
NO_ENTRY = "(no entry)"
_EFFECT = re.compile(r"(\w+)Enabled")
#: Milliseconds of the overview effect at the factor 1.
_ANIMATION_MS = 300


def _effects() -> tuple[str, ...]:
    """KWin effects that a row switches on or off: key ``blurEnabled`` switches effect ``blur``."""
    found: dict[str, None] = {}
    for row in rows.ROWS:
        for keys in value(row)["entries"].values():
            for key in keys:
                match = _EFFECT.fullmatch(key)
                if match and value(row)["file"] == "kwinrc":
                    found[match[1]] = None
    return tuple(found)


KWIN = Ask("kwin", _effects())


def _environment(names: tuple[str, ...]) -> tuple[Ask, Ask]:
    return Ask("environment", ("kwin_x11", *names)), Ask("environment", ("kwin_wayland", *names))


KWIN_ENVIRONMENT = _environment(("KWIN_OPENGL_INTERFACE",))

# -- the file -----------------------------------------------------------------------------------


def _entries(setting: Setting) -> Iterable[tuple[str, str, str, str | None]]:
    """Group, key, value and default of a row's entries; keys are without ``[$e]`` and the like."""
    for group, keys in value(setting)["entries"].items():
        for spelled, entry in keys.items():
            key = re.sub(r"\[\$\w+\]\Z", "", spelled)
            if isinstance(entry, Mapping):
                yield group, key, str(entry["value"]), str(entry["default"])
            else:
                yield group, key, str(entry), None


def _kde(setting: Setting, group: str, key: str) -> Ask:
    return Ask("kde", (value(setting)["file"], group, key))


def _file(context: Context, answers: Answers, setting: Setting) -> Verdict | None:
    """A verdict where KDE does not read the row's entries from its files, else None."""
    name, wanted = cascade.entries(setting)
    held = cascade.whole(context.snapshot, name)
    for one in checked(lower.over(wanted, cascade.below(context.snapshot, name))):
        found = held.in_force(one.group, one.key)
        if one.met_by(found.reading if found else None):
            continue
        reason = "the file holds another value"
        if place := held.lock(one.group, one.key):
            reason = f"{place}, locks it"
        elif found and not found.own:
            reason = f"{found.place}, sets it"
        return not_effective(
            f"{name}: {one.key}={found.reading.value if found else '(absent)'}",
            expected=f"{one.key}={one.reading.value}",
            reason=reason,
        )
    for group, key, text, default in _entries(setting):
        reply = answers.reply(_kde(setting, group, key))
        if reply.status == MISSING:
            continue  # KDE's reader is not there, so our own reading counts
        read = answers.text(_kde(setting, group, key)).rstrip("\n")
        expanded = text.replace("$HOME", context.snapshot.home)
        if read not in (text, expanded) and not (read == NO_ENTRY and text == default):
            return not_effective(
                f"KDE reads {key}={read}",
                expected=f"{key}={text}",
                reason="a file of the system or a translation comes before the user's value",
            )
    return None


def _shown(setting: Setting) -> str:
    return ", ".join(f"{key}={wanted}" for _, key, wanted, _ in _entries(setting))


def _asks(context: Context, setting: Setting) -> Iterable[Ask]:
    live = BALOO if _is_baloo(setting) else KWIN
    live = INDEXER if setting.id == "baloo.off" else live
    return (live, *(_kde(setting, group, key) for group, key, _, _ in _entries(setting)))


# -- KWin ---------------------------------------------------------------------------------------

Reading = Callable[[desktop.KWin], tuple[str, str]]  # found, expected


def _option(name: str, *wanted: str) -> Reading:
    return lambda kwin: (
        _listed(kwin.support.options.get(name, "(not reported)"), wanted),
        wanted[0],
    )


def _listed(found: str, wanted: tuple[str, ...]) -> str:
    return wanted[0] if found in wanted else found


def _compositing(kwin: desktop.KWin) -> tuple[str, str]:
    kind = kwin.support.compositing_type if kwin.support.compositing else "no compositing"
    return kind, "OpenGL"


def _animation(setting: Setting) -> Reading:
    factor = float(next(wanted for _, _, wanted, _ in _entries(setting)))
    expected = f"{_ANIMATION_MS * factor:g} ms"

    def read(kwin: desktop.KWin) -> tuple[str, str]:
        found = kwin.support.animation_ms
        return ("no overview effect is loaded" if found is None else f"{found} ms"), expected

    return read


def _effect(setting: Setting) -> Reading | None:
    _, key, wanted, _ = next(iter(_entries(setting)))
    match = _EFFECT.fullmatch(key)
    if not match:
        return None
    name = match[1]

    def read(kwin: desktop.KWin) -> tuple[str, str]:
        on, off = f"{name} loaded", f"{name} not loaded"
        if not kwin.support.compositing:
            # Without compositing no effect is loaded, so "not loaded" would prove nothing.
            return "no compositing", on if wanted == "true" else off
        found = on if kwin.loaded[name] else off
        if not kwin.loaded[name] and wanted == "true" and not kwin.supported.get(name, True):
            found = f"{name} not supported by this graphics driver"
        return found, on if wanted == "true" else off

    return read


#: Id of a row -> its value by KWin's answer. KWin no longer reads the rows that are not here.
_READINGS: Mapping[str, Reading] = {
    "kwin.backend": _compositing,
    # KWin 5.27 reports the letter's code.
    "kwin.buffer-swap": _option("glPreferBufferSwap", "AutoSwapStrategy", "97"),
    "kwin.windows-block": _option("windowsBlockCompositing", "true"),
}


def _reading(setting: Setting) -> Reading | None:
    if setting.id == "desktop.animation-speed":
        return _animation(setting)
    return _READINGS.get(setting.id) or _effect(setting)


def _judge_kwin(context: Context, answers: Answers, setting: Setting) -> Verdict:
    wrong = _file(context, answers, setting)
    if wrong is not None:
        return wrong
    reading = _reading(setting)
    if reading is None:
        return not_effective(
            f"{_shown(setting)} stands in the file", expected="KWin uses it", reason=setting.reason
        )
    reply = answers.reply(KWIN)
    if reply.status in (MISSING, NOBODY):
        return pending(f"at the next login: {_nobody(reply)}", expected=_shown(setting))
    found, expected = reading(desktop.kwin(answers.text(KWIN)))
    if found == expected:
        return effective(f"KWin: {found}", expected=expected)
    reason = "KWin did not read the file again: busctl --user call org.kde.KWin /KWin org.kde.KWin "
    if setting.id == "kwin.backend":
        reason = "a backend is chosen when KWin starts; see its journal for why it has another"
        return not_effective(f"KWin: {found}", expected=expected, reason=reason)
    return not_effective(f"KWin: {found}", expected=expected, reason=f"{reason}reconfigure")


# -- Baloo --------------------------------------------------------------------------------------


def _nobody(reply: Reply) -> str:
    """Why KWin could not be asked."""
    missing = reply.status == MISSING
    return f"{reply.last_error} is not installed" if missing else reply.last_error


def _is_baloo(setting: Setting) -> bool:
    return bool(value(setting)["file"] == "baloofilerc")


def _judge_baloo(context: Context, answers: Answers, setting: Setting) -> Verdict:
    wrong = _file(context, answers, setting)
    if wrong is not None:
        return wrong
    if setting.id == "baloo.off":
        return _off(answers)
    reply = answers.reply(BALOO)
    if reply.status == MISSING:
        return pending("Baloo is not installed; the file is right", expected=_shown(setting))
    found = desktop.baloo(answers.text(BALOO))
    match setting.id:
        case "baloo.basic-indexing":
            return _answered("contents", found.content, wanted=False)
        case "baloo.hidden-folders":
            return _answered("hidden folders", found.hidden, wanted=False)
        case "baloo.exclude-folders":
            return _folders(context, setting, found)
    return unknown("nothing that Baloo reports is about this row")


def _off(answers: Answers) -> Verdict:
    """Whether the indexer is off. It reads the switch at its start, so a running indexer is older
    than the switch, or ignores it."""
    expected = "no baloo_file runs"
    rows = [line.split(" ") for line in answers.text(INDEXER).splitlines()]
    told = {row[0] for row in rows}
    if not rows or not told <= {"written", "session", "process"} or "written" not in told:
        raise Unreadable("whether the indexer runs was not told")
    written = int(next(row[1] for row in rows if row[0] == "written"))
    started = [int(row[2]) for row in rows if row[0] == "process" and len(row) == 3]
    if any(one > written for one in started):
        reason = "it started after the switch was off: somebody else starts it"
        return not_effective("baloo_file runs", expected=expected, reason=reason)
    if started:
        reason = "it ends with the session, or now: balooctl6 disable"
        return pending(reason, expected=expected, found="baloo_file runs")
    if "session" not in told:
        return pending("nobody is logged in: at the next login", expected=expected)
    return effective("none runs in the session", expected=expected)


def _answered(what: str, found: bool, *, wanted: bool) -> Verdict:
    def shown(on: bool) -> str:
        return f"Baloo indexes {what}: {'yes' if on else 'no'}"

    if found == wanted:
        return effective(shown(found), expected=shown(wanted))
    return not_effective(shown(found), expected=shown(wanted), reason="Baloo says otherwise")


def _folders(context: Context, setting: Setting, found: desktop.Baloo) -> Verdict:
    """Compare the excluded folders. Baloo only lists those below an included folder, and drops the
    others silently."""
    listed = next(wanted for _, key, wanted, _ in _entries(setting) if key == "exclude folders")
    wanted = {
        path.replace("$HOME", context.snapshot.home).rstrip("/") for path in listed.split(",")
    }
    below = {path for path in wanted if any(_within(path, top) for top in found.included)}
    expected = f"{len(below)} folders left out"
    if not found.included:
        return not_effective("Baloo indexes no folder at all", expected=expected)
    lacking = sorted(below - found.excluded)
    if lacking:
        return not_effective(
            f"not left out: {' '.join(lacking)}", expected=expected, reason="Baloo says otherwise"
        )
    return effective(f"{len(below)} folders left out", expected=expected)


def _within(path: str, top: str) -> bool:
    return path == top or path.startswith(f"{top.rstrip('/')}/")


# -- the running KWin -----------------------------------------------------------------------------


def _judge_compositing(context: Context, answers: Answers) -> Verdict:
    reply = answers.reply(KWIN)
    if reply.status in (MISSING, NOBODY):
        return not_applicable(f"no KWin to ask: {_nobody(reply)}")
    support = desktop.kwin(answers.text(KWIN)).support
    if not support.compositing:
        return not_effective(
            "no compositing",
            expected="compositing with OpenGL",
            reason="KWin could not start it; KWIN_OPENGL_INTERFACE=egl on X11 does that",
        )
    found = f"{support.compositing_type}, {support.platform or support.operation}"
    return effective(found, expected="compositing with OpenGL")


def _judge_environment(context: Context, answers: Answers) -> Verdict:
    for ask in KWIN_ENVIRONMENT:
        reply = answers.reply(ask)
        if reply.status in (MISSING, NOBODY):
            continue
        found = system.environment(answers.good(ask).output, "process")
        given = found.get("KWIN_OPENGL_INTERFACE")
        expected = "KWIN_OPENGL_INTERFACE is not set"
        if given is None:
            return effective("not set", expected=expected)
        return not_effective(
            f"KWIN_OPENGL_INTERFACE={given}",
            expected=expected,
            reason="with egl, KWin on X11 runs without compositing",
        )
    return not_applicable("KWin does not run")


ITEMS: tuple[Item, ...] = (
    Item(
        id="kwin.compositing",
        title="KWin composites",
        when=When.AFTER,
        phase=Phase.DESKTOP,
        layer=Layer.PLASMA,
        needs=frozenset({"kwin"}),
        asks=lambda context: (KWIN,),
        judge=_judge_compositing,
    ),
    Item(
        id="kwin.environment",
        touched_by=frozenset({*BUILT, Layer.SESSION}),
        title="No variable stops KWin's compositing",
        when=When.AFTER,
        phase=Phase.DESKTOP,
        layer=Layer.PLASMA,
        needs=frozenset({"kwin", "x11"}),
        asks=lambda context: KWIN_ENVIRONMENT,
        judge=_judge_environment,
    ),
)

PROOFS: tuple[Proof, ...] = tuple(
    Proof(
        id=row.check,
        title=f"the file, KDE's reading, {'Baloo' if _is_baloo(row) else 'KWin'}'s own answer",
        phase=row.phase,
        asks=_asks,
        judge=_judge_baloo if _is_baloo(row) else _judge_kwin,
    )
    for row in rows.ROWS
)

__all__ = ["BALOO", "ITEMS", "KWIN", "PROOFS"]
