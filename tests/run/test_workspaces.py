"""A new workspace is two files; detect writes one of them and compares it with the machine."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from converge.profile.profile import load_profile
from tests.conftest import PROJECT, PYINFRA, Box, Cli, Outcome
from tests.preloaded import Preloaded

CODE = (
    *("converge", "tasks", "inventory", "schemas", "files"),
    *("deploy.py", "config.py", "pyproject.toml"),
)
NEW = '''\
"""atelier: the machine that these tests run on."""

from tasks.reach.connection import workspace

hosts = [workspace("atelier", profile="inventory/hardware/atelier.yaml", user="somebody")]
'''


class Project:
    """A copy of the project, so that files can be added to it, and what runs there fork from."""

    def __init__(self, place: Path) -> None:
        self.place = place
        for name in CODE:
            source = PROJECT / name
            if source.is_dir():
                ignored = shutil.ignore_patterns("known_hosts")
                shutil.copytree(source, place / name, ignore=ignored)
            else:
                shutil.copy2(source, place / name)
        shutil.copytree(place / "inventory", place.with_name("inventory"))
        self._files = set(place.rglob("*"))
        self.environment = {"PYTHONPATH": str(place)}
        self.preloaded = Preloaded(PYINFRA, PROJECT, {**Cli(place).environment, **self.environment})

    def anew(self) -> None:
        """As the project has it: without what a test has put there."""
        shutil.rmtree(self.place / "inventory")
        shutil.copytree(self.place.with_name("inventory"), self.place / "inventory")
        for path in set(self.place.rglob("*")) - self._files:
            if "__pycache__" not in path.parts:
                raise AssertionError(f"{path}: left by a test")


class Copy(Cli):
    """pyinfra in a copy of the project."""

    def __init__(self, directory: Path, project: Project) -> None:
        super().__init__(directory)
        self.project = project.place
        self.preloaded = lambda: project.preloaded  # type: ignore[method-assign]
        self.environment |= project.environment

    def start(self, inventory: Path, *arguments: str, **options: object):  # type: ignore[no-untyped-def]
        return super().start(inventory, "--chdir", str(self.project), *arguments, **options)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    place = tmp_path_factory.mktemp("copy") / "project"
    place.mkdir()
    made = Project(place)
    yield made
    made.preloaded.close()


@pytest.fixture
def copy(tmp_path: Path, project: Project) -> Copy:
    project.anew()
    return Copy(tmp_path, project)


def verdicts(run: Outcome) -> dict[object, object]:
    return {record["fact"]: record["outcome"] for record in run.kinds("verdict")}


def test_a_new_workspace_is_two_files(copy: Copy) -> None:
    inventory = copy.project / "inventory/atelier.py"
    profile = copy.project / "inventory/hardware/atelier.yaml"
    inventory.write_text(NEW)  # the first file

    missing = copy(inventory, "tasks/detect.py")
    assert missing.code == 5, missing.out + missing.err
    assert "--data write=inventory/hardware/atelier.yaml" in missing.out

    wrote = copy(inventory, "tasks/detect.py", "--data", f"write={profile}")
    assert wrote.code == 0, wrote.out + wrote.err
    assert load_profile(profile).workspace == "atelier"  # the second one

    same = copy(inventory, "tasks/detect.py")
    assert same.code == 0, same.out
    assert "differs" not in verdicts(same).values()

    plan = copy(inventory, "deploy.py", "--dry")
    assert plan.code in (0, 2), plan.out + plan.err
    assert "atelier: " in plan.out
    assert not {"differs", "blocks"} & set(map(str, verdicts(plan).values()))


# ---- detect --------------------------------------------------------------------------------------


def test_detect_never_overwrites_and_leaves_nothing_behind(
    cli: Cli, desktop: Box, tmp_path: Path
) -> None:
    place = tmp_path / "profiles"
    place.mkdir()
    path = place / "there.yaml"
    path.write_text("# mine\n")
    run = cli(desktop.inventory, "tasks/detect.py", "--data", f"write={path}")
    assert (run.code, path.read_text()) == (1, "# mine\n")
    assert "stays as it is" in run.out
    assert list(place.iterdir()) == [path]
    assert cli(desktop.inventory, "tasks/detect.py", "--data", f"write={place}/a.yaml").code == 0
    assert sorted(one.name for one in place.iterdir()) == ["a.yaml", "there.yaml"]


def test_detect_shows_each_fact_that_is_not_as_declared_and_needs_nobody_to_confirm(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    box = make_box()  # the recorded shoshin
    session = box.root / "commands/loginctl"
    recorded = session.read_text()
    session.write_text(recorded.replace("Type=x11", "Type=wayland"))
    run = cli(box.inventory, "tasks/detect.py")
    assert run.code == 1, run.out
    assert [fact for fact, one in verdicts(run).items() if one != "true"] == ["session.type"]
    session.write_text(recorded)
    run = cli(box.inventory, "tasks/detect.py")
    assert (run.code, set(verdicts(run).values())) == (0, {"true"}), run.out

    other = make_box("other", profile="inventory/hardware/gyakusatsu.yaml")
    run = cli(other.inventory, "tasks/detect.py")
    assert run.code == 1
    for fact in ("platform", "memory.totalGB", "cpu.vendor"):
        assert verdicts(run)[fact] == "differs"
        assert fact in run.out
    assert "differs (exit 1)" in run.last_line
    assert not run.err.count("Press enter")


def test_a_run_changes_who_drives_a_card_only_where_that_is_asked_for(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    box = make_box()  # its profile says nvidia
    device = box.root / "sys/bus/pci/devices/0000:01:00.0"
    (device / "driver").unlink()
    (device / "driver").symlink_to("../../../bus/pci/drivers/nouveau")
    run = cli(box.inventory, "deploy.py", "--dry")
    assert run.code == 6, run.out
    text = " ".join(run.out.split())
    assert "gpus.driver" in text
    assert "nouveau" in text
    assert "--data accept=gpus.driver" in text
    asked = cli(box.inventory, "deploy.py", "--dry", "--data", "accept=gpus.driver")
    assert asked.code in (0, 2), asked.out
    (device / "driver").unlink()
    (device / "driver").symlink_to("../../../bus/pci/drivers/vfio-pci")
    guest = cli(box.inventory, "deploy.py", "--dry", "--data", "accept=gpus.driver")
    assert guest.code == 6, guest.out
    (verdict,) = [record for record in guest.kinds("verdict") if record["outcome"] == "blocks"]
    assert "kept for a virtual machine" in str(verdict["why"]), guest.out

    place = box.root / "guest.yaml"
    run = cli(box.inventory, "tasks/detect.py", "--data", f"write={place}")
    assert run.code == 0, run.out
    (card,) = load_profile(place).gpus
    assert (card.driver, card.role) == ("vfio-pci", "guest")
    assert not load_profile(place).facts & {"nvidia", "video"}
