"""Every kind of boot menu is read from a tree of files: found, not found, or not known."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from converge.effect import Effect
from converge.proof.check import DENIED, Ask, Reply
from tests.proof import menus
from tests.proof.checks import IN_USE, judge
from tests.proof.menus import VARIANTS, mounted, put, type1, variable
from tests.proof.test_checks_wire import PROBES, one
from tests.tools import need

CHECKS = pytest.mark.parametrize("check", ["boot.menu", "before.boot-menu"])
KINDS = pytest.mark.parametrize("kind", VARIANTS)


def read(root: Path) -> Reply:
    reply = one(Ask("boot"), root=str(root))
    assert not reply.errors or reply.status, reply.errors
    return reply


def effect(root: Path, check: str = "boot.menu") -> Effect:
    return judge(check, {**IN_USE, "boot": read(root)}).effect


def as_nobody(root: Path) -> Reply:
    """What the probe answers to a user who is neither root nor the owner of the files."""
    for parent in (root, *root.parents):
        if parent.stat().st_uid == os.getuid() and len(parent.parts) > 2:
            parent.chmod(parent.stat().st_mode | 0o011)
    root.chmod(0o755)
    nobody = [need("setpriv"), "--reuid=65534", "--clear-groups"] if os.getuid() == 0 else []
    done = subprocess.run(
        [*nobody, need("dash"), "-c", PROBES, "probe", str(root), "99999", "framed", "boot"],
        env={**os.environ, "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=True,
    )
    output, status, errors = done.stdout.split()
    text = base64.b64decode(errors[1:]).decode()
    return Reply(status=int(status), output=base64.b64decode(output[1:]), errors=text)


@KINDS
@CHECKS
def test_a_menu_that_offers_what_is_kept_is_found(tmp_path: Path, kind: str, check: str) -> None:
    VARIANTS[kind](tmp_path, (42, 41))
    assert effect(tmp_path, check) is Effect.EFFECTIVE


@KINDS
@pytest.mark.parametrize("offered", [(42, 30), (41, 30), (3, 2, 1)])
def test_a_menu_without_a_kept_generation_is_not_found(
    tmp_path: Path, kind: str, offered: Sequence[int]
) -> None:
    VARIANTS[kind](tmp_path, offered)
    assert effect(tmp_path) is Effect.NOT_EFFECTIVE
    before = Effect.EFFECTIVE if 42 in offered else Effect.NOT_EFFECTIVE
    assert effect(tmp_path, "before.boot-menu") is before


@KINDS
@CHECKS
def test_a_partition_that_only_root_may_look_into_is_not_called_empty(
    tmp_path: Path, kind: str, check: str
) -> None:
    VARIANTS[kind](tmp_path, (42, 41))
    # /efi for root alone, as gpt-auto mounts it; /boot as NixOS' own manual says.
    closed = [path for path in tmp_path.iterdir() if path.name.startswith(("boot", "efi"))]
    for place in closed:
        place.chmod(0o700 if os.getuid() == 0 else 0)
    reply = as_nobody(tmp_path)
    for place in closed:
        place.chmod(0o755)
    assert reply.status == DENIED
    verdict = judge(check, {**IN_USE, "boot": reply})
    assert verdict.effect is Effect.UNKNOWN
    assert str(closed[0].name)[:3] in verdict.reason


@pytest.mark.parametrize("kind", [kind for kind in VARIANTS if "on /" not in kind])
def test_files_that_only_root_may_read_are_not_called_empty(tmp_path: Path, kind: str) -> None:
    VARIANTS[kind](tmp_path, (42, 41))
    for path in tmp_path.rglob("*"):
        if path.is_file():
            path.chmod(0o600 if os.getuid() == 0 else 0)
    verdict = judge("boot.menu", {**IN_USE, "boot": as_nobody(tmp_path)})
    assert verdict.effect is Effect.UNKNOWN, verdict


# ---- what a number is worth ----------------------------------------------------------------------


@pytest.mark.parametrize("place", ["boot", "efi"])
def test_a_number_of_an_earlier_installation_is_no_generation_of_this_one(
    tmp_path: Path, place: str
) -> None:
    put(tmp_path, f"{place}/loader/loader.conf", menus.CONF)
    put(tmp_path, f"{place}/EFI/nixos/k.efi")
    for number in (41, 42):
        text = type1(number, system=f"/nix/store/old-{number}")
        put(tmp_path, f"{place}/loader/entries/nixos-generation-{number}.conf", text)
    assert effect(tmp_path) is Effect.NOT_EFFECTIVE


def test_a_system_that_another_profile_boots_is_still_offered(tmp_path: Path) -> None:
    """``nixos-rebuild --profile-name``: the same store path stands under two names."""
    menus.systemd_boot(tmp_path, (42,))
    text = type1(7, title="NixOS [try]", system="/nix/store/system-41")
    put(tmp_path, "boot/loader/entries/nixos-try-generation-7.conf", text)
    assert effect(tmp_path) is Effect.EFFECTIVE


@pytest.mark.parametrize(
    "name", ["nixos-generation-41-specialisation-quiet.conf", f"nixos-{7:040x}.conf"]
)
def test_a_specialisation_is_found_by_its_generation(tmp_path: Path, name: str) -> None:
    menus.systemd_boot(tmp_path, (42,))
    text = type1(41, title="NixOS (quiet)", system="/nix/store/quiet")
    put(tmp_path, f"boot/loader/entries/{name}", text)
    assert effect(tmp_path) is Effect.EFFECTIVE


def test_stubs_of_another_profile_are_no_generations_of_the_system(tmp_path: Path) -> None:
    menus.lanzaboote(tmp_path, (42,))
    menus.lanzaboote(tmp_path, (30, 31), profile="try")
    assert effect(tmp_path) is Effect.NOT_EFFECTIVE


@pytest.mark.parametrize("kind", ["systemd-boot by hash", "lanzaboote"])
def test_an_entry_whose_kernel_is_gone_is_not_offered(tmp_path: Path, kind: str) -> None:
    VARIANTS[kind](tmp_path, (42, 41))
    shutil.rmtree(tmp_path / "boot/EFI/nixos")
    assert effect(tmp_path) is Effect.NOT_EFFECTIVE


@pytest.mark.parametrize("cut", [3, 100, 700, 5000, 190_000])
def test_an_image_that_was_cut_off_is_no_proof(tmp_path: Path, cut: int) -> None:
    menus.unified(tmp_path, (42, 41))
    for path in (tmp_path / "boot/EFI/Linux").iterdir():
        path.write_bytes(path.read_bytes()[:cut])
    assert effect(tmp_path) is not Effect.EFFECTIVE


def test_words_in_the_code_of_an_image_are_no_sections(tmp_path: Path) -> None:
    menus.unified(tmp_path, (42,))
    assert "system-99" not in read(tmp_path).text
    assert "Generation 99" not in read(tmp_path).text


# ---- several menus -------------------------------------------------------------------------------

ONE, TWO = "0f0e0d0c-0000-4000-8000-000000000001", "0f0e0d0c-0000-4000-8000-000000000002"


@pytest.mark.parametrize(
    ("started", "verdict"),
    [(ONE, Effect.EFFECTIVE), (TWO, Effect.NOT_EFFECTIVE), ("", Effect.UNKNOWN)],
)
def test_of_two_partitions_with_a_loader_the_one_that_started_counts(
    tmp_path: Path, started: str, verdict: Effect
) -> None:
    menus.systemd_boot(tmp_path, (42, 41), place="boot")
    menus.systemd_boot(tmp_path, (7, 8), place="efi")
    mounted(tmp_path, ("/boot", ONE, menus.ESP), ("/efi", TWO, menus.ESP))
    if started:
        variable(tmp_path, "LoaderInfo", "systemd-boot 258.2")
        variable(tmp_path, "LoaderDevicePartUUID", started.upper())
    assert effect(tmp_path) is verdict


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [(menus.XBOOTLDR, Effect.EFFECTIVE), (menus.ESP, Effect.NOT_EFFECTIVE)],
)
def test_only_an_extended_partition_adds_entries_to_the_loaders_own(
    tmp_path: Path, kind: str, verdict: Effect
) -> None:
    menus.systemd_boot(tmp_path, (42, 41), place="efi", entries="boot")
    mounted(tmp_path, ("/efi", ONE, menus.ESP), ("/boot", TWO, kind))
    assert effect(tmp_path) is verdict


def test_a_partition_that_is_mounted_elsewhere_is_found(tmp_path: Path) -> None:
    menus.systemd_boot(tmp_path, (42, 41), place="mnt/esp")
    mounted(tmp_path, ("/mnt/esp", ONE, menus.ESP))
    assert effect(tmp_path) is Effect.EFFECTIVE


@pytest.mark.parametrize(
    ("info", "verdict"),
    [
        ("systemd-boot 258.2", Effect.EFFECTIVE),
        ("GRUB 2.12", Effect.NOT_EFFECTIVE),
        ("Limine 10.2.0", Effect.UNKNOWN),  # it started this system, and its menu is nowhere
        ("ZFSBootMenu 3.0", Effect.UNKNOWN),
        ("", Effect.UNKNOWN),  # GRUB before 2.12 does not say who it is
    ],
)
def test_a_menu_that_another_loader_left_behind_does_not_count(
    tmp_path: Path, info: str, verdict: Effect
) -> None:
    menus.systemd_boot(tmp_path, (42, 41))
    menus.grub(tmp_path, (3, 2))
    if info:
        variable(tmp_path, "LoaderInfo", info)
    found = judge("boot.menu", {**IN_USE, "boot": read(tmp_path)})
    assert found.effect is verdict
    if not info:
        assert "nothing says which of these menus starts this machine" in found.reason


def test_a_mirror_that_was_not_written_is_said(tmp_path: Path) -> None:
    menus.grub(tmp_path, (42, 41), places=("boot1",))
    menus.grub(tmp_path, (40, 39), places=("boot2",))
    found = judge("boot.menu", {**IN_USE, "boot": read(tmp_path)})
    assert found.effect is Effect.UNKNOWN
    assert re.search(r"boot1/grub/grub.cfg, .*boot2/grub/grub.cfg", found.reason)


def test_a_menu_in_reach_beside_a_closed_partition_leaves_a_doubt(tmp_path: Path) -> None:
    menus.grub(tmp_path, (3, 2))
    closed = tmp_path / "efi"
    menus.systemd_boot(tmp_path, (42, 41), place="efi")
    closed.chmod(0o700 if os.getuid() == 0 else 0)
    reply = as_nobody(tmp_path)
    closed.chmod(0o755)
    found = judge("boot.menu", {**IN_USE, "boot": reply})
    assert (found.effect, "cannot be read" in found.reason) == (Effect.UNKNOWN, True)


# ---- how long it waits ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("0", Effect.NOT_EFFECTIVE),
        ("7", Effect.EFFECTIVE),
        ("menu-force", Effect.EFFECTIVE),
        ("menu-hidden", Effect.NOT_EFFECTIVE),
    ],
)
def test_a_timeout_that_was_set_in_the_menu_comes_before_the_file(
    tmp_path: Path, text: str, verdict: Effect
) -> None:
    menus.systemd_boot(tmp_path, (42, 41))
    variable(tmp_path, "LoaderInfo", "systemd-boot 258.2")
    variable(tmp_path, "LoaderConfigTimeout", text)
    assert effect(tmp_path) is verdict


@pytest.mark.parametrize(
    ("kind", "path", "never"),
    [
        ("Limine", "boot/limine/limine.conf", ("timeout: 5", "timeout: 0")),
        ("Limine before 8", "boot/limine/limine.cfg", ("TIMEOUT=5", "TIMEOUT=0")),
        ("rEFInd", "boot/EFI/refind/refind.conf", ("timeout 5", "timeout -1")),
        ("extlinux", "boot/extlinux/extlinux.conf", ("TIMEOUT 50", "TIMEOUT -10")),
        ("GRUB", "boot/grub/grub.cfg", ("timeout=5", "timeout=0")),
    ],
)
def test_a_menu_that_never_shows_offers_nothing(
    tmp_path: Path, kind: str, path: str, never: tuple[str, str]
) -> None:
    VARIANTS[kind](tmp_path, (42, 41))
    file = tmp_path / path
    file.write_text(file.read_text().replace(*never, 1))
    found = judge("boot.menu", {**IN_USE, "boot": read(tmp_path)})
    assert (found.effect, "never shows" in found.reason) == (Effect.NOT_EFFECTIVE, True)
