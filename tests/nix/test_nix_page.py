"""The commands of docs/nix.md build both layers by hand over a flake of the user's, as written."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.nix import harness, real
from tests.nix.harness import Nix
from tests.run import pages
from tests.tools import need


def test_the_layers_can_be_built_by_hand_as_the_page_says(tmp_path: Path) -> None:
    need("nix")
    nix = Nix(tmp_path / "nix")
    base = harness.make_base(tmp_path / "user/flake")
    layers = harness.make_layers(tmp_path / "layers", harness.profile_data())
    found = [
        command.text for command in pages.commands("docs/nix.md") if "make real" not in command.text
    ]
    assert len(found) == 6
    script = "\n".join(found).replace("git+file:///home/me/flake", f"path:{base}")
    script = re.sub(r"^cd .*workspace-tuning$", f"cd {layers}", script, flags=re.MULTILINE)
    script = script.replace("me@shoshin", "mitsio@shoshin").replace("nix build", "nix build -L")
    (nix.directory / "home").mkdir(parents=True)
    done = subprocess.run(
        ["bash", "-euc", script],
        env=nix.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"missing"' in done.stdout
    assert (layers / "result").is_symlink()


def test_the_tests_on_real_checkouts_take_what_the_page_hands_over() -> None:
    (command,) = [one.text for one in pages.commands("docs/nix.md") if "make real" in one.text]
    (rule,) = re.findall(r"^real:.*\n\t(.*)", (harness.PROJECT / "Makefile").read_text(), re.M)
    text = Path(real.__file__).read_text()
    names = re.findall(r"([A-Z_]+)=", command)
    assert names == ["REAL", "NIXOS_HARDWARE"]
    for name in names:
        assert f'{name}="$({name})"' in rule
        assert f'"{name}"' in text
    assert all((harness.HERE / f"test_{name}.py").is_file() for name in real.TESTS)
