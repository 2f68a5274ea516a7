"""A boot partition of FAT writes in order while a system's installer writes the menu there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.boot.proving import Record, programs
from tests.tools import need

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
        mount=f'echo "$2 $3" >>{told}\nexit {32 if refuses else 0}\n',
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
