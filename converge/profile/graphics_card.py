"""Graphics cards of a profile: find values that contradict each other, in one entry or several."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from converge.hardware import graphics
from converge.problem import NodePath, Problem, did_you_mean, shown
from converge.profile.values import Unusable, Values


def contradictions(values: Values, index: int) -> tuple[Problem, ...]:
    """Return the contradictions in the entry ``gpus[index]``."""
    problems: list[Problem] = []
    for check in _CHECKS:
        try:
            problems += check(values, ("gpus", index))
        except Unusable:
            continue
    return tuple(problems)


def _role(values: Values, card: NodePath) -> Iterator[Problem]:
    """The role has to fit the driver: a card that draws or offloads needs a driver of this system,
    a guest's card needs none, an unused card has no driver at all."""
    role, driver = values.text(*card, "role"), _known_driver(values, card)
    used, kept = graphics.drives(driver), graphics.kept(driver)
    wrong = {
        "draws": not used,
        "offload": not used,
        "guest": used,
        "unused": used or kept,
    }.get(role, False)
    if wrong:
        fits = "guest" if kept else "draws or offload" if used else "unused"
        yield values.problem(
            (*card, "role"),
            f"is {role}, but the driver is {driver}",
            f"write role: {fits}, or the driver that holds the card now (lspci -k)",
        )


def _known_driver(values: Values, card: NodePath) -> str:
    """The driver of an entry. Raises Unusable for an unknown name, which ``_driver`` reports."""
    driver = values.text(*card, "driver")
    known = graphics.known_drivers(graphics.maker_of(driver) or "")
    if driver not in known and not graphics.kept(driver):
        raise Unusable
    return driver


def _in_wsl(values: Values, card: NodePath) -> Iterator[Problem]:
    """In WSL2 no card has a driver. Reported for the first card only, since the platform is one
    value for all cards."""
    driver = _known_driver(values, card)
    earlier = [i for i in values.mappings("gpus") if isinstance(card[1], int) and i < card[1]]
    if any(graphics.drives(values.maybe("gpus", i, "driver")) for i in earlier):
        return
    if values.text("platform") == "wsl" and graphics.drives(driver):
        yield values.problem(
            (*card, "driver"),
            f"is {driver}, but a WSL2 guest loads no module for a card: Windows drives it",
            "write gpus: [], or correct platform",
        )


def _vendor(values: Values, card: NodePath) -> Iterator[Problem]:
    """Driver, device id and architecture each tell the vendor. Where at least two of them agree on
    another vendor and none tells the written vendor, the vendor is reported as wrong."""
    vendor = values.text(*card, "vendor")
    if vendor not in {"other", *graphics.VENDORS.values()}:
        raise Unusable
    told = _makers(values, card)
    others = {key: maker for key, maker in told.items() if maker != vendor}
    # A device id that an earlier entry has too was probably copied; this is reported here only.
    twin = _twin(values, card)
    copied = "" if twin is None else f"; gpus[{twin}] has that id as well"
    if len(others) > 1 and len(others) == len(told) and len(set(others.values())) == 1:
        maker = next(iter(others.values()))
        said = [f"{key} {values.maybe(*card, key)}" for key in others]
        yield values.problem(
            (*card, "vendor"),
            f"is {vendor}, but {', '.join(said[:-1])} and {said[-1]} are of {maker}{copied}",
            f"write vendor: {maker}" + (", and the slot of each; or remove one" if copied else ""),
        )
        return
    yield from _driver(values, card, vendor)
    if "architecture" in others:
        yield values.problem(
            (*card, "architecture"),
            f"{values.text(*card, 'architecture')} is an architecture of {others['architecture']}, "
            f"not of {vendor}",
            "remove it, or correct the vendor",
        )
    if "pciId" in others:
        expected = next((k for k, v in graphics.VENDORS.items() if v == vendor), "")
        about = f", whose ids begin with {expected}:" if expected else ""
        yield values.problem(
            (*card, "pciId"),
            f"{values.text(*card, 'pciId')} is no device of {vendor}"
            + (about or f", it is one of {others['pciId']}")
            + copied,
            "correct the id (lspci -nn) or the vendor",
        )


def _twin(values: Values, card: NodePath) -> int | None:
    """Index of an earlier entry with the same device id and the same slot (or both without one)."""
    index = card[1]
    own = [values.maybe(*card, key) for key in ("pciId", "slot")]
    if own[0] is None or not isinstance(index, int):
        return None
    for other in values.mappings("gpus"):
        if other < index and own == [values.maybe("gpus", other, k) for k in ("pciId", "slot")]:
            return other
    return None


def _of_its_vendor(values: Values, index: int) -> bool:
    """Whether the device id of an entry is one of its vendor; ``_vendor`` reports if not."""
    device, vendor = (values.maybe("gpus", index, key) for key in ("pciId", "vendor"))
    return device is None or vendor is None or graphics.vendor(device[:4]) == vendor


def _makers(values: Values, card: NodePath) -> dict[str, str]:
    """Key -> vendor, for those of driver, pciId and architecture that tell a vendor."""
    driver, device, name = (
        values.maybe(*card, key) or "" for key in ("driver", "pciId", "architecture")
    )
    found = {
        "driver": graphics.maker_of(driver),
        "pciId": graphics.vendor(device[:4]) if len(device) == 9 else None,
        "architecture": next(
            (maker for maker, names in graphics.architectures().items() if name in names), None
        ),
    }
    return {key: maker for key, maker in found.items() if maker}


def _driver(values: Values, card: NodePath, vendor: str) -> Iterator[Problem]:
    driver = values.maybe(*card, "driver")
    known, maker = graphics.known_drivers(vendor), graphics.maker_of(driver or "")
    if driver is None or driver in known or graphics.kept(driver):
        return
    if maker:
        yield values.problem(
            (*card, "driver"),
            f"{driver} drives cards of {maker}, not of {vendor}",
            "correct driver or vendor (lspci -nnk); write driver: other where the kernel does it",
        )
        return
    yield values.problem(
        (*card, "driver"),
        f"{shown(driver)} is no driver that is known for a card of {vendor}, expected one of "
        f"{', '.join(known)}",
        did_you_mean(driver, known, "write other for a driver that is not among them (lspci -k)"),
    )


def _architecture_of_card(values: Values, card: NodePath) -> Iterator[Problem]:
    name, device = values.text(*card, "architecture"), values.maybe(*card, "pciId") or ""
    if name not in graphics.architectures().get(values.text(*card, "vendor"), ()):
        raise Unusable
    other = None
    if graphics.VENDORS.get(device[:4]) == values.text(*card, "vendor") and len(device) == 9:
        try:
            other = graphics.architecture(device)
        except ValueError:  # no hexadecimal digits: the schema says so
            other = None
    generation = graphics.generation(name)
    capability, chip = (values.maybe(*card, key) for key in ("computeCapability", "chip"))
    own = graphics.generation_of_capability(capability or "")
    if other is not None and other != name and own and own.name == other:
        yield values.problem(
            (*card, "architecture"),
            f"is {name}, but pciId {device} and computeCapability {capability} are of {other}",
            f"write architecture: {other}",
        )
        return
    if other is not None and other != name:
        yield values.problem(
            (*card, "pciId"),
            f"the device {device} is a card of {other}, not of {name}",
            "correct the id (lspci -nn) or the architecture",
        )
    if generation is None:
        return
    if capability is not None and capability not in generation.capabilities:
        known = ", ".join(sorted(generation.capabilities))
        yield values.problem(
            (*card, "computeCapability"),
            f"{capability} is not one of {name} ({known})",
            "nvidia-smi --query-gpu=compute_cap --format=csv shows it",
        )
    if chip is not None and not chip.startswith(generation.chips):
        yield values.problem(
            (*card, "chip"),
            f"{chip} is not a chip of {name}, whose names begin with {generation.chips}",
            "correct the chip or the architecture",
        )


_CHECKS: tuple[Callable[[Values, NodePath], Iterator[Problem]], ...] = (
    _role,
    _vendor,
    _in_wsl,
    _architecture_of_card,
)


def together(values: Values) -> Iterator[Problem]:
    """Yield the contradictions between several entries."""
    cards = values.mappings("gpus")
    drawing = [i for i in cards if values.maybe("gpus", i, "role") == "draws"]
    if len(drawing) > 1:
        first, second = drawing[:2]
        yield values.problem(
            ("gpus", second, "role"),
            f"is draws, as that of gpus[{first}] is: one card draws the desktop",
            "write offload for the other; tasks/detect.py shows which one draws",
        )
    for index in cards:
        before, slot = _twin(values, ("gpus", index)), values.maybe("gpus", index, "slot")
        if before is not None and all(_of_its_vendor(values, each) for each in (before, index)):
            yield values.problem(
                ("gpus", index, "slot" if slot else "pciId"),
                f"is that of gpus[{before}] as well, so the two cannot be told apart",
                "give each its slot (lspci -D shows it), or remove one",
            )
    yield from _one_driver(values, cards)
    yield from _somebody_draws(values, cards)


def _somebody_draws(values: Values, cards: tuple[int, ...]) -> Iterator[Problem]:
    """Where the profile has a desktop and a card for offload, another card has to draw.

    Unused cards and cards of a guest do not count: the firmware's frame buffer, a remote desktop or
    a card on no PCI bus may show the session."""
    all_roles = {values.maybe("gpus", index, "role"): index for index in reversed(cards)}
    desktop = values.maybe("session", "desktop")
    if desktop in {None, "none"} or "offload" not in all_roles:
        return
    if not all_roles.keys() & {"draws", "unknown", None}:
        yield values.problem(
            ("gpus", all_roles["offload"], "role"),
            f"is offload, but no card draws the session of {desktop}",
            "write draws for the card that does (tasks/detect.py shows it), or unknown; or "
            "session none for a machine without one",
        )


#: What release 470, the last for Kepler, does not know yet. Source: NVIDIA, supported chips of
#: 470.256.02.
_AFTER_470 = frozenset({"ada", "hopper", "blackwell"})


def _one_driver(values: Values, cards: tuple[int, ...]) -> Iterator[Problem]:
    """NVIDIA's driver is one module, so one release, open or closed, has to drive all its cards."""
    mine = []
    for index in cards:
        generation = graphics.generation(values.maybe("gpus", index, "architecture") or "")
        role = values.maybe("gpus", index, "role")
        nvidia = values.maybe("gpus", index, "driver") == "nvidia"
        if nvidia and generation and role in {"draws", "offload"}:
            mine.append((index, generation))
    legacy = next((card for card in mine if card[1].open_modules == "never"), None)
    newer = next((card for card in mine if card[1].open_modules == "required"), None)
    oldest = next((card for card in mine if card[1].last_branch == 470), None)
    other = next((card for card in mine if card[1].name in _AFTER_470), None)
    for first, second in ((legacy, newer), (oldest, other)):
        if first and second:
            (one, older), (two, younger) = first, second
            yield values.problem(
                ("gpus", one, "driver"),
                f"no release of NVIDIA's driver drives {older.name} and {younger.name} at once",
                f"write the driver that holds gpus[{one}] or gpus[{two}] now (lspci -k)",
            )
            return
