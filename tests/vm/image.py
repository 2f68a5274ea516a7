"""The disks of the machine: made once for each state of their recipe, and kept."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.tools import missing, need

PROJECT = Path(__file__).parents[2]
KEPT = PROJECT / ".tools/vm"
RECIPE = Path(__file__).with_name("make-image.sh")
#: What a disk is made of, beside Debian's packages.
PARTS = ("tests/vm/guest", "sandbox/nixpkgs", "sandbox/home-manager", "sandbox/base")
LOADERS = ("systemd-boot", "grub")
FIRMWARE = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")


@dataclass(frozen=True)
class Image:
    """A directory with a disk for each loader, the firmware's variables and the two keys."""

    directory: Path

    def disk(self, loader: str) -> Path:
        return self.directory / f"{loader}.img"

    @property
    def key(self) -> Path:
        return self.directory / "client"

    @property
    def host_key(self) -> str:
        return (self.directory / "host.pub").read_text()


def image() -> Image:
    """The disks, made first where they are missing: half a minute, or two with the packages."""
    for program in ("qemu-system-x86_64", "qemu-img", "mmdebstrap", "mcopy", "ssh", "ssh-keygen"):
        need(program)
    if not FIRMWARE.exists():
        missing(f"{FIRMWARE} is not installed: apt-get install ovmf")
    KEPT.mkdir(parents=True, exist_ok=True)
    directory = KEPT / digest()
    with (KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            if os.getuid() != 0:
                missing("the disks have files of several users: run the tests as root once")
            _make(directory)
    return Image(directory)


def digest() -> str:
    """A name for what the disks are made of."""
    found = hashlib.sha256(RECIPE.read_bytes())
    for part in PARTS:
        for path in sorted((PROJECT / part).rglob("*")):
            if path.is_file():
                found.update(f"{path.relative_to(PROJECT)}\0".encode() + path.read_bytes())
    return found.hexdigest()[:16]


def _make(directory: Path) -> None:
    packages = KEPT / f"packages-{hashlib.sha256(_packages().encode()).hexdigest()[:16]}.tar"
    new = directory.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    done = subprocess.run(
        ["sh", str(RECIPE), str(PROJECT), str(packages), str(new)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{RECIPE}: {done.stderr[-4000:]}"
    _forget(KEPT.glob("packages-*.tar"), keep=1)
    new.rename(directory)
    _forget((path for path in KEPT.iterdir() if path.is_dir()), keep=3)


def _packages() -> str:
    """The lines of the recipe that name Debian's packages."""
    lines = RECIPE.read_text().splitlines()
    return "\n".join(line for line in lines if line.startswith("packages="))


def _forget(paths: Iterable[Path], *, keep: int) -> None:
    """Remove all but the newest."""
    newest = sorted(paths, key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in newest[keep:]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
