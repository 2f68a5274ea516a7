"""Phase 2: language runtimes."""

from __future__ import annotations

from converge.setting import Setting

ROWS: tuple[Setting, ...] = ()
