"""Choices of a workspace: what pyinfra hands over, and what is refused."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from converge.profile.choices import Choices, InvalidInput, check_choices, fleet_problems
from converge.setting import Layer, Phase

GIVEN: dict[str, object] = {
    "workspace": "shoshin",
    "profile": "inventory/hardware/shoshin.yaml",
    "user": "mitsio",
}
KNOWN = ["libraries.overlay.glibc", "memory.zram", "video.driver"]


def check(**more: object) -> Choices:
    return check_choices("shoshin", {**GIVEN, **more}, known_settings=KNOWN)


def refused(**more: object) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        check(**more)
    return [str(problem) for problem in caught.value.problems]


def test_three_keys_are_enough_and_the_rest_has_defaults() -> None:
    choices = check()
    assert choices.host == "shoshin"
    assert (choices.base_nixos, choices.base_home) == ("/etc/nixos", "~/.config/home-manager")
    assert choices.phases == frozenset(Phase)
    assert choices.layers == frozenset(Layer)
    assert (choices.rollout, choices.deadline_s, choices.root) == ("all", 300, "")


@pytest.mark.parametrize("value", [1, "1", [1], ["1"], (1,), {"1"}])
def test_one_phase_in_every_form_that_pyinfra_makes_of_it(value: object) -> None:
    assert check(phases=value).phases == {Phase.LIBRARIES}


@pytest.mark.parametrize("value", ["1,memory", "1, memory", [1, "memory"], ["memory", "1"]])
def test_several_phases_in_every_form(value: object) -> None:
    assert check(phases=value).phases == {Phase.LIBRARIES, Phase.MEMORY}


def test_layers_and_settings_as_comma_text_or_list() -> None:
    choices = check(layers="plasma,session", accept="memory.zram", include=["video.driver"])
    assert choices.layers == {Layer.PLASMA, Layer.SESSION}
    assert choices.accept == {"memory.zram"}
    assert choices.include == {"video.driver"}


def test_plan_id_of_digits_only_arrives_as_a_number_and_gets_its_zeros_back() -> None:
    assert check(plan=12345).plan == "000000012345"
    assert check(plan="0a1b2c3d4e5f").plan == "0a1b2c3d4e5f"


def test_plan_id_that_was_read_as_a_fraction_is_explained() -> None:
    assert refused(plan=float("inf")) == [
        'inventory host "shoshin": plan: was read as a number on the way here; '
        "give it with quotes inside quotes: --data 'plan=\"...\"'"
    ]


def test_pyinfras_own_keys_are_left_alone() -> None:
    check(ssh_hostname="10.0.0.5", ssh_user="x", _sudo=True, _env={"A": "b"})


def test_path_object_is_a_path() -> None:
    assert check(root=PurePosixPath("/tmp/sandbox")).root == "/tmp/sandbox"


def test_all_problems_of_a_host_come_at_once() -> None:
    lines = refused(phases="1,7", layers="nixo", accept="memory.zran", worksace="x", user="a;b")
    assert lines == [
        'inventory host "shoshin": accept[0]: there is no setting "memory.zran"; '
        "did you mean memory.zram?",
        'inventory host "shoshin": layers[0]: "nixo" is not known, expected one of nixos, '
        "home-manager, plasma, session; did you mean nixos?",
        'inventory host "shoshin": phases[1]: "7" is not known, expected one of 1, 2, 3, 4, 5, '
        "memory",
        'inventory host "shoshin": user: "a;b" does not have the form it needs; '
        "write what id -un prints there, such as mitsio",
        'inventory host "shoshin": worksace: is not a known key; '
        "remove it: workspace is there already",
    ]


def test_missing_keys_are_named() -> None:
    with pytest.raises(InvalidInput) as caught:
        check_choices("x", {"workspace": "x"}, known_settings=KNOWN)
    text = str(caught.value)
    assert "the key profile is missing" in text
    assert "the key user is missing" in text


def test_misspelt_key_is_reported_once_with_the_right_one() -> None:
    given = {"workspace": "x", "profil": "inventory/hardware/x.yaml", "user": "u"}
    with pytest.raises(InvalidInput) as caught:
        check_choices("x", given, known_settings=KNOWN)
    assert [str(problem) for problem in caught.value.problems] == [
        'inventory host "x": profil: is not a known key; did you mean profile?'
    ]


def test_setting_in_include_and_exclude_is_refused() -> None:
    assert "is excluded as well" in refused(include="memory.zram", exclude="memory.zram")[0]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("workspace", "../../x"),
        ("workspace", "-oProxyCommand=id"),
        ("workspace", "a b"),
        ("workspace", "@local"),
        ("workspace", "Shoshin"),
        ("workspace", "shoshin\n"),
        ("workspace", "x" * 64),
        ("workspace", ""),
        ("profile", "/etc/passwd.yaml"),
        ("profile", "../x.yaml"),
        ("profile", "inventory/../../x.yaml"),
        ("profile", "inventory/hardware/x.yml"),
        ("profile", "a//b.yaml"),
        ("user", "root; id"),
        ("user", "-x"),
        ("user", "\\me"),
        ("user", "DOMAIN\\"),
        ("user", "a/b"),
        ("user", "..\\me"),
        ("user", "a\u202eb"),
        ("host", 'x".y'),
        ("host", "${x}"),
        ("root", "relative"),
        ("root", "/home/.."),
        ("root", "/home/./x"),
        ("root", "/home/x/"),
        ("root", "/home/a'b"),
        ("root", "/home/$(id)"),
        ("root", "/"),
        ("root", "/tmp/x#y"),
        ("base_nixos", "~/nixos"),
        ("base_nixos", "/etc/nixos?dir=x"),
        ("base_home", "~other/x"),
        ("base_home", "~"),
        ("base_home", "~/.."),
        ("phases", []),
        ("phases", ""),
        ("phases", True),
        ("phases", "1,1"),
        ("phases", 6),
        ("phases", [1.0]),
        ("layers", {"nixos": 1}),
        ("accept", None),
        ("accept", [7]),
        ("plan", -1),
        ("plan", "0A1B2C3D4E5F"),
        ("plan", 10**12),
        ("rollout", "some"),
        ("deadline_s", 29),
        ("deadline_s", 3601),
        ("deadline_s", True),
        ("deadline_s", 300.0),
        ("deadline_s", "300"),
        ("build_on", "host name"),
        ("canary", "x/y"),
        ("build_limit_s", 59),
        ("build_limit_s", "forever"),
        ("write", "../x.yaml"),
        ("write", "inventory/x.yml"),
        ("write", "a/../x.yaml"),
        ("write", "x.yaml\n"),
        ("write", "inventory/hardware/My_Box.yaml"),
        ("write", "-x.yaml"),
        ("write", f"{'x' * 64}.yaml"),
        ("run", "../20250101t000000-abcd"),
    ],
)
def test_refused_value(key: str, value: object) -> None:
    lines = refused(**{key: value})
    assert all(line.startswith(f'inventory host "shoshin": {key}') for line in lines)
    assert all(line.isprintable() for line in lines)


TEXT_KEYS = sorted(name for name, one in Choices.__dataclass_fields__.items() if one.type == "str")
HARMLESS = re.compile(r"[A-Za-z0-9_.+@/-]*\Z")
#: What people really have: a directory of any name without what a flake reference or Nix's text
#: gives a meaning, a user of a domain, a machine's account. They are data, never shell text.
_DIRECTORY = re.compile(r'~?(?:/[^/?#*"\\]+)+\Z')
OBEYED = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # characters that a terminal obeys or does not show
WIDER = {
    "base_nixos": _DIRECTORY,
    "base_home": _DIRECTORY,
    "user": re.compile(r"[A-Za-z0-9_.+@\\-]+\$?\Z"),
}
HOSTILE = st.text(max_size=80) | st.text(alphabet="a/.~-$;'\"`\\ {}\n\t%=[]()&|<>*?#@\0\u202e\x85")


@given(st.sampled_from(TEXT_KEYS), HOSTILE)
@example("base_home", "/:")
@example("user", "A\\b")
@example("user", "a$")
@settings(deadline=None)
def test_hostile_text_never_gets_through(key: str, text: str) -> None:
    try:
        value = getattr(check(**{key: text}), key)
    except InvalidInput as error:
        assert all(str(problem).isprintable() for problem in error.problems)
        return
    assert value == text
    assert not OBEYED & {unicodedata.category(one) for one in value}
    assert WIDER.get(key, HARMLESS).match(value)
    assert ".." not in value.split("/")
    assert not value.startswith("-")


@given(HOSTILE)
@example("A")
@example("nixpkgs=github:a/b c")
@example("a'b")
@example("a#b")
@settings(deadline=None)
def test_hostile_text_never_gets_through_as_a_reference(text: str) -> None:
    """A reference of a flake has more characters than a name: it is data, never shell text."""
    try:
        (value,) = check(against=[text]).against
    except InvalidInput as error:
        assert all(str(problem).isprintable() for problem in error.problems)
        return
    assert value == text
    assert re.match(r"[A-Za-z/]", value)
    assert not OBEYED & {unicodedata.category(one) for one in value}
    assert not set(value) & set(" \"'\\#")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*GIVEN, *Choices.__dataclass_fields__]), ANYTHING))
@settings(deadline=None)
def test_any_host_data_gives_choices_or_problems(data: dict[str, Any]) -> None:
    try:
        check(**data)
    except InvalidInput as error:
        assert error.problems


@given(st.text())
@settings(deadline=None)
def test_any_host_name_is_printed_safely(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_choices(name, {}, known_settings=[])
    assert all(str(problem).isprintable() for problem in caught.value.problems)


#: Where two hosts log in.
HERE = {"a": "me@here", "b": "me@there"}


def test_two_names_cannot_be_one_login() -> None:
    one, two = check(), check(workspace="other")
    same = {"a": "me@here", "b": "me@here"}
    (problem,) = fleet_problems({"a": one, "b": two}, same)
    assert 'host "b": at: this is the login of host a, too; leave one of the two out' in str(
        problem
    )
    assert not fleet_problems({"a": one, "b": check(workspace="other", root="/srv/box")}, same)
    assert not fleet_problems({"a": one, "b": two}, HERE)


def test_two_hosts_cannot_be_one_workspace() -> None:
    one = check()
    (problem,) = fleet_problems({"a": one, "b": one}, HERE)
    assert "shoshin is also the workspace of host a" in str(problem)


def test_canary_must_be_one_of_the_workspaces() -> None:
    (problem,) = fleet_problems({"a": check(canary="shosin")}, HERE)
    assert str(problem).endswith(
        "canary: shosin is not a workspace of this run; did you mean shoshin?"
    )
    assert not fleet_problems({"a": check(canary="shoshin")}, HERE)


def test_a_canary_that_waits_itself_would_wait_forever() -> None:
    one, two = check(canary="other"), check(workspace="other", canary="shoshin")
    problems = [str(problem) for problem in fleet_problems({"a": one, "b": two}, HERE)]
    assert len(problems) == 2
    assert "canary: other itself waits for shoshin" in problems[0]
    assert not fleet_problems({"a": one, "b": check(workspace="other", canary="other")}, HERE)


def test_where_detect_writes_may_be_anywhere_on_the_controller() -> None:
    for place in ("inventory/hardware/new.yaml", "/tmp/new.yaml", PurePosixPath("/tmp/new.yaml")):
        assert check(write=place).write == str(place)
    assert check().build_limit_s == 21_600


def test_a_report_of_another_program_is_no_choice() -> None:
    (line,) = refused(facter="facter.json")
    assert line.startswith('inventory host "shoshin": facter: is not a known key')


@pytest.mark.parametrize(
    "user", ["mitsio", "John.Doe", "CORP\\john.doe", "john@corp.example", "9lives", "svc$", "a_b-c"]
)
def test_a_user_is_named_as_the_workspace_names_them(user: str) -> None:
    """Also users of a domain, as winbind and sssd have them."""
    given = {"workspace": "x", "profile": "inventory/hardware/x.yaml", "user": user}
    assert check_choices("x", given, known_settings=KNOWN).user == user
