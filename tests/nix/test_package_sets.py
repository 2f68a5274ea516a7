"""Package sets that no module may change (nixpkgs.nixosModules.readOnlyPkgs), ones that are handed
over, and modules of nixpkgs' own that the user takes out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.nix import harness
from tests.nix.harness import Make, Nix
from tests.nix.test_flakes import edited
from tests.tools import need

SYSTEM = "nixosConfigurations.shoshin.config.system.build.toplevel"
#: A set made once, with the user's own overlay, for every system of the flake.
SET = (
    'import nixpkgs { system = "x86_64-linux"; config.allowUnfree = true; overlays = '
    "[ (final: prev: { userTool = prev.lz4.overrideAttrs { fromUser = 1; }; }) ]; }"
)


def read_only(tmp_path: Path) -> Path:
    base = edited(
        tmp_path,
        ('        system = "x86_64-linux";\n        specialArgs', "        specialArgs"),
        (
            "modules = [ ./configuration.nix",
            f"modules = [ nixpkgs.nixosModules.readOnlyPkgs {{ nixpkgs.pkgs = {SET}; }} "
            "./configuration.nix",
        ),
    )
    system = base / "configuration.nix"
    own = [line for line in system.read_text().splitlines() if "nixpkgs." not in line]
    system.write_text("\n".join(own) + "\n")
    return base


def test_a_system_whose_packages_are_read_only_gets_ours_and_keeps_its_own(
    tmp_path: Path, layers: Make
) -> None:
    base, made = read_only(tmp_path), layers()
    nix = Nix(tmp_path / "nix")
    over = ("--override-input", "base", f"path:{base}")
    ask = ("eval", "--json", f"path:{made}/nixos#report", *over, "--no-write-lock-file")
    report = json.loads(nix.must(need("nix"), *ask))
    assert report["packages"]
    for one in report["packages"].values():
        assert "-march=skylake" in one["found"]
        assert not one["attributeRebuilt"]
    assert nix.build(f"path:{made}/nixos#{SYSTEM}", *over).exists()


@pytest.mark.parametrize("how", ["read-only", "nixpkgs.pkgs", "specialArgs"])
def test_a_march_that_such_a_set_would_not_get_is_refused_with_what_to_do(
    tmp_path: Path, layers: Make, how: str
) -> None:
    if how == "read-only":
        base = read_only(tmp_path)
    elif how == "specialArgs":
        base = edited(
            tmp_path,
            ("specialArgs.host = host;\n", f"specialArgs = {{ inherit host; pkgs = {SET}; }};\n"),
        )
    else:
        module = f"modules = [ {{ nixpkgs.pkgs = {SET}; }} ./configuration.nix"
        base = edited(tmp_path, ("modules = [ ./configuration.nix", module))
        system = base / "configuration.nix"
        system.write_text(system.read_text().replace("nixpkgs.config.allowUnfree = true;", ""))
    made = layers(accept=["libraries.march.system"])
    with pytest.raises(harness.NixError, match="write the march into that set, or leave"):
        Nix(tmp_path / "nix").build(
            f"path:{made}/nixos#{SYSTEM}", "--override-input", "base", f"path:{base}"
        )


def test_a_module_that_the_user_disables_or_replaces_stays_so(
    nix: Nix, sources: dict[str, Path], layers: Make, tmp_path: Path
) -> None:
    """Under the layer too, which is one more module and no new evaluation of the user's."""
    (tmp_path / "own.nix").write_text('{ environment.sessionVariables.OWN = "1"; }')
    own = harness.path(tmp_path / "own.nix")
    found = nix.evaluate(
        "let inherit (system.config) environment; in {"
        " inherit (environment.sessionVariables) REPLACED;"
        " own = environment.sessionVariables ? OWN;"
        ' ours = environment.etc ? "workspace-tuning/nixos.json"; }',
        layers=layers(),
        **sources,
        userSystem=f'{{ imports = [ {own} ]; disabledModules = [ {own} "services/misc/none.nix" ];'
        ' environment.sessionVariables.REPLACED = "2"; }',
    )
    assert found == {"REPLACED": "2", "own": False, "ours": True}
