"""What is measured for which claim: benchmarks as rows, and processes whose memory counts.

A benchmark is fixed work, done by the stock and by the optimized build of one program. Its
``arguments`` are data: ``@text`` stands for a file of 8 MB that the workspace makes (words and
numbers, the same everywhere), ``@prefix`` for the directory above the stock program's ``bin``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from converge.setting import Setting


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Work for one pair of builds.

    ``stock`` and ``optimized``: attributes below ``pkgs``, best first. With ``library`` set, both
    are builds of that library, and the same ``program`` of the workspace runs with each.
    """

    id: str
    subject: str  # of the claim
    program: str
    arguments: tuple[str, ...]
    stock: tuple[str, ...]
    optimized: tuple[str, ...]
    library: str = ""


_WORK = Path(__file__).with_name("work")


def _work(name: str) -> str:
    """The text of a file in ``work/``, as one argument for the measured program."""
    return (_WORK / name).read_text()


_KDF = (
    *("kdf", "-keylen", "32", "-kdfopt", "digest:SHA256", "-kdfopt", "pass:word"),
    *("-kdfopt", "salt:salt", "-kdfopt", "iter:1500000", "PBKDF2"),
)
_PATTERN = "(?i)(error|warn)[^:]*: .*[0-9]{3} [a-f0-9]+"


def _text(times: int) -> tuple[str, ...]:
    return ("@text",) * times


def _library(package: str, subject: str, program: str, *arguments: str, id: str = "") -> Benchmark:
    """A benchmark of a library that brings a command of its own."""
    return Benchmark(
        id=id or package,
        subject=subject,
        program=program,
        arguments=arguments,
        stock=(package,),
        optimized=(f"optimized.{package}",),
    )


def _runtime(
    id: str, subject: str, stock: tuple[str, ...], optimized: str, program: str, *arguments: str
) -> Benchmark:
    """A benchmark of a language runtime, whose optimized build has an attribute of its own."""
    return Benchmark(
        id=id,
        subject=subject,
        program=program,
        arguments=arguments,
        stock=stock,
        optimized=(optimized,),
    )


#: A Mersenne prime of 2203 bits, in hexadecimal. Its primality test runs to the end, with the
#: arithmetic of RSA and DH.
_PRIME = "7" + "F" * 550

BENCHMARKS: tuple[Benchmark, ...] = (
    _library("zstd", "compression", "zstd", "-q", "-c", "-5", "--single-thread", *_text(8)),
    _library("bzip2", "compression", "bzip2", "-c", "-9", "@text"),
    _library("xz", "compression", "xz", "-c", "-1", "-T1", "@text"),
    _library("lz4", "compression", "lz4", "-q", "-c", "-7", "@text"),
    Benchmark(
        id="zlib",
        subject="zlib compression",
        program="python3",
        arguments=("-I", "-c", _work("zlib_pair.py"), "@text", "@library"),
        stock=("zlib",),
        optimized=("optimized.zlib",),
        library="lib/libz.so.1",
    ),
    # `openssl speed` works for a fixed time and reports its own figures; these do fixed work.
    _library("openssl", "cryptography", "openssl", "dgst", "-sha512", *_text(40), id="sha512"),
    _library("openssl", "cryptography", "openssl", *_KDF, id="pbkdf2"),
    _library("openssl", "cryptography", "openssl", "prime", "-hex", _PRIME, id="bignum"),
    _library("sqlite", "sqlite queries", "sqlite3", ":memory:", _work("queries.sql"), id="sqlite"),
    _library("sqlite", "sqlite queries", "sqlite3", ":memory:", _work("fulltext.sql"), id="fts5"),
    _library("pcre2", "regular expressions", "pcre2grep", "-c", _PATTERN, *_text(6)),
    _runtime(
        "python",
        "python benchmarks",
        ("python313",),
        "python313Optimized",
        *("python3", "-I", "-c", _work("work.py")),
    ),
    _runtime(
        "node",
        "node benchmarks",
        ("nodejs_24",),
        "nodejs_24Optimized",
        *("node", "-e", _work("work.js")),
    ),
    _runtime(
        "go",
        "go toolchain",
        ("go_1_24", "go"),
        "goOptimized",
        *("gofmt", "-l", "@prefix/src/cmd/compile/internal/ssa"),
    ),
)

#: Subject of a claim -> the processes, or slices of wrapped applications, whose memory counts.
PROCESSES: Mapping[str, tuple[str, ...]] = {
    "kwin memory": ("kwin_x11", "kwin_wayland"),
    "plasmashell memory": ("plasmashell",),
    "baloo memory": ("baloo_file",),
}

#: Subjects of claims that are not measured, and why. Reports name them with the reason.
NOT_MEASURED: Mapping[str, str] = {
    "system calls and memory functions": "a second glibc only reaches programs that are built "
    "against it, so there is no program to run with both",
    "HTTP transfers": "a transfer waits for the network, not for the CPU; what curl and nghttp2 "
    "compute is too little to be timed",
    "node memory": "nothing is built for it by default, see the setting",
    "rustc": "nothing is built for it, see the setting",
    "rust binaries": "it depends on the program: build yours both ways and name both",
    "go binaries": "it depends on the program: build yours both ways and name both",
}


def process_names(slices: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Names of all processes and slices whose memory is read."""
    return (*(name for names in PROCESSES.values() for name in names), *slices)


def subjects(settings: Iterable[Setting]) -> Mapping[str, tuple[Setting, ...]]:
    """Subject of a claim -> the settings that claim it, in the order of the plan."""
    claims: dict[str, tuple[Setting, ...]] = {}
    for setting in settings:
        if setting.claim:
            claims[setting.claim.subject] = (*claims.get(setting.claim.subject, ()), setting)
    return claims


def benchmarks(subject: str) -> tuple[Benchmark, ...]:
    return tuple(benchmark for benchmark in BENCHMARKS if benchmark.subject == subject)


def why_not(subject: str) -> str:
    """Why nothing measures a subject, or the empty string."""
    if subject in PROCESSES or benchmarks(subject):
        return ""
    return NOT_MEASURED.get(subject, "no benchmark for it yet")
