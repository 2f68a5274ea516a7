"""Rows beyond the plan: without asking, none sets anything; with asking, each sets its option."""

from __future__ import annotations

from pathlib import Path

from converge.subjects.builds import rows as builds
from converge.subjects.latency import rows
from tests.nix import harness
from tests.nix.harness import Nix

FOUND = """{
  inherit (system.config.boot) kernelParams;
  inherit (system.config.systemd.tmpfiles) rules;
  cluster = system.config.boot.kernel.sysctl."vm.page-cluster" or null;
  app = system.config.systemd.user.slices.app.sliceConfig or null;
  session = system.config.systemd.user.slices.session.sliceConfig or null;
  above = {
    user = system.config.systemd.slices.user.sliceConfig or null;
    each = system.config.systemd.slices."user-".sliceConfig or null;
    manager = system.config.systemd.services."user@".serviceConfig or null;
  };
  builds = {
    slice = system.config.systemd.slices.build.sliceConfig or null;
    daemon = system.config.systemd.services.nix-daemon.serviceConfig or null;
    inherit (system.config.nix.settings) substituters trusted-public-keys;
  };
  oomd = home.config.xdg.configFile."systemd/user/app.slice.d/60-memory-oomd.conf".text or null;
  scx = { inherit (system.config.services.scx) enable scheduler; };
  failed = failed system.config;
}"""


def test_without_being_asked_for_no_row_beyond_the_plan_is_set(nix: Nix, tmp_path: Path) -> None:
    layers = harness.make_layers(tmp_path / "layers", harness.profile_data())
    found = nix.evaluate(FOUND, layers=layers)
    assert "zswap.enabled=0" not in found["kernelParams"]
    assert (found["rules"], found["cluster"], found["oomd"]) == ([], None, None)
    assert found["app"] == {"MemoryHigh": "75%"}  # the plan's own
    assert (found["session"], found["above"]) == (None, dict.fromkeys(found["above"]))
    assert (found["builds"]["slice"], found["builds"]["daemon"]) == (None, None)
    assert found["builds"]["substituters"] == ["https://cache.nixos.org/"]
    assert not found["scx"]["enable"]


def test_each_row_beyond_the_plan_becomes_its_option(nix: Nix, tmp_path: Path) -> None:
    accept = [row.id for row in (*rows.ROWS, *builds.ROWS)]
    layers = harness.make_layers(tmp_path / "layers", harness.profile_data(accept=accept))
    found = nix.evaluate(FOUND, layers=layers)
    assert "zswap.enabled=0" in found["kernelParams"]
    assert found["rules"] == ["w /sys/kernel/mm/lru_gen/min_ttl_ms - - - - 1000"]
    assert found["cluster"] == 0
    promise = {"MemoryMin": "4%"}
    assert found["session"] == promise
    assert found["above"] == {"user": promise, "each": promise, "manager": promise}
    assert found["oomd"] == ("[Slice]\nManagedOOMMemoryPressure=kill\nManagedOOMSwap=kill\n")
    assert found["builds"]["slice"] == {"CPUWeight": "idle"}
    assert found["builds"]["daemon"] == {"Slice": "build.slice"}
    asked, trusted = found["builds"]["substituters"], found["builds"]["trusted-public-keys"]
    assert asked == ["https://nix-community.cachix.org", "https://cache.nixos.org/"]
    assert len(trusted) == 2
    assert found["scx"] == {"enable": True, "scheduler": "scx_lavd"}
    assert found["failed"] == []
