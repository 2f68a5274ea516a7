"""Cases of phase 4: KWin, Baloo, session variables, aliases."""

from __future__ import annotations

import json
from collections.abc import Mapping

from converge.effect import Effect
from converge.plan.layers import session_file
from converge.proof.check import NOBODY, Reply
from converge.subjects.settings import ALL, BY_ID
from tests.proof import checks
from tests.proof.checks import HOME, IN_USE, Replies, failing
from tests.subjects.case import Case, environment


def kwin(**changes: str) -> str:
    """The answer of KWin: keys are lines of its report, or effects that are loaded."""
    text = (checks.DATA / "kwin-support.txt").read_text()
    loaded = {"contrast": False, "blur": True, "wobblywindows": False, "magiclamp": False}
    for key, value in changes.items():
        if key in loaded:
            loaded[key] = value == "on"
        else:
            assert key in text, key
            text = text.replace(key, value)
    lines = [f"support {json.dumps({'type': 's', 'data': [text]})}"]
    for name, is_on in loaded.items():
        lines.append(f"loaded {name} {json.dumps({'type': 'b', 'data': [is_on]})}")
        lines.append(f"supported {name} {json.dumps({'type': 'b', 'data': [True]})}")
    return "\n".join(lines) + "\n"


def kde() -> dict[str | tuple[str, str], Reply | str]:
    """What kreadconfig answers: each entry's own value; keys are found by their name."""
    found: dict[str | tuple[str, str], Reply | str] = {}
    for setting in ALL:
        if isinstance(setting.value, Mapping) and "file" in setting.value:
            for keys in setting.value["entries"].values():
                for key, entry in keys.items():
                    text = entry["value"] if isinstance(entry, Mapping) else entry
                    found["kde", key.partition("[")[0]] = f"{text.replace('$HOME', HOME)}\n"
    return found


KDE: Replies = {**kde(), "kwin": kwin(), "baloo": (checks.DATA / "baloo-bare.txt").read_text()}


def kwin_case(what: str, answer: str, key: str) -> Case:
    return Case(
        good=KDE,
        bad={what: {"kwin": answer}, "KDE reads another": {("kde", key): "elsewhere\n"}},
    )


def variables_case(setting: str) -> Case:
    row = BY_ID[setting].value
    assert isinstance(row, Mapping)
    wanted = [f"{name}={text}" for name, text in row["variables"].items()]
    name = next(iter(row["variables"]))
    if "unit" in row:
        shown = f"LoadState=loaded\nEnvironment={' '.join(wanted)}\n"
        good: Replies = {"environment": environment(*wanted), "properties": shown}
        other: Replies = {"properties": f"LoadState=loaded\nEnvironment={name}=other\n"}
    else:
        ours = session_file(BY_ID[setting])[0].replace("~", HOME)
        files = "".join(
            f"set {ours}\t{one}=${{{one}:-{text}}}\n" for one, text in row["variables"].items()
        )
        early = f"set {HOME}/.config/environment.d/50-mine.conf\t{name}=other\n{files}"
        good = {
            "environment": environment(*wanted),
            "fresh": environment(*wanted, first="fresh"),
            "environment-files": files,
        }
        other = {"fresh": environment(f"{name}=other", first="fresh")}
        late = f"{files}set {HOME}/.config/environment.d/90-mine.conf\t{name}=other\n"
        return Case(
            good=good,
            bad={
                "another value for what is started now": other,
                "a file that is read after ours": {"environment-files": late},
                "a file that is read before ours": {"environment-files": early},
                "the same, and nobody runs yet": {
                    "environment-files": late,
                    "environment": failing(NOBODY, "no desktop session"),
                    "fresh": failing(NOBODY, "no user bus"),
                },
            },
        )
    return Case(good=good, bad={"another value for what is started now": other})


def alias_case(name: str) -> Case:
    row = BY_ID[f"monitoring.{name}"].value
    assert isinstance(row, Mapping)
    return Case(
        good={**IN_USE, "alias": f"alias {name}='{row['command']}'\n"},
        bad={
            "the user's own": {"alias": f"alias {name}='top'\n"},
            "a longer one": {"alias": f"alias {name}='echo {row['command']} >&2'\n"},
            "none": {"alias": failing(1, f"alias: {name}: not found")},
        },
    )


CASES: dict[str, Case] = {
    "kwin.compositing": Case(
        good=KDE,
        bad={
            "it runs without": {
                "kwin": kwin(**{"Compositing is active": "Compositing is not active"})
            }
        },
    ),
    "kwin.environment": Case(
        good={"environment": environment()},
        bad={"the plan's variable": {"environment": environment("KWIN_OPENGL_INTERFACE=egl")}},
    ),
    "kwin.backend": kwin_case(
        "no OpenGL", kwin(**{"Compositing Type: OpenGL": "Compositing Type: none"}), "Backend"
    ),
    "kwin.buffer-swap": kwin_case(
        "another way", kwin(AutoSwapStrategy="CopyFrontBuffer"), "GLPreferBufferSwap"
    ),
    "kwin.windows-block": kwin_case(
        "not in use",
        kwin(**{"windowsBlockCompositing: true": "windowsBlockCompositing: false"}),
        "WindowsBlockCompositing",
    ),
    "kwin.contrast": kwin_case("loaded", kwin(contrast="on"), "contrastEnabled"),
    "kwin.blur": kwin_case("not loaded", kwin(blur="off"), "blurEnabled"),
    "kwin.wobbly-windows": kwin_case("loaded", kwin(wobblywindows="on"), "wobblywindowsEnabled"),
    "kwin.magic-lamp": kwin_case("loaded", kwin(magiclamp="on"), "magiclampEnabled"),
    "kwin.gl-core": Case(good=KDE, bad={"KWin never reads it": {}}, expect=Effect.NOT_EFFECTIVE),
    "kwin.texture-filter": Case(
        good=KDE, bad={"KWin never uses it": {}}, expect=Effect.NOT_EFFECTIVE
    ),
    "desktop.animation-speed": kwin_case(
        "KWin's own 300 ms",
        kwin(**{"animationDuration: 150": "animationDuration: 300"}),
        "AnimationDurationFactor",
    ),
    "baloo.basic-indexing": Case(
        good=KDE,
        bad={
            "Baloo reads contents": {
                "baloo": str(KDE["baloo"]).replace(
                    "## contentIndexing\nno", "## contentIndexing\nyes"
                )
            }
        },
    ),
    "baloo.hidden-folders": Case(
        good=KDE,
        bad={
            "Baloo reads hidden folders": {
                "baloo": str(KDE["baloo"]).replace("## hidden\nno", "## hidden\nyes")
            }
        },
    ),
    "baloo.exclude-folders": Case(
        good=KDE,
        bad={
            "one is read": {"baloo": str(KDE["baloo"]).replace(f"{HOME}/.cargo/\n", "")},
            "nothing is read at all": {"baloo": str(KDE["baloo"]).replace(f"{HOME}/\n", "")},
        },
    ),
    "baloo.off": Case(
        good={**KDE, "indexer": "written 1000\nsession\n"},
        bad={
            "KDE reads another": {("kde", "Indexing-Enabled"): "true\n"},
            "somebody starts it": {"indexer": "written 1000\nsession\nprocess 77 1060\n"},
        },
    ),
    "session.kwin-egl": variables_case("session.kwin-egl"),
    "session.gl-yield": variables_case("session.gl-yield"),
    "session.gl-max-frames": variables_case("session.gl-max-frames"),
    **{f"monitoring.{name}": alias_case(name) for name in ("sysmon", "appmon", "crashmon")},
}
