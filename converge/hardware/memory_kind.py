"""Kinds of memory modules: as the firmware names them, as a profile does, do both agree."""

from __future__ import annotations

import re

#: What SMBIOS calls kinds that a profile sums up as ``other``.
_OTHER = {"DRAM", "EDRAM", "SDRAM", "SGRAM", "RDRAM", "RAM", "SRAM", "FBD2", "MRDIMM", "Other"}
#: What the same table lists beside main memory: what keeps the firmware or the picture, and
#: persistent memory, beside which there are modules of DRAM (SMBIOS, memory device: type).
_NOT_MAIN = {"ROM", "Flash", "EPROM", "EEPROM", "FEPROM", "VRAM", "Logical non-volatile device"}
_KNOWN = re.compile(r"DDR[2-5]?|DDR3L|LPDDR[2-5]?|LPDDR[45]X|HBM[23]?")


def is_main(found: str) -> bool:
    """Say whether a module of the firmware's table is one of main memory."""
    return found.strip() not in _NOT_MAIN


def declared(found: str | None) -> str:
    """Return the kind that a profile declares for what udev read from the firmware's table."""
    text = (found or "").strip()
    if _KNOWN.fullmatch(text):
        return text
    other = text in _OTHER or re.fullmatch(r"(?:DDR|LPDDR|HBM)[A-Za-z0-9 -]{0,12}", text)
    return "other" if other else "unknown"


def agree(profile: str, found: str) -> bool:
    """Say whether a declared kind is what was found: SMBIOS has no name for DDR3L and LPDDR4X."""
    return profile.rstrip("LX") == declared(found).rstrip("LX")
