"""A staged rollout stops exactly where it must, by the workspace's own clock."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from converge.plan.rollout import FIRST, ORDER, Clock, Stage, as_seen, stage
from converge.plan.written import SettingProof, digest_of
from converge.setting import Layer, Phase, Setting
from converge.subjects.settings import ALL as ALL_ROWS
from converge.subjects.settings import BY_ID
from tests.conftest import Applied, Box, Cli, Outcome
from tests.proof.checks import DATA
from tests.subjects.desktop import kwin
from tests.tools import need

DAY_S = 86400
ALL = frozenset(Phase)


def row(name: str, phase: Phase, value: object = 1) -> Setting:
    return Setting(
        id=name, title=name, phase=phase, layer=Layer.NIXOS, says="", value=value, check=name
    )


#: Two settings a phase.
ROWS = tuple(row(f"{phase.value}.{part}", phase) for phase in ORDER for part in "ab")


def proof(
    setting: Setting, effect: str = "effective", boot: str = "a", up: int = 0
) -> SettingProof:
    return SettingProof(effect=effect, run="r", boot=boot, uptime_s=up, digest=digest_of(setting))


def proved(*at: tuple[Phase, str, int]) -> dict[str, SettingProof]:
    """Every setting of these phases, effective since then."""
    return {
        one.id: proof(one, boot=boot, up=up)
        for phase, boot, up in at
        for one in ROWS
        if one.phase is phase
    }


def staged(
    recorded: Mapping[str, SettingProof],
    *,
    wanted: frozenset[Phase] = ALL,
    rows: Iterable[Setting] = ROWS,
    up: int = 0,
    boot: str = "a",
    soak: int = 0,
) -> Stage:
    return stage(recorded, rows, wanted, Clock(boot=boot, uptime_s=up), soak_s=soak)


def test_a_rollout_begins_with_the_first_phase_alone() -> None:
    now = staged({}, soak=2 * DAY_S)
    assert (now.phases, now.entering, now.waits) == ({Phase.LIBRARIES}, Phase.LIBRARIES, "")


@pytest.mark.parametrize(
    ("boot", "uptime_s", "let_in"),
    [
        ("a", 1000 + 2 * DAY_S - 1, False),
        ("a", 1000 + 2 * DAY_S, True),
        ("b", 2 * DAY_S - 1, False),  # after a reboot only the present boot counts
        ("b", 2 * DAY_S, True),
        ("a", 0, False),  # a clock that went back
    ],
)
def test_the_next_phase_is_let_in_after_the_soak_and_not_a_second_before(
    boot: str, uptime_s: int, let_in: bool
) -> None:
    held = proved((Phase.LIBRARIES, "a", 1000))
    now = staged(held, boot=boot, up=uptime_s, soak=2 * DAY_S)
    assert (now.entering is Phase.RUNTIMES) is let_in
    assert (Phase.RUNTIMES in now.phases) is let_in
    assert bool(now.waits) is not let_in


def test_the_latest_setting_is_the_one_that_soaks() -> None:
    held = proved((Phase.LIBRARIES, "a", 0), (Phase.RUNTIMES, "a", DAY_S))
    held["2.b"] = replace(held["2.b"], uptime_s=2 * DAY_S)
    now = staged(held, up=3 * DAY_S, soak=2 * DAY_S)
    assert (now.entering, now.after) == (None, Phase.RUNTIMES)
    assert now.waits == "phase 3 waits: phase 2 has soaked 24 h 00 min of 48 h 00 min"


def test_phases_that_are_not_chosen_are_stepped_over() -> None:
    held = proved((Phase.LIBRARIES, "a", 0))
    chosen = frozenset({Phase.LIBRARIES, Phase.VIDEO})
    now = staged(held, wanted=chosen, up=DAY_S, soak=DAY_S)
    assert (now.entering, now.phases) == (Phase.VIDEO, chosen)


def test_a_rollout_that_is_complete_goes_on_healing_all_phases() -> None:
    now = staged(proved(*((phase, "a", 0) for phase in Phase)), up=1, soak=DAY_S)
    assert (now.phases, now.entering, now.waits) == (ALL, None, "")


@pytest.mark.parametrize("effect", ["pending", "unknown", "not effective"])
def test_a_phase_with_one_setting_that_is_not_proved_lets_nobody_in(effect: str) -> None:
    held = proved((Phase.LIBRARIES, "a", 0))
    held["1.b"] = replace(held["1.b"], effect=effect)
    now = staged(held, up=9 * DAY_S)
    assert (now.phases, now.entering) == ({Phase.LIBRARIES}, None)
    assert now.waits == f"phase 2 waits: phase 1 is not proved: 1.b is {effect}"


def test_what_has_nothing_to_be_effective_on_holds_nobody_up() -> None:
    held = proved((Phase.LIBRARIES, "a", 0))
    held["1.b"] = replace(held["1.b"], effect="not applicable")
    assert staged(held).entering is Phase.RUNTIMES


@pytest.mark.parametrize("name", [f"{phase.value}.a" for phase in ORDER[1:]])
def test_one_setting_in_force_lets_no_phase_in(name: str) -> None:
    """T2: layers=, phases= or exclude= put the setting in force without the rest of its phase."""
    one = next(row for row in ROWS if row.id == name)
    now = staged({name: proof(one)}, up=9 * DAY_S)
    assert now.phases == {Phase.LIBRARIES}
    assert now.entering is Phase.LIBRARIES


def test_the_driver_goes_with_the_first_phase_and_is_proved_with_it() -> None:
    driver = row("video.driver", Phase.VIDEO)
    rows = (*ROWS, driver)
    held = proved((Phase.LIBRARIES, "a", 0))
    assert staged(held, rows=rows).entering is Phase.LIBRARIES
    held["video.driver"] = proof(driver, "pending")
    assert staged(held, rows=rows).waits.endswith("video.driver is pending")
    held["video.driver"] = proof(driver)
    assert staged(held, rows=rows).entering is Phase.RUNTIMES


def test_another_value_of_a_setting_has_to_be_proved_anew() -> None:
    held = proved((Phase.LIBRARIES, "a", 0), (Phase.RUNTIMES, "a", 0))
    rows = tuple(replace(one, value=2) if one.id == "1.a" else one for one in ROWS)
    now = staged(held, rows=rows)
    assert now.phases == {Phase.LIBRARIES, Phase.RUNTIMES}
    assert now.entering is Phase.LIBRARIES


def test_a_narrowed_rollout_proves_nothing_of_what_it_leaves_out() -> None:
    some = tuple(one for one in ROWS if one.id != "1.b")
    held = proved((Phase.LIBRARIES, "a", 0))
    del held["1.b"]
    assert staged(held, rows=some).entering is Phase.RUNTIMES
    assert staged(held, rows=ROWS).entering is Phase.LIBRARIES


def test_a_look_knows_setting_by_setting_what_is_in() -> None:
    """T6: one setting that was left out by exclude= made its whole phase "not let in yet"."""
    held = proved((Phase.LIBRARIES, "a", 0))
    del held["1.b"]
    now = staged(held)
    for due, entering, out in ((False, None, {"1.b"}), (True, Phase.LIBRARIES, set())):
        seen = as_seen(now, held, ROWS, ALL, due=due)
        assert (seen.phases, seen.entering) == ({Phase.LIBRARIES}, entering)
        assert seen.out == out | {one.id for one in ROWS if one.phase is not Phase.LIBRARIES}


# -- on a workspace -------------------------------------------------------------------------------


def record(box: Box) -> dict[str, dict[str, str]]:
    """What the workspace knows of each setting."""
    path = box.home / ".local/state/workspace-tuning/workspace/written.json"
    found: dict[str, dict[str, str]] = json.loads(path.read_text())["settings"]
    return found


def let_in(box: Box) -> set[str]:
    """Phases of which the workspace knows a setting, but for the driver's."""
    return {BY_ID[name].phase.value for name in record(box) if name not in FIRST}


@pytest.mark.slow
def test_phases_go_in_one_by_one_and_what_is_only_pending_stops_them(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    need("nix")
    need("chezmoi")
    box = make_box(rollout="staged")
    uptime = box.root / "proc/uptime"

    def at(hours: int) -> Outcome:
        uptime.write_text(f"{hours * 3600}.00 1.00\n")
        return cli(box.inventory, "deploy.py", "-y")

    for number, phase in enumerate(("1", "2", "3")):
        run = at(100 + 48 * number)
        assert run.code == 0, run.out
        assert let_in(box) == set("123"[: number + 1])
        if phase != "3":
            early = at(100 + 48 * (number + 1) - 1)
            assert early.code == 0, early.out
            assert f"waits: phase {phase} has soaked 47 h 00 min of 48 h 00 min" in early.out
    # No application runs in a sandbox, so its limits are in use by nobody yet.
    late = at(100 + 48 * 9)
    assert late.code == 0, late.out
    assert "phase 4 waits: phase 3 is not proved: electron." in " ".join(late.out.split())
    assert "4" not in let_in(box)
    assert b"contrastEnabled=true" in box.config("kwinrc").read_bytes()


@pytest.mark.slow
def test_one_setting_that_was_in_force_before_lets_its_phase_not_in(
    cli: Cli, make_applied: Callable[..., Applied]
) -> None:
    """T2: a run of the layer session alone, then a staged rollout of everything."""
    need("nix")
    box = make_applied("--data", "layers=session")
    assert record(box).keys() == {"video.variables"}
    dry = cli(box.inventory, "deploy.py", "--dry", "--data", "rollout=staged")
    assert dry.code == 2, dry.out
    (plan,) = dry.kinds("plan")
    stands = {str(one["setting"]): one["stand"] for one in plan["settings"]}  # type: ignore[attr-defined]
    for setting in ALL_ROWS:
        if setting.phase is not Phase.LIBRARIES and setting.id not in FIRST:
            assert stands[setting.id] != "in force", setting.id


def kwin_answers(box: Box, directory: Path) -> None:
    """KWin and Baloo as they answer once somebody has logged in."""
    directory.mkdir()
    (box.root / "run/user").mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as bus:  # the socket stays as a file
        here = os.open(box.root / "run/user", os.O_RDONLY)
        bus.bind(f"/proc/self/fd/{here}/bus")
        os.close(here)
    said = dict(line.split(" ", 1) for line in kwin().splitlines() if line.startswith("support "))
    (directory / "support").write_text(said["support"])
    (directory / "busctl").write_text(
        f"""#!/bin/sh
case $* in
    *supportInformation*) cat {directory}/support ;;
    *isEffectLoaded*blur) echo '{{"type":"b","data":[true]}}' ;;
    *isEffectLoaded*) echo '{{"type":"b","data":[false]}}' ;;
    *isEffectSupported*) echo '{{"type":"b","data":[true]}}' ;;
esac
"""
    )
    home = str(box.home)
    baloo = (DATA / "baloo-bare.txt").read_text().replace("/home/mitsio", home)
    (directory / "baloo").write_text(baloo)
    (directory / "balooctl6").write_text(
        f"""#!/bin/sh
sed -n "/^## $3\\$/,/^## /p" {directory}/baloo | grep -v '^## '
"""
    )
    (directory / "systemd-run").write_text("#!/bin/sh\nexit 1\n")
    for name in ("busctl", "balooctl6", "systemd-run"):
        (directory / name).chmod(0o755)


@pytest.mark.slow
def test_a_phase_is_proved_when_it_is_in_use_and_verify_knows_which_are_in(
    cli: Cli, make_box: Callable[..., Box], tmp_path: Path
) -> None:
    box = make_box(layers=["plasma", "session"], soak_hours=0)
    staged = ("-y", "--data", "rollout=staged")
    variables = box.home / ".config/environment.d/60-video-variables.conf"
    first = cli(box.inventory, "deploy.py", *staged)
    assert first.code == 0, first.out
    assert (let_in(box), record(box)["kwin.contrast"]["effect"]) == ({"4"}, "pending")
    again = cli(box.inventory, "deploy.py", *staged)
    assert again.code == 0, again.out
    said = " ".join(again.out.split())
    assert "phase 5 waits: phase 4 is not proved: kwin.backend is pending" in said
    assert not variables.exists()
    assert cli(box.inventory, "deploy.py", "--dry", "--data", "rollout=staged").code == 0

    verify = cli(box.inventory, "tasks/verify.py")  # T6: nobody says that the rollout is staged
    assert verify.code == 0, verify.out
    (finding,) = [kind for kind in verify.kinds("finding") if kind["setting"] == "video.variables"]
    assert finding["effect"] == "not applicable"
    assert "phase 5 is not let in yet" in str(finding["reason"])

    kwin_answers(box, tmp_path / "session")  # somebody logs in
    cli.environment["PATH"] = f"{tmp_path}/session:{cli.environment['PATH']}"
    assert cli(box.inventory, "deploy.py", *staged).code == 0
    assert {one["effect"] for one in record(box).values()} == {"effective"}
    assert not variables.exists()
    last = cli(box.inventory, "deploy.py", *staged)
    assert variables.exists(), last.out
    assert record(box)["kwin.contrast"]["effect"] == "effective"
