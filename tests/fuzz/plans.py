"""What a workspace answers, as far as the plan that is made of it: words, record, files.

Beside that nothing but the reader's own error comes out: root's part is led nowhere by an answer.
"""

from __future__ import annotations

import base64
import contextlib
import json
import posixpath
import tarfile
from collections.abc import Iterator
from functools import cache
from itertools import starmap
from types import SimpleNamespace
from typing import Any

from converge.journal.form import plain
from converge.plan import observed
from converge.plan.diff import unified
from converge.plan.layers import SYSTEM_LAYER
from converge.plan.plan import Plan, digest
from converge.plan.snapshot import Snapshot
from converge.plan.standing import ForbiddenSetting
from converge.plan.written import LastWritten
from converge.profile.choices import check_choices
from converge.report.record import plan_record
from converge.subjects.settings import BY_ID
from converge.text import redact
from tasks.reach.remote import Answer
from tasks.run.stages import Over, Planned
from tasks.steps import activate, read
from tests.fuzz.words import lines
from tests.plan.plans import KWINRC, LIVED_IN, profile
from tests.plan.test_snapshot import answer, archive
from tests.proof.checks import HOME

STATE = f"{HOME}/.local/state/workspace-tuning/workspace"
SOURCES = f"{HOME}/.local/share/chezmoi/dot_config"
FACTS = (
    *("fact uid 1000", "fact system_uid 0", "fact user mitsio", f"fact home {HOME}"),
    *(f"fact state {STATE}", "fact hostname shoshin", "fact boot_id b"),
    *("fact uptime_s 5", "fact soak_boot b", "mark nixos", "mark systemd", "mark sudo"),
    *("profile system /nix/var/nix/profiles/system", f"profile home {HOME}/p/home"),
    *("tool nix /run/current-system/sw/bin/nix", "tool kwin_wayland /usr/bin/kwin_wayland"),
)
FLAKES = (
    *("flakes-read 1", "flake system path d /etc/nixos"),
    *(f"flake home git d {HOME}/flake", "flakes-end"),
)


@cache
def _given(programs: str) -> Any:
    names = {"workspace": "shoshin", "profile": "p.yaml", "user": "mitsio"}
    return check_choices("shoshin", {**names, "chezmoi_programs": programs}, known_settings=BY_ID)


def plan(data: bytes) -> None:
    """``data``: the lines of an answer, the record, a KDE file and its source, a byte 0 between."""
    words, record, live, source = [*data.split(b"\0", 3), b"", b"", b""][:4]
    rows = lines(words)
    files = {
        f"{STATE}/written.json": record,
        KWINRC: live or LIVED_IN,
        f"{SOURCES}/private_kwinrc": source,
        f"{SYSTEM_LAYER}/flake.nix": b"{ }\n",
        "/etc/passwd": b"root\n",
    }
    packed = archive(*starmap(_member, files.items()))
    told = [row for row in rows if not row.startswith("made ")]  # of another answer
    with contextlib.suppress(observed.SnapshotError, Over, ForbiddenSetting):
        found = observed.parse(answer(*told, files=packed, facts=FACTS, flakes=FLAKES))
        _whole(_work(rows, "run" if b"made " in words else "left"), found)


def _member(path: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(path)
    member.uid = 1000 if path.startswith(HOME) else 0
    return member, content


def _work(rows: list[str], programs: str) -> Any:
    said = Answer(ok=True, lines=tuple(rows))
    return SimpleNamespace(
        choices=_given(programs),
        profile=profile(),
        run=SimpleNamespace(id="20261126t000000-abcd", task="deploy"),
        remote=lambda *_, **__: said,
        problem=lambda text: text.encode(),
    )


def _whole(work: Any, found: Snapshot) -> None:
    if read.stranger(work, found):
        return
    made = read.plan_for(work, found)
    json.dumps(plain(plan_record(made)))
    for change in made.live:  # the diffs of our own files take most of the time, and are ours
        json.dumps(redact.record(unified(change, home=found.home)))
    _root_stays_in_its_place(work, found, made)


def _root_stays_in_its_place(work: Any, found: Snapshot, made: Plan) -> None:
    stage: Any = Planned(
        host=None, run=work.run, choices=work.choices, profile=work.profile, snapshot=found,
        plan=made,
    )  # fmt: skip
    for path in (*(one.path for one in stage.root_changes), *stage.root_sweep):
        assert posixpath.normpath(path) == path and path.startswith(f"{SYSTEM_LAYER}/"), path
        assert "\n" not in path
    assert stage.system_record == f"/var/lib/workspace-tuning/runs/mitsio/{work.run.id}"
    told = SimpleNamespace(
        snapshot=found, choices=work.choices, run=work.run, needed_builds=made.needed_builds,
        live=made.live, record_directory=stage.record_directory,
        records=((f"{stage.record_directory}/layer", "user", "home-manager"),),
        paths={
            one.nix.layer.value: found.running_system or "/nix/store/new"
            for one in made.needed_builds
        },
    )  # fmt: skip
    for line in activate.plan_lines(told, 1):  # type: ignore[arg-type]
        word, *rest = line.split(" ")
        assert "\n" not in line
        if word == "record":
            assert len(rest) == 3 and rest[1] == "user"
        if word == "nixos":
            assert len(rest) == 4 and rest[1] == "/nix/var/nix/profiles/system"
        if word == "user":
            assert rest == ["mitsio"]


def _text(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def seeds() -> Iterator[bytes]:
    stamp = json.dumps({"type": "file", "contentsSHA256": "a"})
    chezmoi = (
        f"chezmoi {KWINRC}\t0\t{_text(SOURCES + '/private_kwinrc')}\t",
        f"chezmoi_entry {KWINRC}\t0\t{_text(stamp)}\t",
        f"chezmoi_base {KWINRC}\t{_text('[Plugins]')}",
    )
    written = LastWritten(
        files={
            "/etc/passwd": digest(b"root\n"),
            f"{SYSTEM_LAYER}/flake.nix": digest(b"{ }\n"),
            KWINRC: "0" * 64,
        },
        entries={KWINRC: {(("Plugins",), "contrastEnabled"): "true"}},
    ).encode()
    sided = b"[Plugins]\ncontrastEnabled=true\n\0[Compositing]\nBackend=OpenGL\n"
    yield "\n".join(chezmoi).encode() + b"\0" + written + b"\0" + sided
    yield "\n".join(
        (
            f"chezmoi_runs {KWINRC}\t{_text('chezmoi.toml has hooks')}",
            f"chezmoi_runs {HOME}/.config/baloofilerc\t",
            f"chezmoi_missing {HOME}/.config/kdeglobals\t{SOURCES}/kdeglobals",
            f"chezmoi_source {HOME}/.config/kglobalshortcutsrc\t{SOURCES}/kglobalshortcutsrc",
            f"follows {KWINRC}\t{HOME}/dotfiles/kwinrc",
            f"config_dir {HOME}/.config/kdedefaults",
            f"lower {HOME}/.config/kdedefaults/kwinrc {_text('[Plugins][$i]')}",
            f"absent {HOME}/.config/kdeglobals",
        )
    ).encode()
    modify, fought = f"{SOURCES}/modify_kwinrc", _text("[Plugins]\ncontrastEnabled=false")
    yield (f"chezmoi {KWINRC}\t0\t{_text(modify)}\t\nmade ={fought} 0 =\n").encode()
    run = f"{STATE}/runs/20261125t000000-abcd/transaction"
    yield "\n".join(
        (
            *("running system /nix/store/now", "generation system 4 current /nix/store/now"),
            f"transaction {run} 3 no 0 kept 20261125t000000-abcd nixos 4",
            f"part nixos in-force {run}",
            f"trial {run} b 4 yes proving it waits",
            f"trial_said {run} found effective boot.kernel",
            *("built nixos abc /nix/store/now", "lock run r", "lock since 12", "lock alive no"),
            f"leftover {SYSTEM_LAYER}/.flake.nix.wt-20261125t000000-abcd",
            f"leftover {HOME}/.config/.kwinrc.wt-20261125t000000-abcd",
            f"unreadable {HOME}/.config/baloofilerc",
        )
    ).encode()
    yield b"fact state /tmp/evil root x\nfact user mitsio\nprofile home /a b\nrunning system /a b c"
    yield (
        f"leftover {SYSTEM_LAYER}/../../../etc/.passwd.wt-1\nfact home /var/lib\n"
        f"fact config /etc\nmark home_module"
    ).encode()
