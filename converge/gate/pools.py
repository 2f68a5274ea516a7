"""The disks of the system. In: mounts and block devices of a machine. Out: its whole disks.

A file system may lie on a partition of an array of partitions, on a volume on an encrypted device,
or on a pool of several disks. This module follows all of them down to the whole disks.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from converge.gate.machine import BlockDevice
from converge.gate.rows import Rows

#: Groups of mount points of a system. The first group with a mount that leads to a disk counts: on
#: ostree the root is an overlay; where the root is in memory, the system is in /nix.
_POINTS = (("/sysroot",), ("/", "/nix", "/nix/store"), ("/var",))
_DEPTH = 12
#: File systems on the one block device that their mount names.
_ON_ONE = frozenset(("ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "jfs", "nilfs2", "reiserfs"))
_ON_SEVERAL = frozenset(("zfs", "bcachefs"))
#: Names of a device that the kernel did not give: they do not say which device it is.
_ANOTHER_NAME = re.compile(r"/dev/root|/dev/disk/by-[a-z]+/.+|(?:PART)?(?:UUID|LABEL)=.+")


def system_disks(rows: Rows, disks: Mapping[str, BlockDevice]) -> tuple[BlockDevice, ...]:
    """Return the disks of the system, sorted by name; where the mounts do not lead to a disk, the
    only fixed disk of the machine; else nothing. ``rows``: lines of ``detect.sh`` by their key."""
    below = _below(rows)
    mounts = {row[0]: row for row in rows.get("mount", ()) if len(row) >= 3}
    for points in _POINTS:
        found = {
            disk
            for point in points
            if point in mounts
            for name in _sources(mounts[point], rows)
            for disk in _down(name, below, disks)
        }
        if found:
            return tuple(disks[name] for name in sorted(found))
    # A mount may name its device by a name of udev's that no other line explains: then the only
    # disk is meant. A root in memory, in a file, on the network or on a device that leads to no
    # disk is not on a disk of this machine.
    mounted = [mounts[point] for points in _POINTS for point in points if point in mounts]
    if not mounted or not all(_nameless(mount, rows, below) for mount in mounted):
        return ()
    fixed = [disk for disk in disks.values() if not disk.removable]
    return (fixed[0],) if len(fixed) == 1 else ()


def _nameless(mount: Sequence[str], rows: Rows, below: Mapping[str, set[str]]) -> bool:
    """Say whether a file system is on a disk of this machine, but no line tells on which."""
    kind, source = mount[1], mount[2]
    if kind == "zfs":
        return not any(row[1:2] == ["zfs_member"] for row in rows.get("member", ()))
    local = kind in _ON_ONE | _ON_SEVERAL and _ANOTHER_NAME.fullmatch(source)
    return bool(local) and not below.keys() & set(_sources(mount, rows))


def _below(rows: Rows) -> Mapping[str, set[str]]:
    """Return, for each block device, the devices that it lies on."""
    below: dict[str, set[str]] = defaultdict(set)
    for row in rows.get("part", ()):
        if len(row) >= 2:
            below[row[0]].add(row[1])
    for row in rows.get("dm", ()):
        if len(row) >= 3:
            below[row[0]].add(row[2])
    return below


def _sources(mount: Sequence[str], rows: Rows) -> Iterator[str]:
    """Yield the block devices that a mounted file system names, or is spread over."""
    kind, source, number = mount[1], _plain(mount[2]), mount[3] if len(mount) > 3 else ""
    devices = {row[1]: row[0] for row in rows.get("dev", ()) if len(row) >= 2}
    mapped = {row[1]: row[0] for row in rows.get("dm", ()) if len(row) >= 3}
    members = [(*row, "", "", "")[:4] for row in rows.get("member", ()) if row]
    if kind == "zfs":
        pool = source.partition("/")[0]
        yield from (name for name, fs, _, label in members if (fs, label) == ("zfs_member", pool))
        return
    names = []
    for one in source.split(":"):  # bcachefs names every device
        name = one.removeprefix("/dev/").removeprefix("mapper/").removeprefix("md/")
        names.append(mapped.get(name, name))
    if number in devices:
        names.append(devices[number])
    said = re.sub(r"^/dev/disk/by-(uuid|label)/", lambda found: f"{found[1].upper()}=", source)
    names += [
        name
        for name, fs, uuid, label in members
        if fs == kind and said in {f"UUID={uuid}", f"LABEL={label}"}
    ]
    yield from names
    own = {uuid for name, fs, uuid, _ in members if name in names and fs == kind and uuid}
    own |= {names[0].upper(), names[0].lower(), names[0]} if kind == "bcachefs" else set()
    yield from (name for name, fs, uuid, _ in members if fs == kind and uuid in own)


def _plain(source: str) -> str:
    """Undo the escapes that mountinfo (octal) and udev (hexadecimal) write for blanks."""
    plain = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), source)
    return re.sub(r"\\x([0-9a-f]{2})", lambda digits: chr(int(digits[1], 16)), plain)


def _down(name: str, below: Mapping[str, set[str]], disks: Mapping[str, BlockDevice]) -> set[str]:
    """Return the names of the whole disks below a block device."""
    found, level = set(), {name}
    for _ in range(_DEPTH):
        found |= level & disks.keys()
        level = {lower for one in level - disks.keys() for lower in below.get(one, ())}
        if not level:
            break
    return found
