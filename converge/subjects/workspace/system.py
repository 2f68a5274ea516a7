"""Parse the answers of systemd and of the kernel."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from converge.proof.check import Unreadable
from converge.text.limits import document

MIB = 1024 * 1024


def properties(text: str) -> dict[str, str]:
    """The properties of ``systemctl show``, whose order differs between releases."""
    return dict(line.partition("=")[::2] for line in text.splitlines() if "=" in line)


@dataclass(frozen=True, kw_only=True)
class Group:
    """The kernel's limits of a control group: bytes, percent of one CPU, None for no limit.
    ``known``: the files that the kernel has; without a delegated controller it has none."""

    known: frozenset[str]
    high: int | None
    maximum: int | None
    swap: int | None
    cpu: float | None
    peak: int | None
    oom_kills: int


def group(text: str) -> Group:
    """The lines ``kernel FILE VALUE`` of the probes ``slice`` and ``group``."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("kernel "):
            name, _, value = line[len("kernel ") :].partition(" ")
            found[name] = value.strip()

    def number(name: str) -> int | None:
        value = found.get(name, "max")
        return None if value == "max" else int(value)

    quota, _, period = found.get("cpu.max", "max 100000").partition(" ")
    return Group(
        known=frozenset(found),
        high=number("memory.high"),
        maximum=number("memory.max"),
        swap=number("memory.swap.max"),
        cpu=None if quota == "max" else 100 * int(quota) / int(period),
        peak=number("memory.peak"),
        oom_kills=int(found.get("oom_kill", "0")),
    )


@dataclass(frozen=True, kw_only=True)
class SystemState:
    """``systemctl is-system-running`` and the failed units."""

    state: str
    failed: tuple[str, ...]


def state(text: str) -> SystemState:
    lines = text.splitlines()
    if not lines or not lines[0].startswith("state "):
        raise Unreadable("systemctl did not say how it is")
    failed = [line.split()[0].lstrip("●*") for line in lines[1:] if line.split()]
    return SystemState(state=lines[0][len("state ") :].strip(), failed=tuple(filter(None, failed)))


@dataclass(frozen=True, kw_only=True)
class Crash:
    """A line of the kernel about a crash: seconds since the epoch, and the text."""

    time: float
    text: str


_STAMP = re.compile(r"(\d+(?:\.\d+)?) \S+ kernel: (.*)")


def since(text: str) -> int:
    """The time of the switch (seconds since the epoch), which the probes ``journal`` and
    ``coredumps`` print first. Raises Unreadable."""
    first = text.partition("\n")[0]
    if not re.fullmatch(r"since \d+", first):
        raise Unreadable("the time of the switch is missing")
    return int(first.split()[1])


def journal(text: str) -> tuple[Crash, ...]:
    """The lines that the probe ``journal`` found after the switch."""
    start = since(text)
    found = (_STAMP.match(line) for line in text.splitlines()[1:])
    crashes = (Crash(time=float(match[1]), text=match[2]) for match in found if match)
    return tuple(crash for crash in crashes if crash.time >= start)


#: Signals that a wrongly compiled program dies of.
BAD_SIGNALS = {4: "SIGILL", 7: "SIGBUS", 11: "SIGSEGV"}


def coredumps(text: str) -> tuple[str, ...]:
    """Programs that died of a bad signal after the switch: ``SIGILL /nix/store/...``."""
    start = since(text)
    found = []
    for line in text.splitlines()[1:]:
        if line.startswith("["):
            for dump in document(line):
                signal = BAD_SIGNALS.get(int(dump["sig"]))
                if signal and dump["time"] / 1_000_000 >= start:
                    found.append(f"{signal} {dump['exe']}")
            return tuple(found)
        if "No coredumps found" in line:
            return ()
    raise Unreadable("coredumpctl printed neither dumps nor that there are none")


_AMOUNT = re.compile(r"(\w+(?:\(\w+\))?):\s+(\d+)(?: kB)?")


def memory(text: str) -> dict[str, int]:
    """``/proc/meminfo`` in bytes."""
    found = {}
    for match in filter(None, map(_AMOUNT.fullmatch, text.splitlines())):
        found[match[1]] = int(match[2]) * 1024
    if "MemTotal" not in found:
        raise Unreadable("/proc/meminfo has no MemTotal")
    return found


def in_use(text: str) -> int:
    """Bytes of memory that programs hold, from ``/proc/meminfo`` (Linux 3.14 and later)."""
    found = memory(text)
    if "MemAvailable" not in found:
        raise Unreadable("/proc/meminfo has no MemAvailable: what is in use is not known")
    return found["MemTotal"] - found["MemAvailable"]


def uptime(text: str) -> float:
    """``/proc/uptime``: seconds since the start."""
    match = re.fullmatch(r"(\d{1,12}\.\d+) \d+\.\d+\s*", text)
    if not match:
        raise Unreadable("/proc/uptime holds no two times")
    return float(match[1])


def load(text: str) -> float:
    """``/proc/loadavg``: processes that ran or waited, over the last minute."""
    match = re.match(r"(\d{1,9}\.\d+) \d+\.\d+ \d+\.\d+ \d+/\d+ \d+", text)
    if not match:
        raise Unreadable("/proc/loadavg holds no load")
    return float(match[1])


@dataclass(frozen=True, kw_only=True)
class Swap:
    name: str
    size: int  # bytes
    priority: int


def swaps(text: str) -> tuple[Swap, ...]:
    """``/proc/swaps``."""
    lines = text.splitlines()
    if not lines or not lines[0].startswith("Filename"):
        raise Unreadable("/proc/swaps has no header")
    rows = (line.split() for line in lines[1:])
    return tuple(
        Swap(name=row[0], size=int(row[-3]) * 1024, priority=int(row[-1])) for row in rows if row
    )


def chosen(text: str) -> str:
    """The word in brackets of a kernel file such as ``none [mq-deadline] kyber``."""
    match = re.search(r"\[([^\[\]\s]+)\]", text)
    return match[1] if match else text.strip()


@dataclass(frozen=True, kw_only=True)
class DiskQueue:
    name: str
    rotational: bool
    scheduler: str


def disks(text: str) -> tuple[DiskQueue, ...]:
    found = []
    for line in text.splitlines():
        _, name, rotational, schedulers = line.split(" ", 3)
        found.append(
            DiskQueue(name=name, rotational=rotational == "1", scheduler=chosen(schedulers))
        )
    return tuple(found)


def cpu_flags(text: str) -> frozenset[str]:
    """The flags that every CPU in ``/proc/cpuinfo`` has."""
    all_flags = [
        frozenset(line.partition(":")[2].split())
        for line in text.splitlines()
        if line.partition(":")[0].strip() == "flags"
    ]
    if not all_flags:
        raise Unreadable("/proc/cpuinfo has no flags")
    return frozenset.intersection(*all_flags)


@dataclass(frozen=True, kw_only=True)
class Process:
    pid: int
    group: str  # path of its control group
    score: int | None = None  # oom_score_adj
    started: int = 0  # seconds since the epoch
    flags: tuple[str, ...] = ()
    nvidia: bool = False


def processes(text: str) -> tuple[Process, ...]:
    """The answers of the probes ``processes`` and ``gpu-processes``."""
    found: list[dict[str, object]] = []
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        match word:
            case "process":
                pid, started, path = rest.split(" ", 2)
                found.append({"pid": int(pid), "started": int(started), "group": path, "flags": ()})
            case "score" if found:
                found[-1]["score"] = int(rest.rpartition(" ")[2])
            case "flag" if found:
                found[-1]["flags"] = (*_tuple(found[-1]["flags"]), rest)
            case "driver" if found:
                found[-1]["nvidia"] = rest == "nvidia"
    return tuple(Process(**one) for one in found)  # type: ignore[arg-type]


def gpu_processes(text: str) -> tuple[Process, ...]:
    """The GPU processes in the answer of the probe ``gpu-processes``; there may be none."""
    first, _, rest = text.partition("\n")
    if first != "looked":
        raise Unreadable("the GPU processes were not looked for")
    return tuple(process for process in processes(rest) if "--type=gpu-process" in process.flags)


def _tuple(value: object) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def environment(output: bytes, first: str) -> dict[str, str]:
    """NUL-separated ``NAME=VALUE`` behind a first line that begins with ``first``."""
    line, _, rest = output.partition(b"\n")
    if not line.decode(errors="replace").startswith(first):
        raise Unreadable("not the environment of a program")
    found = {}
    for entry in rest.split(b"\0"):
        name, separator, value = entry.decode(errors="replace").partition("=")
        if separator and re.fullmatch(r"[A-Za-z_]\w*", name):
            found[name] = value
    return found


def kilobytes_free(text: str) -> Mapping[str, int]:
    """``df -Pk``: mount point -> kilobytes that are free."""
    rows = (line.split(None, 5) for line in text.splitlines())
    return {row[5]: int(row[3]) for row in rows if len(row) == 6}
