"""What a workspace should hold: whole files, and entries of files that the desktop also writes.

In: the repository, the profile and the standings. Out: ``Desired``. Nix modules are copied byte for
byte; they read the profile and the settings from ``profile.json`` beside them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from converge.kde import lower
from converge.kde.merge import Entry, Group, declared
from converge.plan import cascade, layers
from converge.plan.snapshot import Snapshot
from converge.plan.standing import Stand, Standing
from converge.setting import Layer
from converge.text.limits import document


@dataclass(frozen=True, kw_only=True)
class WholeFile:
    """A file of which a run writes every byte."""

    path: str
    layer: Layer
    content: bytes
    mode: int = 0o644
    root: bool = False


@dataclass(frozen=True, kw_only=True)
class KdeEntries:
    """The entries of a KDE file that a run writes, as ``converge.kde.merge`` takes them."""

    path: str
    entries: Mapping[Group, Mapping[str, str | Entry]]
    layer: Layer = Layer.PLASMA


@dataclass(frozen=True, kw_only=True)
class Desired:
    files: tuple[WholeFile, ...] = ()
    kde: tuple[KdeEntries, ...] = ()
    kept: frozenset[str] = frozenset()  # paths of settings that are not part of this run


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The names in ``profile.json``: of the workspace, and of host and user in the flakes."""

    workspace: str
    host: str
    user: str


#: Layer directory on the workspace <- its files in this repository: (source, name in the layer).
LAYER_SOURCES: Mapping[Layer, tuple[tuple[str, str], ...]] = {
    Layer.NIXOS: (("files/nixos", ""), ("files/lib", "lib")),
    Layer.HOME_MANAGER: (("files/home-manager", ""), ("files/lib", "lib")),
}


def desired(
    repository: Path,
    snapshot: Snapshot,
    stands: Iterable[Standing],
    *,
    identity: Identity,
    hardware: Mapping[str, object],
    root: str,
    not_applicable: Mapping[Layer, str],
) -> Desired:
    """All files and entries for the layers that apply. ``hardware``: the profile as JSON values;
    ``root``: prefix of system paths, in a sandbox; ``not_applicable``: layer -> why not."""
    standings = tuple(stands)
    within = layers.home_within(snapshot)
    directories = {
        Layer.NIXOS: layers.system_layer(root),
        Layer.HOME_MANAGER: layers.home_layer(snapshot, root=root),
    }
    files: list[WholeFile] = []
    for layer, directory in directories.items():
        if layer not in not_applicable:
            as_root = layer is Layer.NIXOS or within
            current = _settings_now(snapshot, f"{directory}/profile.json")
            data = {
                "schemaVersion": 1,
                "workspace": identity.workspace,
                "host": identity.host,
                "user": identity.user,
                "hardware": hardware,
                "settings": dict(_nix_settings(layer, standings, current)),
            }
            content = (json.dumps(data, indent=2, sort_keys=True) + "\n").encode()
            sources = dict(_sources(repository, layer))
            if layer is Layer.HOME_MANAGER and within:
                del sources["flake.nix"]  # the flake of the NixOS layer builds this home
            sources["profile.json"] = content
            files += (
                WholeFile(path=f"{directory}/{name}", layer=layer, content=text, root=as_root)
                for name, text in sorted(sources.items())
            )
    kept: set[str] = set()
    for standing in standings:
        if standing.setting.layer is Layer.SESSION and Layer.SESSION not in not_applicable:
            path, content = layers.session_file(standing.setting)
            if standing.in_force:
                files.append(
                    WholeFile(path=snapshot.expand(path), layer=Layer.SESSION, content=content)
                )
            elif standing.stand is Stand.OTHER_PHASE:
                kept.add(snapshot.expand(path))
    return Desired(
        files=tuple(files), kde=tuple(kde_entries(snapshot, standings)), kept=frozenset(kept)
    )


def _sources(repository: Path, layer: Layer) -> Iterator[tuple[str, bytes]]:
    for source, into in LAYER_SOURCES[layer]:
        base = repository / source
        for path in sorted(base.rglob("*")):
            if path.is_file():
                name = path.relative_to(base).as_posix()
                yield (f"{into}/{name}" if into else name), path.read_bytes()


def _settings_now(snapshot: Snapshot, path: str) -> Mapping[str, object]:
    node = snapshot.nodes.get(path)
    try:
        return dict(document(node.content)["settings"]) if node else {}
    except (ValueError, KeyError, TypeError):
        return {}


def _nix_settings(
    layer: Layer, standings: Iterable[Standing], current: Mapping[str, object]
) -> Iterator[tuple[str, object]]:
    """The layer's settings in force, and its settings that are not part of this run as they are on
    the workspace now. Session variables are included: NixOS hands them to PAM, home-manager to
    shells."""
    mine = {layer, Layer.SESSION}
    for standing in standings:
        setting = standing.setting
        if setting.layer not in mine:
            continue
        if standing.in_force:
            yield setting.id, setting.value
        elif standing.stand is Stand.OTHER_PHASE and setting.id in current:
            yield setting.id, current[setting.id]


def kde_entries(snapshot: Snapshot, standings: Iterable[Standing]) -> Iterator[KdeEntries]:
    """The entries that the settings in force call for, by KDE file."""
    files: dict[str, dict[Group, dict[str, str | Entry]]] = {}
    for standing in standings:
        value = standing.setting.value
        if standing.in_force and standing.setting.layer is Layer.PLASMA and isinstance(value, dict):
            entries = files.setdefault(value["file"], {})
            for group, keys in declared(value["entries"]).items():
                entries.setdefault(group, {}).update(keys)
    for name, entries in files.items():
        yield KdeEntries(
            path=snapshot.expand(f"~/.config/{name}"),
            entries=lower.over(entries, cascade.below(snapshot, name)),
        )
