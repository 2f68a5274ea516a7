"""The four layers on one workspace: whether each applies there, and its own paths."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from converge.setting import NEEDS, Layer, Setting

if TYPE_CHECKING:  # a workspace is asked for its files before the rest of a plan is imported
    from converge.plan.snapshot import Snapshot

KDE_FILES = ("kwinrc", "baloofilerc", "kdeglobals")
SYSTEM_LAYER = "/var/lib/workspace-tuning/nixos"
HOME_LAYER = "~/.local/share/workspace-tuning/home-manager"
#: Where home-manager is a module of NixOS: the home-manager layer's place in the NixOS layer.
WITHIN = "home-manager"
ENVIRONMENT = "~/.config/environment.d"
USER_UNITS = "~/.config/systemd/user"


def system_layer(root: str) -> str:
    """Directory of the NixOS layer; it belongs to root and is world-readable."""
    return root + SYSTEM_LAYER


def below(path: str, directory: str) -> bool:
    """Whether a path lies below a directory as it is spelled: nothing in it leads out of there."""
    parts = path.removeprefix(f"{directory}/").split("/")
    return (
        path.startswith(f"{directory}/")
        and path.isprintable()
        and not {"", ".", ".."} & frozenset(parts)
    )


class Hardware(Protocol):
    """The part of a ``Profile`` that this module reads."""

    @property
    def platform(self) -> str: ...
    @property
    def facts(self) -> frozenset[str]: ...


@dataclass(frozen=True, kw_only=True)
class NixLayer:
    """How a Nix layer is built and where its generations are."""

    layer: Layer
    directory: str  # of the flake of the layer
    attribute: str  # of that flake, which is built
    base: str  # name of the user's flake in the snapshot
    profile: str  # name of the profile in the snapshot
    root: bool  # whether its files and its profile belong to root
    within: str = ""  # sub-directory of "directory", for a layer that is a part of another one

    @property
    def data(self) -> str:
        """Path of the layer's settings as JSON."""
        return f"{self.directory}/{self.within and self.within + '/'}profile.json"

    @property
    def read_with(self) -> str:
        """Name of the choice that says how the user's flake is read."""
        return f"base_{'nixos' if self.base == 'system' else 'home'}_with"

    @property
    def report(self) -> str:
        """The attribute of the layer's flake that checks read."""
        return "home.report" if self.within else "report"


#: In the first line of each file of the session layer: so a run knows its own without its record.
MADE_BY = b"(workspace-tuning: "


def session_file(setting: Setting) -> tuple[str, bytes]:
    """Path (with ``~``) and bytes of the file for one setting of the session layer.

    A variable that is set already stays: by a file of environment.d before ours, or by PAM."""
    value = setting.value
    assert isinstance(value, dict)
    name = setting.id.replace(".", "-")
    lines = [f"# {setting.title} {MADE_BY.decode()}{setting.id})"]
    if "unit" in value:
        path = f"{USER_UNITS}/{value['unit']}.d/00-{name}.conf"  # the last drop-in wins
        lines.append("[Service]")
        lines += (f"Environment={key}={text}" for key, text in value["variables"].items())
    else:
        path = f"{ENVIRONMENT}/60-{name}.conf"
        lines += (f"{key}=${{{key}:-{text}}}" for key, text in value["variables"].items())
    return path, ("\n".join(lines) + "\n").encode()


def home_within(snapshot: Snapshot) -> bool:
    """Whether the home is a part of the system: home-manager is a module of NixOS, so a unit of the
    running system activates the home at each boot, and the home has no flake of its own."""
    return "home_module" in snapshot.marks and snapshot.flakes["home"].scheme == "absent"


def home_layer(snapshot: Snapshot, *, root: str) -> str:
    """Directory of the home-manager layer."""
    if home_within(snapshot):
        return f"{system_layer(root)}/{WITHIN}"
    return snapshot.expand(HOME_LAYER)


def nix_layers(snapshot: Snapshot, *, root: str, host: str, user: str) -> tuple[NixLayer, NixLayer]:
    system = NixLayer(
        layer=Layer.NIXOS,
        directory=system_layer(root),
        attribute=f'nixosConfigurations."{host}".config.system.build.toplevel',
        base="system",
        profile="system",
        root=True,
    )
    if home_within(snapshot):
        return system, replace(system, layer=Layer.HOME_MANAGER, within=WITHIN)
    return (
        system,
        NixLayer(
            layer=Layer.HOME_MANAGER,
            directory=snapshot.expand(HOME_LAYER),
            attribute=f'homeConfigurations."{user}@{host}".activationPackage',
            base="home",
            profile="home",
            root=False,
        ),
    )


#: Nix layer -> name of the user's flake in the snapshot, and the choice that gives its directory.
FLAKES: Mapping[Layer, tuple[str, str]] = {
    Layer.NIXOS: ("system", "base_nixos"),
    Layer.HOME_MANAGER: ("home", "base_home"),
}


#: The home has a flake, and a unit of the system activates another home at each boot, so a home
#: that is built from the flake would not last.
TWO_HOMES = (
    "a flake of the home is here, and home-manager.users.{user} of the NixOS system activates "
    "another home at each boot"
)
ONE_HOME = (
    "take the user out of home-manager.users and switch, or have the layer in the system's home: "
    "--data base_home=DIRECTORY with one that has no flake.nix; or leave it out: {narrower}"
)
#: home-manager is a module of NixOS, but for other users only.
OTHERS = (
    "home-manager is a module of the NixOS system here, and {user} is not in home-manager.users"
)
AT_LOGIN = (
    "home-manager.startAsUserService is set: the home of {user} is activated at the next login, "
    "where nothing tells whether that went well; switch it off in the NixOS flake"
)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Why a layer that should apply cannot be built. ``given``: a choice of the user's is the
    cause, such as a directory without a flake."""

    path: str
    what: str
    fix: str
    given: bool


def faults(
    snapshot: Snapshot, hardware: Hardware, *, named: frozenset[str], root: str = ""
) -> Mapping[Layer, Fault]:
    """The Nix layers that should apply here and cannot be built: their flake cannot be read, or Nix
    or the flake is absent although the flake was named or the layer was applied before.

    ``named``: the choices that the inventory or ``--data`` gives, such as base_home."""
    found: dict[Layer, Fault] = {}
    for layer, (name, key) in FLAKES.items():
        if _elsewhere(layer, snapshot, hardware):
            continue
        if layer is Layer.HOME_MANAGER and home_within(snapshot):
            continue  # a fault of the system's flake is reported for the NixOS layer
        flake, given = snapshot.flakes[name], key in named
        applied = _applied(layer, snapshot, root)
        narrower = f"--data layers={','.join(other for other in Layer if other is not layer)}"
        fix = f"name the right directory: --data {key}=..., or leave the layer out: {narrower}"
        if "nix" not in snapshot.tools:
            what = "nix is not installed or not in PATH, and the layer was applied here before"
            fix = f"see why it is gone (command -v nix), or leave the layer out: {narrower}"
            if applied:
                found[layer] = Fault(path="nix", what=what, fix=fix, given=False)
        elif flake.scheme == "absent":
            reason = "; ".join(flake.why) or "no flake is there"
            if layer is Layer.HOME_MANAGER and (module := _other_module(snapshot)):
                reason = f"{reason}; {module}"
            if given:
                what = f"{reason}, and {key} names it"
                found[layer] = Fault(path=flake.directory, what=what, fix=fix, given=True)
            elif applied:
                what = f"{reason}, and the layer was applied over it before"
                found[layer] = Fault(path=flake.directory, what=what, fix=fix, given=False)
        elif layer is Layer.HOME_MANAGER and flake.present and "home_module" in snapshot.marks:
            what = TWO_HOMES.format(user=snapshot.facts["user"])
            fix = ONE_HOME.format(narrower=narrower)
            found[layer] = Fault(path=flake.directory, what=what, fix=fix, given=given)
        elif flake.private:
            fix = f"{flake.remedy(f'{key}_with')}, or leave the layer out: {narrower}"
            found[layer] = Fault(path=flake.directory, what=flake.shown, fix=fix, given=given)
        elif what := flake.fault(f"{key}_with"):
            fix = f"mend that, or leave the layer out: {narrower}"
            found[layer] = Fault(path=flake.directory, what=what, fix=fix, given=given)
    return found


def _other_module(snapshot: Snapshot) -> str:
    """Why home-manager, although it is a module of NixOS here, has no home to extend; or ""."""
    for mark, text in (("home_module_at_login", AT_LOGIN), ("home_module_others", OTHERS)):
        if mark in snapshot.marks:
            return text.format(user=snapshot.facts["user"])
    return ""


def _applied(layer: Layer, snapshot: Snapshot, root: str) -> bool:
    """Whether the record of the workspace says that files of the layer were written."""
    own = system_layer(root) if layer is Layer.NIXOS else snapshot.expand(HOME_LAYER)
    return any(path.startswith(f"{own}/") for path in snapshot.written.files)


def _elsewhere(layer: Layer, snapshot: Snapshot, hardware: Hardware) -> str:
    """Why this kind of machine cannot have the layer, or the empty string."""
    if layer is not Layer.NIXOS:
        return ""
    if hardware.platform != "nixos":
        return f"the platform of the profile is {hardware.platform}"
    return "" if "nixos" in snapshot.marks else "this machine is not NixOS"


def not_applicable(
    snapshot: Snapshot, hardware: Hardware, *, faulty: Collection[Layer] = ()
) -> Mapping[Layer, str]:
    """Layer -> why it does not apply on this workspace; layers that apply are left out.

    ``faulty``: the layers of ``faults``, which apply although they cannot be built."""
    why: dict[Layer, str] = {}
    for layer, (name, _) in FLAKES.items():
        flake = snapshot.flakes[name]
        if elsewhere := _elsewhere(layer, snapshot, hardware):
            why[layer] = elsewhere
        elif layer in faulty:
            continue
        elif layer is Layer.HOME_MANAGER and home_within(snapshot):
            if Layer.NIXOS in why:
                why[layer] = f"the home is a part of the NixOS system: {why[Layer.NIXOS]}"
        elif "nix" not in snapshot.tools:
            why[layer] = "nix is not installed"
        elif not flake.present:
            reason = "; ".join(flake.why) or flake.scheme
            why[layer] = f"no flake can be read in {flake.directory} ({reason})"
            if layer is Layer.HOME_MANAGER:
                why[layer] = _other_module(snapshot) or why[layer]

    kde = any(snapshot.expand(f"~/.config/{name}") in snapshot.nodes for name in KDE_FILES)
    if not hardware.facts & {"kwin", "baloo"}:
        why[Layer.PLASMA] = NEEDS["kwin"]
    elif not kde and not snapshot.tools.keys() & {"plasmashell", "kwin_x11", "kwin_wayland"}:
        why[Layer.PLASMA] = "neither Plasma nor its files are on this machine"

    if "systemd" not in snapshot.marks:
        why[Layer.SESSION] = "systemd does not run here, so nothing reads environment.d"
    return why
