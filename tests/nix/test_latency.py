"""Rows beyond the plan: nothing of them without the asking, and each its option with it."""

from __future__ import annotations

from pathlib import Path

from converge.subjects.latency import rows
from tests.nix import harness
from tests.nix.harness import Nix

FOUND = """{
  inherit (system.config.boot) kernelParams;
  inherit (system.config.systemd.tmpfiles) rules;
  cluster = system.config.boot.kernel.sysctl."vm.page-cluster" or null;
  app = system.config.systemd.user.slices.app or null;
  scx = { inherit (system.config.services.scx) enable scheduler; };
  failed = failed system.config;
}"""


def test_without_being_asked_for_no_row_beyond_the_plan_is_set(nix: Nix, tmp_path: Path) -> None:
    layers = harness.make_layers(tmp_path / "layers", harness.profile_data())
    found = nix.evaluate(FOUND, layers=layers)
    assert "zswap.enabled=0" not in found["kernelParams"]
    assert (found["rules"], found["cluster"], found["app"]) == ([], None, None)
    assert not found["scx"]["enable"]


def test_each_row_beyond_the_plan_becomes_its_option(nix: Nix, tmp_path: Path) -> None:
    accept = [row.id for row in rows.ROWS]
    layers = harness.make_layers(tmp_path / "layers", harness.profile_data(accept=accept))
    found = nix.evaluate(FOUND, layers=layers)
    assert "zswap.enabled=0" in found["kernelParams"]
    assert found["rules"] == ["w /sys/kernel/mm/lru_gen/min_ttl_ms - - - - 1000"]
    assert found["cluster"] == 0
    assert found["app"]["overrideStrategy"] == "asDropin"
    assert found["app"]["sliceConfig"] == {
        "ManagedOOMMemoryPressure": "kill",
        "ManagedOOMSwap": "kill",
    }
    assert found["scx"] == {"enable": True, "scheduler": "scx_lavd"}
    assert found["failed"] == []
