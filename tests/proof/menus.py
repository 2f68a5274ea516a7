"""Write boot menus as their own installers do. In: generations. Out: a tree of files.

Forms: nixpkgs (systemd-boot-builder.py, install-grub.pl, limine-install.py, refind-install.py,
extlinux-conf-builder.sh), lanzaboote (lzbt) and ukify. A generation is its number; the system that
it boots is ``/nix/store/system-<number>``, as in ``tests.proof.checks``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

DATE, LABEL = "2026-11-20", "26.11.20261118.abcdef0"
GUID = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
ESP, XBOOTLDR = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "bc13c2ff-59e6-4262-a352-b275fd6f7172"
CONF = "timeout 5\ndefault nixos-*\neditor 0\nconsole-mode keep\n"


def put(root: Path, path: str, content: str | bytes = "") -> Path:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content.encode() if isinstance(content, str) else content)
    return target


def init(number: int, system: str = "") -> str:
    return f"init={system or f'/nix/store/system-{number}'}/init loglevel=4 lsm=landlock,yama,bpf"


def variable(root: Path, name: str, text: str) -> None:
    """An EFI variable: four bytes of attributes, then UTF-16 with a NUL at its end."""
    content = b"\x06\0\0\0" + f"{text}\0".encode("utf-16-le")
    put(root, f"sys/firmware/efi/efivars/{name}-{GUID}", content)


def mounted(root: Path, *places: tuple[str, str, str]) -> None:
    """Mount points with id and type of their partitions, as the kernel and udev have them."""
    lines = ["30 1 259:2 / / rw - ext4 /dev/nvme0n1p2 rw"]
    for number, (place, uuid, kind) in enumerate(places, start=5):
        lines.append(
            f"3{number} 30 259:{number} / {place} rw shared:9 - vfat /dev/nvme0n1p{number} rw"
        )
        known = f"E:ID_PART_ENTRY_TYPE={kind}\nE:ID_PART_ENTRY_UUID={uuid}\n"
        put(root, f"run/udev/data/b259:{number}", known)
    put(root, "proc/self/mountinfo", "\n".join(lines) + "\n")


# ---- systemd-boot --------------------------------------------------------------------------------


def type1(number: int, *, title: str = "NixOS", system: str = "", kernel: str = "k.efi") -> str:
    return (
        f"title {title}\nsort-key nixos\n"
        f"version Generation {number} NixOS Yarara {LABEL} (Linux 6.18.3), built on {DATE}\n"
        f"linux /EFI/nixos/{kernel}\ninitrd /EFI/nixos/i.efi\noptions {init(number, system)}\n"
        "machine-id 0123456789abcdef0123456789abcdef\n"
    )


def by_number(number: int) -> str:
    return f"nixos-generation-{number}.conf"


def by_hash(number: int) -> str:
    return f"nixos-{number:040x}.conf"


def counted(number: int) -> str:
    return f"nixos-{number:040x}+3-1.conf"


def systemd_boot(
    root: Path,
    numbers: Iterable[int],
    *,
    place: str = "boot",
    entries: str = "",
    name: Callable[[int], str] = by_hash,
) -> None:
    """``place``: the loader's partition; ``entries``: an extended one, "" for the same."""
    put(root, f"{place}/loader/loader.conf", CONF)
    put(root, f"{entries or place}/EFI/nixos/k.efi", "kernel")
    for number in numbers:
        put(root, f"{entries or place}/loader/entries/{name(number)}", type1(number))


def pe(sections: Sequence[tuple[str, bytes]]) -> bytes:
    """A PE32+ image with these sections, aligned and padded as a linker does (Microsoft, PE)."""
    start, optional, align = 0x80, 0xF0, 512
    place = -(-(start + 24 + optional + 40 * len(sections)) // align) * align
    header = struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664, len(sections), 0, 0, 0, optional, 0x22E)
    table, body = b"", b""
    for number, (name, content) in enumerate(sections):
        stored = -(-len(content) // align) * align
        table += struct.pack(
            "<8sIIIIIIHHI",
            *(name.encode(), len(content), 0x1000 * (number + 1), stored, place + len(body)),
            *(0, 0, 0, 0, 0x40000040),
        )
        body += content.ljust(stored, b"\0")
    head = b"MZ".ljust(60, b"\0") + struct.pack("<I", start)
    head = head.ljust(start, b"\0") + header + struct.pack("<H", 0x20B).ljust(optional, b"\0")
    return (head + table).ljust(place, b"\0") + body


CODE = (".text", b"\xcc Generation 99, init=/nix/store/system-99/init" * 4000)


def lanzaboote(
    root: Path, numbers: Iterable[int], *, place: str = "boot", profile: str = ""
) -> None:
    """Stubs of lzbt: the kernel is a path, and the sections behind the code are small."""
    put(root, f"{place}/loader/loader.conf", CONF)
    put(root, f"{place}/EFI/nixos/kernel-6.18.3-abc.efi", "kernel")
    for number in numbers:
        shown = f" [{profile}]" if profile else ""
        osrel = (
            f"ID=lanzaboote\nPRETTY_NAME=NixOS {LABEL}{shown} (Generation {number}, {DATE})\n"
            f"VERSION_ID=Generation {number}, {DATE}\n"
        )
        sections = [
            *(CODE, (".osrel", osrel.encode()), (".cmdline", init(number).encode())),
            (".initrd", rb"\EFI\nixos\initrd-abc.efi"),
            (".linux", rb"\EFI\nixos\kernel-6.18.3-abc.efi"),
        ]
        own = f"{profile}-" if profile else ""
        name = f"nixos-{own}generation-{number}-mqzmyshgnq2qthwgcjjrnsxfxhbsqsmy4mbi.efi"
        put(root, f"{place}/EFI/Linux/{name}", pe(sections))


def unified(root: Path, numbers: Iterable[int], *, place: str = "boot") -> None:
    """Images of ukify over NixOS' own os-release, which names no generation; the kernel first."""
    put(root, f"{place}/loader/loader.conf", CONF)
    for number in numbers:
        osrel = b'NAME=NixOS\nID=nixos\nPRETTY_NAME="NixOS 26.11 (Yarara)"\nVERSION_ID="26.11"\n'
        kernel = b"MZ" + b"\x90" * 50_000
        sections = [
            CODE,
            (".linux", kernel),
            (".osrel", osrel),
            (".cmdline", init(number).encode()),
        ]
        put(root, f"{place}/EFI/Linux/nixos_{number}.efi", pe(sections))


# ---- menus in one file ---------------------------------------------------------------------------

GRUB_HEAD = """\
# Automatically generated.  DO NOT EDIT THIS FILE!

search --set=drive1 --fs-uuid 1234-ABCD
search --set=drive2 --label nixos
if [ -s $prefix/grubenv ]; then
  load_env
fi
if [ "${next_entry}" ]; then
  set default="${next_entry}"
  set next_entry=
  save_env next_entry
  set timeout=1
  set boot_once=true
else
  set default=0
  set timeout=5
fi
function savedefault {
    if [ -z "${boot_once}"]; then
    saved_entry="${chosen}"
    save_env saved_entry
    fi
}
"""


def grub_entry(name: str, number: int, system: str = "") -> str:
    return (
        f'menuentry "{name}" --class nixos --unrestricted {{\n'
        "search --set=drive1 --fs-uuid 1234-ABCD\n"
        f"  linux ($drive1)//kernels/abc-linux-6.18.3-bzImage {init(number, system)}\n"
        "  initrd ($drive1)//kernels/def-initrd\n}\n\n"
    )


def grub_menu(numbers: Iterable[int], *, special: str = "") -> str:
    """``special``: a specialisation of each generation, which makes a submenu of it."""
    parts = []
    for number in numbers:
        name = f"NixOS - Configuration {number}"
        suffix = f" ({DATE} - {LABEL})"
        if special:
            parts += [
                f'submenu "> {name}{suffix}" --class submenu {{\n',
                grub_entry(f"{name} - Default{suffix}", number),
                grub_entry(f"{name} - ({special} - {DATE} - {LABEL})", number, "/nix/store/other"),
                "}\n",
            ]
        else:
            parts.append(grub_entry(f"{name}{suffix}", number))
    return "".join(parts)


def grub(
    root: Path,
    numbers: Iterable[int],
    *,
    places: Sequence[str] = ("boot",),
    special: str = "",
    other: Iterable[int] = (),
) -> None:
    """``other``: generations of another profile; ``places``: mirroredBoots."""
    text = GRUB_HEAD + grub_entry("NixOS", 0, "/nix/store/default")
    own = grub_menu(numbers, special=special)
    text += f'submenu "NixOS - All configurations" --class submenu {{\n{own}}}\n'
    if other:
        text += f"submenu \"NixOS - Profile 'try'\" --class submenu {{\n{grub_other(other)}}}\n"
    for place in places:
        put(root, f"{place}/grub/grub.cfg", text)


def grub_other(numbers: Iterable[int]) -> str:
    return "".join(
        grub_entry(f"NixOS - Configuration {n} ({DATE} - {LABEL})", n, f"/nix/store/try-{n}")
        for n in numbers
    )


def limine(
    root: Path,
    numbers: Iterable[int],
    *,
    path: str = "boot/limine/limine.conf",
    special: bool = False,
    other: Iterable[int] = (),
) -> None:
    """As nixpkgs writes it: since 2025 a generation with specialisations is a directory."""
    lines = ["timeout: 5", "editor_enabled: no", "default_entry: 2", ""]
    lines += ["# NixOS boot entries start here", "# //Generation 7", "/+NixOS default profile"]
    for number in numbers:
        if special:
            lines += [f"//+Generation {number}", *limine_entry("///Default", number)]
            lines += limine_entry("///quiet", number, "/nix/store/other")
        else:
            lines += limine_entry(f"//Generation {number}", number)
    if other:
        lines.append("/+NixOS profile 'try'")
        for number in other:
            lines += limine_entry(f"//Generation {number}", number, f"/nix/store/try-{number}")
    lines += ["# NixOS boot entries end here", "", "/Windows", "protocol: efi", "timeout: 0"]
    put(root, path, "\n".join(lines))


def limine_entry(head: str, number: int, system: str = "") -> list[str]:
    return [
        *(head, "protocol: linux", f"comment: NixOS Yarara {LABEL}, built on {DATE}"),
        *("kernel_path: boot():/limine/kernels/abc-bzImage#00", f"cmdline: {init(number, system)}"),
        "module_path: boot():/limine/kernels/def-initrd",
    ]


def limine_before_8(root: Path, numbers: Iterable[int]) -> None:
    lines = ["TIMEOUT=5", "# a comment", ":+NixOS default profile"]
    for number in numbers:
        lines += [f"::Generation {number}", "PROTOCOL=linux", "KERNEL_PATH=boot:///k"]
        lines.append(f"CMDLINE={init(number)}")
    put(root, "boot/limine/limine.cfg", "\n".join(lines) + "\n:Windows\nPROTOCOL=efi_chainload\n")


def refind(root: Path, numbers: Iterable[int], *, special: bool = False) -> None:
    text = "\ntimeout 5\ndefault_selection 2\n\n# NixOS boot entries start here\n"
    for number in numbers:
        name = f"NixOS default profile Generation {number}"
        body = f'  loader /efi/refind/kernels/k\n  options "{init(number)}"\n}}\n'
        if special:
            text += f'menuentry "{name}" {{\nsubmenuentry "Default" {{\n{body}}}\n'
        else:
            text += f'menuentry "{name}" {{\n{body}'
    text += "menuentry \"NixOS profile 'try' Generation 41\" {\n  loader /k\n}\n"
    put(root, "boot/EFI/refind/refind.conf", text)


def extlinux(root: Path, numbers: Iterable[int]) -> None:
    text = "DEFAULT nixos-default\nMENU TITLE ----\nTIMEOUT 50\n"
    for tag in ("default", *numbers):
        number = 0 if tag == "default" else int(tag)
        text += f"\nLABEL nixos-{tag}\n  MENU LABEL NixOS - {tag}\n  LINUX ../nixos/k\n"
        text += f"  APPEND {init(number)}\n"
    put(root, "boot/extlinux/extlinux.conf", text)


#: Every way in which a machine has its menu: its name, what writes it, what a closed one would be.
VARIANTS: Mapping[str, Callable[[Path, Sequence[int]], None]] = {
    "systemd-boot by number": lambda root, n: systemd_boot(root, n, name=by_number),
    "systemd-boot by hash": systemd_boot,
    "systemd-boot counting boots": lambda root, n: systemd_boot(root, n, name=counted),
    "systemd-boot on /efi": lambda root, n: systemd_boot(root, n, place="efi"),
    "systemd-boot on /boot/efi": lambda root, n: systemd_boot(root, n, place="boot/efi"),
    "systemd-boot with XBOOTLDR": lambda root, n: systemd_boot(
        root, n, place="efi", entries="boot"
    ),
    "lanzaboote": lanzaboote,
    "unified images": unified,
    "GRUB": grub,
    "GRUB with specialisations": lambda root, n: grub(root, n, special="quiet"),
    "GRUB with another profile": lambda root, n: grub(root, n, other=(40, 41, 42)),
    "GRUB mirrored": lambda root, n: grub(root, n, places=("boot1", "boot-fallback")),
    "GRUB on /boot/efi": lambda root, n: grub(root, n, places=("boot/efi",)),
    "Limine": limine,
    "Limine with specialisations": lambda root, n: limine(root, n, special=True),
    "Limine with another profile": lambda root, n: limine(root, n, other=(40, 41, 42)),
    "Limine at the top of its partition": lambda root, n: limine(root, n, path="efi/limine.conf"),
    "Limine before 8": limine_before_8,
    "rEFInd": refind,
    "rEFInd with specialisations": lambda root, n: refind(root, n, special=True),
    "extlinux": extlinux,
}
