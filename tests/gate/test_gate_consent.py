"""Consent to what the gate blocks: given by a person, and never to what would stop a boot."""

from __future__ import annotations

from pathlib import Path

from converge.gate.gate import CONSENTS, FACTS, blocking, gate
from converge.profile.profile import load_profile
from converge.setting import Layer
from tests.gate.machines import MACHINES, recorded
from tests.gate.test_gate import (
    INVENTORY,
    KEPLER,
    NO_NVIDIA,
    SHOSHIN,
    altered,
    but,
    in_force,
    verdict_on,
)


def test_what_would_stop_a_boot_cannot_be_consented_to() -> None:
    profile = load_profile(SHOSHIN)
    machine = but(recorded("shoshin"), cpu_flags=frozenset({"sse2"}), gpus=(KEPLER,), **NO_NVIDIA)
    verdicts = gate(profile, machine, in_force(profile), accept=frozenset(FACTS))
    assert {v.fact for v in blocking(verdicts)} == {"build.compiler.march", "gpus.architecture"}


def test_a_block_that_only_wastes_or_fails_can_be_consented_to(tmp_path: Path) -> None:
    profile = altered(tmp_path, ("totalGB: 16", "totalGB: 32"), ("memoryGB: 6", "memoryGB: 18"))
    refused = gate(profile, recorded("shoshin"), in_force(profile))
    assert [v.fact for v in blocking(refused)] == ["build.tiers"]
    accept = frozenset({"build.tiers"})
    verdicts = gate(profile, recorded("shoshin"), in_force(profile), accept=accept)
    assert blocking(verdicts) == ()
    assert "consented to" in str(verdict_on("build.tiers", verdicts))


def test_home_programs_built_for_another_cpu_block_but_stop_no_boot() -> None:
    profile = load_profile(SHOSHIN)
    machine = but(recorded("shoshin"), cpu_flags=frozenset({"sse2"}))
    settings = in_force(profile, layers=frozenset({Layer.HOME_MANAGER}))
    (block,) = blocking(gate(profile, machine, settings))
    assert block.overridable
    assert not blocking(gate(profile, machine, settings, accept=frozenset({block.fact})))


def test_every_fact_that_takes_consent_is_listed_and_no_other() -> None:
    machines = [recorded(path.stem) for path in sorted(MACHINES.glob("desktop-*.tree"))[:12]]
    asked = set()
    for path in sorted(INVENTORY.glob("*.yaml")):
        profile = load_profile(path)
        home = frozenset({Layer.HOME_MANAGER})
        for machine in [*machines, but(machines[0], cpu_flags=frozenset({"sse2"}))]:
            for force in (in_force(profile), in_force(profile, layers=home)):
                verdicts = blocking(gate(profile, machine, force))
                asked |= {verdict.fact for verdict in verdicts if verdict.overridable}
    assert asked | {"session.type"} == set(CONSENTS)  # that of Plasma 6.8 is in test_gate.py
