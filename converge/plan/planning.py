"""Make the plan: the difference between what a workspace holds and what it should hold.

In: a snapshot and what is desired. Out: a ``Plan``. Equal input gives an equal plan.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256

from converge.kde import merge
from converge.plan import layers
from converge.plan.desired import Desired, WholeFile
from converge.plan.entries import plan_kde
from converge.plan.layers import Fault, NixLayer
from converge.plan.plan import Build, Change, FileDrift, Plan, Refusal, digest
from converge.plan.refusal import refuse, refuse_home
from converge.plan.snapshot import Kind, Snapshot
from converge.plan.standing import Stand, Standing
from converge.plan.written import LastWritten, SettingProof
from converge.setting import Layer


def make_plan(
    workspace: str,
    snapshot: Snapshot,
    wanted: Desired,
    *,
    nix_layers: tuple[NixLayer, ...],
    standings: tuple[Standing, ...],
    not_applicable: Mapping[Layer, str],
    proved: Mapping[str, SettingProof],
    staged: bool = False,
    waits: str = "",
    to_prove: tuple[str, ...] = (),
    faults: Mapping[Layer, Fault] | None = None,
    prefer: str = "",
) -> Plan:
    """The plan that leads from ``snapshot`` to ``wanted``.

    ``proved``: the record of each setting before this run's own proof
    (``converge.proof.keep.intended``). ``staged``: the run is a part of a staged rollout; then
    ``waits`` says why the next phase is not let in. ``to_prove``: settings that the run looks at
    whatever it changes. ``faults``: layers that apply and cannot be built. ``prefer``: the side
    that wins a conflict between a KDE file and its chezmoi source, or ""."""
    changes: list[Change] = []
    drift: list[FileDrift] = []
    refusals: list[Refusal] = []
    warnings: list[str] = []
    entries = dict(snapshot.written.entries)

    for file in wanted.files:
        refusal = refuse(snapshot, file.path, root=file.root)
        if refusal:
            refusals.append(refusal)
            continue
        node = snapshot.nodes.get(file.path)
        before = node.content if node else None
        last = snapshot.written.files.get(file.path)
        wanted_digest = digest(file.content)
        if last and digest(before) not in (last, wanted_digest):
            drift.append(_file_drift(file, last, before))
        if before != file.content or (node and node.mode != file.mode):
            changes.append(
                Change(
                    path=file.path,
                    layer=file.layer,
                    before=before,
                    after=file.content,
                    mode=file.mode,
                    root=file.root,
                )
            )

    for kde in wanted.kde:
        plan_kde(kde, snapshot, changes, drift, refusals, warnings, entries, prefer)
    faults = {layer: why for layer, why in (faults or {}).items() if layer not in not_applicable}
    refusals[:0] = (
        Refusal(path=fault.path, what=fault.what, fix=fault.fix, given=fault.given)
        for fault in faults.values()
    )
    refusals += refuse_home(snapshot)
    in_place_of_the_record = refuse(snapshot, f"{snapshot.state}/written.json")
    if in_place_of_the_record:
        refusals.append(in_place_of_the_record)

    files = {file.path: digest(file.content) for file in wanted.files}
    changes += _gone(snapshot, wanted, files, nix_layers, not_applicable, warnings)
    buildable = tuple(nix for nix in nix_layers if nix.layer not in faults)
    builds = tuple(_builds(snapshot, wanted, buildable, not_applicable, warnings))
    warnings += _nothing_before(snapshot, builds)
    by_root = any(change.root for change in changes) or any(b.needed and b.nix.root for b in builds)
    if by_root and not _may_be_root(snapshot):
        others = "plasma,session" if layers.home_within(snapshot) else "home-manager,plasma,session"
        refusals.append(
            Refusal(
                path=layers.SYSTEM_LAYER,
                what=f"{snapshot.facts['user']} cannot become root without a password",
                fix=f"allow it (docs/ssh.md), or leave the layer out: --data layers={others}",
            )
        )
    if snapshot.written.damaged:
        warnings.append(f"{snapshot.state}/written.json is damaged; the machine itself is compared")
    elif snapshot.written.older:
        warnings.append(
            f"{snapshot.state}/written.json is of an older form: nothing is proved by it"
        )
    if snapshot.written.staged and not staged:
        warnings.append(
            "a staged rollout is under way here; without rollout=staged this run lets all phases in"
        )
    if waits:
        warnings.append(waits)
    for standing in standings:
        if standing.stand is Stand.LOCKED:
            warnings.append(
                f"{standing.setting.id} cannot take effect: {standing.why}; it is not written"
            )
    written = replace(_record(snapshot, changes, files, entries), settings=proved, staged=staged)
    return Plan(
        workspace=workspace,
        changes=tuple(changes),
        drift=tuple(drift),
        refusals=tuple(refusals),
        builds=builds,
        sweep=snapshot.leftovers,
        warnings=tuple(warnings),
        standings=standings,
        not_applicable=not_applicable,
        written=written,
        recorded=written.same(snapshot.written, proof=staged),
        to_prove=to_prove,
    )


def _nothing_before(snapshot: Snapshot, builds: Iterable[Build]) -> Iterator[str]:
    """Warnings: what an undo of this plan could not bring back."""
    for build in builds:
        if not build.needed or snapshot.current(build.nix.profile):
            continue
        if build.nix.root and not snapshot.running_system:
            yield (
                f"{build.nix.layer}: neither a generation nor a running system is there to go back "
                "to: an undo leaves what is active until the next boot"
            )
        elif not build.nix.root:
            yield (
                f"{build.nix.layer}: this is the first generation: an undo has none to go back to, "
                "and takes away what this one set"
            )


def _may_be_root(snapshot: Snapshot) -> bool:
    return not snapshot.needs_sudo or "sudo" in snapshot.marks


def _record(
    snapshot: Snapshot,
    changes: list[Change],
    files: Mapping[str, str],
    entries: Mapping[str, Mapping[tuple[merge.Group, str], str]],
) -> LastWritten:
    """The record after the changes, without files that are gone."""
    gone = {change.path for change in changes if change.after is None}
    still = {
        path: last
        for path, last in snapshot.written.files.items()
        if path in snapshot.nodes and path not in gone
    }
    return LastWritten(files={**still, **files}, entries=entries)


def _file_drift(file: WholeFile, last: str, before: bytes | None) -> FileDrift:
    return FileDrift(
        path=file.path,
        what="the file",
        old=last[:12],
        found=digest(before)[:12],
        wanted=digest(file.content)[:12],
    )


def _gone(
    snapshot: Snapshot,
    wanted: Desired,
    files: Mapping[str, str],
    nix_layers: tuple[NixLayer, ...],
    not_applicable: Mapping[Layer, str],
    warnings: list[str],
) -> Iterator[Change]:
    """Remove the files that a run wrote once and that no setting calls for any more."""
    home = snapshot.expand(layers.HOME_LAYER)
    within = f"{next((one.data.rpartition('/')[0] for one in nix_layers if one.within), home)}/"
    for path, last in sorted(snapshot.written.files.items()):
        node = snapshot.nodes.get(path)
        if path in files or path in wanted.kept or node is None or node.kind is not Kind.FILE:
            continue
        if path.startswith((f"{home}/", within)):
            layer = Layer.HOME_MANAGER
        elif path.startswith(
            (snapshot.expand(layers.ENVIRONMENT), snapshot.expand(layers.USER_UNITS))
        ):
            layer = Layer.SESSION
        else:
            layer = Layer.NIXOS
        if layer in not_applicable:
            continue
        root = layer is Layer.NIXOS or (within != f"{home}/" and path.startswith(within))
        if root and not any(layers.below(path, one.directory) for one in nix_layers if one.root):
            # The record is the user's: what it names elsewhere is no file of root's part.
            warnings.append(
                f"{path} is in the record, and is no file of the NixOS layer: left alone"
            )
            continue
        if node.sha256 != last:
            warnings.append(f"{path} is no longer wanted, but somebody changed it: left alone")
            continue
        yield Change(
            path=path,
            layer=layer,
            before=node.content,
            after=None,
            root=root,
        )


def _builds(
    snapshot: Snapshot,
    wanted: Desired,
    nix_layers: tuple[NixLayer, ...],
    not_applicable: Mapping[Layer, str],
    warnings: list[str],
) -> Iterator[Build]:
    for nix in nix_layers:
        if nix.layer in not_applicable or nix.within:
            continue  # this layer is built together with the layer that contains it
        base = snapshot.flakes[nix.base]
        warnings += base.notes(nix.read_with)
        files = {
            file.path: digest(file.content)
            for file in wanted.files
            if file.path.startswith(f"{nix.directory}/")
        }
        if layers.home_within(snapshot) and Layer.HOME_MANAGER in not_applicable:
            # The home's files stay as they are while the home is not part of this run.
            files |= {
                path: digest(node.content)
                for path, node in snapshot.nodes.items()
                if path.startswith(f"{nix.directory}/{layers.WITHIN}/")
            }
        inputs = sha256(
            json.dumps([files, base.seen, nix.attribute], sort_keys=True).encode()
        ).hexdigest()
        built, current = snapshot.built.get(nix.layer.value), snapshot.activated(nix.profile)
        if built is None:
            needed, why = True, "never built from this layer"
        elif built.inputs != inputs:
            needed, why = True, "the layer or the user's flake changed since the last build"
        elif current is None or current.path != built.path:
            needed, why = True, "the current generation is not the one built from this layer"
        else:
            needed, why = False, f"generation {current.number} was built from these inputs"
        yield Build(nix=nix, needed=needed, why=why, base=base, inputs=inputs)
