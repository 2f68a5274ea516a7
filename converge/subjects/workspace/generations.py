"""Checks of generations: which one is in use, whether there is a way back, what the menu offers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from converge.effect import (
    Effect,
    Verdict,
    effective,
    not_applicable,
    not_effective,
    pending,
    unknown,
)
from converge.plan.layers import home_within
from converge.proof.check import (
    BUILT,
    NOTHING,
    Answers,
    Ask,
    Context,
    Item,
    NoAnswer,
    Proof,
    Unreadable,
    When,
    value,
)
from converge.setting import Layer, Phase, Setting
from converge.subjects.workspace.boot_menu import boot_menu
from converge.text.limits import document

BOOTED = Ask("booted", machine=True)
BOOT = Ask("boot", limit=30, machine=True)  # asks sudo for each file of the boot partition
#: Layer -> name of its marker, path below a generation, path of the one in use.
_MARKERS = {
    Layer.NIXOS: "etc/workspace-tuning/nixos.json",
    Layer.HOME_MANAGER: "home-files/.config/workspace-tuning/home-manager.json",
}


@dataclass(frozen=True, kw_only=True)
class Marker:
    profile: str  # sha256 of the profile.json that the generation was built from
    settings: frozenset[str]
    theirs: Mapping[str, str]  # setting -> its options that somebody else defines, and where


def _built(context: Context, layer: Layer) -> Ask:
    return Ask("file", (f"{context.generation(layer)}/{_MARKERS[layer]}",))


def _used(context: Context, layer: Layer) -> Ask:
    if layer is Layer.NIXOS:
        return Ask("file", (context.path(f"/run/current-system/{_MARKERS[layer]}"),))
    return Ask("file", (context.home(".config/workspace-tuning/home-manager.json"),))


def marker_asks(context: Context, layer: Layer) -> tuple[Ask, ...]:
    """The questions that ``stage`` and ``settle`` need for a layer."""
    if layer not in _MARKERS or layer in context.not_applicable:
        return ()
    return (_built(context, layer), _used(context, layer))


def _marker(answers: Answers, ask: Ask) -> Marker | None:
    reply = answers.reply(ask)
    if reply.status != 0:
        return None
    data = document(reply.text)
    theirs = {
        setting: "; ".join(
            f"{', '.join(option['files'])} sets {option['option']}" for option in options
        )
        for setting, options in data.get("theirs", {}).items()
    }
    return Marker(
        profile=str(data["profileSha256"]), settings=frozenset(data["settings"]), theirs=theirs
    )


def stage(context: Context, answers: Answers, layer: Layer, setting: str = "") -> Verdict:
    """How far a Nix layer has come: in use (effective), built but not in use (pending), or not
    built from the workspace's files (not effective). ``setting``: whether this one is included."""
    nix = context.layer(layer)
    if nix is None:
        return not_applicable(context.not_applicable.get(layer, "not a Nix layer"))
    node = context.snapshot.nodes.get(nix.data)
    if node is None:
        where = nix.data.rpartition("/")[0]
        return not_effective("no layer", expected="the layer", reason=f"{where} is empty")
    current = context.snapshot.current(nix.profile)
    if not context.generation(layer):
        return not_effective(
            "no generation", expected="a generation of this layer", reason="it was never built"
        )
    wanted = sha256(node.content).hexdigest()
    built = _marker(answers, _built(context, layer))
    activated = context.activated(layer)
    name = "the activated generation" if activated else f"generation {current and current.number}"
    if nix.within:
        name = f"the home in {name} of the system"
    if built is None:
        return not_effective(
            name, expected="a generation of this layer", reason="it was made without the layer"
        )
    if built.profile != wanted:
        return not_effective(
            name,
            expected="a generation of this layer",
            reason="it was built from another profile than the layer holds now",
        )
    if setting and setting not in built.settings:
        return not_effective(
            name, expected=f"{name} with it", reason="the generation was built without it"
        )
    used = _marker(answers, _used(context, layer))
    if used != built:
        how = "the next switch or boot" if layer is Layer.NIXOS else "its activation"
        if nix.within:
            how = f"the system's home-manager unit of {context.snapshot.facts['user']} has run"
        return pending(f"{name} is built; it is in use after {how}", expected=name, found="built")
    return effective(name, expected=name)


def settle(context: Context, answers: Answers, setting: Setting, live: Verdict) -> Verdict:
    """The verdict on a setting of a Nix layer, from ``live`` and from how far its layer has come.

    A value in force is effective, whoever set it. Otherwise the setting is pending until its
    generation is in use, or until a reboot where the booted system differs from the current one.
    Where the user's own configuration sets the option, the verdict is the user's (``own``)."""
    if live.effect is not Effect.NOT_EFFECTIVE:
        return live
    state = stage(context, answers, setting.layer, setting.id)
    if state.effect is Effect.EFFECTIVE:
        reason = _reboot(answers) if setting.layer is Layer.NIXOS else ""
        used = _marker(answers, _used(context, setting.layer))
        if reason:
            waits = pending(reason, expected=live.expected, found=live.found)
            # After the boot the user's own value counts, so no trial asks for ours.
            return replace(waits, own=bool(used and setting.id in used.theirs))
        if used and setting.id in used.theirs:
            return replace(live, reason=f"by your own choice: {used.theirs[setting.id]}", own=True)
        return live
    reason = "; ".join(filter(None, (live.reason, state.reason)))
    return Verdict(effect=state.effect, expected=live.expected, found=live.found, reason=reason)


def _reboot(answers: Answers) -> str:
    """Why a reboot is due, or "", also where this is not known."""
    try:
        text = answers.text(BOOTED)
    except NoAnswer:
        return ""
    differs = [line.partition(" ")[2] for line in text.splitlines() if line.startswith("differs ")]
    return f"after a reboot: {', '.join(differs)} changed since the last one" if differs else ""


# -- the generation in use --------------------------------------------------------------------


def _layer_item(layer: Layer, title: str) -> Item:
    return Item(
        id=f"generation.{'system' if layer is Layer.NIXOS else 'home'}",
        title=title,
        layer=layer,
        touched_by=frozenset({layer}),
        brought=True,
        asks=lambda context: marker_asks(context, layer),
        judge=lambda context, answers: stage(context, answers, layer),
    )


def _judge_booted(context: Context, answers: Answers) -> Verdict:
    text = answers.text(BOOTED)
    paths = dict(line.split(" ", 1) for line in text.splitlines() if not line.startswith("differs"))
    if not {"booted", "current"} <= paths.keys():
        raise Unreadable("neither the booted nor the current system was told")
    reason = _reboot(answers)
    if reason:
        return pending(reason, expected=paths["current"], found=paths["booted"])
    return effective("the booted system is the current one, or differs in no part of the boot")


# -- the way back -----------------------------------------------------------------------------


def _profiles(context: Context) -> Iterable[tuple[Layer, str]]:
    """The layers that apply and have generations of their own, with the name of the profile."""
    for layer, name in ((Layer.NIXOS, "system"), (Layer.HOME_MANAGER, "home")):
        if layer not in context.not_applicable and not (
            name == "home" and home_within(context.snapshot)
        ):
            yield layer, name


def _kept(context: Context) -> tuple[str, ...]:
    """Store paths of all generations that the workspace lists, of layers that apply."""
    names = {name for _, name in _profiles(context)}
    found = context.snapshot.generations
    return tuple(each.path for name in sorted(names) for each in found.get(name, ()))


_FIRST = "no generation before it; an undo takes away what the run set"


def _judge_kept(context: Context, answers: Answers, *, least: int) -> Verdict:
    there = {
        line.partition(" ")[2]
        for line in answers.text(Ask("exist", _kept(context))).splitlines()
        if line.startswith("there ")
    }
    few, found, first = [], [], []
    for layer, name in _profiles(context):
        kept = {g.path for g in context.snapshot.generations.get(name, ()) if g.path in there}
        if layer.value in context.paths:
            kept.add(context.paths[layer.value])  # becomes a generation when it is proved
        found.append(f"{name} {len(kept)}")
        listed = {g.path for g in context.snapshot.generations.get(name, ())}
        listed |= {context.paths[layer.value]} if layer.value in context.paths else set()
        if len(listed) < least:
            first.append(name)  # no second generation was ever made, or it was removed
        elif len(kept) < least:
            few.append(name)
    expected = f"at least {least} of each layer"
    if first and not few and len(first) == len(found):
        return not_applicable(f"{', '.join(found)}: {_FIRST}")
    if few:
        reason = f"there is no earlier generation of {' and '.join(few)} to go back to"
        return not_effective(", ".join(found), expected=expected, reason=reason)
    reason = f"{' and '.join(first)}: {_FIRST}" if first else ""
    return effective(", ".join(found), expected=expected, reason=reason)


def _generations_item(id: str, title: str, when: When, least: int) -> Item:
    def asks(context: Context) -> Iterable[Ask]:
        return (Ask("exist", _kept(context)),)

    def judge(context: Context, answers: Answers) -> Verdict:
        if {Layer.NIXOS, Layer.HOME_MANAGER} <= context.not_applicable.keys():
            return not_applicable("neither Nix layer applies here")
        return _judge_kept(context, answers, least=least)

    return Item(
        id=id, title=title, when=when, asks=asks, judge=judge, touched_by=BUILT, brought=True
    )


# -- the boot menu ----------------------------------------------------------------------------


def _judge_menu(context: Context, answers: Answers, *, generations: int) -> Verdict:
    """Whether the menu waits and offers the present generation, and for two also an older one."""
    menu = boot_menu(answers.text(BOOT))
    kept = context.snapshot.generations.get("system", ())
    offered = menu.offers(kept)
    found = f"{menu.loader}: {menu.timeout} s, {len(offered)} generations"
    wanted = min(generations, len(kept))
    expected = f"a menu that waits, {wanted} generations or more"
    present = [one.number for one in kept if one.current and one.number not in offered]
    lacks = len(offered) < wanted or (wanted and present)
    doubt = menu.doubt(kept) if lacks or menu.timeout == 0 else ""
    if doubt:
        return unknown(f"cannot tell what the menu offers: {doubt}", expected=expected)
    if menu.timeout == 0:
        reason = "the menu never shows, so no earlier generation can be chosen"
        return not_effective(found, expected=expected, reason=reason)
    if lacks:
        which = f"{len(kept)} generations are kept, but the menu does not offer"
        which += f" {present[0]}, the present one" if present else " them"
        return not_effective(found, expected=expected, reason=which)
    return effective(found, expected=expected)


def _judge_boot_setting(context: Context, answers: Answers, setting: Setting) -> Verdict:
    live = _judge_menu(context, answers, generations=2)
    if live.effect is Effect.EFFECTIVE:
        menu = boot_menu(answers.text(BOOT))
        wanted = int(value(setting)["timeoutSeconds"])
        if 0 < menu.timeout < wanted:
            # The user's own timeout wins over ours; any menu that shows is enough for the plan.
            return effective(live.found, expected=live.expected, reason="the user's own timeout")
    return settle(context, answers, setting, live)


ITEMS: tuple[Item, ...] = (
    _layer_item(Layer.NIXOS, "The running system was built from the layer"),
    _layer_item(Layer.HOME_MANAGER, "The home in use was built from the layer"),
    Item(
        id="system.booted",
        touched_by=frozenset({Layer.NIXOS}),
        title="The booted system is the current one",
        layer=Layer.NIXOS,
        asks=lambda context: (BOOTED,),
        judge=_judge_booted,
    ),
    _generations_item("before.generation", "A generation to go back to", When.BEFORE, 1),
    _generations_item("rollback.ready", "An earlier generation is there", When.AFTER, 2),
    Item(
        id="before.boot-menu",
        touched_by=NOTHING,
        title="The boot menu offers the present generation",
        when=When.BEFORE,
        layer=Layer.NIXOS,
        needs=frozenset({"bootloader"}),
        asks=lambda context: (BOOT,),
        judge=lambda context, answers: _judge_menu(context, answers, generations=1),
    ),
)


def _setting_asks(context: Context, setting: Setting) -> tuple[Ask, ...]:
    return (BOOT, BOOTED, *marker_asks(context, setting.layer))


PROOFS: tuple[Proof, ...] = (
    Proof(
        id="boot.menu",
        title="The boot menu's timeout and entries",
        phase=Phase.MEMORY,
        asks=_setting_asks,
        judge=_judge_boot_setting,
    ),
)

__all__ = ["BOOTED", "ITEMS", "PROOFS", "Marker", "marker_asks", "settle", "stage"]
