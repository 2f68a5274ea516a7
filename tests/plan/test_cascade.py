"""Lower layers of KDE's files in a plan: values are written over, locks are reported."""

from __future__ import annotations

from dataclasses import replace

import pytest

from converge.effect import Effect
from converge.plan import cascade
from converge.plan.plan import Plan
from converge.plan.snapshot import Snapshot
from converge.plan.standing import Stand
from tests.plan.plans import KWINRC, applied, file, found, plan
from tests.proof import checks
from tests.proof.checks import HOME, judge
from tests.subjects.desktop import KDE

XDG = "/etc/xdg"


def workspace(own: str = "", **lower: str) -> Snapshot:
    """A workspace with an own kwinrc and files of the system, by name."""
    held = {f"{XDG}/{name}": text.encode() for name, text in lower.items()}
    snapshot = found(file(KWINRC, own.encode()))
    return replace(snapshot, config_dirs=(f"{HOME}/.config/kdedefaults", XDG), lower=held)


def kwinrc(made: Plan) -> str:
    """What the plan makes of the user's kwinrc; "" where it stays empty."""
    found = [change.after for change in made.changes if change.path == KWINRC]
    return b"".join(text for text in found if text).decode()


def stand(snapshot: Snapshot, name: str) -> Stand:
    return next(
        standing.stand for standing in plan(snapshot).standings if standing.setting.id == name
    )


def test_a_lower_layer_that_sets_another_value_is_written_over() -> None:
    """T9: an absent entry equals KDE's default only where no lower layer sets it."""
    assert "blurEnabled" not in kwinrc(plan(workspace()))
    snapshot = workspace(kwinrc="[Plugins]\nblurEnabled=false\n")
    made = plan(snapshot)
    assert "blurEnabled=true\n" in kwinrc(made)
    assert plan(applied(snapshot, made)).empty


def test_a_lower_layer_that_sets_our_value_leaves_nothing_to_write() -> None:
    made = plan(workspace(kwinrc="[Plugins]\ncontrastEnabled=false\n"))
    assert "contrastEnabled" not in kwinrc(made)


def test_the_users_kdeglobals_lies_below_kwinrc() -> None:
    snapshot = found(
        file(KWINRC, b""), file(f"{HOME}/.config/kdeglobals", b"[Plugins]\nblurEnabled=false\n")
    )
    assert "blurEnabled=true\n" in kwinrc(plan(snapshot))


@pytest.mark.parametrize(
    ("own", "system", "place"),
    [
        ("", "[Plugins]\ncontrastEnabled[$i]=true\n", f"{XDG}/kwinrc, line 2"),
        ("", "[Plugins][$i]\ncontrastEnabled=true\n", f"{XDG}/kwinrc, line 2"),
        ("", "[$i]\n[Plugins]\ncontrastEnabled=true\n", f"{XDG}/kwinrc, line 3"),
        ("[Plugins][$i]\ncontrastEnabled=true\n", "", f"{KWINRC}, line 2"),
        ("[Plugins]\ncontrastEnabled[$i]=true\n", "", f"{KWINRC}, line 2"),
    ],
)
def test_a_lock_is_said_before_anything_is_written_and_nothing_is_written_over_it(
    own: str, system: str, place: str
) -> None:
    """T9, T13: locked on the entry, its group, its file; by the administrator or by the user."""
    snapshot = workspace(own, kwinrc=system)
    made = plan(snapshot)
    assert stand(snapshot, "kwin.contrast") is Stand.LOCKED
    said = [text for text in made.warnings if text.startswith("kwin.contrast cannot take effect")]
    assert len(said) == 1 and place in said[0]
    assert not any(key.key == "contrastEnabled" for change in made.changes for key in change.keys)
    if not system.startswith("[$i]"):  # the others go on
        assert stand(snapshot, "kwin.backend") is Stand.IN_FORCE


def test_a_lock_at_the_value_that_is_wanted_is_in_nobodys_way() -> None:
    snapshot = workspace(kwinrc="[Plugins][$i]\ncontrastEnabled=false\n")
    assert stand(snapshot, "kwin.contrast") is Stand.IN_FORCE
    assert not plan(snapshot).warnings


def test_what_is_locked_is_looked_at_and_not_effective_without_kdes_own_reader() -> None:
    lower = {f"{XDG}/kwinrc": b"[Plugins][$i]\ncontrastEnabled=true\n"}
    known = checks.context(config_dirs=(XDG,), lower=lower)
    locked = cascade.with_locks(known.snapshot, known.standings)
    known = replace(known, standings=locked)
    without = {**KDE, "kde": checks.failing(120, "kreadconfig6")}
    replies = {key: reply for key, reply in without.items() if not isinstance(key, tuple)}
    finding = judge("kwin.contrast", replies, known=known)
    assert finding.effect is Effect.NOT_EFFECTIVE
    assert "contrastEnabled=true" in finding.found
    assert f"{XDG}/kwinrc, line 2, locks it" in finding.reason


def test_what_a_lower_layer_sets_is_not_effective_without_kdes_own_reader() -> None:
    own = checks.plasma_file("kwinrc").replace(b"blurEnabled=true\n", b"")
    lower = {f"{XDG}/kwinrc": b"[Plugins]\nblurEnabled=false\n"}
    nodes = {KWINRC: file(KWINRC, own)}
    known = checks.context(config_dirs=(XDG,), lower=lower, nodes=nodes)
    replies = {"kde": checks.failing(120, "kreadconfig6"), "kwin": KDE["kwin"]}
    finding = judge("kwin.blur", replies, known=known)
    assert finding.effect is Effect.NOT_EFFECTIVE
    assert finding.reason == f"{XDG}/kwinrc, line 2, sets it"
