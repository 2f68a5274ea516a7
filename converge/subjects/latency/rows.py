"""Rows beyond the plan: they keep a desktop answering while memory is short.

Each row has its own evidence, with the date of reading. A row is in force only where the inventory
or ``--data include=`` asks for it, by id or by the word ``offered``, which means all.
"""

from __future__ import annotations

from functools import partial

from converge.setting import Layer, Phase, Risk, Setting, State

_row = partial(
    Setting,
    phase=Phase.MEMORY,
    layer=Layer.NIXOS,
    state=State.OFFERED,
    says="not in the plan",
)

ROWS: tuple[Setting, ...] = (
    _row(
        id="memory.page-cluster",
        title="Read one page at a time back from compressed swap",
        value={"sysctl": {"vm.page-cluster": 0}},
        check="memory.sysctl",
        evidence=(
            "https://docs.kernel.org/admin-guide/sysctl/vm.html",
            "https://notes.xeome.dev/notes/Zram",
        ),
        gain="measured: a wanted page is back 441 % faster (99 % interval 423 to 459)",
        needs=frozenset({"zram"}),
        reason="the default of 3 reads eight pages for one that is wanted, which a disk needs and "
        "memory does not: measured 5.1 us for one page, 23.9 us for eight (lz4, median, 2026-11)",
    ),
    _row(
        id="memory.zswap",
        title="No second compressed cache in front of zram",
        value={"kernelParams": ["zswap.enabled=0"]},
        check="latency.kernel",
        evidence=("https://docs.kernel.org/admin-guide/mm/zswap.html",),
        gain="no figure: the machine that was measured has no swap, so zswap takes no page there",
        needs=frozenset({"zram"}),
        reason="zswap takes the pages before zram sees them, so they are compressed twice or fill "
        "a pool that no limit of zram knows (kernel, admin-guide/mm/zswap; read 2026-11)",
    ),
    _row(
        id="memory.min-ttl",
        title="Keep the pages of the last second",
        value={"write": {"/sys/kernel/mm/lru_gen/min_ttl_ms": "1000"}},
        check="latency.kernel",
        evidence=(
            "https://docs.kernel.org/admin-guide/mm/multigen_lru.html",
            "https://github.com/torvalds/linux/commit/1332a809d95a",
        ),
        gain="no figure: the kernel that was measured has no MGLRU; the start beside a hog of "
        "tasks/measure.py tells it on yours",
        reason="what was used within a second is not reclaimed; where that is not enough, a "
        "program is ended instead of all of them standing still (kernel commit 1332a809d95a, "
        "admin-guide/mm/multigen_lru; read 2026-11)",
        risk=Risk.MEDIUM,
    ),
    _row(
        id="memory.session",
        title="Memory that KWin and Plasma keep, whatever applications do",
        value={"protect": "4%"},
        check="latency.session",
        evidence=(
            "https://docs.kernel.org/admin-guide/cgroup-v2.html",
            "https://fedoraproject.org/wiki/Changes/Reserve_resources_for_active_user_WS",
        ),
        gain="no figure: the machine that was measured has no memory controller of control "
        "groups v2",
        needs=frozenset({"kwin"}),
        reason="the kernel takes pages of the desktop and of a hog alike; what session.slice is "
        "promised (MemoryMin) it leaves alone, as long as every group above it has the promise "
        "too: user.slice, the user's own, the user's manager (kernel, admin-guide/cgroup-v2; "
        "Fedora 33 does the same for GNOME with 250 MiB, at most 10 %: "
        "fedoraproject.org/wiki/Changes/Reserve_resources_for_active_user_WS; read 2026-11). 4 % "
        "of the memory is what applications then never get",
        risk=Risk.MEDIUM,
    ),
    _row(
        id="memory.oomd",
        title="End the hog among the applications, not the desktop",
        layer=Layer.HOME_MANAGER,
        value={
            "userSlices": {"app": {"ManagedOOMSwap": "kill", "ManagedOOMMemoryPressure": "kill"}}
        },
        check="latency.oomd",
        evidence=(
            "https://github.com/systemd/systemd/issues/25596",
            "https://man7.org/linux/man-pages/man5/oomd.conf.5.html",
        ),
        gain="no figure: what it saves is a frozen desktop, not time; systemd-oomd wants control"
        " groups v2 and swap, which the machine that was measured lacks",
        reason="systemd-oomd ends the largest application of app.slice before the machine stands "
        "still (systemd issue 25596; oomd.conf(5); read 2026-11). It ends programs with what is "
        "not saved in them, so it wants consent. A drop-in of the user's own, so it holds wherever "
        "systemd-oomd runs: NixOS and Fedora start it by default",
        risk=Risk.HIGH,
    ),
    _row(
        id="memory.sched-ext",
        title="A scheduler for latency, loaded into the kernel",
        value={"scx": "scx_lavd"},
        check="latency.kernel",
        evidence=(
            "https://docs.kernel.org/scheduler/sched-ext.html",
            "https://github.com/sched-ext/scx",
        ),
        gain="no figure: the kernel that was measured has no sched_ext; the starts of "
        "tasks/measure.py tell it on yours",
        reason="prefers tasks that others wait for; the kernel goes back to its own scheduler when "
        "it fails (kernel, scheduler/sched-ext; services.scx of NixOS 25.05 and later; needs "
        "Linux 6.12). Published gains are few, so measure it (read 2026-11)",
        risk=Risk.MEDIUM,
    ),
    _row(
        id="boot.restart",
        title="A boot that stops or hangs restarts the machine",
        value={"kernelParams": ["panic=30", "boot.panic_on_fail", "systemd.watchdog_sec=60"]},
        check="latency.kernel",
        evidence=(
            "https://docs.kernel.org/admin-guide/kernel-parameters.html",
            "https://man7.org/linux/man-pages/man1/systemd.1.html",
        ),
        gain="no figure: nothing gets faster; on a whole machine in QEMU a boot that panics "
        "comes back by itself",
        reason="without it a kernel that panics, a root that is not found and a manager that hangs "
        "wait for the power button; a change on trial then comes back by itself (kernel-parameters "
        "panic=; NixOS stage 1 boot.panic_on_fail; systemd(1) systemd.watchdog_sec=, which needs a "
        "watchdog; read 2026-11). What was not saved is gone, so it is asked for by name",
        risk=Risk.MEDIUM,
    ),
)
