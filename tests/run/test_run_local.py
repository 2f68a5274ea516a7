"""The main job as a process against a workspace on this machine."""

from __future__ import annotations

import json
import os
import shlex
import signal
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from tests.conftest import Box, Cli, tree
from tests.remote.faults import transaction
from tests.tools import missing, need


def digests(cli: Cli, plan: str) -> dict[str, str]:
    """What a saved plan says each file will hold."""
    path = cli.state / "workspace-tuning/controller/plans" / f"{plan}.json"
    return {one["path"]: one["after"] for one in json.loads(path.read_text())["changes"]}


def plan_id(out: str) -> str:
    return out.partition(" plan ")[2].split()[0]


def test_a_run_converges_all_layers_and_the_second_run_writes_nothing(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    need("nix")
    need("chezmoi")
    box = make_box()
    first = cli(box.inventory, "deploy.py", "-y")
    assert {d["layer"] for d in first.kinds("difference")} == {"nixos", "home-manager"}
    lines = [str(line) for d in first.kinds("difference") for line in d["lines"]]
    assert any(line.startswith("package home-manager: +") for line in lines)
    assert not [line for line in lines if "python3" in line], "nobody has it, nobody asked for it"
    assert not [line for line in lines if "lz4" in line], "a library's command is not installed"
    assert first.last_line.startswith("applied, some pending (exit 0), "), first.out
    assert first.code == 0
    profiles = box.root / "nix/var/nix/profiles"
    assert os.readlink(profiles / "system") == "system-2-link"
    assert "LIBVA_DRIVER_NAME=${LIBVA_DRIVER_NAME:-nvidia}" in (
        box.home / ".config/environment.d/60-video-variables.conf"
    ).read_text().split("\n")
    assert box.config("kwinrc").read_bytes() == box.source("kwinrc").read_bytes()

    before = tree(box.root)
    second = cli(box.inventory, "deploy.py", "-y")
    assert second.code == 0, second.out
    assert "nothing to change" in second.out
    assert tree(box.root) == before


def test_a_dry_run_writes_nothing_and_shows_the_bytes_that_a_run_writes(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    need("nix")
    box = make_box()
    # Nix keeps what it evaluated in its own store and cache, and the layer is evaluated from a
    # private directory in the runtime directory that is gone again; nothing else may change.
    apart = ("nix", "home/.cache", "run/user")
    before = tree(box.root, without=apart)
    dry = cli(box.inventory, "deploy.py", "--dry", "--diff")
    assert dry.code == 2, dry.out
    assert tree(box.root, without=apart) == before
    assert "+contrastEnabled=false" in dry.out
    assert any("derivations to build" in str(record["text"]) for record in dry.kinds("estimate"))

    shown = digests(cli, plan_id(dry.out))
    assert len(shown) > 20
    assert cli(box.inventory, "deploy.py", "-y").code == 0
    for path, digest in shown.items():
        assert sha256(Path(path).read_bytes()).hexdigest() == digest, path


def test_a_saved_plan_is_applied_exactly_or_refused_as_stale(cli: Cli, desktop: Box) -> None:
    plan = plan_id(cli(desktop.inventory, "deploy.py", "--dry").out)
    kwinrc = desktop.config("kwinrc")
    kwinrc.write_bytes(kwinrc.read_bytes() + b"\n[Xwayland]\nScale=1\n")
    stale = cli(desktop.inventory, "deploy.py", "-y", "--data", f"plan={plan}")
    assert stale.code == 1
    assert "is stale" in stale.out
    assert b"contrastEnabled=true" in kwinrc.read_bytes()

    plan = plan_id(cli(desktop.inventory, "deploy.py", "--dry").out)
    assert cli(desktop.inventory, "deploy.py", "-y", "--data", f"plan={plan}").code == 0
    assert b"contrastEnabled=false" in kwinrc.read_bytes()


def test_the_command_to_apply_says_again_what_no_plan_keeps(cli: Cli, desktop: Box) -> None:
    """It dropped ``deadline_s=``, and with another value of the profile it was called stale."""
    given = ("layers=plasma,session", "deadline_s=40", "zram_algorithm=lz4")
    data = [word for one in given for word in ("--data", one)]
    dry = cli(desktop.inventory, "deploy.py", "--dry", *data)
    assert dry.code == 2, dry.out
    shown = " ".join(dry.out.partition("to apply")[2].replace("\\\n", " ").split())
    _, _, words = shown.partition(f"{desktop.inventory} ")
    typed = shlex.split(words)[
        : len(["deploy.py", "-y", "--data", "X", "--data", "X", "--data", "X"])
    ]
    assert typed[4:] == ["--data", "deadline_s=40", "--data", "zram_algorithm=lz4"]
    done = cli(desktop.inventory, *typed)
    assert done.code == 0, done.out
    assert "deadline 40" in (transaction(desktop) / "plan").read_text().splitlines()


def test_drift_of_a_managed_key_is_reported_and_healed_and_an_unmanaged_key_survives(
    cli: Cli, applied: Box
) -> None:
    need("chezmoi")
    kwinrc, source = applied.config("kwinrc"), applied.source("kwinrc")
    healed = kwinrc.read_bytes()
    changed = healed.replace(b"contrastEnabled=false", b"contrastEnabled=true")
    changed = changed.replace(b"FocusPolicy=FocusFollowsMouse", b"FocusPolicy=ClickToFocus")
    assert changed != healed
    kwinrc.write_bytes(changed)

    run = cli(applied.inventory, "deploy.py", "-y")
    assert run.code == 0
    (drift,) = run.kinds("drift")
    assert (drift["what"], drift["old"], drift["found"], drift["wanted"]) == (
        "[Plugins] contrastEnabled",
        "false",
        "true",
        "false",
    )
    wanted = healed.replace(b"FocusPolicy=FocusFollowsMouse", b"FocusPolicy=ClickToFocus")
    assert kwinrc.read_bytes() == wanted
    assert source.read_bytes() == wanted


def test_a_file_of_ours_that_somebody_edited_is_drift(cli: Cli, applied: Box) -> None:
    path = applied.home / ".config/environment.d/60-video-variables.conf"
    wanted = path.read_bytes()
    path.write_bytes(wanted + b"NVD_BACKEND=egl\n")
    run = cli(applied.inventory, "deploy.py", "-y")
    assert (run.code, [drift["what"] for drift in run.kinds("drift")]) == (0, ["the file"])
    assert path.read_bytes() == wanted


def test_a_file_of_the_users_own_by_the_name_of_ours_stays_as_it_is(cli: Cli, desktop: Box) -> None:
    path = desktop.home / ".config/environment.d/60-video-variables.conf"
    path.parent.mkdir()
    path.write_bytes(b"MINE=1\n")
    dry, run = (cli(desktop.inventory, "deploy.py", one) for one in ("--dry", "-y"))
    assert (dry.code, run.code) == (2, 0), dry.out + run.out
    for one in (dry, run):
        said = " ".join(one.out.split())
        assert "60-video-variables.conf is left as it is: it is a file of yours;" in said
        assert "--data exclude=video.variables" in said
    assert path.read_bytes() == b"MINE=1\n"
    assert b"only basic indexing=true" in desktop.config("baloofilerc").read_bytes()


def test_a_file_of_ours_whose_record_is_gone_is_still_ours(cli: Cli, applied: Box) -> None:
    path = applied.home / ".config/environment.d/60-video-variables.conf"
    (applied.home / ".local/state/workspace-tuning/workspace/written.json").unlink()
    wanted = path.read_bytes()
    path.write_bytes(wanted + b"NVD_BACKEND=egl\n")
    assert cli(applied.inventory, "deploy.py", "-y").code == 0
    assert path.read_bytes() == wanted


def test_mode_and_owner_of_a_kde_file_stay(cli: Cli, desktop: Box) -> None:
    kwinrc = desktop.config("kwinrc")
    kwinrc.chmod(0o640)
    desktop.source("kwinrc").rename(desktop.source("kwinrc").with_name("not-managed"))
    assert cli(desktop.inventory, "deploy.py", "-y").code == 0
    assert kwinrc.stat().st_mode & 0o7777 == 0o640


@pytest.mark.parametrize("kind", ["fifo", "directory"])
def test_what_is_not_a_plain_file_is_refused_by_name(cli: Cli, desktop: Box, kind: str) -> None:
    kwinrc = desktop.config("kwinrc")
    kwinrc.unlink()
    if kind == "fifo":
        os.mkfifo(kwinrc)
    else:
        kwinrc.mkdir()
    before = tree(desktop.root)
    run = cli(desktop.inventory, "deploy.py", "-y")
    assert run.code == 1
    assert str(kwinrc) in run.out
    assert "to do:" in run.out
    assert tree(desktop.root) == before


def test_a_file_of_somebody_else_is_refused_with_the_command_that_mends_it(
    cli: Cli, desktop: Box
) -> None:
    if os.getuid() != 0:
        missing("only root can give a file away: run as root")
    os.chown(desktop.config("kwinrc"), 65534, 65534)
    run = cli(desktop.inventory, "deploy.py", "-y")
    assert run.code == 1
    assert f"chown root {desktop.config('kwinrc')}" in run.out.replace("\n", " ")


def test_a_second_run_at_the_same_time_is_refused_with_the_owner_of_the_lock(
    cli: Cli, applied: Box
) -> None:
    lock = applied.home / ".local/state/workspace-tuning/workspace/lock"
    start = Path("/proc/self/stat").read_text().rpartition(") ")[2].split()[19]
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    lock.write_text(
        "run 20260101t000000-abcd\nhost elsewhere\nuser somebody\npid 4711\nsince 1700000000\n"
        f"anchor {os.getpid()}\nstart {start}\nboot {boot}\n"
    )
    held = lock.read_bytes()
    run = cli(applied.inventory, "deploy.py", "-y")
    assert run.code == 7
    for word in ("20260101t000000-abcd", "somebody", "elsewhere", "4711"):
        assert word in run.out
    assert lock.read_bytes() == held

    # The same text of a process that is gone: nobody holds it, and the next run goes on.
    applied.config("kwinrc").write_text("[Plugins]\n")
    lock.write_text(held.decode().replace(f"start {start}", "start 1"))
    assert cli(applied.inventory, "deploy.py", "-y").code == 0
    assert not lock.exists()


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ("phases=9", "phases"),
        ("phases=1;id", "phases"),
        ("accept=libraries.overlay.sytem", "libraries.overlay.system"),
        ("layer=plasma", "layers"),
        ("user=a$(id)", "user"),
        ("base_home=~/../etc", "base_home"),
    ],
)
def test_bad_choices_end_with_5_and_nothing_is_touched(
    cli: Cli, desktop: Box, data: str, word: str
) -> None:
    before = tree(desktop.root)
    run = cli(desktop.inventory, "deploy.py", "-y", "--data", data)
    assert run.code == 5
    assert word in run.err
    assert "invalid input (exit 5)" in run.out
    assert "Connecting" not in run.err
    assert tree(desktop.root) == before
    assert not cli.state.exists()


def test_a_setting_that_would_stop_the_session_cannot_be_forced(cli: Cli, desktop: Box) -> None:
    run = cli(desktop.inventory, "deploy.py", "-y", "--data", "accept=session.kwin-egl")
    assert run.code == 5
    assert "session.kwin-egl cannot be included" in run.err


def test_without_a_terminal_a_run_needs_to_be_told_to_apply(cli: Cli, desktop: Box) -> None:
    run = cli(desktop.inventory, "deploy.py")
    assert run.code == 5
    assert "-y" in run.err


def test_shoshin_on_a_machine_that_is_not_nixos_says_which_layers_do_not_apply(cli: Cli) -> None:
    run = cli(Path("inventory/shoshin.py"), "deploy.py", "--dry")
    assert run.code == 5, run.out  # the inventory names a flake that is not here
    assert "it does not exist, and base_home names it" in " ".join(run.out.split())
    assert "this machine is not NixOS" in run.out


def test_a_dry_run_as_another_user_shows_the_plan_and_no_command_to_apply_it(
    cli: Cli, desktop: Box
) -> None:
    named = ("--data", "user=somebody")
    dry, run = (cli(desktop.inventory, "deploy.py", one, *named) for one in ("--dry", "-y"))
    assert (dry.code, run.code) == (2, 5), dry.out + run.out
    for one in (dry, run):
        said = " ".join(one.out.split())
        assert said.count("but the workspace belongs to somebody") == 1
        assert "deploy.py -y" not in said
    assert "kwinrc" in dry.out
    for task in ("tasks/rollback.py", "tasks/remove.py"):  # these have nothing to show
        assert cli(desktop.inventory, task, "--dry", *named).code == 5
    assert not desktop.config("environment.d").exists()


def test_phases_narrow_a_run_and_leave_what_other_phases_set(cli: Cli, applied: Box) -> None:
    variables = applied.home / ".config/environment.d/60-video-variables.conf"
    assert variables.exists()
    run = cli(applied.inventory, "deploy.py", "-y", "--data", "phases=4")
    assert (run.code, variables.exists()) == (0, True)
    run = cli(applied.inventory, "deploy.py", "-y", "--data", "exclude=video.variables")
    assert (run.code, variables.exists()) == (0, False)


def test_the_exit_code_the_last_line_and_the_journal_agree_after_ctrl_c(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    need("nix")
    box = make_box()
    process = cli.start(box.inventory, "deploy.py", "-vy")
    assert process.stdout is not None
    for line in process.stdout:  # it has begun to change things
        if "build the Nix layers: started" in line:
            break
    process.send_signal(signal.SIGINT)
    run = cli.end(process)
    assert run.code == 130
    assert run.last_line.startswith("interrupted (exit 130)")
    assert (run.journal[-1]["kind"], run.journal[-1]["exit"]) == ("run-end", 130)
    after = cli(box.inventory, "deploy.py", "-y")
    assert after.code == 0, after.out
    assert cli(box.inventory, "deploy.py", "--dry").code == 0


def test_no_change_without_a_journal(cli: Cli, desktop: Box) -> None:
    before = tree(desktop.root)
    cli.state.write_text("a file where the state directory belongs")
    run = cli(desktop.inventory, "deploy.py", "-y")
    assert run.code == 1
    assert "journal" in run.out
    assert tree(desktop.root) == before


def test_a_dry_run_of_a_system_with_grafts_asks_nix_for_nothing_and_says_why(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    """To evaluate replaceDependencies is to build the system that it looks into."""
    need("nix")
    box = make_box(layers=["nixos"], accept=["libraries.graft.system"])
    dry = cli(box.inventory, "deploy.py", "--dry")
    assert dry.code == 2, dry.out
    (estimate,) = dry.kinds("estimate")
    assert "not asked: libraries.graft.system makes Nix build" in str(estimate["text"])
    assert "not asked" in " ".join(dry.out.split())
