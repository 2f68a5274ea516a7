"""Rows beyond the plan about builds: builds yield to the desktop, and a cache saves some of them.

A build directory in memory (``boot.tmp.useTmpfs``) is left out, because memory is short here. The
plan's own row ``build.parallelism`` limits how much is built at once.
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
        id="build.idle",
        title="Builds take the CPU time that nobody else wants",
        value={"name": "build", "sliceLimits": {"CPUWeight": "idle"}},
        check="build.idle",
        evidence=(
            "https://github.com/torvalds/linux/commit/304000390f88",
            "https://github.com/systemd/systemd/pull/23299",
        ),
        gain="measured: an application starts 34 % faster beside builds (99 % interval 12 to 63)",
        reason="nix.daemonCPUSchedPolicy weighs builds against system.slice alone; a slice of "
        "their own beside user.slice, scheduled as idle, weighs them against the desktop (kernel "
        "5.15, commit 304000390f88; systemd 252, pull request 23299; read 2026-11). A build beside "
        "a busy desktop takes longer. What root builds without the daemon is not in it",
        risk=Risk.MEDIUM,
    ),
    _row(
        id="build.cache",
        title="Fetch what the Nix community has built",
        value={
            "substituter": "https://nix-community.cachix.org",
            "key": "nix-community.cachix.org-1:mB9FSh9qf2dCimDSUo8Zy7bkq5CX+/rkCWyvRCYg3Fs=",
        },
        check="build.cache",
        evidence=("https://nix-community.org/cache",),
        gain="no figure: it depends on what you build; a dry run says how much is fetched in "
        "place of built",
        reason="packages that cache.nixos.org leaves out, such as those with CUDA, are hours of "
        "building (nix-community.org/cache, read 2026-11). Whoever holds its key can put programs "
        "on the machine, so it wants consent",
        risk=Risk.HIGH,
    ),
)
