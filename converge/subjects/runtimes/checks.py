"""Checks of phase 2: whether each runtime starts, and what it says it was built for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from converge.effect import Effect, Verdict, effective, not_applicable, not_effective
from converge.proof.check import (
    ABSENT,
    MISSING,
    NOBODY,
    Answers,
    Ask,
    Context,
    NoAnswer,
    Proof,
    Reply,
    Unreadable,
)
from converge.setting import Layer, Phase, Setting
from converge.subjects.libraries.checks import last_of, report, report_ask
from converge.subjects.workspace import system
from converge.subjects.workspace.generations import marker_asks, settle, stage
from converge.text.limits import document, toml

_PYTHON = """\
import json, platform, sysconfig
read = sysconfig.get_config_var
print(json.dumps({"version": platform.python_version(), "arguments": read("CONFIG_ARGS")}))
"""
_NODE = "JSON.stringify({version: process.versions.node, v8: process.versions.v8})"
#: Variables that switch off the flags in cargo's configuration (cargo's reference,
#: build.rustflags). CARGO_BUILD_RUSTFLAGS does not: cargo joins it with the others.
_RUST_VARIABLES = (
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS",
)
FRESH_RUST = Ask("fresh", _RUST_VARIABLES)
FRESH_GO = Ask("fresh", ("GOAMD64",))
#: A shell program: read the variables file of the home, as a login does, then ask the user's go.
_GO_OF_A_SHELL = 'unset __HM_SESS_VARS_SOURCED; . "$1"; PATH=$2:$PATH exec go env GOAMD64'


def _program(context: Context, name: str, *arguments: str) -> Ask:
    """A question to a program of the home generation in use; a sandbox has only stand-ins."""
    path = f"{context.generation(Layer.HOME_MANAGER)}/home-path/bin/{name}"
    return Ask("program", (path, *arguments), machine=True)


def _python(context: Context) -> Ask:
    return _program(context, "python3", "-c", _PYTHON)


def _node(context: Context) -> Ask:
    return _program(context, "node", "-p", _NODE)


def _go_built(context: Context) -> Ask:
    """Ask the toolchain for its built-in level, without variables and files."""
    path = f"{context.generation(Layer.HOME_MANAGER)}/home-path/bin/go"
    words = ("/usr/bin/env", "-u", "GOAMD64", "GOENV=off", path, "env", "GOAMD64")
    return Ask("program", words, machine=True)


def _go_file(context: Context) -> Ask:
    return Ask("file", (context.home(".config/go/env"),))


def _go_user(context: Context) -> Ask:
    """Ask for the level in the user's shells: by variables, then by the user's file."""
    home = f"{context.generation(Layer.HOME_MANAGER)}/home-path"
    words = ("/bin/sh", "-c", _GO_OF_A_SHELL, "sh", f"{home}/{_VARIABLES}", f"{home}/bin")
    return Ask("program", words, machine=True)


_VARIABLES = "etc/profile.d/hm-session-vars.sh"


def _variables(context: Context) -> Ask:
    """Ask for the variables that the home generation gives to every login shell."""
    return Ask("file", (f"{context.generation(Layer.HOME_MANAGER)}/home-path/{_VARIABLES}",))


def _cargo(context: Context) -> Ask:
    return Ask("file", (context.home(".cargo/config.toml"),))


def _asks(context: Context, setting: Setting) -> Iterable[Ask]:
    ask = report_ask(context, Layer.HOME_MANAGER)
    match setting.id:
        case "runtimes.python":
            yield _python(context)
        case "runtimes.node":
            yield _node(context)
        case "runtimes.node.jemalloc":
            yield _jemalloc(context)
        case "runtimes.go":
            yield _go_built(context)
        case "runtimes.go.builds":
            yield from (_go_user(context), _variables(context), _go_file(context), FRESH_GO)
        case "runtimes.rust":
            yield from (_variables(context), _cargo(context), FRESH_RUST)
    if ask is not None and setting.id in ("runtimes.python", "runtimes.node", "runtimes.go"):
        yield ask
    yield from marker_asks(context, setting.layer)


_NAMES = {"python": "Python", "node": "Node.js", "go": "Go"}


def _derivations(
    context: Context, answers: Answers, name: str, expected: str
) -> Sequence[Mapping[str, Any]]:
    """The report's rows of the user's own runtimes of this name. Raises NoAnswer without one."""
    runtimes = report(context, answers, Layer.HOME_MANAGER).more.get("runtimes")
    if not isinstance(runtimes, dict) or name not in runtimes:
        raise Unreadable(f"the layer's report says nothing of {name}")
    one, title, id = runtimes[name], _NAMES[name], f"runtimes.{name}"
    if found := one["adopted"]:
        return tuple(found)
    if one["left"]:
        why = "by your own choice: it is made with modules or by a wrapper of its own"
        if name == "python":
            why += "; make it from python313Optimized.withPackages to have both"
        left = not_effective(" and ".join(one["left"]), expected=expected, reason=why)
        raise NoAnswer(replace(left, own=True))
    if one["lacking"]:
        raise NoAnswer(not_effective("this nixpkgs has none of its attributes", expected=expected))
    raise NoAnswer(not_applicable(f"your home has no {title}; --data include={id} installs one"))


def _reply(answers: Answers, ask: Ask) -> Reply | None:
    """The reply of a program; None in a sandbox, which has only stand-ins."""
    try:
        return answers.reply(ask)
    except NoAnswer as nothing:
        if nothing.verdict.effect is Effect.NOT_APPLICABLE:
            return None
        raise


def _started(answers: Answers, ask: Ask, name: str) -> str | None:
    """The output of a runtime; None in a sandbox, which has only stand-ins."""
    reply = _reply(answers, ask)
    if reply is None:
        return None
    if reply.status != 0:
        raise NoAnswer(
            not_effective(
                f"status {reply.status}: {reply.last_error}",
                expected=f"{name} starts",
                reason=f"{name} of the generation in use does not start",
            )
        )
    return reply.text


def _built(
    context: Context, answers: Answers, setting: Setting, verdict: Verdict, program: str | None
) -> Verdict:
    """``verdict`` on a derivation, if its generation is in use too; else why not."""
    if verdict.effect is not Effect.EFFECTIVE:
        return settle(context, answers, setting, verdict)
    state = stage(context, answers, setting.layer, setting.id)
    if state.effect is not Effect.EFFECTIVE:
        return state
    if program is None:
        reason = "from its derivation; a sandbox has a stand-in for the program"
        return effective(verdict.found, expected=verdict.expected, reason=reason)
    return verdict


def _judge_python(context: Context, answers: Answers, setting: Setting) -> Verdict:
    expected = "profile-guided optimization"
    found = _derivations(context, answers, "python", expected)
    if plain := [one for one in found if not one["profileGuided"]]:
        verdict = not_effective(f"Python {_versions(plain)} without it", expected=expected)
        return _built(context, answers, setting, verdict, None)
    said = _started(answers, _python(context), "python3")
    verdict = effective(f"Python {_versions(found)} with it", expected=expected)
    if said is not None:
        own = document(said)
        if "--enable-optimizations" not in (own["arguments"] or ""):
            verdict = not_effective(
                f"Python {own['version']} without it",
                expected=expected,
                reason="the python3 in use was configured without --enable-optimizations",
            )
    return _built(context, answers, setting, verdict, said)


def _judge_node(context: Context, answers: Answers, setting: Setting) -> Verdict:
    flag = f"-march={context.profile.build.compiler.march}"
    runtimes = _derivations(context, answers, "node", flag)
    if plain := [one for one in runtimes if last_of("-march=", one["flags"].split()) != flag]:
        found = plain[0]["flags"] or "no flags"
        verdict = not_effective(found, expected=flag, reason="the derivation lacks the flag")
        return _built(context, answers, setting, verdict, None)
    said = _started(answers, _node(context), "node")
    if said is not None:
        version = document(said)["version"]
        if version not in {runtime["version"] for runtime in runtimes}:
            verdict = not_effective(
                f"Node.js {version}",
                expected=f"Node.js {_versions(runtimes)}",
                reason="the node in use is another one",
            )
            return _built(context, answers, setting, verdict, said)
    found = f"Node.js {_versions(runtimes)}: {runtimes[0]['flags']}"
    return _built(context, answers, setting, effective(found, expected=flag), said)


def _versions(runtimes: Iterable[Mapping[str, Any]]) -> str:
    return " and ".join(dict.fromkeys(str(runtime["version"]) for runtime in runtimes))


def _jemalloc(context: Context) -> Ask:
    return _program(context, "node-jemalloc", "-p", "1 + 1")


def _judge_jemalloc(context: Context, answers: Answers, setting: Setting) -> Verdict:
    said = _started(answers, _jemalloc(context), "node-jemalloc")
    expected = "node-jemalloc starts"
    if said is not None and said.strip() != "2":
        return not_effective(said.strip(), expected=expected)
    return _built(context, answers, setting, effective("it starts", expected=expected), said)


def _judge_go(context: Context, answers: Answers, setting: Setting) -> Verdict:
    level = context.profile.build.goamd64
    expected = f"a toolchain built for GOAMD64={level}"
    found = _derivations(context, answers, "go", expected)
    if plain := [one for one in found if one["goamd64"] != level]:
        verdict = not_effective(f"GOAMD64={plain[0]['goamd64'] or 'v1'}", expected=expected)
        return _built(context, answers, setting, verdict, None)
    said = _started(answers, _go_built(context), "go")
    verdict = effective(f"Go {_versions(found)}, GOAMD64={level}", expected=expected)
    if said is not None and said.strip() != level:
        verdict = not_effective(
            f"GOAMD64={said.strip()}", expected=expected, reason="the go in use is another one"
        )
    return _built(context, answers, setting, verdict, said)


def _given(answers: Answers, ask: Ask) -> Mapping[str, str]:
    """Variables that the user's manager gives to a program now; none where there is no manager."""
    if answers.reply(ask).status in (MISSING, NOBODY):
        return {}
    return system.environment(answers.good(ask).output, "fresh")


def _judge_go_builds(context: Context, answers: Answers, setting: Setting) -> Verdict:
    level = context.profile.build.goamd64
    expected = f"GOAMD64={level}"
    shell = answers.reply(_variables(context))
    given = _given(answers, FRESH_GO)
    if given.get("GOAMD64", level) != level:
        reason = "a variable of the session decides; if it is not your own, log in again"
        found = f"GOAMD64={given['GOAMD64']}"
        return replace(not_effective(found, expected=expected, reason=reason), own=True)
    set_there = re.findall(r'^export GOAMD64="?([^"\n]*)', shell.text, re.MULTILINE)
    if shell.status == 0 and set_there and set_there[-1] != level:
        reason = "by your own choice: a variable of your login shells decides"
        found = f"GOAMD64={set_there[-1]}"
        return replace(not_effective(found, expected=expected, reason=reason), own=True)
    file = answers.reply(_go_file(context))
    own = [line for line in file.text.splitlines() if line.startswith("GOAMD64=")]
    if file.status == 0 and own and own[-1] != expected:
        live = not_effective(
            own[-1], expected=expected, reason="by your own choice: ~/.config/go/env says so"
        )
        return replace(live, own=True)
    said = _go_says(answers, _go_user(context))
    if said is not None:
        found = f"GOAMD64={said.strip()}"
        if found == expected:
            return effective(f"go env in a shell of the user: {found}", expected=expected)
        live = not_effective(f"go env: {found}", expected=expected, reason="another file decides")
        return settle(context, answers, setting, live)
    if expected in own or (shell.status == 0 and f'GOAMD64="{level}"' in shell.text):
        return effective(f"{expected} in every login shell", expected=expected)
    live = not_effective("no login shell sets it", expected=expected)
    return settle(context, answers, setting, live)


def _go_says(answers: Answers, ask: Ask) -> str | None:
    """The answer of the user's go; None in a sandbox, or without a go."""
    reply = _reply(answers, ask)
    if reply is None or reply.status in (MISSING, ABSENT, 127):
        return None
    return answers.text(ask)


def _judge_rust(context: Context, answers: Answers, setting: Setting) -> Verdict:
    cpu = f"target-cpu={context.profile.build.rust_target_cpu}"
    expected = f"{cpu} in every build by cargo"
    shell, file = answers.reply(_variables(context)), answers.reply(_cargo(context))
    lines = [line for line in shell.text.splitlines() if "CARGO_BUILD_RUSTFLAGS=" in line]
    where, found = "every login shell", " ".join(lines) if shell.status == 0 else ""
    if "target-cpu=" not in found and file.status == 0:
        # home-manager makes the file, unless the user has one.
        flags = toml(answers.text(_cargo(context))).get("build", {}).get("rustflags", [])
        where, found = (
            "~/.cargo/config.toml",
            " ".join(flags) if isinstance(flags, list) else str(flags),
        )
    given = re.findall(r"target-cpu=[^\s\"']*", found)
    if given[-1:] != [cpu]:  # rustc takes the last one
        live = not_effective(found or "no rustflags", expected=expected)
        return settle(context, answers, setting, live)
    if found := _instead(context, answers):
        reason = "by your own choice: it switches the flags of cargo's [build] off"
        return replace(not_effective(found, expected=expected, reason=reason), own=True)
    return effective(f"{cpu} in {where}", expected=expected)


def _instead(context: Context, answers: Answers) -> str:
    """What cargo takes instead of the flags of ``[build]``, or ""."""
    if set_there := sorted(_given(answers, FRESH_RUST)):
        return f"{' '.join(set_there)} is set in the session"
    shell, file = answers.reply(_variables(context)), answers.reply(_cargo(context))
    names = "|".join(FRESH_RUST.arguments)
    if shell.status == 0 and (line := re.search(rf"^export ({names})=", shell.text, re.MULTILINE)):
        return f"{line[1]} is set in login shells"
    mentioned = file.status == 0 and "[target" in file.text
    targets = toml(answers.text(_cargo(context))).get("target", {}) if mentioned else {}
    for name, one in targets.items() if isinstance(targets, dict) else ():
        if isinstance(one, dict) and "rustflags" in one and _is_here(context, name):
            return f"rustflags of [target.{name}] in ~/.cargo/config.toml"
    return ""


def _is_here(context: Context, target: str) -> bool:
    """Whether a ``[target]`` of cargo's can be this machine, by its triple or its ``cfg(...)``; a
    user who compiles for another machine, such as wasm32, has flags for that."""
    machine = context.profile.system.partition("-")[0]
    if target.startswith("cfg("):
        return any(word in target for word in (machine, "linux", "unix", "all()"))
    return target.startswith(f"{machine}-") and "linux" in target


def _judge_rust_programs(context: Context, answers: Answers, setting: Setting) -> Verdict:
    state = stage(context, answers, setting.layer, setting.id)
    if state.effect is Effect.EFFECTIVE:
        return effective("in the generation in use", expected="optimized Rust programs")
    return state


def _judge_nothing(context: Context, answers: Answers, setting: Setting) -> Verdict:
    return not_effective("not possible", expected=setting.title, reason=setting.reason)


_JUDGES = {
    "runtimes.python": _judge_python,
    "runtimes.node": _judge_node,
    "runtimes.node.jemalloc": _judge_jemalloc,
    "runtimes.go": _judge_go,
    "runtimes.go.builds": _judge_go_builds,
    "runtimes.rust": _judge_rust,
    "runtimes.rust.programs": _judge_rust_programs,
}


def _judge(context: Context, answers: Answers, setting: Setting) -> Verdict:
    return _JUDGES.get(setting.id, _judge_nothing)(context, answers, setting)


PROOFS: tuple[Proof, ...] = tuple(
    Proof(id=f"runtimes.{name}", title=title, phase=Phase.RUNTIMES, asks=_asks, judge=_judge)
    for name, title in (
        ("python", "Python starts and says that it is profile-guided"),
        ("node", "Node.js starts, its derivation has the flags"),
        ("rust", "cargo compiles for the CPU"),
        ("go", "go env says the level"),
    )
)
