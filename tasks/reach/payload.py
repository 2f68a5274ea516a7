"""Pack what a program of the workspace unpacks: a tar.gz, in base64.

For ``remote/write.sh`` that is a manifest and the new bytes of the changed files."""

from __future__ import annotations

import base64
import gzip
import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from converge.kde.back import encode
from converge.plan.plan import Change, digest

#: Changes, and staged files that a killed run left.
Changes = tuple[Iterable[Change], Iterable[str]]
PRIVATE = (".config", ".local", ".local/share", ".local/state")  # made with mode 0700


def directories(paths: Iterable[str], home: str) -> Iterator[tuple[str, str]]:
    """Mode and path of each directory that the files need, parents first."""
    found: dict[str, str] = {}
    for path in paths:
        for parent in reversed(PurePosixPath(path).parents):
            text = str(parent)
            if text in ("/", home) or home.startswith(f"{text}/"):
                continue
            private = text.startswith(f"{home}/") and text[len(home) + 1 :] in PRIVATE
            found[text] = "700" if private else "755"
    return ((mode, path) for path, mode in found.items())


def pack(
    changes: Iterable[Change],
    *,
    home: str,
    sweep: Iterable[str] = (),
) -> str:
    """The standard input of ``remote/write.sh`` for these changes."""
    return _private(_members(changes, home=home, sweep=sweep))


def pack_both(user: Changes, root: Changes, *, home: str) -> str:
    """The same for the user and for root, in the directories ``user`` and ``root``. Equal files lie
    side by side, where gzip packs the second one to almost nothing."""
    parts = {"user": _members(*user, home=home), "root": _members(*root, home=home)}
    members = {f"{of}/{name}": data for of, part in parts.items() for name, data in part.items()}
    place = {data: number for number, data in reversed([*enumerate(members.values())])}
    side_by_side = sorted(members.items(), key=lambda member: place[member[1]])
    return _private(dict(side_by_side), within=("user/", "root/"))


def _members(
    changes: Iterable[Change], sweep: Iterable[str] = (), *, home: str
) -> dict[str, bytes]:
    """The manifest, the new bytes and the entries, by name."""
    changes = tuple(changes)
    lines = [
        f"dir - {mode} - {path}"
        for mode, path in directories((c.path for c in changes if c.after is not None), home)
    ]
    lines += (f"sweep - - - {path}" for path in sweep)
    targets: dict[str, int] = {}  # chezmoi target -> index of a change that has its new bytes
    contents: dict[str, bytes] = {}
    for number, change in enumerate(changes, 1):
        before = digest(change.before)
        if change.after is None:
            lines.append(f"gone {number} - {before} {change.path}")
            continue
        kind = "kde" if change.kde else "file"
        mode = "keep" if change.mode is None else f"{change.mode:o}"
        lines.append(f"after {number} - {digest(change.after)} -")
        lines.append(f"{kind} {number} {mode} {before} {change.path}")
        if change.link:
            lines.append(f"link {number} - - {change.link}")
        contents[f"new/{number}"] = change.after
        if change.entries or change.kde:
            contents[f"entries/{number}"] = encode(change.entries)
        if change.chezmoi_target:
            targets[change.chezmoi_target] = number
    lines += (f"apply {number} - - {target}" for target, number in targets.items())
    text = "".join(f"{line}\n" for line in lines).encode()
    manifest = text + f"whole - - {digest(text)} -\nend\n".encode()
    return {"manifest": manifest, **contents}


def pack_tree(files: Iterable[tuple[str, bytes]]) -> str:
    """The standard input of ``remote/estimate.sh``: the files of a layer, by name."""
    return _private(dict(files))


def _private(files: Mapping[str, bytes], within: Iterable[str] = ("",)) -> str:
    members = {name: (content, 0o600) for name, content in files.items()}
    folders = [f"{place}{name}" for place in within for name in ("new", "entries")]
    return encoded(archive(members, folders=folders))


def archive(members: Mapping[str, tuple[bytes, int]], *, folders: Iterable[str] = ()) -> bytes:
    """A packed tar: content and mode of each member, by name, and empty directories."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in folders:
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o700
            tar.addfile(folder)
        for name, (content, mode) in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def squeezed(data: bytes) -> str:
    """Bytes, packed, as text."""
    return encoded(gzip.compress(data, mtime=0))


def encoded(data: bytes) -> str:
    """Bytes as the text that ``unpack`` of ``remote/common.sh`` reads."""
    return base64.encodebytes(data).decode()
