"""The hardware profile: every case of the corpus, the profiles of the plan, and what they mean."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converge.hardware import cpus, graphics
from converge.profile import profile
from converge.profile.contradiction import contradictions
from converge.profile.document import parse
from converge.profile.profile import SCHEMA, InvalidInput, load_profile
from converge.profile.schema import load_schema, schema_problems
from converge.setting import NEEDS

PROJECT = Path(__file__).parents[2]
CASES = Path(__file__).parents[1] / "data" / "profiles"
INVENTORY = PROJECT / "inventory" / "hardware"


@pytest.mark.parametrize("case", sorted(path.stem for path in CASES.glob("*.yaml")))
def test_case(case: str) -> None:
    """``<case>.yaml`` is refused with the text of ``<case>.expected``; an empty one: it loads."""
    expected = (CASES / f"{case}.expected").read_text(encoding="utf-8")
    try:
        load_profile(CASES / f"{case}.yaml")
        found = ""
    except InvalidInput as error:
        found = str(error).replace(f"{CASES}/", "") + "\n"
    assert found == expected


def test_a_profile_that_workspaces_share_is_parsed_once_and_again_where_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []

    def counting(text: str, file: str) -> Any:
        parsed.append(file)
        return parse(text, file)

    monkeypatch.setattr(profile, "parse", counting)
    path = tmp_path / "shoshin.yaml"
    path.write_bytes((INVENTORY / "shoshin.yaml").read_bytes())
    first = load_profile(path)
    assert [load_profile(path) for _ in range(9)] == [first] * 9 and len(parsed) == 1
    text = path.read_text()
    path.write_text(text.replace("workspace: shoshin", "workspace: other", 1))
    for _ in range(2):  # what is wrong is told each time
        with pytest.raises(InvalidInput, match="called shoshin"):
            load_profile(path)
    assert len(parsed) == 3


def test_only_cases_called_good_load() -> None:
    for path in CASES.glob("*.expected"):
        assert path.stem.startswith("good-") == (path.stat().st_size == 0), path.name


@pytest.mark.parametrize(
    ("workspace", "facts"),
    [
        (
            "shoshin",
            {"nvidia", "video", "video-nvidia", "x11", "kwin", "baloo", "bootloader", "zram"}
            | {"scheduler"},
        ),
        ("kinoite", {"kwin", "baloo", "bootloader", "wayland", "scheduler"}),
        ("gyakusatsu", {"scheduler"}),
    ],
)
def test_profile_of_the_plan_loads_and_has_its_facts(workspace: str, facts: set[str]) -> None:
    profile = load_profile(INVENTORY / f"{workspace}.yaml")
    assert profile.workspace == workspace
    assert profile.facts == facts
    assert profile.facts <= NEEDS.keys()


def test_every_need_holds_in_some_profile_of_the_plan() -> None:
    found = [load_profile(path).facts for path in INVENTORY.glob("*.yaml")]
    # Cards that old are among the recorded machines (tests/gate/test_machines.py).
    assert frozenset().union(*found) == NEEDS.keys() - {"video-r600", "video-i965"}


def test_shoshin_is_as_the_plan_says() -> None:
    profile = load_profile(INVENTORY / "shoshin.yaml")
    compiler, gpu, zram = profile.build.compiler, profile.drawing, profile.memory.zram
    assert (compiler.march, compiler.mtune, compiler.optimization_level) == (
        "skylake",
        "skylake",
        3,
    )
    assert gpu is not None
    assert gpu == profile.nvidia
    assert (gpu.pci_id, gpu.architecture, gpu.compute_capability, gpu.memory_mb) == (
        "10de:1401",
        "maxwell",
        "5.2",
        4096,
    )
    assert zram is not None
    assert (zram.algorithm, zram.percent, zram.priority) == ("zstd", 75, 100)
    assert profile.build.parallelism.heavy.memory_gb == 14


def test_code_for_gyakusatsu_can_be_built_and_tested_on_shoshin() -> None:
    builder = load_profile(INVENTORY / "shoshin.yaml").build.compiler.march
    assert cpus.runs_on(load_profile(INVENTORY / "gyakusatsu.yaml").build.compiler.march, builder)
    assert not cpus.runs_on("znver3", builder)
    assert cpus.runs_on("skylake", "znver3")


def test_raw_is_plain_json_with_integers() -> None:
    raw = load_profile(INVENTORY / "shoshin.yaml").raw
    assert json.loads(json.dumps(raw)) == raw
    assert type(raw["build"]["compiler"]["optimizationLevel"]) is int


def test_profile_cannot_be_changed() -> None:
    profile = load_profile(INVENTORY / "shoshin.yaml")
    with pytest.raises(dataclasses.FrozenInstanceError):
        profile.platform = "wsl"  # type: ignore[misc]


# ---- the schema ----------------------------------------------------------------------------------


def _nodes(rule: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(rule, dict):
        yield path, rule
        for key, value in rule.get("properties", {}).items():
            yield from _nodes(value, f"{path}.{key}")
        if isinstance(items := rule.get("items"), dict) and "properties" in items:
            yield from _nodes(items, path)


@pytest.mark.parametrize("name", [SCHEMA, "workspace"])
def test_schema_is_valid_closed_and_described(name: str) -> None:
    from jsonschema import Draft202012Validator

    schema = load_schema(name)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for path, rule in _nodes(schema):
        assert rule.get("description"), f"{path} has no description"
        if rule.get("type") == "object":
            assert rule.get("additionalProperties") is False, path
        if rule.get("type") == "string":
            assert "enum" in rule or {"pattern", "maxLength"} <= rule.keys(), path
        if rule.get("type") == "integer":
            assert {"minimum", "maximum"} <= rule.keys(), path


def test_marches_of_the_schema_are_those_of_the_feature_table() -> None:
    assert load_schema(SCHEMA)["$defs"]["march"]["enum"] == list(cpus.marches())
    assert {f"x86-64-v{level}" for level in (2, 3, 4)} <= cpus.marches().keys()


def test_generations_of_the_schema_are_those_of_the_gpu_table() -> None:
    rule = load_schema(SCHEMA)["properties"]["gpus"]["items"]["properties"]["architecture"]
    known = [name for names in graphics.architectures().values() for name in names]
    assert rule["enum"] == known
    assert len(known) == len(set(known))


@pytest.mark.parametrize("value", [True, 3.0, "3", None, [3], float("nan")])
def test_only_an_integer_is_an_integer(value: object) -> None:
    document, _ = parse((INVENTORY / "shoshin.yaml").read_text(), "shoshin.yaml")
    document.data["build"]["compiler"]["optimizationLevel"] = value
    problems = schema_problems(SCHEMA, document.data, document)
    assert [problem.path for problem in problems] == ["build.compiler.optimizationLevel"]


SHOSHIN = (INVENTORY / "shoshin.yaml").read_text(encoding="utf-8")


def _paths(node: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    steps = node.items() if isinstance(node, dict) else enumerate(node)  # type: ignore[arg-type]
    for key, value in steps:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from _paths(value, (*path, key))


ALL_PATHS = list(_paths(parse(SHOSHIN, "shoshin.yaml")[0].data))
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


@given(st.sampled_from(ALL_PATHS), ANYTHING)
@settings(deadline=None)
def test_any_value_anywhere_gives_problems_and_never_an_exception(
    path: tuple[str | int, ...], value: object
) -> None:
    document, _ = parse(SHOSHIN, "shoshin.yaml")
    node: Any = document.data
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    problems = schema_problems(SCHEMA, document.data, document) + contradictions(document)
    assert all(str(problem).isprintable() for problem in problems)
    if type(value) not in {str, int, dict, bool} and (path, value) != (("gpus",), []):
        assert problems


@given(st.sampled_from(ALL_PATHS))
@settings(deadline=None)
def test_a_missing_key_is_reported_where_it_belongs(path: tuple[str | int, ...]) -> None:
    document, _ = parse(SHOSHIN, "shoshin.yaml")
    node: Any = document.data
    for step in path[:-1]:
        node = node[step]
    del node[path[-1]]
    problems = schema_problems(SCHEMA, document.data, document)
    optional = {
        ("gpus", 0),
        *(("gpus", 0, key) for key in ("model", "chip", "computeCapability", "memoryMB")),
        *(("storage", "disks", 0, key) for key in ("sizeGB", "scheduler")),
        ("memory", "zram"),
    }
    if path == ("storage", "disks", 0):
        assert "is an empty list" in problems[0].message
    elif path in optional:
        assert not problems
    else:
        assert f"the key {path[-1]} is missing" in problems[0].message


@pytest.mark.parametrize("name", [SCHEMA, "workspace"])
def test_every_key_is_in_the_documentation(name: str) -> None:
    words = (PROJECT / "docs" / "keys.md").read_text(encoding="utf-8")
    for path, _ in _nodes(load_schema(name)):
        key = path.rpartition(".")[2]
        assert re.search(rf"[`.]{key}[`.]", words) or not key, path
