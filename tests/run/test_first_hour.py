"""The first hour as a transcript: the commands of README and of the pages it leads to, in their
order, from a clone to a workspace of one's own. Nothing is typed that a page does not say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import sshd
from tests.run import pages
from tests.tools import need

#: Lines at 80 columns: a first dry run, a first apply, a run with nothing to do.
DRY, FIRST, NOTHING = 50, 60, 8
#: Where a user may not read the journal, its two checks are unknown, so no run ends in 0.
KEPT = (0, 4)


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pages.Person]:
    """Somebody who has cloned the project and made its environment, by the first two lines of the
    README."""
    need("nix")
    need("chezmoi")
    place = tmp_path_factory.mktemp("first-hour")
    origin = pages.repository(place / "origin")
    someone = pages.Person(
        place, pages.environment(place / "person"), words={"REPOSITORY": str(origin)}
    )
    clone, change, *_ = pages.commands("README.md#First run")
    someone.does(clone)
    someone.does(change)
    pages.installed(someone.directory, someone.environment)
    yield someone


def acts(demo: str) -> dict[str, list[str]]:
    """What each act of the demo printed, under its heading."""
    _, *parts = re.split(r"^=== (.+)$", demo, flags=re.MULTILINE)
    return {
        title: body.partition("\n--- ")[0].strip("\n").splitlines()[1:]  # without its command
        for title, body in zip(parts[::2], parts[1::2], strict=True)
    }


def test_the_first_hour_from_the_clone_to_an_undone_run_is_as_the_pages_say(
    person: pages.Person,
) -> None:
    shown: dict[str, str] = {}
    for command in pages.commands("README.md#First run", "docs/first-run.md"):
        if command.text.startswith(("git clone", "cd ")):
            continue  # done
        shown.setdefault(str(command), person.does(command))

    demo = acts(shown[next(one for one in shown if "README.md#First run: make demo" in one)])
    assert len(demo) == 6, demo.keys()
    first, apply, again = list(demo.values())[:3]
    assert 10 < len(first) <= DRY and 10 < len(apply) <= FIRST and len(again) <= NOTHING, demo

    def said(part: str) -> str:
        (found,) = [text for command, text in shown.items() if part in command]
        return found

    broken = " ".join(said("# exit 5").split())
    assert re.search(r"/shoshin\.yaml:\d+:\d+: build\.compiler\.march: .*znver5", broken), broken
    assert "write skylake" in broken and "nothing was touched" in broken, broken
    verified = said("# exit 1")
    assert "kwin.contrast" in verified and "expected: contrastEnabled=false" in verified
    assert "drift" in said("# the drift is shown and healed")
    assert "plan         kwinrc [Plugins] contrastEnabled=false" in said("setting=kwin.contrast")
    for command, text in shown.items():
        wide = [line for line in text.splitlines() if len(line) > 80 and " " not in line.strip()]
        assert not [line for line in wide if "=" not in line and "/" not in line], command


def test_a_workspace_of_ones_own_over_ssh_is_set_up_by_the_pages_commands(
    person: pages.Person, ssh_server: sshd.Server
) -> None:
    address = f"127.0.0.1:{ssh_server.port}"
    config = Path(person.environment["HOME"], ".ssh/config")
    config.parent.mkdir(mode=0o700)
    config.write_text(f"Host 127.0.0.1\n  IdentityFile {ssh_server.directory / 'client'}\n")
    kwinrc = ssh_server.homes[sshd.ONE] / ".config/kwinrc"  # Plasma writes one at its first start
    kwinrc.parent.mkdir(exist_ok=True)
    kwinrc.write_text("[Plugins]\ncontrastEnabled=true\nmyOwn=1\n")
    sshd.own(kwinrc.parent, sshd.ONE)
    person.words |= {"me@atelier.lan": f"{sshd.ONE}@{address}", "atelier.lan": address}
    own_keys = (ssh_server.directory / "host.pub").read_text().split()[1]
    shown = []
    for command in pages.commands("docs/new-workspace.md"):
        shown.append(person.does(command, {"write yes:": "yes", "Press enter to apply": ""}))
    project = person.directory
    assert own_keys in (project / "inventory/known_hosts").read_text()
    written = (project / "inventory/hardware/atelier.yaml").read_text()
    assert written.startswith("# yaml-language-server: $schema=")
    inventory = (project / "inventory/atelier.py").read_text()
    assert f"at='{sshd.ONE}@{address}'" in inventory.replace('"', "'")
    trusted, looked, wrote, dry, applied, compared = shown
    assert "SHA256:" in trusted
    assert "profile shown (exit 0)" in looked and "profile written (exit 0)" in wrote
    assert "atelier" in dry and "atelier" in applied
    assert "as declared (exit 0)" in compared
    assert "then          .venv/bin/pyinfra inventory/atelier.py" in wrote

    # "Read both": nobody is logged in there, and this is a desktop.
    profile = project / "inventory/hardware/atelier.yaml"
    for seen, known in (("desktop", "plasma6"), ("type", "wayland")):
        profile.write_text(re.sub(rf"  {seen}: none.*", f"  {seen}: {known}", profile.read_text()))
    lived = kwinrc.read_bytes()
    tuned = _does(person, "deploy.py", {"Press enter to apply": ""})
    assert "[Plugins] contrastEnabled           true -> false" in tuned
    assert b"contrastEnabled=false" in kwinrc.read_bytes() and b"myOwn=1" in kwinrc.read_bytes()
    kwinrc.write_bytes(
        kwinrc.read_bytes().replace(b"contrastEnabled=false", b"contrastEnabled=true")
    )
    assert "kwin.contrast" in _does(person, "tasks/verify.py", exits=(1,))
    healed = _does(person, "deploy.py -y")
    assert "we wrote false, found true, will be false" in healed
    assert len(_does(person, "deploy.py -y").splitlines()) <= NOTHING
    _does(person, "tasks/remove.py -y", exits=(0,))
    assert kwinrc.read_bytes() == lived, "every byte, over SSH too"


def _does(
    person: pages.Person,
    task: str,
    answers: dict[str, str] | None = None,
    exits: tuple[int, ...] = KEPT,
) -> str:
    """A command of the README's table on one's own workspace."""
    argv = [".venv/bin/pyinfra", "inventory/atelier.py", *task.split()]
    code, out = pages.at_a_terminal(argv, person.directory, person.environment, answers)
    assert code in exits, out
    return out
