"""Graphics cards of a profile: values of one entry, or of several, that cannot both be true."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from converge.gate import graphics
from converge.problem import NodePath, Problem
from converge.profile.values import Unusable, Values


def contradictions(values: Values, index: int) -> tuple[Problem, ...]:
    """Return what does not go together in the entry ``gpus[index]``."""
    found: list[Problem] = []
    for check in _CHECKS:
        try:
            found += check(values, ("gpus", index))
        except Unusable:
            continue
    return tuple(found)


def _role(values: Values, card: NodePath) -> Iterator[Problem]:
    """The role follows from who holds the card: it is what the settings ask for."""
    role, driver = values.text(*card, "role"), values.text(*card, "driver")
    used, kept = graphics.drives(driver), driver in graphics.GUEST_DRIVERS
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


def _driver_of_vendor(values: Values, card: NodePath) -> Iterator[Problem]:
    vendor, driver = values.text(*card, "vendor"), values.text(*card, "driver")
    maker = next((name for name, drivers in graphics.DRIVERS.items() if driver in drivers), None)
    if maker and maker != vendor:
        yield values.problem(
            (*card, "driver"),
            f"{driver} drives cards of {maker}, not of {vendor}",
            "correct driver or vendor (lspci -nnk)",
        )


def _in_wsl(values: Values, card: NodePath) -> Iterator[Problem]:
    driver = values.text(*card, "driver")
    if values.text("platform") == "wsl" and graphics.drives(driver):
        yield values.problem(
            (*card, "driver"),
            f"is {driver}, but a WSL2 guest loads no module for a card: Windows drives it",
            "write gpus: [], or correct platform",
        )


def _vendor_of_id(values: Values, card: NodePath) -> Iterator[Problem]:
    vendor, device = values.text(*card, "vendor"), values.text(*card, "pciId")
    maker = graphics.vendor(device[:4])
    if vendor not in {"other", *graphics.VENDORS.values()} or len(device) != 9:
        raise Unusable
    if maker != vendor:
        expected = next((k for k, v in graphics.VENDORS.items() if v == vendor), "")
        about = f", whose ids begin with {expected}:" if expected else f", it is one of {maker}"
        yield values.problem(
            (*card, "pciId"),
            f"{device} is no device of {vendor}{about}",
            "correct the id (lspci -nn) or the vendor",
        )


def _architecture_of_vendor(values: Values, card: NodePath) -> Iterator[Problem]:
    name, vendor = values.text(*card, "architecture"), values.text(*card, "vendor")
    makers = {m for m, names in graphics.architectures().items() if name in names}
    if makers and vendor not in makers:
        yield values.problem(
            (*card, "architecture"),
            f"{name} is an architecture of {makers.pop()}, not of {vendor}",
            "remove it, or correct the vendor",
        )


def _architecture_of_card(values: Values, card: NodePath) -> Iterator[Problem]:
    name, device = values.text(*card, "architecture"), values.maybe(*card, "pciId") or ""
    if name not in graphics.architectures().get(values.text(*card, "vendor"), ()):
        raise Unusable
    if graphics.VENDORS.get(device[:4]) == values.text(*card, "vendor") and len(device) == 9:
        try:
            other = graphics.architecture(device)
        except ValueError:  # no hexadecimal digits: the schema says so
            other = None
        if other is not None and other != name:
            yield values.problem(
                (*card, "pciId"),
                f"the device {device} is a card of {other}, not of {name}",
                "correct the id (lspci -nn) or the architecture",
            )
    generation = graphics.generation(name)
    if generation is None:
        return
    capability, chip = (values.maybe(*card, key) for key in ("computeCapability", "chip"))
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
    _driver_of_vendor,
    _in_wsl,
    _vendor_of_id,
    _architecture_of_vendor,
    _architecture_of_card,
)


def together(values: Values) -> Iterator[Problem]:
    """Yield what does not go together in several entries."""
    cards = values.mappings("gpus")
    drawing = [i for i in cards if values.maybe("gpus", i, "role") == "draws"]
    if len(drawing) > 1:
        first, second = drawing[:2]
        yield values.problem(
            ("gpus", second, "role"),
            f"is draws, as that of gpus[{first}] is: one card draws the desktop",
            "write offload for the other; tasks/detect.py shows which one draws",
        )
    seen: dict[tuple[str, str | None], int] = {}
    for index in cards:
        device, slot = (values.maybe("gpus", index, key) for key in ("pciId", "slot"))
        if device is None:
            continue
        before = seen.setdefault((device, slot), index)
        if before != index:
            yield values.problem(
                ("gpus", index, "slot" if slot else "pciId"),
                f"is that of gpus[{before}] as well, so the two cannot be told apart",
                "give each its slot (lspci -D shows it), or remove one",
            )
    yield from _one_driver(values, cards)


def _one_driver(values: Values, cards: tuple[int, ...]) -> Iterator[Problem]:
    """NVIDIA's driver is one module: one branch, open or closed, for all of its cards."""
    mine = []
    for index in cards:
        generation = graphics.generation(values.maybe("gpus", index, "architecture") or "")
        role = values.maybe("gpus", index, "role")
        nvidia = values.maybe("gpus", index, "driver") == "nvidia"
        if nvidia and generation and role in {"draws", "offload"}:
            mine.append((index, generation))
    legacy = next((one for one in mine if one[1].open_modules == "never"), None)
    newer = next((one for one in mine if one[1].open_modules == "required"), None)
    oldest = next((one for one in mine if one[1].last_branch == 470), None)
    other = next((one for one in mine if one[1].last_branch != 470), None)
    for one, two in ((legacy, newer), (oldest, other)):
        if one and two:
            yield values.problem(
                ("gpus", one[0], "driver"),
                f"no release of NVIDIA's driver drives {one[1].name} and {two[1].name} at once",
                f"write the driver that holds gpus[{one[0]}] or gpus[{two[0]}] now (lspci -k)",
            )
            return
