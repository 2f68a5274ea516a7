"""Parse the output of nvidia-smi, vainfo, vdpauinfo, ffmpeg and Firefox's decoder test."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

from converge.proof.check import Unreadable


@dataclass(frozen=True, kw_only=True)
class QueriedGpu:
    """One line of ``nvidia-smi --query-gpu``, in MiB and percent; None: not told."""

    name: str
    capability: str
    driver: str
    memory_total: int | None
    memory_used: int | None = None
    busy: int | None = None

    @property
    def branch(self) -> int:
        """The driver's branch, the first number of its version."""
        return int(self.driver.partition(".")[0])


def gpus(text: str) -> tuple[QueriedGpu, ...]:
    """Parse the table by the names of its columns, which have the unit."""
    rows = list(csv.reader(text.splitlines(), skipinitialspace=True))
    if len(rows) < 2:
        raise Unreadable(f"nvidia-smi printed {text.strip()[:80]!r}")
    names = [name.partition(" [")[0].strip() for name in rows[0]]
    if "driver_version" not in names:
        raise Unreadable("nvidia-smi printed no driver_version")
    return tuple(_gpu(dict(zip(names, row, strict=False))) for row in rows[1:] if row)


def _gpu(row: dict[str, str]) -> QueriedGpu:
    def number(name: str) -> int | None:
        match = re.match(r"\d+", row.get(name, ""))
        return int(match[0]) if match else None

    return QueriedGpu(
        name=row.get("name", ""),
        capability=row.get("compute_cap", ""),
        driver=row["driver_version"],
        memory_total=number("memory.total"),
        memory_used=number("memory.used"),
        busy=number("utilization.gpu"),
    )


@dataclass(frozen=True, kw_only=True)
class Use:
    """One process on a GPU: its type (G, C or C+G), and percent of each unit."""

    pid: int
    kind: str
    command: str
    decoder: int  # percent


def pmon(text: str) -> tuple[Use, ...]:
    """Parse ``nvidia-smi pmon`` by the names of its columns, since releases add columns."""
    lines = text.splitlines()
    header = next((line for line in lines if re.match(r"#\s*gpu\b", line)), None)
    if header is None:
        raise Unreadable(f"nvidia-smi pmon printed {text.strip()[:80]!r}")
    names = header.lstrip("# ").split()
    found = []
    for line in lines:
        cells = line.split(None, len(names) - 1)
        if line.startswith("#") or len(cells) < len(names):
            continue
        row = dict(zip(names, cells, strict=True))
        if row["pid"].isdigit():  # a dash: no process uses this GPU
            found.append(
                Use(
                    pid=int(row["pid"]),
                    kind=row["type"],
                    command=row["command"].strip(),
                    decoder=int(row["dec"]) if row["dec"].isdigit() else 0,
                )
            )
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class VaApi:
    driver: str
    decodes: frozenset[str]  # profiles with the entry point VLD, without the prefix VAProfile


_PROFILE = re.compile(r"^[ \t]+VAProfile(\w+)[ \t]*:[ \t]*VAEntrypoint(\w+)[ \t]*$", re.MULTILINE)


def vainfo(text: str) -> VaApi:
    driver = re.search(r"^vainfo: Driver version: (.+)$", text, re.MULTILINE)
    if not driver:
        lines = [line for line in text.splitlines() if "rror" in line or "Failed" in line]
        raise Unreadable(lines[-1].strip() if lines else "vainfo named no driver")
    decodes = (name for name, entry in _PROFILE.findall(text) if entry == "VLD")
    return VaApi(driver=driver[1].strip(), decodes=frozenset(decodes))


@dataclass(frozen=True, kw_only=True)
class Vdpau:
    driver: str
    decodes: frozenset[str]


def vdpauinfo(text: str) -> Vdpau:
    """The decoders with numbers after their name; ``--- not supported ---`` has no numbers."""
    driver = re.search(r"^Information string: (.+)$", text, re.MULTILINE)
    if not driver:
        raise Unreadable(text.strip().splitlines()[0] if text.strip() else "vdpauinfo was silent")
    table = text.partition("Decoder capabilities:")[2].partition("\n\nOutput surface")[0]
    rows = re.findall(r"^([A-Z0-9_]+)(?:[ \t]+\d+){4}[ \t]*$", table, re.MULTILINE)
    return Vdpau(driver=driver[1].strip(), decodes=frozenset(rows))


#: Bits of VAAPI_HWCODECS (toolkit/xre/glxtest in Firefox).
FIREFOX_CODECS = {16: "H264", 32: "VP8", 64: "VP9", 128: "AV1", 256: "HEVC"}


def vaapitest(text: str) -> frozenset[str]:
    """Codecs that Firefox can decode through VA-API, from its own test program."""
    lines = text.split()
    try:
        supported = lines[lines.index("VAAPI_SUPPORTED") + 1]
        if supported != "TRUE":
            return frozenset()
        bits = int(lines[lines.index("VAAPI_HWCODECS") + 1])
    except (ValueError, IndexError) as error:
        raise Unreadable(f"Firefox's test printed {text.strip()[:80]!r}") from error
    return frozenset(name for bit, name in FIREFOX_CODECS.items() if bits & bit)


def playback(text: str) -> float:
    """Share of one CPU that ffmpeg used, from its line ``bench: utime=… stime=… rtime=…``."""
    match = re.search(r"bench: utime=([\d.]+)s stime=([\d.]+)s rtime=([\d.]+)s", text)
    if not match or float(match[3]) == 0:
        raise Unreadable("ffmpeg printed no benchmark")
    return (float(match[1]) + float(match[2])) / float(match[3])
