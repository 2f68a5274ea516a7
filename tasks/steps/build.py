"""Estimate and build the Nix layers. The result of a build is not a generation yet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from converge.journal.kinds import EstimateRecord
from converge.plan.layers import home_within
from converge.plan.plan import Build
from converge.plan.standing import MOVED_ASIDE
from converge.problem import count
from converge.setting import Layer
from converge.text.limits import frame
from converge.text.reason import reason_of, with_remedy
from tasks.reach.builder import name as builder_of
from tasks.reach.payload import pack_tree
from tasks.reach.remote import Answer
from tasks.run.operations import step
from tasks.run.stages import Built, Over, Planned, Workspace, Written
from tasks.steps import elsewhere

#: The copy of a flake's file in the store, as Nix names it in messages, and what stands before it.
#: A word is tried once, at its begin: from each slash on it would take the square of its length.
_COPY = re.compile(r"(?<![^\s'\"«»])([^\s'\"«»/]*)(/[^\s'\"«»]*/[0-9a-z]{32}-source/[^\s:'\"«»]+)")
_COPIES = 20
_FETCHED = re.compile(r"paths? will be fetched \(([^()]{1,200})\)")


def estimate(work: Planned) -> Planned:
    """Ask Nix what the planned layers would build and fetch, before any of their files is written.

    A system with grafts is not estimated, because Nix has to build it in order to evaluate it."""
    if work.run.yes or work.blocks or work.plan.refusals:
        return work
    failed = ""
    for build in work.needed_builds:
        if build.nix.layer is Layer.NIXOS and grafts(work):
            work.record(EstimateRecord(layer=build.nix.layer.value, text=GRAFTED, derivations=()))
            continue
        answer = dry_run(work, build)
        said = (*answer.lines, *answer.errors)
        if answer.of("estimated"):
            text = summary(said, where=_where(work))
        elif answer.lost:
            text = f"not known: {answer.last_error}"
        else:
            text = f"does not evaluate: {answer.last_error}"
            failed = failed or f"{build.nix.layer}: {text}"
            tell(work, answer)
        home = _in_the_way(answer.of("in_the_way")) + _targets(answer.of("targets"))
        within = build.nix.layer is Layer.NIXOS and home_within(work.snapshot)
        work.record(
            EstimateRecord(
                layer=build.nix.layer.value,
                text=text if within else text + home,
                derivations=tuple(line.strip() for line in said if line.strip().endswith(".drv")),
            )
        )
        if within and Layer.HOME_MANAGER not in work.plan.not_applicable:
            # The system builds and activates this home, which has its own files in the home.
            name = Layer.HOME_MANAGER.value
            work.record(EstimateRecord(layer=name, text=WITHIN + home, derivations=()))
    return Planned.of(work, unbuildable=failed) if failed else work


def dry_run(work: Planned, build: Build, *inputs: str, timeout: int = 300) -> Answer:
    """What Nix says it would build of a layer. ``inputs``: input, reference, ... that replace the
    inputs of the user's own flake."""
    answer = work.remote(
        "estimate",
        build.nix.attribute,
        build.base.url,
        _impure(build),
        *inputs,
        stdin=pack_tree(_layer_files(work, build)),
        timeout=timeout,
    )
    return _own_paths(work, build, answer)


WITHIN = "a part of the NixOS system (home-manager.users): built and activated with it"
#: Why a system with grafts is not estimated.
GRAFTED = (
    "not asked: libraries.graft.system makes Nix build the whole system while it evaluates; a run "
    "does that, after it has asked you"
)


def grafts(work: Planned) -> bool:
    """Whether the plan grafts libraries into the system: nixpkgs then reads the closure of the
    built system during evaluation."""
    return any(
        standing.in_force and standing.setting.id == "libraries.graft.system"
        for standing in work.plan.standings
    )


def tell(work: Workspace, answer: Answer) -> None:
    """Record all lines of a tool's reason as problems, where the reason has more than one line."""
    if answer.reason and len(answer.reason.lines) > 1:
        for line in answer.reason.lines:  # a line break within a record would be escaped
            work.problem(line)


def _own_paths(work: Planned, build: Build, answer: Answer) -> Answer:
    """The answer, with the user's own paths in place of the copies in the store."""
    said = answer.reason.text if answer.reason and not answer.lost else ""
    copies = list(dict.fromkeys(found[2] for found in _COPY.finditer(said)))[:_COPIES]
    if not copies:
        return answer
    directory = PurePosixPath(build.base.directory)  # the repository, for a flake in a git one
    places = [str(one) for one in (directory, *directory.parents[:2]) if one != one.parent]
    found = work.remote("origin", *places, "--", *copies, timeout=60)
    own = dict(zip(found.of("origin"), found.of("at"), strict=False))

    def named(line: str) -> str:
        return _COPY.sub(lambda copy: copy[1] + own.get(copy[2], copy[2]), line)

    return replace(
        answer, lines=tuple(map(named, answer.lines)), errors=tuple(map(named, answer.errors))
    )


def _impure(build: Build) -> str:
    return "--impure" if build.base.impure else ""


def _in_the_way(paths: Sequence[str]) -> str:
    """A clause on the user's own files that home-manager would move aside, or the empty string."""
    if not paths:
        return ""
    what = f"{paths[0]} is yours" if len(paths) == 1 else f"{', '.join(paths)} are yours"
    return f"; {what}: moved aside with --data accept={MOVED_ASIDE} only, and given back by an undo"


def _targets(answers: Sequence[str]) -> str:
    """Why it is not known whether files of the user's are in the way."""
    if not answers:
        return ""
    try:
        why = reason_of(frame(answers[0])[2])
    except ValueError:
        why = "the answer is damaged"
    return f"; whether files of yours are in its place is not known: {why}"


def _where(work: Planned) -> str:
    builder = builder_of(work.choices, work.host)
    return f"on {builder}" if builder else "here"


def summary(lines: tuple[str, ...], *, where: str = "here") -> str:
    """Nix's dry run in one line: what would be built, what would be fetched."""
    text = "\n".join(lines)
    built = sum(1 for line in lines if line.strip().endswith(".drv"))
    fetched = _FETCHED.search(text)
    parts = [f"{count(built, 'derivation')} to build {where}"]
    if fetched:
        parts.append(f"to fetch: {fetched[1]}")
    return ", ".join(parts)


def _layer_files(work: Planned, build: Build) -> list[tuple[str, bytes]]:
    """The files of a layer after the plan: the present ones with the planned changes."""
    prefix = f"{build.nix.directory}/"
    files = {
        path[len(prefix) :]: node.content
        for path, node in work.snapshot.nodes.items()
        if path.startswith(prefix) and node.kind == "regular file"
    }
    for change in work.plan.changes:
        if change.path.startswith(prefix):
            if change.after is None:
                files.pop(change.path[len(prefix) :], None)
            else:
                files[change.path[len(prefix) :]] = change.after
    return sorted(files.items())


def _title(planned: Planned) -> str:
    builder = builder_of(planned.choices, planned.host)
    return f"build the Nix layers{builder and f' on {builder}'}"


@step(
    _title,
    gives=Built,
    idle=lambda planned: "" if planned.needed_builds else "no layer has to be built",
)
def layers(written: Written) -> Built:
    """Build each layer that needs it, as the user. Nothing of the running system changes."""
    builder = builder_of(written.choices, written.host)
    words: list[str] = []
    for build in written.needed_builds:
        jobs, cores = "0", "-"
        if not builder:
            jobs, cores = elsewhere.limits(written, written.host)
        elif why := elsewhere.build(written, build):
            raise Over(f"{build.nix.layer}: {why}")
        current = written.snapshot.current(build.nix.profile)
        words += (
            build.nix.layer.value,
            build.nix.directory,
            build.nix.attribute,
            build.base.url,
            build.inputs,
            jobs,
            cores,
            _impure(build),
            build.nix.base,
            build.base.times,
            build.base.digest,
            current.path if current else "-",
        )
    answer = written.remote(
        "build",
        written.snapshot.state,
        *words,
        show=True,
        timeout=written.choices.build_limit_s * len(written.needed_builds),
    )
    paths = dict(one.split(" ", 1) for one in answer.of("path") if " " in one)
    for build in written.needed_builds:
        if not paths.get(build.nix.layer.value):
            answer = _own_paths(written, build, answer)
            tell(written, answer)
            why = with_remedy(answer.last_error, "nothing was activated")
            raise Over(f"{build.nix.layer}: {why}")
    return Built.of(written, paths=paths, differs=answer.lines)
