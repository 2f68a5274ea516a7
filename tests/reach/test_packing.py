"""What goes to a workspace is packed as one stream, and once for many workspaces."""

from __future__ import annotations

import os
import shlex
import subprocess
import zlib

import pytest
from pyinfra.connectors.util import make_unix_command

from tasks.reach import packing, remote
from tasks.reach.packing import BEGINNING, PIECE, Packer

TEXT = os.urandom(BEGINNING // 3 + 100)


@pytest.fixture
def packed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of what was packed in this test, in their order."""
    packing._known.clear()
    lengths: list[int] = []
    pack = Packer._pack

    def counted(self: Packer, data: bytes) -> bytes:
        lengths.append(len(data))
        return pack(self, data)

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
    whole = packed.count(PIECE)
    assert whole > 0
    packed.clear()
    assert sent(b"open", TEXT) == first
    for name in range(5 * packing.REMEMBERED):
        sent(b"open", TEXT + b"%d" % name, *[b"end"] * packing.REMEMBERED)
    assert packed.count(PIECE) == 0
    assert len(packing._known) == whole


def test_the_latest_pieces_are_remembered(packed: list[int]) -> None:
    for name in range(2 * packing.REMEMBERED):
        sent(b"open", TEXT)
        sent(b"%d" % name + TEXT)
        sent(b"open", TEXT)
    assert len(packing._known) == packing.REMEMBERED
    packed.clear()
    sent(b"open", TEXT)
    assert packed.count(PIECE) == 0


def test_the_readings_of_workspaces_with_environments_of_their_own_are_packed_once(
    packed: list[int],
) -> None:
    text = f"# {os.urandom(BEGINNING // 4).hex()}\necho $HOME $#"
    for number in (1, 22, 333):
        given = remote.sh(text, "workspace-snapshot", f"~/dotfiles-{number}")
        given = remote.alike(given, {"HOME": f"/h/{number}", "NAME": f"it's {number}"})
        whole = make_unix_command(given).get_raw_value()
        packed.clear()
        sent(len(whole).to_bytes(4, "big") + whole.encode())
        assert number == 1 or sum(packed) < PIECE + 1024
        done = subprocess.run(shlex.split(whole), capture_output=True, text=True, check=True)
        assert done.stdout == f"/h/{number} 1\n"


@pytest.mark.parametrize("value", ["", "a b", "it's; exit 3", "$HOME `id` \\ \n\n*", "}; id"])
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_variable_of_a_command_arrives_as_it_is(value: str, shell: str) -> None:
    """And the command ends as its program ends."""
    given = remote.sh('printf %s "$VALUE"; exit 7', "workspace-x", "2")
    given = remote.alike(given, {"VALUE": value, "OTHER": "x"})
    done = subprocess.run([shell, "-c", given.get_raw_value()], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (7, value, "")


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
    assert packed[-3:] == [PIECE, PIECE, 100], "all of TEXT"
    assert len(packing._known) == before
