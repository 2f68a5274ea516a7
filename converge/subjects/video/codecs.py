"""What a GPU decodes, by its chip: from NVIDIA's table of decoder engines (NVDEC, SDK 13).

A codec that is not said to be there is not asked for; one that the hardware cannot have must not
show up either, or the answer is that of another GPU.
"""

from __future__ import annotations

from dataclasses import dataclass

from converge.profile.profile import Gpu


@dataclass(frozen=True, kw_only=True)
class Codecs:
    """``has`` and ``lacks``: names of VA-API profiles without ``VAProfile``."""

    has: frozenset[str]
    lacks: frozenset[str]


_H264 = frozenset({"H264High"})
_HEVC_VP9 = frozenset({"HEVCMain", "HEVCMain10", "VP9Profile0"})
_AV1 = frozenset({"AV1Profile0"})


def decodes(gpu: Gpu) -> Codecs:
    """The codecs of a GPU in a profile; for one that is not known only what all of them have."""
    has, lacks = _H264, frozenset[str]()
    match gpu.architecture:
        case "kepler":
            lacks = _HEVC_VP9 | _AV1
        case "maxwell" if gpu.chip == "GM206":
            # The one Maxwell chip with HEVC and VP9, without their deeper variants.
            has = _H264 | _HEVC_VP9 | {"VP8Version0_3"}
            lacks = _AV1 | {"VP9Profile2", "HEVCMain12"}
        case "maxwell":
            lacks = _HEVC_VP9 | _AV1
        case "pascal" | "volta" | "turing":
            has = _H264 | _HEVC_VP9
            lacks = _AV1
        case "ampere" if gpu.compute_capability == "8.0":
            has = _H264 | _HEVC_VP9
            lacks = _AV1
        case "ampere" | "ada" | "blackwell":
            has = _H264 | _HEVC_VP9 | _AV1
    return Codecs(has=has, lacks=lacks)


#: VDPAU's names of what VA-API calls so. NVIDIA's VDPAU has neither VP8 nor 10 bits on Maxwell.
VDPAU = {"H264High": "H264_HIGH", "HEVCMain": "HEVC_MAIN"}
#: Firefox's names.
FIREFOX = {"H264High": "H264", "VP9Profile0": "VP9", "AV1Profile0": "AV1"}
