"""Real generations of the layers: set, switched, rolled back, by a user without privileges.

The store, the profiles and the home lie below one directory that belongs to that user.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.nix import harness
from tests.nix.harness import Nix
from tests.tools import need

MARKER = ".config/workspace-tuning/home-manager.json"


@dataclass(frozen=True)
class Machine:
    """A user's flake with both layers, in a place that the user can reach."""

    nix: Nix
    base: Path
    layers: Path
    root: Path
    home: Path
    profile: Path

    def system(self, *, layer: bool = True) -> Path:
        return self._build("nixos", "nixosConfigurations.box.config.system.build.toplevel", layer)

    def generation(self, *, layer: bool = True) -> Path:
        return self._build("home-manager", 'homeConfigurations."me@box".activationPackage', layer)

    def _build(self, name: str, output: str, layer: bool) -> Path:
        if not layer:
            return self.nix.build(f"path:{self.base}#{output}")
        over = ("--override-input", "base", f"path:{self.base}")
        return self.nix.build(f"path:{self.layers}/{name}#{output}", *over)

    def env(self, *arguments: str | Path) -> str:
        return self.nix.must(need("nix-env"), "--profile", self.profile, *arguments)

    def switch(self, action: str, **more: str) -> subprocess.CompletedProcess[str]:
        return self.nix.run(self.profile / "bin/switch-to-configuration", action, **more)

    def activate(
        self, generation: Path, *arguments: str, **more: str
    ) -> subprocess.CompletedProcess[str]:
        return self.nix.run(generation / "activate", *arguments, **more)

    def numbers(self) -> list[int]:
        return [int(line.split()[0]) for line in self.env("--list-generations").splitlines()]


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    directory = Path(tempfile.mkdtemp(prefix="generations-"))
    try:
        made = harness.profile_data()
        for data in made.values():
            data.update(host="box", user="me")
        home = directory / "nix/home"
        root = directory / "root"
        base = harness.make_base(
            directory / "base", host="box", user="me", home=home, root=root, copied=True
        )
        layers = harness.make_layers(directory / "layers", made)
        for one in (home, root, directory / "profiles"):
            one.mkdir(parents=True)
        become: tuple[str, ...] = ()
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            directory.chmod(0o755)
            for path in [directory, *directory.rglob("*")]:
                os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
            ids = (f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}")
            become = (need("setpriv"), *ids, "--clear-groups")
        nix = Nix(directory / "nix", user=become)
        yield Machine(nix, base, layers, root, home, directory / "profiles/system")
    finally:
        for path in directory.rglob("*"):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
        shutil.rmtree(directory)


def test_a_system_is_set_switched_and_rolled_back_to_the_very_same_path(machine: Machine) -> None:
    plain, tuned = machine.system(layer=False), machine.system()
    machine.env("--set", plain)
    assert machine.switch("switch").returncode == 0
    assert (machine.root / "run/current-system").readlink() == plain

    machine.env("--set", tuned)
    assert machine.switch("switch").returncode == 0
    assert (machine.root / "run/current-system").readlink() == tuned
    assert (machine.root / "boot/default").readlink() == tuned
    assert (machine.root / "etc/static/workspace-tuning/nixos.json").exists()
    before = machine.numbers()

    machine.env("--rollback")
    assert machine.switch("switch").returncode == 0
    assert (machine.root / "run/current-system").readlink() == plain
    assert (machine.root / "boot/default").readlink() == plain
    assert not (machine.root / "etc/static/workspace-tuning").exists()
    assert machine.numbers() == before


def test_a_test_activation_is_not_the_boot_default(machine: Machine) -> None:
    plain, tuned = machine.system(layer=False), machine.system()
    machine.env("--set", plain)
    machine.switch("switch")
    machine.env("--set", tuned)
    assert machine.switch("test").returncode == 0
    assert (machine.root / "run/current-system").readlink() == tuned
    assert (machine.root / "boot/default").readlink() == plain


def test_failed_units_end_with_nixos_own_exit_code(machine: Machine) -> None:
    machine.env("--set", machine.system())
    assert machine.switch("switch", MINIATURE_EXIT="4").returncode == 4
    assert machine.switch("no-such-action").returncode == 2


def test_a_dry_activation_changes_nothing(machine: Machine) -> None:
    machine.env("--set", machine.system(layer=False))
    machine.switch("switch")
    machine.env("--set", machine.system())
    done = machine.switch("dry-activate")
    assert "would activate" in done.stdout
    assert (machine.root / "run/current-system").readlink() == machine.system(layer=False)


def test_every_activation_leaves_a_line_in_the_named_log(machine: Machine) -> None:
    log = machine.root / "log"
    machine.env("--set", machine.system())
    machine.switch("boot", MINIATURE_LOG=str(log))
    machine.activate(machine.generation(), MINIATURE_LOG=str(log))
    assert log.read_text().splitlines() == [
        f"boot {machine.system()}",
        f"activate {machine.generation()}",
    ]


def test_a_home_is_activated_and_rolled_back_without_a_trace(machine: Machine) -> None:
    plain, tuned = machine.generation(layer=False), machine.generation()
    profile = machine.home / ".local/state/nix/profiles/home-manager"
    assert machine.activate(plain).returncode == 0
    assert profile.resolve() == plain
    files = {path for path in machine.home.rglob("*") if path.is_symlink()}

    assert machine.activate(tuned).returncode == 0
    assert profile.resolve() == tuned
    assert (machine.home / MARKER).resolve().is_file()
    files_of_it = [path for path in (tuned / "home-files").rglob("*") if not path.is_dir()]
    assert len(files_of_it) > 20
    for path in files_of_it:
        assert (machine.home / path.relative_to(tuned / "home-files")).readlink() == path

    assert machine.activate(plain).returncode == 0
    assert profile.resolve() == plain
    assert not (machine.home / MARKER).is_symlink()
    after = {path for path in machine.home.rglob("*") if path.is_symlink()}
    assert {path for path in after - files if "profiles" not in path.parts} == set()


def test_a_caller_that_sets_the_profile_itself_says_so(machine: Machine) -> None:
    plain, tuned = machine.generation(layer=False), machine.generation()
    profile = machine.home / ".local/state/nix/profiles/home-manager"
    machine.activate(plain)
    assert machine.activate(tuned, "--driver-version", "1").returncode == 0
    assert profile.resolve() == plain
    assert (machine.home / MARKER).exists()
    machine.activate(plain)


def test_a_file_of_the_users_stops_the_activation_or_is_moved_aside(machine: Machine) -> None:
    machine.activate(machine.generation(layer=False))
    own = machine.home / ".config/systemd/user/app-tuned.slice"
    machine.nix.must("mkdir", "-p", own.parent)
    machine.nix.must("sh", "-c", f'echo "[Slice]" > "{own}"')
    refused = machine.activate(machine.generation())
    assert refused.returncode == 1
    assert "would be clobbered" in refused.stderr
    assert own.read_text() == "[Slice]\n"
    assert not (machine.home / MARKER).exists()

    moved = machine.activate(machine.generation(), HOME_MANAGER_BACKUP_EXT="before")
    assert moved.returncode == 0
    assert own.with_name("app-tuned.slice.before").read_text() == "[Slice]\n"
    assert "MemoryHigh" in own.read_text()
    machine.activate(machine.generation(layer=False))


def test_a_generation_starts_its_own_programs(machine: Machine) -> None:
    zstd = machine.generation() / "home-path/bin/zstd"
    assert machine.nix.must(zstd) == "zstd from zstd-1.5.7\n"
    flags = zstd.resolve().parents[1].name
    assert flags.endswith("-zstd-1.5.7-bin")
    plain = machine.generation(layer=False) / "home-path/bin/zstd"
    assert plain.resolve() != zstd.resolve()
