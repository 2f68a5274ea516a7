"""A change of a home within a system that waits for a boot: kept, undone, or never come up.

The systems, their homes and the undo are real; the boot loader and the boot are trials.py's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

import sandbox
from tests.conftest import Applied, Box, Cli
from tests.run.test_home_within import CONSENT, MARKER, NIX, TARGET, current, links, said, write
from tests.run.trials import Tried
from tests.tools import need

ALIAS = "alias sysmon="


@pytest.fixture
def box(make_applied: Callable[..., Applied]) -> Box:
    """A workspace whose home is in its second system; a file of the user's was moved aside."""
    need("nix")
    made = make_applied(*CONSENT, within=True, layers=NIX, prepare=with_a_file_of_the_users)
    assert (made.home / TARGET).is_symlink()
    return made


def with_a_file_of_the_users(box: Box) -> None:
    write(box, TARGET)
    before = {"links": links(box), "home": str(current(box))}
    (box.root / "before.json").write_text(json.dumps(before))


@pytest.fixture
def trial(box: Box) -> Iterator[Tried]:
    """The change of the box, on trial."""
    made = Tried.of(box)
    yield made
    if made.unit and made.unit.poll() is None:
        made.unit.kill()
        made.unit.wait()


def as_before(box: Box) -> None:
    """The home is the old one, with the user's own file in its place."""
    before = json.loads((box.root / "before.json").read_text())
    assert (links(box), str(current(box))) == (before["links"], before["home"])
    own = box.home / TARGET
    assert (own.read_bytes(), own.stat().st_mode & 0o777) == (b"# mine\n", 0o640)
    assert not list(own.parent.glob("*.before-*"))
    assert os.readlink(box.root / "nix/var/nix/profiles/system") == "system-1-link"


def old_unit(box: Box) -> None:
    """The old system's unit of the home, as each boot of that system starts it."""
    system = (box.root / "nix/var/nix/profiles/system-1-link").resolve()
    (unit,) = (system / "etc/systemd/system").glob("home-manager-*.service")
    (words,) = (x[10:] for x in unit.read_text().splitlines() if x.startswith("ExecStart="))
    environment = {**os.environ, **dict(sandbox.environment(box.root))}
    subprocess.run(words.split(), env=environment, check=True)


def test_a_home_within_that_is_proved_after_the_boot_is_kept_and_goes_back_later(
    cli: Cli, box: Box, trial: Tried
) -> None:
    page = box.root / "page.html"
    (journal,) = (cli.state / "workspace-tuning/controller/runs").glob("*/journal.jsonl")
    report = [sys.executable, "-m", "converge.report", "--quiet", "--html", str(page), str(journal)]
    subprocess.run(report, check=True)
    text = page.read_text().replace("<wbr>", "")
    assert "/var/lib/workspace-tuning/nixos/home-manager/profile.json" in text
    assert "monitoring.sysmon" in text
    waits = cli(box.inventory, "tasks/status.py")
    assert "booted once at the next start" in said(waits.out)
    assert "home within the system's generations" in said(waits.out)
    trial.reboots()
    confirmed = cli(box.inventory, "tasks/confirm.py", "-y")
    assert confirmed.code == 0, confirmed.out
    assert trial.ends().startswith("kept generation 2")
    assert (box.home / MARKER).exists()
    assert ALIAS in (box.home / ".bashrc").read_text()
    trial.is_the_built_one()
    back = cli(box.inventory, "tasks/rollback.py", "-y")
    assert back.code == 0, back.out
    as_before(box)


def test_a_home_within_goes_back_where_the_person_says_no_after_the_boot(
    cli: Cli, box: Box, trial: Tried
) -> None:
    trial.reboots()
    ended = cli(box.inventory, "tasks/confirm.py", "-y", "--data", "answer=undo")
    assert ended.code == 0, ended.out
    assert trial.ends() == "undone the person said no"
    as_before(box)
    status = said(cli(box.inventory, "tasks/status.py").out)
    assert "undone: the person said no" in status


def test_a_home_within_goes_back_where_the_machine_came_up_in_the_old_system(
    box: Box, trial: Tried
) -> None:
    """The unit of that system is done before the trial's own begins (systemd-user-sessions)."""
    old_unit(box)
    assert not (box.home / TARGET).exists()
    assert trial.hangs().startswith("went-back generation 2 did not come as far as its proof")
    as_before(box)


def test_the_script_for_a_person_there_undoes_a_home_within_too(box: Box) -> None:
    script = box.home / ".local/state/workspace-tuning/workspace/rollback"
    environment = {**os.environ, **dict(sandbox.environment(box.root)), "ROOT": str(box.root)}
    subprocess.run([str(script)], env=environment, check=True)
    as_before(box)
