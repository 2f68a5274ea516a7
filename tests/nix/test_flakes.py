"""The user's flakes as people have them: what flakes.sh finds is what Nix reads, and the layers
build over it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.reach.payload import pack_tree
from tasks.reach.remote import program
from tests.nix import harness
from tests.nix.harness import Nix
from tests.remote.reading import Reader
from tests.remote.test_flakes import WHO, git, repository
from tests.tools import need

LAYER = '{ inputs.base.url = "path:/nowhere"; outputs = { self, base }: { inherit (base) x; }; }\n'


def flake(value: str) -> str:
    return f"{{ outputs = {{ self }}: {{ x = {value}; }}; }}\n"


def committed(place: Path, *files: tuple[str, str]) -> Path:
    repository(place)
    for name, text in files:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    git(place, "add", "-A")
    git(place, *WHO, "commit", "-qm", "second")
    return place


def ordinary(at: Path) -> Path:
    return committed(at / "nixos", ("flake.nix", flake('"ordinary"')))


def below_the_top(at: Path) -> Path:
    text = flake("import ../../shared.nix")
    shared = ("shared.nix", '"below_the_top"')
    return committed(at / "dots", ("my hosts/a b/flake.nix", text), shared) / "my hosts/a b"


def behind_a_link(at: Path) -> Path:
    real = committed(at / "dotfiles", ("flake.nix", flake('"behind_a_link"')))
    (at / "link").symlink_to(real)
    return at / "link"


def its_file_behind_a_link(at: Path) -> Path:
    text = flake("import ./other.nix")
    other = ("other.nix", '"its_file_behind_a_link"')
    real = committed(at / "dotfiles", ("flake.nix", text), other)
    (at / "etc").mkdir()
    (at / "etc/flake.nix").symlink_to(real / "flake.nix")
    return at / "etc"


def a_plain_directory_behind_a_link(at: Path) -> Path:
    (at / "plain+1,x").mkdir()
    (at / "plain+1,x/flake.nix").write_text(flake('"a_plain_directory_behind_a_link"'))
    (at / "link").symlink_to(at / "plain+1,x")
    return at / "link"


def a_shallow_clone(at: Path) -> Path:
    committed(at / "full", ("flake.nix", flake('"a_shallow_clone"')))
    git(at, "clone", "-q", "--depth=1", f"file://{at}/full", "shallow")
    return at / "shallow"


def a_worktree(at: Path) -> Path:
    full = committed(at / "full", ("flake.nix", flake('"a_worktree"')))
    git(full, "worktree", "add", "-q", str(at / "tree"))
    return at / "tree"


def uncommitted(at: Path) -> Path:
    place = ordinary(at)
    (place / "flake.nix").write_text(flake('"uncommitted"'))
    return place


SHAPES = (
    *(ordinary, below_the_top, behind_a_link, its_file_behind_a_link),
    *(a_plain_directory_behind_a_link, a_shallow_clone, a_worktree, uncommitted),
)


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    (tmp_path / "layer").mkdir()
    (tmp_path / "layer/flake.nix").write_text(LAYER)
    return Reader(tmp_path / "root")


def over(nix: Nix, layer: Path, url: str, *more: str) -> subprocess.CompletedProcess[str]:
    command = (need("nix"), "eval", "--raw", f"path:{layer}#x", "--no-write-lock-file")
    return nix.run(*command, "--override-input", "base", url, *more)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_flake_of_any_shape_is_read_by_nix_as_it_was_found(
    reader: Reader, tmp_path: Path, shape: Callable[[Path], Path]
) -> None:
    (tmp_path / "of").mkdir()
    place = shape(tmp_path / "of")
    found = reader.flake(str(place))
    assert found.fault("k") == ""
    done = over(Nix(tmp_path / "nix"), tmp_path / "layer", found.url)
    assert done.stdout == shape.__name__, (found.url, done.stderr)


@pytest.mark.parametrize("name", ["μας ρυθμίσεις", "it's 50% [mine] #1 & more?"])
@pytest.mark.parametrize("tracked", [True, False], ids=["git", "path"])
def test_a_name_with_blanks_signs_or_greek_is_read_or_refused(
    reader: Reader, tmp_path: Path, name: str, tracked: bool
) -> None:
    """Reached by a link: an inventory does not take ? and #, which look like parts of a URL. What
    is not committed, on a branch that is not master, is read too."""
    place = tmp_path / name
    if tracked:
        repository(place)
        git(place, "checkout", "-qb", "mine")
    place.mkdir(exist_ok=True)
    (place / "flake.nix").write_text(flake('"named"'))
    (tmp_path / "link").symlink_to(place)
    found = reader.flake(str(tmp_path / "link"))
    if not found.present:
        assert "is too old: Nix reads a name with blanks" in found.fault("k")
        return
    done = over(Nix(tmp_path / "nix"), tmp_path / "layer", found.url)
    assert done.stdout == "named", (found.url, done.stderr)


def test_submodules_are_read_by_choice(reader: Reader, tmp_path: Path) -> None:
    committed(tmp_path / "part", ("x.nix", '"submodule"'))
    place = committed(tmp_path / "top", ("flake.nix", flake("import ./part/x.nix")))
    allow = ("-c", "protocol.file.allow=always")
    git(place, *allow, "submodule", "add", "-q", f"{tmp_path}/part", "part")
    nix = Nix(tmp_path / "nix")
    without = reader.flake(str(place))
    assert over(nix, tmp_path / "layer", without.url).returncode
    chosen = reader.flake(str(place), "submodules")
    done = over(nix, tmp_path / "layer", chosen.url)
    assert done.stdout == "submodule", (chosen.url, done.stderr)


def test_a_flake_that_reads_outside_of_itself_needs_the_choice(
    reader: Reader, tmp_path: Path
) -> None:
    (tmp_path / "outside.nix").write_text('"outside"')
    text = flake(f"import {tmp_path}/outside.nix")
    place = committed(tmp_path / "flake", ("flake.nix", text))
    found = reader.flake(str(place), "impure")
    assert found.impure
    nix = Nix(tmp_path / "nix")
    assert over(nix, tmp_path / "layer", found.url).returncode
    assert over(nix, tmp_path / "layer", found.url, "--impure").stdout == "outside"


PROGRAMS = (
    *("core.fsmonitor", "diff.external", "filter.x.clean", "filter.x.smudge", "filter.x.process"),
    *("filter.x y.clean", "diff.x.textconv", "credential.helper", "core.askPass", "core.pager"),
    *("diff.x.command", "filter.x=y.clean", "gpg.program", "core.alternateRefsCommand"),
)


@pytest.mark.parametrize("dirty", [True, False], ids=["edited", "committed"])
def test_a_dry_run_runs_no_program_that_the_users_repository_names(
    reader: Reader, tmp_path: Path, dirty: bool
) -> None:
    """S11: hooks, filters, a monitor, external diffs, credential helpers. Nix calls git as well."""
    built = 'derivation { name = "x"; system = "x86_64-linux"; builder = "/bin/sh"; }'
    place = committed(tmp_path / "flake", ("flake.nix", flake(built)), ("a.txt", "1\n"))
    (place / ".gitattributes").write_text("*.nix diff=x filter=x\n*.txt filter=x y\n")
    git(place, "add", "-A")
    git(place, *WHO, "commit", "-qm", "attributes")
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\necho ran >>{tmp_path}/ran\ncat\n")
    evil.chmod(0o755)
    for key in PROGRAMS:
        git(place, "config", key, str(evil))
    git(place, "config", "filter.x.required", "true")
    for name in ("post-index-change", "post-checkout", "pre-commit", "reference-transaction"):
        (place / ".git/hooks" / name).symlink_to(evil)
    (place / "a.txt").touch()  # git has to look at the content again
    if dirty:
        (place / "flake.nix").write_text(flake(built) + "\n")

    found = reader.flake(str(place))
    payload = pack_tree([("flake.nix", LAYER.encode())])
    nix = Nix(tmp_path / "nix")
    (tmp_path / "nix/home").mkdir(parents=True)
    words = (need("dash"), "-c", program("estimate"), "estimate", "x", found.url, "")
    done = subprocess.run(
        words, input=payload, env=nix.environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1:] == ["estimated"], done.stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("scheme", ["git", "path"])
@pytest.mark.parametrize("url", ["git+file://{}", "{}", "git+file://{}?ref=master", "escaped"])
def test_a_dry_run_runs_no_program_of_a_repository_that_is_an_input(
    reader: Reader, tmp_path: Path, scheme: str, url: str
) -> None:
    """An input on the same machine, edited and not locked: an old Nix lets git look at it."""
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\necho ran >>{tmp_path}/ran\ncat\n")
    evil.chmod(0o755)
    built = 'derivation { name = "x"; system = "x86_64-linux"; builder = "/bin/sh"; }'
    other = committed(tmp_path / "input", ("flake.nix", flake(built)), ("a.txt", "1\n"))
    (other / ".gitattributes").write_text("*.nix filter=own\n*.txt filter=own\n")
    git(other, "add", "-A")
    git(other, *WHO, "commit", "-qm", "attributes")
    for key in ("core.fsmonitor", "filter.own.clean", "filter.own.smudge", "filter.own.process"):
        git(other, "config", key, str(evil))
    (other / "a.txt").write_text("2\n")
    named = url.format(other)
    if url == "escaped":  # no text says where it is
        named = "git+file://" + "".join(f"%{one:02x}" for one in os.fsencode(other))
        named = named.replace("%2f", "/")
    outputs = "outputs = { self, other }: { inherit (other) x; };"
    text = f'{{ inputs.other.url = "{named}"; {outputs} }}\n'
    place = tmp_path / "flake"
    if scheme == "git":
        committed(place, ("flake.nix", text))
    else:
        place.mkdir()
        (place / "flake.nix").write_text(text)
    (tmp_path / "ran").unlink(missing_ok=True)
    found = reader.flake(str(place))
    assert found.scheme == scheme
    nix = Nix(tmp_path / "nix")
    (tmp_path / "nix/home").mkdir(parents=True)
    words = (need("dash"), "-c", program("estimate"), "estimate", "x", found.url, "")
    done = subprocess.run(
        words,
        input=pack_tree([("flake.nix", LAYER.encode())]),
        env=nix.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["estimated"], done.stderr
    assert not (tmp_path / "ran").exists()


# ---- what a flake calls its configurations, and what it hands over -------------------------------


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return harness.make_layers(tmp_path_factory.mktemp("made") / "layers", harness.profile_data())


def edited(directory: Path, *changes: tuple[str, str]) -> Path:
    base = harness.make_base(directory / "flake")
    text = (base / "flake.nix").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (base / "flake.nix").write_text(text)
    return base


HOME = 'homeConfigurations."mitsio@shoshin".activationPackage'


@pytest.mark.parametrize("place", ["legacyPackages", "packages"])
def test_homes_where_flake_utils_and_flake_parts_put_them_are_found(
    tmp_path: Path, layers: Path, place: str
) -> None:
    wanted = 'homeConfigurations."${host.user}@${host.host}" ='
    base = edited(tmp_path, (wanted, f"{place}.x86_64-linux.{wanted}"))
    over = ("--override-input", "base", f"path:{base}")
    assert Nix(tmp_path / "nix").build(f"path:{layers}/home-manager#{HOME}", *over).exists()


def test_a_layer_gets_its_packages_into_a_set_that_the_user_hands_over(
    tmp_path: Path, layers: Path
) -> None:
    """A ``pkgs`` in specialArgs wins over the options' package set, so overlays do not reach it."""
    given = (
        'import nixpkgs { system = "x86_64-linux"; config.allowUnfree = true; overlays = '
        "[ (final: prev: { userTool = prev.lz4.overrideAttrs { fromUser = 1; }; }) ]; }"
    )
    base = edited(
        tmp_path,
        (
            "extraSpecialArgs.host = host;",
            f"extraSpecialArgs = {{ inherit host; pkgs = {given}; }};",
        ),
        ("specialArgs.host = host;\n", f"specialArgs = {{ inherit host; pkgs = {given}; }};\n"),
    )
    nix = Nix(tmp_path / "nix")
    over = ("--override-input", "base", f"path:{base}", "--no-write-lock-file")
    for layer in ("home-manager", "nixos"):
        ask = ("eval", "--json", f"path:{layers}/{layer}#report", *over)
        report = json.loads(nix.must(need("nix"), *ask))
        assert report["packages"]
        for one in report["packages"].values():
            assert "-march=skylake" in one["found"]
            assert not one["missing"]
            assert not one["attributeRebuilt"]
    nix.build(f"path:{layers}/home-manager#{HOME}", *over[:3])
    system = "nixosConfigurations.shoshin.config.system.build.toplevel"
    nix.build(f"path:{layers}/nixos#{system}", *over[:3])


def test_a_set_that_cannot_be_extended_is_refused_with_what_to_do(
    tmp_path: Path, layers: Path
) -> None:
    given = 'removeAttrs (import nixpkgs { system = "x86_64-linux"; }) [ "extend" ]'
    base = edited(
        tmp_path,
        (
            "extraSpecialArgs.host = host;",
            f"extraSpecialArgs = {{ inherit host; pkgs = {given}; }};",
        ),
    )
    over = ("--override-input", "base", f"path:{base}")
    with pytest.raises(harness.NixError, match="leave `pkgs` out of specialArgs"):
        Nix(tmp_path / "nix").build(f"path:{layers}/home-manager#{HOME}", *over)


def test_a_flake_with_the_home_in_its_system_alone_says_what_extends_it(
    tmp_path: Path, layers: Path
) -> None:
    module = (
        "modules = [ ({ lib, ... }: { options.home-manager.users = "
        "lib.mkOption { type = lib.types.attrs; default = { }; }; }) ./configuration.nix"
    )
    base = edited(
        tmp_path,
        ("modules = [ ./configuration.nix", module),
        ('homeConfigurations."${host.user}@${host.host}" =', "other ="),
    )
    over = ("--override-input", "base", f"path:{base}")
    with pytest.raises(harness.NixError, match="let base_home name a place without a flake"):
        Nix(tmp_path / "nix").build(f"path:{layers}/home-manager#{HOME}", *over)
    system = "nixosConfigurations.shoshin.config.system.build.toplevel"
    assert Nix(tmp_path / "nix").build(f"path:{layers}/nixos#{system}", *over).exists()
