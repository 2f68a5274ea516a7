"""The plan, desired - snapshot, has all that a run would do, and nothing that is done already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from converge.plan import layers
from converge.plan.flakes import Flake
from converge.plan.plan import Plan
from converge.plan.snapshot import Generation, LastBuild, Snapshot, Transaction
from converge.plan.written import LastWritten, SettingProof
from converge.setting import Layer, Phase
from converge.subjects.settings import ALL
from converge.trial import Trial, TrialState
from tests.plan import plans
from tests.plan.plans import DESKTOP, EVERY, KWINRC, LIVED_IN, applied, file, found, plan
from tests.proof.checks import HOME

VARIABLES = f"{HOME}/.config/environment.d/60-video-variables.conf"
SOURCE = f"{HOME}/.local/share/chezmoi/dot_config/private_kwinrc"


def change_of(made: Plan, path: str) -> bytes | None:
    (change,) = [one for one in made.changes if one.path == path]
    return change.after


def test_a_plan_that_was_applied_leaves_nothing_to_do() -> None:
    before = found()
    made = plan(before)
    assert not made.empty
    after = applied(before, made)
    again = plan(after)
    assert again.empty, again.summary()
    assert (again.changes, again.drift, again.refusals) == ((), (), ())


def test_the_nix_layers_are_written_and_built_and_then_at_rest() -> None:
    before = found()
    made = plan(before, selected=EVERY)
    assert {build.nix.layer for build in made.needed_builds} == {Layer.NIXOS, Layer.HOME_MANAGER}
    assert {change.root for change in made.changes if change.layer is Layer.NIXOS} == {True}
    assert {change.root for change in made.changes if change.layer is not Layer.NIXOS} == {False}
    results = {"nixos": "/nix/store/new-system", "home-manager": "/nix/store/new-home"}
    after = replace(
        applied(before, made),
        built={
            build.nix.layer.value: LastBuild(
                inputs=build.inputs, path=results[build.nix.layer.value]
            )
            for build in made.builds
        },
        generations={
            "system": (Generation(number=43, path=results["nixos"], current=True),),
            "home": (Generation(number=8, path=results["home-manager"], current=True),),
        },
    )
    assert plan(after, selected=EVERY).empty


def _base(snapshot: Snapshot) -> Snapshot:
    flake = replace(snapshot.flakes["home"], digest="another")
    return replace(snapshot, flakes={**snapshot.flakes, "home": flake})


def _generation(snapshot: Snapshot) -> Snapshot:
    theirs = (Generation(number=9, path="/nix/store/theirs", current=True),)
    return replace(snapshot, generations={**snapshot.generations, "home": theirs})


def _no_generation(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, generations={**snapshot.generations, "home": ()})


@pytest.mark.parametrize("changed", [_base, _generation, _no_generation])
def test_a_layer_is_built_again_when_its_inputs_or_its_generation_changed(
    changed: Callable[[Snapshot], Snapshot],
) -> None:
    home = frozenset({Layer.HOME_MANAGER})
    made = plan(found(), selected=home)
    (build,) = made.builds
    rest = replace(
        applied(found(), made),
        built={"home-manager": LastBuild(inputs=build.inputs, path="/nix/store/new")},
        generations={"home": (Generation(number=8, path="/nix/store/new", current=True),)},
    )
    assert plan(rest, selected=home).empty
    (again,) = plan(changed(rest), selected=home).builds
    assert again.needed


def test_a_system_that_is_on_trial_is_not_to_be_built_again() -> None:
    """Its profile stays at the generation before until the machine was booted and proved."""
    system = frozenset({Layer.NIXOS})
    made = plan(found(), selected=system)
    (build,) = made.builds
    rest = replace(
        applied(found(), made),
        built={"nixos": LastBuild(inputs=build.inputs, path="/nix/store/new")},
        generations={
            "system": (
                Generation(number=1, path="/nix/store/old", current=True),
                Generation(number=2, path="/nix/store/new", current=False),
            )
        },
    )
    assert plan(rest, selected=system).needed_builds
    tried = Transaction(
        directory="/var/lib/workspace-tuning/runs/me/r1/transaction",
        alive=False,
        left_s=0,
        word="kept",
        reason="",
        trial=Trial(state=TrialState.BOOTING, boot=rest.facts["boot_id"], number=2),
    )
    assert plan(replace(rest, transactions=(tried,)), selected=system).empty


def test_u12_what_an_undo_cannot_give_back_is_said_before_anybody_consents() -> None:
    said = "home-manager: this is the first generation: an undo has none to go back to"
    first = plan(replace(found(), generations={}), selected=frozenset({Layer.HOME_MANAGER}))
    assert [text for text in first.warnings if said in text]
    home = (Generation(number=8, path="/nix/store/old", current=True),)
    later = replace(found(), generations={"home": home})
    assert not [text for text in plan(later, selected=EVERY).warnings if said in text]


def test_untracked_files_of_a_git_flake_are_reported() -> None:
    flake = Flake(scheme="git", digest="d", directory=f"{HOME}/dots", untracked=("new.nix",))
    snapshot = found()
    snapshot = replace(snapshot, flakes={**snapshot.flakes, "home": flake})
    made = plan(snapshot, selected=EVERY)
    assert f"{HOME}/dots/new.nix is not tracked by git: Nix does not see it" in made.warnings


def absent(path: str) -> Flake:
    return Flake(scheme="absent", digest="-", directory=path, why=("it does not exist",))


def test_only_an_absent_flake_that_nobody_named_or_applied_means_that_a_layer_does_not_apply() -> (
    None
):
    """T1: a flake that was named or applied and is gone or unreadable is a fault."""
    snapshot, hardware = found(), plans.profile()
    gone = replace(snapshot, flakes={**snapshot.flakes, "home": absent("/home/x")})
    none = layers.faults(gone, hardware, named=frozenset())
    assert none == {}
    assert Layer.HOME_MANAGER in layers.not_applicable(gone, hardware)

    named = layers.faults(gone, hardware, named=frozenset({"base_home"}))
    assert named[Layer.HOME_MANAGER].given
    assert "base_home names it" in named[Layer.HOME_MANAGER].what

    file = f"{HOME}/.local/share/workspace-tuning/home-manager/flake.nix"
    applied = replace(gone, written=LastWritten(files={file: "d"}))
    one = layers.faults(applied, hardware, named=frozenset())[Layer.HOME_MANAGER]
    assert (one.given, "was applied" in one.what) == (False, True)
    without = replace(applied, tools={})
    assert "nix is not installed" in (
        layers.faults(without, hardware, named=frozenset())[Layer.HOME_MANAGER].what
    )
    for scheme in ("unreadable", "failed"):
        broken = Flake(scheme=scheme, digest="-", directory="/x", why=("fatal: no", "", " do it"))
        bad = replace(snapshot, flakes={**snapshot.flakes, "home": broken})
        fault = layers.faults(bad, hardware, named=frozenset())[Layer.HOME_MANAGER]
        assert fault.what == "fatal: no; do it"
        faulty = {Layer.HOME_MANAGER: fault}
        assert Layer.HOME_MANAGER not in layers.not_applicable(bad, hardware, faulty=faulty)


def test_a_home_that_the_system_activates_is_a_part_of_the_systems_layer() -> None:
    snapshot, hardware = found(), plans.profile()
    gone = {**snapshot.flakes, "home": absent("/home/x")}
    within = replace(snapshot, flakes=gone, marks=snapshot.marks | {"home_module"})
    assert Layer.HOME_MANAGER not in layers.not_applicable(within, hardware)
    named = frozenset({"base_home"})  # which may name a place without a flake
    assert layers.faults(within, hardware, named=named) == {}
    system, home = layers.nix_layers(within, root="", host="box", user="me")
    assert (home.directory, home.base, home.profile, home.root) == (
        (system.directory, "system", "system", True)
    )
    assert home.data == "/var/lib/workspace-tuning/nixos/home-manager/profile.json"
    made = plan(within, selected=EVERY)
    assert [build.nix.layer for build in made.builds] == [Layer.NIXOS]
    mine = {c.path: c.root for c in made.changes if c.layer is Layer.HOME_MANAGER}
    assert all(path.startswith("/var/lib/workspace-tuning/nixos/home-manager/") for path in mine)
    assert home.data in mine
    assert all(mine.values())
    assert not any(path.endswith("flake.nix") for path in mine)

    elsewhere = replace(within, marks=within.marks - {"nixos"})
    why = layers.not_applicable(elsewhere, hardware)[Layer.HOME_MANAGER]
    assert "a part of the NixOS system: this machine is not NixOS" in why


def test_a_home_that_the_system_activates_and_another_in_a_flake_are_refused() -> None:
    snapshot, hardware = found(), plans.profile()
    both = replace(snapshot, marks=snapshot.marks | {"home_module"})
    for named in (frozenset({"base_home"}), frozenset()):
        fault = layers.faults(both, hardware, named=named)[Layer.HOME_MANAGER]
        assert "home-manager.users.mitsio of the NixOS system activates" in fault.what
        assert "--data base_home=" in fault.fix
        assert fault.given is bool(named)


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("home_module_others", "mitsio is not in home-manager.users"),
        ("home_module_at_login", "startAsUserService is set"),
    ],
)
def test_home_manager_as_a_module_that_has_no_home_to_extend_is_named(mark: str, said: str) -> None:
    snapshot, hardware = found(), plans.profile()
    gone = {**snapshot.flakes, "home": absent("/home/x")}
    one = replace(snapshot, flakes=gone, marks=snapshot.marks | {mark})
    assert said in layers.not_applicable(one, hardware)[Layer.HOME_MANAGER]
    fault = layers.faults(one, hardware, named=frozenset({"base_home"}))[Layer.HOME_MANAGER]
    assert said in fault.what


# ---- the id --------------------------------------------------------------------------------------


def test_the_id_is_the_same_for_the_same_bytes_and_no_number_on_a_command_line() -> None:
    ids = {plan(found()).id for _ in range(3)}
    assert len(ids) == 1
    (one,) = ids
    assert len(one) == 12
    assert one[0] in "abcdef"


def _content(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, nodes={**snapshot.nodes, KWINRC: file(KWINRC, LIVED_IN + b"x=1\n")})


def _leftover(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, leftovers=(f"{HOME}/.config/.kwinrc.wt-old",))


def _new_file(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, nodes={**snapshot.nodes, VARIABLES: file(VARIABLES, b"")})


@pytest.mark.parametrize("changed", [_content, _leftover, _new_file])
def test_the_id_is_another_when_anything_that_a_run_would_do_is_another(
    changed: Callable[[Snapshot], Snapshot],
) -> None:
    assert plan(changed(found())).id != plan(found()).id


def test_the_id_says_nothing_of_what_a_plan_does_not_depend_on() -> None:
    other = replace(found(), machine=("detected",), tools={**found().tools, "git": "/usr/bin/git"})
    assert plan(other).id == plan(found()).id


# ---- files that were ours ------------------------------------------------------------------------


def test_a_file_that_is_no_longer_wanted_goes_and_a_changed_one_stays() -> None:
    rest = applied(found(), plan(found()))
    assert VARIABLES in rest.nodes
    without = plan(rest, exclude=["video.variables"])
    assert change_of(without, VARIABLES) is None
    assert VARIABLES not in without.written.files

    edited = replace(rest, nodes={**rest.nodes, VARIABLES: file(VARIABLES, b"X=1\n", mode=0o644)})
    kept = plan(edited, exclude=["video.variables"])
    assert VARIABLES not in {change.path for change in kept.changes}
    assert any(VARIABLES in text and "left alone" in text for text in kept.warnings)


def test_files_of_phases_that_are_not_part_of_a_run_stay() -> None:
    rest = applied(found(), plan(found()))
    assert plan(rest, phases=[Phase.DESKTOP]).changes == ()


def test_files_of_a_layer_that_does_not_apply_any_more_stay() -> None:
    rest = applied(found(), plan(found(), selected=EVERY))
    gone = replace(rest, tools={})
    assert not [change for change in plan(gone, selected=EVERY).changes if change.after is None]


def test_a_record_that_names_files_of_others_removes_none_of_them() -> None:
    """Only files that the snapshot has read, and that are as a run wrote them, can be removed."""
    written = LastWritten(run="r", files={"/etc/passwd": "0" * 64, KWINRC: "1" * 64})
    made = plan(replace(found(), written=written))
    assert not [change for change in made.changes if change.after is None]


def test_the_mode_of_a_file_of_ours_is_healed() -> None:
    rest = applied(found(), plan(found()))
    node = rest.nodes[VARIABLES]
    made = plan(replace(rest, nodes={**rest.nodes, VARIABLES: replace(node, mode=0o666)}))
    (change,) = made.changes
    assert (change.path, change.mode, change.before) == (VARIABLES, 0o644, change.after)


def test_what_a_killed_run_left_is_swept_even_when_nothing_else_changes() -> None:
    rest = applied(found(), plan(found()))
    left = f"{HOME}/.config/.kwinrc.wt-20260101t000000-abcd"
    made = plan(replace(rest, leftovers=(left,)))
    assert (made.sweep, made.changes, made.empty) == ((left,), (), False)


def test_a_damaged_record_is_said_and_the_machine_itself_compared() -> None:
    rest = applied(found(), plan(found()))
    made = plan(replace(rest, written=LastWritten(damaged=True)))
    assert any("written.json is damaged" in text for text in made.warnings)
    assert (made.changes, made.drift, made.empty) == ((), (), False)
    assert plan(replace(rest, written=made.written)).empty


PROVED = SettingProof(effect="effective", run="r", boot="b", uptime_s=1, digest="d")


def test_only_a_staged_rollout_has_proof_to_record_where_nothing_changes() -> None:
    rest = applied(found(), plan(found()))
    pending = replace(PROVED, effect="pending")
    in_force = replace(rest, written=replace(rest.written, settings={"kwin.blur": pending}))
    assert plan(in_force, proved={"kwin.blur": PROVED}).empty
    assert not plan(in_force, proved={"kwin.blur": PROVED}, staged=True).empty
    assert not plan(rest, proved={"kwin.blur": PROVED}).empty, "it is newly in force"
    written = replace(rest.written, settings={"kwin.blur": PROVED}, staged=True)
    assert plan(replace(rest, written=written), proved={"kwin.blur": PROVED}, staged=True).empty


def test_a_record_that_proves_nothing_and_a_rollout_that_is_left_are_said() -> None:
    rest = applied(found(), plan(found()))
    older = plan(replace(rest, written=replace(rest.written, older=True)))
    assert any("older form: nothing is proved" in text for text in older.warnings)
    staged = replace(rest, written=replace(rest.written, staged=True))
    assert any("lets all phases in" in text for text in plan(staged).warnings)
    assert not plan(staged, staged=True, proved=dict(staged.written.settings)).warnings


def test_live_and_inert_together_are_all_changes() -> None:
    made = plan(found(), selected=EVERY)
    assert {*made.live, *made.inert} == set(made.changes)
    assert {one.layer for one in made.live} == DESKTOP


def test_every_setting_has_a_standing_in_every_plan() -> None:
    for selected in (EVERY, DESKTOP, frozenset({Layer.NIXOS})):
        made = plan(found(), selected=selected)
        assert [standing.setting.id for standing in made.standings] == [
            setting.id for setting in ALL
        ]
    assert plans.profile().workspace == made.workspace
