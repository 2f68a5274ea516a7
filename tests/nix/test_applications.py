"""Phase 3: limits that systemd accepts, wrappers that win, flags that arrive as they are."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from converge.setting import Layer, State
from converge.subjects.applications import rows as electron
from converge.subjects.monitoring import rows as monitoring
from tests.nix import harness
from tests.nix.harness import Make, Nix
from tests.tools import need

APPS = {
    row.id.removeprefix("electron.app."): row.value
    for row in electron.ROWS
    if row.id.startswith("electron.app.")
}


#: Claude Desktop is not in nixpkgs for Linux (request 366213, November 2026): one of their own.
SEVEN = """({ pkgs, ... }: { home.packages = with pkgs; [
  teams-for-linux discord spotify vscodium signal-desktop zoom-us
  (vscodium.overrideAttrs {
    pname = "claude-desktop";
    commands = "claude-desktop";
    desktopEntries = "claude-desktop.desktop=claude-desktop %U";
  })
]; })"""


@pytest.fixture(scope="module")
def home(nix: Nix, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built home generation on the miniature, of a user who has all seven applications."""
    made = harness.make_layers(tmp_path_factory.mktemp("a") / "layers", harness.profile_data())
    expression = f"{harness.miniature(made, userHome=SEVEN)}.home.activationPackage"
    return Path(nix.must("nix-build", "--no-out-link", "-E", expression).strip())


def test_the_plans_seven_applications_are_rows() -> None:
    assert set(APPS) == {"teams", "discord", "spotify", "codium", "claude", "signal", "zoom"}


def test_each_application_has_one_slice_with_the_limits_of_its_row(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    slices = nix.evaluate("home.config.systemd.user.slices", layers=layers(), **sources)
    for name, row in APPS.items():
        limits = slices[f"app-tuned-{name}"]["Slice"]
        assert limits == {
            "MemoryHigh": f"{row['memoryHighMB']}M",
            "MemoryMax": f"{row['memoryMaxMB']}M",
            "MemorySwapMax": f"{row['memorySwapMaxMB']}M",
            "CPUQuota": f"{row['cpuQuotaPercent']}%",
        }
    assert slices["app-tuned"]["Slice"] == {"MemoryHigh": "62%"}


def test_limits_have_the_only_forms_that_systemd_accepts(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    """It refuses 2,5G, 4g and 2.5GB, and a quota without %; a fraction never gets that far."""
    slices = nix.evaluate("home.config.systemd.user.slices", layers=layers(), **sources)
    for unit in slices.values():
        for key, value in unit["Slice"].items():
            form = r"[1-9]\d*%" if key == "CPUQuota" else r"[1-9]\d*(M|%)"
            assert re.fullmatch(form, value), (key, value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("memoryHighMB", 2560.5, "limits are whole numbers"),
        ("memoryHighMB", 9000, "is above MemoryMax"),
        ("heapMB", 4096, "about 3500 MB of heap"),
    ],
)
def test_a_limit_that_would_not_act_is_refused_by_name(
    nix: Nix, sources: dict[str, Path], tmp_path: Path, key: str, value: float, message: str
) -> None:
    data = harness.profile_data()
    row = dict(APPS["teams"])
    data[Layer.HOME_MANAGER]["settings"]["electron.app.teams"] = {**row, key: value}
    made = harness.make_layers(tmp_path / "layers", data)
    with pytest.raises(harness.NixError, match=message):
        nix.evaluate("home.activationPackage.drvPath", layers=made, **sources)


def test_plasmas_own_units_are_moved_into_the_slice(home: Path) -> None:
    """The directory's name is the escaped desktop id, or systemd never looks at it."""
    units = home / "home-files/.config/systemd/user"
    for name, escaped in (
        ("discord", "discord"),
        ("signal", "signal"),
        ("teams", r"teams\x2dfor\x2dlinux"),
        ("claude", r"claude\x2ddesktop"),
        ("codium", r"codium\x2durl\x2dhandler"),
        ("zoom", "Zoom"),
    ):
        text = (units / f"app-{escaped}@.service.d/50-workspace-tuning.conf").read_text()
        assert text == f"[Service]\nSlice=app-tuned-{name}.slice\nOOMScoreAdjust=100\n"


def test_the_oom_score_is_only_where_systemd_takes_it(
    home: Path, nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    for slice_file in (home / "home-files/.config/systemd/user").glob("*.slice"):
        assert "OOM" not in slice_file.read_text()
    for command in ("discord", "teams-for-linux"):
        code = [
            line
            for line in (home / "home-path/bin" / command).read_text().splitlines()
            if not line.startswith("#")
        ]
        assert not [line for line in code if "OOMScoreAdjust" in line]
    without = nix.evaluate(
        'home.config.xdg.configFile."systemd/user/app-discord@.service.d/50-workspace-tuning.conf".text',
        layers=layers(exclude=["electron.oom-score"]),
        **sources,
    )
    assert "OOM" not in without


def test_every_menu_entry_starts_a_wrapper(home: Path) -> None:
    entries = sorted((home / "home-path/share/applications").glob("*.desktop"))
    names = {entry.name for entry in entries}
    assert {"discord.desktop", "signal.desktop", "Zoom.desktop", "codium.desktop"} <= names
    for entry in entries:
        for line in entry.read_text().splitlines():
            if line.startswith("Exec="):
                program = Path(line.removeprefix("Exec=").split()[0])
                assert "-home-manager-path/bin/" in str(program), line
                assert "app-tuned-" in program.read_text()


def test_entries_keep_their_other_lines_and_their_arguments(home: Path) -> None:
    text = (home / "home-path/share/applications/codium-url-handler.desktop").read_text()
    assert re.search(r"^Exec=\S+/bin/codium --open-url %U$", text, re.M)
    assert re.search(r"^Exec=\S+/bin/codium --open-url %U --new$", text, re.M)
    assert "\nIcon=codium-url-handler.desktop\n" in text


#: Applications as people have them: overridden, with extensions, changed by a project of their own.
OWN = {
    "discord": ("discord", 'pkgs.discord.override { commandLineArgs = "--own"; }'),
    "codium": (
        "codium",
        """pkgs.stdenv.mkDerivation { name = "vscode-with-extensions"; buildCommand = ''
          mkdir -p $out/bin $out/share/applications
          printf '#!/bin/sh\\necho with extensions "$@"\\n' > $out/bin/codium
          chmod 755 $out/bin/codium
          printf '[Desktop Entry]\\nExec=codium %%F\\n' > $out/share/applications/codium.desktop
        ''; }""",
    ),
    "spotify": (
        "spotify",
        """pkgs.stdenv.mkDerivation { name = "spicetify-1.0"; buildCommand = ''
          mkdir -p $out/bin
          ln -s ${pkgs.spotify}/bin/spotify $out/bin/spotify
        ''; }""",
    ),
}


@pytest.mark.parametrize("name", OWN)
def test_the_users_own_package_is_what_the_launcher_starts(
    nix: Nix, layers: Make, tmp_path: Path, name: str
) -> None:
    """The programs in the profile are adopted, whatever their package or attribute is called."""
    program, package = OWN[name]
    users = f"({{ pkgs, ... }}: {{ home.packages = [ ({package}) ]; }})"
    made = harness.miniature(layers(), userHome=users)
    command = ("nix-build", "--no-out-link", "-E")
    path = Path(nix.must(*command, f"{made}.home.config.home.path").strip())
    own = nix.must(*command, f"let inherit ({made}) pkgs; in {package}").strip()
    text = (path / "bin" / program).read_text()
    assert re.search(rf"^set -- '{re.escape(own)}/(\./)?bin/{program}' ", text, re.M)
    assert "app-tuned-" in text
    started = nix.must(path / "bin" / program, "x", XDG_RUNTIME_DIR=str(tmp_path))
    assert started.rstrip().endswith("x]" if name != "codium" else "x")
    if name == "codium":
        assert started.startswith("with extensions")


def test_nothing_is_installed_that_the_user_does_not_have(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    made = layers()
    found = nix.evaluate(
        """{
          before = map lib.getName baseHome.config.home.packages;
          after = map lib.getName home.config.home.packages;
          slices = lib.attrNames home.config.systemd.user.slices;
        }""",
        layers=made,
        **sources,
    )
    applications = {"discord", "spotify", "vscodium", "zoom-us", "teams-for-linux"}
    assert not applications & set(found["after"])
    assert {f"app-tuned-{name}" for name in APPS} <= set(found["slices"])
    home = f"{harness.miniature(made)}.home"
    built = nix.must("nix-build", "--no-out-link", "-E", f"{home}.config.home.path")
    assert not [
        name for name in ("discord", "codium") if (Path(built.strip()) / "bin" / name).exists()
    ]


class Started:
    """What a wrapper started, and how."""

    def __init__(self, home: Path, directory: Path) -> None:
        self.home = home
        self.directory = directory
        self.runtime = directory / "run"
        self.runtime.mkdir()
        self.bin = directory / "bin"
        self.bin.mkdir()

    def stand_in(self, name: str, body: str) -> None:
        program = self.bin / name
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)

    def __call__(self, command: str, *arguments: str) -> str:
        return subprocess.run(
            [str(self.home / "home-path/bin" / command), *arguments],
            env={"PATH": f"{self.bin}:{os.environ['PATH']}", "XDG_RUNTIME_DIR": str(self.runtime)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout


@pytest.fixture
def start(home: Path) -> Iterator[Started]:
    # A socket's path has at most 107 bytes.
    with TemporaryDirectory() as directory:
        yield Started(home, Path(directory))


@pytest.fixture
def bus(start: Started) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(start.runtime / "bus"))
        yield


HOSTILE = ("a b", "$HOME", "`id`", "https://x/?q=$$&r=%20", "-p", "", "*")


def shown(*arguments: str) -> str:
    return "".join(f" [{argument}]" for argument in arguments)


def test_without_a_user_manager_the_application_still_starts(start: Started) -> None:
    start.stand_in("systemd-run", "echo must not be asked; exit 1")
    assert start("discord", *HOSTILE) == (
        "discord from discord-1.0" + shown("--js-flags=--max-old-space-size=1024", *HOSTILE) + "\n"
    )


#: systemd-run that says what is asked of it, of version 254 and before.
NEWER = (
    'if [ "$*" = --help ]; then echo "  --expand-environment=BOOL  x"; exit; fi\n'
    'for a; do printf "%s\\n" "$a"; done'
)
OLDER = (
    'case "$*" in --help) exit ;; *--expand-environment*--\\ *) exit 1 ;; esac\n'
    'for a; do printf "%s\\n" "$a"; done'
)


@pytest.mark.usefixtures("bus")
@pytest.mark.parametrize(("version", "literal"), [(NEWER, "--expand-environment=no"), (OLDER, "")])
def test_from_a_terminal_it_gets_a_scope_in_the_slice(
    start: Started, version: str, literal: str
) -> None:
    start.stand_in("systemd-run", version)
    lines = start("teams-for-linux", *HOSTILE).splitlines()
    before, after = lines[: lines.index("--")], lines[lines.index("--") + 1 :]
    assert before[:-1] == [
        *("--user", "--scope", "--quiet", "--collect", *filter(None, [literal])),
        "--slice=app-tuned-teams.slice",
    ]
    unit = r"--unit=app-teams\\x2dfor\\x2dlinux-[0-9a-f]{8}\.scope"
    assert re.fullmatch(unit, before[-1]), before[-1]
    assert after[0].endswith("/bin/teams-for-linux")
    assert "home-manager-path" not in after[0]
    assert after[1:] == ["--js-flags=--max-old-space-size=1536", *HOSTILE]


@pytest.mark.usefixtures("bus")
def test_two_starts_never_ask_for_the_same_unit(start: Started) -> None:
    start.stand_in("systemd-run", NEWER)
    units = {start("codium").splitlines()[6] for _ in range(5)}
    assert len(units) == 5


@pytest.mark.usefixtures("bus")
def test_started_by_plasma_it_stays_in_plasmas_unit(start: Started) -> None:
    slices = "app.slice/app-tuned.slice/app-tuned-signal.slice"
    start.stand_in("cat", f"echo 0::/user.slice/{slices}/app-signal@1f.service")
    start.stand_in("systemd-run", "echo must not be asked; exit 1")
    assert start("signal-desktop", "x").startswith("signal-desktop from signal-desktop")


def test_what_is_not_electron_gets_no_chromium_flags(start: Started) -> None:
    assert start("spotify", "x") == "spotify from spotify-1.0 [x]\n"
    assert start("zoom", "x") == "zoom from zoom-us-1.0 [x]\n"


def test_no_gpu_flag_of_the_plan_is_on_by_default(home: Path) -> None:
    for command in ("discord", "teams-for-linux", "codium", "signal-desktop", "claude-desktop"):
        text = (home / "home-path/bin" / command).read_text()
        for flag in ("use-gl", "ozone", "enable-features", "blocklist", "zero-copy", "overlays"):
            assert flag not in text, (command, flag)


def test_an_application_that_no_nixpkgs_has_is_named_where_it_is_asked_for(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    found = nix.evaluate(
        "{ inherit (home.config) warnings; names = map lib.getName home.config.home.packages; }",
        layers=layers(include=["electron.app.claude"]),
        **sources,
    )
    (said,) = (text for text in found["warnings"] if "electron.app.claude" in text)
    assert "has none of claude-desktop" in said
    assert "claude-desktop" not in found["names"]


def test_flags_by_consent_come_as_one_list_of_features(nix: Nix, layers: Make) -> None:
    """Of two --enable-features the last one wins, and the first one's features are lost."""
    made = layers(include=["electron.flag.features", "electron.video-decoding"])
    expression = f"{harness.miniature(made, userHome=SEVEN)}.home.config.home.path"
    path = Path(nix.must("nix-build", "--no-out-link", "-E", expression).strip())
    teams = (path / "bin/teams-for-linux").read_text()
    assert teams.count("--enable-features=") == 1
    assert "--use-angle=gl" in teams
    assert "Vulkan,CanvasOopRasterization,AcceleratedVideoDecodeLinuxGL,VaapiOnNvidiaGPUs" in teams
    signal = (path / "bin/signal-desktop").read_text()
    assert "VaapiOnNvidiaGPUs" not in signal
    assert "CanvasOopRasterization" in signal
    assert "enable-features" not in (path / "bin/spotify").read_text()


def test_every_gpu_flag_of_the_plan_is_a_withheld_row() -> None:
    rows = [row for row in electron.ROWS if row.id.startswith("electron.flag.")]
    text = str([row.value for row in rows])
    for flag in (
        *("--use-gl=desktop", "VaapiVideoDecoder", "VaapiIgnoreDriverChecks", "Vulkan"),
        *("CanvasOopRasterization", "--enable-gpu-rasterization", "--enable-zero-copy"),
        *("--ignore-gpu-blocklist", "--ozone-platform=x11", "--enable-hardware-overlays"),
        "--enable-native-gpu-memory-buffers",
    ):
        assert flag in text
    assert all(row.state is State.WITHHELD for row in rows)


def test_the_monitoring_aliases_reach_bash_zsh_and_fish(
    nix: Nix, sources: dict[str, Path], layers: Make
) -> None:
    found = nix.evaluate(
        'lib.genAttrs [ "bash" "zsh" "fish" ] (shell: home.config.programs.${shell}.shellAliases)',
        layers=layers(),
        userHome="{ programs.zsh.enable = true; programs.fish.enable = true; }",
        **sources,
    )
    for shell in found.values():
        assert {"sysmon", "appmon", "crashmon"} <= set(shell)


def test_an_alias_is_one_line_that_a_shell_reads_without_complaint() -> None:
    for row in monitoring.ROWS:
        command = row.value["command"]
        assert "\n" not in command
        assert "'" not in command
        for shell in ("bash", "dash"):
            subprocess.run(
                [need("dash") if shell == "dash" else "bash", "-n", "-c", command], check=True
            )
