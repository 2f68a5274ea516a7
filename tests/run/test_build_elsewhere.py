"""A workspace that cannot build gets its layers from another machine, without new trust between
the two: real Nix, two Unix users, each with its own store at the same path."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import sandbox
from tasks.reach.remote import program
from tests import sshd
from tests.conftest import Cli
from tests.remote.namespaces import Machine, machine
from tests.tools import need


@pytest.fixture(scope="module")
def both(ssh_server: sshd.Server) -> Iterator[tuple[Machine, Machine]]:
    """``small`` is not to build anything; ``big`` is, and its Nix does not trust its user."""
    need("nix")
    need("chezmoi")
    with (
        machine(ssh_server, sshd.ONE, "small") as small,
        machine(ssh_server, sshd.TWO, "big") as big,
    ):
        big.serve_store()
        yield small, big


def generation(one: Machine) -> str:
    return os.readlink(one.disk / "home/.local/state/nix/profiles/home-manager")


def test_a_workspace_that_cannot_build_gets_its_layers_from_one_that_is_not_part_of_the_run(
    cli: Cli, both: tuple[Machine, Machine]
) -> None:
    small, big = both
    inventory = cli.inventory({**small.data, "build_on": "big"}, big.data)
    built = small.built, big.built

    dry = cli(inventory, "deploy.py", "--dry", "--limit", "small")
    assert dry.code == 2, dry.out
    assert all("to build on big" in str(record["text"]) for record in dry.kinds("estimate"))
    assert (small.built, big.built) == built

    run = cli(inventory, "deploy.py", "-y", "--limit", "small")
    assert run.code == 0, run.out
    assert generation(small) == "home-manager-2-link"
    assert os.readlink(small.disk / "nix/var/nix/profiles/system") == "system-2-link"
    assert small.built == built[0]
    assert big.built > built[1]

    again = cli(inventory, "deploy.py", "-y", "--limit", "small")
    assert again.code == 0, again.out
    assert "nothing to change" in again.out


def test_the_controller_builds_for_a_workspace_that_cannot(
    cli: Cli, both: tuple[Machine, Machine]
) -> None:
    small, _ = both
    for key, value in sandbox.environment(small.shared):
        if key.startswith("NIX_"):
            cli.environment[key] = value
    cli.environment["NIX_CONFIG"] = (
        "experimental-features = nix-command flakes\nsandbox = false\nsubstituters =\n"
        "build-users-group =\n"
    )
    built = small.built
    data = {**small.data, "build_on": "local", "exclude": "runtimes.go"}
    run = cli(cli.inventory(data), "deploy.py", "-y")
    assert run.code == 0, run.out
    assert generation(small) == "home-manager-3-link"
    assert small.built == built
    assert list((small.shared / "nix/var/log/nix/drvs").glob("*/*"))


def test_a_workspace_that_does_not_trust_its_user_says_what_to_do_and_takes_signed_paths(
    cli: Cli, both: tuple[Machine, Machine], ssh_server: sshd.Server, tmp_path: Path
) -> None:
    _, big = both
    with machine(ssh_server, sshd.ONE, "strict") as strict:
        strict.serve_store()
        inventory = cli.inventory(
            {**strict.data, "build_on": "big", "layers": ["home-manager"]}, big.data
        )
        refused = cli(inventory, "deploy.py", "-y", "--limit", "strict")
        assert refused.code == 1, refused.out
        assert f"make {sshd.ONE} a trusted user of its Nix" in refused.out
        assert generation(strict) == "home-manager-1-link"
        assert not list(strict.disk.rglob("workspace/lock"))

        key = tmp_path / "key"
        key.write_text(big.nix("nix", "key", "generate-secret", "--key-name", "big"))
        with key.open() as stream:
            public = subprocess.run(
                ["nix", *FEATURES, "key", "convert-secret-to-public"],
                stdin=stream,
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        big.nix("nix", "store", "sign", "--all", "--key-file", str(key))
        strict.configure(f"trusted-public-keys = {public}")
        strict.serve_store()
        run = cli(inventory, "deploy.py", "-y", "--limit", "strict")
        assert run.code == 0, run.out
        assert generation(strict) == "home-manager-2-link"


FEATURES = ("--extra-experimental-features", "nix-command")


def test_a_builder_that_cannot_be_reached_ends_only_the_part_that_waits_for_it(
    cli: Cli, both: tuple[Machine, Machine]
) -> None:
    small, big = both
    dead = {**big.data, "at": f"{sshd.TWO}@127.0.0.1:1"}
    before = generation(small)
    data = {**small.data, "build_on": "big", "exclude": "runtimes.rust"}
    run = cli(cli.inventory(data, dead), "deploy.py", "-y", "--limit", "small")
    assert run.code == 1, run.out
    assert "big, which is to build, cannot be reached" in run.out
    assert generation(small) == before
    assert not list(small.disk.rglob("workspace/lock"))


def test_a_builder_that_no_inventory_names_is_invalid_input(
    cli: Cli, both: tuple[Machine, Machine]
) -> None:
    small, big = both
    run = cli(cli.inventory({**small.data, "build_on": "bug"}, big.data), "deploy.py", "--dry")
    assert run.code == 5
    assert "bug is not a workspace of this inventory" in run.err
    assert "big" in run.err


def test_a_build_takes_no_more_jobs_and_cores_than_it_is_told(tmp_path: Path) -> None:
    need("nix")
    flake = tmp_path / "flake"
    flake.mkdir()
    (flake / "flake.nix").write_text(
        '{ inputs.base.url = "path:/nowhere"; outputs = { self, base }: { it = derivation {\n'
        'name = "cores"; system = "x86_64-linux"; builder = "/bin/sh";\n'
        'args = [ "-c" "echo $NIX_BUILD_CORES > $out" ]; }; }; }\n'
    )
    base = tmp_path / "base"
    base.mkdir()
    (base / "flake.nix").write_text("{ outputs = { self }: { }; }\n")
    sandbox_root = tmp_path / "root"
    (sandbox_root / "etc/nix").mkdir(parents=True)
    (sandbox_root / "etc/nix/nix.conf").write_text(
        "sandbox = false\nsubstituters =\nbuild-users-group =\n"
    )

    def build(jobs: str, cores: str) -> subprocess.CompletedProcess[str]:
        layer = ["home", str(flake), "it", f"path:{base}", "inputs", jobs, cores]
        words = [str(tmp_path / "state"), *layer, "", "home", "", "", "-"]
        return subprocess.run(
            ["sh", "-c", program("build"), "workspace-build", *words],
            env={**os.environ, **dict(sandbox.environment(sandbox_root))},
            capture_output=True,
            text=True,
            check=False,
        )

    refused = build("0", "-")
    assert (refused.returncode, refused.stdout) == (70, "failed nix build of it\n")
    made = build("1", "7")
    assert made.returncode == 0, made.stderr
    path = Path(made.stdout.splitlines()[0].removeprefix("path home "))
    assert path.read_text() == "7\n"
