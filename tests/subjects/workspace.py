"""Cases of what has to hold before a run, and of the workspace as a whole."""

from __future__ import annotations

import json

from converge.hardware.cpus import marches
from tests.proof.checks import HOME_GENERATION, IN_USE, SYSTEM
from tests.subjects.case import GRUB, MEMINFO, NVIDIA, WITHOUT_LAYER, Case, machine_file

JOURNAL = "since 1000\n"


CRASH = "1200.5 shoshin kernel: {}\n"


CPUINFO = "processor\t: 0\nflags\t\t: {0}\n\nprocessor\t: 1\nflags\t\t: {0}\n"


SKYLAKE = " ".join(sorted(marches()["skylake"]))

CASES: dict[str, Case] = {
    "before.baseline": Case(good={("file", "/proc/meminfo"): MEMINFO, "nvidia": NVIDIA}, bad={}),
    "flakes.readable": Case(good={}, bad={}),
    "before.rescue-medium": Case(
        good={
            "removable": json.dumps(
                {
                    "blockdevices": [
                        {
                            "name": "sdb",
                            "tran": "usb",
                            "fstype": "iso9660",
                            "label": "nixos-minimal-26.05",
                        }
                    ]
                }
            )
        },
        bad={},
    ),
    "before.generation": Case(
        good={"exist": f"there {SYSTEM}\nthere {HOME_GENERATION}\n"},
        bad={"it was collected": {"exist": f"gone {SYSTEM}\nthere {HOME_GENERATION}\n"}},
    ),
    "before.boot-menu": Case(
        good={"boot": GRUB},
        bad={
            "the menu never shows": {"boot": GRUB.replace("timeout=5", "timeout=0")},
            "it offers nothing": {"boot": GRUB.replace("Configuration", "Something")},
        },
    ),
    "before.mold": Case(
        good={"mold": "String dump of section '.comment':\n  [0] mold 2.40.4\n"},
        bad={"another linker": {"mold": "String dump of section '.comment':\n  [0] GCC\n"}},
    ),
    "profile.cpu": machine_file(
        "/proc/cpuinfo",
        CPUINFO.format(SKYLAKE),
        an_older_CPU=CPUINFO.format(SKYLAKE.replace(" avx2 ", " ")),
        one_CPU_lacks_a_flag=CPUINFO.format(SKYLAKE) + "flags : fpu\n",
    ),
    "system.state": Case(
        good={"state": "state running\n"},
        bad={
            "a failed unit": {"state": "state degraded\nx.service loaded failed failed X\n"},
            "maintenance": {"state": "state maintenance\n"},
        },
    ),
    "user.state": Case(
        good={"state": "state running\n"},
        bad={"a failed scope": {"state": "state degraded\nrun-1.scope loaded failed failed\n"}},
    ),
    "journal.crashes": Case(
        good={"journal": JOURNAL, "coredumps": f"{JOURNAL}No coredumps found.\n"},
        bad={
            "a segmentation fault": {
                "journal": JOURNAL + CRASH.format("ls[9]: segfault at 0 ip 0 sp 0 error 6")
            },
            "an illegal instruction": {
                "journal": JOURNAL + CRASH.format("traps: ls[9] trap invalid opcode ip:0 sp:0")
            },
            "a core dump": {
                "coredumps": JOURNAL
                + json.dumps([{"time": 1200 * 10**6, "sig": 4, "exe": "/bin/ls"}])
            },
        },
    ),
    "journal.memory": Case(
        good={"journal": JOURNAL},
        bad={
            "the kernel ended a program": {
                "journal": JOURNAL + CRASH.format("Memory cgroup out of memory: Killed process 9")
            }
        },
    ),
    "memory.idle": Case(
        good={
            ("file", "/proc/meminfo"): MEMINFO,
            ("file", "/proc/uptime"): "4000.00 16000.00\n",
            ("file", "/proc/loadavg"): "0.04 0.10 0.20 1/400 999\n",
        },
        bad={
            "it holds more": {
                ("file", "/proc/meminfo"): MEMINFO.replace(str(13 * 1024 * 1024), "1024")
            }
        },
    ),
    "disk.room": Case(
        good={"room": "/dev/sda2 99 1 50000000 1% /\n/dev/sda1 99 1 400000 1% /boot\n"},
        bad={
            "the store is full": {"room": "/dev/sda2 99 98 1000000 99% /\n"},
            "/boot is full": {
                "room": "/dev/sda2 99 1 50000000 1% /\n/dev/sda1 99 98 90000 9% /boot\n"
            },
        },
    ),
    "generation.system": Case(good=IN_USE, bad={"made without the layer": WITHOUT_LAYER}),
    "generation.home": Case(good=IN_USE, bad={"made without the layer": WITHOUT_LAYER}),
    "system.booted": Case(good=IN_USE, bad={}),
    "rollback.ready": Case(
        good={
            "exist": f"there {SYSTEM}\nthere /nix/store/system-41\n"
            f"there {HOME_GENERATION}\nthere /nix/store/home-6\n"
        },
        bad={
            "only one is left": {
                "exist": f"there {SYSTEM}\nthere {HOME_GENERATION}\nthere /nix/store/home-6\n"
            }
        },
    ),
}
