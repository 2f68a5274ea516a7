"""What goes to a workspace is packed as one stream, and once for many workspaces."""

from __future__ import annotations

import os
import zlib

import pytest

from tasks.reach import packing
from tasks.reach.packing import BEGINNING, PIECE, Packer

TEXT = os.urandom(BEGINNING // 3)


@pytest.fixture
def packed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of what was packed in this test, in their order."""
    packing._known.clear()
    lengths: list[int] = []
    pack = Packer._pack

    def counted(self: Packer, data: bytes, flush: int) -> bytes:
        lengths.append(len(data))
        return pack(self, data, flush)

    monkeypatch.setattr(Packer, "_pack", counted)
    return lengths


def sent(*packets: bytes) -> list[bytes]:
    """What goes over a new connection for each packet; the other side reads them as they come."""
    packer, unpacker = Packer(), zlib.decompressobj()
    streams = [packer(packet) for packet in packets]
    assert [unpacker.decompress(stream) for stream in streams] == list(packets)
    return streams


def test_what_was_sent_before_is_not_sent_again_in_full() -> None:
    first, second = sent(TEXT[:20_000], TEXT[:20_000])
    assert len(second) < 1000 < len(first)


def test_the_same_beginning_is_packed_once_for_all_connections(packed: list[int]) -> None:
    first = sent(b"open", TEXT)
    assert sum(packed) == 4 + len(TEXT)
    packed.clear()
    assert sent(b"open", TEXT) == first
    assert packed == []
    for name in range(5 * packing.REMEMBERED):
        sent(b"open", TEXT + b"%d" % name)
    assert packed.count(PIECE) == 1, "only the end has names; TEXT was itself an end before"
    assert len(packing._known) == packing.REMEMBERED


def test_no_connection_is_given_the_text_of_another(packed: list[int]) -> None:
    texts = [
        (b"open", TEXT),
        (b"opeN", TEXT),
        (TEXT, b"open"),
        (b"op", b"en", TEXT),
        (b"open" + TEXT,),
    ]
    streams = [sent(*text) for text in texts]
    assert sum(packed) == sum(len(piece) for text in texts for piece in text)
    assert len({b"".join(stream) for stream in streams}) == len(texts)


@pytest.mark.parametrize(
    "length", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, BEGINNING, 3 * BEGINNING]
)
def test_packets_of_every_length_arrive(length: int, packed: list[int]) -> None:
    text = (TEXT * (3 * 3))[:length]
    for _ in range(2):
        sent(text, b"and more", text)


def test_a_packet_that_begins_as_a_longer_one_arrives_whole(packed: list[int]) -> None:
    sent(TEXT)
    sent(TEXT[:PIECE], TEXT[PIECE:])


def test_what_comes_late_on_a_connection_is_not_remembered(packed: list[int]) -> None:
    sent(b"x" * BEGINNING, TEXT)
    before = len(packing._known)
    packed.clear()
    sent(b"x" * BEGINNING, TEXT)
    assert sum(packed) == len(TEXT)
    assert len(packing._known) == before
