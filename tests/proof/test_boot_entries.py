"""Boot entries that loaders read and that NixOS writes otherwise: line ends, profiles, includes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from converge.effect import Effect
from tests.proof import menus
from tests.proof.menus import put
from tests.proof.test_boot_menus import effect


def _rewritten(root: Path, change: Callable[[bytes], bytes]) -> Path:
    menus.systemd_boot(root, (42, 41))
    for path in (*(root / "boot/loader/entries").iterdir(), root / "boot/loader/loader.conf"):
        path.write_bytes(change(path.read_bytes()))
    return root


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.rstrip(b"\n"),
        lambda text: text.replace(b"linux /EFI/nixos/k.efi", rb"linux \EFI\nixos\k.efi"),
        lambda text: text.replace(b" ", b"\t", 1),
        lambda text: text + b"architecture x64\n",
        lambda text: text + b"# " + b"x" * 100_000 + b"\n",
    ],
    ids=("crlf", "no-newline", "backslash", "tab", "architecture", "long"),
)
def test_an_entry_that_the_loader_can_read_is_read(
    tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    assert effect(_rewritten(tmp_path, change)) is Effect.EFFECTIVE


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + b"architecture AA64\n",
        lambda text: text.replace(b"linux /EFI", b"devicetree /EFI"),
        lambda text: text.replace(b"options ", b"#options ").replace(b"Generation", b"Version"),
    ],
    ids=("another-processor", "nothing-to-load", "a-comment"),
)
def test_an_entry_that_the_loader_does_not_show_is_not_offered(
    tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    assert effect(_rewritten(tmp_path, change)) is not Effect.EFFECTIVE


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ([(".profile", 41), (".profile", 42)], Effect.EFFECTIVE),
        ([("", 42), (".profile", 0), (".profile", 41)], Effect.EFFECTIVE),
        ([("", 42), (".profile", 41), (".profile", 30)], Effect.NOT_EFFECTIVE),
    ],
)
def test_each_profile_of_an_image_is_an_entry(
    tmp_path: Path, sections: Sequence[tuple[str, int]], expected: Effect
) -> None:
    """A number stands for a command line of that generation, behind the mark of its profile."""
    put(tmp_path, "boot/loader/loader.conf", menus.CONF)
    osrel = b'ID=nixos\nPRETTY_NAME="NixOS 26.11 (Yarara)"\nVERSION_ID="26.11"\n'
    image = [menus.CODE, (".osrel", osrel), (".linux", b"MZ" + b"\x90" * 50_000)]
    for count, (mark, number) in enumerate(sections):
        if mark:
            image.append((mark, f"ID=p{count}\nTITLE=One\n".encode()))
        if number:
            image.append((".cmdline", menus.init(number).encode()))
    put(tmp_path, "boot/EFI/Linux/image.efi", menus.pe(image))
    assert effect(tmp_path) is expected


def test_a_file_that_refind_includes_leaves_a_doubt(tmp_path: Path) -> None:
    put(tmp_path, "boot/EFI/refind/refind.conf", "timeout 5\ninclude generations.conf\n")
    assert effect(tmp_path) is Effect.UNKNOWN
