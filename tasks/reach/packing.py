"""Pack a compressed connection as OpenSSH does, and a text for many workspaces once."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from hashlib import sha256
from typing import Any

from paramiko.compress import ZlibCompressor

PIECE = 16 * 1024  # bytes that are packed, and remembered, at a time
BEGINNING = 96 * 1024  # bytes of a connection that others may begin with too: the reading is 70,000
REMEMBERED = 16  # whole pieces, each with the state behind it, of 270 kB

#: Digest of all that was packed so far -> the last piece packed, and the state behind it.
_known: OrderedDict[bytes, tuple[bytes, Any]] = OrderedDict()


class Packer(ZlibCompressor):
    """Packs one packet after the other: paramiko would forget at each packet what it has sent, and
    sends the same text as long as the first time.

    All workspaces of a fleet are sent the same reading first, so a piece that comes behind the same
    beginning as on another connection is taken from there."""

    def __init__(self) -> None:
        self.z = zlib.compressobj(zlib.Z_BEST_COMPRESSION)
        self._so_far = b""
        self._left = BEGINNING

    def __call__(self, data: Any) -> bytes:
        data = bytes(data)
        ends = range(PIECE, len(data), PIECE)
        pieces = [self._piece(data[end - PIECE : end]) for end in ends]
        return b"".join(pieces) + self._end(data[len(pieces) * PIECE :])

    def _piece(self, data: bytes) -> bytes:
        """A whole piece, packed, or as it was packed behind the same beginning."""
        if not self._early(b"piece ", data):
            return self._pack(data)
        known = _known.get(self._so_far)
        if known is None:
            packed = self._pack(data)
            _known[self._so_far] = packed, self.z.copy()
            if len(_known) > REMEMBERED:
                _known.popitem(last=False)
            return packed
        _known.move_to_end(self._so_far)
        packed, state = known
        self.z = state.copy()
        return packed

    def _end(self, data: bytes) -> bytes:
        """The end of a packet; most have names in it, and none is long."""
        self._early(b"end ", data)
        return self._pack(data) + self.z.flush(zlib.Z_SYNC_FLUSH)

    def _early(self, kind: bytes, data: bytes) -> bool:
        """Whether others may begin so too; if so, data is part of what was packed so far."""
        self._left -= len(data)
        if self._left >= 0:
            self._so_far = sha256(self._so_far + kind + data).digest()
        return self._left >= 0

    def _pack(self, data: bytes) -> bytes:
        return self.z.compress(data)
