"""A change of a sandbox that is on trial: the record and the programs of a machine that was booted
into a new generation.

What a boot would have done is written by hand: the loader's menu, the kernel's command line, the
boot in which it was armed. All that follows is the product's own: ``trial.sh`` as the unit runs it,
Nix on the profile, GRUB's environment.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import sandbox
from converge.boot import wanted
from converge.profile.choices import Choices
from tasks.reach.remote import program
from tests.conftest import Box
from tests.remote.faults import transaction
from tests.remote.reading import BOOT
from tests.sshd import wait_for
from tests.tools import need

#: The person is asked, and has ten minutes: no test waits for their end.
CHOICES = Choices(
    workspace="sandbox",
    profile="inventory/hardware/shoshin.yaml",
    user="somebody",
    host="sandbox",
    trial_confirm="person",
    trial_answer_s=600,
)
#: sh, of a system: write the menu whose default is the system that ``boots`` names, or itself.
INSTALL = """\
#!/bin/sh
set -eu
[ "$1" = boot ] || exit 0
own=$(dirname "$(dirname "$(readlink -f "$0")")")
[ ! -e "$own/boots" ] || own=$(readlink -f "$own/boots")
{
    echo 'if [ "${next_entry}" ]; then'
    echo '  save_env next_entry'
    echo fi
    echo 'set default=0'
    echo 'menuentry "NixOS - Default" {'
    echo "  linux /k init=$own/init"
    echo '}'
} >"$MENU"
"""


@dataclass
class Tried:
    """The newest change of ``box``. ``unit``: the process that proves it; ``built``: the system of
    the box, for which the new one stands in."""

    box: Box
    unit: subprocess.Popen[bytes] | None = None
    built: Path | None = None

    @classmethod
    def of(cls, box: Box, *, default: str = "new") -> Tried:
        """Arm it. ``default``: the system that the loader takes when it is told the new one."""
        need("nix-env")
        need("grub-editenv")
        made = cls(box)
        made.record.mkdir()
        (made.record / "trial.sh").write_text(program("trial"))
        (made.record / "options").write_text(wanted.options(CHOICES, desktop=False))
        for name in ("checks", "failed"):
            (made.record / name).touch()
        profile = box.root / "nix/var/nix/profiles/system"
        profile.parent.mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(("old", "new"), 1):
            system = made.system(name)
            (system / "bin").mkdir(parents=True)
            (system / "bin/switch-to-configuration").write_text(INSTALL)
            (system / "bin/switch-to-configuration").chmod(0o755)
            (system / "init").touch()
            link = Path(f"{profile}-{number}-link")
            if name == "new" and link.is_symlink():  # of a box with a system of its own
                made.built = link.readlink()
                link.unlink()
            if not link.is_symlink():
                link.symlink_to(system)
        profile.unlink(missing_ok=True)
        profile.symlink_to("system-1-link")
        if default != "new":
            (made.system("new") / "boots").symlink_to(made.system(default))
        (made.record / "plan").write_text(
            f"new {made.system('new')}\nold {made.system('old')}\nold_number 1\n"
            f"profile {profile}\nkept_number 1\nloader grub\nnumber 2\nentry x\nboot {BOOT}\n"
        )
        (made.record / "state").write_text(
            "booting generation 2 is booted once at the next start; 1 stays the default\n"
        )
        (box.root / "boot/grub").mkdir(parents=True)
        made._run(str(made.system("old") / "bin/switch-to-configuration"), "boot")
        made._comes_up("old")
        return made

    @property
    def record(self) -> Path:
        return transaction(self.box).parent / "trial"

    def system(self, name: str) -> Path:
        return self.box.root / "systems" / name

    @property
    def state(self) -> str:
        return (self.record / "state").read_text().strip()

    @property
    def _environment(self) -> dict[str, str]:
        menu = self.box.root / "boot/grub/grub.cfg"
        return {
            **os.environ,
            **dict(sandbox.environment(self.box.root)),
            "ROOT": str(self.box.root),
            "MENU": str(menu),
        }

    def _run(self, *command: str) -> None:
        subprocess.run(command, env=self._environment, check=True)

    def _comes_up(self, name: str) -> None:
        (self.box.root / "proc").mkdir(exist_ok=True)
        (self.box.root / "proc/cmdline").write_text(f"quiet init={self.system(name)}/init\n")

    def reboots(self) -> None:
        """The machine comes up in the new generation, and its unit waits for a person."""
        self._starts("new")
        wait_for(lambda: "waits for the answer" in self.state, "the unit", patience_s=60)

    def hangs(self) -> str:
        """It did not come up in the new generation, so it is in the old one: the state then."""
        self._starts("old")
        return self.ends()

    def _starts(self, name: str) -> None:
        plan = self.record / "plan"
        plan.write_text(plan.read_text().replace(f"boot {BOOT}", "boot earlier"))
        self._comes_up(name)
        self.unit = subprocess.Popen(
            ["sh", str(self.record / "trial.sh"), "boot", str(transaction(self.box))],
            env=self._environment,
            stdout=subprocess.DEVNULL,
        )

    def is_the_built_one(self) -> None:
        """From here on the new generation is the system that the box was built."""
        assert self.built is not None
        link = self.box.root / "nix/var/nix/profiles/system-2-link"
        link.unlink()
        link.symlink_to(self.built)

    def ends(self) -> str:
        """The state once the unit has ended."""
        assert self.unit is not None
        self.unit.wait(timeout=120)
        return self.state
