"""The gate compares march and CPU feature by feature, also those that Linux never prints."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from converge.gate.gate import blocking, gate
from converge.hardware import cpus
from converge.profile.profile import load_profile
from tests.gate.machines import recorded
from tests.gate.test_gate import BLOCKS, SHOSHIN, TRUE, altered, but, in_force, verdict_on


@pytest.mark.parametrize("flag", sorted(cpus.marches()["skylake"]))
def test_each_missing_feature_of_the_march_blocks(flag: str) -> None:
    profile = load_profile(SHOSHIN)
    machine = recorded("shoshin")
    assert machine.cpu_flags is not None
    verdicts = gate(profile, but(machine, cpu_flags=machine.cpu_flags - {flag}), in_force(profile))
    verdict = verdict_on("build.compiler.march", verdicts)
    assert verdict.outcome is BLOCKS
    assert flag in verdict.found.split()
    assert verdict.fix.startswith("write build.compiler.march: x86-64")


@pytest.mark.parametrize("flag", ["sgx", "xsaves", "pku", "hle", "intel_pt"])
def test_a_feature_that_no_compiler_uses_is_not_asked_for(flag: str) -> None:
    profile = load_profile(SHOSHIN)
    machine = recorded("shoshin")
    assert machine.cpu_flags is not None
    verdicts = gate(profile, but(machine, cpu_flags=machine.cpu_flags - {flag}), in_force(profile))
    assert blocking(verdicts) == ()


def test_the_fix_names_the_best_march_of_the_machine(tmp_path: Path) -> None:
    profile = altered(
        tmp_path,
        ("family: skylake", "family: znver3"),
        ("vendor: intel", "vendor: amd"),
        ("march: skylake", "march: znver3"),
    )
    verdict = verdict_on(
        "build.compiler.march", gate(profile, recorded("shoshin"), in_force(profile))
    )
    assert "clwb clzero rdpid sha_ni sse4a vaes vpclmulqdq" in verdict.found
    assert "build.compiler.march: skylake" in verdict.fix


def test_a_march_with_features_that_linux_never_prints_needs_a_cpu_of_that_number() -> None:
    """Arrow Lake and Alder Lake look alike in cpuinfo; code for the first dies on the second."""
    profile = load_profile(SHOSHIN)
    compiler = dataclasses.replace(profile.build.compiler, march="arrowlake")
    profile = dataclasses.replace(
        profile, build=dataclasses.replace(profile.build, compiler=compiler)
    )
    both: dict[str, object] = {"cpu_flags": cpus.marches()["arrowlake"], "cpu_family": 6}
    arrow = but(recorded("shoshin"), cpu_number=197, **both)
    fact = "build.compiler.march"
    assert verdict_on(fact, gate(profile, arrow, in_force(profile))).outcome is TRUE
    for number in (151, 999):
        other = but(recorded("shoshin"), cpu_number=number, **both)
        verdict = verdict_on(fact, gate(profile, other, in_force(profile)))
        assert verdict.outcome is BLOCKS
        assert "cmpccxadd" in verdict.found
        assert verdict.fix.startswith("write build.compiler.march: alderlake")
