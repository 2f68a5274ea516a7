"""The observed state of a workspace: a frozen ``Snapshot`` and its parts.

``converge.plan.observed`` makes a ``Snapshot`` from the answer of the workspace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

from converge.plan.flakes import Flake
from converge.plan.rollout import Clock
from converge.plan.written import LastWritten
from converge.trial import Trial


class Kind(StrEnum):
    FILE = "regular file"
    DIRECTORY = "directory"
    SYMLINK = "symbolic link"
    FIFO = "FIFO"
    DEVICE = "device"


@dataclass(frozen=True, kw_only=True)
class Node:
    """What is at a managed path. Only a file has ``content``, only a link has ``target``."""

    path: str
    kind: Kind
    mode: int
    uid: int
    owner: str
    content: bytes = b""
    target: str = ""

    @property
    def sha256(self) -> str:
        return sha256(self.content).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Generation:
    """A numbered link of a Nix profile and the store path that it leads to."""

    number: int
    path: str
    current: bool


@dataclass(frozen=True, kw_only=True)
class Lock:
    """Who holds the workspace's lock. ``alive``: the workspace found the holder's process."""

    run: str
    host: str
    user: str
    pid: str
    since: int  # seconds since the epoch, on the holder's clock
    alive: bool


@dataclass(frozen=True, kw_only=True)
class LastBuild:
    """The last build of a layer: the digest of all its inputs, and the store path."""

    inputs: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Transaction:
    """A change that was activated, and how it stands."""

    directory: str
    number: int = 0  # orders the transactions of a workspace, whatever its clock says
    alive: bool  # its process runs
    left_s: int  # seconds until it undoes itself
    word: str  # activating, activated, keeping, kept, undoing, undone or broken
    reason: str
    #: nixos, home-manager, plasma+session -> in-force, undone or broken; only the change's parts
    parts: Mapping[str, str] = field(default_factory=dict)
    trial: Trial | None = None  # of a change that needs a reboot

    @property
    def run(self) -> str:
        return self.directory.split("/")[-2]

    @property
    def in_force(self) -> frozenset[str]:
        """The parts that are not undone."""
        return frozenset(part for part, state in self.parts.items() if state != "undone")

    @property
    def ended(self) -> bool:
        """Whether the transaction has ended. While its process runs, it has not, whatever the
        status says."""
        return self.word in ("kept", "undone", "broken") and not self.alive

    @property
    def to_undo(self) -> bool:
        """Whether the change has ended, and some of it is in force."""
        return self.ended and self.word != "undone" and bool(self.in_force or not self.parts)


@dataclass(frozen=True, kw_only=True)
class Managed:
    """What chezmoi says of one target."""

    source: str = ""  # path of the source file
    last_written: str = ""  # sha256 of what chezmoi wrote last; "": never, or both files are equal
    base: bytes | None = None  # these bytes, where they are known and neither file has them
    trouble: str = ""  # why chezmoi cannot say
    failed: bool = False  # the trouble is an error of chezmoi's


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    facts: Mapping[str, str]
    marks: frozenset[str]  # nixos, ostree, wsl, systemd, user_bus, sudo
    tools: Mapping[str, str]  # name -> absolute path
    profiles: Mapping[str, str]  # "system", "home" -> path of the profile link
    generations: Mapping[str, tuple[Generation, ...]]
    flakes: Mapping[str, Flake]
    nodes: Mapping[str, Node]
    absent: frozenset[str]
    unreadable: frozenset[str]
    leftovers: tuple[str, ...]  # staged files of a killed run
    chezmoi: Mapping[str, Managed] = field(default_factory=dict)
    follows: Mapping[str, str] = field(default_factory=dict)  # the user's own link -> its file
    built: Mapping[str, LastBuild] = field(default_factory=dict)  # by layer
    machine: tuple[str, ...] = ()  # the lines of remote/detect.sh
    transactions: tuple[Transaction, ...] = ()  # the newest last
    running_system: str = ""
    lock: Lock | None = None
    written: LastWritten = field(default_factory=LastWritten)
    config_dirs: tuple[str, ...] = ()  # XDG_CONFIG_DIRS of the desktop, the first one wins
    lower: Mapping[str, bytes] = field(default_factory=dict)  # KDE's files there, and /etc/kde5rc
    #: KDE file with a modify_ source -> the bytes that the source makes of the file with our
    #: entries, or why they are not known. Read in a second command (remote/modified.sh).
    modified: Mapping[str, bytes | str] = field(default_factory=dict)

    @property
    def home(self) -> str:
        return self.facts["home"]

    @property
    def state(self) -> str:
        """The directory on the workspace for what outlives a run; its mode is 0700."""
        return self.facts["state"]

    @property
    def clock(self) -> Clock:
        return Clock(boot=self.facts["soak_boot"], uptime_s=int(self.facts["uptime_s"]))

    @property
    def needs_sudo(self) -> bool:
        """Whether only root can write system files and the system profile."""
        return self.facts["uid"] != self.facts["system_uid"]

    def expand(self, path: str) -> str:
        """``~/x`` as an absolute path in the user's home; ``~/.config`` becomes the directory that
        the user's programs read (XDG_CONFIG_HOME)."""
        config = self.facts.get("config")
        if config and (path == "~/.config" or path.startswith("~/.config/")):
            return config + path[len("~/.config") :]
        return f"{self.home}/{path[2:]}" if path.startswith("~/") else path

    @property
    def open_transaction(self) -> Transaction | None:
        return next(
            (transaction for transaction in self.transactions if not transaction.ended), None
        )

    @property
    def last_transaction(self) -> Transaction | None:
        return next(
            (transaction for transaction in reversed(self.transactions) if transaction.ended), None
        )

    @property
    def trial(self) -> Transaction | None:
        """The last transaction, if it has a trial; else the newest one whose trial is open."""
        last = self.last_transaction
        return last if last and last.trial else self.open_trial

    @property
    def open_trial(self) -> Transaction | None:
        """The newest transaction about whose trial the workspace still has to decide."""
        return next(
            (
                transaction
                for transaction in reversed(self.transactions)
                if transaction.trial and transaction.trial.open
            ),
            None,
        )

    @property
    def runs_on(self) -> Transaction | None:
        """A transaction that was undone although its generation still runs until a restart."""
        last = next(
            (
                transaction
                for transaction in reversed(self.transactions)
                if transaction.trial and transaction.trial.booted
            ),
            None,
        )
        return last if last and last.trial and last.trial.state.refuted else None

    @property
    def tried(self) -> Generation | None:
        """The generation of the system that is on trial: activated, but not current yet."""
        tried = self.open_trial
        if tried is None or tried.trial is None:
            return None
        return next(
            (g for g in self.generations.get("system", ()) if g.number == tried.trial.number), None
        )

    def current(self, profile: str) -> Generation | None:
        return next((g for g in self.generations.get(profile, ()) if g.current), None)

    def activated(self, profile: str) -> Generation | None:
        """The generation that was activated last: the one on trial, else the profile's current."""
        return (self.tried if profile == "system" else None) or self.current(profile)
