"""Phase 2: the runtimes that the user has, on every release with what that release has."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from converge.setting import State
from converge.subjects.runtimes import rows as runtimes
from tests.nix import harness
from tests.nix.harness import Make, Nix
from tests.tools import need

FLAGS = "-march=skylake -mtune=skylake -O3"


def home_of(*packages: str) -> str:
    """A user's module with these packages, in the place of the base's own."""
    listed = " ".join(f"({package})" for package in packages)
    return f"({{ lib, pkgs, ... }}: {{ home.packages = lib.mkForce [ {listed} ]; }})"


def test_each_runtime_that_the_user_has_shows_its_optimization_in_the_derivation(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    found = nix.evaluate("report.home.runtimes", layers=layers(), **sources)
    one = {name: runtime["adopted"] for name, runtime in found.items()}
    assert {name: len(these) for name, these in one.items()} == {"python": 1, "node": 1, "go": 1}
    assert one["python"][0]["profileGuided"]
    assert one["node"][0]["flags"].endswith(FLAGS)
    assert one["go"][0]["goamd64"] == "v3"


def test_no_runtime_is_installed_that_the_user_does_not_have(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    found = nix.evaluate(
        """{
          names = map lib.getName home.config.home.packages;
          inherit (report.home) runtimes;
          inherit (home.config) warnings;
        }""",
        layers=layers(),
        userHome=home_of("pkgs.git"),
        **sources,
    )
    assert "git" in found["names"]
    assert not {"python3", "nodejs", "go"} & set(found["names"])
    for runtime in found["runtimes"].values():
        assert runtime == {"adopted": [], "left": [], "lacking": False}
    assert not [one for one in found["warnings"] if "go_1_24" in one]


def test_what_is_asked_for_by_name_is_installed_and_yields_to_the_users_commands(
    nix: Nix, layers: Make
) -> None:
    asked = ["runtimes.python", "runtimes.node", "runtimes.go", "electron.app.discord"]
    other = 'pkgs.writeShellScriptBin "node" "echo the wrapper of the user"'
    made = harness.miniature(layers(include=asked), userHome=home_of("pkgs.git", other))
    command = ("nix-build", "--no-out-link", "-E")
    path = Path(nix.must(*command, f"{made}.home.config.home.path").strip())
    assert "python3 from python3-3.13" in nix.must(path / "bin/python3")
    go = Path(nix.must(*command, f"{made}.home.pkgs.goOptimized").strip())
    assert (path / "bin/go").resolve() == (go / "bin/go").resolve()
    assert nix.must(path / "bin/node") == "the wrapper of the user\n"
    assert "app-tuned-discord" in (path / "bin/discord").read_text()
    assert not (path / "bin/codium").exists()


@pytest.mark.parametrize(
    ("release", "go"), [("25.11", "1.24.13"), ("26.05", "1.26.3"), ("26.11", "1.26.3")]
)
def test_what_a_release_lacks_of_what_is_asked_for_is_replaced_with_a_message(
    nix: Nix, layers: Make, release: str, go: str
) -> None:
    found = nix.evaluate(
        "{ inherit (report.home) runtimes; inherit (home.config) warnings; }",
        layers=layers(include=["runtimes.go"]),
        release=f'"{release}"',
        userHome=home_of("pkgs.git"),
    )
    assert [one["version"] for one in found["runtimes"]["go"]["adopted"]] == [go]
    message = [one for one in found["warnings"] if "go_1_24" in one]
    if release == "25.11":
        assert message == []
    else:
        assert f"go {go} is used instead" in message[0]


#: Packages as users have them, and what the report has to say of each.
OWN = {
    "another version": ("pkgs.python314", "python", {"version": "3.14.3", "profileGuided": True}),
    "in front": ("lib.hiPrio pkgs.python313", "python", {"profileGuided": True}),
    "with an override": (
        "pkgs.python313.override { enableLTO = false; }",
        *("python", {"profileGuided": True}),
    ),
    "the compiled part": ("pkgs.nodejs-slim_24", "node", {"flags": FLAGS}),
    "a patched part": (
        "pkgs.nodejs_24.override { nodejs-slim = pkgs.nodejs-slim_24.overrideAttrs "
        '{ env.NIX_CFLAGS_COMPILE = "-DMINE"; }; }',
        *("node", {"flags": f"-DMINE {FLAGS}"}),
    ),
    "a patched toolchain": (
        "pkgs.go.overrideAttrs { mine = 1; }",
        *("go", {"goamd64": "v3", "version": "1.26.3"}),
    ),
}


@pytest.mark.parametrize("name", OWN)
def test_a_runtime_of_the_users_own_keeps_what_the_user_gave_it(
    nix: Nix, layers: Make, name: str
) -> None:
    package, runtime, expected = OWN[name]
    found = nix.evaluate(
        """{
          inherit (report.home) runtimes;
          made = map (one: {
            priority = one.meta.priority or 5;
            mine = one.mine or one.drvAttrs.mine or null;
            lto = one.configureFlags or null;
          }) (lib.filter (one: lib.elem (lib.getName one)
            [ "python3" "nodejs" "nodejs-slim" "go" ]) home.config.home.packages);
        }""",
        layers=layers(),
        userHome=home_of(package),
    )
    (one,) = found["runtimes"][runtime]["adopted"]
    assert expected.items() <= one.items()
    (made,) = found["made"]
    assert made["priority"] == (-10 if name == "in front" else 5)
    assert str(made["mine"]) == ("1" if name == "a patched toolchain" else "None")
    if name == "with an override":
        assert made["lto"] == ["--enable-optimizations"]


def test_an_environment_with_modules_stays_and_is_named(nix: Nix, layers: Make) -> None:
    """As nixpkgs makes it: with the interpreter's own attributes, and none of its arguments."""
    environment = """pkgs.callPackage ({ stdenv, python }: stdenv.mkDerivation {
      name = "python3-3.13.11-env"; commands = "python3";
      passthru = { inherit (python) pythonAttr; };
    }) { python = pkgs.python313; }"""
    found = nix.evaluate(
        """{
          inherit (report.home) runtimes;
          same = map (one: one.drvPath)
            (lib.filter (one: one ? pythonAttr) home.config.home.packages)
            == map (one: one.drvPath) baseHome.config.home.packages;
        }""",
        layers=layers(include=["runtimes.python"]),
        userHome=home_of(environment),
    )
    assert found["same"]
    assert found["runtimes"]["python"] == {
        "adopted": [],
        "left": ["python3-3.13.11-env"],
        "lacking": False,
    }


@pytest.mark.parametrize("release", ["25.11", "26.05", "26.11"])
def test_nodes_flags_reach_what_is_compiled_on_every_release(
    nix: Nix, layers: Make, release: str
) -> None:
    """The plan's overrideAttrs changes a join of links since 26.05, nothing that is compiled."""
    found = nix.evaluate(
        f"""let
          compiled = node: if node ? paths then node.paths else [ node.outPath ];
          plan = pkgs.nodejs_24.overrideAttrs (old: {{
            env = (old.env or {{ }}) // {{ NIX_CFLAGS_COMPILE = "{FLAGS}"; }};
          }});
        in {{
          ours = compiled home.pkgs.nodejs_24Optimized != compiled pkgs.nodejs_24;
          plan = compiled plan != compiled pkgs.nodejs_24;
          plain = home.pkgs.nodejs_24.drvPath == pkgs.nodejs_24.drvPath;
          flags = (lib.head report.home.runtimes.node.adopted).flags;
        }}""",
        layers=layers(),
        release=f'"{release}"',
    )
    assert found["ours"]
    assert found["plan"] is (release == "25.11")
    assert found["plain"]
    assert found["flags"] == FLAGS


def test_the_plain_runtimes_and_what_is_built_with_them_stay(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    names = '[ "python313" "nodejs_24" "go" "rustc" "cargo" "ripgrep" "fzf" ]'
    found = nix.evaluate(
        f"""let
          changed = name: home.pkgs.${{name}}.drvPath != baseHome.pkgs.${{name}}.drvPath;
        in lib.filter changed {names}""",
        layers=layers(),
        **sources,
    )
    assert found == []


def test_python_modules_are_built_for_the_optimized_interpreter(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    found = nix.evaluate(
        """let python = home.pkgs.python313Optimized; in {
          self = python.pkgs.python.drvPath == python.drvPath;
          inherit (python) pythonAttr;
        }""",
        layers=layers(),
        **sources,
    )
    assert found == {"self": True, "pythonAttr": "python313Optimized"}


def test_the_home_starts_the_users_own_runtimes_optimized(nix: Nix, layers: Make) -> None:
    expression = harness.miniature(layers(), userHome=home_of("pkgs.python314", "pkgs.go"))
    command = ("nix-build", "--no-out-link", "-E")
    path = Path(nix.must(*command, f"{expression}.home.config.home.path").strip())
    go = (path / "bin/go").resolve().parents[1]
    assert (go / "nix-support/goamd64").read_text().strip() == "v3"
    assert "python3 from python3-3.14" in nix.must(path / "bin/python3")
    assert not (path / "bin/node").exists()
    assert not (path / "bin/node-jemalloc").exists()


ASK = """
unset __HM_SESS_VARS_SOURCED GOAMD64 CARGO_BUILD_RUSTFLAGS
. "$1"
printf '%s\n' "${GOAMD64-unset}" "$CARGO_BUILD_RUSTFLAGS"
"""


def test_what_the_user_compiles_gets_the_cpu_and_no_file_of_the_users_is_touched(
    nix: Nix, layers: Make, tmp_path: Path
) -> None:
    """~/.cargo/config.toml and ~/.config/go/env are the user's; a level in the latter stands."""
    made = harness.miniature(layers())
    files = nix.must(
        *("nix-build", "--no-out-link", "-E", f"{made}.home.activationPackage"),
    ).strip()
    targets = {str(one.relative_to(f"{files}/home-files")) for one in _walk(Path(files))}
    assert not {target for target in targets if "cargo" in target or "go/env" in target}
    variables = Path(files) / "home-path/etc/profile.d/hm-session-vars.sh"

    def shell(**more: str) -> list[str]:
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **more}
        command = ["sh", "-ec", ASK.replace("GOAMD64 ", "") if more else ASK, "sh", variables]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        return done.stdout.splitlines()

    assert shell() == ["v3", "-C target-cpu=skylake"]
    assert shell(GOAMD64="v2")[0] == "v2"
    own = tmp_path / ".config/go/env"
    own.parent.mkdir(parents=True)
    own.write_text("GOPRIVATE=example.org\n")
    assert shell()[0] == "v3"
    own.write_text("GOPRIVATE=example.org\nGOAMD64=v1\n")
    assert shell()[0] == "unset"


def _walk(generation: Path) -> Iterator[Path]:
    for path in (generation / "home-files").rglob("*"):
        if not path.is_dir():
            yield path


def test_cargo_joins_the_variable_with_the_users_and_the_projects_own_flags(
    tmp_path: Path,
) -> None:
    """The real cargo uses the flags of all three, so none gets lost."""
    project, home = tmp_path / "project", tmp_path / "home"
    for place, flag in ((project / ".cargo", "project"), (home, "users")):
        place.mkdir(parents=True)
        (place / "config.toml").write_text(f'[build]\nrustflags = ["--cfg", "{flag}"]\n')
    (project / "Cargo.toml").write_text('[package]\nname = "x"\nversion = "0.1.0"\n')
    (project / "src").mkdir()
    (project / "src/lib.rs").write_text("")
    done = subprocess.run(
        [need("cargo"), "build", "--offline", "--verbose"],
        cwd=project,
        env={**os.environ, "CARGO_HOME": str(home), "CARGO_BUILD_RUSTFLAGS": "--cfg ours"},
        capture_output=True,
        text=True,
        check=True,
    )
    for flag in ("project", "users", "ours"):
        assert f"--cfg {flag}" in done.stderr


def test_a_user_who_manages_go_and_cargo_keeps_the_one_file(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    """home-manager has ``programs.cargo`` since 26.05; where it has none, a variable says it."""
    found = nix.evaluate(
        """{
          go = home.config.programs.go.env;
          cargo = home.config.programs.cargo.settings or null;
          variable = home.config.home.sessionVariables.CARGO_BUILD_RUSTFLAGS or null;
        }""",
        layers=layers(),
        userHome="""({ lib, options, ... }: {
          programs = {
            go = { enable = true; env.GOBIN = "/b"; };
          } // lib.optionalAttrs (options.programs ? cargo) {
            cargo = { enable = true; settings.net.offline = true; };
          };
        })""",
        **sources,
    )
    assert found["go"]["GOAMD64"] == "v3"
    assert found["go"]["GOBIN"] == "/b"
    if found["cargo"] is None:
        assert found["variable"] == "-C target-cpu=skylake"
    else:
        assert found["variable"] is None
        assert found["cargo"] == {
            "build": {"rustflags": ["-C", "target-cpu=skylake"]},
            "net": {"offline": True},
        }


def test_jemalloc_by_consent_is_a_command_of_its_own(nix: Nix, layers: Make) -> None:
    expression = harness.miniature(layers(include=["runtimes.node.jemalloc"]))
    built = nix.must("nix-build", "--no-out-link", "-E", f"{expression}.home.config.home.path")
    path = Path(built.strip())
    assert "LD_PRELOAD=" in (path / "bin/node-jemalloc").read_text()
    assert "LD_PRELOAD" not in (path / "bin/node").read_text()


def test_rust_programs_by_consent_are_the_users_own(nix: Nix, layers: Make) -> None:
    own = "pkgs.fd.overrideAttrs { mine = 1; }"
    found = nix.evaluate(
        """map (one: [ (lib.getName one) (one.drvAttrs.mine or null) one.NIX_RUSTFLAGS ])
          (lib.filter (one: one ? NIX_RUSTFLAGS) home.config.home.packages)""",
        layers=layers(include=["runtimes.rust.programs"]),
        userHome=home_of(own),
    )
    assert found == [
        ["fd", 1, "-C strip=symbols -C target-cpu=skylake"],
        ["ripgrep", None, "-C target-cpu=skylake"],
    ]


def test_rust_programs_by_consent_keep_the_flags_of_their_package(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    found = nix.evaluate(
        "lib.mapAttrs (_: package: package.NIX_RUSTFLAGS) home.pkgs.optimizedRust",
        layers=layers(include=["runtimes.rust.programs"]),
        **sources,
    )
    assert found["fd"].endswith("-C target-cpu=skylake")
    assert found["ripgrep"] == "-C target-cpu=skylake"


def test_the_flags_that_fd_sets_itself_come_first(nix: Nix, layers: Make) -> None:
    """On the miniature, whose fd has such flags."""
    found = nix.evaluate(
        "home.pkgs.optimizedRust.fd.NIX_RUSTFLAGS",
        layers=layers(include=["runtimes.rust.programs"]),
    )
    assert found == "-C strip=symbols -C target-cpu=skylake"


def test_what_nixpkgs_cannot_do_is_said_and_cannot_be_forced() -> None:
    rows = {row.id: row for row in runtimes.ROWS}
    for id in ("runtimes.node.pgo", "runtimes.rust.compiler"):
        assert rows[id].state is State.WITHHELD
        assert not rows[id].forcible
        assert "nixpkgs" in rows[id].reason
