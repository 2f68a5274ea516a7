"""One reader under libFuzzer: ``python -m tests.fuzz.target READER FILE [libFuzzer's arguments]``.

An input after which anything is raised is written to FILE."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import atheris

# Only what is imported in here is watched, so that libFuzzer sees which inputs lead further.
with atheris.instrument_imports(include=["converge", "tasks"], enable_loader_override=False):
    from converge.plan import desired
    from tests.fuzz.readers import READERS


def main() -> None:
    name, file, *arguments = sys.argv[1:]

    def read(data: bytes) -> None:
        try:
            READERS[name].read(data)
        except BaseException:
            Path(file).write_bytes(data)
            raise

    # The files of this repository do not change meanwhile; to read them takes longer than a plan.
    sources = cache(lambda *given: tuple(sources_of(*given)))
    sources_of, desired._sources = desired._sources, sources
    for seed in READERS[name].seeds():  # what is made once is made before anything is watched
        read(seed)
    atheris.Setup([f"fuzz-{name}", *arguments], read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
