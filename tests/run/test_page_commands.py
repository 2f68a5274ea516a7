"""Every command of the pages runs as it is written, on workspaces of the names that the pages use.

The first run and a new workspace are in test_first_hour.py, the example of contributing.md in
tests/test_contributing.py, the commands of nix on a layer in tests/nix/test_nix_page.py.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import sandbox
from tests import sshd
from tests.conftest import DESKTOP, PROJECT
from tests.run import pages
from tests.tools import need

WORKSPACE = """\
import json
from pathlib import Path

from tasks.reach.connection import workspace

hosts = [workspace(**json.loads(Path(__file__).with_suffix(".json").read_text()))]
"""
#: Commands that end in another code here, and why.
EXITS = {
    "plan=PLAN": (0, 1),  # stale, where the command before has applied it
    "AT_SHOSHIN=": (1,),  # nobody knows that server
    "tasks/verify.py": (0, 1, 4),  # a sandbox cannot answer everything
    "tasks/rollback.py": (0, 1, 2),
    "tasks/remove.py": (0, 2),
    "rollout=staged": (0,),
}


@pytest.fixture(scope="module")
def person(
    tmp_path_factory: pytest.TempPathFactory, ssh_server: sshd.Server
) -> Iterator[pages.Person]:
    """Somebody whose workspaces are called as in the pages: one here, two over SSH."""
    need("chezmoi")
    place = tmp_path_factory.mktemp("pages")
    project = pages.repository(place / "project")
    someone = pages.Person(project, pages.environment(place / "person"))
    pages.lent(project)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox, "_generations", lambda *_, **__: None)
        boxes = {
            "shoshin": {"user": "", **sandbox.data(place / "shoshin", workspace="shoshin")},
            "kinoite": ssh_server.box(sshd.ONE, "pages-kinoite"),
            "gyakusatsu": ssh_server.box(sshd.TWO, "pages-gyakusatsu"),
        }
    for name, box in boxes.items():
        box.pop("workspace", None)
        file = project / f"inventory/{name}.py"
        file.write_text(WORKSPACE)
        file.with_suffix(".json").write_text(json.dumps({**box, "name": name, "layers": DESKTOP}))
    yield someone


def exits(command: pages.Command) -> tuple[int, ...]:
    """The codes that a command may have here."""
    for part, codes in EXITS.items():
        if part in command.text and "# exit" not in command.text:
            return codes
    return command.exits


def run(person: pages.Person, command: pages.Command) -> str:
    words = {"PLAN": _newest(person, "plans/*.json"), "RUN": _newest(person, "runs/*")}
    text = command.text
    for word, instead in words.items():
        text = re.sub(rf"(?<![A-Za-z-]){word}\b", instead, text)
    answers = {"Press enter to apply": "", "write yes:": "yes"}
    argv = ["bash", "-c", text]
    code, out = pages.at_a_terminal(argv, person.directory, person.environment, answers)
    assert code in exits(command), f"{command}\n(exit {code})\n{out}"
    assert "Traceback" not in out
    return out


def _newest(person: pages.Person, pattern: str) -> str:
    state = Path(person.environment["HOME"], ".local/state/workspace-tuning/controller")
    found = sorted(state.glob(pattern), key=lambda path: path.stat().st_mtime_ns)
    return found[-1].name.removesuffix(".json") if found else "none"


@pytest.mark.parametrize(
    "page",
    ["docs/every-day.md", "docs/undo.md", "docs/measuring.md", "docs/builds-elsewhere.md"],
)
def test_the_commands_of_a_page_run_in_their_order(person: pages.Person, page: str) -> None:
    found = pages.commands(page)
    assert len(found) >= 2
    for command in found:
        if command.text.startswith("~/"):
            continue  # on the workspace: tests/remote runs it
        out = run(person, command)
        assert re.search(r"\(exit \d+\)|run\.html|^complete |^$", out, re.MULTILINE), out


def test_the_commands_of_the_reports_page_write_what_they_say(person: pages.Person) -> None:
    run(person, pages.Command("", ".venv/bin/pyinfra inventory/shoshin.py deploy.py --dry"))
    for command in pages.commands("docs/report.md"):
        if command.text.startswith("uv run"):
            continue  # the next test
        assert run(person, command) or "--quiet" in command.text or "--html" in command.text
    for name in ("run.html", "run.json", "run.xml"):
        assert (person.directory / name).stat().st_size > 100, name


def test_the_picture_is_made_by_a_group_and_a_module_that_are_there() -> None:
    (command,) = [one for one in pages.commands("docs/report.md") if "uv run" in one.text]
    group, module = re.findall(r"--group (\S+) python -m (\S+)", command.text)[0]
    assert f"\n{group} = [" in (PROJECT / "pyproject.toml").read_text()
    assert (PROJECT / f"{module.replace('.', '/')}.py").is_file()


def test_the_commands_of_the_ssh_page_are_understood(
    person: pages.Person, ssh_server: sshd.Server
) -> None:
    address = f"127.0.0.1:{ssh_server.port}"
    for command in pages.commands("docs/ssh.md"):
        text = command.text.replace("kinoite", address).replace("10.0.0.5:2222", "127.0.0.1:9")
        out = run(person, pages.Command(command.page, text))
        assert "is trusted" in out or "is not known" in out or "no connection" in out, out


def test_every_target_of_make_that_a_page_names_is_there() -> None:
    named = {
        target
        for path in (PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md")))
        for target in re.findall(r"(?:^|`)make ([a-z]+)", path.read_text(), re.MULTILINE)
    }
    assert {"demo", "test", "bench"} <= named
    for target in named:
        done = subprocess.run(
            ["make", "-n", "-o", ".venv/bin/.made", target],
            cwd=PROJECT,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


def test_every_block_of_commands_is_run_by_a_test() -> None:
    """A new page with commands has to be named here, by the test that runs them."""
    run_by = {
        "README.md": "test_first_hour",
        "docs/first-run.md": "test_first_hour",
        "docs/new-workspace.md": "test_first_hour",
        "docs/contributing.md": "tests/test_contributing.py",
        "docs/nix.md": "tests/nix/test_nix_page.py",
        **dict.fromkeys(
            ("docs/every-day.md", "docs/undo.md", "docs/measuring.md", "docs/builds-elsewhere.md"),
            "test_the_commands_of_a_page_run_in_their_order",
        ),
        "docs/report.md": "test_the_commands_of_the_reports_page",
        "docs/ssh.md": "test_the_commands_of_the_ssh_page",
    }
    places = (PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md")))
    names = [path.relative_to(PROJECT).as_posix() for path in places]
    assert {name for name in names if pages.commands(name)} <= set(run_by)
