"""Read the boot menu as the loader does. In: the answer of the probe ``boot``. Out: a ``Menu``.

Loaders: GRUB, systemd-boot (entries of type 1, unified kernel images and lanzaboote's stubs),
Limine in both of its syntaxes, rEFInd and extlinux. The content of an entry tells which system it
boots: ``init=`` names the system. Without such content, the number counts that NixOS wrote into its
name; numbers of other profiles than the system's do not count.

Several menus may be possible. Then only what each of them offers is certain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from converge.plan.snapshot import Generation
from converge.proof.check import Unreadable


@dataclass(frozen=True, kw_only=True)
class BootEntry:
    """One entry. ``number``: generation of the system, None for none or unknown; ``system``: the
    store path that the entry boots, "" where unknown."""

    number: int | None = None
    system: str = ""
    special: bool = False  # boots a specialisation, which has a store path of its own
    known: bool = True  # its content was read, or its name says what it is
    boots: bool = True  # the files that it loads are there
    name: str = ""

    def is_of(self, generation: Generation) -> bool:
        """Whether the entry boots this generation. Where the entry has another system, a number
        only counts for a specialisation."""
        if not self.boots:
            return False
        if self.system and self.system == generation.path:
            return True
        return self.number == generation.number and (self.special or not self.system)


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The menu of one loader in one place. ``timeout``: seconds; -1: for ever; 0: not shown."""

    loader: str
    timeout: int
    entries: tuple[BootEntry, ...] = ()
    place: str = ""
    doubt: str = ""  # why its offers are not known, or ""

    def offers(self, kept: Iterable[Generation]) -> frozenset[int]:
        return frozenset(g.number for g in kept if any(entry.is_of(g) for entry in self.entries))


@dataclass(frozen=True, kw_only=True)
class Menu:
    """The menu that this machine shows before it boots, or several possible ones."""

    listings: tuple[Listing, ...]
    closed: tuple[str, ...] = field(default=())  # places that could not be read

    @property
    def loader(self) -> str:
        return " or ".join(dict.fromkeys(listing.loader for listing in self.listings))

    @property
    def timeout(self) -> int:
        """The shortest possible timeout."""
        waits = [listing.timeout for listing in self.listings]
        return min(waits, key=lambda seconds: seconds if seconds >= 0 else 1 << 30)

    @property
    def generations(self) -> frozenset[int]:
        """Numbers that every listing gives to an entry that boots."""
        each = [
            {e.number for e in listing.entries if e.number and e.boots} for listing in self.listings
        ]
        return frozenset(number for number in set.intersection(*each) if number is not None)

    def offers(self, kept: Iterable[Generation]) -> frozenset[int]:
        """Numbers of the kept generations that the menu certainly offers."""
        kept = tuple(kept)
        return frozenset.intersection(*(listing.offers(kept) for listing in self.listings))

    def doubt(self, kept: Iterable[Generation]) -> str:
        """Why more offers or another timeout are possible; "" where all is certain."""
        own = next((listing.doubt for listing in self.listings if listing.doubt), "")
        if own or self.closed:
            return own or f"{', '.join(self.closed)} cannot be read"
        kept = tuple(kept)
        if len({(listing.offers(kept), listing.timeout) for listing in self.listings}) == 1:
            return ""
        places = ", ".join(listing.place or listing.loader for listing in self.listings)
        return f"nothing says which of these menus starts this machine: {places}"


def boot_menu(text: str) -> Menu:
    """Read the menus. Raises Unreadable for an answer of no known loader, or without a timeout."""
    closed, listings = [], []
    for head, lines in _blocks(text):
        loader, _, place = head.partition(" ")
        if (read := _READERS.get(loader)) is None:
            continue
        closed += [line.removeprefix("closed ") for line in lines if line.startswith("closed ")]
        listing = read(place, lines)
        unread = [line.removeprefix("unreadable ") for line in lines if _UNREAD.match(line)]
        if unread:
            doubt = f"{', '.join(unread)} cannot be read"
            listing = Listing(**{**vars(listing), "doubt": doubt})
        listings.append(listing)
    if not listings:
        raise Unreadable(f"no menu of {', '.join(_NAMES.values())}")
    return Menu(listings=tuple(listings), closed=tuple(closed))


_NAMES = {
    "grub": "GRUB",
    "systemd-boot": "systemd-boot",
    "limine": "Limine",
    "refind": "rEFInd",
    "extlinux": "extlinux",
}
_HEAD = re.compile(rf"loader (?:{'|'.join(_NAMES)})(?: /|$)")
_UNREAD = re.compile(r"unreadable /")
_SYSTEM = re.compile(r"init=(/nix/store/[^/\s\"]+)/init\b")
_OTHER_PROFILE = re.compile(r"nixos-(?!generation-).+-generation-\d+")
_NUMBER = re.compile(r"\bGeneration (\d+)\b")


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the head of each menu, and its lines."""
    head, lines = "", list[str]()
    for line in text.splitlines():
        if _HEAD.match(line):
            if head:
                yield head, lines
            head, lines = line.removeprefix("loader "), []
        else:
            lines.append(line)
    if head:
        yield head, lines


def _system(line: str) -> str:
    found = _SYSTEM.search(line)
    return found[1] if found else ""


# ---- systemd-boot --------------------------------------------------------------------------------


def _systemd_boot(place: str, lines: Sequence[str]) -> Listing:
    entries = tuple(_entries(lines))
    blind = [entry.name for entry in entries if not entry.known]
    return Listing(
        loader="systemd-boot",
        timeout=_conf_timeout(lines),
        entries=entries,
        place=place,
        doubt=f"nothing tells the generation of {', '.join(blind[:3])}" if blind else "",
    )


def _conf_timeout(lines: Sequence[str]) -> int:
    """``timeout`` of loader.conf: a number, or a word; without one the menu stays hidden."""
    words = [line.split() for line in lines if re.match(r"conf\s+timeout\b", line)]
    value = words[-1][2] if words and len(words[-1]) > 2 else "0"
    if value == "menu-force":
        return -1
    return int(value) if re.fullmatch(r"\d{1,9}", value) else 0


def _entries(lines: Sequence[str]) -> Iterator[BootEntry]:
    """Yield the entries: each has a line with its name, then lines with its content."""
    name, content = "", list[str]()
    for line in [*lines, "entry "]:
        word, _, rest = line.partition(" ")
        if word in {"entry", "uki"}:
            if name:
                yield from (_entry(name, profile) for profile in _profiles(content))
            name, content = rest.strip(), []
        elif word == "text" and name:
            content.append(rest)


def _profiles(content: Sequence[str]) -> Iterator[list[str]]:
    """Yield the content of each profile of an image: its own sections, then the common ones
    (UAPI.5; systemd-boot shows an entry for each since 257). An image without profiles has one."""
    begins = [at for at, line in enumerate(content) if line.split(None, 1)[:1] == ["profile"]]
    if not begins:
        yield list(content)
        return
    for first, end in zip(begins, [*begins[1:], len(content)], strict=True):
        yield [*content[first:end], *content[: begins[0]]]


#: Architectures of entries that systemd-boot does not show on x86-64.
_OTHER_PROCESSOR = re.compile(r"aa64|arm|ia64|rv\w+|riscv\w*|loongarch\w*", re.IGNORECASE)
_FILE = re.compile(
    r"nixos-generation-(\d+)(-specialisation[^+]*)?(?:-[A-Za-z0-9_-]+)?(?:\+\d+(?:-\d+)?)?"
    r"\.(?:conf|efi)",
    re.IGNORECASE,
)


def _entry(name: str, content: Sequence[str]) -> BootEntry:
    keys: dict[str, str] = {}
    for line in content:
        words = line.split(None, 1)
        if len(words) == 2:
            keys.setdefault(words[0], words[1])
    system, boots = _system(keys.get("options", "")), "missing" not in keys
    boots = boots and not _OTHER_PROCESSOR.fullmatch(keys.get("architecture", ""))
    title, version = keys.get("title", ""), keys.get("version", "")
    if _OTHER_PROFILE.match(name) or re.search(r"\[[^\[\]]+\]", title):
        return BootEntry(name=name, system=system, boots=boots)
    named = _FILE.fullmatch(name[:256])  # a name of a file has 255 characters at most
    special = bool(
        (named and named[2])
        or re.search(r"\([^()]+\)\s*$", title if name.lower().endswith(".conf") else "")
        or re.search(r"\bGeneration \d+-", version)
    )
    number = _NUMBER.search(version)
    found = int(number[1]) if number else int(named[1]) if named else None
    # A file of NixOS without readable content could be any generation.
    silent = not content and name.lower().startswith("nixos-")
    known = found is not None or not ("unread" in keys or silent)
    return BootEntry(
        name=name, number=found, system=system, special=special, known=known, boots=boots
    )


# ---- menus in one file ---------------------------------------------------------------------------


def _braces(lines: Sequence[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield, for GRUB and rEFInd, the titles on the way to an entry, and the text of its block."""
    path: list[tuple[str, list[str]]] = []
    for line in lines:
        if (found := _OPENS.match(line)) is not None:
            path.append((found[2] or found[3] or "", []))
        elif re.search(r"\{\s*$", line):
            path.append(("", []))
        elif re.fullmatch(r"\s*\}\s*", line):
            if path:
                titles = tuple(title for title, _ in path if title)
                title, content = path.pop()
                if title:
                    yield titles, "\n".join(content)
        elif path:
            path[-1][1].append(line)


_OPENS = re.compile(r"""\s*(?:menuentry|submenu|submenuentry)\s+("([^"]*)"|'([^']*)').*\{\s*$""")


def _titled(titles: Sequence[str], content: str, form: str) -> BootEntry:
    """An entry whose titles tell its number; titles of another profile do not."""
    number = re.search(form, " > ".join(titles))
    other = any(re.search(r"\bprofile '", title, re.IGNORECASE) for title in titles)
    rest = " > ".join(titles)[number.end() :] if number else ""
    plain = re.match(r"(?: > Default)?$|(?: - Default)?(?: \(\d{4}-\d\d-\d\d - |$)", rest)
    found = int(number[1]) if number and not other else None
    return BootEntry(number=found, system=_system(content), special=bool(number and not plain))


def _grub(place: str, lines: Sequence[str]) -> Listing:
    """NixOS writes two timeouts: 1 for a start chosen by grub-reboot, then the one that counts."""
    waits = [found[1] for line in lines if (found := re.match(r"\s*set timeout=(-?\d+)\s*$", line))]
    if not waits and not any(_UNREAD.match(line) for line in lines):
        raise Unreadable("GRUB's menu has no timeout")
    form = r"- Configuration (\d+)\b"
    entries = tuple(_titled(titles, content, form) for titles, content in _braces(lines))
    return Listing(
        loader="GRUB", timeout=int(waits[-1]) if waits else -1, entries=entries, place=place
    )


def _refind(place: str, lines: Sequence[str]) -> Listing:
    """``timeout``: -1 boots at once, 0 waits for ever; 20 without one. A disabled entry is not
    shown."""
    waits = [int(f[1]) for line in lines if (f := re.match(r"\s*timeout\s+(-?\d{1,9})\s*$", line))]
    seconds = {-1: 0, 0: -1}.get(waits[-1], waits[-1]) if waits else 20
    entries = tuple(
        _titled(titles, content, r"\bGeneration (\d+)\b")
        for titles, content in _braces(lines)
        if not re.search(r"^[^\S\n]*disabled[^\S\n]*$", content, re.MULTILINE)
    )
    more = [line.split()[1] for line in lines if re.match(r"\s*include\s+\S", line)]
    doubt = f"{', '.join(more)}, which it includes, is not read" if more else ""
    return Listing(loader="rEFInd", timeout=seconds, entries=entries, place=place, doubt=doubt)


def _limine(place: str, lines: Sequence[str]) -> Listing:
    """``/Title`` and ``key: value``; before version 8 ``:Title`` and ``KEY=value``. The first
    timeout counts; ``no`` waits for ever."""
    timeout, path = None, list[str]()
    entries, system = list[BootEntry](), ""

    def close() -> None:
        if path:
            entries.append(_titled(path, f"init={system}/init", r"\bGeneration (\d+)\b"))

    for line in (raw.strip() for raw in lines):
        if found := re.fullmatch(r"timeout\s*[:=]\s*(\d{1,9}|no)", line, re.IGNORECASE):
            if timeout is None:
                timeout = -1 if found[1].lower() == "no" else int(found[1])
        elif entry := re.fullmatch(r"(/+|:+)\+?\s*(.*)", line):
            close()
            path, system = [*path[: len(entry[1]) - 1], entry[2]], ""
        elif re.match(r"(?:kernel_)?cmdline\s*[:=]", line, re.IGNORECASE):
            system = _system(line)
    close()
    return Listing(
        loader="Limine",
        timeout=5 if timeout is None else timeout,
        entries=tuple(entries),
        place=place,
    )


def _extlinux(place: str, lines: Sequence[str]) -> Listing:
    """``TIMEOUT`` in tenths of a second: 0 waits for ever, less than 0 boots at once."""
    seconds, entries = -1, list[BootEntry]()
    number, system = None, ""

    def close() -> None:
        if number is not None or system:
            entries.append(BootEntry(number=number, system=system))

    for line in (raw.strip() for raw in lines):
        word, _, rest = line.partition(" ")
        match word.upper():
            case "TIMEOUT" if re.fullmatch(r"-?\d{1,9}", rest.strip()):
                tenths = int(rest)
                seconds = -1 if tenths == 0 else 0 if tenths < 0 else max(1, tenths // 10)
            case "LABEL":
                close()
                named = re.fullmatch(r"nixos-(\d+)", rest.strip())
                number, system = int(named[1]) if named else None, ""
            case "APPEND":
                system = _system(rest)
    close()
    return Listing(loader="extlinux", timeout=seconds, entries=tuple(entries), place=place)


_READERS: Mapping[str, Callable[[str, Sequence[str]], Listing]] = {
    "grub": _grub,
    "systemd-boot": _systemd_boot,
    "limine": _limine,
    "refind": _refind,
    "extlinux": _extlinux,
}
