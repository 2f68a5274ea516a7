"""Memory, storage and builds on NixOS."""

from __future__ import annotations

from functools import partial

from converge.setting import Layer, Phase, Risk, Setting, State

_row = partial(Setting, phase=Phase.MEMORY, layer=Layer.NIXOS)


def _sysctl(id: str, title: str, *, says: str, sysctl: dict[str, int], needs: str = "") -> Setting:
    return _row(
        id=id,
        title=title,
        says=says,
        value={"sysctl": sysctl},
        check="memory.sysctl",
        needs=frozenset(needs.split()),
    )


ROWS: tuple[Setting, ...] = (
    _row(
        id="memory.zram",
        title="Compressed swap in memory",
        says="Memory: zram, zstd, 75 % of memory, priority 100: 28 GB effective",
        state=State.CORRECTED,
        value={},
        check="memory.zram",
        needs=frozenset({"zram"}),
        reason="what is swapped lies compressed in the same 16 GB, and the 75 % cap the bytes "
        "before compression: a cap, no 12 GB more",
    ),
    _sysctl(
        "memory.swappiness",
        "Swap earlier, since it is cheap",
        says="Memory: swappiness 67, for zram",
        sysctl={"vm.swappiness": 67},
        needs="zram",
    ),
    _sysctl(
        "memory.vfs-cache-pressure",
        "Give up file names sooner than memory",
        says="Memory: vfs_cache_pressure 125, for zram",
        sysctl={"vm.vfs_cache_pressure": 125},
    ),
    _sysctl(
        "memory.dirty-ratio",
        "Less unwritten data",
        says="Memory: dirty_ratio 10, dirty_background_ratio 5",
        sysctl={"vm.dirty_ratio": 10, "vm.dirty_background_ratio": 5},
    ),
    _row(
        id="memory.user-slice",
        title="Applications together are slowed down at 12 of 16 GB",
        says='Memory, later version: systemd.slices."user-" with MemoryHigh=12G',
        state=State.CORRECTED,
        value={"userSlices": {"app": {"MemoryHigh": "75%"}}},
        check="memory.app-slice",
        reason="user-.slice is no valid unit file, and its limit would stop KWin and Plasma "
        "together with the program that is too large, while a quarter of the memory is free "
        "(memory.high: kernel, admin-guide/cgroup-v2). app.slice holds the applications alone. In "
        "percent, so that it holds on every machine",
    ),
    _row(
        id="memory.user-slice-max",
        title="A user's programs together end at 14 of 16 GB",
        says='Memory, later version: systemd.slices."user-" with MemoryMax=14G, CPUQuota=600%',
        state=State.WITHHELD,
        value={"sliceConfig": {"MemoryMax": "87%", "CPUQuota": "600%"}},
        check="memory.user-slice",
        reason="at the limit the kernel ends programs of the session, the desktop among them, "
        "while memory is still free; a quota of six of eight CPUs only idles two",
        risk=Risk.MEDIUM,
    ),
    _row(
        id="storage.scheduler",
        title="I/O scheduler of the disk",
        says="Storage: I/O scheduler none, by a udev rule",
        state=State.CORRECTED,
        value={},
        check="storage.scheduler",
        needs=frozenset({"scheduler"}),
        reason="which disks follows from the profile's kind. none is the kernel's own choice for "
        "NVMe. udev reads ours before the rules of NixOS' own options (hardware.block since 25.05, "
        "services.udev.extraRules), so that what you set there wins",
    ),
    _row(
        id="storage.io-uring",
        title="io_uring",
        says="Storage: io_uring",
        state=State.WITHHELD,
        value={},
        check="storage.scheduler",
        reason="an interface that programs use by themselves; there is nothing to set",
        forcible=False,
    ),
    _row(
        id="boot.menu",
        title="The boot menu offers the previous generation",
        says="Before: boot.loader.grub.timeout, so that a generation can be chosen",
        state=State.CORRECTED,
        value={"timeoutSeconds": 5, "generations": 7},
        check="boot.menu",
        reason="renamed to boot.loader.timeout, for every boot loader; a loader that keeps fewer "
        "generations than a staged rollout makes is reported",
        needs=frozenset({"bootloader"}),
    ),
    _row(
        id="build.parallelism",
        title="Builds fit into memory",
        says="Hardware: build.parallelism maxJobs 12, maxCores 7, tiers of jobs and cores",
        state=State.CORRECTED,
        value={"tier": "medium"},
        check="build.parallelism",
        reason="12 jobs of 7 cores are 84 compilers in 16 GB. Nix has one pair of numbers for all "
        "builds, so the daemon gets the middle tier; heavy builds are started with the heavy one",
    ),
)
