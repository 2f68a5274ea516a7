"""A staged rollout stops exactly where it must, by the workspace's own clock."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from converge.plan.rollout import ORDER, Clock, stage
from converge.plan.setting import Phase
from converge.plan.written import Proved
from tests.conftest import Box, Cli
from tests.tools import need

DAY_S = 86400
ALL = frozenset(Phase)


def proved(*at: tuple[Phase, str, int]) -> dict[str, Proved]:
    return {phase.value: Proved(run="r", boot=boot, uptime_s=up) for phase, boot, up in at}


def test_a_rollout_begins_with_the_first_phase_alone() -> None:
    now = stage({}, ALL, Clock(boot="a", uptime_s=5), soak_s=2 * DAY_S)
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
    now = stage(held, ALL, Clock(boot=boot, uptime_s=uptime_s), soak_s=2 * DAY_S)
    assert (now.entering is Phase.RUNTIMES) is let_in
    assert (Phase.RUNTIMES in now.phases) is let_in
    assert bool(now.waits) is not let_in


def test_the_latest_phase_is_the_one_that_soaks() -> None:
    held = proved((Phase.LIBRARIES, "a", 0), (Phase.RUNTIMES, "a", 2 * DAY_S))
    now = stage(held, ALL, Clock(boot="a", uptime_s=3 * DAY_S), soak_s=2 * DAY_S)
    assert (now.entering, now.after) == (None, Phase.RUNTIMES)
    assert now.waits == "phase 3 waits: phase 2 has soaked 24 h 00 min of 48 h 00 min"


def test_phases_that_are_not_chosen_are_stepped_over() -> None:
    held = proved((Phase.LIBRARIES, "a", 0))
    chosen = frozenset({Phase.LIBRARIES, Phase.VIDEO})
    now = stage(held, chosen, Clock(boot="a", uptime_s=DAY_S), soak_s=DAY_S)
    assert (now.entering, now.phases) == (Phase.VIDEO, chosen)


def test_a_rollout_that_is_complete_goes_on_healing_all_phases() -> None:
    held = proved(*((phase, "a", 0) for phase in Phase))
    now = stage(held, ALL, Clock(boot="a", uptime_s=1), soak_s=DAY_S)
    assert (now.phases, now.entering, now.waits) == (ALL, None, "")


def test_the_five_phases_and_memory_go_in_one_by_one_on_a_workspace(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    need("nix")
    need("chezmoi")
    box = make_box(rollout="staged")
    uptime = box.root / "proc/uptime"
    record = box.home / ".local/state/workspace-tuning/workspace/written.json"

    def at(hours: int) -> None:
        uptime.write_text(f"{hours * 3600}.00 1.00\n")

    def known() -> list[str]:
        return sorted(json.loads(record.read_text())["phases"])

    for number, phase in enumerate(ORDER):
        at(100 + 48 * number)
        run = cli(box.inventory, "deploy.py", "-y")
        assert run.code == 0, run.out
        assert known() == sorted(one.value for one in ORDER[: number + 1])
        if phase is Phase.LIBRARIES:
            assert b"contrastEnabled=true" in box.config("kwinrc").read_bytes()
        if phase is Phase.DESKTOP:
            assert b"contrastEnabled=false" in box.config("kwinrc").read_bytes()
        if phase is not ORDER[-1]:
            at(100 + 48 * (number + 1) - 1)
            early = cli(box.inventory, "deploy.py", "-y")
            assert (early.code, len(known())) == (0, number + 1), early.out
            assert f"waits: phase {phase} has soaked 47 h 00 min of 48 h 00 min" in early.out


def test_a_phase_that_is_not_proved_lets_no_other_in(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    need("kreadconfig")
    box = make_box(rollout="staged", layers=["plasma", "session"], soak_hours=0)
    for _ in range(3):  # nothing of the first three phases is in these layers
        assert cli(box.inventory, "deploy.py", "-y").code == 0
    forbidden = box.root / "etc/xdg/kwinrc"
    forbidden.parent.mkdir(parents=True)
    forbidden.write_text("[Plugins]\ncontrastEnabled[$i]=true\n")
    for _ in range(2):
        assert cli(box.inventory, "deploy.py", "-y").code == 3
    variables = box.home / ".config/environment.d/60-video-variables.conf"
    assert not variables.exists()
    forbidden.unlink()
    for _ in range(2):
        assert cli(box.inventory, "deploy.py", "-y").code == 0
    assert variables.exists()
