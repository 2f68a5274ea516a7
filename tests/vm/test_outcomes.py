"""The rows of the table of ends that need a boot loader, on a whole machine: ``tests/run`` drives
all others."""

from __future__ import annotations

from converge.exits import Outcome
from tests.conftest import Cli
from tests.conftest import Outcome as Ended
from tests.run import ends
from tests.run.ends import agree, answering, drives, typed
from tests.vm.machine import Machine
from tests.vm.test_deploy import ASKS, CHANGE, DECIDED, PARAMETER, words

#: sh: the menu for everybody to read, as on many machines: in software sudo takes seconds a file.
OPEN_MENU = 'it=$(findmnt -nro SOURCE /boot); umount /boot; mount -o umask=0022 "$it" /boot'


@drives(
    {
        Outcome.ON_TRIAL: ["deploy", "status"],
        Outcome.CHANGES: ["confirm --dry"],
        Outcome.DECLINED: ["confirm"],
        Outcome.ANSWERED: ["confirm"],
    },
    among=ends.ON_A_MACHINE,
)
def test_a_change_is_on_trial_until_it_was_booted_and_a_person_has_said_keep(
    cli: Cli, systemd_boot: Machine
) -> None:
    one = systemd_boot
    one.plant(PARAMETER)
    one.sh(OPEN_MENU)
    inventory = cli.inventory(one.workspace(trial_confirm="person", trial_answer_s=3600))
    old = one.ssh("readlink", "-f", "/run/booted-system")

    def go(word: Outcome, verb: str) -> Ended:
        ended = cli(inventory, *typed(verb), *(CHANGE if verb in ("deploy", "status") else ()))
        agree(ended, word, verb=verb)
        return ended

    assert "restart the machine" in words(go(Outcome.ON_TRIAL, "deploy"))
    assert "restart the machine" in words(go(Outcome.ON_TRIAL, "status"))
    assert one.generations()[one.default_generation()] == old
    new = one.reboot().system
    assert new == one.generations()[2] != old
    one.sh(ASKS)
    assert "tasks/confirm.py keeps it" in words(go(Outcome.ON_TRIAL, "status"))
    go(Outcome.CHANGES, "confirm --dry")
    declined = answering(cli, inventory, "tasks/confirm.py", "no")
    agree(declined, Outcome.DECLINED, verb="confirm")
    assert one.generations()[one.default_generation()] == old, "nothing was said to the workspace"
    go(Outcome.ANSWERED, "confirm")
    assert one.sh(DECIDED, "60").startswith("kept generation 2 ")
    assert one.generations()[one.default_generation()] == new
