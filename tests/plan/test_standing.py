"""Where a setting stands: in force, or the one reason why not."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.plan.standing import ForbiddenSetting, Stand, Standing, standings
from converge.profile.asked import Ids, _useless
from converge.report import fleet
from converge.setting import NEEDS, Layer, Phase, Risk, State
from converge.subjects.settings import ALL, BY_ID

IDS = sorted(BY_ID)
FORCIBLE = [setting.id for setting in ALL if setting.forcible]
EVERY_FACT = frozenset(NEEDS)


def stands(
    *,
    facts: Iterable[str] = EVERY_FACT,
    phases: Iterable[Phase] = Phase,
    layers: Iterable[Layer] = Layer,
    missing: dict[Layer, str] | None = None,
    accept: Iterable[str] = (),
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
) -> dict[str, Standing]:
    found = standings(
        ALL,
        facts=frozenset(facts),
        not_applicable=missing or {},
        phases=frozenset(phases),
        layers=frozenset(layers),
        accept=frozenset(accept),
        include=frozenset(include),
        exclude=frozenset(exclude),
    )
    assert [one.setting.id for one in found] == [setting.id for setting in ALL]
    return {one.setting.id: one for one in found}


def test_what_is_for_compressed_swap_is_not_for_a_machine_without_it() -> None:
    found = stands(facts=EVERY_FACT - {"zram"}, include=["memory.page-cluster"])
    for name in ("memory.zram", "memory.swappiness", "memory.page-cluster"):
        one = found[name]
        assert (one.stand, one.why) == (Stand.NOT_APPLICABLE, "the profile declares no zram")
    assert found["memory.dirty-ratio"].in_force


def test_by_default_what_is_withheld_or_of_high_risk_is_not_in_force() -> None:
    for stand in stands().values():
        asked = stand.setting.state in (State.WITHHELD, State.OFFERED)
        risky = stand.setting.risk is Risk.HIGH or asked
        risky = risky or bool(stand.setting.rests_on)  # on one that is withheld
        assert stand.in_force is not risky
        assert bool(stand.why) is risky


def test_high_risk_asks_for_consent_by_name() -> None:
    name = "libraries.overlay.system"
    assert stands()[name].why.endswith(f"--data accept={name}")
    assert stands(accept=[name])[name].in_force
    assert stands(include=[name])[name].stand is Stand.CONSENT, "to include is not to accept"


def test_what_is_withheld_can_be_included_by_name_with_its_reason_shown_until_then() -> None:
    one = stands()["kwin.gl-core"]
    assert (one.stand, one.why) == (Stand.WITHHELD, BY_ID["kwin.gl-core"].reason)
    assert stands(include=["kwin.gl-core"])["kwin.gl-core"].in_force
    assert stands(accept=["kwin.gl-core"])["kwin.gl-core"].in_force


def test_rows_beyond_the_plan_come_by_their_name_or_all_by_one_word() -> None:
    offered = [setting.id for setting in ALL if setting.state is State.OFFERED]
    for name in offered:
        assert stands()[name].stand is Stand.OFFERED
        risky = BY_ID[name].risk is Risk.HIGH
        assert stands(include=[name])[name].in_force is not risky
        assert stands(include=["offered"])[name].in_force is not risky
        assert stands(accept=[name])[name].in_force
    rest = set(BY_ID) - set(offered)
    by_word, without = stands(include=["offered"]), stands()
    assert {name: by_word[name].stand for name in rest} == {
        name: without[name].stand for name in rest
    }


@pytest.mark.parametrize("way", ["accept", "include"])
@pytest.mark.parametrize("name", [setting.id for setting in ALL if not setting.forcible])
def test_what_would_stop_a_boot_or_the_session_cannot_be_forced(name: str, way: str) -> None:
    with pytest.raises(ForbiddenSetting, match=name):
        stands(**{way: [name]})  # type: ignore[arg-type]


def test_a_need_that_is_not_met_is_named() -> None:
    for fact, why in NEEDS.items():
        rest = EVERY_FACT - {fact}
        for stand in stands(facts=rest).values():
            if fact in stand.setting.needs:
                assert (stand.stand, stand.why) == (Stand.NOT_APPLICABLE, why)


def test_a_layer_that_is_not_there_comes_before_every_other_reason() -> None:
    missing = {Layer.NIXOS: "this machine is not NixOS"}
    for stand in stands(missing=missing, facts=(), exclude=IDS).values():
        if stand.setting.layer is Layer.NIXOS:
            assert (stand.stand, stand.why) == (Stand.NOT_APPLICABLE, missing[Layer.NIXOS])


def test_what_is_not_part_of_a_run_stays_as_it_is() -> None:
    found = stands(phases=[Phase.DESKTOP], layers=[Layer.PLASMA])
    for one in found.values():
        if one.setting.phase is not Phase.DESKTOP or one.setting.layer is not Layer.PLASMA:
            assert one.stand is Stand.OTHER_PHASE
            assert "not part of this run" in one.why
    assert found["kwin.contrast"].in_force


def test_the_driver_goes_with_the_first_phase() -> None:
    found = stands(phases=[Phase.LIBRARIES])
    assert found["video.driver"].in_force
    assert not found["video.graphics"].in_force


def test_an_exclusion_is_stronger_than_consent() -> None:
    name = "libraries.overlay.system"
    assert stands(accept=[name], exclude=[name])[name].stand is Stand.EXCLUDED


@given(
    st.frozensets(st.sampled_from(sorted(EVERY_FACT))),
    st.frozensets(st.sampled_from(Phase)),
    st.frozensets(st.sampled_from(Layer)),
    st.frozensets(st.sampled_from(FORCIBLE), max_size=5),
    st.frozensets(st.sampled_from(FORCIBLE), max_size=5),
    st.frozensets(st.sampled_from(IDS), max_size=5),
)
def test_nothing_is_in_force_without_its_needs_its_consent_and_its_place_in_the_run(
    facts: frozenset[str],
    phases: frozenset[Phase],
    layers: frozenset[Layer],
    accept: frozenset[str],
    include: frozenset[str],
    exclude: frozenset[str],
) -> None:
    for name, one in stands(
        facts=facts, phases=phases, layers=layers, accept=accept, include=include, exclude=exclude
    ).items():
        if one.in_force:
            assert one.setting.needs <= facts
            assert one.setting.layer in layers
            assert name not in exclude
            assert one.setting.risk is not Risk.HIGH or name in accept
            assert one.setting.state is not State.WITHHELD or name in accept | include
        else:
            assert one.why


def test_a_setting_without_the_one_that_it_rests_on_is_withheld_and_says_so() -> None:
    """The driver cannot decode in Firefox's sandbox, so preferences alone would have no effect."""
    one = stands()["video.firefox"]
    assert one.stand is Stand.WITHHELD
    assert "video.firefox-sandbox" in one.why
    assert stands(include=["video.firefox-sandbox"])["video.firefox"].in_force
    assert stands(include=["video.firefox"])["video.firefox"].in_force  # the user's own variable


def test_every_setting_rests_on_settings_that_are_there() -> None:
    names = {setting.id for setting in ALL}
    assert all(setting.rests_on <= names - {setting.id} for setting in ALL)


def test_every_way_to_stand_has_a_word_in_the_table_of_a_fleet() -> None:
    assert fleet._WORDS.keys() == set(Stand) - {Stand.IN_FORCE}


def test_a_package_is_installed_for_a_setting_that_include_names_and_for_no_other() -> None:
    def asked(**choices: Iterable[str]) -> set[str]:
        return {
            id
            for id, one in stands(**choices).items()  # type: ignore[arg-type]
            if isinstance(one.setting.value, dict) and one.setting.value.get("install") is True
        }

    assert asked() == set()
    names = {"runtimes.python", "electron.app.discord"}
    assert asked(include=names) == names
    assert asked(accept=names) == set()
    assert not BY_ID["kwin.contrast"].installable
    ids = Ids(BY_ID, (), (), {})
    for name in sorted(names):
        assert _useless("include", name, ids) == ("", "")
    assert _useless("include", "kwin.contrast", ids)[0]
