"""What a card decodes, by its architecture and, where this does not suffice, by its chip.

Sources, as of November 2026: NVIDIA's table of decoder engines (NVDEC application note, SDK 13);
Mesa's radeonsi, which asks the kernel what UVD and VCN of the chip decode (AMD: UVD 3 to 7, VCN 1
to 5; Linux amdgpu/soc15.c, nv.c and soc21.c, tables video_codecs_decode); the README of
intel-media-driver, table of codecs by platform, and of intel-vaapi-driver before Broadwell.

A card has to decode each codec in ``has`` and must not decode one in ``lacks``: otherwise the
answer comes from another card. Other codecs do not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from converge.profile.profile import Gpu


@dataclass(frozen=True, kw_only=True)
class Codecs:
    """``has`` and ``lacks``: names of VA-API profiles without ``VAProfile``."""

    has: frozenset[str]
    lacks: frozenset[str]


_H264 = frozenset({"H264High"})
_HEVC = frozenset({"HEVCMain"})
_HEVC10 = _HEVC | {"HEVCMain10"}
_VP9 = frozenset({"VP9Profile0"})
_AV1 = frozenset({"AV1Profile0"})
_ALL = _H264 | _HEVC10 | _VP9 | _AV1


def _only(has: frozenset[str], *, unsure: frozenset[str] = frozenset()) -> Codecs:
    """Return the codecs of an architecture. ``unsure``: only some of its chips have them."""
    return Codecs(has=has, lacks=_ALL - has - unsure)


_TABLE: Mapping[str, Codecs] = {
    # NVIDIA
    "kepler": _only(_H264),
    "maxwell": _only(_H264),
    "pascal": _only(_H264 | _HEVC10 | _VP9),
    "volta": _only(_H264 | _HEVC10 | _VP9),
    "turing": _only(_H264 | _HEVC10 | _VP9),
    "ampere": _only(_ALL),
    "hopper": _only(_H264 | _HEVC10 | _VP9, unsure=_AV1),
    "ada": _only(_ALL),
    "blackwell": _only(_ALL),
    # AMD: UVD up to Vega, VCN from Raven on, which is a gcn5 too
    "terascale": _only(_H264),
    "gcn1": _only(_H264),
    "gcn2": _only(_H264),
    "gcn3": _only(_H264, unsure=_HEVC10),
    "gcn4": _only(_H264 | _HEVC10),
    "gcn5": _only(_H264 | _HEVC10, unsure=_VP9),
    "rdna1": _only(_H264 | _HEVC10 | _VP9),
    "rdna2": _only(_ALL),
    "rdna3": _only(_ALL),
    "rdna3.5": _only(_ALL),
    "rdna4": _only(_ALL),
    # Intel; Braswell is gen8-lp, Apollo Lake a gen9 with 10 bits and VP9
    "gen5": _only(_H264),
    "gen6": _only(_H264),
    "gen7": _only(_H264),
    "gen7.5": _only(_H264),
    "gen8": _only(_H264),
    "gen8-lp": _only(_H264, unsure=_HEVC),
    "gen9": _only(_H264 | _HEVC, unsure=_HEVC10 | _VP9),
    "gen9.5": _only(_H264 | _HEVC10 | _VP9),
    "gen11": _only(_H264 | _HEVC10 | _VP9),
    "xe-lp": _only(_ALL),
    "xe-hpg": _only(_ALL),
    "xe-lpg": _only(_ALL),
    "xe2": _only(_ALL),
    "xe3": _only(_ALL),
}
#: Architectures without a chip that decodes AV1.
WITHOUT_AV1 = tuple(name for name, codecs in _TABLE.items() if codecs.lacks >= _AV1)
#: Navi 24 (RX 6400, 6500, Pro W6400, W6500M): the one RDNA 2 chip without AV1.
NAVI_24 = tuple(f"1002:{device}" for device in ("7421", "7422", "7423", "7424", "743f"))


def decodes(gpu: Gpu) -> Codecs:
    """The codecs of a card in a profile; for an unknown card, those that all cards have."""
    found = _TABLE.get(gpu.architecture or "", Codecs(has=_H264, lacks=frozenset()))
    if gpu.chip == "GM206":
        # The one Maxwell chip with HEVC and VP9, without their deeper variants.
        has = _H264 | _HEVC10 | _VP9 | {"VP8Version0_3"}
        return Codecs(has=has, lacks=_AV1 | {"VP9Profile2", "HEVCMain12"})
    if gpu.pci_id in NAVI_24 or gpu.compute_capability == "8.0":
        return Codecs(has=found.has - _AV1, lacks=found.lacks | _AV1)
    return found


#: VA-API's name -> VDPAU's name. NVIDIA's VDPAU has neither VP8 nor 10 bits on Maxwell.
VDPAU = {"H264High": "H264_HIGH", "HEVCMain": "HEVC_MAIN"}
#: VA-API's name -> Firefox's name.
FIREFOX = {"H264High": "H264", "VP9Profile0": "VP9", "AV1Profile0": "AV1"}
