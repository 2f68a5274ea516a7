"""The user's flakes in whole runs: what is given and cannot be read, what was applied and is gone,
what would be shown to everybody, and what does not evaluate."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Applied, Box, Cli, tree
from tests.remote.test_flakes import WHO, git
from tests.tools import need

HOME_LAYER = {"layers": ["home-manager", "plasma", "session"]}


@pytest.fixture(autouse=True)
def tools() -> None:
    need("nix")
    need("git")


def store(box: Box) -> str:
    return "\n".join(path.name for path in (box.root / "nix/store").rglob("*"))


def test_a_flake_that_is_given_and_not_there_is_invalid_input_and_a_fault_of_verify(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    box = make_box(**HOME_LAYER)
    before = tree(box.root)
    for command in (("deploy.py", "--dry"), ("deploy.py", "-y")):
        run = cli(box.inventory, *command, "--data", "base_home=~/nope")
        assert run.code == 5, run.out
        assert "nope" in run.out
        assert "it does not exist, and base_home names it" in run.out
        assert "converged" not in run.out
    assert tree(box.root) == before
    for task in ("tasks/verify.py", "tasks/status.py"):
        run = cli(box.inventory, task, "--data", "base_home=~/nope")
        assert run.code == 1, run.out
        assert "nope: it does not exist" in " ".join(run.out.split())


def test_a_layer_that_was_applied_and_lost_its_flake_is_a_fault_everywhere(
    cli: Cli, make_applied: Callable[..., Applied]
) -> None:
    box = make_applied(base_home="~/.config/home-manager", **HOME_LAYER)
    flake = box.config("home-manager")
    flake.rename(box.home / "moved")
    for command in (("deploy.py", "--dry"), ("tasks/verify.py",), ("tasks/status.py",)):
        run = cli(box.inventory, *command)
        assert run.code in (1, 5), (command, run.out)
        assert "home-manager: it does not exist" in " ".join(run.out.split())
    flake.mkdir()
    (flake / ".git").mkdir()
    (flake / ".git/HEAD").write_text("broken")
    (flake / "flake.nix").write_text("{ }")
    run = cli(box.inventory, "deploy.py", "-y")
    assert run.code in (1, 5), run.out
    assert "fatal: not a git repository" in run.out
    without = cli(box.inventory, "deploy.py", "--dry", "--data", "layers=plasma,session")
    assert without.code == 0, without.out


def test_a_secret_beside_a_flake_is_not_copied_before_somebody_agrees(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    box = make_box(layers=["nixos"])
    secret = box.root / "etc/nixos/secret.env"
    secret.write_text("x")
    secret.chmod(0o600)
    for command in (("deploy.py", "--dry"), ("deploy.py", "-y"), ("tasks/verify.py",)):
        run = cli(box.inventory, *command)
        assert run.code in (1, 5), (command, run.out)
        assert "secret.env" in run.out
        assert "base_nixos_with=publish" in run.out
        assert "secret.env" not in store(box)
    agreed = cli(box.inventory, "deploy.py", "--dry", "--data", "base_nixos_with=publish")
    assert agreed.code == 2, agreed.out
    assert "secret.env" in store(box)


@pytest.mark.parametrize("command", [("--dry",), ("-y",)], ids=["dry", "run"])
def test_a_layer_that_does_not_evaluate_fails_with_the_words_of_nix_and_the_place(
    cli: Cli, make_box: Callable[..., Box], command: tuple[str, ...]
) -> None:
    box = make_box(layers=["home-manager"])
    home = box.config("home-manager") / "home.nix"
    home.write_text(home.read_text().replace("pkgs.git", "pkgs.nothing-of-that-name"))
    run = cli(box.inventory, "deploy.py", *command)
    assert run.code == 1, run.out
    result = str(run.kinds("result")[0]["why"])
    assert result in run.out
    assert f"'nothing-of-that-name' missing (at {home}:7:" in result, "the user's own file"
    told = "\n".join(str(record) for record in run.journal)
    assert "'nothing-of-that-name' missing" in told
    assert "not known" not in run.out


@pytest.mark.parametrize("name", ["flake.nix", "home.nix"])
def test_a_syntax_error_names_the_users_own_file_and_not_its_copy_in_the_store(
    cli: Cli, make_box: Callable[..., Box], name: str
) -> None:
    box = make_box(layers=["home-manager"])
    file = box.config("home-manager") / name
    file.write_text(f"{{ = oops\n{file.read_text()}")
    run = cli(box.inventory, "deploy.py", "--dry")
    assert run.code == 1, run.out
    result = str(run.kinds("result")[0]["why"])
    assert f"(at {file}:1:" in result
    assert "-source" not in run.out


def edit(file: Path, *changes: tuple[str, str]) -> None:
    text = file.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    file.write_text(text)


HOST = "my-pc.example.org"
OWN_HOMES = """\
homeConfigurations."anna.b-c@${host.host}" = throw "another user's";
      homeConfigurations.${host.user} = throw "of another host";
      homeConfigurations."""
OWN_VALUES = """\
zramSwap.memoryPercent = lib.mkForce 30;
  boot.kernel.sysctl."vm.swappiness" = lib.mkVMOverride 10;
  zramSwap.priority = lib.mkOverride 1249 9;
  system.stateVersion"""


def dotfiles(box: Box) -> Path:
    """Both flakes in sub-directories of one repository, a worktree of a shallow clone, reached by
    links; a part of the home in a submodule, a host with dots, homes of others beside."""
    system, home = box.root / "etc/nixos", box.config("home-manager")
    (box.home / ".gitconfig").write_text('[protocol "file"]\nallow = always\n')
    full, part, place = (box.home / name for name in ("full", "part", "my-dots"))
    for one in (full, part):
        one.mkdir()
        git(one, "init", "-q")
    (part / "part.nix").write_text('{ home.sessionVariables.PART = "1"; }\n')
    shutil.rmtree(home / ".git")
    shutil.move(system, full / "nixos.d")
    shutil.move(home, full / "homes")
    for flake in ("nixos.d", "homes"):
        names = json.loads((full / flake / "host.json").read_text())
        (full / flake / "host.json").write_text(json.dumps({**names, "host": HOST}))
    edit(
        full / "homes/flake.nix",
        ("homeConfigurations.", OWN_HOMES),
        ("[ ./home.nix ]", "[ ./home.nix ../part/part.nix ]"),
    )
    edit(
        full / "nixos.d/configuration.nix",
        ("{ pkgs,", "{ lib, pkgs,"),
        ("system.stateVersion", OWN_VALUES),
    )
    for one in (part, full):
        if one is full:
            git(full, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(part))
        git(one, "add", "-A")
        git(one, *WHO, "commit", "-qm", "my own")
    git(box.home, "clone", "-q", "--depth=1", f"file://{full}", "shallow")
    git(box.home / "shallow", "worktree", "add", "-q", str(place))
    git(place, "-c", "protocol.file.allow=always", "submodule", "update", "-q", "--init")
    system.symlink_to(place / "nixos.d")
    home.symlink_to("../my-dots/homes")
    return place


def test_a_repository_of_dotfiles_goes_through_a_run_and_back_and_stays_as_it_is(
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    with_ = {"base_nixos_with": ["submodules"], "base_home_with": ["submodules"]}
    box = make_box(layers=["nixos", "home-manager"], host=HOST, **with_)
    place = dotfiles(box)

    def status() -> tuple[str, object]:
        said = subprocess.run(
            ["git", "-C", str(place), "status", "--porcelain", "--ignored"],
            capture_output=True,
            text=True,
            check=True,
        )
        return said.stdout, {k: v[1:] for k, v in tree(place).items()}

    before = status()
    look = cli(box.inventory, "deploy.py", "--dry")
    assert look.code == 2, look.out
    run = cli(box.inventory, "deploy.py", "-y")
    assert run.code == 0, run.out
    assert cli(box.inventory, "deploy.py", "--dry").code == 0
    variables = "etc/profile.d/hm-session-vars.sh"
    home = (box.home / ".local/state/nix/profiles/home-manager").resolve()
    assert "PART" in (home / "home-path" / variables).read_text()
    marker = json.loads(
        (box.root / "run/current-system/etc/workspace-tuning/nixos.json").read_text()
    )
    assert {"memory.zram", "memory.swappiness"} <= marker["theirs"].keys()
    back = cli(box.inventory, "tasks/rollback.py", "-y")
    assert back.code == 0, back.out
    assert status() == before
