"""Run tests of the miniature on real releases instead: ``make real``.

In: REAL, pairs ``LIB:HOME_MANAGER`` of checkouts (nix-community/nixpkgs.lib or NixOS/nixpkgs, and
nix-community/home-manager), and NIXOS_HARDWARE; a Nix of 2.18 or later, which nixpkgs asks for.
Out: a table for docs/nix.md with the date, the versions, and how many tests passed on each; exit 1
where one failed or was skipped.
"""

from __future__ import annotations

import datetime
import os
import re
import subprocess
import sys
from pathlib import Path

#: Every case of flakes, homes and applications as people have them that a release can change.
TESTS = (
    *("options", "miniature", "yielding", "runtimes", "applications", "libraries", "layers"),
    *("workspaces", "video", "latency", "system", "home_module", "flake"),
)
HERE = Path(__file__).parent


def commit(checkout: str) -> str:
    """The commit of a checkout, or the release that it says it is."""
    git = ["git", "-C", checkout, "log", "-1", "--format=%h (%cs)"]
    if (Path(checkout) / ".git").exists():
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    return f"{Path(checkout).name}, no git"


def outcome(environment: dict[str, str]) -> tuple[int, str]:
    """Exit code and last line of the tests on these checkouts."""
    files = [str(HERE / f"test_{name}.py") for name in TESTS]
    command = [sys.executable, "-m", "pytest", "-v", "--tb=short", "-rfs", *files, *sys.argv[1:]]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    counts = re.findall(r"^=* ?(\d+ (?:passed|failed|skipped).*?) in ", done.stdout, re.M)
    short = done.returncode or "skipped" in "".join(counts)
    if short:
        print(done.stdout, file=sys.stderr)
    return int(bool(short)), counts[-1] if counts else done.stdout.strip().rpartition("\n")[2]


def main() -> int:
    pairs = [pair.partition(":") for pair in os.environ.get("REAL", "").split()]
    hardware = os.environ.get("NIXOS_HARDWARE", "")
    missing = [one for pair in pairs for one in (pair[0], pair[2]) if not Path(one).is_dir()]
    if not pairs or missing or not Path(hardware, "common/gpu").is_dir():
        print(__doc__, file=sys.stderr)
        print("not there:", *(missing or ["REAL or NIXOS_HARDWARE"]), file=sys.stderr)
        return 2
    nix = subprocess.run(["nix", "--version"], capture_output=True, text=True, check=True)
    print(f"{datetime.date.today()}, {nix.stdout.strip()}, nixos-hardware {commit(hardware)}\n")
    print("| release | lib | home-manager | tests |\n|---|---|---|---|")
    worst = 0
    for library, _, home in pairs:
        named = "NIXPKGS" if (Path(library) / "pkgs").is_dir() else "NIXPKGS_LIB"
        code, counts = outcome(
            {named: library, "HOME_MANAGER": home, "NIXOS_HARDWARE": hardware, "PYTEST_ADDOPTS": ""}
        )
        release = (Path(library) / "lib/.version").read_text().strip()
        print(f"| {release} | {commit(library)} | {commit(home)} | {counts} |", flush=True)
        worst = max(worst, code)
    return worst


if __name__ == "__main__":
    sys.exit(main())
