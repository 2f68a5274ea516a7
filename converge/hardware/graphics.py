"""What drives a graphics card: NVIDIA's driver branches by generation, architectures by device id.

The device ids of AMD and Intel are in ``graphics.json``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

#: PCI vendor ids of the vendors that a profile names; any other one is ``other``.
VENDORS: Mapping[str, str] = {"10de": "nvidia", "1002": "amd", "8086": "intel"}
#: Kernel drivers that show a picture or compute, by vendor, as /sys/bus/pci/drivers names them
#: (Linux: drivers/gpu/drm and drivers/video/fbdev). A card may also have a driver of no list.
DRIVERS: Mapping[str, tuple[str, ...]] = {
    "nvidia": ("nvidia", "nouveau", "nova-core", "nvidiafb", "rivafb"),
    "amd": ("amdgpu", "radeon", "radeonfb", "aty128fb", "atyfb"),
    "intel": ("i915", "xe", "gma500", "intelfb", "i810fb"),
    "other": (
        *("ast", "bochs-drm", "cirrus", "cirrus-qemu", "hibmc-drm", "hyperv_drm", "loongson"),
        *("mgag200", "qxl", "vboxvideo", "virtio-pci", "vmwgfx", "matroxfb", "savagefb", "sisfb"),
    ),
}
#: Kernel drivers that keep a card for a virtual machine.
GUEST_DRIVERS = ("vfio-pci", "pci-stub", "xen-pciback", "pciback", "uio_pci_generic")
_OF_A_VENDOR = re.compile(r"[a-z0-9_-]+[-_]vfio[-_]pci")  # xe-vfio-pci, nvgrace_gpu_vfio_pci
#: Drivers of the console chips of server boards: they draw text for a remote console, in software.
_CONSOLES = ("ast", "mgag200", "hibmc-drm")
#: A profile's words for no driver, for a driver that was not seen, and for a driver of no list.
NONE, UNSEEN, OTHER = "none", "unknown", "other"
#: Kernel drivers under which this project sets up video decoding (VA-API) -> the VA-API driver.
DECODES: Mapping[str, str] = {
    "nvidia": "nvidia",
    "amdgpu": "mesa",
    "radeon": "mesa",
    "i915": "intel",
    "xe": "intel",
}


def vendor(pci_vendor: str) -> str:
    """Return the vendor of a PCI vendor id as a profile names it."""
    return VENDORS.get(pci_vendor, "other")


def kept(driver: str | None) -> bool:
    """Say whether a driver keeps its card for a virtual machine."""
    return driver in GUEST_DRIVERS or bool(driver and _OF_A_VENDOR.fullmatch(driver))


def is_console(driver: str | None) -> bool:
    """Say whether a driver is that of a server's console chip."""
    return driver in _CONSOLES


def drives(driver: str | None) -> bool:
    """Say whether a driver uses its card on this machine itself."""
    return driver not in {None, "", NONE, UNSEEN} and not kept(driver)


def known_drivers(maker: str) -> tuple[str, ...]:
    """Return the words that a profile may give as the driver of a card of ``maker``."""
    return (*DRIVERS.get(maker, ()), *GUEST_DRIVERS, NONE, UNSEEN, OTHER)


def maker_of(driver: str) -> str | None:
    """Return the vendor whose list has the driver; None where no list has it."""
    return next((maker for maker, drivers in DRIVERS.items() if driver in drivers), None)


def declared_driver(maker: str, driver: str) -> str:
    """Return a profile's word for the kernel driver ``driver`` of a card of ``maker``; ``other``
    for a driver that no list of that vendor has."""
    if not driver:
        return NONE
    if driver in DRIVERS.get(maker, ()) or driver in GUEST_DRIVERS:
        return driver
    return "vfio-pci" if kept(driver) else OTHER


#: Whether NVIDIA's open kernel modules drive a generation.
OpenModules = Literal["never", "possible", "required"]


@dataclass(frozen=True, kw_only=True)
class GpuGeneration:
    """An NVIDIA GPU generation, and which drivers support it."""

    name: str
    chips: str  # first two letters of its chips
    capabilities: frozenset[str]  # CUDA compute capabilities
    devices: tuple[tuple[int, int], ...]  # PCI device ids, inclusive ranges
    last_branch: int | None  # last driver branch that still drives it; None: current ones do
    open_modules: OpenModules


def _generation(
    *,
    name: str,
    chips: str,
    capabilities: str,
    devices: tuple[tuple[int, int], ...],
    last_branch: int | None,
    open_modules: OpenModules,
) -> GpuGeneration:
    return GpuGeneration(
        name=name,
        chips=chips,
        capabilities=frozenset(capabilities.split()),
        devices=devices,
        last_branch=last_branch,
        open_modules=open_modules,
    )


#: The ranges are those of the chips in the public PCI id list of 2026-08-22. A device outside of
#: all ranges is unknown; it is never guessed.
GENERATIONS: tuple[GpuGeneration, ...] = (
    _generation(
        name="kepler",
        chips="GK",
        capabilities="3.0 3.2 3.5 3.7",
        devices=((0x0FC0, 0x103F), (0x1180, 0x11FC), (0x1280, 0x12BA)),
        last_branch=470,
        open_modules="never",
    ),
    _generation(
        name="maxwell",
        chips="GM",
        capabilities="5.0 5.2 5.3",
        devices=((0x1340, 0x1436), (0x1613, 0x1676), (0x174D, 0x17FD)),
        last_branch=580,
        open_modules="never",
    ),
    _generation(
        name="pascal",
        chips="GP",
        capabilities="6.0 6.1 6.2",
        devices=((0x15C2, 0x15C2), (0x15F0, 0x15FF), (0x1B00, 0x1D56)),
        last_branch=580,
        open_modules="never",
    ),
    _generation(
        name="volta",
        chips="GV",
        capabilities="7.0 7.2",
        devices=((0x1D81, 0x1DF6),),
        last_branch=580,
        open_modules="never",
    ),
    _generation(
        name="turing",
        chips="TU",
        capabilities="7.5",
        devices=((0x1E02, 0x1FF9), (0x2182, 0x21D1)),
        last_branch=None,
        open_modules="possible",
    ),
    _generation(
        name="ampere",
        chips="GA",
        capabilities="8.0 8.6 8.7",
        devices=((0x2080, 0x20FF), (0x2200, 0x228E), (0x2414, 0x25FB)),
        last_branch=None,
        open_modules="possible",
    ),
    _generation(
        name="hopper",
        chips="GH",
        capabilities="9.0",
        devices=((0x2302, 0x23F0),),
        last_branch=None,
        open_modules="possible",
    ),
    _generation(
        name="ada",
        chips="AD",
        capabilities="8.9",
        devices=((0x2681, 0x28FF),),
        last_branch=None,
        open_modules="possible",
    ),
    _generation(
        name="blackwell",
        chips="GB",
        capabilities="10.0 10.3 12.0 12.1",
        devices=((0x2900, 0x2F80), (0x3180, 0x3340)),
        last_branch=None,
        open_modules="required",
    ),
)


def generation(name: str) -> GpuGeneration | None:
    """Return the GPU generation called ``name``."""
    return next((g for g in GENERATIONS if g.name == name), None)


def generation_of_device(device: int) -> GpuGeneration | None:
    """Return the generation of a PCI device id of vendor 10de; None for an unknown id."""
    for candidate in GENERATIONS:
        if any(first <= device <= last for first, last in candidate.devices):
            return candidate
    return None


#: Generations before Kepler: device ids in the public PCI id list of 2026-08-22, and the last
#: branch of NVIDIA's driver for each (NVIDIA's page of legacy GPUs). 340 ended in 2019 and 390 in
#: 2022, so no row of the plan is for these cards.
_BEFORE_KEPLER: tuple[tuple[str, int, tuple[tuple[int, int], ...]], ...] = (
    (
        "tesla",
        340,
        (
            *((0x0190, 0x019F), (0x0400, 0x042F), (0x05E0, 0x065F), (0x06E0, 0x06FF)),
            *((0x0840, 0x087F), (0x08A0, 0x08A5), (0x0A20, 0x0A7C), (0x0CA0, 0x0CBC)),
            (0x10C0, 0x10D8),
        ),
    ),
    (
        "fermi",
        390,
        (
            *((0x06C0, 0x06DF), (0x0DC0, 0x0DFC), (0x0E22, 0x0E3B), (0x0F00, 0x0F06)),
            *((0x1040, 0x109B), (0x1140, 0x1140), (0x1200, 0x1251)),
        ),
    ),
)


def before_kepler(pci_id: str) -> tuple[str, int] | None:
    """Return the generation of an NVIDIA card before Kepler, and its last branch; else None."""
    device = int(pci_id[5:], 16) if VENDORS.get(pci_id[:4]) == "nvidia" else -1
    for name, last, ranges in _BEFORE_KEPLER:
        if any(first <= device <= end for first, end in ranges):
            return name, last
    return None


def generation_of_capability(capability: str) -> GpuGeneration | None:
    """Return the generation of a CUDA compute capability such as ``5.2``."""
    return next((g for g in GENERATIONS if capability in g.capabilities), None)


@cache
def _ranges() -> Mapping[str, Mapping[str, tuple[tuple[int, int], ...]]]:
    table = json.loads(Path(__file__).with_name("graphics.json").read_text(encoding="utf-8"))
    return {
        maker: {
            name: tuple(
                (int(first, 16), int(last or first, 16))
                for first, _, last in (text.partition("-") for text in texts)
            )
            for name, texts in table[maker].items()
        }
        for maker in ("amd", "intel")
    }


def architectures() -> Mapping[str, tuple[str, ...]]:
    """Return the names of the known architectures by vendor, oldest first."""
    return {
        "nvidia": tuple(generation.name for generation in GENERATIONS),
        **{maker: tuple(names) for maker, names in _ranges().items()},
    }


def architecture(pci_id: str) -> str | None:
    """Return the architecture of a card such as ``1002:73ff``; None where no list has it."""
    maker, device = VENDORS.get(pci_id[:4]), int(pci_id[5:], 16)
    if maker == "nvidia":
        found = generation_of_device(device)
        return found.name if found else None
    for name, ranges in _ranges().get(maker or "", {}).items():
        if any(first <= device <= last for first, last in ranges):
            return name
    return None


def kernel_ceiling(branch: int, version: str = "") -> tuple[int, int] | None:
    """Return the newest Linux that a legacy branch is known to build with.

    580 builds with 7.0, and from 580.173 on with 7.1; 7.2 is not verified for any release of 580
    (nixpkgs issues 538659, 538400, 554125). ``version``: the release of the driver; for an unknown
    one ("") the lower ceiling is returned. None: no ceiling is known.
    """
    if branch == 580 and _release(version) >= (580, 173):
        return (7, 1)
    return {470: (6, 6), 580: (7, 0)}.get(branch)


def _release(version: str) -> tuple[int, ...]:
    parts = version.split(".")[:2]
    return tuple(int(part) for part in parts) if all(p.isdecimal() for p in parts) else ()
