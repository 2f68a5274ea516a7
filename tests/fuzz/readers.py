"""The readers of what a workspace says, which may raise only their own error for any bytes.

Each reader is called as a run calls it, and its own error is passed over. Any other exception is a
fault: it would end a step unexpectedly, in place of a reason for a person.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from converge.effect import Effect
from converge.gate import detect
from converge.gate.gate import gate
from converge.journal.form import plain
from converge.journal.kinds import FindingRecord
from converge.kde import back, chezmoi, heal, lower, merge, taken, text
from converge.measure import choice, felt, memory, samples
from converge.measure.history import History
from converge.plan import flakes, observed, snapshot, unread
from converge.plan.written import LastWritten
from converge.profile.profile import load_profile
from converge.proof import inquiry
from converge.proof.check import Context, Reply, When
from converge.subjects.checks import ITEMS, PROOFS
from converge.text import limits
from tests.fuzz import plans
from tests.fuzz.words import lines, stream, stream_seeds, words, words_seeds
from tests.gate.test_any_machine import assert_passes
from tests.plan.test_snapshot import answer
from tests.proof import checks
from tests.subjects import CASES


@dataclass(frozen=True, kw_only=True)
class Reader:
    """``read`` takes one answer; ``seeds`` are right answers to begin with; ``called`` names the
    functions of the product that read it, by module and name."""

    read: Callable[[bytes], None]
    seeds: Callable[[], Iterator[bytes]]
    called: tuple[str, ...]


# ---- the snapshot --------------------------------------------------------------------------------


def _snapshot(data: bytes) -> None:
    rows = lines(data)
    framed = unread.framed(rows)
    assert unread.why(rows, rows[:4]).startswith("the workspace could not be read")
    assert unread.lacks(rows) in (True, False)
    with contextlib.suppress(observed.SnapshotError):
        _whole(observed.parse(framed if framed is not None else rows))


def _whole(found: snapshot.Snapshot) -> None:
    """What a run asks of every snapshot before it plans."""
    _ = (found.clock, found.open_transaction, found.last_transaction, found.needs_sudo)
    _ = (found.written.encode(), found.state, found.home, found.expand("~/x"))
    for flake in found.flakes.values():
        _ = (flake.url, flake.seen, flake.fault("system_flake"))


def _snapshot_seeds() -> Iterator[bytes]:
    words = (
        *("mark nixos", "tool nix /bin/nix", "running system /nix/store/now", "absent /home/me/x"),
        *("generation home 9 old /nix/store/9", "generation home 10 current /nix/store/10"),
        *("built nixos abc /nix/store/new", "unreadable /z", "leftover /home/me/.a.wt-1"),
        *("lock run r", "lock since 12", "lock alive yes", "lock host h"),
        "transaction /home/me/state/runs/r1/transaction 3 yes 42 activated r1 and more",
    )
    yield "\n".join([unread.BEGIN, *answer(*words), ""]).encode()
    yield "\n".join(answer("mark systemd")).encode()


def _archive(data: bytes) -> None:
    """``data`` as the tar within the answer, and as what should have been packed."""
    with contextlib.suppress(ValueError):
        list(limits.members(data))
    with contextlib.suppress(ValueError):
        limits.unpack(data)
    packed = base64.b64encode(gzip.compress(data, 1)).decode()
    with contextlib.suppress(observed.SnapshotError):
        _whole(observed.parse(answer(files=packed)))


def _archive_seeds() -> Iterator[bytes]:
    from tests.test_limits import chain, negative, tar

    yield tar(("/home/me/x", b"1"), ("/home/" + "u" * 150, b"2"))
    yield tar(("/home/me/state/written.json", LastWritten(files={"/x": "0" * 64}).encode()))
    yield negative()
    yield chain(b"x")[: 512 * 4]
    yield gzip.compress(b"packed")


def _records(data: bytes) -> None:
    """Records of our own that lie on a workspace, where anybody may have written them."""
    for one in (LastWritten.parse(data), LastWritten.parse(None)):
        assert LastWritten.parse(one.encode()).files == one.files
    History.parse(data).encode()
    said = data.decode(errors="replace")
    for status in (0, 1):
        with contextlib.suppress(chezmoi.ChezmoiError):
            chezmoi.read_last_written(status, said, said)
        with contextlib.suppress(chezmoi.ChezmoiError):
            chezmoi.read_source_path(status, said, said)
    with contextlib.suppress(ValueError):
        json.dumps(limits.document(data), allow_nan=False)
    with contextlib.suppress(ValueError):
        limits.toml(said)


def _records_seeds() -> Iterator[bytes]:
    made = LastWritten(
        files={"/home/me/x": "0" * 64},
        entries={"/home/me/.config/kwinrc": {(("Compositing",), "Backend"): "OpenGL"}},
    )
    yield made.encode()
    yield b'{"type": "file", "contentsSHA256": "abc"}'
    yield b'a.b = [1, 2.5, {c = "x"}]\n'
    yield b'{"1": [1, -2.5e3, "x", null, true, {"a": []}]}'


def _flakes(data: bytes) -> None:
    with contextlib.suppress(flakes.FlakesError, ValueError):
        for one in flakes.parse(lines(data)).values():
            _ = (one.url, one.seen, one.fault("home_flake"), one.shown)


def _flakes_seeds() -> Iterator[bytes]:
    yield b"flake system absent - /etc/nixos\nflake home git d /home/me/flake\n"
    yield (
        b"flake home git d /home/me/flake\nflake_within home sub\nflake_mark home shallow\n"
        b"flake_private home .git\nflake_private_more home 3\nuntracked home a b.nix\n"
        b"flake_times home 1 2\nflake_why home no\n"
    )


# ---- the machine ---------------------------------------------------------------------------------


@cache
def _profile() -> Any:
    return load_profile(checks.PROJECT / "inventory/hardware/shoshin.yaml")


def _detected(data: bytes) -> list[str]:
    """The lines of a whole answer of ``detect.sh``."""
    rows = lines(data)
    begin = f"detect\t{detect.FORMAT}"
    return [*([] if rows[:1] == [begin] else [begin]), *rows, "detected", ""]


def _machine(data: bytes) -> None:
    with contextlib.suppress(detect.NotDetected):
        machine = detect.parse("\n".join(_detected(data)))
        for verdict in gate(_profile(), machine, ()):
            assert verdict.fact


def _declared(data: bytes) -> None:
    """The profile that is written of such a machine loads, and its own gate is content with it."""
    with contextlib.suppress(detect.NotDetected):
        assert_passes(detect.parse("\n".join(_detected(data))))


def _machine_seeds() -> Iterator[bytes]:
    from tests.gate import machines

    for path in sorted(machines.MACHINES.glob("*.tree"))[::4]:
        yield _shortened(path.stem).encode()


@cache
def _shortened(name: str) -> str:
    """What detect.sh prints of a recorded machine."""
    import tempfile

    from tests.gate import machines

    with tempfile.TemporaryDirectory() as directory:
        return machines.detect(machines.grow(name, Path(directory)))


# ---- checks --------------------------------------------------------------------------------------


@cache
def _known() -> tuple[Context, tuple[inquiry.Job, ...], tuple[Any, ...]]:
    known = checks.context()
    todo = inquiry.jobs(known, ITEMS, PROOFS, when=frozenset(When))
    return known, todo, inquiry.questions(known, todo)


def _findings(data: bytes) -> None:
    known, todo, asked = _known()
    rows = lines(data)
    inquiry.whole(rows)
    before, behind = inquiry.apart(rows)
    assert [*before, *behind] == [*rows]
    read = inquiry.read(known, asked, rows)
    few = todo[:: max(1, len(todo) // 16)]
    assert len(inquiry.findings(known, few, read)) == len(few)


def _findings_seeds() -> Iterator[bytes]:
    rows = [f"answer {place} =eAo= 0 =" for place in range(12)]
    yield "\n".join(["workspace-check 1", *rows, "answer 13 timeout", "end", ""]).encode()
    shared = b"\nm 0 1\nx\n\nm 1 0\n\nm =%b\n" % base64.b64encode(b"none\n\nm 0\n\nm 1\n")
    yield b"workspace-check 1\ndone 0 1\nshare m =%b\nend\n" % base64.b64encode(shared)


@cache
def _cases() -> tuple[tuple[str, tuple[inquiry.Job, ...], tuple[Any, ...]], ...]:
    found = []
    for name, case in sorted(CASES.items()):
        todo = checks.jobs(name, case.context)
        found.append((name, todo, inquiry.questions(case.context, todo)))
    return tuple(found)


def _check(data: bytes) -> None:
    """The first byte chooses a check; what follows is what each of its programs prints, one behind
    the other with a byte 255 between them."""
    cases = _cases()
    name, todo, asked = cases[(data[0] if data else 0) % len(cases)]
    case = CASES[name]
    printed = iter(data[1:].split(b"\xff"))
    replies: dict[Any, Reply] = {}
    for key, good in case.good.items():
        words = next(printed, None)
        if words is None:
            words = good.encode() if isinstance(good, str) else good.output
        status = 0 if isinstance(good, str) else good.status
        replies[key] = Reply(
            status=status, output=words, errors=words[:80].decode("utf-8", "replace")
        )
    answers = checks.answers(asked, replies, sandbox=case.context.sandbox)
    found = inquiry.findings(case.context, todo, answers)[0]
    assert found.effect in Effect
    json.dumps(plain(FindingRecord.of(found)))


def _check_seeds() -> Iterator[bytes]:
    for number, (name, _, _) in enumerate(_cases()):
        good = [one if isinstance(one, str) else one.text for one in CASES[name].good.values()]
        yield bytes([number]) + b"\xff".join(one.encode() for one in good)


# ---- KDE files, measurements ---------------------------------------------------------------------

_WANTED: Mapping[tuple[str, ...], Mapping[str, Any]] = {
    ("Compositing",): {"Backend": "OpenGL", "AnimationSpeed": "1"},
    ("Plugins",): {"blurEnabled": "false"},
    ("A", "B]"): {"key": "\tvalue "},
}


def _kde(data: bytes) -> None:
    """A KDE file as it lies there, the same cut in two for what has two sides."""
    live, _, source = data.partition(b"\0")
    found = lower.cascade(
        [lower.CascadeFile(path="/a", text=live), lower.CascadeFile(path="/b", text=source)]
    )
    lower.over(_WANTED, found)
    lower.locked(_WANTED, found)
    list(text.read_file(live))
    before = back.in_force(live)
    for made in before.values():
        back.reading(made)
    with contextlib.suppress(text.KConfigError):
        merged = merge.merge(live, _WANTED, name="kwinrc")
        assert merge.merge(merged.text, _WANTED).text == merged.text, "a merge is idempotent"
        undone = taken.taken_back(merged.text, back.changed(live, merged.text, _WANTED))
        found_again = back.in_force(undone.text)
        for identity, one in before.items():
            assert found_again.get(identity) == one, "what was in force is in force again"
    with contextlib.suppress(text.KConfigError):
        heal.heal(live, source, None, _WANTED)


def _kde_seeds() -> Iterator[bytes]:
    for path in sorted((Path(__file__).parents[1] / "data/kconfig").glob("*/before"))[::3]:
        yield path.read_bytes()
    yield b"[Compositing]\nBackend=XRender\n\0[Compositing]\nBackend=OpenGL\n"


def _measured(data: bytes) -> None:
    rows = lines(data)
    _ = samples.parse(rows).gain
    with contextlib.suppress(memory.UnknownMemory):
        memory.parse(["workspace-memory 1", *rows, "end"])
    _ = choice.propose(choice.parse(rows), in_use="lzo-rle")
    with contextlib.suppress(felt.UnknownFelt):
        felt.parse(["workspace-felt 1", *rows, "end"])


def _measured_seeds() -> Iterator[bytes]:
    yield b"cpu Ryzen\nload 0.5\npair 1 stock 1.0 1.0\npair 1 optimized 0.5 0.5\ndone\n"
    yield (
        b"boot b\ncpu c\ntotal 100\navailable 50\nprocess firefox 12 7 1000\n"
        b"start firefox 12 7\nhistory\ne30=\n"
    )


READERS: Mapping[str, Reader] = {
    "snapshot": Reader(
        read=_snapshot,
        seeds=_snapshot_seeds,
        called=(
            "converge.plan.observed.parse",
            "converge.plan.unread.framed",
            "converge.plan.unread.lacks",
            "converge.plan.unread.why",
        ),
    ),
    "archive": Reader(
        read=_archive,
        seeds=_archive_seeds,
        called=("converge.text.limits.members", "converge.text.limits.unpack"),
    ),
    "records": Reader(
        read=_records,
        seeds=_records_seeds,
        called=(
            "converge.plan.written.LastWritten.parse",
            "converge.measure.history.History.parse",
            "converge.text.limits.document",
        ),
    ),
    "plan": Reader(
        read=plans.plan,
        seeds=plans.seeds,
        called=(
            "converge.text.limits.frame",
            "converge.text.reason.reason_of",
            "converge.plan.planning.make_plan",
        ),
    ),
    "flakes": Reader(read=_flakes, seeds=_flakes_seeds, called=("converge.plan.flakes.parse",)),
    "machine": Reader(read=_machine, seeds=_machine_seeds, called=("converge.gate.detect.parse",)),
    "declared": Reader(
        read=_declared, seeds=_machine_seeds, called=("converge.gate.declare.declare",)
    ),
    "findings": Reader(
        read=_findings,
        seeds=_findings_seeds,
        called=(
            "converge.proof.inquiry.apart",
            "converge.proof.inquiry.read",
            "converge.proof.inquiry.whole",
        ),
    ),
    "check": Reader(read=_check, seeds=_check_seeds, called=("converge.proof.inquiry.findings",)),
    "kde": Reader(read=_kde, seeds=_kde_seeds, called=("converge.kde.merge.merge",)),
    "measured": Reader(
        read=_measured,
        seeds=_measured_seeds,
        called=(
            "converge.measure.samples.parse",
            "converge.measure.memory.parse",
            "converge.measure.choice.parse",
            "converge.measure.felt.parse",
        ),
    ),
    "words": Reader(
        read=words,
        seeds=words_seeds,
        called=("converge.text.reason.reason", "tasks.steps.build.summary"),
    ),
    "stream": Reader(
        read=stream, seeds=stream_seeds, called=("tasks.reach.limits.read_output_buffers",)
    ),
}
_ALWAYS = ("stream", "words")  # of every program: its bytes, its reasons, what is shown of it
#: Each program of ``converge/remote`` that a controller listens to -> what reads its answer.
ANSWERS: Mapping[str, tuple[str, ...]] = {
    "detect": (*_ALWAYS, "machine", "declared"),
    "flakes": (*_ALWAYS, "flakes"),
    "read": (*_ALWAYS, "snapshot", "archive", "records", "kde", "plan"),
    "check": (*_ALWAYS, "findings", "check"),
    "measure": (*_ALWAYS, "measured"),
    "memory": (*_ALWAYS, "measured", "records"),
    **dict.fromkeys(("felt", "choose"), (*_ALWAYS, "measured")),
    # These say a few words, one a line.
    **dict.fromkeys(("write", "transact", "release", "remove", "pair", "elsewhere"), _ALWAYS),
    "modified": (*_ALWAYS, "plan"),
    **dict.fromkeys(("take", "build", "estimate", "origin"), _ALWAYS),
}
