"""Memory and storage."""

from __future__ import annotations

from converge.setting import Setting

ROWS: tuple[Setting, ...] = ()
