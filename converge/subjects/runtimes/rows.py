"""Phase 2: the language runtimes that the user has, and what the user compiles with them.

The Nix module gives the user's own runtimes the optimization, whatever their version. A value names
attributes for a home without one, best first: ``include=`` of the setting installs the first that
the release has, and says so when it is not the first.
"""

from __future__ import annotations

from functools import partial

from converge.setting import Claim, Layer, Phase, Risk, Setting, State

_row = partial(Setting, phase=Phase.RUNTIMES, layer=Layer.HOME_MANAGER)


ROWS: tuple[Setting, ...] = (
    _row(
        id="runtimes.python",
        title="Python 3.13 with profile-guided optimization",
        says="Phase 2: Python 3.13 with PGO, 10-30 %",
        state=State.CORRECTED,
        value={"attributes": ["python313"]},
        check="runtimes.python",
        reason="an overlay on python313 rebuilds 403 of 952 packages; the Python of your home "
        "alone is made anew, in its own version, none is installed. nixpkgs switches it on with "
        "enableOptimizations; link-time optimization is on there already, so the gain is what is "
        "left of the claim. An environment with modules stays as it is: make it from "
        "python313Optimized",
        risk=Risk.MEDIUM,
        claim=Claim(subject="python benchmarks", low=10, high=30),
    ),
    _row(
        id="runtimes.node",
        title="Node.js 24 compiled for the CPU",
        says="Phase 2: Node.js 24 with hardware flags, 10-25 % CPU",
        state=State.CORRECTED,
        value={"attributes": ["nodejs_24"]},
        check="runtimes.node",
        reason="since 26.05 nodejs_24 only joins links, so the flags go to the compiled part of "
        "the Node.js that your home has, whatever its version; none is installed. JavaScript is "
        "compiled at run time by V8, which these flags do not reach; the build takes one to two "
        "hours",
        risk=Risk.MEDIUM,
        claim=Claim(subject="node benchmarks", low=10, high=25),
    ),
    _row(
        id="runtimes.node.pgo",
        title="Node.js with profile-guided optimization",
        says="Phase 2: Node.js 24 with PGO",
        state=State.WITHHELD,
        value={},
        check="runtimes.node",
        reason="nixpkgs has no such build of Node.js: it takes two builds and a workload, "
        "--enable-pgo-generate and --enable-pgo-use",
        forcible=False,
    ),
    _row(
        id="runtimes.node.jemalloc",
        title="Node.js with jemalloc, as a command of its own",
        says="Phase 2: Node.js 24 with jemalloc, 10-30 % RAM",
        state=State.WITHHELD,
        value={},
        check="runtimes.node",
        reason="Node.js has no build option for it, and preloading it reaches every program that "
        "node starts. If forced, it comes as the command node-jemalloc",
        claim=Claim(subject="node memory", low=10, high=30),
    ),
    _row(
        id="runtimes.rust",
        title="Rust programs of the user compiled for the CPU",
        says="Phase 2: Rust with hardware flags, 8-15 % in binaries",
        state=State.CORRECTED,
        value={},
        check="runtimes.rust",
        reason="the compiler need not be rebuilt for that: CARGO_BUILD_RUSTFLAGS (target-cpu) "
        "reaches what the user compiles, and cargo joins it with the flags of the user's "
        "~/.cargo/config.toml and with a project's own",
        claim=Claim(subject="rust binaries", low=8, high=15),
    ),
    _row(
        id="runtimes.rust.compiler",
        title="rustc with PGO, jemalloc and thin LTO",
        says="Phase 2: Rust with PGO, jemalloc and thin LTO, 10-15 % in rustc",
        state=State.WITHHELD,
        value={},
        check="runtimes.rust",
        reason="nixpkgs offers none of the three for rustc, and a change to rustc rebuilds LLVM "
        "and every Rust program",
        claim=Claim(subject="rustc", low=10, high=15),
        forcible=False,
    ),
    _row(
        id="runtimes.rust.programs",
        title="Single Rust programs compiled for the CPU",
        says="Phase 2: Rust binaries gain 8-15 %; the plan names no program",
        state=State.WITHHELD,
        value={"packages": ["ripgrep", "fd"]},
        check="runtimes.rust",
        reason="each takes a local build at every update; both choose vector code at run time "
        "already. If forced, NIX_RUSTFLAGS of yours, or of ones that are installed for that",
    ),
    _row(
        id="runtimes.go",
        title="Go toolchain at the CPU's level",
        says="Phase 2: Go 1.24 with GOAMD64=v3, 3-10 %",
        state=State.CORRECTED,
        value={"attributes": ["go_1_24", "go"]},
        check="runtimes.go",
        reason="Go 1.24 reached its end of life in February 2026 and is gone from current "
        "releases. A changed go rebuilds every Go program (144 of 952 packages); the go of your "
        "home alone is made anew, in its own version, none is installed",
        risk=Risk.MEDIUM,
        claim=Claim(subject="go toolchain", low=3, high=10),
    ),
    _row(
        id="runtimes.go.builds",
        title="Go programs of the user at the CPU's level",
        says="Phase 2: GOAMD64=v3, 3-10 %",
        state=State.CORRECTED,
        value={},
        check="runtimes.go",
        reason="nixpkgs never sets GOAMD64; as a variable of login shells it reaches what the "
        "user compiles, without a rebuild. A level in the user's ~/.config/go/env stands. Such "
        "programs start on no older CPU",
        claim=Claim(subject="go binaries", low=3, high=10),
    ),
)
