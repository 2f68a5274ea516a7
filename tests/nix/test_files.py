"""Every .nix and .sh file of the layers parses, is formatted, and says why its values are there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from converge.subjects.settings import ALL
from tests.nix import harness
from tests.tools import need

FILES = [
    path
    for root in ("files/nixos", "files/home-manager", "files/lib", "sandbox", "tests/nix")
    for path in sorted((harness.PROJECT / root).rglob("*.nix"))
]
LAYER_FILES = [path for path in FILES if path.is_relative_to(harness.PROJECT / "files")]
MODULES = [path for path in LAYER_FILES if path.parent.name != "lib" and path.stem != "flake"]


def named(path: Path) -> str:
    return str(path.relative_to(harness.PROJECT))


def test_there_are_files_to_look_at() -> None:
    assert len(LAYER_FILES) > 15
    assert len(FILES) > len(LAYER_FILES) + 15


@pytest.mark.parametrize("path", FILES, ids=named)
def test_it_parses(path: Path) -> None:
    done = subprocess.run(
        [need("nix-instantiate"), "--parse", str(path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_every_file_is_formatted() -> None:
    roots = [str(harness.PROJECT / name) for name in ("files", "sandbox", "tests/nix")]
    done = subprocess.run([need("nixpkgs-fmt"), "--check", *roots], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", FILES, ids=named)
def test_it_is_one_room_and_says_what_it_is(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= 400
    if path.name == "flake.nix":
        assert "description =" in lines[1]
    elif len(lines) > 3:
        assert lines[0].startswith("# "), "what enters and what leaves, in a comment at the top"
    assert not [line for line in lines if "\t" in line or line.rstrip() != line]
    assert "with lib;" not in path.read_text()


@pytest.mark.parametrize("path", LAYER_FILES, ids=named)
def test_it_is_plain_ascii_and_free_of_absolute_imports(path: Path) -> None:
    """Mis-decoded characters came with the plan; an absolute import stops a pure evaluation."""
    text = path.read_text()
    assert text.isascii()
    assert not re.search(r"import\s+/", text)
    assert "builtins.currentSystem" not in text
    assert "builtins.getEnv" not in text


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_every_value_has_its_default_and_reason(path: Path) -> None:
    """What is set behind the user has a comment that names the default, in its paragraph."""
    text = path.read_text()
    assert "lib.mkDefault" not in text, "values of the layer have a priority of their own: ours.nix"
    for paragraph in text.split("\n\n"):
        if re.search(r"\(ours(Each)? ", paragraph):
            assert re.search(r"# Defaults?\b", paragraph), f"{named(path)}: {paragraph}"


def test_every_shell_program_passes_shellcheck() -> None:
    programs = sorted((harness.PROJECT / "files").rglob("*.sh"))
    programs += sorted(harness.MINIATURE.rglob("activate.sh"))
    programs += sorted(harness.MINIATURE.rglob("switch-to-configuration.sh"))
    assert len(programs) >= 3
    for program in programs:
        done = subprocess.run(
            [need("shellcheck"), "-s", "sh", str(program)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout


def test_every_setting_that_a_module_reads_is_a_row() -> None:
    """A name in quotes that looks like a setting's id, in a module, exists."""
    ids = {row.id for row in ALL}
    families = {id.split(".")[0] for id in ids}
    pattern = re.compile(rf'"((?:{"|".join(sorted(families))})(?:\.[a-z0-9-]+)+)"')
    foreign = {"media.av1.enabled"}
    for path in LAYER_FILES:
        for id in pattern.findall(path.read_text()):
            assert id in ids | foreign, f"{named(path)}: {id}"


def test_every_row_of_the_nix_layers_is_read_by_a_module() -> None:
    text = "\n".join(path.read_text() for path in LAYER_FILES)
    prefixes = (
        *("libraries.group.", "libraries.flag.", "electron.app.", "electron.flag."),
        "monitoring.",
    )
    said_only = {  # cannot be forced: the row only says why
        row.id for row in ALL if not row.forcible
    }
    for row in ALL:
        if row.layer not in harness.LAYERS or row.id in said_only or row.id.startswith(prefixes):
            continue
        by_shape = {"sysctl", "sliceConfig", "kernelParams", "write", "userSlices", "scx"}
        if isinstance(row.value, dict) and (shape := row.value.keys() & by_shape):
            assert re.search(rf"having \"{next(iter(shape))}\"|\? {next(iter(shape))}\)", text), (
                row.id
            )
            continue
        parts = re.match(r"libraries\.(leaf|overlay|march|graft)\.(system|home)$", row.id)
        if parts:
            assert f'"libraries.{parts[1]}.${{layer}}"' in text or f'"{parts[1]}"' in text
            continue
        if row.id in ("runtimes.python", "runtimes.node", "runtimes.go"):
            assert 'settings."runtimes.${runtime}"' in text
            continue
        assert f'"{row.id}"' in text, row.id
