"""Pack a compressed connection as OpenSSH does, and a text for many workspaces once."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from hashlib import sha256
from typing import Any

from paramiko.compress import ZlibCompressor

PIECE = 16 * 1024  # bytes that are packed, and remembered, at a time
BEGINNING = 96 * 1024  # bytes of a connection that others may begin with too: the reading is 70,000
REMEMBERED = 16  # pieces, each with the state behind it, of 270 kB

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
        pieces = [self._step(data[end - PIECE : end], zlib.Z_NO_FLUSH) for end in ends]
        return b"".join(pieces) + self._step(data[len(pieces) * PIECE :], zlib.Z_SYNC_FLUSH)

    def _step(self, data: bytes, flush: int) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            return self._pack(data, flush)
        self._so_far = sha256(b"%b %d " % (self._so_far, flush) + data).digest()
        known = _known.get(self._so_far)
        if known is None:
            packed = self._pack(data, flush)
            _known[self._so_far] = packed, self.z.copy()
            if len(_known) > REMEMBERED:
                _known.popitem(last=False)
            return packed
        _known.move_to_end(self._so_far)
        packed, state = known
        self.z = state.copy()
        return packed

    def _pack(self, data: bytes, flush: int) -> bytes:
        packed = self.z.compress(data)
        return packed if flush == zlib.Z_NO_FLUSH else packed + self.z.flush(flush)
