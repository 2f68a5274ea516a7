"""A change that needs a reboot, through the product alone: deploy.py over SSH, a reboot, and what
status, verify and rollback make of it."""

from __future__ import annotations

from tests.conftest import Cli, Outcome
from tests.vm.machine import Machine
from tests.vm.system import FILES
from tests.vm.test_effects import APPLIED

PARAMETER = "workspace.tried=1"
#: No setting whose answer a machine without zram or in software does not have.
NOT_ASKED = "boot.menu,memory.zram,storage.scheduler,memory.user-slice"
CHANGE = (
    *("--data", "layers=nixos", "--data", "phases=memory"),
    *("--data", f"exclude={NOT_ASKED}"),
)
#: sh: the state of the newest trial once it is decided; $1: seconds until that counts as failed.
DECIDED = """\
end=$(($(date +%s) + $1))
while [ "$(date +%s)" -lt "$end" ]; do
    state=$(cat "$(ls -t /var/lib/workspace-tuning/runs/*/*/trial/state | head -n 1)")
    case $state in
        kept* | undone* | went-back* | broken*) echo "$state" && exit 0 ;;
    esac
    sleep 1
done
exit 1
"""


def said(done: Outcome) -> str:
    return done.out + done.err


def words(done: Outcome) -> str:
    """What was said, whatever the width of its lines."""
    return " ".join(done.out.split())


def test_a_deploy_is_tried_at_the_next_boot_kept_and_undone(
    cli: Cli, systemd_boot: Machine
) -> None:
    one = systemd_boot
    one.plant(PARAMETER)
    inventory = cli.inventory(one.workspace())
    old, before = one.ssh("readlink", "-f", "/run/booted-system"), one.sh(FILES)

    done = cli(inventory, "deploy.py", "-y", *CHANGE)
    # Not "applied, on trial": the rule for sudo there is for sh, so the boot menu is not looked at.
    assert done.code in APPLIED, said(done)
    assert "booting: generation 2 is booted once at the next start" in words(done), said(done)
    assert "restart the machine" in words(done), said(done)
    assert one.generations()[one.default_generation()] == old
    status = cli(inventory, "tasks/status.py", *CHANGE)
    assert "booting: generation 2 is booted once at the next start" in words(status), said(status)

    new = one.reboot().system
    assert new == one.generations()[2] != old
    assert PARAMETER in one.ssh("cat", "/proc/cmdline").split()
    assert one.sh(DECIDED, "600").startswith("kept generation 2 ")
    assert one.generations()[one.default_generation()] == new
    status = cli(inventory, "tasks/status.py", *CHANGE)
    assert "kept: generation 2 was booted, proved and is the default now" in words(status)
    verified = cli(inventory, "tasks/verify.py", *CHANGE)
    effects = {one["setting"]: one["effect"] for one in verified.kinds("finding")}
    assert effects["memory.swappiness"] == "effective", said(verified)

    undone = cli(inventory, "tasks/rollback.py", "-y")
    assert undone.code == 0, said(undone)
    assert one.generations()[one.default_generation()] == old
    assert one.sh(FILES) == before
    assert one.reboot().system == old
