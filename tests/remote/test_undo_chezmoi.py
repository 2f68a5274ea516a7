"""chezmoi's side of a run and of its undo: no edit is lost, each failure is reported."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import sandbox
from converge.kde.merge import values
from tests.conftest import DESKTOP, Applied, Box, Cli
from tests.remote.faults import transaction
from tests.remote.test_undo import ALL, said, spare_gone, undo, write_key
from tests.remote.test_undo_state import DAMAGE
from tests.tools import need, path_without

BACKEND = {("Compositing",): ["Backend"]}
MINE = b"\n[Mine]\nadded=1\n"


def chezmoi(box: Box, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [need("chezmoi"), "--no-tty", *arguments],
        env={**os.environ, **dict(sandbox.environment(box.root))},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        umask=0o022,
    )


@pytest.fixture
def box(make_box: Callable[..., Box]) -> Box:
    """A desktop whose KDE files chezmoi has written."""
    box = make_box(layers=DESKTOP)
    written_by_chezmoi(box)
    return box


def written_by_chezmoi(box: Box) -> None:
    assert chezmoi(box, "apply", "--force").returncode == 0
    assert chezmoi(box, "verify").returncode == 0


def remembered(box: Box) -> str:
    """All that chezmoi remembers."""
    return chezmoi(box, "state", "dump").stdout


@pytest.fixture
def without_tools(cli: Cli, tmp_path: Path) -> None:
    """chezmoi is in no directory of PATH, wherever this machine has it."""
    cli.environment["PATH"] = path_without("chezmoi", cli.environment["PATH"], tmp_path / "bin")


@pytest.fixture
def removable(box: Box, without_tools: None) -> Path:
    """A chezmoi of the user's own that can be taken away."""
    program = box.home / ".local/bin/chezmoi"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.symlink_to(need("chezmoi"))
    return program


def test_u5_an_edit_of_the_source_survives_a_run_that_is_undone(cli: Cli, box: Box) -> None:
    source, live = box.source("kwinrc"), box.config("kwinrc")
    edited = source.read_bytes() + MINE
    before = live.read_bytes()
    source.write_bytes(edited)
    assert cli(box.inventory, "deploy.py", "-y").code == 0
    assert MINE in live.read_bytes()
    assert cli(box.inventory, "tasks/rollback.py", "-y", *ALL).code == 0
    assert (source.read_bytes(), live.read_bytes()) == (edited, before)
    run = cli(box.inventory, "deploy.py", "-y")
    assert run.code == 0, run.out
    assert MINE in live.read_bytes()
    assert source.read_bytes() == live.read_bytes()


def test_u5_what_both_sides_changed_is_shown_kept_on_both_and_the_rest_goes_on(
    cli: Cli, box: Box
) -> None:
    source, live = box.source("kwinrc"), box.config("kwinrc")
    source.write_bytes(source.read_bytes() + b"\n[Mine]\nboth=source\n")
    write_key(box, "kwinrc", "Mine", "both", "live")
    write_key(box, "kwinrc", "Compositing", "Backend", "Vulkan")
    dry = cli(box.inventory, "deploy.py", "--dry")
    assert "the live file has both=live, the source both=source" in said(dry)
    assert "--data prefer=live" in said(dry)
    run = cli(box.inventory, "deploy.py", "-y")
    assert run.code == 0, run.out
    both = {("Mine",): ["both"]}
    assert values(live.read_bytes(), both) == {(("Mine",), "both"): "live"}
    assert values(source.read_bytes(), both) == {(("Mine",), "both"): "source"}
    # Nobody knows what the declared entry was: both sides keep it, and it is not effective.
    assert values(live.read_bytes(), BACKEND) == {(("Compositing",), "Backend"): "Vulkan"}
    verified = cli(box.inventory, "tasks/verify.py").kinds("finding")
    (held,) = [one for one in verified if one["setting"] == "kwin.backend"]
    assert held["effect"] == "not effective"
    contrast = {("Plugins",): ["contrastEnabled"]}
    assert list(values(live.read_bytes(), contrast).values()) == ["false"]
    decided = cli(box.inventory, "deploy.py", "-y", "--data", "prefer=source")
    assert decided.code == 0, decided.out
    assert values(live.read_bytes(), both) == {(("Mine",), "both"): "source"}
    assert values(live.read_bytes(), BACKEND) == {(("Compositing",), "Backend"): "OpenGL"}
    assert source.read_bytes() == live.read_bytes()
    assert chezmoi(box, "verify", str(live)).returncode == 0


def test_u6_a_broken_configuration_is_said_and_no_file_of_chezmois_is_written(
    cli: Cli, box: Box
) -> None:
    before = {name: box.config(name).read_bytes() for name in sandbox.KDE_FILES}
    configuration = box.home / ".config/chezmoi/chezmoi.toml"
    configuration.parent.mkdir(parents=True, exist_ok=True)
    configuration.write_text("= broken")
    run = cli(box.inventory, "deploy.py", "-y")
    assert "chezmoi source-path failed" in said(run)
    assert "invalid config" in said(run)
    assert {name: box.config(name).read_bytes() for name in sandbox.KDE_FILES} == before
    looked = cli(box.inventory, "tasks/verify.py")
    assert looked.code == 4, looked.out
    found = {one["setting"]: one["effect"] for one in looked.kinds("finding")}
    assert found["kwin.contrast"] == "unknown"
    status = cli(box.inventory, "tasks/status.py")
    assert (status.code, "chezmoi source-path failed" in said(status)) == (4, True), status.out
    again = cli(box.inventory, "deploy.py", "-y")
    assert "not looked at: " in said(again) and "invalid config" in said(again)


def test_u6_a_busy_chezmoi_is_said_and_not_taken_for_not_managed(cli: Cli, box: Box) -> None:
    before = box.config("kwinrc").read_bytes()
    box.source("kwinrc").write_bytes(before + MINE)
    with (box.home / ".config/chezmoi/chezmoistate.boltdb").open("rb") as state:
        fcntl.flock(state, fcntl.LOCK_EX)
        run = cli(box.inventory, "deploy.py", "-y")
    assert "is another instance of chezmoi running" in said(run)
    assert box.config("kwinrc").read_bytes() == before
    assert box.source("kwinrc").read_bytes() == before + MINE


def test_u6_chezmoi_is_found_where_people_have_it(cli: Cli, box: Box, removable: Path) -> None:
    run = cli(box.inventory, "deploy.py", "-y")
    assert run.code == 0, run.out
    assert box.source("kwinrc").read_bytes() == box.config("kwinrc").read_bytes()


def test_u6_a_source_without_its_program_is_said_by_name(
    cli: Cli, box: Box, without_tools: None
) -> None:
    before = box.config("kwinrc").read_bytes()
    run = cli(box.inventory, "deploy.py", "-y")
    plan = run.kinds("plan")[-1]["settings"]
    held = {one["setting"]: one["why"] for one in plan if one["stand"] == "held back"}
    source = box.source("kwinrc")
    assert f"chezmoi is not found here, and {source} is its source" in held["kwin.contrast"]
    assert "chezmoi is not found here" in said(run)
    assert box.config("kwinrc").read_bytes() == before


def test_u7_a_plain_source_ends_in_step_with_the_users_own_mode(cli: Cli, box: Box) -> None:
    live = box.config("kwinrc")
    box.source("kwinrc").rename(box.source("kwinrc").with_name("kwinrc"))
    assert chezmoi(box, "apply", "--force").returncode == 0
    assert live.stat().st_mode & 0o777 == 0o644
    assert cli(box.inventory, "deploy.py", "-y").code == 0
    assert live.stat().st_mode & 0o777 == 0o644
    assert chezmoi(box, "verify", str(live)).returncode == 0
    assert undo(box).startswith("undone")
    assert live.stat().st_mode & 0o777 == 0o644
    assert chezmoi(box, "verify", str(live)).returncode == 0


def test_u8_beside_a_create_file_the_live_one_alone_is_written(cli: Cli, box: Box) -> None:
    source = box.source("kwinrc")
    create = source.rename(source.with_name("create_kwinrc"))
    held = create.read_bytes()
    run = cli(box.inventory, "deploy.py", "-y")
    assert run.code == 0, run.out
    assert create.read_bytes() == held
    assert list(values(box.config("kwinrc").read_bytes(), BACKEND).values()) == ["OpenGL"]


@pytest.mark.parametrize("name", ["kwinrc.tmpl", "symlink_kwinrc"])
def test_u8_one_source_that_is_in_the_way_does_not_stop_the_other_files(
    cli: Cli, box: Box, name: str
) -> None:
    source = box.source("kwinrc")
    source.rename(source.with_name(name))
    before = box.config("kwinrc").read_bytes()
    run = cli(box.inventory, "deploy.py", "-y")
    assert run.code == 0, run.out
    assert "--data exclude=kwin.backend" in said(run)
    assert box.config("kwinrc").read_bytes() == before
    assert b"$HOME/.nix-defexpr" in box.config("baloofilerc").read_bytes()


def test_u4_chezmoi_never_runs_while_kdes_lock_is_held(
    cli: Cli, box: Box, tmp_path: Path, without_tools: None
) -> None:
    """A chezmoi that looks for KDE's lock at each call, in a run and in its undo."""
    seen = tmp_path / "seen"
    program = box.home / ".local/bin/chezmoi"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(
        "#!/bin/sh\n"
        f'for lock in "{box.config("")}"/*.lock; do if [ -e "$lock" ]; then echo held; fi; done'
        f' >>"{seen}"\n'
        f'echo "$@" >>"{seen}"\n'
        f'exec "{need("chezmoi")}" "$@"\n'
    )
    program.chmod(0o755)
    assert cli(box.inventory, "deploy.py", "-y").code == 0
    assert cli(box.inventory, "tasks/rollback.py", "-y", *ALL).code == 0
    calls = seen.read_text()
    assert "state set" in calls
    assert "held" not in calls.splitlines()


def test_u5_an_undo_without_chezmoi_is_broken_until_its_record_is_gone_as_well(
    cli: Cli, box: Box, removable: Path
) -> None:
    """An undo also looks where the run found chezmoi, so the program itself has to be gone."""
    before = box.config("kwinrc").read_bytes()
    assert cli(box.inventory, "deploy.py", "-y").code == 0
    removable.unlink()
    back = cli(box.inventory, "tasks/rollback.py", "-y", *ALL)
    assert back.code == 4, back.out
    known = box.config("chezmoi/chezmoistate.boltdb")
    assert "chezmoi is not found, so what it remembers of it stays; by hand: " in said(back)
    assert f"rm -- '{known}'; then repeat the undo" in said(back)
    assert box.config("kwinrc").read_bytes() == before
    known.unlink()
    again = cli(box.inventory, "tasks/rollback.py", "-y", *ALL)
    assert again.code == 0, again.out


def test_u5_a_record_of_chezmois_that_came_with_the_run_goes_with_it(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    """Here chezmoi has its sources, and never wrote anything."""
    box = make_box(layers=["plasma", "session"])
    for name in sandbox.KDE_FILES:
        box.config(name).write_bytes(box.source(name).read_bytes())
    assert not box.config("chezmoi").exists()
    assert cli(box.inventory, "deploy.py", "-y").code == 0
    assert box.config("chezmoi/chezmoistate.boltdb").exists()
    assert undo(box).startswith("undone")
    assert not box.config("chezmoi").exists()


@pytest.mark.parametrize("damage", ["gone", "empty", "garbled"])
def test_u14_what_chezmoi_remembered_is_damaged_broken_and_repeatable(
    make_applied: Callable[..., Applied], damage: str
) -> None:
    box = make_applied(layers=DESKTOP, prepare=written_by_chezmoi, look=remembered)
    spare_gone(box)
    kept = {
        path: path.read_bytes() for path in (transaction(box).parent / "live-1/state").iterdir()
    }
    for one in kept:
        DAMAGE[damage](one)
    status = undo(box)
    assert status.startswith("broken"), status
    assert "does not hold what chezmoi remembered" in status
    for one, text in kept.items():
        one.write_bytes(text)
    assert undo(box).startswith("undone")
    assert remembered(box) == box.before


def test_u6_a_warning_of_chezmois_is_no_failure_and_gets_into_no_record(
    cli: Cli, box: Box, without_tools: None
) -> None:
    program = box.home / ".local/bin/chezmoi"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(
        '#!/bin/sh\necho "chezmoi: warning: config file template has changed" >&2\n'
        f'exec "{need("chezmoi")}" "$@"\n'
    )
    program.chmod(0o755)
    before = chezmoi(box, "state", "dump").stdout
    run = cli(box.inventory, "deploy.py", "-y")
    assert run.code == 0, run.out
    assert cli(box.inventory, "tasks/rollback.py", "-y", *ALL).code == 0
    assert chezmoi(box, "state", "dump").stdout == before


def test_u5_an_undo_without_chezmoi_is_broken_wherever_its_record_lies(
    cli: Cli, box: Box, removable: Path
) -> None:
    known = box.home / "elsewhere/state.boltdb"
    known.parent.mkdir()
    box.config("chezmoi/chezmoistate.boltdb").rename(known)
    box.config("chezmoi/chezmoi.toml").write_text(f'persistentState = "{known}"\n')
    assert cli(box.inventory, "deploy.py", "-y").code == 0
    removable.unlink()
    back = cli(box.inventory, "tasks/rollback.py", "-y", *ALL)
    assert back.code == 4, back.out
    assert f"rm -- '{known}'; then repeat the undo" in said(back)


MODIFIES = {
    "a script that sets it": ("modify_kwinrc", "#!/bin/sh\nsed 's/^Backend=.*/Backend=XRender/'\n"),
    "a template": (
        "modify_kwinrc",
        '{{/* chezmoi:modify-template */}}\n{{ .chezmoi.stdin | replace "OpenGL" "XRender" }}',
    ),
    "a script that fails": ("modify_kwinrc", "#!/bin/sh\necho no such luck >&2\nexit 3\n"),
}


ASKED = ("--data", "chezmoi_programs=run")


def modify(box: Box, name: str, text: str) -> Path:
    """kwinrc by a modify_ source that has left its mark in the live file."""
    source = box.source("kwinrc").with_name(name)
    box.source("kwinrc").unlink()
    source.write_text(text)
    source.chmod(0o755)
    return source


@pytest.mark.parametrize("kind", MODIFIES)
def test_u8_a_source_that_makes_our_entry_otherwise_is_shown_before_anything_is_written(
    cli: Cli, box: Box, kind: str
) -> None:
    source = modify(box, *MODIFIES[kind])
    live = box.config("kwinrc")
    before, text = live.read_bytes(), source.read_bytes()
    dry = cli(box.inventory, "deploy.py", "--dry", *ASKED)
    run = cli(box.inventory, "deploy.py", "-y", *ASKED)
    assert run.code == 0, run.out
    for one in (dry, run):
        held = {s["setting"]: s["why"] for s in one.kinds("plan")[-1]["settings"]}
        why = held["kwin.backend"]
        assert str(source) in why
        assert "--data exclude=kwin.backend" in why
        if "fails" in kind:
            assert "not known" in why
        else:
            assert "has Backend=XRender where this run has Backend=OpenGL" in why
            assert "--data prefer=live" in why
        assert f"~/{source.relative_to(box.home)}" in said(one)
    assert list(values(live.read_bytes(), BACKEND).values()) == ["XRender"]
    assert source.read_bytes() == text
    if "fails" not in kind:  # the rest of the file is written, and chezmoi has nothing against it
        assert live.read_bytes() != before
        decided = cli(box.inventory, "deploy.py", "-y", "--data", "prefer=live")
        assert decided.code == 0, decided.out
        assert list(values(live.read_bytes(), BACKEND).values()) == ["OpenGL"]


def test_u8_a_source_that_leaves_our_entries_alone_is_no_conflict(cli: Cli, box: Box) -> None:
    modify(box, "modify_private_kwinrc", "#!/bin/sh\nsed 's/^MaxFPS=.*/MaxFPS=60/'\n")
    run = cli(box.inventory, "deploy.py", "-y", *ASKED)
    assert run.code == 0, run.out
    assert list(values(box.config("kwinrc").read_bytes(), BACKEND).values()) == ["OpenGL"]
    assert chezmoi(box, "verify", str(box.config("kwinrc"))).returncode == 0
