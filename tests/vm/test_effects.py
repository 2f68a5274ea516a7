"""Limits, sysctl, I/O scheduler and zram on a real kernel: what the checks call effective acts, and
what does not act they call not effective. Through the product, over SSH."""

from __future__ import annotations

from tests.conftest import Cli
from tests.vm.machine import Machine

#: The boot menu is looked at by the tests of trials; in software that takes long.
MEMORY = ("--data", "layers=nixos", "--data", "phases=memory", "--data", "exclude=boot.menu")
#: Exit 4 is for what only a person can say, and for a boot menu that was read too slowly.
APPLIED = (0, 4)
#: The control group of what the user starts; the desktop's own runs beside it.
APPLICATIONS = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice"
#: Setting -> what takes it out of force behind the product's back, as root.
BROKEN = {
    "memory.swappiness": "sysctl -qw vm.swappiness=10",
    "memory.dirty-ratio": "sysctl -qw vm.dirty_background_ratio=10",
    # The device's next event would start the swap again.
    "memory.zram": "mkdir -p /run/systemd/system && ln -s /dev/null "
    "/run/systemd/system/dev-zram0.swap && systemctl daemon-reload && swapoff /dev/zram0",
    "storage.scheduler": "echo none >/sys/block/nvme0n1/queue/scheduler",
    # What the kernel alone has lost, systemd gives it again: that is pending, and not gone.
    "memory.user-slice": "runuser -u mitsio -- env XDG_RUNTIME_DIR=/run/user/1000 "
    "systemctl --user set-property --runtime app.slice MemoryHigh=infinity",
}
#: A hog in the user's slice: it asks for more than the machine has, a page after the other.
HOG = "head -c 2000M /dev/zero | tail -c 2000M"


def test_what_is_called_effective_acts_and_what_does_not_act_is_not(
    cli: Cli, systemd_boot: Machine
) -> None:
    one = systemd_boot
    inventory = cli.inventory(one.workspace(trial="off"))
    done = cli(inventory, "deploy.py", "-y", *MEMORY)
    assert done.code in APPLIED, done.out + done.err
    one.reboot()  # the limit of a slice that is in use waits for its next start

    assert one.ssh("cat", "/proc/sys/vm/swappiness") == "67"
    assert "[mq-deadline]" in one.ssh("cat", "/sys/block/nvme0n1/queue/scheduler")
    assert "/dev/zram0" in one.ssh("cat", "/proc/swaps")
    total = int(one.sh("awk '/^MemTotal/ { print $2 * 1024 }' /proc/meminfo"))
    high = int(one.ssh("cat", f"{APPLICATIONS}/memory.high"))
    assert abs(100 * high / total - 75) < 1
    assert one.ssh("cat", f"{APPLICATIONS}/../../memory.high") == "max"
    assert effects(cli, inventory) == dict.fromkeys(BROKEN, "effective")

    one.sh("\n".join(BROKEN.values()))
    assert effects(cli, inventory) == dict.fromkeys(BROKEN, "not effective")


def effects(cli: Cli, inventory: object) -> dict[str, str]:
    """Setting -> effect, as tasks/verify.py finds it."""
    done = cli(inventory, "tasks/verify.py", *MEMORY)  # type: ignore[arg-type]
    found = {
        record["setting"]: record["effect"]
        for record in done.kinds("finding")
        if record.get("setting")
    }
    return {name: found[name] for name in BROKEN}


def test_a_hog_inside_its_limit_is_ended_and_nothing_outside(
    cli: Cli, systemd_boot: Machine
) -> None:
    one = systemd_boot
    others = "memory.user-slice,memory.zram,boot.menu"
    wanted = ("--data", "include=memory.user-slice-max", "--data", f"exclude={others}")
    inventory = cli.inventory(one.workspace(trial="off"))
    done = cli(inventory, "deploy.py", "-y", *MEMORY[:4], *wanted)
    assert done.code in APPLIED, done.out + done.err
    one.reboot()
    before = one.ssh("systemctl", "show", "-p", "MainPID", "ssh", "nix-daemon", "dbus")
    ended = one.run("sh", "-c", f"{HOG} >/dev/null", user="mitsio")
    assert ended.code != 0
    group = "/sys/fs/cgroup/user.slice/user-1000.slice/memory.events"
    assert int(one.sh(f"awk '/^oom_kill / {{ print $2 }}' {group}")) >= 1
    assert one.ssh("systemctl", "show", "-p", "MainPID", "ssh", "nix-daemon", "dbus") == before
    assert one.ssh("systemctl", "is-system-running") == "running"
    system = "/sys/fs/cgroup/system.slice/memory.events"
    assert one.sh(f"awk '/^oom_kill / {{ print $2 }}' {system}") == "0"
