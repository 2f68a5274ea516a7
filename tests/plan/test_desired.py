"""What a workspace should hold: static files byte for byte, and data only as data."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from converge.plan import layers
from converge.plan.desired import LAYER_SOURCES, Desired
from converge.plan.snapshot import Snapshot
from converge.setting import Layer, Phase
from converge.subjects.settings import ALL
from tests.plan.plans import EVERY, file, found, profile, stands, wanted
from tests.proof.checks import HOME, PROJECT

DIRECTORIES = {
    Layer.NIXOS: layers.SYSTEM_LAYER,
    Layer.HOME_MANAGER: f"{HOME}/{layers.HOME_LAYER[2:]}",
}


def made(snapshot: Snapshot | None = None, **choices: object) -> Desired:
    here = snapshot or found()
    return wanted(here, stands(here, **choices))  # type: ignore[arg-type]


def data_of(want: Desired, layer: Layer) -> dict[str, object]:
    path = f"{DIRECTORIES[layer]}/profile.json"
    (content,) = [one.content for one in want.files if one.path == path]
    loaded = json.loads(content)
    assert isinstance(loaded, dict)
    return loaded


@pytest.mark.parametrize("layer", DIRECTORIES)
def test_the_files_of_a_layer_are_those_of_the_repository_byte_for_byte(layer: Layer) -> None:
    files = {one.path: one for one in made().files if one.layer is layer}
    for source, into in LAYER_SOURCES[layer]:
        for path in (PROJECT / source).rglob("*"):
            if path.is_file():
                name = "/".join(filter(None, (into, str(path.relative_to(PROJECT / source)))))
                one = files.pop(f"{DIRECTORIES[layer]}/{name}")
                assert one.content == path.read_bytes()
                assert (one.mode, one.root) == (0o644, layer is Layer.NIXOS)
    assert [path.rpartition("/")[2] for path in files] == ["profile.json"]


@pytest.mark.parametrize("layer", DIRECTORIES)
def test_the_profile_and_the_settings_in_force_arrive_as_data(layer: Layer) -> None:
    given = stands(found())
    data = data_of(wanted(found(), given), layer)
    assert data["hardware"] == profile().raw
    assert (data["workspace"], data["host"], data["user"]) == ("shoshin", "shoshin", "mitsio")
    assert data["settings"] == {
        one.setting.id: one.setting.value
        for one in given
        if one.in_force and one.setting.layer in (layer, Layer.SESSION)
    }


def test_both_layers_are_told_the_same_hardware() -> None:
    want = made()
    nixos, home = (data_of(want, layer)["hardware"] for layer in DIRECTORIES)
    assert nixos == home


def test_the_same_in_is_the_same_out() -> None:
    assert made() == made()


def test_a_layer_that_does_not_apply_has_no_file() -> None:
    want = made(replace(found(), tools={}))
    assert {one.layer for one in want.files} == {Layer.SESSION}


def test_settings_of_other_phases_stay_in_the_data_as_they_are_on_the_workspace() -> None:
    path = f"{DIRECTORIES[Layer.NIXOS]}/profile.json"
    now = {"memory.zram": {"theirs": 1}, "not.ours": 2}
    there = found(file(path, json.dumps({"settings": now}).encode(), uid=0))
    settings = data_of(made(there, phases=[Phase.VIDEO]), Layer.NIXOS)["settings"]
    assert isinstance(settings, dict)
    assert settings["memory.zram"] == {"theirs": 1}
    assert "not.ours" not in settings
    assert "memory.swappiness" not in settings, "it is not in force there"


@pytest.mark.parametrize(
    "content", [b"", b"null", b"[]", b'{"settings": 5}', b"\xff", b"[" * 100_000, b"{}"]
)
def test_data_on_the_workspace_that_is_damaged_counts_as_none(content: bytes) -> None:
    path = f"{DIRECTORIES[Layer.NIXOS]}/profile.json"
    there = found(file(path, content, uid=0))
    data = data_of(made(there, phases=[Phase.VIDEO]), Layer.NIXOS)
    assert isinstance(data["settings"], dict)
    assert "memory.zram" not in data["settings"]


def test_variables_of_the_session_are_files_of_the_user_manager() -> None:
    want = made(include=["session.gl-yield"])
    files = {one.path: one.content.decode() for one in want.files if one.layer is Layer.SESSION}
    unit = f"{HOME}/.config/systemd/user/plasma-kwin_x11.service.d/00-session-gl-yield.conf"
    assert files[unit].splitlines()[1:] == ["[Service]", "Environment=__GL_YIELD=USLEEP"]
    variables = files[f"{HOME}/.config/environment.d/60-video-variables.conf"].splitlines()
    assert variables[0].startswith("# ")
    assert "LIBVA_DRIVER_NAME=${LIBVA_DRIVER_NAME:-nvidia}" in variables
    assert len(files) == 2


def test_files_of_the_session_of_other_phases_are_kept() -> None:
    want = made(phases=[Phase.DESKTOP])
    assert f"{HOME}/.config/environment.d/60-video-variables.conf" in want.kept
    assert not made().kept


def test_entries_of_kde_files_come_from_the_rows_in_force_alone() -> None:
    given = stands(found(), exclude=["kwin.contrast"])
    want = wanted(found(), given)
    entries = {one.path: one.entries for one in want.kde}
    assert entries.keys() == {f"{HOME}/.config/{name}" for name in layers.KDE_FILES}
    keys = {key for group in entries[f"{HOME}/.config/kwinrc"].values() for key in group}
    assert "contrastEnabled" not in keys
    assert "blurEnabled" in keys


def test_every_setting_of_a_nix_layer_reaches_it_when_it_is_in_force() -> None:
    forcible = [setting.id for setting in ALL if setting.forcible and setting.layer in DIRECTORIES]
    given = stands(found(), include=forcible)
    want = wanted(found(), given, selected=EVERY)
    reached = {
        name
        for layer in DIRECTORIES
        for name in data_of(want, layer)["settings"]  # type: ignore[attr-defined]
    }
    in_force = {one.setting.id for one in given if one.in_force}
    assert {setting.id for setting in ALL if setting.layer in DIRECTORIES} & in_force <= reached
