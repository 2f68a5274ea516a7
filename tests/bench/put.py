"""The peer: the same files with pyinfra's own operation, as its documentation shows it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pyinfra import host
from pyinfra.operations import files

for _number, (_source, _target, _mode) in enumerate(
    json.loads(Path(os.environ["BENCH_FILES"]).read_text())[host.data.workspace]
):
    files.put(name=f"file {_number}", src=_source, dest=_target, mode=_mode)
