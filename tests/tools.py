"""Real programs that tests need. On a machine without one the test is skipped by name; in CI, where
all of them are installed, a missing one is a failure."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

_HOW = {
    "nix": "apt-get install nix-bin, or https://nixos.org/download",
    "chezmoi": "make tools",
    "nixpkgs-fmt": "make tools",
    "sd-switch": "make tools",
    "cargo": "https://rustup.rs",
    "kreadconfig": "apt-get install libkf5config-bin (or libkf6config-bin)",
    "kwriteconfig": "apt-get install libkf5config-bin (or libkf6config-bin)",
    "sshd": "apt-get install openssh-server",
    "sudo": "apt-get install sudo",
    "dash": "apt-get install dash",
    "shellcheck": "apt-get install shellcheck",
    "strace": "apt-get install strace",
    "chromium": "apt-get install chromium",
    "qemu-system-x86_64": "apt-get install qemu-system-x86",
    "qemu-img": "apt-get install qemu-utils",
    "mmdebstrap": "apt-get install mmdebstrap debian-archive-keyring",
    "mcopy": "apt-get install mtools dosfstools",
    "ssh": "apt-get install openssh-client",
    "grub-editenv": "apt-get install grub-common",
    "zsh": "apt-get install zsh",
    "fish": "apt-get install fish",
    "unshare": "apt-get install util-linux",
    "nsenter": "apt-get install util-linux",
}
_NAMES = {
    "kreadconfig": ("kreadconfig6", "kreadconfig5"),
    "kwriteconfig": ("kwriteconfig6", "kwriteconfig5"),
}


def find(name: str) -> str | None:
    """The path of a program, or None. ``CHEZMOI`` and the like name one that is not on PATH."""
    named = os.environ.get(name.upper().replace("-", "_"))
    if named and os.access(named, os.X_OK):
        return named
    for one in _NAMES.get(name, (name,)):
        found = shutil.which(one, path=f"{os.environ['PATH']}:.tools/bin:/usr/sbin:/sbin")
        if found:
            return os.path.abspath(found)
    return None


def need(name: str) -> str:
    """The path of a program that the test cannot do without."""
    found = find(name)
    if found:
        return found
    missing(f"{name} is not installed: {_HOW.get(name, 'see .ci/run')}")


def path_without(name: str, path: str, place: Path) -> str:
    """``path`` (as in PATH) without one program: where a directory has it, ``place`` has links to
    all its other programs."""
    kept: list[str] = []
    for at, directory in enumerate(path.split(os.pathsep)):
        if not os.path.lexists(os.path.join(directory, name)):
            kept.append(directory)
            continue
        others = place / str(at)
        others.mkdir(parents=True)
        for one in Path(directory).absolute().iterdir():
            if one.name != name:
                (others / one.name).symlink_to(one)
        kept.append(str(others))
    return os.pathsep.join(kept)


def missing(text: str) -> NoReturn:
    """Skip with a reason; fail where everything has to be there."""
    if os.environ.get("CI"):
        pytest.fail(text)
    pytest.skip(text)
