"""Show what the built layers change, before they are activated."""

from __future__ import annotations

from converge.journal.kinds import DifferenceRecord
from converge.plan import difference
from converge.plan.standing import MOVED_ASIDE
from converge.problem import count
from tasks.reach.remote import Answer
from tasks.run.operations import step
from tasks.run.stages import Built, Over

SHOWN = 4  # lines for each layer on the terminal; the journal has all


@step(
    "show the difference",
    gives=Built,
    idle=lambda planned: "" if planned.needed_builds else "no layer was built",
)
def show(built: Built) -> Built:
    """Print the packages that change, with sizes, and the units that will restart.

    Where Nix could not tell, the run goes on. Raises ``Over`` where files of the user's own are at
    targets of home-manager and nobody consented to move them aside."""
    answer = Answer(ok=True, lines=built.differs)
    for build in built.needed_builds:
        layer = build.nix.layer.value
        lines = _of(answer, layer)
        shown = lines if built.run.verbose else sorted(lines, key=_is_package)[:SHOWN]
        for line in shown:
            built.run.terminal.row((layer, line.removeprefix("unit ")), (12,))
        if len(lines) > len(shown):
            more = count(len(lines) - len(shown), "more line")
            built.run.terminal.row((layer, f"and {more}; -v shows all"), (12,))
        built.record(DifferenceRecord(layer=layer, lines=lines))
    mine = answer.of("in_the_way")
    if mine and MOVED_ASIDE not in built.choices.accept:
        raise Over(
            f"{', '.join(mine)}: your own, where home-manager puts a file of its own; nothing was "
            "activated. To do: move it into your home-manager configuration, or let it be moved "
            f"aside and given back by an undo: --data accept={MOVED_ASIDE}"
        )
    return built


def _of(answer: Answer, layer: str) -> tuple[str, ...]:
    """The lines of one layer."""
    found: list[str] = []
    if layer in answer.of("alone"):
        found.append("unknown no generation before this one is there to compare with")
    for said in answer.of(f"closures {layer}"):
        found += difference.packages(said)
    for said in answer.of(f"units {layer}"):
        found += difference.units(said)
    return tuple(found)


def _is_package(line: str) -> bool:
    """Sort key: lines about units come before lines about packages."""
    return line.startswith("package ")
