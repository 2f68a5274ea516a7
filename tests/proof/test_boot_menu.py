"""The boot menu as the loader reads it: what each loader offers, and when this is not known."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from converge.effect import Effect
from converge.proof.check import ABSENT, Ask
from converge.subjects.workspace.boot_menu import boot_menu
from tasks.reach.remote import PROGRAMS
from tasks.reach.remote import text as text_of
from tests.proof.checks import IN_USE, judge
from tests.proof.menus import pe
from tests.proof.test_checks_wire import one
from tests.tools import need

COMMON = PROGRAMS / "probes/common.sh"
HASH = "nixos-3f1c2a9d7e5b48c0a6f4d2e1b7c8093a5d6e4f2b"


def grown(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def entry(number: int, *, title: str = "NixOS", kernel: str = "/EFI/nixos/k.efi") -> str:
    version = f"Generation {number} NixOS Yarara 26.11, Linux Kernel 6.18.3, Built on 2026-11-20"
    return f"title {title}\nsort-key nixos\nversion {version}\nlinux {kernel}\noptions init=/x\n"


def menu_of(root: Path, place: str, **entries: str):  # type: ignore[no-untyped-def]
    files = {f"{place}/loader/entries/{name}": text for name, text in entries.items()}
    conf = {f"{place}/loader/loader.conf": "timeout 5\n", f"{place}/EFI/nixos/k.efi": "kernel"}
    reply = one(Ask("boot"), root=str(grown(root, **conf, **files)))
    assert (reply.status, reply.errors) == (0, "")
    return boot_menu(reply.text)


@pytest.mark.parametrize("place", ["boot", "efi", "boot/efi"])
@pytest.mark.parametrize(
    "names",
    [
        ("nixos-generation-41.conf", "nixos-generation-42.conf"),
        (f"{HASH}.conf", f"{HASH[:-1]}0.conf"),
        (f"{HASH}+3.conf", f"{HASH[:-1]}0+2-1.conf"),
        ("nixos-generation-41+0-3.conf", "nixos-generation-42-specialisation-quiet.conf"),
    ],
)
def test_entries_of_systemd_boot_are_known_by_their_content(
    tmp_path: Path, place: str, names: tuple[str, str]
) -> None:
    menu = menu_of(tmp_path, place, **{names[0]: entry(41), names[1]: entry(42)})
    assert (menu.loader, menu.timeout, menu.doubt(())) == ("systemd-boot", 5, "")
    assert menu.generations == {41, 42}


def test_entries_of_others_are_no_generations_of_the_system(tmp_path: Path) -> None:
    menu = menu_of(
        tmp_path,
        "boot",
        **{
            f"{HASH}.conf": entry(42),
            f"{HASH[:-1]}0.conf": entry(7, title="NixOS [try]"),
            "nixos-try-generation-8.conf": entry(8),
            "windows.conf": "title Windows\nefi /EFI/nixos/k.efi\n",
            f"{HASH[:-1]}1.conf": entry(9, kernel="/EFI/nixos/collected.efi"),
        },
    )
    assert (menu.generations, menu.doubt(())) == ({42}, "")


def test_entries_of_the_extended_partition_and_images_are_offered_too(tmp_path: Path) -> None:
    image = pe([(".osrel", b"VERSION_ID=Generation 43, 2026-11-25\n")])
    path = tmp_path / "efi/EFI/Linux/nixos-abc.efi"
    path.parent.mkdir(parents=True)
    path.write_bytes(image)
    (path.parent / "nixos-generation-44-xyz.efi").write_bytes(b"MZ Generation 44, 2026")
    grown(tmp_path, **{"efi/loader/loader.conf": "timeout menu-force\n", "boot/k": ""})
    grown(tmp_path, **{f"boot/loader/entries/{HASH}.conf": entry(42, kernel="/k")})
    menu = boot_menu(one(Ask("boot"), root=str(tmp_path)).text)
    assert (menu.timeout, menu.generations) == (-1, {42, 43, 44})


LIMINE = """timeout: 3
/+NixOS
//+default profile
///Generation 42
    comment: x
///Generation 41
//+profile 'try'
///Generation 9
/Windows
"""


def test_limine_offers_the_generations_of_the_system(tmp_path: Path) -> None:
    grown(tmp_path, **{"boot/limine/limine.conf": LIMINE})
    menu = boot_menu(one(Ask("boot"), root=str(tmp_path)).text)
    assert (menu.loader, menu.timeout, menu.generations) == ("Limine", 3, {41, 42})


def test_the_loader_that_started_the_system_counts_and_not_an_old_one(tmp_path: Path) -> None:
    variable = "sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
    grown(tmp_path, **{"boot/grub/grub.cfg": "set timeout=5\n", variable: "systemd-boot 258"})
    menu = menu_of(tmp_path, "boot", **{f"{HASH}.conf": entry(42)})
    assert (menu.loader, menu.generations) == ("systemd-boot", {42})


def test_no_menu_anywhere_is_absent_and_names_the_loaders(tmp_path: Path) -> None:
    (tmp_path / "boot").mkdir()
    reply = one(Ask("boot"), root=str(tmp_path))
    assert reply.status == ABSENT
    assert "no menu of GRUB, systemd-boot, Limine" in reply.errors


NAMELESS = f"entry {HASH}.conf\nentry {HASH[:-1]}0.conf\n"


@pytest.mark.parametrize("setting", ["boot.menu", "before.boot-menu"])
@pytest.mark.parametrize(
    ("body", "effect"),
    [
        (NAMELESS, Effect.UNKNOWN),  # their content could not be read
        ("unreadable /boot/loader/entries\n", Effect.UNKNOWN),
        ("entry windows.conf\ntext title Windows\n", Effect.NOT_EFFECTIVE),
        ("", Effect.NOT_EFFECTIVE),
        (
            f"entry {HASH}.conf\ntext version Generation 41 x\n"
            f"entry {HASH[:-1]}0.conf\ntext version Generation 42 x\n",
            Effect.EFFECTIVE,
        ),
    ],
)
def test_what_cannot_be_told_is_never_called_not_offered(
    setting: str, body: str, effect: Effect
) -> None:
    boot = f"loader systemd-boot\nconf timeout 5\n{body}"
    assert judge(setting, {**IN_USE, "boot": boot}).effect is effect


def test_root_is_not_asked_for_what_can_be_seen_not_to_be_there(tmp_path: Path) -> None:
    """Each question is a line in root's log, and takes seconds on a slow machine."""
    asked = tmp_path / "asked"
    text = f"""
        may_sudo=sudo
        as_root() {{ echo "$3" >>"{asked}"; }}
        exists /boot/no/such/file && echo there
        hidden() {{ :; }}
        exists /boot/no/such/file && echo there
    """
    shell = [need("dash"), "-c", text_of(COMMON) + text, "probe", "", "0"]
    done = subprocess.run(shell, capture_output=True, text=True, check=True)
    assert (done.stdout, asked.read_text()) == ("there\n", "/boot/no/such/file\n")
