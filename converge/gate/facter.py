"""A report of nixos-facter goes in, a ``Machine`` comes out.

The report knows the hardware, not the running system: kernel, session and platform stay unseen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from converge.gate.machine import Disk, FoundGpu, Machine

_VENDORS = {"GenuineIntel": "intel", "AuthenticAMD": "amd"}


class NotAReport(Exception):
    """The data is not a nixos-facter report."""


def from_report(report: object) -> Machine:
    """Make a machine of a report, as ``json.load`` gives it. Raises NotAReport."""
    if not isinstance(report, Mapping) or not isinstance(report.get("hardware"), Mapping):
        raise NotAReport("expected a mapping with the key hardware, as nixos-facter writes it")
    if report.get("version") not in (1, 2):
        raise NotAReport(f"version {report.get('version')!r} of the report is not known")
    hardware: Mapping[str, Any] = report["hardware"]
    cpus = list(_entries(hardware, "cpu"))
    flags = [_words(cpu.get("features")) for cpu in cpus if cpu.get("features")]
    vendors = {cpu["vendor_name"] for cpu in cpus if isinstance(cpu.get("vendor_name"), str)}
    vendor = vendors.pop() if len(vendors) == 1 else None
    disks = tuple(_disks(hardware))
    system = report.get("system")
    return Machine(
        arch=system.partition("-")[0] if isinstance(system, str) else None,
        platform="wsl" if report.get("virtualisation") == "wsl" else None,
        cpu_vendor=_VENDORS.get(vendor, vendor) if vendor else None,
        cpu_model=next(
            (c["model_name"] for c in cpus if isinstance(c.get("model_name"), str)), None
        ),
        cpu_family=_common(cpus, "family"),
        cpu_number=_common(cpus, "model"),
        cpu_flags=frozenset.intersection(*flags) if flags else None,
        cores=_sum(cpus, "cores"),
        threads=_sum(cpus, "siblings"),
        memory_kib=_memory_kib(hardware),
        gpus=tuple(_gpus(hardware)) if "graphics_card" in hardware else (),
        disks=disks,
        system_disk=disks[0] if len(disks) == 1 else None,
        unseen=("kernel, session and swap: a report of nixos-facter does not have them",),
    )


def _entries(hardware: Mapping[str, Any], kind: str) -> Iterator[Mapping[str, Any]]:
    entries = hardware.get(kind)
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, Mapping):
            yield entry


def _words(value: object) -> frozenset[str]:
    return (
        frozenset(v for v in value if isinstance(v, str))
        if isinstance(value, list)
        else frozenset()
    )


def _common(cpus: list[Mapping[str, Any]], key: str) -> int | None:
    values = [cpu.get(key) for cpu in cpus]
    first = values[0] if values else None
    return first if type(first) is int and values.count(first) == len(values) else None


def _sum(cpus: list[Mapping[str, Any]], key: str) -> int | None:
    """Each entry is one package, and counts its own cores."""
    values = [cpu[key] for cpu in cpus if type(cpu.get(key)) is int]
    return sum(values) or None


def _resources(entry: Mapping[str, Any], kind: str) -> Iterator[Mapping[str, Any]]:
    resources = entry.get("resources")
    for resource in resources if isinstance(resources, list) else []:
        if isinstance(resource, Mapping) and resource.get("type") == kind:
            yield resource


def _memory_kib(hardware: Mapping[str, Any]) -> int | None:
    sizes = [
        resource["range"]
        for entry in _entries(hardware, "memory")
        for resource in _resources(entry, "phys_mem")
        if type(resource.get("range")) is int
    ]
    return sum(sizes) // 1024 or None


def _gpus(hardware: Mapping[str, Any]) -> Iterator[FoundGpu]:
    for card in _entries(hardware, "graphics_card"):
        ids = [card.get(key, {}) for key in ("vendor", "device")]
        codes = [part.get("hex", "") for part in ids if isinstance(part, Mapping)]
        if len(codes) == 2 and all(re.fullmatch(r"[0-9a-f]{4}", str(code)) for code in codes):
            yield FoundGpu(
                slot=str(card.get("sysfs_bus_id", "")),
                vendor=codes[0],
                device=codes[1],
                driver=str(card.get("driver", "")),
            )


def _disks(hardware: Mapping[str, Any]) -> Iterator[Disk]:
    for entry in _entries(hardware, "disk"):
        name = str(entry.get("unix_device_name", "")).removeprefix("/dev/")
        classes = _words(entry.get("class_list"))
        for size in _resources(entry, "size"):
            count, unit = size.get("value_1"), size.get("value_2")
            if name and type(count) is int and type(unit) is int and count * unit > 0:
                yield Disk(
                    name=name,
                    kind=_kind(name, classes),
                    size_gb=max(1, round(count * unit / 1e9)),
                    removable="usb" in classes,
                    model=str(entry.get("model", "")),
                )


def _kind(name: str, classes: frozenset[str]) -> str:
    if name.startswith("vd"):
        return "virtual"
    return "nvme" if "nvme" in classes or name.startswith("nvme") else "ssd"
