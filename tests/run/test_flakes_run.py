"""The user's flakes in whole runs: what is given and cannot be read, what was applied and is gone,
what would be shown to everybody, and what does not evaluate."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Box, Cli, tree
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
    cli: Cli, make_box: Callable[..., Box]
) -> None:
    box = make_box(base_home="~/.config/home-manager", **HOME_LAYER)
    assert cli(box.inventory, "deploy.py", "-y").code == 0
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
