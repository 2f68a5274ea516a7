"""Kinds of memory modules: the firmware's names, a profile's names, and whether the two agree."""

from __future__ import annotations

import re

#: SMBIOS names of the kinds that a profile calls ``other``.
_OTHER = {"DRAM", "EDRAM", "SDRAM", "SGRAM", "RDRAM", "RAM", "SRAM", "FBD2", "MRDIMM", "Other"}
#: SMBIOS names of modules that are not main memory: firmware, video and persistent memory (SMBIOS,
#: memory device: type).
_NOT_MAIN = {"ROM", "Flash", "EPROM", "EEPROM", "FEPROM", "VRAM", "Logical non-volatile device"}
_KNOWN = re.compile(r"DDR[2-5]?|DDR3L|LPDDR[2-5]?|LPDDR[45]X|HBM[23]?")


def is_main(found: str) -> bool:
    """Say whether a module of the firmware's table is one of main memory."""
    return found.strip() not in _NOT_MAIN


def declared(found: str | None) -> str:
    """Return the profile's name of a kind that udev read from the firmware's table."""
    text = (found or "").strip()
    if _KNOWN.fullmatch(text):
        return text
    other = text in _OTHER or re.fullmatch(r"(?:DDR|LPDDR|HBM)[A-Za-z0-9 -]{0,12}", text)
    return "other" if other else "unknown"


def agree(profile: str, found: str) -> bool:
    """Say whether a declared kind is the found one. L and X at the end do not count, since SMBIOS
    has no names for DDR3L and LPDDR4X."""
    return profile.rstrip("LX") == declared(found).rstrip("LX")
