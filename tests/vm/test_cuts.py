"""The power goes in the middle of an apply and of an undo: the machine comes up in a generation
that was proved, each file is wholly old or wholly new, and the same command again ends it.

A moment is a call of ``sync`` or ``mv``: what a program on the workspace writes for good goes
through them. Ones in front of them count, and wait at the moment asked for until the power is cut.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.vm.machine import Machine
from tests.vm.system import FILES
from tests.vm.test_effects import APPLIED

RUN = ("--data", "layers=nixos", "--data", "phases=memory", "--data", "exclude=boot.menu")
#: In place of sync and mv.
_COUNTED = """\
#!/bin/sh
program=/usr/bin/${0##*/}
[ -e /run/moment/at ] || exec "$program" "$@"
now=$(flock /run/moment/lock sh -c \\
    'echo $(($(cat /run/moment/count) + 1)) | tee /run/moment/count')
if [ "$now" = "$(cat /run/moment/at)" ]; then
    echo "vm-moment $now" >/dev/ttyS0
    exec sleep infinity
fi
exec "$program" "$@"
"""
_COUNT = """\
mkdir -p /run/moment && chmod 777 /run/moment && chmod 666 /dev/ttyS0
echo 0 >/run/moment/count && echo "$1" >/run/moment/at && : >/run/moment/lock
chmod 666 /run/moment/*
cat >/usr/local/bin/sync
chmod 755 /usr/local/bin/sync
ln -f /usr/local/bin/sync /usr/local/bin/mv
"""
#: Of an apply and of an undo, the numbers of their moments; both have more than forty.
PAIRS = [(6, 3), *((number, number) for number in range(1, 41, 2) if number != 6)]


@pytest.mark.parametrize(("applying", "undoing"), PAIRS)
def test_a_power_cut_leaves_all_old_or_all_new_and_can_be_repeated(
    cli: Cli, systemd_boot: Machine, applying: int, undoing: int
) -> None:
    one = systemd_boot
    inventory = cli.inventory(one.workspace(trial="off"))
    old, before = one.ssh("readlink", "-f", "/run/booted-system"), digests(one)

    cut(cli, one, inventory, applying, "deploy.py", "-y", *RUN)
    system = one.ssh("readlink", "-f", "/run/current-system")
    between = digests(one)
    done = cli(inventory, "deploy.py", "-y", *RUN)
    assert done.code in APPLIED, done.out + done.err
    new, after = one.ssh("readlink", "-f", "/run/current-system"), digests(one)
    assert system in (old, new)
    assert_whole(between, before, after)
    assert (old != new, before != after) == (True, True)

    cut(cli, one, inventory, undoing, "tasks/rollback.py", "-y")
    assert one.ssh("readlink", "-f", "/run/current-system") in (old, new)
    assert_whole(digests(one), before, after)
    cli(inventory, "tasks/rollback.py", "-y")
    assert digests(one) == before
    assert one.ssh("readlink", "-f", "/run/current-system") == old
    assert one.generations()[one.default_generation()] == old


def cut(cli: Cli, one: Machine, inventory: Path, moment: int, *arguments: str) -> None:
    """Run the command until its ``moment``, cut the power there, switch it on again."""
    one.ssh("sh", "-euc", _COUNT, "count", str(moment), stdin=_COUNTED)
    process = cli.start(inventory, *arguments, own_group=True)
    try:
        one.wait_for(rf"vm-moment {moment}\b")
        one.power_cut()
    finally:
        process.kill()
        process.communicate(timeout=60)
    boot = one.boot()
    assert boot.system in one.generations().values()


def digests(one: Machine) -> dict[str, str]:
    """Path of a file, its digest; path of a link, its target."""
    lines = (line.split(None, 1) for line in one.sh(FILES).splitlines())
    return {what: value for value, what in lines}


def assert_whole(found: dict[str, str], old: dict[str, str], new: dict[str, str]) -> None:
    for path in itertools.chain(found, old):
        assert found.get(path) in (old.get(path), new.get(path)), path
