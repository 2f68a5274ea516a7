"""Phase 3: desktop applications, their limits and flags."""

from __future__ import annotations

from converge.setting import Setting

ROWS: tuple[Setting, ...] = ()
