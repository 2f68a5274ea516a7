"""Checks against a real user manager: variables, units, slices, what ``show`` only says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from subprocess import CalledProcessError

import pytest

from converge.effect import Effect, Finding
from converge.plan.layers import KDE_FILES, session_file
from converge.proof import inquiry
from converge.proof.check import Answers, Context, Reply
from converge.subjects.applications.rows import slice_name
from converge.subjects.checks import ITEMS, PROOFS
from converge.subjects.settings import BY_ID
from tests import kwin
from tests.proof import checks

APPS = ("discord", "signal")
UNIT = "systemd/user/plasma-kwin_x11.service.d/00-session-gl-yield.conf"


def variables(setting: str) -> tuple[str, bytes]:
    """Name below ``~/.config`` and bytes of the file of a row of the session layer."""
    path, content = session_file(BY_ID[setting])
    return path.removeprefix("~/.config/"), content


def slice_file(app: str) -> tuple[str, bytes]:
    """What home-manager makes of a row."""
    row = BY_ID[f"electron.app.{app}"].value
    assert isinstance(row, Mapping)
    text = (
        f"[Slice]\nCPUQuota={row['cpuQuotaPercent']}%\nMemoryHigh={row['memoryHighMB']}M\n"
        f"MemoryMax={row['memoryMaxMB']}M\nMemorySwapMax={row['memorySwapMaxMB']}M\n"
    )
    return f"systemd/user/{slice_name(app)}", text.encode()


def drop_in(app: str) -> tuple[str, bytes]:
    text = f"[Service]\nSlice={slice_name(app)}\nOOMScoreAdjust=100\n"
    return f"systemd/user/app-{app}@.service.d/50-workspace-tuning.conf", text.encode()


FILES: dict[str, bytes] = {
    **{name: checks.plasma_file(name) for name in KDE_FILES},
    **dict(variables(name) for name in ("video.variables", "session.gl-yield")),
    **dict(part(app) for app in APPS for part in (slice_file, drop_in)),
}


@pytest.fixture(scope="module")
def session() -> Iterator[kwin.Session]:
    with kwin.session(FILES) as one:
        yield one


def context() -> Context:
    """The workspace with two applications only, as the session has them."""
    known = checks.context()
    stands = tuple(
        standing
        for standing in known.standings
        if not standing.setting.id.startswith("electron.app.")
        or standing.setting.id.removeprefix("electron.app.") in APPS
    )
    return replace(known, standings=stands)


def find(session: kwin.Session, name: str, **replies: Reply) -> Finding:
    """The finding of one setting or item. ``replies``: by probe, where the session has no answer
    (Nix is not in it)."""
    known = context()
    todo = [
        job
        for job in inquiry.jobs(known, ITEMS, PROOFS)
        if (job.setting.id if job.setting else job.check.id) == name
    ]
    asked = inquiry.questions(known, todo)
    answers = session.ask(known, asked)
    given = {ask: replies.get(ask.probe) or answers.reply(ask) for ask in asked}
    return inquiry.findings(known, todo, Answers(given))[0]


@contextmanager
def program(session: kwin.Session, unit: str, name: str, *options: str) -> Iterator[None]:
    """A program of that name in a unit of the user's manager, as Plasma starts one."""
    path = Path("home/mitsio") / name
    (session.root / path).write_bytes((session.root / "bin/dash").read_bytes())
    (session.root / path).chmod(0o755)
    text = "systemd-notify --ready; read -r line </dev/zero; sleep 600"
    session.run(
        *("systemd-run", "--user", "--quiet", "--collect", f"--unit={unit}", *options),
        *("--service-type=exec", f"/{path}", "-c", text),
    )
    try:
        yield
    finally:
        session.systemctl("stop", unit)


# -- variables -----------------------------------------------------------------------------------


def test_variables_of_environment_d_are_effective_once_the_session_has_them(
    session: kwin.Session,
) -> None:
    assert find(session, "video.variables").effect is Effect.EFFECTIVE  # KWin is the session here


@pytest.mark.parametrize("place", ["environment.d/10-mine.conf", "environment.d/90-mine.conf"])
@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("NVD_BACKEND=egl", "LIBVA_DRIVER_NAME=nvidia"),
        ("LIBVA_DRIVER_NAME=radeonsi", "NVD_BACKEND=direct"),  # ours for another card
    ],
)
def test_what_a_file_of_the_users_sets_wins_before_and_after_ours(
    session: kwin.Session, place: str, line: str, other: str
) -> None:
    text = f"{line}\n".encode()
    session.write(place, text)
    try:
        with kwin.session({**FILES, place: text}) as after:  # the next login
            given = after.run("systemd-run", "--user", "--pipe", "--quiet", "--collect", "env")
            assert {line, other} <= set(given.splitlines())
            for one in (session, after):
                found = find(one, "video.variables")
                assert (found.effect, found.counts) == (Effect.NOT_EFFECTIVE, False)
                assert found.found.startswith(f"{line} in /")
                assert found.found.endswith(place)
                assert found.reason.startswith("by your own choice")
    finally:
        session.remove(place)


def test_what_a_login_script_hands_to_the_users_manager_wins(session: kwin.Session) -> None:
    session.systemctl("set-environment", "LIBVA_DRIVER_NAME=vdpau")
    try:
        found = find(session, "video.variables")
        assert (found.effect, found.counts) == (Effect.NOT_EFFECTIVE, False)
        assert found.found == "LIBVA_DRIVER_NAME=vdpau in the environment of the user's manager"
    finally:
        session.systemctl("unset-environment", "LIBVA_DRIVER_NAME")


@pytest.mark.parametrize(
    "text",
    [
        b"NVD_BACKEND=${NVD_BACKEND:-direct}\n",
        b"NVD_BACKEND=direct  \n",
        b'  NVD_BACKEND = "direct"\n',
        b"MINE=direct\nNVD_BACKEND=$MINE\n",
    ],
)
def test_a_file_that_gives_the_same_value_in_other_words_is_no_difference(text: bytes) -> None:
    with kwin.session({**FILES, "environment.d/90-mine.conf": text}) as one:
        found = find(one, "video.variables")
        assert found.effect is Effect.EFFECTIVE, found


def test_a_value_that_a_run_can_have_set_is_the_next_logins(session: kwin.Session) -> None:
    """It may be of an earlier run, on another card, or of a login script."""
    session.systemctl("set-environment", "LIBVA_DRIVER_NAME=radeonsi")
    try:
        found = find(session, "video.variables")
        assert (found.effect, found.found) == (Effect.PENDING, "LIBVA_DRIVER_NAME=radeonsi")
        assert "a login script of yours" in found.reason
    finally:
        session.systemctl("unset-environment", "LIBVA_DRIVER_NAME")


def test_a_value_of_an_earlier_run_goes_with_the_session(session: kwin.Session) -> None:
    """A manager that is reloaded keeps what its files said before."""
    name, content = variables("video.variables")
    earlier = content.replace(b"nvidia}", b"radeonsi}")
    with kwin.session({**FILES, name: earlier}) as one:
        one.write(name, content)
        one.systemctl("daemon-reload")
        waiting = find(one, "video.variables")
        assert (waiting.effect, "log in again" in waiting.reason) == (Effect.PENDING, True)


def test_a_file_that_came_after_the_login_waits_for_the_next_one() -> None:
    name, content = variables("video.variables")
    with kwin.session({n: c for n, c in FILES.items() if n != name}) as late:
        late.write(name, content)
        waiting = find(late, "video.variables")
        assert (waiting.effect, "log in again" in waiting.reason) == (Effect.PENDING, True)
        late.systemctl("daemon-reload")  # what is started now has them, what runs has not
        assert find(late, "video.variables").effect is Effect.PENDING


def test_a_drop_in_of_kwins_unit_is_effective_in_kwin_alone(session: kwin.Session) -> None:
    assert find(session, "session.gl-yield").effect is Effect.EFFECTIVE
    found = session.run("systemd-run", "--user", "--pipe", "--quiet", "--collect", "env")
    assert "__GL_YIELD" not in found


@pytest.mark.parametrize("name", ["10-mine", "override"])
def test_another_drop_in_of_kwins_unit_wins_and_is_found(session: kwin.Session, name: str) -> None:
    other = UNIT.replace("00-session-gl-yield", name)
    session.write(other, b"[Service]\nEnvironment=__GL_YIELD=NOTHING\n")
    session.systemctl("daemon-reload")
    try:
        found = find(session, "session.gl-yield")
        assert (found.effect, found.counts) == (Effect.NOT_EFFECTIVE, False)
        assert found.found == "__GL_YIELD=NOTHING in another drop-in of the unit"
    finally:
        session.remove(other)
        session.systemctl("daemon-reload")


def test_a_variable_that_switches_cargos_flags_off_is_found_in_the_session(
    session: kwin.Session,
) -> None:
    cargo = Reply(status=0, output=b'export CARGO_BUILD_RUSTFLAGS="-C target-cpu=skylake"\n')
    assert find(session, "runtimes.rust", file=cargo).effect is Effect.EFFECTIVE
    session.systemctl("set-environment", "RUSTFLAGS=-g")
    try:
        found = find(session, "runtimes.rust", file=cargo)
        assert (found.effect, "RUSTFLAGS" in found.found) == (Effect.NOT_EFFECTIVE, True)
    finally:
        session.systemctl("unset-environment", "RUSTFLAGS")


# -- units ---------------------------------------------------------------------------------------


def test_a_unit_that_failed_is_found_by_its_name(session: kwin.Session) -> None:
    assert find(session, "user.state").effect is Effect.EFFECTIVE
    with suppress(CalledProcessError):
        session.run("systemd-run", "--user", "--quiet", "--wait", "--unit=broken", "false")
    try:
        found = find(session, "user.state")
        assert (found.effect, "broken.service" in found.found) == (Effect.NOT_EFFECTIVE, True)
    finally:
        session.systemctl("reset-failed")


# -- limits --------------------------------------------------------------------------------------


def delegated(session: kwin.Session) -> bool:
    """Whether this machine gives the memory controller to a user's manager."""
    group = session.run("sed", "-n", "s/^0:://p", "/proc/self/cgroup").strip()
    listed = session.run("cat", f"/sys/fs/cgroup{group}/cgroup.controllers")
    return {"memory", "cpu"} <= set(listed.split())


def test_limits_are_those_of_the_kernel_and_not_those_that_systemd_shows(
    session: kwin.Session,
) -> None:
    shown = session.systemctl("show", slice_name("discord"), "-p", "MemoryMax", "--value")
    assert shown.strip() == str(3072 * 1024**2)
    found = find(session, "electron.app.discord", file=checks.reply(checks.marker()))
    if delegated(session):
        assert found.effect is Effect.EFFECTIVE, found
    else:  # systemd shows the number all the same, and nothing holds it
        assert found.effect is Effect.NOT_EFFECTIVE
        assert "not delegated" in found.reason


def test_a_slice_without_a_file_proves_nothing_although_show_ends_well(
    session: kwin.Session,
) -> None:
    name, content = slice_file("signal")
    session.remove(name)
    session.systemctl("daemon-reload")
    try:
        assert session.systemctl("show", slice_name("signal"), "-p", "MemoryMax")
        found = find(session, "electron.app.signal", file=checks.reply(checks.marker()))
        assert (found.effect, "no such unit" in found.reason) == (Effect.NOT_EFFECTIVE, True)
    finally:
        session.write(name, content)
        session.systemctl("daemon-reload")


def test_a_menu_launch_is_in_the_slice_with_its_score_and_one_past_it_is_found(
    session: kwin.Session,
) -> None:
    marker = checks.reply(checks.marker())
    link = {"file": Reply(status=0, output=b"[Service]\nOOMScoreAdjust=100\n")}
    with program(session, "app-discord@1.service", "discord"):
        inside = session.systemctl("show", "app-discord@1.service", "-p", "Slice", "--value")
        assert inside.strip() == slice_name("discord")
        assert find(session, "electron.oom-score", **link).effect is Effect.EFFECTIVE
        if delegated(session):
            found = find(session, "electron.app.discord", file=marker)
            assert found.effect is Effect.EFFECTIVE, found
    with program(session, "other@1.service", "discord", "--slice=app.slice"):
        if delegated(session):
            found = find(session, "electron.app.discord", file=marker)
            assert found.effect is Effect.NOT_EFFECTIVE
    session.write(drop_in("discord")[0], b"[Service]\nOOMScoreAdjust=250\n")
    session.systemctl("daemon-reload")
    try:
        with program(session, "app-discord@2.service", "discord"):
            assert find(session, "electron.oom-score", **link).effect is Effect.NOT_EFFECTIVE
    finally:
        session.write(*drop_in("discord"))
        session.systemctl("daemon-reload")
