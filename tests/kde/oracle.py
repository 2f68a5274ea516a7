"""KDE itself as the judge of a config file: the real kreadconfig and kwriteconfig.

Each call is one process. ``entries`` reads a whole file with one: KDE rewrites a file in its own
canonical form, which shows every entry as KDE understood it.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.tools import need

_PROBE = "rewrite probe"
_ABSENT = "\N{BLACK SQUARE}no such entry\N{BLACK SQUARE}"
#: (header line, key with options) -> printed value, None for a ``key[$d]``
Entries = dict[tuple[bytes, bytes], bytes | None]


class KDE:
    """The KDE tools with a home of their own: no system layer, no translations."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.read_tool = need("kreadconfig")
        self.write_tool = need("kwriteconfig")
        home.mkdir(exist_ok=True)
        (home / "empty").mkdir(exist_ok=True)
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_CONFIG_DIRS": str(home / "empty"),
            "LC_ALL": "C.UTF-8",
            "QT_LOGGING_RULES": "*=false",
        }

    def command(self, tool: str, group: Sequence[str], key: str, *more: str) -> list[str]:
        groups = [f"--group={part}" for part in group]
        return [tool, f"--file={self.home / 'judged'}", *groups, f"--key={key}", *more]

    def read(self, text: bytes, group: Sequence[str], key: str) -> str | None:
        """What an application gets for one entry; None where it gets its own default."""
        (self.home / "judged").write_bytes(text)
        command = self.command(self.read_tool, group, key, f"--default={_ABSENT}")
        done = subprocess.run(command, env=self.env, capture_output=True, check=True)
        value = done.stdout.decode().removesuffix("\n")
        return None if value == _ABSENT else value

    def write(self, text: bytes, group: Sequence[str], key: str, *value: str) -> bytes | None:
        """The file after KDE changed one entry; None where KDE refuses to write."""
        file = self.home / "judged"
        file.write_bytes(text)
        command = self.command(self.write_tool, group, key, *value)
        done = subprocess.run(command, env=self.env, capture_output=True, check=False)
        assert done.returncode in (0, 2), done.stderr
        return file.read_bytes() if done.returncode == 0 else None

    def rewrite(self, text: bytes) -> bytes | None:
        """The file in KDE's canonical form; None where it is locked as a whole."""
        written = self.write(text, [_PROBE], "probe", "--", "1")
        return written and written.replace(f"[{_PROBE}]\nprobe=1\n".encode(), b"")

    def entries(self, text: bytes) -> Entries | None:
        """Every entry as KDE understands it; None where it is locked as a whole."""
        canonical = self.rewrite(text)
        return None if canonical is None else printed_entries(canonical)


def printed_entries(canonical: bytes) -> Entries:
    entries: Entries = {}
    header = b""
    for line in canonical.split(b"\n"):
        if line.startswith(b"["):
            header = line
        elif line:
            key, equals, value = line.partition(b"=")
            entries[header, key] = value if equals else None
    return entries


def unprinted(printed: bytes) -> bytes:
    """The bytes that KDE's canonical form of a name or value stands for."""
    names = {b"s": b" ", b"t": b"\t", b"n": b"\n", b"r": b"\r", b"\\": b"\\"}
    return re.sub(
        rb"\\(?:x([0-9a-f]{2})|(.))",
        lambda m: bytes.fromhex(m[1].decode()) if m[1] else names[m[2]],
        printed,
    )
