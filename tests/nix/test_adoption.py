"""Phase 3 and phase 1 meet the packages that a user has, however they came there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.nix import harness
from tests.nix.harness import Make, Nix

#: Programs that come by other ways than an attribute of nixpkgs.
WAYS = """({ lib, pkgs, config, ... }: {
  nixpkgs.overlays = [
    (final: prev: { ownSignal = prev.signal-desktop.overrideAttrs { pname = "fork"; }; })
  ];
  home.packages = lib.mkForce (
    [ (pkgs.symlinkJoin { name = "chat"; paths = [ pkgs.discord ]; }) ]
    ++ lib.optionals true [ pkgs.vscodium pkgs.ownSignal ]
    ++ [ (lib.hiPrio (pkgs.writeShellScriptBin "codium" "echo newer codium")) ]
  );
  home.extraProfileCommands = lib.mkAfter ''
    rm -f "$out/bin/teams-for-linux"
    printf '#!/bin/sh\\necho made in the profile "$@"\\n' > "$out/bin/teams-for-linux"
    chmod 755 "$out/bin/teams-for-linux"
  '';
})"""
STARTS = {
    "discord": "discord from discord-1.0",
    "codium": "newer codium",
    "signal-desktop": "signal-desktop from ",
    "teams-for-linux": "made in the profile --js-flags=--max-old-space-size=1536 x",
}
#: Lines of menu entries that start a program, and what stands before and behind it.
LINES = {
    "discord": ("", ""),
    '"discord" %U': ("", " %U"),
    '"/nix/store/x-discord/bin/discord" %U': ("", " %U"),
    "env GTK_USE_PORTAL=1 discord %U": ("env GTK_USE_PORTAL=1 ", " %U"),
    '/usr/bin/env "A=b c" D= /nix/store/x/bin/discord': ('/usr/bin/env "A=b c" D= ', ""),
    "env discord": ("env ", ""),
}
#: Lines that start something else, or start it in a way that is left as it is.
OTHERS = ("discord-canary %U", "sh -c 'discord'", "xdg-open discord", "env -u A discord")


def built(nix: Nix, layers: Path, users: str, what: str = "home.config.home.path") -> Path:
    made = harness.miniature(layers, userHome=users)
    return Path(nix.must("nix-build", "--no-out-link", "-E", f"{made}.{what}").strip())


def test_a_program_is_adopted_by_whatever_way_it_came_into_the_home(
    nix: Nix, layers: Make, tmp_path: Path
) -> None:
    """A join without a pname, the preferred of two versions, an overlay, a list, a command."""
    path = built(nix, layers(), WAYS)
    for program, said in STARTS.items():
        launcher = path / "bin" / program
        assert "app-tuned-" in launcher.read_text(), program
        started = nix.must(launcher, "x", XDG_RUNTIME_DIR=str(tmp_path))
        assert started.startswith(said), program


def test_a_menu_entry_leads_to_the_launcher_however_it_names_its_program(
    nix: Nix, layers: Make
) -> None:
    lines = "".join(f"Exec={line}\\n" for line in (*LINES, *OTHERS)).replace('"', '\\"')
    users = f"""({{ pkgs, ... }}: {{ home.packages = [ pkgs.discord (pkgs.lib.hiPrio
      (pkgs.writeTextFile {{ name = "entry"; destination = "/share/applications/discord.desktop";
        text = "[Desktop Entry]\\n{lines}"; }})) ]; }})"""
    path = built(nix, layers(), users)
    entry = path / "share/applications/discord.desktop"
    found = [x.removeprefix("Exec=") for x in entry.read_text().splitlines() if "Exec=" in x]
    launcher = str(path / "bin/discord")
    assert found[: len(LINES)] == [f"{a}{launcher}{b}" for a, b in LINES.values()]
    assert found[len(LINES) :] == list(OTHERS)


def test_applications_of_the_system_stay_its_own_and_get_limits_alone(
    nix: Nix, layers: Make
) -> None:
    """From environment.systemPackages and from users.users: none comes into the home too."""
    found = nix.evaluate(
        """let names = map lib.getName; user = config: config.users.users.${host}.packages;
          host = "mitsio"; in {
          before = names baseSystem.config.environment.systemPackages;
          after = names system.config.environment.systemPackages;
          users = [ (names (user baseSystem.config)) (names (user system.config)) ];
          home = names home.config.home.packages;
          slices = lib.attrNames home.config.systemd.user.slices;
        }""",
        layers=layers(),
        userSystem="""({ pkgs, ... }: { environment.systemPackages = [ pkgs.discord ];
          users.users.mitsio.packages = [
            (pkgs.vscodium.override { commandLineArgs = "--own"; })
          ]; })""",
    )
    assert found["after"].count("discord") == found["before"].count("discord") == 1
    assert found["users"][0] == found["users"][1] == ["vscodium"]
    assert not {"discord", "vscodium"} & set(found["home"])
    assert {"app-tuned-discord", "app-tuned-codium"} <= set(found["slices"])


@pytest.mark.parametrize("include", [[], ["electron.app.discord"]])
def test_a_home_without_unfree_packages_meets_none_unless_it_is_asked_for(
    nix: Nix, layers: Make, include: list[str]
) -> None:
    evaluate = lambda: nix.evaluate(  # noqa: E731
        "home.activationPackage.drvPath",
        layers=layers(include=include),
        config="{ allowUnfree = false; allowUnfreePredicate = _: false; }",
    )
    if include:
        with pytest.raises(harness.NixError, match=r"discord.* has an unfree license"):
            evaluate()
    else:
        assert evaluate().endswith(".drv")


def test_a_script_or_join_by_the_name_of_a_library_is_left_as_it_is(nix: Nix, layers: Make) -> None:
    """It compiles nothing: the flags would be in its derivation and nowhere else."""
    found = nix.evaluate(
        """let
          these = lib.filter (package: lib.elem (lib.getName package) [ "lz4" "xz" ]);
          paths = of: map (package: package.drvPath) (these of.config.home.packages);
        in {
          same = paths home == paths baseHome && lib.length (paths home) == 2;
          adopted = lib.attrNames report.home.adopted;
          inherit (report.home) rebuilt;
        }""",
        layers=layers(),
        userHome="""({ pkgs, ... }: { home.packages = [
          (pkgs.writeShellScriptBin "lz4" "exec ${pkgs.lz4}/bin/lz4 -9")
          (pkgs.symlinkJoin { name = "xz"; paths = [ pkgs.xz ]; })
          pkgs.bzip2
        ]; })""",
    )
    assert found["same"]
    assert not {"lz4", "xz"} & set(found["adopted"])
    assert "bzip2" in found["adopted"]
    assert found["rebuilt"] == []
