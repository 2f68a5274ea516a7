"""Refuse the former forms of a profile. In: a document. Out: problems with the exact new text.

The former form did not say which driver holds a card, nor whether the card draws. The new text has
all that follows from the former one; what does not follow is written as unknown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from converge.problem import Problem
from converge.profile.document import Document

_GPU_KEYS = ("model", "architecture", "chip", "pciId", "computeCapability", "memoryMB")
_PLAIN = re.compile(r"[A-Za-z(][A-Za-z0-9 ().+/_-]*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off"}


def rewrites(document: Document) -> tuple[Problem, ...]:
    """Return a problem with the new text for each part that has a former form."""
    data = document.data
    return tuple(_rewrites(document, data)) if isinstance(data, dict) else ()


def _rewrites(document: Document, data: Mapping[str, object]) -> Iterator[Problem]:
    if "gpu" in data:
        gpu = data["gpu"]
        text = _gpus(gpu if isinstance(gpu, dict) else {"vendor": gpu or "none"})
        yield document.problem(
            ("gpu",),
            "was the form for one card; each card is now an entry of gpus, with driver and role",
            f"write {text} in its place; tasks/detect.py shows driver and role",
            at_key=True,
        )
    storage = data.get("storage")
    if isinstance(storage, dict) and storage.keys() & {"kind", "sizeGB", "scheduler"}:
        disk = {key: storage[key] for key in ("kind", "sizeGB", "scheduler") if key in storage}
        yield document.problem(
            ("storage",),
            "has the form for one disk; each disk is now an entry of storage.disks",
            f"write storage: {{ disks: [{_flow(disk)}] }} in its place",
            at_key=True,
        )


def _gpus(gpu: Mapping[object, object]) -> str:
    vendor = str(gpu.get("vendor"))
    if vendor == "none":
        return "gpus: []"
    own = {"nvidia": "nvidia", "amd": "amdgpu", "intel": "i915"}
    loaded = gpu.get("kernelModule")
    driver, role = "unknown", "unknown"
    if loaded is True:
        driver, role = own.get(vendor, "unknown"), "draws"
    elif loaded is False:
        driver, role = "none", "unused"
    card: dict[str, object] = {"vendor": vendor if vendor in own else "other"}
    card |= {key: gpu[key] for key in _GPU_KEYS if key in gpu}
    card |= {"driver": driver, "role": role}
    return f"gpus: [{_flow(card)}]"


def _flow(mapping: Mapping[str, object]) -> str:
    return "{ " + ", ".join(f"{key}: {_scalar(value)}" for key, value in mapping.items()) + " }"


def _scalar(value: object) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.casefold() not in _WORDS:
        return value.strip()
    return json.dumps(value, ensure_ascii=False, default=str)
