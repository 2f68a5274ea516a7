"""NVIDIA's driver: the release that is loaded, and the kernel that a legacy branch builds with."""

from __future__ import annotations

from collections.abc import Iterator

from converge.gate.facts.verdict import FactOutcome, FactVerdict, Look
from converge.hardware import graphics


def branch(look: Look) -> Iterator[FactVerdict]:
    """Yield verdicts on the loaded driver and the kernel, where a declared card needs a legacy
    branch of NVIDIA's driver. One driver module serves all cards, so the oldest card decides."""
    generations = [
        found
        for card in look.profile.by_nvidia
        if (found := graphics.generation(card.architecture or "")) and found.last_branch
    ]
    if not generations:
        return
    oldest = min(generations, key=lambda generation: generation.last_branch or 0)
    last, loaded = oldest.last_branch or 0, look.machine.nvidia_driver
    if loaded:
        fits = int(loaded.partition(".")[0]) <= last
        yield FactVerdict(
            fact="gpus.branch",
            outcome=FactOutcome.TRUE if fits else FactOutcome.DIFFERS,
            declared=f"at most {last}",
            found=loaded,
            why="" if fits else f"drivers after {last} ignore {oldest.name}",
            fix="" if fits else "correct the architecture in gpus, or install an older branch",
            settings=look.ids(look.nvidia),
        )
    yield _kernel(look, last)


def _kernel(look: Look, last: int) -> FactVerdict:
    """Judge the kernel. A legacy branch builds with kernels up to a ceiling, which depends on the
    release of the branch."""
    loaded = look.machine.nvidia_driver or ""
    release = loaded if loaded.partition(".")[0] == str(last) else ""
    ceiling, kernel = graphics.kernel_ceiling(last, release), version(look.machine.kernel or "")
    if ceiling is None or kernel is None:
        return FactVerdict(
            fact="kernel",
            outcome=FactOutcome.UNKNOWN,
            declared=f"one that branch {last} builds with",
            found=look.machine.kernel or "nothing",
        )
    limit = ".".join(str(part) for part in ceiling)
    runs = _runs(look, last)
    late, highest = kernel > ceiling, graphics.kernel_ceiling(last, f"{last}.9999")
    newer = highest is not None and highest > ceiling >= (0, 0)
    why = "the driver may not build with it; a build that fails changes nothing"
    fix = "keep boot.kernelPackages at a long-term kernel"
    if newer and highest is not None and kernel <= highest:
        why = f"releases of {last} before 580.173 do not build with it"
        fix = f"update nixpkgs, so that the driver is 580.173 or later; or {fix}"
    proved = late and runs
    late = late and not runs
    return FactVerdict(
        fact="kernel",
        outcome=FactOutcome.DIFFERS if late else FactOutcome.TRUE,
        declared=f"at most {limit} with {release or f'branch {last}'}"
        + (", or one that it runs with" if proved else ""),
        found=str(look.machine.kernel),
        why=why if late else "",
        fix=fix if late else "",
        settings=look.ids(look.nvidia_driver),
    )


def _runs(look: Look, last: int) -> bool:
    """Say whether the branch ``last`` drives a card under the running kernel: then it builds.

    A card of a generation whose last branch is ``last`` is driven by no later branch."""
    for gpu in look.machine.gpus or ():
        name = graphics.architecture(gpu.pci_id) if gpu.driver == "nvidia" else None
        generation = graphics.generation(name or "")
        if generation and generation.last_branch == last:
            return True
    return False


def version(text: str) -> tuple[int, int] | None:
    """Return the first two numbers of a release, as ``6.18.3-zen1`` has them."""
    major, _, rest = text.partition(".")
    minor = rest.partition(".")[0].partition("-")[0]
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else None
