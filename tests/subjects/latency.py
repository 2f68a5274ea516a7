"""Cases of the rows beyond the plan."""

from __future__ import annotations

from tests.proof.checks import IN_USE
from tests.subjects.case import MEMINFO, Case, machine_file

OOMCTL = """\
Dry Run: no
Swap Used Limit: 90.00%
Swap Monitored CGroups:
\tPath: /user.slice/user-1000.slice/user@1000.service/app.slice
\t\tSwap Usage: 1.2G
Memory Pressure Monitored CGroups:
\tPath: /user.slice/user-1000.slice/user@1000.service/app.slice
\t\tMemory Pressure Limit: 60.00%
"""
WATCHED = "\tPath: /user.slice/user-1000.slice/user@1000.service/app.slice\n"

USER = "user.slice/user-1000.slice"
MANAGER = f"{USER}/user@1000.service"
#: 4 % of 16 GiB, rounded down to whole pages as the kernel does.
PROMISE = 687_194_112
PROMISED = "".join(
    f"minimum {group} {PROMISE}\n"
    for group in ("user.slice", USER, MANAGER, f"{MANAGER}/session.slice")
)
KWIN = f"desktop /{MANAGER}/session.slice/plasma-kwin_x11.service\n"

RESTARTS = "panic=30 boot.panic_on_fail systemd.watchdog_sec=60"

CASES: dict[str, Case] = {
    "memory.page-cluster": machine_file("/proc/sys/vm/page-cluster", "0\n", the_default="3\n"),
    "memory.zswap": machine_file(
        "/sys/module/zswap/parameters/enabled", "N\n", the_default_of_most_kernels="Y\n"
    ),
    "boot.restart": Case(
        good={
            **IN_USE,
            ("file", "/proc/sys/kernel/panic"): "30\n",
            ("file", "/proc/cmdline"): f"init=/x/init quiet {RESTARTS}\n",
        },
        bad={
            "the default": {("file", "/proc/sys/kernel/panic"): "0\n"},
            "set while it runs": {("file", "/proc/cmdline"): "init=/x/init quiet\n"},
            "given twice": {("file", "/proc/cmdline"): f"{RESTARTS} systemd.watchdog_sec=0\n"},
        },
    ),
    "memory.min-ttl": Case(
        good={
            **IN_USE,
            ("file", "/sys/kernel/mm/lru_gen/min_ttl_ms"): "1000\n",
            ("file", "/sys/kernel/mm/lru_gen/enabled"): "0x0007\n",
        },
        bad={
            "the default": {("file", "/sys/kernel/mm/lru_gen/min_ttl_ms"): "0\n"},
            "almost": {("file", "/sys/kernel/mm/lru_gen/min_ttl_ms"): "100\n"},
            "generations are off": {("file", "/sys/kernel/mm/lru_gen/enabled"): "0x0000\n"},
        },
    ),
    "memory.session": Case(
        good={**IN_USE, ("file", "/proc/meminfo"): MEMINFO, "promise": PROMISED + KWIN},
        bad={
            "one level above does not make it": {
                "promise": PROMISED.replace(f"{MANAGER} {PROMISE}", f"{MANAGER} 0") + KWIN
            },
            "half of it": {"promise": PROMISED.replace(str(PROMISE), str(PROMISE // 2)) + KWIN},
            "KWin is elsewhere": {
                "promise": f"{PROMISED}desktop /{USER}/session-2.scope\n",
            },
        },
    ),
    "memory.oomd": Case(
        good={**IN_USE, "oomd": OOMCTL},
        bad={
            "it only says what it would do": {"oomd": OOMCTL.replace("Run: no", "Run: yes")},
            "nothing is watched": {"oomd": OOMCTL.replace(WATCHED, "")},
            "for swap alone": {"oomd": OOMCTL[::-1].replace(WATCHED[::-1], "", 1)[::-1]},
            "another user's": {"oomd": OOMCTL.replace("1000", "1001")},
        },
    ),
    "memory.sched-ext": Case(
        good={
            **IN_USE,
            ("file", "/sys/kernel/sched_ext/state"): "enabled\n",
            ("file", "/sys/kernel/sched_ext/root/ops"): "lavd_1.0.9_x86_64_unknown_linux_gnu\n",
        },
        bad={
            "it fell back": {("file", "/sys/kernel/sched_ext/state"): "disabled\n"},
            "another one": {("file", "/sys/kernel/sched_ext/root/ops"): "bpfland_1.0.2\n"},
        },
    ),
}
