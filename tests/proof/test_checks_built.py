"""Results of builds that look right but prove nothing: flags, copies, generations, boot menu."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from converge.effect import Effect
from converge.plan.snapshot import Generation
from converge.proof.check import ABSENT, MISSING
from converge.setting import Layer
from tests.proof import checks
from tests.proof.checks import HOME, HOME_GENERATION, IN_USE, SYSTEM, failing, judge
from tests.subjects import CASES
from tests.subjects.layers import LIBRARIES, report


def test_flags_in_a_derivation_are_nothing_before_its_generation_is_in_use() -> None:
    built = {**LIBRARIES, ("file", f"{HOME}/.config/workspace-tuning"): failing(ABSENT, "")}
    finding = judge("libraries.leaf.home", built)
    assert (finding.effect, "activation" in finding.reason) == (Effect.PENDING, True)


def test_a_layer_that_is_not_there_yet_is_no_question_to_nix() -> None:
    known = checks.context()
    nodes = {p: n for p, n in known.snapshot.nodes.items() if "workspace-tuning" not in p}
    known = replace(known, snapshot=replace(known.snapshot, nodes=nodes))
    finding = judge("libraries.leaf.home", LIBRARIES, known=known)
    assert (finding.effect, "is empty" in finding.reason) == (Effect.NOT_EFFECTIVE, True)


def test_a_generation_of_another_profile_is_not_the_layers() -> None:
    other = checks.marker(b'{"settings": {"old": 1}}\n')
    replies = {**LIBRARIES, ("file", "home-7/home-files/.config/workspace-tuning"): other}
    finding = judge("libraries.leaf.home", replies)
    assert (finding.effect, "another profile" in finding.reason) == (Effect.NOT_EFFECTIVE, True)


def test_a_setting_that_the_generation_was_built_without_is_not_effective() -> None:
    settings = ("libraries.group.home.compression",)
    replies = {
        **LIBRARIES,
        ("file", "workspace-tuning/home-manager.json"): checks.marker(settings=settings),
    }
    assert judge("libraries.group.home.compression", replies).effect is Effect.EFFECTIVE
    assert judge("libraries.leaf.home", replies).effect is Effect.NOT_EFFECTIVE


def test_a_strategy_that_the_layer_does_not_have_is_not_effective() -> None:
    replies = {**LIBRARIES, "nix-report": report(strategy="leaf")}
    finding = judge("libraries.overlay.home", replies)
    assert (finding.effect, finding.found) == (Effect.NOT_EFFECTIVE, "leaf")


def test_copies_that_rebuild_what_the_user_installs_are_no_copies() -> None:
    text = json.dumps({**json.loads(report()), "rebuilt": ["firefox"]})
    finding = judge("libraries.leaf.home", {**LIBRARIES, "nix-report": text})
    assert (finding.effect, "firefox" in finding.found) == (Effect.NOT_EFFECTIVE, True)


def test_the_activated_generation_is_judged_before_it_is_kept() -> None:
    known = replace(checks.context(), paths={"home-manager": "/nix/store/new"})
    older = {
        **LIBRARIES,
        ("file", "new/home-files/.config/workspace-tuning"): checks.marker(),
        ("file", "home-7/home-files/.config/workspace-tuning"): failing(
            ABSENT, "made without the layer"
        ),
    }
    assert judge("generation.home", older, known=known).effect is Effect.EFFECTIVE
    assert judge("generation.home", older).effect is Effect.NOT_EFFECTIVE


def test_u12_a_first_generation_ever_is_no_fault_and_a_lost_one_is() -> None:
    only = (Generation(number=7, path=HOME_GENERATION, current=True),)
    system = checks.context().snapshot.generations["system"]
    there = {"exist": "".join(f"there {path}\n" for path in (SYSTEM, HOME_GENERATION))}
    both = {"exist": there["exist"] + f"there {system[0].path}\n"}
    first = checks.context(generations={"system": system, "home": only})
    finding = judge("rollback.ready", both, known=first)
    assert finding.effect is Effect.EFFECTIVE
    assert "home: no generation before it" in finding.reason
    assert judge("rollback.ready", both).effect is Effect.NOT_EFFECTIVE, "home-6 was collected"
    assert judge("rollback.ready", there, known=first).effect is Effect.NOT_EFFECTIVE
    alone = replace(first, not_applicable={Layer.NIXOS: "not part of this run"})
    assert judge("rollback.ready", there, known=alone).effect is Effect.NOT_APPLICABLE
    none = replace(checks.context(generations={}), not_applicable=alone.not_applicable)
    assert judge("before.generation", {"exist": ""}, known=none).effect is Effect.NOT_APPLICABLE


def test_a_value_of_the_kernel_that_needs_a_reboot_waits_for_it() -> None:
    replies = {**CASES["video.modesetting"].good, ("file", "nvidia_drm"): "N\n"}
    assert judge("video.modesetting", replies).effect is Effect.NOT_EFFECTIVE
    due = {**replies, "booted": "booted /a\ncurrent /b\ndiffers kernel-params\n"}
    finding = judge("video.modesetting", due)
    assert (finding.effect, "reboot" in finding.reason) == (Effect.PENDING, True)


def test_the_first_timeout_of_grub_is_not_the_one_that_counts() -> None:
    boot = CASES["boot.menu"].good["boot"]
    assert isinstance(boot, str)
    finding = judge("boot.menu", {**IN_USE, "boot": boot.replace("timeout=5", "timeout=-1")})
    assert (finding.effect, "-1 s" in finding.found) == (Effect.EFFECTIVE, True)


@pytest.mark.parametrize(
    ("line", "effect"),
    [
        ("conf timeout 5\n", Effect.EFFECTIVE),
        ("conf timeout menu-force\n", Effect.EFFECTIVE),
        ("conf timeout menu-hidden\n", Effect.NOT_EFFECTIVE),
        ("conf default x.conf\n", Effect.NOT_EFFECTIVE),
    ],
)
def test_systemd_boot_without_a_timeout_shows_no_menu(line: str, effect: Effect) -> None:
    entries = "entry nixos-generation-41.conf\nentry nixos-generation-42.conf\n"
    boot = f"loader systemd-boot\n{line}{entries}"
    assert judge("boot.menu", {**IN_USE, "boot": boot}).effect is effect


def test_mold_on_path_is_no_program_linked_by_mold() -> None:
    answer = "String dump of section '.comment':\n  [0] GCC: (GNU) 14\n"
    assert judge("before.mold", {"mold": answer}).effect is Effect.NOT_EFFECTIVE
    missing = judge("before.mold", {"mold": failing(MISSING, "mold")})
    assert (missing.effect, "mold" in missing.reason) == (Effect.NOT_APPLICABLE, True)
