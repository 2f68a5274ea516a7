"""The real yaml-language-server finds the schema of a profile by the profile's first line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from converge.gate.declare import declare
from tests.conftest import PROJECT
from tests.gate.machines import recorded
from tests.profile.editor import Editor
from tests.tools import find

PROFILES = sorted((PROJECT / "inventory/hardware").glob("*.yaml"))
SHOSHIN = PROJECT / "inventory/hardware/shoshin.yaml"
MODELINE = "# yaml-language-server: $schema=../../schemas/hardware-profile.schema.json"
SERVER = "yaml-language-server"


@pytest.fixture(scope="module")
def editor() -> Iterator[Editor]:
    server = find(SERVER) or find(str(PROJECT / f".tools/npm/node_modules/.bin/{SERVER}"))
    if server is None:
        pytest.skip(f"{SERVER} is not installed: npm install --prefix .tools/npm {SERVER}@1")
    session = Editor([server, "--stdio"], PROJECT)
    yield session
    session.close()


def test_every_profile_names_its_schema_first_and_so_does_one_that_the_machine_writes() -> None:
    assert len(PROFILES) > 3
    for path in PROFILES:
        assert path.read_text(encoding="utf-8").startswith(MODELINE), path
    assert declare(recorded("shoshin"), "new").startswith(MODELINE)


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_nothing_is_wrong_with_a_profile_that_is_right(editor: Editor, profile: object) -> None:
    path = PROJECT / str(profile)
    assert editor.open(path, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("machine", ["shoshin", "hybrid-prime", "container-docker"])
def test_nothing_is_wrong_with_a_profile_that_a_machine_wrote(editor: Editor, machine: str) -> None:
    path = PROJECT / f"inventory/hardware/written-{machine}.yaml"
    written = declare(recorded(machine), path.stem)
    assert editor.open(path, written) == []
    at = written.splitlines().index("memory:") + 1
    assert "totalGB" in editor.completions(path, at, 2), "and what it may have is offered"


def test_a_key_that_is_not_known_is_underlined_at_its_place(editor: Editor) -> None:
    text = SHOSHIN.read_text(encoding="utf-8").replace("    march:", "    marhc:")
    (line,) = [i for i, one in enumerate(text.splitlines()) if "marhc" in one]
    wrong = editor.open(SHOSHIN.with_name("wrong.yaml"), text)
    assert [one for one in wrong if one["range"]["start"]["line"] == line], wrong
    assert any("marhc" in one["message"] for one in wrong), wrong


def test_keys_and_values_are_offered_with_their_words(editor: Editor) -> None:
    path = SHOSHIN.with_name("new.yaml")
    editor.open(path, f"{MODELINE}\nsession:\n  type: \n  \n")
    assert {"x11", "wayland"} <= set(editor.completions(path, 2, 8))
    assert "desktop" in editor.completions(path, 3, 2)
