"""The four layers on one workspace: whether each applies there, and the paths that are its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from converge.plan.setting import Layer
from converge.plan.snapshot import Snapshot

KDE_FILES = ("kwinrc", "baloofilerc", "kdeglobals")
SYSTEM_LAYER = "/var/lib/workspace-tuning/nixos"
HOME_LAYER = "~/.local/share/workspace-tuning/home-manager"
ENVIRONMENT = "~/.config/environment.d"
USER_UNITS = "~/.config/systemd/user"


def system_layer(root: str) -> str:
    """Directory of the NixOS layer; it belongs to root and is world-readable."""
    return root + SYSTEM_LAYER


class Hardware(Protocol):
    """What this module reads of a profile."""

    @property
    def platform(self) -> str: ...
    @property
    def facts(self) -> frozenset[str]: ...


@dataclass(frozen=True, kw_only=True)
class NixLayer:
    """How a Nix layer is built and where its generations are."""

    layer: Layer
    directory: str  # of the layer flake
    attribute: str
    base: str  # name of the user's flake in the snapshot
    profile: str  # name of the profile in the snapshot
    root: bool  # its files and its profile belong to root


def nix_layers(snapshot: Snapshot, *, root: str, host: str, user: str) -> tuple[NixLayer, NixLayer]:
    return (
        NixLayer(
            layer=Layer.NIXOS,
            directory=system_layer(root),
            attribute=f'nixosConfigurations."{host}".config.system.build.toplevel',
            base="system",
            profile="system",
            root=True,
        ),
        NixLayer(
            layer=Layer.HOME_MANAGER,
            directory=snapshot.expand(HOME_LAYER),
            attribute=f'homeConfigurations."{user}@{host}".activationPackage',
            base="home",
            profile="home",
            root=False,
        ),
    )


def not_applicable(snapshot: Snapshot, hardware: Hardware) -> Mapping[Layer, str]:
    """Layer -> why it does not apply on this workspace; a layer that applies is not in it."""
    why: dict[Layer, str] = {}
    nix = "nix" in snapshot.tools
    system, home = snapshot.flakes["system"], snapshot.flakes["home"]

    if hardware.platform != "nixos":
        why[Layer.NIXOS] = f"the platform of the profile is {hardware.platform}"
    elif "nixos" not in snapshot.marks:
        why[Layer.NIXOS] = "this machine is not NixOS"
    elif not nix:
        why[Layer.NIXOS] = "nix is not installed"
    elif not system.present:
        why[Layer.NIXOS] = f"no flake can be read in {system.directory} ({system.scheme})"

    if not nix:
        why[Layer.HOME_MANAGER] = "nix is not installed"
    elif not home.present:
        why[Layer.HOME_MANAGER] = f"no flake can be read in {home.directory} ({home.scheme})"

    kde = any(snapshot.expand(f"~/.config/{name}") in snapshot.nodes for name in KDE_FILES)
    if not hardware.facts & {"kwin", "baloo"}:
        why[Layer.PLASMA] = "the profile has no Plasma desktop"
    elif not kde and not snapshot.tools.keys() & {"plasmashell", "kwin_x11", "kwin_wayland"}:
        why[Layer.PLASMA] = "neither Plasma nor its files are on this machine"

    if "systemd" not in snapshot.marks:
        why[Layer.SESSION] = "systemd does not run here, so nothing reads environment.d"
    return why
