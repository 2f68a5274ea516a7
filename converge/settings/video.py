"""Phase 5: graphics driver and video decoding."""

from __future__ import annotations

from converge.setting import Setting

ROWS: tuple[Setting, ...] = ()
