"""Cases of memory, storage and builds."""

from __future__ import annotations

from tests.proof.checks import IN_USE, Replies
from tests.subjects.case import GIB, GRUB, MEMINFO, NIX_CONFIG, Case, machine_file

SWAPS = f"Filename Type Size Used Priority\n/dev/zram0 partition {12 * 1024 * 1024} 0 100\n"

NO_LIMIT = "kernel memory.high max\nkernel memory.max max"


def groups(*, all: str = NO_LIMIT, user: str = NO_LIMIT, manager: str = NO_LIMIT) -> Replies:
    """The control groups above the applications, whose own limit is as wanted."""
    place = "user-1000.slice/user@1000.service"
    return {
        ("group", f"{place}/app.slice"): f"kernel memory.high {12 * GIB}\nkernel memory.max max\n",
        ("group", place): f"{NO_LIMIT}\n{manager}\n",
        ("group", "user.slice/user-1000.slice"): f"{NO_LIMIT}\n{user}\n",
        ("group", "user.slice"): f"{NO_LIMIT}\n{all}\n",
    }


CASES: dict[str, Case] = {
    "memory.zram": Case(
        good={
            **IN_USE,
            ("file", "/proc/swaps"): SWAPS,
            ("file", "/proc/meminfo"): MEMINFO,
            ("file", "comp_algorithm"): "lzo lzo-rle lz4 [zstd]\n",
        },
        bad={
            "no zram": {("file", "/proc/swaps"): "Filename Type Size Used Priority\n"},
            "two devices": {("file", "/proc/swaps"): SWAPS + "/dev/zram1 partition 1 0 5\n"},
            "another algorithm": {("file", "comp_algorithm"): "[lzo] zstd\n"},
            "another priority": {("file", "/proc/swaps"): SWAPS.replace(" 100", " 5")},
            "zswap in front of it": {("file", "/zswap/parameters/enabled"): "Y\n"},
            "zswap as older kernels say it": {("file", "/zswap/parameters/enabled"): "1\n"},
            "a disk that is filled first": {
                ("file", "/proc/swaps"): f"{SWAPS}/dev/sda3 partition 9 0 100\n"
            },
            "a file on a disk, of such a name": {
                ("file", "/proc/swaps"): SWAPS.replace("/dev/zram0", "/var/zram0/swap")
            },
        },
    ),
    "memory.swappiness": machine_file("/proc/sys/vm/swappiness", "67\n", the_default="60\n"),
    "memory.vfs-cache-pressure": machine_file(
        "/proc/sys/vm/vfs_cache_pressure", "125\n", the_default="100\n"
    ),
    "memory.dirty-ratio": Case(
        good={
            **IN_USE,
            ("file", "/vm/dirty_ratio"): "10\n",
            ("file", "/vm/dirty_background_ratio"): "5\n",
        },
        bad={"one of two": {("file", "/vm/dirty_background_ratio"): "10\n"}},
    ),
    "memory.user-slice": Case(
        good={
            **IN_USE,
            ("file", "/proc/meminfo"): MEMINFO,
            ("group", "app.slice"): f"kernel memory.high {12 * GIB}\nkernel memory.max max\n",
            "group": "kernel memory.high max\nkernel memory.max max\n",
        },
        bad={
            "the drop-in does not apply": {("group", "app.slice"): "kernel memory.high max\n"},
            "another limit": {("group", "app.slice"): f"kernel memory.high {6 * GIB}\n"},
            "the user's own slice ends before": groups(user=f"kernel memory.max {GIB}"),
            "the user's manager slows down before": groups(manager=f"kernel memory.high {GIB}"),
            "the slice of all users ends before": groups(all=f"kernel memory.max {8 * GIB}"),
        },
    ),
    "memory.user-slice-max": Case(
        good={
            **IN_USE,
            ("file", "/proc/meminfo"): MEMINFO,
            "group": f"kernel memory.max {16 * GIB * 87 // 100}\nkernel cpu.max 600000 100000\n",
        },
        bad={"the drop-in does not apply": {"group": "kernel memory.max max\n"}},
    ),
    "build.idle": Case(
        good={**IN_USE, "build-slice": "slice 1\ndaemon /build.slice/nix-daemon.service\n"},
        bad={
            "weighed like all services": {
                "build-slice": "slice 1\ndaemon /system.slice/nix-daemon.service\n"
            },
            "not idle": {"build-slice": "slice 0\ndaemon /build.slice/nix-daemon.service\n"},
            "in a slice of the same name below another": {
                "build-slice": "slice 1\ndaemon /system.slice/build.slice/nix-daemon.service\n"
            },
            "a kernel without it": {
                "build-slice": "slice -\ndaemon /build.slice/nix-daemon.service\n"
            },
        },
    ),
    "build.cache": Case(
        good={**IN_USE, "nix-cache": "asked yes\ntrusted yes\n"},
        bad={
            "its key is not trusted": {"nix-cache": "asked yes\ntrusted no\n"},
            "it is not asked": {"nix-cache": "asked no\ntrusted yes\n"},
        },
    ),
    "storage.scheduler": Case(
        good={**IN_USE, "disks": "disk nvme0n1 0 [none] mq-deadline\n"},
        bad={
            "another scheduler": {"disks": "disk nvme0n1 0 none [mq-deadline]\n"},
            "the profile names a disk that is not there": {"disks": "disk sda 0 [none] bfq\n"},
        },
    ),
    "boot.menu": Case(
        good={**IN_USE, "boot": GRUB},
        bad={
            "the menu never shows": {"boot": GRUB.replace("timeout=5", "timeout=0")},
            "it offers one generation": {"boot": GRUB.replace("Configuration 41", "Other 41")},
        },
    ),
    "build.parallelism": Case(
        good={**IN_USE, "nix-config": NIX_CONFIG},
        bad={"all at once": {"nix-config": NIX_CONFIG.replace("max-jobs = 3", "max-jobs = 12")}},
    ),
}
