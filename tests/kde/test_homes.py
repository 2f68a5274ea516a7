"""The pure part of an undo brings KDE's files back, over random homes.

A home is KDE's files, each with or without a source, and a desktop that writes meanwhile.
PURE_HOMES says how many (``make homes`` takes 1,000).
"""

from __future__ import annotations

import os
from hashlib import sha256
from random import Random

import pytest

from converge.kde.back import changed, in_force, reading
from converge.kde.declared import Desired, declared
from converge.kde.heal import heal
from converge.kde.merge import KConfigError, merge
from converge.kde.taken import taken_back
from converge.setting import Layer
from converge.subjects.settings import ALL
from tests.run.furnish import LINES, STRANGE

PURE_HOMES = int(os.environ.get("PURE_HOMES", "60"))
#: Without entries that come twice: of one that only the source had, the line that was not in force
#: stays where somebody wrote since (docs/kconfig.md).
ONCE = tuple(one for one in STRANGE if b"contrastEnabled" not in one and b"Backend" not in one)
LOCKS = (b"[Locked][$i]\nk=60\n", b"[KDE]\nOther[$i]=true\n", b"[General]\nx[$d]\n")


def wanted() -> dict[str, Desired]:
    """The entries that the plan declares, by file."""
    found: dict[str, dict[tuple[str, ...], dict[str, object]]] = {}
    for setting in ALL:
        if setting.layer is Layer.PLASMA and isinstance(setting.value, dict):
            file = found.setdefault(setting.value["file"], {})
            for group, keys in declared(setting.value["entries"]).items():
                file.setdefault(group, {}).update(keys)
    return found  # type: ignore[return-value]


WANTED = wanted()


def text_of(random: Random) -> bytes | None:
    if random.random() < 0.15:
        return None
    text = b"".join(random.sample(LINES + ONCE + LOCKS, random.randint(0, 7)))
    if random.random() < 0.2:
        text = text.replace(b"\n", b"\r\n")
    return text.removesuffix(b"\n") if random.random() < 0.2 else text


def kde_writes(random: Random, text: bytes) -> tuple[bytes, Desired]:
    """What a program of the desktop does: entries of its own, in its own order of the groups."""
    count = random.randint(0, 3)
    theirs: Desired = {("Session",): {f"window {number}": "1,2,3" for number in range(count)}}
    return (merge(text, theirs).text, theirs) if count else (text, {})


def readings(text: bytes | None) -> dict[object, str]:
    return {one: reading(entry) for one, entry in in_force(text or b"").items()}


@pytest.mark.parametrize("seed", range(PURE_HOMES))
def test_of_a_random_home_each_entry_is_what_it_was_and_what_kde_wrote_is_there(seed: int) -> None:
    random = Random(seed)
    for name, desired in WANTED.items():
        live = text_of(random)
        shape = random.random()
        source = None if shape < 0.4 else live if shape < 0.7 else text_of(random)
        stamp = sha256(live or b"").hexdigest() if random.random() < 0.5 else None
        try:
            healed = heal(live, source, stamp, desired, base=random.choice((None, live)))
        except KConfigError:  # the run refuses the file, and changes nothing
            continue
        for before, after in ((live, healed.text), (source, healed.source)):
            if before is None and after is healed.source and source is None:
                continue
            ours = changed(before, after, desired)
            again = taken_back(after, ours)
            assert readings(again.text) == readings(before), name
            assert not again.left
            try:
                written, theirs = kde_writes(random, after)
            except KConfigError:
                continue
            back = taken_back(written, ours)
            want = {**readings(before), **readings(merge(b"", theirs).text)}
            assert readings(back.text) == want, name
            assert not back.left
            if back.text and not after.startswith((b"\n", b"\r")):
                assert not back.text.startswith((b"\n", b"\r\n")) or (before or b"").startswith(
                    (b"\n", b"\r")
                )
