"""No word of a workspace's answer tells root where to read or write: otherwise a process of the
user's could answer and make root run its programs (S2, S3)."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from converge.plan.snapshot import Transaction
from tasks.run.stages import Over, Read
from tasks.steps import activate
from tests.proof import checks

RUNS = "/var/lib/workspace-tuning/runs"
RUN = "20261126t040658-3254"


def stage(root: str = "") -> Any:
    found = checks.snapshot()
    facts = {**found.facts, "system_uid": "0", "uid": "1000"}
    snapshot = replace(found, facts=facts, marks=found.marks | {"sudo"})
    assert snapshot.needs_sudo
    choices = SimpleNamespace(root=root, user="mitsio", deadline_s=300)
    return SimpleNamespace(snapshot=snapshot, choices=choices)


def at(directory: str) -> Transaction:
    return Transaction(
        directory=directory, number=1, alive=False, left_s=0, word="kept", reason="r"
    )


@pytest.mark.parametrize(
    "directory", [f"{RUNS}/mitsio/{RUN}/transaction", f"{RUNS}/{RUN}/transaction"]
)
def test_root_undoes_what_lies_among_its_own_records(directory: str) -> None:
    assert Read.undone_by_root(stage(), at(directory)) is True
    assert Read.undone_by_root(stage("/box"), at(f"/box{directory}")) is True


def test_the_users_own_record_is_undone_by_the_user() -> None:
    one = stage()
    assert Read.undone_by_root(one, at(f"{one.snapshot.state}/runs/{RUN}/transaction")) is False


@pytest.mark.parametrize(
    "directory",
    [
        "/tmp/evil/transaction",
        f"{RUNS}/other/{RUN}/transaction",
        f"{RUNS}/mitsio/../../../../../home/mitsio/evil/transaction",
        f"{RUNS}/mitsio/{RUN}/transaction/../../../x/transaction",
        f"{RUNS}x/mitsio/{RUN}/transaction",
        f"/home/mitsio{RUNS}/mitsio/{RUN}/transaction",
        f"{RUNS}/mitsio/{RUN}/transaction\n",
        f"{RUNS}/mitsio/{RUN}",
        "",
    ],
)
def test_s2_root_reads_no_record_that_lies_elsewhere(directory: str) -> None:
    """transact.sh reads undo.sh in there, and runs it."""
    with pytest.raises(Over, match="no record of root's"):
        Read.undone_by_root(stage(), at(directory))


@pytest.mark.parametrize("root", ["", "/box"])
def test_s2_root_sets_no_profile_that_the_answer_names(root: str) -> None:
    one = stage(root)
    profiles = {**one.snapshot.profiles, "system": "/etc/cron.d/evil"}
    one.snapshot = replace(one.snapshot, profiles=profiles, running_system="/nix/store/old")
    layer = SimpleNamespace(layer=SimpleNamespace(value="nixos"), profile="system", root=True)
    one.needed_builds = [SimpleNamespace(nix=layer)]
    one.paths = {"nixos": "/nix/store/new"}
    one.run = SimpleNamespace(id=RUN)
    one.records, one.live = (), ()
    lines = [line for line in activate.plan_lines(one, 1) if "/nix/store/new" in line]
    assert [line.split()[1:3] for line in lines] == [
        ["/nix/store/new", f"{root}/nix/var/nix/profiles/system"]
    ]
