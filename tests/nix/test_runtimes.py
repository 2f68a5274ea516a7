"""Phase 2: runtimes under new names, on every release with what that release has."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from converge.plan.setting import State
from converge.subjects.runtimes import rows as runtimes
from tests.nix import harness
from tests.nix.harness import Nix
from tests.tools import need

FLAGS = "-march=skylake -mtune=skylake -O3"


@pytest.fixture(scope="module")
def nix(tmp_path_factory: pytest.TempPathFactory) -> Nix:
    return Nix(tmp_path_factory.mktemp("nix"))


@pytest.fixture(scope="module")
def sources(nix: Nix) -> dict[str, Path]:
    return harness.sources(nix.directory / "sources")


Make = Callable[..., Path]


@pytest.fixture
def layers(tmp_path: Path) -> Make:
    def make(**choices: Iterable[str]) -> Path:
        return harness.make_layers(tmp_path / "layers", harness.profile_data(**choices))

    return make


def test_each_runtime_shows_its_optimization_in_the_derivation(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    found = nix.evaluate("report.home.runtimes", layers=layers(), **sources)
    assert found["python"]["profileGuided"]
    assert found["python"]["version"].startswith("3.13.")
    assert found["node"]["flags"].endswith(FLAGS)
    assert found["go"]["goamd64"] == "v3"


@pytest.mark.parametrize(
    ("release", "go"), [("25.11", "1.24.13"), ("26.05", "1.26.3"), ("26.11", "1.26.3")]
)
def test_what_a_release_lacks_is_replaced_with_a_message(
    nix: Nix, layers: Make, release: str, go: str
) -> None:
    found = nix.evaluate(
        "{ inherit (report.home) runtimes; inherit (home.config) warnings; }",
        layers=layers(),
        release=f'"{release}"',
    )
    assert found["runtimes"]["go"]["version"] == go
    message = [one for one in found["warnings"] if "go_1_24" in one]
    if release == "25.11":
        assert message == []
    else:
        assert f"go {go} is used instead" in message[0]


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
          flags = report.home.runtimes.node.flags;
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


def test_the_home_starts_the_optimized_runtimes(nix: Nix, layers: Make) -> None:
    expression = harness.miniature(layers())
    command = ("nix-build", "--no-out-link", "-E")
    path = Path(nix.must(*command, f"{expression}.home.config.home.path").strip())
    go = Path(nix.must(*command, f"{expression}.home.pkgs.goOptimized").strip())
    assert (go / "nix-support/goamd64").read_text().strip() == "v3"
    assert (path / "bin/go").resolve() == (go / "bin/go").resolve()
    assert "python3 from python3-3.13" in nix.must(path / "bin/python3")
    assert "node from nodejs-slim-24" in nix.must(path / "bin/node")
    assert not (path / "bin/node-jemalloc").exists()


def test_an_interpreter_that_the_user_installed_stays_in_front(nix: Nix, layers: Make) -> None:
    """It may have been made with modules that the optimized one does not have."""
    expression = harness.miniature(
        layers(), userHome="({ pkgs, ... }: { home.packages = [ pkgs.python314 ]; })"
    )
    built = nix.must("nix-build", "--no-out-link", "-E", f"{expression}.home.config.home.path")
    assert "python3 from python3-3.14" in nix.must(Path(built.strip()) / "bin/python3")


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
    assert not {one for one in targets if "cargo" in one or "go/env" in one}
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
    for one in (generation / "home-files").rglob("*"):
        if not one.is_dir():
            yield one


def test_cargo_joins_the_variable_with_the_users_and_the_projects_own_flags(
    tmp_path: Path,
) -> None:
    """What the claim rests on, asked of the real cargo: none of the three gets lost."""
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
    found = nix.evaluate(
        """{
          go = home.config.programs.go.env;
          cargo = home.config.programs.cargo.settings;
        }""",
        layers=layers(),
        userHome="""{
          programs.go = { enable = true; env.GOBIN = "/b"; };
          programs.cargo = { enable = true; settings.net.offline = true; };
        }""",
        **sources,
    )
    assert found["go"]["GOAMD64"] == "v3"
    assert found["go"]["GOBIN"] == "/b"
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
