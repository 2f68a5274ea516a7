"""What Nix builds for the estimate of a dry run: what the flake has to have built before it can be
evaluated (import from derivation), by Nix's own rules, and nothing of the plan."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tasks.reach.payload import pack_tree
from tasks.reach.remote import program
from tests.nix.harness import Nix
from tests.nix.test_flakes import LAYER, committed, flake
from tests.remote.reading import Reader
from tests.tools import need

IMPORTED = """
let
  made = derivation {
    name = "made"; system = "x86_64-linux"; builder = "/bin/sh";
    args = [ "-c" "echo '\\"y\\"' >$out" ];
  };
in derivation {
  name = "x-${import made}"; system = "x86_64-linux"; builder = "/bin/sh";
  args = [ "-c" "echo >$out" ];
}
"""


def names(nix: Nix) -> set[str]:
    """What was built, by name."""
    store = Path(nix.environment["NIX_STORE_DIR"])
    return {one.name[33:] for one in store.iterdir() if not one.name.endswith(".drv")}


@pytest.mark.parametrize("allowed", [True, False])
def test_an_estimate_builds_what_evaluation_needs_where_nix_allows_that_and_no_more(
    tmp_path: Path, *, allowed: bool
) -> None:
    reader = Reader(tmp_path / "workspace")
    place = committed(tmp_path / "flake", ("flake.nix", flake(IMPORTED)))
    found = reader.flake(str(place))
    nix = Nix(tmp_path / "nix")
    (tmp_path / "nix/home").mkdir(parents=True)
    environment = dict(nix.environment)
    if not allowed:
        environment["NIX_CONFIG"] = (
            environment.get("NIX_CONFIG", "") + "\nallow-import-from-derivation = false\n"
        )
    done = subprocess.run(
        (need("dash"), "-c", program("estimate"), "estimate", "x", found.url, ""),
        input=pack_tree([("flake.nix", LAYER.encode())]),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("estimated" in done.stdout.splitlines()) is allowed, done.stderr
    assert ("made" in names(nix)) is allowed
    assert "x-y" not in names(nix)
