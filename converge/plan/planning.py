"""Make the plan: the difference between what a workspace holds and what it should hold.

In: a snapshot and what is desired. Out: a ``Plan``. Pure: the same in, the same out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import PurePosixPath

from converge.kde import back, chezmoi, heal, merge
from converge.plan import layers
from converge.plan.desired import Desired, KdeEntries, WholeFile
from converge.plan.layers import Fault, NixLayer
from converge.plan.plan import KEEP, Build, Change, FileDrift, Plan, Refusal, digest
from converge.plan.setting import Layer
from converge.plan.snapshot import Kind, Managed, Snapshot
from converge.plan.standing import Stand, Standing
from converge.plan.written import Proved, Written


def make_plan(
    workspace: str,
    snapshot: Snapshot,
    wanted: Desired,
    *,
    nix_layers: tuple[NixLayer, ...],
    standings: tuple[Standing, ...],
    not_applicable: Mapping[Layer, str],
    proved: Mapping[str, Proved],
    staged: bool = False,
    waits: str = "",
    to_prove: tuple[str, ...] = (),
    faults: Mapping[Layer, Fault] | None = None,
    prefer: str = "",
) -> Plan:
    """The plan that leads from ``snapshot`` to ``wanted``. Pure: the same in, the same out.

    ``proved``: the record of each setting before this run's own proof
    (``converge.proof.keep.intended``). Of a staged rollout: ``waits``, why the next phase is not
    in it; ``to_prove``, settings that are in and not proved, so that the run looks at them.
    ``faults``: the layers whose flakes cannot be built on."""
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
        _plan_kde(kde, snapshot, changes, drift, refusals, warnings, entries, prefer)
    faults = {layer: one for layer, one in (faults or {}).items() if layer not in not_applicable}
    refusals[:0] = (
        Refusal(path=one.path, what=one.what, fix=one.fix, given=one.given)
        for one in faults.values()
    )
    refusals += _home(snapshot)
    in_place_of_the_record = refuse(snapshot, f"{snapshot.state}/written.json")
    if in_place_of_the_record:
        refusals.append(in_place_of_the_record)

    files = {file.path: digest(file.content) for file in wanted.files}
    changes += _gone(snapshot, wanted, files, not_applicable, warnings)
    buildable = tuple(one for one in nix_layers if one.layer not in faults)
    builds = tuple(_builds(snapshot, wanted, buildable, not_applicable, warnings))
    warnings += _nothing_before(snapshot, builds)
    by_root = any(change.root for change in changes) or any(b.needed and b.nix.root for b in builds)
    if by_root and not _may_be_root(snapshot):
        refusals.append(
            Refusal(
                path=layers.SYSTEM_LAYER,
                what=f"{snapshot.facts['user']} cannot become root without a password",
                fix="allow it (docs/ssh.md), or leave the layer out: "
                "--data layers=home-manager,plasma,session",
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
    """What an undo of this plan cannot give back, said before anybody consents."""
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


def _home(snapshot: Snapshot) -> Iterator[Refusal]:
    """Homes that the programs on the workspace cannot work with."""
    if "homeless" in snapshot.marks:
        yield Refusal(
            path=snapshot.home,
            what="the home directory does not exist",
            fix="make it, or correct HOME for this user",
        )
    if any(char in " \t" for char in snapshot.home + snapshot.state):
        yield Refusal(
            path=snapshot.state,
            what="there is a blank in its name",
            fix="use a home and an XDG_STATE_HOME without blanks",
        )


def _may_be_root(snapshot: Snapshot) -> bool:
    return not snapshot.needs_sudo or "sudo" in snapshot.marks


def _record(
    snapshot: Snapshot,
    changes: list[Change],
    files: Mapping[str, str],
    entries: Mapping[str, Mapping[tuple[merge.Group, str], str]],
) -> Written:
    """The record after the changes: what is removed, by us or others, is no longer in it."""
    gone = {change.path for change in changes if change.after is None}
    still = {
        path: last
        for path, last in snapshot.written.files.items()
        if path in snapshot.nodes and path not in gone
    }
    return Written(files={**still, **files}, entries=entries)


def _file_drift(file: WholeFile, last: str, before: bytes | None) -> FileDrift:
    return FileDrift(
        path=file.path,
        what="the file",
        old=last[:12],
        found=digest(before)[:12],
        wanted=digest(file.content)[:12],
    )


def refuse(snapshot: Snapshot, path: str, *, root: bool = False) -> Refusal | None:
    """Why the thing at ``path`` is not ours to replace, or None."""
    for one in (path, *map(str, PurePosixPath(path).parents)):
        if one in snapshot.unreadable:
            return Refusal(path=one, what="it cannot be read", fix="see who owns it: ls -ld")
    for parent in PurePosixPath(path).parents:
        node = snapshot.nodes.get(str(parent))
        if node and node.kind is not Kind.DIRECTORY:
            return Refusal(
                path=str(parent),
                what=f"a {node.kind} stands where a directory of ours belongs",
                fix="move it away, then run again",
            )
    node = snapshot.nodes.get(path)
    if node is None:
        return None
    if node.kind is Kind.SYMLINK:
        owner = "home-manager or NixOS" if node.target.startswith("/nix/store/") else "its owner"
        return Refusal(
            path=path,
            what=f"it is a symbolic link to {node.target}",
            fix=f"let {owner} give the file up, or remove the link; then run again",
        )
    if node.kind is not Kind.FILE:
        return Refusal(
            path=path, what=f"it is a {node.kind}, not a file", fix="move it away, then run again"
        )
    if node.uid != int(snapshot.facts["system_uid" if root else "uid"]):
        name = "root" if root and snapshot.needs_sudo else snapshot.facts["user"]
        return Refusal(
            path=path,
            what=f"it belongs to {node.owner}, not to {name}",
            fix=f"chown {name} {path}",
        )
    return None


def _plan_kde(
    kde: KdeEntries,
    snapshot: Snapshot,
    changes: list[Change],
    drift: list[FileDrift],
    refusals: list[Refusal],
    warnings: list[str],
    entries: dict[str, Mapping[tuple[merge.Group, str], str]],
    prefer: str,
) -> None:
    managed = snapshot.chezmoi.get(kde.path)
    place = snapshot.follows.get(kde.path, kde.path)  # a link is kept, and written through
    paths = dict.fromkeys((kde.path, place, *([managed.source] if managed else [])))
    found = [refusal for path in paths if (refusal := refuse(snapshot, path))]
    if found:
        refusals += found
        return
    live = snapshot.nodes.get(kde.path)
    source = snapshot.nodes.get(managed.source) if managed else None
    # Beside a modify_ script or a create_ file the live one alone is written.
    source_is_ours = managed is not None and chezmoi.classify(managed.source).plain
    try:
        healed = heal.heal(
            live.content if live else None,
            source.content if source and source_is_ours else None,
            managed.last_written if managed else None,
            kde.entries,
            base=managed.base if managed else None,
            prefer=prefer,
            live_name=kde.path,
            source_name=managed.source if managed else "",
        )
    except merge.KConfigError as error:
        refusals.append(
            Refusal(path=kde.path, what=str(error), fix="mend the line by hand, then run again")
        )
        return
    before = snapshot.written.entries.get(kde.path, {})
    drift += (_entry_drift(kde.path, one) for one in merge.drift(healed.changes, before))
    entries[kde.path] = _memory(before, merge.remembered(kde.entries))
    if managed and source and source_is_ours and source.content != (live and live.content):
        edits = merge.merge(source.content, kde.entries).changes
        drift += (_entry_drift(managed.source, one) for one in merge.drift(edits, before))
    warnings += (
        f"{kde.path} and {managed.source if managed else ''} were both changed: {one}; "
        f"each keeps its own until --data prefer=live or --data prefer=source decides"
        for one in healed.conflicts
    )
    # Where the two stay different, chezmoi's own record of the live file stays as well.
    target = kde.path if source_is_ours and not healed.conflicts else ""
    if live is None or live.content != healed.text:
        changes.append(
            Change(
                path=place,
                layer=Layer.PLASMA,
                before=live.content if live else None,
                after=healed.text,
                # chezmoi would make a new file with the mode that its source spells.
                mode=_mode(snapshot, managed) if managed and live is None else KEEP,
                kde=True,
                keys=healed.changes,
                entries=back.changed(live.content if live else None, healed.text, kde.entries),
                link=kde.path if place != kde.path else "",
                chezmoi_target=target,
            )
        )
    if managed and source_is_ours and (source is None or source.content != healed.source):
        changes.append(
            Change(
                path=managed.source,
                layer=Layer.PLASMA,
                before=source.content if source else None,
                after=healed.source,
                entries=back.changed(
                    source.content if source else None, healed.source, kde.entries
                ),
                chezmoi_target=target,
            )
        )


def _mode(snapshot: Snapshot, managed: Managed) -> int:
    umask = snapshot.facts.get("umask", "")
    mask = int(umask, 8) if re.fullmatch("[0-7]{1,4}", umask) else 0o077
    return chezmoi.classify(managed.source).mode(umask=mask)


def _memory(
    before: Mapping[tuple[merge.Group, str], str], now: Mapping[tuple[merge.Group, str], str]
) -> dict[tuple[merge.Group, str], str]:
    """What was written before and now; a key in another spelling (``k``, ``k[$e]``) replaces it."""
    known = {(group, key.partition("[$")[0]) for group, key in now}
    old = {k: v for k, v in before.items() if (k[0], k[1].partition("[$")[0]) not in known}
    return {**old, **now}


def _entry_drift(path: str, one: merge.Drift) -> FileDrift:
    return FileDrift(
        path=path,
        what=f"{''.join(f'[{part}]' for part in one.group)} {one.key}",
        old="(deleted)" if one.old is None else one.old,
        found="(absent)" if one.found is None else one.found,
        wanted="(absent)" if one.wanted is None else one.wanted,
    )


def _gone(
    snapshot: Snapshot,
    wanted: Desired,
    files: Mapping[str, str],
    not_applicable: Mapping[Layer, str],
    warnings: list[str],
) -> Iterator[Change]:
    """Files that we wrote once and that nothing calls for any more."""
    home = snapshot.expand(layers.HOME_LAYER)
    for path, last in sorted(snapshot.written.files.items()):
        node = snapshot.nodes.get(path)
        if path in files or path in wanted.kept or node is None or node.kind is not Kind.FILE:
            continue
        if path.startswith(f"{home}/"):
            layer = Layer.HOME_MANAGER
        elif path.startswith(
            (snapshot.expand(layers.ENVIRONMENT), snapshot.expand(layers.USER_UNITS))
        ):
            layer = Layer.SESSION
        else:
            layer = Layer.NIXOS
        if layer in not_applicable:
            continue
        if node.sha256 != last:
            warnings.append(f"{path} is no longer wanted, but somebody changed it: left alone")
            continue
        yield Change(
            path=path,
            layer=layer,
            before=node.content,
            after=None,
            root=layer is Layer.NIXOS,
        )


def _builds(
    snapshot: Snapshot,
    wanted: Desired,
    nix_layers: tuple[NixLayer, ...],
    not_applicable: Mapping[Layer, str],
    warnings: list[str],
) -> Iterator[Build]:
    for nix in nix_layers:
        if nix.layer in not_applicable:
            continue
        base = snapshot.flakes[nix.base]
        for name in base.untracked:
            warnings.append(f"{base.directory}/{name} is not tracked by git: Nix does not see it")
        if "other-submodules" in base.marks:
            key = layers.FLAKES[nix.layer][1]
            warnings.append(
                f"{base.directory} has git submodules, which Nix leaves out; to have them read: "
                f"--data {key}_with=submodules"
            )
        files = {
            file.path: digest(file.content) for file in wanted.files if file.layer is nix.layer
        }
        inputs = sha256(
            json.dumps([files, base.seen, nix.attribute], sort_keys=True).encode()
        ).hexdigest()
        built, current = snapshot.built.get(nix.layer.value), snapshot.current(nix.profile)
        if built is None:
            needed, why = True, "never built from this layer"
        elif built.inputs != inputs:
            needed, why = True, "the layer or the user's flake changed since the last build"
        elif current is None or current.path != built.path:
            needed, why = True, "the current generation is not the one built from this layer"
        else:
            needed, why = False, f"generation {current.number} was built from these inputs"
        yield Build(nix=nix, needed=needed, why=why, base=base, inputs=inputs)
