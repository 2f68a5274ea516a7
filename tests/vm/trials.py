"""For tests of a trial: a change of a file and of the system on a machine, without pyinfra.

The programs are sent as the controller sends them, as the workspace's user with sudo; what makes
the new system good or bad is a copy of the running one with other parameters, or another initrd.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from converge.boot import checks, wanted
from converge.plan.plan import Change
from converge.profile.choices import Choices
from converge.proof.inquiry import PROBES
from converge.setting import Layer
from tasks.reach.payload import archive, encoded, pack
from tasks.reach.remote import PROGRAMS, joined, program, text
from tasks.steps.activate import UNDO
from tests.vm.machine import Machine
from tests.vm.system import COPY, PROFILE, USER

RUN = "20261126t000000-abcd"
HOME = f"/home/{USER}"
FILE = f"{HOME}/.config/environment.d/60-trial.conf"
STATE = f"{HOME}/.local/state/workspace-tuning/workspace"
RECORD = f"/var/lib/workspace-tuning/runs/{USER}/{RUN}"
T = f"{RECORD}/transaction"
CHOICES = Choices(workspace="shoshin", profile="tests/vm/shoshin.yaml", user=USER, host="shoshin")


def _packed(members: Mapping[str, str | bytes]) -> bytes:
    return archive(
        {
            name: (content.encode() if isinstance(content, str) else content, 0o644)
            for name, content in members.items()
        }
    )


@dataclass
class Tried:
    """A change on trial. ``old`` and ``new`` are systems."""

    machine: Machine
    old: str = ""
    new: str = ""

    def transact(self, verb: str, *rest: str, stdin: str = "") -> str:
        command = ("sudo", "-H", "-n", "sh", "-c", program("transact"), "workspace-transact")
        return self.machine.run(*command, verb, T, *rest, user=USER, stdin=stdin).out

    def begin(
        self,
        *,
        parameters: Sequence[str] = (),
        initrd: str = "initrd",
        asks: Sequence[checks.BootCheck] = (),
        choices: Choices = CHOICES,
    ) -> str:
        """Activate, offer the trial, keep: what the programs say of it at the end."""
        one = self.machine
        self.old = one.ssh("readlink", "-f", PROFILE)
        number = one.ssh("readlink", PROFILE).split("-")[-2]
        self.new = one.sh(COPY, self.old, initrd, *parameters)
        change = Change(path=FILE, layer=Layer.SESSION, before=None, after=b"TRIAL=1\n", mode=0o644)
        plan = "".join(
            f"{line}\n"
            for line in (
                *(f"run {RUN}", "number 1", "deadline 900", f"user {USER}"),
                *(f"written {STATE}/written.json", f"rollback {STATE}/rollback"),
                f"live {STATE}/runs/{RUN}/live-1 user",
                f"nixos {self.new} {PROFILE} {number} {self.old}",
            )
        )
        payload = _packed(
            {
                "plan": plan,
                "live": pack([change], home=HOME),
                "written": "{}",
                "undo.sh": "".join(text(PROGRAMS / f"{part}.sh") for part in UNDO),
                "entries.awk": (PROGRAMS / "entries.awk").read_text(),
                **{f"{name}.sh": program(name) for name in ("transact", "write", "rollback")},
            }
        )
        said = self.transact("start", stdin=encoded(payload))
        assert "started" in said, said
        said = self.transact("wait", "300")
        assert "status activated" in said, said
        trial = _packed(
            {
                "trial.sh": program("trial"),
                "check.sh": program("check"),
                "probes": joined(*PROBES),
                "checks": checks.written(asks),
                "options": wanted.options(choices, desktop=False),
            }
        )
        sent = encoded(trial)
        said = self.transact("trial", hashlib.sha256(trial).hexdigest(), stdin=sent)
        assert f"trial ready {one.loader}" in said, said
        said = self.transact("decide", "confirm")
        while "status keeping" in said:
            said = self.transact("wait", "300", "decided")
        return said

    def trial(self) -> str:
        """The state of the trial once it is decided, or after five minutes."""
        said = self.transact("tried", "300")
        return said.partition("trial ")[2].partition("\n")[0]

    @property
    def number(self) -> int:
        """The generation that is tried."""
        return next(n for n, one in self.machine.generations().items() if one == self.new)

    def as_before(self) -> None:
        """The old generation runs and is the default, and the home is as before."""
        one = self.machine
        assert one.ssh("readlink", "-f", "/run/booted-system") == self.old
        assert one.generations()[one.default_generation()] == self.old
        assert one.ssh("readlink", "-f", PROFILE) == self.old
        assert one.run("test", "-e", FILE).code == 1
        assert one.run("systemctl", "cat", "workspace-tuning-trial.service").code != 0
