"""The probes of the rows beyond the plan on files as a kernel has them, judged by their checks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from converge.effect import Effect
from converge.proof.check import Reply
from converge.subjects.builds import checks as builds
from converge.subjects.latency import checks as latency
from converge.subjects.plasma import checks as plasma
from converge.subjects.settings import BY_ID
from tests.proof import checks
from tests.proof.checks import IN_USE, judge
from tests.proof.test_checks_wire import one
from tests.subjects.case import MEMINFO
from tests.subjects.desktop import KDE
from tests.subjects.latency import MANAGER, PROMISE, USER
from tests.tools import need


def kernel(root: Path, files: Mapping[str, str]) -> str:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(root)


def running(name: str, pid: int, group: str, uid: int) -> dict[str, str]:
    return {
        f"proc/{pid}/comm": f"{name}\n",
        f"proc/{pid}/cgroup": f"0::{group}\n",
        f"proc/{pid}/status": f"Name:\t{name}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n",
    }


GROUPS = ("user.slice", USER, MANAGER, f"{MANAGER}/session.slice")


@pytest.mark.parametrize(
    ("last", "group", "effect"),
    [
        (PROMISE, f"/{MANAGER}/session.slice/plasma-kwin_x11.service", Effect.EFFECTIVE),
        (0, f"/{MANAGER}/session.slice/plasma-kwin_x11.service", Effect.NOT_EFFECTIVE),
        (PROMISE, f"/{USER}/session-2.scope", Effect.NOT_EFFECTIVE),
        (PROMISE, "", Effect.PENDING),
    ],
    ids=["in use", "one level without", "KWin elsewhere", "nobody logged in"],
)
def test_a_promise_of_memory_counts_at_every_level_and_with_kwin_in_it(
    tmp_path: Path, last: int, group: str, effect: Effect
) -> None:
    files = {f"sys/fs/cgroup/{name}/memory.min": f"{PROMISE}\n" for name in GROUPS[:-1]}
    files[f"sys/fs/cgroup/{GROUPS[-1]}/memory.min"] = f"{last}\n"
    if group:
        files |= running("kwin_x11", 77, group, os.getuid())
    root = kernel(tmp_path, files)
    asked = latency._promise(checks.context())
    reply = one(asked, root=root)
    finding = judge(
        "memory.session", {**IN_USE, ("file", "/proc/meminfo"): MEMINFO, "promise": reply}
    )
    assert finding.effect is effect, (finding, reply)


@pytest.mark.parametrize(
    ("idle", "group", "effect"),
    [
        ("1", "/build.slice/nix-daemon.service", Effect.EFFECTIVE),
        ("0", "/build.slice/nix-daemon.service", Effect.NOT_EFFECTIVE),
        ("1", "/system.slice/nix-daemon.service", Effect.NOT_EFFECTIVE),
        ("1", "/my-build.slice/nix-daemon.service", Effect.NOT_EFFECTIVE),
        ("", "/build.slice/nix-daemon.service", Effect.NOT_EFFECTIVE),
    ],
)
def test_builds_yield_where_the_kernel_says_so_and_the_daemon_is_there(
    tmp_path: Path, idle: str, group: str, effect: Effect
) -> None:
    files = running("nix-daemon", 5, group, 0)
    if idle:
        files["sys/fs/cgroup/build.slice/cpu.idle"] = f"{idle}\n"
    reply = one(builds.BUILDS, root=kernel(tmp_path, files))
    finding = judge("build.idle", {**IN_USE, "build-slice": reply})
    assert finding.effect is effect, (finding, reply)


def test_a_daemon_that_is_to_move_waits_for_its_next_start() -> None:
    old = checks.reply("slice -\ndaemon /system.slice/nix-daemon.service\n")
    told = checks.reply("Slice=build.slice\n")
    for daemon in (old, checks.reply("slice -\nno daemon\n")):
        finding = judge("build.idle", {**IN_USE, "build-slice": daemon, "properties": told})
        assert finding.effect is Effect.PENDING, finding


def test_a_limit_that_the_manager_has_read_and_oomd_not_yet_is_pending() -> None:
    nothing = "Swap Monitored CGroups:\nMemory Pressure Monitored CGroups:\n"
    told = "ManagedOOMSwap=kill\nManagedOOMMemoryPressure=kill\n"
    finding = judge("memory.oomd", {**IN_USE, "oomd": nothing, "properties": told})
    assert finding.effect is Effect.PENDING, finding


@pytest.mark.parametrize(
    ("line", "effect"),
    [
        ("substituters = https://nix-community.cachix.org/ https://cache", Effect.EFFECTIVE),
        ("substituters = https://nix-community.cachix.org.other", Effect.NOT_EFFECTIVE),
        ("substituters = https://a:planted@cache", Effect.NOT_EFFECTIVE),
    ],
)
def test_the_cache_that_the_real_nix_asks_is_read_and_no_other_is_told(
    tmp_path: Path, line: str, effect: Effect
) -> None:
    need("nix")
    asked = builds._cache(BY_ID["build.cache"])
    environment = {
        "HOME": str(tmp_path),
        "NIX_REMOTE": "local",
        "NIX_STORE_DIR": str(tmp_path / "store"),
        "NIX_STATE_DIR": str(tmp_path / "var"),
        "NIX_CONFIG": f"{line}\ntrusted-public-keys = x:y {asked.arguments[1]}\n",
    }
    reply = one(asked, environment=environment)
    assert "planted" not in reply.text + reply.errors
    finding = judge("build.cache", {**IN_USE, "nix-cache": reply})
    assert finding.effect is effect, (finding, reply)


@pytest.mark.parametrize(
    ("started", "session", "effect"),
    [
        (None, True, Effect.EFFECTIVE),
        (900, True, Effect.PENDING),
        (1100, True, Effect.NOT_EFFECTIVE),
        (None, False, Effect.PENDING),
    ],
    ids=["it is off", "it still runs", "it came back", "nobody is logged in"],
)
def test_an_indexer_that_runs_is_older_than_the_switch_or_does_not_obey(
    tmp_path: Path, started: int | None, session: bool, effect: Effect
) -> None:
    config = tmp_path / "home/.config/baloofilerc"
    kernel(tmp_path, {"home/.config/baloofilerc": ""})
    os.utime(config, (1000, 1000))
    files: dict[str, str] = {}
    if session:
        files |= running("plasmashell", 70, "/", os.getuid())
    if started:
        files |= running("baloo_file", 77, "/", os.getuid())
    (tmp_path / "root/proc").mkdir(parents=True)
    root = kernel(tmp_path / "root", files)
    if started:
        os.utime(tmp_path / "root/proc/77", (started, started))
    environment = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(config.parent)}
    reply: Reply = one(plasma.INDEXER, root=root, environment=environment)
    finding = judge("baloo.off", {**KDE, "indexer": reply})
    assert finding.effect is effect, (finding, reply)
