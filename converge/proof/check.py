"""A check: what it asks a workspace, and how it judges the answers. Data and pure functions.

In: a ``Context`` (what is known of a workspace before anything is asked) and the ``Answers``. Out:
a ``Verdict``. A check names probes (``converge/remote/probes``, ``converge/subjects/*/*probe.sh``);
one remote command runs the probes of all checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from converge.effect import Verdict, not_applicable, unanswered, unknown
from converge.plan.layers import NixLayer, home_within
from converge.plan.snapshot import Snapshot
from converge.plan.standing import Standing
from converge.profile.profile import Profile
from converge.setting import Layer, Phase, Setting
from converge.text.reason import reason

SANDBOX = "a sandbox has no kernel, no boot loader and no units of its own"

# Statuses of a probe (converge/remote/probes/common.sh).
MISSING, ABSENT, DENIED, NOBODY = 120, 121, 122, 123


#: ``Item.touched_by`` of an item that any change can touch.
ANY = frozenset(Layer)
#: ``Item.touched_by`` of an item that only a new generation can touch.
BUILT = frozenset({Layer.NIXOS, Layer.HOME_MANAGER})
#: ``Item.touched_by`` of an item that no change of a run can touch.
NOTHING: frozenset[Layer] = frozenset()


#: The home-manager generation within a generation of the system (files/nixos/home.nix).
HOME = "etc/workspace-tuning/home"


class When(StrEnum):
    """When a check has to hold."""

    BEFORE = "before"  # before anything is written; a reminder afterwards
    AFTER = "after"  # once its phase was rolled out
    ALWAYS = "always"


@dataclass(frozen=True)
class Ask:
    """One question: a probe and its arguments. Equal questions are asked once.

    ``limit``: seconds. ``machine``: it is about the running machine, so it is not asked in a
    sandbox."""

    probe: str
    arguments: tuple[str, ...] = ()
    limit: int = 10
    machine: bool = False


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The reply to a question. ``status``: exit status of the probe, one of the statuses above
    included; None where no answer came, and ``errors`` then says why."""

    status: int | None
    output: bytes = b""
    errors: str = ""
    cut: bool = False  # the output was longer than what is kept

    @property
    def text(self) -> str:
        return self.output.decode(errors="replace")

    @property
    def last_error(self) -> str:
        """Why it failed, in one line: what the tool calls its reason, else the last line."""
        lines = [line.strip() for line in self.errors.splitlines() if line.strip()]
        why = reason(self.errors.splitlines())
        return why.first if why else (lines or ["it gave no reason"])[-1]


class NoAnswer(Exception):
    """A judge cannot go on, and ``verdict`` is its verdict. ``Answers`` raises it, ``inquiry``
    catches it."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict


class Unreadable(ValueError):
    """An output is not what its program prints."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """What is known of a workspace before anything is asked.

    ``not_applicable``: layer -> why it does not apply. ``paths``: layer -> store path that this run
    activated and that has to be proved. ``root``: prefix of system paths, in a sandbox."""

    profile: Profile
    snapshot: Snapshot
    standings: tuple[Standing, ...] = ()
    not_applicable: Mapping[Layer, str] = field(default_factory=dict)
    layers: tuple[NixLayer, ...] = ()
    paths: Mapping[str, str] = field(default_factory=dict)
    root: str = ""

    @property
    def sandbox(self) -> bool:
        return bool(self.root)

    def path(self, path: str) -> str:
        return self.root + path

    def home(self, path: str) -> str:
        return f"{self.snapshot.home}/{path}"

    def layer(self, layer: Layer) -> NixLayer | None:
        """The Nix layer; None where it does not apply."""
        if layer in self.not_applicable:
            return None
        return next((nix for nix in self.layers if nix.layer is layer), None)

    def flake_fault(self, layer: Layer) -> str:
        """Why a layer that applies cannot be evaluated over the user's flake; or ""."""
        nix = self.layer(layer)
        if nix is None:
            return ""
        flake = self.snapshot.flakes[nix.base]
        why = flake.fault(nix.read_with)
        if not why and not flake.present:
            why = "; ".join(flake.why) or "no flake is there"
        return why and f"{flake.directory}: {why}"

    def in_force(self, prefix: str) -> tuple[Setting, ...]:
        """The settings in force whose id begins with ``prefix``."""
        return tuple(
            s.setting for s in self.standings if s.in_force and s.setting.id.startswith(prefix)
        )

    def generation(self, layer: Layer) -> str:
        """Store path of the generation of a Nix layer that is to be proved, or ""."""
        if layer is Layer.HOME_MANAGER and home_within(self.snapshot):
            system = self.generation(Layer.NIXOS)
            return system and f"{system}/{HOME}"
        current = self.snapshot.current("system" if layer is Layer.NIXOS else "home")
        return self.paths.get(layer.value) or (current.path if current else "")

    def activated(self, layer: Layer) -> bool:
        """Whether this run activated a generation of the layer."""
        nix = next((nix for nix in self.layers if nix.layer is layer), None)
        held = Layer.NIXOS if nix is not None and nix.within else layer
        return held.value in self.paths

    @property
    def links(self) -> tuple[str, ...]:
        """Links whose newest time is the time of the last switch. A generation that is not kept yet
        has no link of a profile, so the links that the switch itself makes are asked too."""
        paths = [
            f"{profile}-{current.number}-link"
            for name, profile in sorted(self.snapshot.profiles.items())
            if (current := self.snapshot.current(name))
        ]
        if self.paths:
            paths.append(self.path("/run/current-system"))
            paths.append(self.home(".local/state/home-manager/gcroots/current-home"))
        return tuple(paths)


class Answers:
    """The replies, by question. In a sandbox no question about the machine was asked."""

    def __init__(self, replies: Mapping[Ask, Reply], *, sandbox: bool = False) -> None:
        self.replies = replies
        self._sandbox = sandbox

    def reply(self, ask: Ask) -> Reply:
        """The reply to a question, with any status. Raises ``NoAnswer`` without a whole reply."""
        reply = self.replies.get(ask)
        if reply is None and ask.machine and self._sandbox:
            raise NoAnswer(not_applicable(SANDBOX))
        if reply is None:
            raise NoAnswer(unanswered(f"{ask.probe}: was not asked"))
        if reply.status is None:
            raise NoAnswer(unanswered(reply.errors))
        if reply.cut:
            raise NoAnswer(unanswered(f"{ask.probe}: its output is too long to be judged"))
        return reply

    def good(self, ask: Ask, *, statuses: Iterable[int] = (0,)) -> Reply:
        """The reply, if its status is one of ``statuses``. Raises ``NoAnswer`` with the reason."""
        reply = self.reply(ask)
        if reply.status in tuple(statuses):
            return reply
        match reply.status:
            case 120:
                reason = f"{reply.last_error} is not installed"
            case 121:
                reason = f"not there: {reply.last_error}"
            case 122:
                reason = f"not permitted to read {reply.last_error}"
            case 123:
                reason = reply.last_error
            case _:
                reason = f"{ask.probe} ended with {reply.status}: {reply.last_error}"
        raise NoAnswer(unknown(reason))

    def text(self, ask: Ask) -> str:
        return self.good(ask).text

    def has(self, ask: Ask) -> bool:
        """Whether the program, file, session or bus exists that the question is about."""
        return self.reply(ask).status not in (MISSING, ABSENT, NOBODY)


Judge = Callable[[Context, Answers], Verdict]
SettingJudge = Callable[[Context, Answers, Setting], Verdict]


@dataclass(frozen=True, kw_only=True)
class Check:
    """What every check has. ``phase``: None for a check that belongs to no phase."""

    id: str
    title: str
    phase: Phase | None = None


@dataclass(frozen=True, kw_only=True)
class Item(Check):
    """An item of the plan's checklists that is about the whole workspace."""

    asks: Callable[[Context], Iterable[Ask]]
    judge: Judge
    when: When = When.ALWAYS
    layer: Layer | None = None  # the item is not applicable where this layer does not apply
    needs: frozenset[str] = frozenset()  # facts of the profile, as in ``converge.setting.NEEDS``
    counts: bool = True  # False: only a person can answer, so the item decides nothing
    touched_by: frozenset[Layer] = ANY  # layers whose change can change the answer
    brought: bool = False  # the run itself has to mend it: a fault from before does not excuse it


@dataclass(frozen=True, kw_only=True)
class Proof(Check):
    """A check that proves the effect of each setting that names it in ``Setting.check``."""

    asks: Callable[[Context, Setting], Iterable[Ask]]
    judge: SettingJudge
    #: What has to hold after the boot of a trial (``converge.boot.checks.AfterBoot``).
    after_boot: Callable[[Context, Setting], Iterable[Any]] | None = None


def value(setting: Setting) -> Mapping[str, Any]:
    """The value of a setting whose value is a mapping."""
    assert isinstance(setting.value, Mapping)
    return setting.value
