"""The boot menu, read as the loader reads it: the answer of the probe ``boot`` goes in.

GRUB, systemd-boot (entries of type 1 and unified kernel images) and Limine. What an entry is, its
content says: NixOS names the files of systemd-boot by a hash of their content, and the loader
itself renames them to count boots (``+2-1``). Entries of other profiles than the system's, and of
other systems, are no generations of this one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from converge.proof.check import Unreadable


@dataclass(frozen=True, kw_only=True)
class Menu:
    """A boot menu: seconds that it waits (-1 for ever, 0 never shown), generations it offers.

    ``doubt``: why what it offers cannot be told; "" where it can.
    """

    loader: str
    timeout: int
    generations: frozenset[int]
    doubt: str = ""


@dataclass(frozen=True, kw_only=True)
class BootEntry:
    """An entry of systemd-boot. ``number`` is None where it is no generation, or nobody knows."""

    name: str
    number: int | None
    known: bool = True  # its content was read, or its name says it
    boots: bool = True  # the files that it loads are there


_GRUB_ENTRY = re.compile(r'^[ \t]*menuentry "[^"]*- Configuration (\d+)\b', re.MULTILINE)
_NAME = re.compile(
    r"nixos-generation-(\d+)(?:-specialisation[^+]*)?(?:\+\d+(?:-\d+)?)?\.(?:conf|efi)"
)
_OTHER_PROFILE = re.compile(r"nixos-(?!generation-).+-generation-\d+")
_VERSION = re.compile(r"(?:^|\b)Generation (\d+)\b")


def boot_menu(text: str) -> Menu:
    """Read the menu. Raises Unreadable for an answer of no known loader, or without a timeout."""
    first, _, rest = text.partition("\n")
    match first:
        case "loader grub":
            found = frozenset(int(number) for number in _GRUB_ENTRY.findall(rest))
            return Menu(loader="GRUB", timeout=_grub(rest), generations=found)
        case "loader systemd-boot":
            return _systemd_boot(rest)
        case "loader limine":
            return _limine(rest)
    raise Unreadable("no menu of GRUB, systemd-boot or Limine")


def _grub(text: str) -> int:
    """NixOS writes two: 1 for a start that was chosen by grub-reboot, then the one that counts."""
    found = re.findall(r"^[ \t]*set timeout=(-?\d+)[ \t]*$", text, re.MULTILINE)
    if not found:
        raise Unreadable("GRUB's menu has no timeout")
    return int(found[-1])


# ---- systemd-boot --------------------------------------------------------------------------------


def _systemd_boot(text: str) -> Menu:
    lines = text.splitlines()
    entries = tuple(_entries(lines))
    offered = frozenset(one.number for one in entries if one.number is not None and one.boots)
    unread = [line.partition(" ")[2] for line in lines if line.startswith("unreadable ")]
    blind = [one.name for one in entries if not one.known]
    doubt = ""
    if unread:
        doubt = f"{', '.join(unread)} cannot be read"
    elif blind:
        doubt = f"nothing tells the generation of {', '.join(blind[:3])}"
    return Menu(
        loader="systemd-boot", timeout=_conf_timeout(lines), generations=offered, doubt=doubt
    )


def _conf_timeout(lines: list[str]) -> int:
    """``timeout`` of loader.conf: a number, or a word; without one the menu stays hidden."""
    words = [line.split() for line in lines if line.startswith("conf timeout")]
    value = words[-1][2] if words and len(words[-1]) > 2 else "0"
    if value == "menu-force":
        return -1
    return int(value) if re.fullmatch(r"\d{1,9}", value) else 0


def _entries(lines: list[str]) -> Iterator[BootEntry]:
    """Yield the entries: each has a line with its name, then lines with its content."""
    name, content = "", list[str]()
    for line in [*lines, "entry "]:
        word, _, rest = line.partition(" ")
        if word in {"entry", "uki"}:
            if name:
                yield _entry(name, content)
            name, content = rest.strip(), []
        elif word == "text" and name:
            content.append(rest)


def _entry(name: str, content: list[str]) -> BootEntry:
    keys = {words[0]: words[1] for line in content if len(words := line.split(None, 1)) == 2}
    boots = "missing" not in keys
    if _OTHER_PROFILE.match(name) or re.search(r"\[[^\]]+\]", keys.get("title", "")):
        return BootEntry(name=name, number=None)  # of another profile
    if (found := _VERSION.search(keys.get("version", ""))) is not None:
        return BootEntry(name=name, number=int(found[1]), boots=boots)
    if (named := _NAME.fullmatch(name)) is not None:
        return BootEntry(name=name, number=int(named[1]), boots=boots)
    # Without its content a file that NixOS wrote could be any generation.
    return BootEntry(name=name, number=None, known=bool(content) or not name.startswith("nixos-"))


# ---- Limine --------------------------------------------------------------------------------------


def _limine(text: str) -> Menu:
    timeout, offered, other = 5, set[int](), 0
    for raw in text.splitlines():
        line = raw.strip()
        if found := re.fullmatch(r"timeout:\s*(\d{1,9}|no)", line, re.IGNORECASE):
            timeout = -1 if found[1] == "no" else int(found[1])
        if entry := re.fullmatch(r"(/+)\+?\s*(.*)", line):
            depth, title = len(entry[1]), entry[2]
            if other and depth <= other:
                other = 0
            if re.match(r"profile\b", title, re.IGNORECASE):
                other = depth  # all below it is of another profile than the system's
            number = re.match(r"Generation (\d+)\b", title)
            if number and not other:
                offered.add(int(number[1]))
    return Menu(loader="Limine", timeout=timeout, generations=frozenset(offered))
