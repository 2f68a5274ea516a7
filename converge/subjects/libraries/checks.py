"""Checks of phase 1 and of builds: whether derivations have the flags, and whether these
derivations are in the generation in use.

The flags are read from the evaluated derivation, because the compiler wrapper prints none of them,
and a package from a cache has no build log.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from converge.effect import Effect, Verdict, effective, not_applicable, not_effective, unknown
from converge.problem import count
from converge.proof.check import (
    MISSING,
    NOTHING,
    Answers,
    Ask,
    Context,
    Item,
    NoAnswer,
    Proof,
    When,
    value,
)
from converge.setting import Layer, Phase, Setting
from converge.subjects.workspace.generations import BOOTED, marker_asks, settle, stage
from converge.text.limits import document

MOLD = Ask("mold", limit=20, machine=True)
NIX_CONFIG = Ask("nix-config", machine=True)
REPORT_LIMIT = 180  # seconds: the first evaluation of a real system takes half a minute


@dataclass(frozen=True, kw_only=True)
class Package:
    """What a layer's report says of one package (files/lib/report.nix)."""

    wanted: tuple[str, ...]
    found: tuple[str, ...]
    missing: tuple[str, ...]
    lost: tuple[str, ...]
    link: tuple[str, ...] | None  # flags for the linker; None where the report does not tell them
    derivation: str


@dataclass(frozen=True, kw_only=True)
class LibrariesReport:
    strategy: str
    packages: Mapping[str, Package]
    absent: frozenset[str]
    more: Mapping[str, object]


def report_ask(context: Context, layer: Layer) -> Ask | None:
    """The question for a layer's report; None where the layer does not apply, is not on the
    workspace yet, or has no user's flake that Nix can read."""
    nix = context.layer(layer)
    if nix is None or not {f"{nix.directory}/flake.nix", nix.data} <= context.snapshot.nodes.keys():
        return None
    if context.flake_fault(layer):
        return None
    base = context.snapshot.flakes[nix.base]
    impure = "--impure" if base.impure else ""
    return Ask("nix-report", (nix.directory, base.url, impure, nix.report), limit=REPORT_LIMIT)


def report(context: Context, answers: Answers, layer: Layer) -> LibrariesReport:
    if fault := context.flake_fault(layer):
        raise NoAnswer(unknown(fault, expected="what the evaluated layer says"))
    ask = report_ask(context, layer)
    if ask is None:
        raise NoAnswer(stage(context, answers, layer))
    data = document(answers.text(ask))
    packages = {
        name: Package(
            wanted=tuple(one["wanted"]),
            found=tuple(one["found"]),
            missing=tuple(one["missing"]),
            lost=tuple(one["lost"]),
            link=tuple(one["link"]) if "link" in one else None,
            derivation=one["drvPath"],
        )
        for name, one in data["packages"].items()
    }
    more = {
        key: part for key, part in data.items() if key not in ("packages", "strategy", "absent")
    }
    return LibrariesReport(
        strategy=data["strategy"], packages=packages, absent=frozenset(data["absent"]), more=more
    )


def _closure(context: Context, layer: Layer) -> Ask:
    return Ask("closure", (context.generation(layer),), limit=60)


def _asks(context: Context, setting: Setting) -> Iterable[Ask]:
    layer = setting.layer
    ask = report_ask(context, layer)
    if ask is not None:
        yield ask
        if value(setting).get("install"):
            yield _closure(context, layer)
    yield from marker_asks(context, layer)
    if layer is Layer.NIXOS:
        yield BOOTED


def _names(context: Context, setting: Setting) -> tuple[str, ...]:
    """The packages of a setting: its own, or for a strategy those of all groups in force."""
    own = value(setting).get("packages")
    if own:
        return tuple(own)
    where = "system" if setting.layer is Layer.NIXOS else "home"
    groups = context.in_force(f"libraries.group.{where}.")
    return tuple(sorted({name for group in groups for name in value(group)["packages"]}))


def _judge(context: Context, answers: Answers, setting: Setting) -> Verdict:
    found = report(context, answers, setting.layer)
    names = [name for name in _names(context, setting) if name not in found.absent]
    if not names:
        return not_applicable("this package set has none of its packages")
    unknown_names = [name for name in names if name not in found.packages]
    if unknown_names:
        return not_effective(
            f"no optimized {' '.join(unknown_names)}",
            expected=f"optimized {' '.join(names)}",
            reason=f"Nix evaluates the layer without them (strategy: {found.strategy})",
        )
    verdict = _flags(setting, {name: found.packages[name] for name in names})
    if verdict.effect is not Effect.EFFECTIVE:
        return verdict
    strategy = _strategy(setting, found)
    if strategy is not None:
        return strategy
    state = stage(context, answers, setting.layer, setting.id)
    if state.effect is not Effect.EFFECTIVE:
        return state
    return _in_use(context, answers, setting, found, verdict)


def _flags(setting: Setting, packages: Mapping[str, Package]) -> Verdict:
    wanted = sorted({flag for package in packages.values() for flag in package.wanted})
    own = value(setting).get("flag")
    if setting.id == "libraries.mold":
        return _linker(packages)
    if own:
        wanted = [own]
    expected = f"{' '.join(wanted)} in {count(len(packages), 'derivation')}"
    for name, one in packages.items():
        lacking = [own] if own and own not in one.found else list(one.missing)
        lacking = lacking or _overruled([own] if own else one.wanted, one.found)
        if lacking:
            return not_effective(
                f"{name}: {' '.join(one.found) or 'no flags'}",
                expected=expected,
                reason=f"{name} lacks {' '.join(lacking)}",
            )
        if one.lost:
            return not_effective(
                f"{name}: {' '.join(one.found)}",
                expected=expected,
                reason=f"{name} lost its own flags {' '.join(one.lost)}",
            )
    return effective(expected, expected=expected)


def last_of(option: str, flags: Sequence[str]) -> str:
    """The last of the flags that begin with ``option``, which a compiler follows; "" for none."""
    return next((flag for flag in reversed(flags) if flag.startswith(option)), "")


def _overruled(wanted: Iterable[str], found: Sequence[str]) -> list[str]:
    """The wanted flags of the kind ``-march=X`` or ``-O3`` that a later flag of the same kind
    replaces."""
    kinds = ((flag, re.match(r"-O|[^=]+=", flag)) for flag in wanted)
    options = ((flag, kind[0]) for flag, kind in kinds if kind)
    return [flag for flag, option in options if last_of(option, found) != flag]


def _linker(packages: Mapping[str, Package]) -> Verdict:
    expected = f"-fuse-ld=mold in {' '.join(packages)}"
    for name, one in packages.items():
        if one.link is None:
            return unknown("the layer's report does not tell the linker's flags", expected=expected)
        if "-fuse-ld=mold" not in one.link:
            return not_effective(f"{name}: {' '.join(one.link) or 'no flags'}", expected=expected)
    return effective(f"-fuse-ld=mold in {count(len(packages), 'derivation')}", expected=expected)


def _strategy(setting: Setting, found: LibrariesReport) -> Verdict | None:
    """A verdict where the layer does not use this strategy, else None. Copies (leaf) go with every
    strategy, and alone they rebuild nothing of the user's."""
    wanted = setting.id.split(".")[1]
    if wanted in ("overlay", "graft", "march") and found.strategy != wanted:
        reason = "the layer has another strategy"
        return not_effective(found.strategy, expected=wanted, reason=reason)
    rebuilt = found.more.get("rebuilt")
    if wanted == "leaf" and found.strategy == "leaf" and isinstance(rebuilt, list) and rebuilt:
        return not_effective(
            f"rebuilt: {' '.join(map(str, rebuilt))}",
            expected="nothing of the user's own is rebuilt",
            reason="a copy took the place of the package itself",
        )
    return None


def _in_use(
    context: Context, answers: Answers, setting: Setting, found: LibrariesReport, verdict: Verdict
) -> Verdict:
    """``verdict``, if the installed packages are in the generation in use; else why not."""
    names = [n for n in value(setting).get("install", ()) if n in found.packages]
    if not names:
        if "install" in value(setting):
            return effective(
                verdict.found,
                expected=verdict.expected,
                reason="as pkgs.optimized.<name>; it has no command to install",
            )
        return verdict
    # The user's own packages, with any overrides; an older layer reports only its own copies.
    copies: dict[str, list[str]] = {name: [found.packages[name].derivation] for name in names}
    adopted = found.more.get("adopted")
    if isinstance(adopted, dict):
        copies = {name: adopted[name] for name in names if name in adopted}
    if not copies:
        return effective(
            verdict.found,
            expected=verdict.expected,
            reason="as pkgs.optimized.<name>; the user has none of its commands",
        )
    built = set(answers.text(_closure(context, setting.layer)).split())
    lacking = [n for n, paths in copies.items() if any(_hash(path) not in built for path in paths)]
    if lacking:
        return not_effective(
            f"not in the generation: {' '.join(lacking)}",
            expected=verdict.expected,
            reason="the generation in use holds other builds of them",
        )
    return verdict


def _hash(path: str) -> str:
    """The hash part of a store path."""
    return path.rpartition("/")[2].partition("-")[0]


# -- mold, the daemon's configuration ----------------------------------------------------------


def _judge_mold(context: Context, answers: Answers) -> Verdict:
    reply = answers.reply(MOLD)
    expected = "a program linked by mold"
    if reply.status == MISSING:
        # Builds in Nix have their own mold, so the machine needs none.
        return not_applicable(f"{reply.last_error} is not installed; builds in Nix bring their own")
    if reply.status == 0 and "mold" in reply.text:
        return effective("a program linked with it runs", expected=expected)
    found = "another linker" if reply.status == 0 else reply.last_error
    return not_effective(found, expected=expected)


def nix_config(answers: Answers) -> Mapping[str, str]:
    """``max-jobs``, ``cores`` and ``system-features`` of Nix. The probe prints no other setting,
    because some are secrets."""
    lines = (line.partition(" = ") for line in answers.text(NIX_CONFIG).splitlines())
    return {name: text.strip() for name, _, text in lines}


def _judge_features(context: Context, answers: Answers, setting: Setting) -> Verdict:
    wanted = f"gccarch-{context.profile.build.compiler.march}"
    features = nix_config(answers)["system-features"].split()
    found = " ".join(sorted(features))
    live = (
        effective(found, expected=wanted)
        if wanted in features
        else not_effective(found, expected=wanted, reason="the daemon refuses builds for it")
    )
    return settle(context, answers, setting, live)


def _judge_parallelism(context: Context, answers: Answers, setting: Setting) -> Verdict:
    tier = getattr(context.profile.build.parallelism, value(setting)["tier"])
    config = nix_config(answers)
    found = f"max-jobs {config['max-jobs']}, cores {config['cores']}"
    expected = f"max-jobs {tier.jobs}, cores {tier.cores}"
    live = (
        effective(found, expected=expected)
        if found == expected
        else not_effective(found, expected=expected, reason="nix.conf has other numbers")
    )
    return settle(context, answers, setting, live)


def _config_asks(context: Context, setting: Setting) -> Iterable[Ask]:
    return (NIX_CONFIG, BOOTED, *marker_asks(context, setting.layer))


ITEMS: tuple[Item, ...] = (
    Item(
        id="before.mold",
        touched_by=NOTHING,
        title="mold links a program",
        when=When.BEFORE,
        asks=lambda context: (MOLD,),
        judge=_judge_mold,
    ),
)
PROOFS: tuple[Proof, ...] = (
    Proof(
        id="flags.system",
        title="Flags in the derivations of the NixOS layer",
        phase=Phase.LIBRARIES,
        asks=_asks,
        judge=_judge,
    ),
    Proof(
        id="flags.home",
        title="Flags in the derivations of the home layer",
        phase=Phase.LIBRARIES,
        asks=_asks,
        judge=_judge,
    ),
    Proof(
        id="nix.features",
        title="The build daemon's features",
        phase=Phase.LIBRARIES,
        asks=_config_asks,
        judge=_judge_features,
    ),
    Proof(
        id="build.parallelism",
        title="Jobs and cores of the build daemon",
        phase=Phase.MEMORY,
        asks=_config_asks,
        judge=_judge_parallelism,
    ),
)

__all__ = ["ITEMS", "PROOFS", "LibrariesReport", "report", "report_ask"]
