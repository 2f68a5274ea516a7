"""GPU: does the driver that follows from the profile drive the GPU that is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from converge.gate import hardware
from converge.gate.facts.verdict import Look, Outcome, Verdict


def card(look: Look) -> Iterator[Verdict]:
    gpu, machine = look.profile.gpu, look.machine
    if machine.gpus is None and machine.platform != "wsl":
        yield Verdict(
            fact="gpu.vendor",
            outcome=Outcome.BLOCKS if look.nvidia_driver else Outcome.UNKNOWN,
            declared=gpu.vendor,
            found="no PCI bus",
            why="the GPU could not be seen, so nobody knows which driver it needs",
            fix="look why /sys/bus/pci is not there",
            settings=look.ids(look.nvidia),
            overridable=False,
        )
        return
    vendors = [hardware.GPU_VENDORS.get(found.vendor, found.vendor) for found in machine.gpus or ()]
    if gpu.vendor == "none":
        known = [vendor for vendor in vendors if vendor in hardware.GPU_VENDORS.values()]
        yield Verdict(
            fact="gpu.vendor",
            outcome=Outcome.DIFFERS if known else Outcome.TRUE,
            declared="none",
            found=", ".join(known) or "none",
            why="settings that need a GPU do not apply" if known else "",
            fix=look.edit("gpu", "what tasks/detect.py shows") if known else "",
        )
        return
    if gpu.vendor not in vendors:
        yield Verdict(
            fact="gpu.vendor",
            outcome=Outcome.BLOCKS if look.nvidia_driver else Outcome.DIFFERS,
            declared=gpu.vendor,
            found=", ".join(vendors) or "no GPU",
            why="a driver for a GPU that is not there leaves no display"
            if look.nvidia_driver
            else "settings for that GPU have no effect",
            fix=look.edit("gpu", "what tasks/detect.py shows"),
            settings=look.ids(look.nvidia),
            overridable=False,
        )
        return
    yield Verdict(
        fact="gpu.vendor", outcome=Outcome.TRUE, declared=gpu.vendor, found=", ".join(vendors)
    )
    ids = [found.pci_id for found in machine.gpus or ()]
    own = [i for i in ids if hardware.GPU_VENDORS.get(i[:4]) == gpu.vendor]
    if gpu.pci_id:
        yield look.same("gpu.pciId", gpu.pci_id, gpu.pci_id if gpu.pci_id in own else own[0])
    if gpu.vendor == "nvidia":
        yield from _generation(look)


def _generation(look: Look) -> Iterator[Verdict]:
    """The driver that follows from the declared generation must drive the one that is there."""
    gpu, machine = look.profile.gpu, look.machine
    declared = hardware.generation(gpu.architecture or "")
    found_gpu = machine.nvidia_gpu
    assert declared is not None
    assert found_gpu is not None
    smi = next((g for g in machine.nvidia if g.pci_id in {"", found_gpu.pci_id}), None)
    found = (
        hardware.generation_of_capability(smi.compute_capability) if smi else None
    ) or hardware.generation_of_device(int(found_gpu.device, 16))
    verdict = look.same("gpu.architecture", declared.name, found.name if found else None)
    if found is None:
        same_card = gpu.pci_id == found_gpu.pci_id
        verdict = replace(
            verdict,
            outcome=Outcome.BLOCKS if look.nvidia_driver and not same_card else Outcome.UNKNOWN,
            found=f"{found_gpu.pci_id}, which is in no list",
            why="nobody knows which driver branch it needs",
            fix="correct gpu.pciId, or gpu.architecture with it",
            settings=look.ids(look.nvidia),
            overridable=False,
        )
    elif found is not declared:
        trouble = _undriven(declared, found)
        verdict = replace(
            verdict,
            outcome=Outcome.BLOCKS if trouble and look.nvidia_driver else Outcome.DIFFERS,
            why=trouble or "the driver that is chosen drives it as well",
            settings=look.ids(look.nvidia),
            overridable=False,
        )
    yield verdict
    if smi:
        if gpu.compute_capability:
            yield look.same("gpu.computeCapability", gpu.compute_capability, smi.compute_capability)
        yield look.same("gpu.memoryMB", gpu.memory_mb, smi.memory_mb)


def _undriven(declared: hardware.Generation, found: hardware.Generation) -> str:
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


def driver(look: Look) -> Iterator[Verdict]:
    """The module that is loaded now, and the kernel that a legacy branch must build with."""
    gpu, machine = look.profile.gpu, look.machine
    if gpu.vendor != "nvidia":
        return
    loaded = machine.nvidia_driver
    fact = "gpu.kernelModule"
    if gpu.kernel_module and machine.platform == "wsl":
        yield Verdict(
            fact=fact,
            outcome=Outcome.BLOCKS if look.nvidia else Outcome.DIFFERS,
            declared="true",
            found="a WSL2 guest",
            why="such a guest loads no GPU module, so nothing that needs one can work",
            fix=look.edit("gpu.kernelModule", "false"),
            settings=look.ids(look.nvidia),
        )
    elif gpu.kernel_module and not loaded:
        yield Verdict(
            fact=fact,
            outcome=Outcome.UNKNOWN if look.nvidia_driver else Outcome.DIFFERS,
            declared="true",
            found="no NVIDIA module loaded",
            why="this run brings the driver; it is loaded after a reboot"
            if look.nvidia_driver
            else "settings that need the driver have no effect until it is loaded",
            fix="" if look.nvidia_driver else "install the driver of the GPU's branch, then reboot",
            settings=look.ids(look.nvidia),
        )
    else:
        yield look.same(fact, str(gpu.kernel_module).lower(), "true" if loaded else "false")
    generation = hardware.generation(gpu.architecture or "")
    if generation is None or generation.last_branch is None:
        return
    branch = generation.last_branch
    if loaded:
        major = int(loaded.partition(".")[0])
        yield Verdict(
            fact="gpu.driver",
            outcome=Outcome.TRUE if major <= branch else Outcome.DIFFERS,
            declared=f"at most {branch}",
            found=loaded,
            why="" if major <= branch else f"drivers after {branch} ignore {generation.name}",
            fix="" if major <= branch else "correct gpu.architecture, or install an older branch",
            settings=look.ids(look.nvidia),
        )
    ceiling = _ceiling(look, branch)
    kernel = _version(machine.kernel or "")
    if ceiling is None or kernel is None:
        yield Verdict(
            fact="kernel",
            outcome=Outcome.UNKNOWN,
            declared=f"one that branch {branch} builds with",
            found=machine.kernel or "nothing",
        )
        return
    limit = ".".join(str(part) for part in ceiling)
    late = kernel > ceiling
    yield Verdict(
        fact="kernel",
        outcome=Outcome.DIFFERS if late else Outcome.TRUE,
        declared=f"at most {limit} with branch {branch}",
        found=str(machine.kernel),
        why="the driver may not build with it; a build that fails changes nothing" if late else "",
        fix="keep boot.kernelPackages at a long-term kernel" if late else "",
        settings=look.ids(look.nvidia_driver),
    )


def _ceiling(look: Look, branch: int) -> tuple[int, int] | None:
    """Return the newest kernel that the branch is known to build with."""
    for setting in look.nvidia_driver:
        if isinstance(setting.value, dict) and "kernelTested" in setting.value:
            return _version(str(setting.value["kernelTested"]))
    return hardware.KERNEL_CEILING.get(branch)


def _version(text: str) -> tuple[int, int] | None:
    major, _, rest = text.partition(".")
    minor = rest.partition(".")[0].partition("-")[0]
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else None
