"""Graphics cards: whether each declared card is there, with the declared driver and role."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from converge.gate.facts.verdict import FactOutcome, FactVerdict, Look
from converge.gate.machine import FoundGpu
from converge.gate.roles import UNKNOWN, roles
from converge.hardware import graphics
from converge.profile.profile import Gpu
from converge.setting import Layer, Setting

#: The facts (``Setting.needs``) that are about the card that draws. ``nvidia`` is about any card.
DRAWN = frozenset(
    {"video", "video-nvidia", "video-mesa", "video-r600", "video-intel", "video-i965"}
)


@dataclass(frozen=True, kw_only=True)
class MatchedCard:
    """A declared card, its index in the profile, and the card of the machine that it is."""

    index: int
    card: Gpu
    found: FoundGpu | None
    role: str = UNKNOWN  # that of ``found``

    @property
    def driver(self) -> str:
        """The driver that holds the card, as a profile calls it."""
        assert self.found is not None
        return graphics.declared_driver(graphics.vendor(self.found.vendor), self.found.driver)

    @property
    def held(self) -> bool:
        """Whether the declared driver holds the card."""
        assert self.found is not None
        return self.card.driver in {self.driver, self.found.driver}

    @property
    def key(self) -> str:
        return f"gpus[{self.index}]"


def cards(look: Look) -> Iterator[FactVerdict]:
    """Yield a verdict for each missing card, each undeclared card and each fact of a found card;
    where no card is missing or undeclared, one verdict says that all are there."""
    machine = look.machine
    elsewhere = machine.platform == "wsl" or machine.container
    if machine.gpus is None and not elsewhere:
        needed = _needed_of_any(look)
        yield FactVerdict(
            fact="gpus",
            outcome=FactOutcome.BLOCKS if needed else FactOutcome.UNKNOWN,
            declared=_names(look.profile.gpus),
            found="none that could be seen",
            why="no card could be seen, so nobody knows which driver holds it",
            fix="look at /sys/bus/pci/devices: it is not there, or a device of it cannot be read",
            settings=look.ids(needed),
            overridable=not look.nvidia_driver,
        )
        return
    # The PCI bus of a WSL2 guest shows a bridge to the card of Windows, and no card of its own; a
    # container shows the cards of its host.
    found = () if elsewhere else machine.gpus or ()
    pairs, rest = pair(look.profile.gpus, found)
    yield from _there(look, pairs, rest)
    known = [one for one in pairs if one.found]
    for fact in (_pci_id, _driver, _role, _architecture, _smi):
        for one in known:
            yield from fact(look, one)


def pair(
    declared: Sequence[Gpu], found: Sequence[FoundGpu]
) -> tuple[tuple[MatchedCard, ...], tuple[tuple[FoundGpu, str], ...]]:
    """Return each declared card with the matching found card, and the other found cards with their
    roles. The same PCI id matches first, then the same vendor; the likest candidate wins."""
    left = dict(enumerate(zip(found, roles(found), strict=True)))
    taken: dict[int, int] = {}

    def likeness(card: Gpu, gpu: FoundGpu, role: str) -> tuple[bool, ...]:
        held = MatchedCard(index=0, card=card, found=gpu).held
        return card.slot == gpu.slot, card.pci_id == gpu.pci_id, held, card.role == role

    def same(card: Gpu, gpu: FoundGpu) -> bool:
        return card.pci_id == gpu.pci_id and card.slot in {None, gpu.slot}

    def of_vendor(card: Gpu, gpu: FoundGpu) -> bool:
        return card.vendor == graphics.vendor(gpu.vendor)

    for fits in (same, of_vendor):
        for index, card in enumerate(declared):
            candidates = [key for key, (gpu, _) in left.items() if fits(card, gpu)]
            if index in taken or not candidates:
                continue
            best = max(candidates, key=lambda key: likeness(card, *left[key]))
            taken[index] = best
            left.pop(best)
    both = tuple(zip(found, roles(found), strict=True))
    pairs = tuple(
        MatchedCard(index=i, card=card, found=both[taken[i]][0], role=both[taken[i]][1])
        if i in taken
        else MatchedCard(index=i, card=card, found=None)
        for i, card in enumerate(declared)
    )
    return pairs, tuple(left.values())


def _needed(look: Look, card: Gpu) -> tuple[Setting, ...]:
    """Return the settings in force that act on a card of this role and driver."""
    facts: frozenset[str] = DRAWN if card.role == "draws" else frozenset()
    if card.driver == "nvidia" and card.role in {"draws", "offload"}:
        facts |= {"nvidia"}
    return tuple(setting for setting in look.settings if setting.needs & facts)


def _needed_of_any(look: Look) -> tuple[Setting, ...]:
    return tuple(s for s in look.settings if s.needs & (DRAWN | {"nvidia"}))


def _names(cards: Sequence[Gpu]) -> str:
    return ", ".join(card.name for card in cards) or "none"


def _shown(gpu: FoundGpu, role: str) -> str:
    return f"{gpu.pci_id} ({gpu.driver or 'no driver'}, {role})"


def _chooses(settings: Sequence[Setting]) -> bool:
    """Say whether a setting chooses the driver of the system: a wrong driver leaves no display."""
    return any(s.layer is Layer.NIXOS and "nvidia" in s.needs for s in settings)


def _there(
    look: Look, pairs: Sequence[MatchedCard], rest: Sequence[tuple[FoundGpu, str]]
) -> Iterator[FactVerdict]:
    missing = [one for one in pairs if not one.found]
    for one in missing:
        needed = _needed(look, one.card)
        yield FactVerdict(
            fact="gpus",
            outcome=FactOutcome.BLOCKS if needed else FactOutcome.DIFFERS,
            declared=f"{one.key}: {one.card.name}",
            found=", ".join(_shown(*left) for left in rest) or "no such card",
            why="a driver for a card that is not there leaves no display"
            if _chooses(needed)
            else "settings for that card have no effect",
            fix=f"remove {one.key} from {look.profile.file}, or correct its pciId",
            settings=look.ids(needed),
            overridable=not _chooses(needed),
        )
    for gpu, role in rest:
        yield FactVerdict(
            fact="gpus",
            outcome=FactOutcome.DIFFERS,
            declared=_names(look.profile.gpus),
            found=_shown(gpu, role),
            why="nothing is set for a card that the profile does not have",
            fix=f"add it to gpus in {look.profile.file}: tasks/detect.py --data write= shows how",
        )
    if not missing and not rest:
        names = _names(look.profile.gpus)
        yield FactVerdict(fact="gpus", outcome=FactOutcome.TRUE, declared=names, found=names)


def _pci_id(look: Look, one: MatchedCard) -> Iterator[FactVerdict]:
    assert one.found is not None
    if one.card.pci_id:
        verdict = look.same("gpus.pciId", one.card.pci_id, one.found.pci_id)
        fix = look.edit(f"{one.key}.pciId", one.found.pci_id)
        yield replace(verdict, fix=fix if verdict.fix else "")


def _driver(look: Look, one: MatchedCard) -> Iterator[FactVerdict]:
    """Compare the driver. While the card uses another driver than the declared one, a run that
    would set the declared driver is refused, unless ``accept=gpus.driver`` asks for the change."""
    assert one.found is not None
    found, needed = one.found.driver or graphics.NONE, _needed(look, one.card)
    verdict = look.same("gpus.driver", f"{one.card.driver} for {one.card.name}", found)
    if one.held:
        yield replace(verdict, outcome=FactOutcome.TRUE, fix="")
        return
    if one.card.driver == graphics.UNSEEN:
        fix = f"write {one.key}.driver: {one.driver}, role: {one.role} in {look.profile.file}"
        yield replace(verdict, outcome=FactOutcome.UNKNOWN, fix=fix)
        return
    guest = graphics.kept(found)
    decoder = graphics.DECODES.get(one.card.driver)
    if decoder and decoder == graphics.DECODES.get(found):
        needed = ()  # such as i915 and xe: every setting is the same for both
    if guest:
        why = "the card is kept for a virtual machine: a driver here takes it away"
    elif _chooses(needed):
        why = "a run would change who drives the card; if that fails the display stays black"
    else:
        why = (
            "what is set for the card that draws is for another driver: video is not decoded by it"
        )
    fix = f"write {one.key}.driver: {one.driver}, role: {one.role} in {look.profile.file}"
    if needed and not guest:
        fix += "; or, where the change is wanted, --data accept=gpus.driver"
    yield replace(
        verdict,
        outcome=FactOutcome.BLOCKS if needed else FactOutcome.DIFFERS,
        why=why if needed else _harmless(decoder, found),
        fix=fix,
        settings=look.ids(needed),
        overridable=not guest,
    )


def _harmless(decoder: str | None, found: str) -> str:
    """Say why nothing breaks where another driver than the declared one holds a card."""
    if decoder and decoder == graphics.DECODES.get(found):
        return "video is decoded by the same driver with both"
    return "settings that need the driver do not apply or have no effect"


def _role(look: Look, one: MatchedCard) -> Iterator[FactVerdict]:
    assert one.found is not None
    if not one.held:
        return  # _driver has said so already, and the role follows from the driver
    needed, fact = _needed(look, one.card), "gpus.role"
    declared = f"{one.card.name} {one.card.role}"
    if one.role == UNKNOWN:
        yield FactVerdict(
            fact=fact,
            outcome=FactOutcome.BLOCKS if needed else FactOutcome.UNKNOWN,
            declared=declared,
            found="nothing that tells which card draws",
            why="settings for the card that draws could meet the other one" if needed else "",
            fix="switch the display on and log in; or, if the profile is right, "
            "--data accept=gpus.role"
            if needed
            else "",
            settings=look.ids(needed),
        )
        return
    verdict = look.same(fact, one.card.role, one.role)
    if verdict.outcome is FactOutcome.TRUE:
        yield replace(verdict, declared=declared)
        return
    if one.card.role == UNKNOWN and one.card.driver == "nvidia" and not one.card.architecture:
        why = "without its architecture nobody knows which driver it needs, so nothing is set"
        yield replace(verdict, outcome=FactOutcome.UNKNOWN, declared=declared, why=why, fix="")
        return
    lit = ", ".join(one.found.connected)
    yield replace(
        verdict,
        outcome=FactOutcome.BLOCKS if needed else FactOutcome.DIFFERS,
        declared=declared,
        found=f"{one.role}" + (f", a display on {lit}" if lit else ", no display on it"),
        why="settings for the card that draws would meet the other one"
        if needed
        else "settings go by the role",
        fix=look.edit(f"{one.key}.role", one.role),
        settings=look.ids(needed),
    )


def _architecture(look: Look, one: MatchedCard) -> Iterator[FactVerdict]:
    """Compare the generation: the driver chosen for the declared one must drive the found one."""
    assert one.found is not None
    card, found_id, fact = one.card, one.found.pci_id, "gpus.architecture"
    if card.architecture is None:
        return
    smi = look.machine.nvidia_of(one.found)
    said = graphics.generation_of_capability(smi.compute_capability) if smi else None
    found = said.name if said else graphics.architecture(found_id)
    verdict = look.same(fact, card.architecture, found)
    declared = graphics.generation(card.architecture)
    if verdict.outcome is FactOutcome.TRUE:
        yield verdict
    elif card.driver != "nvidia" or declared is None:
        yield replace(verdict, fix=look.edit(f"{one.key}.architecture", found) if found else "")
    else:
        yield _nvidia_generation(look, one, verdict, declared, graphics.generation(found or ""))


def _nvidia_generation(
    look: Look,
    one: MatchedCard,
    verdict: FactVerdict,
    declared: graphics.GpuGeneration,
    found: graphics.GpuGeneration | None,
) -> FactVerdict:
    assert one.found is not None
    needed = tuple(s for s in _needed(look, one.card) if s.layer is Layer.NIXOS)
    if found is None:
        same_card = one.card.pci_id == one.found.pci_id
        return replace(
            verdict,
            outcome=FactOutcome.BLOCKS if needed and not same_card else FactOutcome.UNKNOWN,
            found=f"{one.found.pci_id}, which is in no list",
            why="nobody knows which driver branch it needs",
            fix=f"correct {one.key}.pciId, or its architecture with it",
            settings=look.ids(needed),
            overridable=False,
        )
    trouble = _undriven(declared, found)
    return replace(
        verdict,
        outcome=FactOutcome.BLOCKS if trouble and needed else FactOutcome.DIFFERS,
        why=trouble or "the driver that is chosen drives it as well",
        fix=look.edit(f"{one.key}.architecture", found.name),
        settings=look.ids(needed),
        overridable=False,
    )


def _undriven(declared: graphics.GpuGeneration, found: graphics.GpuGeneration) -> str:
    """Say why the driver chosen for ``declared`` does not drive ``found``; empty where it does."""
    if found.last_branch is not None and (
        declared.last_branch is None or declared.last_branch > found.last_branch
    ):
        return f"drivers after {found.last_branch} ignore it: the display stays black"
    if declared.open_modules != "never" and found.open_modules == "never":
        return "the open kernel modules do not drive it: the display stays black"
    if declared.open_modules == "never" and found.open_modules == "required":
        return "only the open kernel modules drive it: the display stays black"
    return ""


def _smi(look: Look, one: MatchedCard) -> Iterator[FactVerdict]:
    """Compare the facts that only nvidia-smi tells."""
    assert one.found is not None
    smi, card = look.machine.nvidia_of(one.found), one.card
    if smi is None:
        return
    facts = (
        ("computeCapability", card.compute_capability, smi.compute_capability),
        ("memoryMB", card.memory_mb, smi.memory_mb),
    )
    for key, declared, found in facts:
        if declared:
            verdict = look.same(f"gpus.{key}", declared, found)
            fix = look.edit(f"{one.key}.{key}", found)
            yield replace(verdict, fix=fix if verdict.fix else "")
