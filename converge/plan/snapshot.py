"""The observed state of a workspace, as values.

A frozen ``Snapshot`` and what it is made of; ``converge.plan.observed`` reads it from the answer.
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
    """One thing at a managed path. ``content`` only for a file, ``target`` only for a link."""

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
    """A numbered link of a Nix profile and the store path behind it."""

    number: int
    path: str
    current: bool


@dataclass(frozen=True, kw_only=True)
class Lock:
    """Who holds the workspace's lock; ``alive`` is what the workspace itself could see."""

    run: str
    host: str
    user: str
    pid: str
    since: int  # seconds since the epoch, on the holder's clock
    alive: bool


@dataclass(frozen=True, kw_only=True)
class LastBuild:
    """What the last build of a layer made: digest of all that went in, store path."""

    inputs: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Transaction:
    """A change that was activated: how it stands. ``number``: how many there were on the workspace
    before, so that no clock decides which is the newest; ``alive``: its process is there;
    ``left_s``: seconds until it undoes itself; ``word``: activating, activated, keeping, kept,
    undoing, undone or broken; ``parts``: nixos, home-manager, plasma+session -> in-force, undone or
    broken, for those that the change has."""

    directory: str
    number: int = 0
    alive: bool
    left_s: int
    word: str
    reason: str
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
        """Whatever its status says, or does not say any more: not while its process is there."""
        return self.word in ("kept", "undone", "broken") and not self.alive


@dataclass(frozen=True, kw_only=True)
class Managed:
    """What chezmoi says of one target: the path of its source, and the digest of the bytes that
    chezmoi wrote last ("" where it never did, and where both files hold the same). ``base``: those
    bytes, where they are still known and both files are others. ``trouble``: why it cannot say."""

    source: str = ""
    last_written: str = ""
    base: bytes | None = None
    trouble: str = ""


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
    follows: Mapping[str, str] = field(default_factory=dict)  # link of the user's own -> its file
    built: Mapping[str, LastBuild] = field(default_factory=dict)  # by layer
    machine: tuple[str, ...] = ()  # the lines of remote/detect.sh
    transactions: tuple[Transaction, ...] = ()  # the newest last
    running_system: str = ""
    lock: Lock | None = None
    written: LastWritten = field(default_factory=LastWritten)
    config_dirs: tuple[str, ...] = ()  # XDG_CONFIG_DIRS of the desktop, the first one wins
    lower: Mapping[str, bytes] = field(default_factory=dict)  # KDE's files there, and /etc/kde5rc
    #: KDE file with a modify_ source -> what chezmoi would make of it with our entries, or why that
    #: is not known. Asked once the entries are known (remote/modified.sh).
    modified: Mapping[str, bytes | str] = field(default_factory=dict)

    @property
    def home(self) -> str:
        return self.facts["home"]

    @property
    def state(self) -> str:
        """The directory on the workspace for all that outlives a run, 0700."""
        return self.facts["state"]

    @property
    def clock(self) -> Clock:
        return Clock(boot=self.facts["soak_boot"], uptime_s=int(self.facts["uptime_s"]))

    @property
    def needs_sudo(self) -> bool:
        """Whether system files and the system profile are out of the user's own reach."""
        return self.facts["uid"] != self.facts["system_uid"]

    def expand(self, path: str) -> str:
        """``~/x`` as an absolute path of the workspace's user; ``~/.config`` is where the user's
        programs look for it (XDG_CONFIG_HOME)."""
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
        """The newest change that is tried at a boot, or was, unless a later one took its place."""
        last = self.last_transaction
        return last if last and last.trial else self.open_trial

    @property
    def open_trial(self) -> Transaction | None:
        """The change of which the workspace still has to decide after a boot."""
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
        """The change that was undone while the generation that it brought runs until a restart."""
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
        """The system's generation that is on trial: activated, not current yet."""
        one = self.open_trial
        if one is None or one.trial is None:
            return None
        return next(
            (g for g in self.generations.get("system", ()) if g.number == one.trial.number), None
        )

    def current(self, profile: str) -> Generation | None:
        return next((g for g in self.generations.get(profile, ()) if g.current), None)

    def activated(self, profile: str) -> Generation | None:
        """What was switched to last: while a system is on trial, the profile stays behind it."""
        return (self.tried if profile == "system" else None) or self.current(profile)
