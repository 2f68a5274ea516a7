"""What decides where a machine comes up and what it does then, read from a disk that is off.

    digest(left)    # the same for two moments: a machine that is made from one tells of both

That is each byte of the firmware's variables and of the boot partition, which may be in the middle
of a change, and of the root what lies in ``PLACES``: path, kind, mode, owner and content of each
file, once the file system's journal was replayed, as a kernel does it. Not: times, and what
``ASIDE`` names.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.vm.machine import Left

SECTOR = 512
#: Where the partitions begin, in sectors: from make-image.sh.
BOOT, ROOT = 2048, 329728
#: The menu and the environment of GRUB, the links, the homes, the store with its profiles and its
#: database, the records.
PLACES = ("/boot", "/etc", "/home", "/root", "/nix", "/usr/local", "/var/lib/workspace-tuning")
#: Parts of a path: caches, and notes of processes that a power cut ends.
ASIDE = ("/.cache/", "/nix/var/nix/temproots/", "/db.sqlite-shm", "/nix/var/nix/db/reserved")


def digest(left: Left) -> str:
    found = hashlib.sha256(left.variables.read_bytes())
    with tempfile.TemporaryDirectory() as name:
        for line in lines(left, Path(name)):
            found.update(line.encode(errors="surrogateescape") + b"\n")
    return found.hexdigest()


def lines(left: Left, directory: Path) -> list[str]:
    """A line for the boot partition, and for each file of the root. Uses an empty directory."""
    whole, boot, root = directory / "whole", directory / "boot", directory / "root"
    made = ("qemu-img", "convert", "-U", "-f", left.form, "-O", "raw")
    subprocess.run([*made, str(left.disk), str(whole)], check=True)
    _part(whole, BOOT, ROOT, boot)
    _part(whole, ROOT, os.path.getsize(whole) // SECTOR, root)
    with boot.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    return [f"boot partition {found}", *sorted(_on(root, directory / "files"))]


def _part(whole: Path, begin: int, end: int, part: Path) -> None:
    """Copy the sectors from ``begin`` to ``end``; what is a hole stays one."""
    first, last = begin * SECTOR, end * SECTOR
    with whole.open("rb") as source, part.open("wb") as made:
        one, other = source.fileno(), made.fileno()
        made.truncate(last - first)
        at = first
        with contextlib.suppress(OSError):  # no data comes any more
            while (at := os.lseek(one, at, os.SEEK_DATA)) < last:
                hole = min(os.lseek(one, at, os.SEEK_HOLE), last)
                while at < hole:
                    at += os.copy_file_range(one, other, hole - at, at, at - first)


def _on(root: Path, files: Path) -> Iterator[str]:
    journal = subprocess.run(
        ["e2fsck", "-E", "journal_only", "-y", str(root)], capture_output=True, check=False
    )
    assert journal.returncode in (0, 1), journal  # 1: corrected
    for place in PLACES:
        into = files / place[1:].replace("/", "-")
        into.mkdir(parents=True)
        done = subprocess.run(
            ["debugfs", "-R", f"rdump {place} {into}", str(root)], capture_output=True, check=False
        )
        assert done.returncode == 0, done
        yield from _files(into / place.rpartition("/")[2], place)


def _files(top: Path, name: str) -> Iterator[str]:
    for path in top.rglob("*"):
        shown = f"{name}/{path.relative_to(top)}"
        if any(part in shown for part in ASIDE):
            continue
        now = path.lstat()
        content = ""
        if path.is_symlink():
            content = os.readlink(path)
        elif path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        kind = stat.filemode(now.st_mode)
        yield f"{shown} {kind} {now.st_uid}:{now.st_gid} {content}"
