"""Read the answer of a workspace into a ``Snapshot``.

In: the lines of ``remote/detect.sh``, ``flakes.sh`` and ``read.sh`` with ``managed.sh``, which one
command prints. Out: a frozen ``Snapshot``. An incomplete answer raises ``SnapshotError``, so that a
missing line is never taken for an absent file.
"""

from __future__ import annotations

import base64
import re
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import replace

from converge import trial
from converge.kde import chezmoi
from converge.plan import flakes
from converge.plan.flakes import Flake
from converge.plan.snapshot import (
    Generation,
    Kind,
    LastBuild,
    Lock,
    Managed,
    Node,
    Snapshot,
    Transaction,
)
from converge.plan.written import PARTS, LastWritten
from converge.text import limits
from converge.trial import Trial

NEEDED_FACTS = frozenset(
    {"uid", "system_uid", "user", "home", "state", "hostname", "boot_id", "uptime_s", "soak_boot"}
)
NUMBERS = ("uid", "system_uid", "uptime_s")
#: Bytes and lines of a managed file: three times one of 100,000 lines, which takes seconds.
FILE_LIMIT, LINE_LIMIT = 8 * 1024 * 1024, 300_000
LOWER_LIMIT = 1024 * 1024  # bytes of a KDE file of a lower layer; a larger one is passed over
#: A staged file that remote/write.sh puts beside a target, or a lock file of KConfig's while it is
#: being made.
_STAGED = re.compile(r"\.[^\n]+\.wt-[0-9a-z.-]+")


def _staged(path: str) -> bool:
    directory, slash, name = path.rpartition("/")
    return bool(slash and "\n" not in directory and len(name) < 256 and _STAGED.fullmatch(name))


class SnapshotError(Exception):
    """The workspace's answer is incomplete or malformed: its state is unknown."""


_KINDS = {
    tarfile.REGTYPE: Kind.FILE,
    tarfile.AREGTYPE: Kind.FILE,
    tarfile.LNKTYPE: Kind.FILE,
    tarfile.CONTTYPE: Kind.FILE,
    tarfile.DIRTYPE: Kind.DIRECTORY,
    tarfile.SYMTYPE: Kind.SYMLINK,
    tarfile.FIFOTYPE: Kind.FIFO,
}


def _nodes(encoded: str) -> Iterable[Node]:
    try:
        packed = base64.b64decode(encoded, validate=True)
        for member, content in limits.members(limits.unpack(packed)):
            kind = _KINDS.get(member.type, Kind.DEVICE)
            if len(content) > FILE_LIMIT or content.count(b"\n") > LINE_LIMIT:
                raise SnapshotError(
                    f"{member.name} has {len(content)} bytes, and a run looks at files of "
                    f"{FILE_LIMIT} bytes and {LINE_LIMIT} lines at most; move it away, then run "
                    "again"
                )
            yield Node(
                path=member.name if member.name.startswith("/") else f"/{member.name}",
                kind=kind,
                mode=member.mode & 0o7777,
                uid=member.uid,
                owner=member.uname or str(member.uid),
                content=content,
                target=member.linkname if kind is Kind.SYMLINK else "",
            )
    except ValueError as error:
        raise SnapshotError(f"the archive of managed files: {error}") from error


def _managed(known: Managed | None, word: str, answer: tuple[int, str, str]) -> Managed | None:
    """What is known of a target after one more answer of chezmoi's; None: not managed."""
    try:
        if word == "chezmoi":
            source = chezmoi.read_source_path(*answer)
            return Managed(source=source.path) if source else None
        stamp = chezmoi.read_last_written(*answer) or ""
    except chezmoi.ChezmoiError as error:
        return replace(known or Managed(), trouble=str(error), failed=True)
    return replace(known or Managed(), last_written=stamp)


def _answer(rest: str) -> tuple[str, tuple[int, str, str]]:
    """The target, and what chezmoi answered: exit code, output, errors."""
    path, code, output, errors = rest.split("\t")
    return path, (int(code), _plain(output), _plain(errors))


def _plain(encoded: str) -> str:
    return base64.b64decode(encoded, validate=True).decode(errors="replace")


def parse(lines: Iterable[str], earlier: Snapshot | None = None) -> Snapshot:
    """The snapshot from the lines that one reading prints. ``earlier``: the snapshot that has the
    machine and the flakes, where this reading has not looked at them.

    Raises ``SnapshotError`` where the lines are incomplete or malformed.
    """
    try:
        return _parse(list(lines), earlier)
    except (ValueError, IndexError) as error:
        raise SnapshotError(f"the snapshot is malformed: {error}") from error


def _parse(rows: list[str], earlier: Snapshot | None) -> Snapshot:
    machine = earlier.machine if earlier else ()
    if "detected" in rows:  # remote/detect.sh comes first; its last line
        middle = rows.index("detected") + 1
        machine, rows = tuple(rows[:middle]), rows[middle:]
    read: Mapping[str, Flake] = earlier.flakes if earlier else {}
    if rows and rows[0] == flakes.BEGIN and flakes.END in rows:  # then remote/flakes.sh
        middle = rows.index(flakes.END)
        read, rows = flakes.parse(rows[1:middle]), rows[middle + 1 :]
    if not rows or rows[0] != "workspace-read 1":
        raise SnapshotError("the workspace did not answer with a snapshot of version 1")
    if rows[-1] != "end":
        raise SnapshotError("the snapshot was cut before its end")

    facts: dict[str, str] = {}
    marks: set[str] = set()
    tools: dict[str, str] = {}
    profiles: dict[str, str] = {}
    generations: dict[str, list[Generation]] = {}
    absent: set[str] = set()
    unreadable: set[str] = set()
    leftovers: list[str] = []
    managed: dict[str, Managed | None] = {}
    bases: dict[str, bytes] = {}
    follows: dict[str, str] = {}
    lock: dict[str, str] = {}
    built: dict[str, LastBuild] = {}
    transactions: list[Transaction] = []
    config_dirs: list[str] = []
    lower: dict[str, bytes] = {}
    parts: dict[str, dict[str, str]] = {}
    trials: dict[str, Trial] = {}
    #: (directory, "found" or "journal") -> lines: what a trial found, a failed boot's journal.
    told: dict[tuple[str, str], list[str]] = {}
    running = ""
    try:
        start = rows.index("files")
    except ValueError as error:
        raise SnapshotError("the snapshot has no archive of managed files") from error

    for row in rows[1:start]:
        word, _, rest = row.partition(" ")
        first, _, second = rest.partition(" ")
        match word:
            case "fact":
                facts[first] = second
            case "mark":
                marks.add(first)
            case "tool":
                tools[first] = second
            case "profile":
                profiles[first] = second
            case "generation":
                number, mark, path = second.split(" ", 2)
                generation = Generation(
                    number=limits.number(number), path=path, current=mark == "current"
                )
                generations.setdefault(first, []).append(generation)
            case "running":
                running = second
            case "built":
                digest, _, path = second.partition(" ")
                built[first] = LastBuild(inputs=digest, path=path)
            case "transaction":
                directory, number, alive, left, word, *reason = rest.split(" ", 5)
                transactions.append(
                    Transaction(
                        directory=directory,
                        number=limits.number(number),
                        alive=alive == "yes",
                        left_s=limits.number(left),
                        word=word,
                        reason=reason[0] if reason else "",
                    )
                )
            case "part":
                part, standing, directory = rest.split(" ", 2)
                parts.setdefault(directory, {})[part] = standing
            case "trial":
                directory, tried = trial.parse(rest)
                trials[directory] = tried
            case "trial_said":
                directory, what, line = trial.parse_said(rest)
                told.setdefault((directory, what), []).append(line)
            case "lock":
                lock[first] = second
            case "absent":
                absent.add(rest)
            case "unreadable":
                unreadable.add(rest)
            case "leftover":
                if not _staged(rest):
                    raise SnapshotError("the snapshot names a left over file that is none of ours")
                leftovers.append(rest)
            case "config_dir":
                config_dirs.append(rest)
            case "lower":
                path, _, encoded = rest.rpartition(" ")
                text = base64.b64decode(encoded, validate=True)
                if len(text) <= LOWER_LIMIT:
                    lower[path] = text
            case "chezmoi" | "chezmoi_entry":
                path, answer = _answer(rest)
                managed[path] = _managed(managed.get(path), word, answer)
            case "chezmoi_source":
                path, _, source = rest.partition("\t")
                managed[path] = _managed(None, "chezmoi", (0, source, ""))
            case "chezmoi_base":
                path, _, encoded = rest.partition("\t")
                bases[path] = base64.b64decode(encoded, validate=True)
            case "chezmoi_runs":
                path, _, encoded = rest.partition("\t")
                managed[path] = Managed(trouble=f"{_plain(encoded)}; {chezmoi.NOTHING_RUN}")
            case "follows":
                path, _, target = rest.partition("\t")
                follows[path] = target
            case "chezmoi_missing":
                path, _, source = rest.partition("\t")
                why = f"chezmoi is not found here, and {source} is its source"
                managed[path] = Managed(source=source, trouble=why)
            case _:
                raise SnapshotError(f"the snapshot has an unknown line: {word[:40]!r}")

    nodes: dict[str, Node] = {}
    for node in _nodes("".join(rows[start + 1 : -1])):
        if _staged(node.path):
            leftovers.append(node.path)
        else:
            nodes[node.path] = node
    for path, target in tuple(follows.items()):
        target_of = managed.get(path)
        if (
            target in nodes
            and nodes[target].kind is Kind.FILE
            and (not target_of or target_of.source == target)
        ):
            nodes[path] = replace(nodes[target], path=path)
            managed.pop(path, None)  # a link into chezmoi's source: the source is the live file
        else:
            del follows[path]
    for path, known in managed.items():
        # chezmoi has no source file for a file that it fetches.
        if known and known.source in absent and not known.trouble:
            managed[path] = replace(known, trouble=chezmoi.FETCHED)
    missing = NEEDED_FACTS - facts.keys()
    missing |= {name for name in NUMBERS if limits.count(facts.get(name, "")) is None}
    missing |= {name for name in ("home", "state") if not facts.get(name, "").startswith("/")}
    missing |= {"system", "home"} - (read.keys() & profiles.keys())
    if missing:
        raise SnapshotError(f"the snapshot lacks {sorted(missing)}")
    trials = {
        directory: replace(
            tried,
            found=tuple(told.get((directory, "found"), ())),
            journal=tuple(told.get((directory, "journal"), ())),
        )
        for directory, tried in trials.items()
    }
    return Snapshot(
        facts=facts,
        marks=frozenset(marks),
        tools=tools,
        profiles=profiles,
        generations={
            name: tuple(sorted(numbered, key=lambda generation: generation.number))
            for name, numbered in generations.items()
        },
        flakes=read,
        nodes=nodes,
        absent=frozenset(absent),
        unreadable=frozenset(unreadable),
        leftovers=tuple(leftovers),
        chezmoi={
            path: replace(known, base=bases.get(path)) for path, known in managed.items() if known
        },
        follows=follows,
        machine=machine,
        built=built,
        transactions=tuple(
            replace(each, parts=parts.get(each.directory, {}), trial=trials.get(each.directory))
            for each in sorted(transactions, key=lambda each: (each.number, each.run))
        ),
        running_system=running,
        lock=_lock(lock),
        written=_written(facts, nodes),
        config_dirs=tuple(config_dirs),
        lower=lower,
    )


def _written(facts: Mapping[str, str], nodes: Mapping[str, Node]) -> LastWritten:
    """What was written last; for a part that was undone by itself, what was written before it."""
    record = nodes.get(f"{facts['state']}/written.json")
    written = LastWritten.parse(record.content if record else None)
    for part in PARTS:
        before = nodes.get(f"{facts['state']}/undone/{part}")
        if before is not None:
            earlier = LastWritten.parse(before.content or None)
            written = written.with_part(part, earlier, home=facts["home"])
    noted = f"{facts['state']}/undone/"
    ends = (path[len(noted) :].partition("/") for path in nodes if path.startswith(noted))
    for run in sorted({run for run, inside, _ in ends if inside}):
        files = (nodes.get(f"{noted}{run}/{name}") for name in ("after", "before", "parts"))
        after, then, parts = (file.content if file else b"" for file in files)
        if after:
            written = written.without(
                LastWritten.parse(after),
                LastWritten.parse(then or None),
                frozenset(parts.decode(errors="replace").splitlines()),
                home=facts["home"],
            )
    return written


def _lock(lines: Mapping[str, str]) -> Lock | None:
    if not lines:
        return None
    return Lock(
        run=lines.get("run", "?"),
        host=lines.get("host", "?"),
        user=lines.get("user", "?"),
        pid=lines.get("pid", "?"),
        since=limits.count(lines.get("since", "")) or 0,
        alive=lines.get("alive") == "yes",
    )
