"""Faults that the desktop makes: KDE writes during a run, or its file cannot be changed.
The table of all rows is in test_faults.py."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from converge.kde.merge import merge
from converge.plan.plan import Change
from converge.setting import Layer
from tasks.reach.payload import pack
from tests.conftest import Box, Cli
from tests.remote.faults import Guard, until
from tests.tools import need

pytestmark = pytest.mark.usefixtures("chezmoi")


# ---- 13: the desktop writes meanwhile ------------------------------------------------------------


def write_key(config: Path, key: str, value: str) -> None:
    """As a program of the desktop does: under KConfig's lock, with what the file holds then."""
    subprocess.run(
        [need("kwriteconfig"), "--file", "kwinrc", "--group", "Theirs", "--key", key, value],
        env={**os.environ, "XDG_CONFIG_HOME": str(config), "QT_LOGGING_RULES": "*=false"},
        check=True,
        capture_output=True,
        timeout=60,
    )


@pytest.fixture
def written_by_kde(cli: Cli, desktop: Box) -> Guard:
    """KDE drops comments at its first write; what it leaves is what has to stay."""
    write_key(desktop.config(""), "k0", "v0")
    shutil.copy(desktop.config("kwinrc"), desktop.source("kwinrc"))
    return Guard(cli, desktop)


def test_13_a_desktop_that_writes_all_the_time_loses_nothing_and_is_waited_for(
    cli: Cli, written_by_kde: Guard
) -> None:
    guard = written_by_kde
    stop, written = threading.Event(), 0

    def desktop() -> None:
        nonlocal written
        while not stop.is_set():
            written += 1
            write_key(guard.box.config(""), f"k{written}", f"v{written}")

    writer = threading.Thread(target=desktop)
    writer.start()
    try:
        run = cli(guard.box.inventory, "deploy.py", "-y")
    finally:
        stop.set()
        writer.join()
    assert run.code in (0, 1), run.out + run.err
    if run.code == 1:
        assert "kept changing" in run.out
        assert len([r for r in run.kinds("step") if r["status"] == "stale"]) == 3
    assert written > 5
    for attempt in (run, guard.converges()):
        text = guard.box.config("kwinrc").read_text()
        for number in range(1, written + 1):
            assert f"\nk{number}=v{number}\n" in text, attempt.out


@pytest.mark.parametrize("moment", [".kwinrc.wt-{}", "kwinrc.lock", "kwinrc"])
def test_13_a_write_of_the_desktop_in_the_same_moment_is_never_lost(
    tmp_path: Path, moment: str
) -> None:
    """It begins when ours has staged its file, has KConfig's lock, or at once."""
    from tests.remote.test_write import Place

    need("dash")
    place = Place(tmp_path)
    kwinrc = place.home / ".config/kwinrc"
    codes = []
    for number in range(1, 9):
        run = f"run-{number}"
        before = kwinrc.read_bytes()
        after = merge(before, {("Ours",): {"n": str(number)}}).text
        change = Change(path=str(kwinrc), layer=Layer.PLASMA, before=before, after=after, kde=True)
        payload = pack([change], home=str(place.home))
        said: list[tuple[int, list[str]]] = []
        ours = threading.Thread(target=lambda: said.append(place.write(payload, run)))  # noqa: B023
        ours.start()
        while ours.is_alive() and not (kwinrc.parent / moment.format(run)).exists():
            pass
        write_key(kwinrc.parent, f"k{number}", "v")
        ours.join()
        codes.append(said[0][0])
        assert codes[-1] in (0, 75), said
        text = kwinrc.read_text()
        assert set(re.findall(r"^(k\d+)=v$", text, re.M)) == {
            f"k{one}" for one in range(1, number + 1)
        }
        assert (f"\nn={number}\n" in text) is (codes[-1] == 0)
        assert not list(kwinrc.parent.glob("*.lock"))
    if moment == "kwinrc.lock":
        assert set(codes) == {0}, "whoever has the lock is first"


def test_13_a_desktop_that_writes_once_makes_the_run_read_again(
    cli: Cli, written_by_kde: Guard
) -> None:
    """The write comes between our reading and our writing, at the first attempt only."""
    guard = written_by_kde
    process = cli.start(guard.box.inventory, "deploy.py", "-vy")
    until(process, "look before the change: started")
    process.send_signal(signal.SIGSTOP)
    write_key(guard.box.config(""), "theirs", "kept")
    process.send_signal(signal.SIGCONT)
    run = cli.end(process)
    assert run.code == 0, run.out + run.err
    assert [r["status"] for r in run.kinds("step") if r["step"] == "activate"] == [
        "started",
        "stale",
        "done",
    ]
    guard.after(run)
    assert "\ntheirs=kept\n" in guard.box.config("kwinrc").read_text()
    assert guard.box.config("kwinrc").read_bytes() == guard.box.source("kwinrc").read_bytes()
    guard.converges()


def test_13_what_is_refused_at_the_second_reading_is_refused(cli: Cli, guard: Guard) -> None:
    process = cli.start(guard.box.inventory, "deploy.py", "-vy")
    until(process, "look before the change: started")
    process.send_signal(signal.SIGSTOP)
    kwinrc = guard.box.config("kwinrc")
    kwinrc.rename(kwinrc.with_name("elsewhere"))
    kwinrc.symlink_to("elsewhere")
    process.send_signal(signal.SIGCONT)
    run = cli.end(process)
    assert run.code == 1, run.out + run.err
    assert str(kwinrc) in str(run.kinds("result")[0]["why"])
    assert kwinrc.is_symlink()
    kwinrc.unlink()
    kwinrc.with_name("elsewhere").rename(kwinrc)
    guard.after(run)
    guard.converges()
