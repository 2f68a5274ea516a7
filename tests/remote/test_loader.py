"""The loader's menu as a trial reads it: entries by their content, and the default entry."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.tools import need

OLD, NEW = "/nix/store/aaa-nixos-system-h-1", "/nix/store/bbb-nixos-system-h-2"
BOOTCTL = f"""\
         type: Boot Loader Specification Type #1 (.conf)
        title: NixOS (Generation 7 NixOS 25.11, built on 2026-11-01) (default) (selected)
           id: nixos-generation-7.conf
       source: /boot//loader/entries/nixos-generation-7+2-1.conf
     sort-key: nixos
      version: Generation 7 NixOS 25.11, built on 2026-11-01
        linux: /boot//EFI/nixos/k.efi
      options: init={OLD}/init loglevel=4

         type: Boot Loader Specification Type #1 (.conf)
        title: NixOS (Generation 8 NixOS 25.11, built on 2026-11-02)
           id: nixos-0f3c.conf
       source: /boot//loader/entries/nixos-0f3c+3.conf
      options: loglevel=4 init={NEW}/init zswap.enabled=0 init=/bin/sh

         type: Automatic
        title: Reboot Into Firmware Interface
           id: auto-reboot-to-firmware-setup
"""
GRUB = f"""\
search --set=drive1 --label nixos
if [ "${{next_entry}}" ]; then
  set default="${{next_entry}}"
  set next_entry=
  save_env next_entry
  set timeout=1
else
  set default=0
  set timeout=5
fi
function savedefault {{
  if [ -z "${{boot_once}}" ]; then
    save_env saved_entry
  fi
}}

menuentry "NixOS - Default" --class nixos --unrestricted {{
  linux ($drive1)//kernels/k init={OLD}/init loglevel=4
  initrd ($drive1)//kernels/i
}}

submenu "NixOS - All > none" --class submenu {{
menuentry "NixOS - Configuration 8 (2026-11-02 - 25.11)" --class nixos --unrestricted {{
  linux ($drive1)//kernels/k init={NEW}/init zswap.enabled=0 init=/bin/sh
}}
menuentry "NixOS - Configuration 7 (2026-11-01 - 25.11)" --class nixos --unrestricted {{
  linux ($drive1)//kernels/k init={OLD}/init loglevel=4
}}
}}
"""
PARTS = "".join((PROJECT / "converge/remote" / f"{n}.sh").read_text() for n in ("common", "loader"))


def sh(script: str, *arguments: str, root: Path | None = None, stdin: str = "") -> str:
    """Lines of shell behind the program's own functions."""
    return subprocess.run(
        [need("dash"), "-c", f"{PARTS}\n{script}", "loader", *arguments],
        input=stdin,
        env={"PATH": "/usr/bin:/bin:/usr/sbin", "HOME": "/nowhere", "ROOT": str(root or "")},
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()


def bootctl(script: str, *arguments: str) -> str:
    """The same where bootctl would answer so."""
    answer = "bootctl() { cat <<'END'\n" + BOOTCTL + "END\n}\nloader=systemd-boot\n"
    return sh(answer + script, *arguments)


def test_an_entry_of_systemd_boot_is_found_by_its_content_whatever_it_is_called() -> None:
    assert bootctl('entry_of "$1"', NEW) == "nixos-0f3c.conf"
    assert bootctl('entry_of "$1"', OLD) == "nixos-generation-7.conf"
    assert bootctl('entry_of "$1" || echo none', "/nix/store/ccc-other") == "none"


def test_the_default_of_systemd_boot_is_what_bootctl_says() -> None:
    assert bootctl('default_is "$1" && echo yes', OLD) == "yes"
    assert bootctl('default_is "$1" || echo no', NEW) == "no"


@pytest.mark.parametrize(
    ("mounted", "asked"), [("/boot", ""), ("/efi", ""), ("", ""), ("/boot/esp", "/boot/esp")]
)
def test_the_menu_is_that_of_the_partition_that_the_loader_came_from(
    tmp_path: Path, mounted: str, asked: str
) -> None:
    """bootctl looks at three places by itself; a NixOS may have the partition elsewhere."""
    variables = tmp_path / "sys/firmware/efi/efivars"
    variables.mkdir(parents=True)
    uuid = "9B39B4C4-c48b-4ebf-bfea-a56b2395b7e0"
    info = variables / "LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
    info.write_bytes(b"\7\0\0\0" + uuid.encode("utf-16-le"))
    script = 'findmnt() { [ "$4" = "PARTUUID=$part" ] && echo "$1"; }; bootctl() { echo "$@"; }'
    script = f"{script.replace('$part', uuid.lower()).replace('$1', mounted)}\nbootctl_list"
    expected = f"list --no-pager{f' --esp-path={asked}' if asked else ''}"
    assert sh(script, root=tmp_path) == expected


def test_a_menu_that_cannot_be_read_is_said_in_the_words_of_bootctl() -> None:
    script = "bootctl() { echo one; echo 'Failed to find the ESP' >&2; }; loader=systemd-boot\n"
    assert sh(f"{script}menu_trouble") == ": Failed to find the ESP"


@pytest.fixture
def boot(tmp_path: Path) -> Path:
    (tmp_path / "boot/grub").mkdir(parents=True)
    (tmp_path / "boot/grub/grub.cfg").write_text(GRUB)
    return tmp_path


def test_an_entry_of_grub_is_named_by_the_titles_on_the_way_to_it(boot: Path) -> None:
    need("grub-editenv")
    found = sh('find_loader; echo "$loader"; entry_of "$1"', NEW, root=boot)
    title = "NixOS - All >> none>NixOS - Configuration 8 (2026-11-02 - 25.11)"
    assert found.splitlines() == ["grub", title]


def test_a_menu_of_grub_that_begins_with_an_entry_is_read(boot: Path) -> None:
    need("grub-editenv")
    menu = boot / "boot/grub/grub.cfg"
    menu.write_text(f"# save_env next_entry\nset default=0\n{GRUB[GRUB.index('menuentry') :]}")
    assert sh('find_loader; default_is "$1" && echo yes || echo no', OLD, root=boot) == "yes"


@pytest.mark.parametrize(
    ("default", "says"), [("0", "yes"), ("1", "no"), ('"${saved_entry}"', "no"), ("7", "no")]
)
def test_the_default_of_grub_is_a_number_or_not_known(boot: Path, default: str, says: str) -> None:
    need("grub-editenv")
    menu = boot / "boot/grub/grub.cfg"
    menu.write_text(GRUB.replace("set default=0", f"set default={default}"))
    assert sh('find_loader; default_is "$1" && echo yes || echo no', OLD, root=boot) == says


def test_the_one_time_entry_is_written_by_grubs_own_program_and_taken_back(boot: Path) -> None:
    env = boot / "boot/grub/grubenv"
    editenv = need("grub-editenv")
    found = sh('find_loader; once "$(entry_of "$1")" && next_entry', NEW, root=boot)
    assert found.endswith("Configuration 8 (2026-11-02 - 25.11)")
    listed = subprocess.run([editenv, env, "list"], capture_output=True, text=True, check=True)
    assert listed.stdout == f"next_entry={found}\n"
    assert env.stat().st_size == 1024
    sh("find_loader; never", root=boot)
    listed = subprocess.run([editenv, env, "list"], capture_output=True, text=True, check=True)
    assert listed.stdout == ""


@pytest.mark.parametrize(
    ("kind", "stack", "says"),
    [
        ("ext4", "disk part ", "yes"),
        ("vfat", "part ", "yes"),
        ("btrfs", "disk part ", "no"),
        ("zfs", "", "no"),
        ("ext4", "disk lvm part ", "no"),
        ("ext4", "disk part raid1 ", "no"),
        ("ext4", "crypt disk part ", "no"),
        ("ext4", "", "no"),
        ("", "disk ", "no"),
    ],
)
def test_where_grub_cannot_write_nothing_is_booted_once(kind: str, stack: str, says: str) -> None:
    """GRUB could not clear the entry, and would boot a kernel that panics again and again."""
    assert sh('grub_writes "$1" "$2" && echo yes || echo no', kind, stack) == says


def test_a_menu_without_one_time_entries_and_another_loader_are_said(boot: Path) -> None:
    need("grub-editenv")
    menu = boot / "boot/grub/grub.cfg"
    menu.write_text(GRUB.replace("save_env next_entry", "true"))
    assert "does not take a one-time entry" in sh('find_loader || echo "$why"', root=boot)
    menu.unlink()
    assert "neither systemd-boot nor GRUB" in sh('find_loader || echo "$why"', root=boot)
    variables = boot / "sys/firmware/efi/efivars"
    variables.mkdir(parents=True)
    info = variables / "LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
    info.write_bytes(b"\7\0\0\0" + "Limine 9".encode("utf-16-le"))
    assert "Limine are not known here" in sh('find_loader || echo "$why"', root=boot)
