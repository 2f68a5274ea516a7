"""Commands that succeed without proving anything: the checks look at something else."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from converge.effect import Effect
from converge.proof.check import ABSENT, DENIED, MISSING, NOBODY, Context
from converge.subjects.applications.rows import slice_name
from tests.proof import checks
from tests.proof.checks import HOME, Replies, failing, judge
from tests.subjects import CASES
from tests.subjects.applications import GPU_PROCESS
from tests.subjects.case import environment
from tests.subjects.desktop import KDE, kwin
from tests.subjects.workspace import CRASH, JOURNAL

DISCORD = CASES["electron.app.discord"]
VARIABLES = CASES["video.variables"]


def changed_file(name: str, old: bytes, new: bytes) -> Context:
    """The workspace with one line of a KDE file changed by somebody."""
    known = checks.context()
    path = f"{HOME}/.config/{name}"
    content = known.snapshot.nodes[path].content
    assert old in content
    nodes = {**known.snapshot.nodes, path: checks.node(path, content.replace(old, new))}
    return replace(known, snapshot=replace(known.snapshot, nodes=nodes))


# -- systemd ----------------------------------------------------------------------------------


def test_show_of_a_unit_that_is_not_there_ends_well_and_proves_nothing() -> None:
    shown = "Id=x\nLoadState=not-found\nMemoryMax=infinity\nFragmentPath=\n"
    finding = judge("electron.app.discord", {**DISCORD.good, "slice": shown})
    assert finding.effect is Effect.NOT_EFFECTIVE
    assert "no such unit" in finding.reason


def test_properties_that_systemd_shows_are_not_the_numbers_of_the_kernel() -> None:
    shown = (
        "LoadState=loaded\nFragmentPath=/x\nMemoryHigh=2147483648\nMemoryMax=3221225472\n"
        "CPUQuotaPerSecUSec=1.500000s\nkernel cpu.max 150000 100000\n"
    )
    finding = judge("electron.app.discord", {**DISCORD.good, "slice": shown})
    assert finding.effect is Effect.NOT_EFFECTIVE
    assert "not delegated" in finding.reason


def test_a_process_that_is_older_than_its_limits_waits_for_a_restart_of_the_application() -> None:
    older = "since 1000\nprocess 9 900 /user.slice/session.scope\n"
    younger = older.replace(" 900 ", " 1100 ")
    good = DISCORD.good
    waiting = judge("electron.app.discord", {**good, "processes": older})
    assert (waiting.effect, "process 9" in waiting.reason) == (Effect.PENDING, True)
    assert judge("electron.app.discord", {**good, "processes": younger}).effect is (
        Effect.NOT_EFFECTIVE
    )


def test_a_scope_that_chromium_made_for_itself_is_the_reason_and_no_start_past_the_menu() -> None:
    outside = "since 1000\nprocess 77 1100 /app.slice/app-discord-77.scope\n"
    finding = judge("electron.app.discord", {**DISCORD.good, "processes": outside})
    assert finding.effect is Effect.NOT_EFFECTIVE
    assert "a scope of its own, app-discord-77.scope" in finding.reason
    other = judge(
        "electron.app.discord", {**DISCORD.good, "processes": outside.replace("-77", "-9")}
    )
    assert "past the menu entry" in other.reason


def test_a_slice_whose_name_only_begins_alike_is_another_slice() -> None:
    other = slice_name("discord").replace(".slice", "x.slice")
    outside = f"since 1000\nprocess 9 1100 /app.slice/{other}/a.scope\n"
    finding = judge("electron.app.discord", {**DISCORD.good, "processes": outside})
    assert finding.effect is Effect.NOT_EFFECTIVE


def test_a_unit_file_without_a_manager_waits_for_the_login_and_is_not_effective_yet() -> None:
    unit = "[Slice]\nMemoryHigh=2048M\nMemoryMax=3072M\nMemorySwapMax=1024M\nCPUQuota=150%\n"
    place = ("file", f"{HOME}/.config/systemd/user/{slice_name('discord')}")
    silent = {**DISCORD.good, "slice": failing(NOBODY, "no user bus"), place: unit}
    assert judge("electron.app.discord", silent).effect is Effect.PENDING
    wrong = {**silent, place: unit.replace("3072M", "infinity")}
    assert judge("electron.app.discord", wrong).effect is Effect.NOT_EFFECTIVE
    assert judge("electron.app.discord", {**silent, place: failing(ABSENT, "")}).effect is (
        Effect.NOT_EFFECTIVE
    )


def test_a_system_without_systemd_is_not_applicable_and_one_that_starts_is_unknown() -> None:
    assert judge("system.state", {"state": "state offline\n"}).effect is Effect.NOT_APPLICABLE
    assert judge("system.state", {"state": "state starting\n"}).effect is Effect.UNKNOWN


# -- the journal ------------------------------------------------------------------------------


def test_a_journal_that_may_not_be_read_is_unknown_and_never_free_of_crashes() -> None:
    denied = failing(DENIED, "the kernel messages of the journal")
    for name in ("journal.crashes", "journal.memory"):
        finding = judge(name, {"journal": denied, "coredumps": denied})
        assert finding.effect is Effect.UNKNOWN
        assert "not permitted" in finding.reason


def test_a_crash_before_the_switch_is_not_the_runs() -> None:
    before = JOURNAL.replace("1000", "1300") + CRASH.format("x[9]: segfault at 0 ip 0 sp 0")
    dump = json.dumps([{"time": 1200 * 10**6, "sig": 11, "exe": "/bin/ls"}])
    replies: Replies = {"journal": before, "coredumps": f"since 1300\n{dump}\n"}
    assert judge("journal.crashes", replies).effect is Effect.EFFECTIVE


def test_an_abort_is_a_programs_own_decision_and_no_wrong_code() -> None:
    dump = json.dumps([{"time": 1200 * 10**6, "sig": 6, "exe": "/bin/ls"}])
    replies: Replies = {"journal": JOURNAL, "coredumps": f"{JOURNAL}{dump}\n"}
    assert judge("journal.crashes", replies).effect is Effect.EFFECTIVE


def test_a_machine_that_keeps_no_core_dumps_is_judged_by_the_kernels_lines() -> None:
    missing = failing(MISSING, "coredumpctl")
    assert judge("journal.crashes", {"journal": JOURNAL, "coredumps": missing}).effect is (
        Effect.EFFECTIVE
    )


# -- KDE --------------------------------------------------------------------------------------


def test_a_value_in_the_file_is_nothing_before_kwin_reads_it() -> None:
    finding = judge("kwin.contrast", {**KDE, "kwin": kwin(contrast="on")})
    assert finding.effect is Effect.NOT_EFFECTIVE
    assert "reconfigure" in finding.reason


def test_a_value_that_only_kwin_still_holds_is_lost_at_the_next_login() -> None:
    known = changed_file("kwinrc", b"contrastEnabled=false", b"contrastEnabled=true")
    finding = judge("kwin.contrast", KDE, known=known)
    assert (finding.effect, finding.found) == (
        Effect.NOT_EFFECTIVE,
        "kwinrc: contrastEnabled=true",
    )


def test_without_kwin_a_value_waits_for_the_login() -> None:
    silent = {**KDE, "kwin": failing(NOBODY, "KWin is not on the user bus")}
    assert judge("kwin.contrast", silent).effect is Effect.PENDING


def test_an_effect_that_the_driver_does_not_support_is_named_so() -> None:
    answer = kwin(blur="off").replace(
        'supported blur {"type": "b", "data": [true]}',
        'supported blur {"type": "b", "data": [false]}',
    )
    finding = judge("kwin.blur", {**KDE, "kwin": answer})
    assert (finding.effect, "not supported" in finding.found) == (Effect.NOT_EFFECTIVE, True)


def test_without_compositing_an_effect_that_is_off_proves_nothing() -> None:
    answer = kwin(**{"Compositing is active": "Compositing is not active"})
    silent = "\n".join(
        line if line.startswith("support ") else line.partition(" {")[0] + " "
        for line in answer.splitlines()
    )
    for name in ("kwin.contrast", "kwin.blur"):
        finding = judge(name, {**KDE, "kwin": silent})
        assert (finding.effect, finding.found) == (Effect.NOT_EFFECTIVE, "KWin: no compositing")


def test_the_duration_of_another_effect_is_not_that_of_the_factor() -> None:
    answer = kwin(**{"animationDuration: 150": "animationDuration: 300"}).replace(
        "animationDuration: 999", "animationDuration: 150"
    )
    finding = judge("desktop.animation-speed", {**KDE, "kwin": answer})
    assert (finding.effect, finding.found) == (Effect.NOT_EFFECTIVE, "KWin: 300 ms")


def test_without_kdes_own_reader_our_reading_stands_alone() -> None:
    replies = {**KDE, "kde": failing(MISSING, "kreadconfig6")}
    without = {key: text for key, text in replies.items() if key[0] != "kde"}
    assert judge("kwin.contrast", without).effect is Effect.EFFECTIVE


def test_baloo_drops_a_folder_that_it_does_not_index_and_that_is_no_fault() -> None:
    assert "/nix/store" not in str(KDE["baloo"])
    assert judge("baloo.exclude-folders", KDE).effect is Effect.EFFECTIVE


@pytest.mark.parametrize("format", ["baloo-bare.txt", "baloo-indented.txt"])
def test_both_formats_of_balooctl_are_read_alike(format: str) -> None:
    answer = (checks.DATA / format).read_text()
    for name in ("baloo.basic-indexing", "baloo.hidden-folders", "baloo.exclude-folders"):
        assert judge(name, {**KDE, "baloo": answer}).effect is Effect.EFFECTIVE


# -- the session ------------------------------------------------------------------------------


def test_a_file_in_environment_d_is_nothing_before_the_session_has_it() -> None:
    replies = {**VARIABLES.good, "environment": environment()}
    finding = judge("video.variables", replies)
    assert (finding.effect, "log in again" in finding.reason) == (Effect.PENDING, True)


def test_cargos_flags_for_another_machine_switch_off_nothing_here() -> None:
    case = CASES["runtimes.rust"]
    for target in ("wasm32-unknown-unknown", "x86_64-pc-windows-gnu", '"cfg(windows)"'):
        text = f'[target.{target}]\nrustflags = ["-g"]\n'
        replies = {**case.good, ("file", "/.cargo/config.toml"): text}
        assert judge("runtimes.rust", replies).effect is Effect.EFFECTIVE


def test_a_session_that_alone_has_the_variables_is_not_enough() -> None:
    finding = judge("video.variables", {**VARIABLES.good, "fresh": "fresh\n"})
    assert finding.effect is Effect.NOT_EFFECTIVE


def test_variables_without_their_file_are_somebody_elses() -> None:
    known = checks.context()
    nodes = {p: n for p, n in known.snapshot.nodes.items() if "environment.d" not in p}
    known = replace(known, snapshot=replace(known.snapshot, nodes=nodes))
    assert judge("video.variables", VARIABLES.good, known=known).effect is Effect.NOT_EFFECTIVE


def test_a_value_with_a_line_break_does_not_make_a_variable() -> None:
    hostile = environment("LIBVA_DRIVER_NAME=x\nNVD_BACKEND=direct", "VDPAU_DRIVER=nvidia")
    finding = judge("video.variables", {**VARIABLES.good, "environment": hostile})
    assert finding.effect is Effect.PENDING
    assert "NVD_BACKEND (not set)" in finding.found


# -- the GPU ----------------------------------------------------------------------------------


def test_a_row_of_dashes_is_nobody_on_the_gpu() -> None:
    idle = "# gpu  pid type sm mem enc dec command\n# Idx # C/G % % % % name\n0 - - - - - - -\n"
    finding = judge("electron.pmon", {"gpu-processes": GPU_PROCESS, "pmon": idle})
    assert finding.effect is Effect.NOT_EFFECTIVE


def test_without_a_running_application_nothing_is_said_of_gpu_processes() -> None:
    replies: Replies = {"gpu-processes": "looked\n", "pmon": ""}
    assert judge("electron.gpu-process", replies).effect is Effect.NOT_APPLICABLE
    assert judge("electron.pmon", replies).effect is Effect.NOT_APPLICABLE


def test_a_display_that_cannot_be_reached_says_nothing_of_vdpau() -> None:
    said = failing(255, "", "vdpauinfo: cannot connect to X server\n")
    assert judge("video.vdpau", {"vdpauinfo": said}).effect is Effect.UNKNOWN
    nobody = failing(NOBODY, "no desktop session")
    assert judge("video.vdpau", {"vdpauinfo": nobody}).effect is Effect.NOT_APPLICABLE


def test_a_missing_program_is_unknown_by_its_name() -> None:
    for name, probe in (
        ("video.vaapi-driver", "vainfo"),
        ("video.vdpau", "vdpauinfo"),
        ("video.playback", "ffmpeg"),
    ):
        replies = {**CASES[name].good}
        replies[next(k for k in replies if k in ("vainfo", "vdpauinfo", "playback"))] = failing(
            MISSING, probe
        )
        finding = judge(name, replies)
        assert (finding.effect, probe in finding.reason) == (Effect.UNKNOWN, True)


# -- sandboxes and other machines -------------------------------------------------------------


def test_a_sandbox_is_never_asked_about_the_machine_around_it() -> None:
    known = checks.context(root="/tmp/box")
    for name in ("journal.crashes", "system.state", "video.driver", "memory.zram", "boot.menu"):
        finding = judge(name, CASES[name].good, known=known)
        assert (finding.effect, "sandbox" in finding.reason) == (Effect.NOT_APPLICABLE, True)


def test_what_the_profile_has_not_is_not_applicable_with_the_fact() -> None:
    known = checks.context(profile="gyakusatsu")
    for name in ("video.playback", "kwin.compositing", "before.boot-menu"):
        finding = judge(name, CASES[name].good, known=known)
        assert finding.effect is Effect.NOT_APPLICABLE
        assert "profile" in finding.reason or "boot loader" in finding.reason


# -- the user's own configuration -------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "option"),
    [
        ("memory.swappiness", "boot.kernel.sysctl.vm.swappiness"),
        ("electron.app.discord", "systemd.user.slices.app-tuned-discord"),
    ],
)
def test_what_the_users_own_configuration_decides_is_named_and_undoes_no_run(
    setting: str, option: str
) -> None:
    case = CASES[setting]
    wrong = {**case.good, **next(iter(case.bad.values()))}
    without = judge(setting, wrong)
    assert (without.effect, without.counts) == (Effect.NOT_EFFECTIVE, True)
    says = {setting: [{"option": option, "files": ["configuration.nix"]}]}
    own = {
        ("file", f"workspace-tuning/{name}.json"): checks.marker(theirs=says)
        for name in ("nixos", "home-manager")
    }
    finding = judge(setting, {**wrong, **own})
    assert finding.effect is Effect.NOT_EFFECTIVE
    assert finding.reason == f"by your own choice: configuration.nix sets {option}"
    assert not finding.counts
    # What is as the plan has it is effective, whoever says so.
    assert judge(setting, {**case.good, **own}).effect is Effect.EFFECTIVE


def test_the_algorithm_of_another_device_says_nothing_of_the_swap() -> None:
    good = CASES["memory.zram"].good
    swaps = str(good[("file", "/proc/swaps")]).replace("zram0", "zram1")
    finding = judge("memory.zram", {**good, ("file", "/proc/swaps"): swaps})
    assert (finding.effect, "zram1" in finding.reason) == (Effect.UNKNOWN, True)


def test_a_lower_limit_of_the_users_own_is_told_and_undoes_no_run() -> None:
    case = CASES["memory.user-slice"]
    lower = {**case.good, **case.bad["the user's own slice ends before"]}
    finding = judge("memory.user-slice", lower)
    assert (finding.effect, finding.counts) == (Effect.NOT_EFFECTIVE, False)
    assert finding.found == "user-1000.slice ends at 1024 MiB"
