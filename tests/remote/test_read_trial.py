"""remote/read.sh and a change on trial: what its record says, and whose it is."""

from __future__ import annotations

import getpass

import pytest

from tests.remote.reading import Reader

RUN = "20260101t000000-abcd"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("kernel: a\nkernel: b\n--\nthe last\n", ("kernel: a", "kernel: b")),
        ("--\none\nthe last\n", ("one", "the last")),
        ("", ()),
    ],
)
def test_what_the_journal_of_a_failed_boot_said_is_read_with_its_trial(
    reader: Reader, said: str, shown: tuple[str, ...]
) -> None:
    trial = reader.transaction(RUN, "undone it did not come up").parent / "trial"
    trial.mkdir()
    (trial / "plan").write_text("new /nix/store/new\nnumber 7\nboot earlier\n")
    (trial / "state").write_text("went-back it did not come up\n")
    (trial / "found").write_text("effective boot.kernel\n")
    (trial / "journal").write_text(said)
    (one,) = reader.read().transactions
    assert one.trial is not None
    assert (one.trial.number, one.trial.found) == (7, ("effective boot.kernel",))
    assert one.trial.worst == shown


@pytest.mark.parametrize("whose", ["another", r"HOUSE\\another", "me"])
def test_another_users_trial_is_known_by_its_unit(reader: Reader, whose: str) -> None:
    """Its record is for that user alone to read; in a unit a backslash stands twice."""
    me = getpass.getuser()
    runs = "/var/lib/workspace-tuning/runs"
    units = reader.root / "etc/systemd/system.control"
    units.mkdir(parents=True)
    of = f"{runs}/{me if whose == 'me' else whose}/{RUN}"
    line = f"ExecStart=/bin/sh {of}/trial/trial.sh boot {of}/transaction\n"
    (units / "workspace-tuning-trial.service").write_text(f"[Service]\n{line}")
    known = reader.read().facts.get("trial_of")
    assert known == {"me": None}.get(whose, f"{whose} {RUN}".replace(r"\\", "\\"))
