"""A boot partition of FAT writes in order while a system's installer writes the menu there."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.boot.proving import FUNCTIONS, Record, programs
from tests.sshd import wait_for
from tests.tools import missing, need

LOADERS = "sys/firmware/efi/efivars/LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
UUID = "0b5a6c1e-7d5f-4b0a-9a51-0f6a2d3c4e5f"
#: It answers only what the real one would be asked.
_REFUSES = """\
wrong=$({real} "$@" 2>&1 >/dev/null)
[ -z "$wrong" ] || exit 1
cat <<'END'
{mounted}
END
"""
DONE = ["remount,sync /boot", "installer boot", "remount,async /boot"]


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record(tmp_path / "runs")


def said(record: Record, mounted: str, *, ends: int = 0, refuses: bool = False) -> list[str]:
    """What mount and the installer were called with, in order, and how ``install_menu`` ends.
    ``mounted``: the answer of findmnt for FAT."""
    told = record.runs / "told"
    told.unlink(missing_ok=True)
    system = record.runs / "system"
    system.mkdir(exist_ok=True)
    programs(system / "bin", switch_to_configuration=f'echo "installer $1" >>{told}; exit {ends}\n')
    path = programs(
        record.runs / "bin",
        findmnt=_REFUSES.format(real=need("findmnt"), mounted=mounted),
        mount=f'echo "$4 $5" >>{told}\nexit {32 if refuses else 0}\n',
    )
    code = record.sh(f'install_menu "{system}" boot; say "$?"', path=path, root=str(record.runs))
    assert code == str(ends)
    return told.read_text().splitlines()


def test_the_menu_is_written_in_order_and_the_partition_is_as_before_then(record: Record) -> None:
    assert said(record, f"/boot rw,relatime,umask=0077 {UUID}") == DONE


@pytest.mark.parametrize("code", [1, 4])
def test_an_installer_that_fails_is_told_and_the_partition_is_as_before(
    record: Record, code: int
) -> None:
    assert said(record, f"/boot rw,relatime {UUID}", ends=code) == DONE


@pytest.mark.parametrize(
    "mounted",
    [
        "",
        f"/boot ro,relatime {UUID}",
        f"/boot rw,sync,relatime {UUID}",
        f"/media/stick rw,relatime {UUID}",
        f"/bootleg rw,relatime {UUID}",
        f"/boots/1 rw,relatime {UUID}",
        f"/boot/a\\x20b rw,relatime {UUID}",
        "/media/stick rw,relatime",
    ],
)
def test_what_is_no_boot_partition_or_is_in_order_already_is_left(
    record: Record, mounted: str
) -> None:
    assert said(record, mounted) == ["installer boot"]


def test_each_partition_of_the_loader_writes_in_order_wherever_it_is_mounted(
    record: Record,
) -> None:
    variable = record.runs / LOADERS
    variable.parent.mkdir(parents=True)
    variable.write_bytes(b"\7\0\0\0" + f"{UUID.upper()}\0".encode("utf-16-le"))
    other = "11111111-2222-3333-4444-555555555555"
    lines = (f"/esp rw,relatime {UUID}", f"/efi rw {other}", f"/media/stick rw {other}")
    assert said(record, "\n".join(lines)) == [
        *("remount,sync /esp", "remount,sync /efi"),
        "installer boot",
        *("remount,async /esp", "remount,async /efi"),
    ]


def test_where_it_cannot_write_in_order_the_menu_is_written_all_the_same(record: Record) -> None:
    assert said(record, f"/boot rw {UUID}", refuses=True) == DONE[:2]


@pytest.mark.parametrize("place", ["/boot1", "/boot-fallback", "/boot2/efi"])
def test_a_copy_of_grubs_menu_is_written_in_order_too(record: Record, place: str) -> None:
    """``boot.loader.grub.mirroredBoots`` of NixOS."""
    at = [line.replace("/boot", place) for line in DONE]
    assert said(record, f"{place} rw,relatime {UUID}") == at


@pytest.mark.parametrize("ends", [0, 1])
@pytest.mark.parametrize("mounted", ["", f"/boot rw {UUID}"])
def test_the_menu_is_on_the_disk_before_anything_relies_on_it(
    record: Record, mounted: str, ends: int
) -> None:
    """``install-grub.pl`` of NixOS renames files that it has not synced, on any file system."""
    told, boot = record.runs / "told", record.runs / "boot"
    boot.mkdir()
    programs(record.runs / "bin", sync=f'echo "sync $*" >>{told}\n')
    synced = ["installer boot", f"sync -f -- {boot}"]
    assert said(record, mounted, ends=ends) == ([DONE[0], *synced, DONE[2]] if mounted else synced)


#: sh: a partition of the loader is mounted at $1 with other options than fstab has, and is written.
MOUNTED = """\
mount -t tmpfs -o rw,nosuid,nodev esp "$1"
findmnt() { echo "$at $(command findmnt -nro OPTIONS "$at") $id"; }
at=$1 id=$2
findmnt
install_menu "$3" boot
say "$?"
findmnt
"""


def test_what_else_fstab_says_of_the_partition_is_not_taken_over(record: Record) -> None:
    """A partition that is read-only in fstab was made writable by somebody for the installer."""
    if os.getuid():
        missing("needs root, to mount")
    variable = record.runs / LOADERS
    variable.parent.mkdir(parents=True)
    variable.write_bytes(b"\7\0\0\0" + f"{UUID}\0".encode("utf-16-le"))
    at = record.runs / "esp"
    at.mkdir()
    fstab = record.runs / "fstab"
    fstab.write_text(f"esp {at} tmpfs ro,noexec 0 0\n")
    system = record.runs / "system"
    system.mkdir()
    programs(
        system / "bin",
        switch_to_configuration=f'findmnt -nro OPTIONS {at} && echo written >"{at}/loader.conf"\n',
    )
    done = subprocess.run(
        [
            *("unshare", "-m", need("dash"), "-c", f"{FUNCTIONS}\nset -- $3 $4 $5\n{MOUNTED}"),
            *("x", "x", str(record.transaction), str(at), UUID, str(system)),
        ],
        env={**os.environ, "ROOT": str(record.runs), "LIBMOUNT_FSTAB": str(fstab)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    before, within, code, after = done.stdout.splitlines()
    assert within.split(",") == [*before.split()[1].split(",")[:4], "sync"], done.stderr
    assert (code, after) == ("0", before)


@pytest.mark.parametrize("runs", [False, True])
def test_an_installer_that_was_cut_off_does_not_stop_the_next_one(
    record: Record, tmp_path: Path, runs: bool
) -> None:
    """NixOS' makes ``loader/loader.tmp`` only where there is none. One that runs has it open."""
    variable = record.runs / LOADERS
    variable.parent.mkdir(parents=True)
    variable.write_bytes(b"\7\0\0\0" + f"{UUID}\0".encode("utf-16-le"))
    begun = tmp_path / "esp/loader/loader.tmp"
    begun.parent.mkdir(parents=True)
    with begun.open("w") as one:
        if not runs:
            one.close()
        # The process that was killed had set it to sync.
        assert said(record, f"{tmp_path}/esp rw,sync {UUID}") == ["installer boot"]
    assert begun.exists() is runs


def test_a_rollback_that_stops_the_installer_leaves_the_partition_as_before(
    record: Record, tmp_path: Path
) -> None:
    """The unit of a trial is stopped with all its processes."""
    told = tmp_path / "told"
    (record.runs / "system").mkdir()
    programs(
        record.runs / "system/bin",
        switch_to_configuration=f"echo installer >>{told}\nexec sleep 60\n",
    )
    path = programs(
        record.runs / "bin",
        findmnt=f"echo /boot rw {UUID}\n",
        mount=f'echo "$4 $5" >>{told}\n',
    )
    script = f"{FUNCTIONS}\ninstall_menu {record.runs}/system boot; echo went on >>{told}"
    unit = subprocess.Popen(
        [need("dash"), "-c", script, "x", "x", str(record.transaction)],
        env={**os.environ, "PATH": f"{path}:{os.environ['PATH']}", "ROOT": str(record.runs)},
        start_new_session=True,
    )
    wait_for(lambda: told.exists() and "installer" in told.read_text(), "the installer")
    os.killpg(unit.pid, signal.SIGTERM)
    assert unit.wait(timeout=60) == -signal.SIGTERM
    assert told.read_text().splitlines() == [DONE[0], "installer", DONE[2]]
