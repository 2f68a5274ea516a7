"""Checks against real programs of this machine: KConfig's reader, Nix, Git, the kernel, shells."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from converge.effect import Effect
from converge.proof import inquiry
from converge.proof.check import ABSENT, NOBODY, Ask, NoAnswer, Reply
from converge.subjects.libraries import checks as libraries
from converge.subjects.memory import checks as memory
from converge.subjects.plasma import checks as desktop
from converge.subjects.workspace import machine, system
from tasks.reach import remote
from tests.proof import checks
from tests.proof.checks import Replies, judge
from tests.proof.test_checks_wire import one, programs, run
from tests.subjects.desktop import KDE
from tests.tools import need


@contextmanager
def process(
    *arguments: str, called: str = "", environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """A program that runs meanwhile; ``called``: what it calls itself. It has started its work when
    this begins."""
    command = [need("bash"), "-c", 'exec -a "$0" "$@"', called or arguments[0], *arguments]
    started = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    try:
        yield started.pid
    finally:
        started.kill()
        started.communicate()


def waiting(
    directory: Path,
    name: str,
    *arguments: str,
    called: str = "",
    environment: Mapping[str, str] | None = None,
) -> AbstractContextManager[int]:
    """A program of that name, as the kernel sees it, that says it is ready and waits."""
    path = directory / name
    if not path.exists():
        shutil.copy(need("dash"), path)
    text = "echo ready; read -r line"
    return process(str(path), "-c", text, *arguments, called=called, environment=environment)


# -- KConfig ----------------------------------------------------------------------------------


@pytest.fixture
def kde_home(tmp_path: Path) -> dict[str, str]:
    """A home with the plan's KDE files, and a directory of system files before it."""
    need("kreadconfig")
    config = tmp_path / "home/.config"
    config.mkdir(parents=True)
    (tmp_path / "xdg").mkdir()
    for name in ("kwinrc", "baloofilerc", "kdeglobals"):
        (config / name).write_bytes(checks.plasma_file(name))
    return {
        "HOME": str(tmp_path / "home"),
        "XDG_CONFIG_HOME": str(config),
        "XDG_CONFIG_DIRS": str(tmp_path / "xdg"),
    }


def with_kde(setting: str, environment: Mapping[str, str], replies: Replies = KDE) -> Effect:
    """The finding of a setting whose entries the real reader answers."""
    from converge.subjects.settings import BY_ID

    asked = desktop.PROOFS[0].asks(checks.context(), BY_ID[setting])
    asked = [ask for ask in asked if ask.probe == "kde"]
    answers = run(*asked, environment=environment)
    real: dict[str | tuple[str, str], Reply | str] = {
        ("kde", ask.arguments[2]): answers.reply(ask) for ask in asked
    }
    return judge(setting, {**replies, **real}).effect


@pytest.mark.parametrize(
    "setting", ["kwin.contrast", "kwin.blur", "desktop.animation-speed", "baloo.basic-indexing"]
)
def test_the_real_reader_reads_what_was_written(setting: str, kde_home: dict[str, str]) -> None:
    assert with_kde(setting, kde_home) is Effect.EFFECTIVE


def test_a_lock_of_the_system_before_the_users_value_is_found(
    tmp_path: Path, kde_home: dict[str, str]
) -> None:
    (tmp_path / "xdg/kwinrc").write_text("[Plugins][$i]\ncontrastEnabled=true\n")
    assert with_kde("kwin.contrast", kde_home) is Effect.NOT_EFFECTIVE
    assert with_kde("kwin.backend", kde_home) is Effect.EFFECTIVE


def test_an_entry_that_kde_dropped_because_it_equals_the_default_is_effective(
    kde_home: dict[str, str],
) -> None:
    path = Path(kde_home["XDG_CONFIG_HOME"], "kwinrc")
    path.write_text(path.read_text().replace("blurEnabled=true\n", ""))
    assert with_kde("kwin.blur", kde_home) is Effect.EFFECTIVE


def test_variables_in_a_value_are_expanded_by_the_real_reader(kde_home: dict[str, str]) -> None:
    path = Path(kde_home["XDG_CONFIG_HOME"], "baloofilerc")
    path.write_text("[General]\nexclude folders[$e]=$HOME/.cache\n")
    reply = one(Ask("kde", ("baloofilerc", "General", "exclude folders")), environment=kde_home)
    assert reply.text == f"{kde_home['HOME']}/.cache\n"


# -- commands and builds ----------------------------------------------------------------------


def test_the_basic_commands_of_this_machine_work() -> None:
    need("git")
    finding = judge("commands.basic", {"commands": one(machine.COMMANDS)})
    assert finding.effect is Effect.EFFECTIVE, finding


@pytest.mark.parametrize("broken", ["ls", "grep", "git"])
def test_a_basic_command_that_dies_of_its_own_code_is_found(tmp_path: Path, broken: str) -> None:
    need("git")
    environment = programs(tmp_path, **{broken: "kill -ILL $$"})
    finding = judge("commands.basic", {"commands": one(machine.COMMANDS, environment=environment)})
    assert (finding.effect, broken in finding.found) == (Effect.NOT_EFFECTIVE, True)


def test_a_machine_whose_cat_dies_answers_nothing_and_proves_nothing(tmp_path: Path) -> None:
    answers = run(machine.COMMANDS, environment=programs(tmp_path, cat="kill -ILL $$"))
    with pytest.raises(NoAnswer) as caught:
        answers.reply(machine.COMMANDS)
    assert caught.value.verdict.effect is Effect.UNKNOWN


@pytest.fixture
def store(tmp_path: Path) -> dict[str, str]:
    """A Nix store of its own, where a build needs no other user."""
    need("nix")
    return {
        "NIX_STORE_DIR": str(tmp_path / "store"),
        "NIX_STATE_DIR": str(tmp_path / "var"),
        "NIX_LOG_DIR": str(tmp_path / "log"),
        "NIX_CONFIG": "sandbox = false\nbuild-users-group =\nsubstituters =\n",
        "NIX_REMOTE": "local",
        "HOME": str(tmp_path),
    }


def test_a_real_build_succeeds_is_new_each_time_and_leaves_nothing(
    tmp_path: Path, store: dict[str, str]
) -> None:
    first = one(machine.BUILD, environment=store)
    assert judge("nix.build", {"build": first}).effect is Effect.EFFECTIVE, first
    assert not list((tmp_path / "store").glob("*-workspace-check"))


def test_a_builder_that_crashes_is_found(tmp_path: Path, store: dict[str, str]) -> None:
    broken = {**store, "NIX_CONFIG": f"{store['NIX_CONFIG']}max-jobs = 0\n"}
    finding = judge("nix.build", {"build": one(machine.BUILD, environment=broken)})
    assert finding.effect is Effect.NOT_EFFECTIVE


@pytest.mark.parametrize(
    ("line", "effect"),
    [
        ("extra-system-features = gccarch-skylake", Effect.EFFECTIVE),
        ("cores = 4", Effect.NOT_EFFECTIVE),
    ],
)
def test_the_real_configuration_of_nix_is_read(
    tmp_path: Path, store: dict[str, str], line: str, effect: Effect
) -> None:
    """The machine's: a user's own file and NIX_CONFIG are for what that user builds."""
    (tmp_path / "nix.conf").write_text(f"{line}\nmax-jobs = 3\naccess-tokens = host=planted\n")
    (tmp_path / "nix").mkdir()
    (tmp_path / "nix/nix.conf").write_text("max-jobs = 8\n")
    store |= {"NIX_CONF_DIR": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    reply = one(libraries.NIX_CONFIG, environment={**store, "NIX_CONFIG": "max-jobs = 9\n"})
    assert "planted" not in reply.text
    assert {row.partition(" = ")[0] for row in reply.text.splitlines()} == {
        *("max-jobs", "cores", "system-features")
    }, "a probe hands over the values that a check needs"
    replies = {**checks.IN_USE, "nix-config": reply}
    assert judge("libraries.march.feature", replies).effect is effect
    wanted = Effect.EFFECTIVE if line == "cores = 4" else Effect.NOT_EFFECTIVE
    assert judge("build.parallelism", replies).effect is wanted


# -- the kernel -------------------------------------------------------------------------------


def test_the_kernels_own_files_are_read_and_a_wrong_number_is_found() -> None:
    for setting, names in (
        ("memory.swappiness", ("vm.swappiness",)),
        ("memory.dirty-ratio", ("vm.dirty_ratio", "vm.dirty_background_ratio")),
    ):
        found: dict[str | tuple[str, str], Reply | str] = {}
        for name in names:
            ask = memory._sysctl(name)
            reply = one(ask)
            assert reply.text == Path(ask.arguments[0]).read_text()
            found["file", f"/{name.rpartition('.')[2]}"] = reply
        wanted = {"vm.swappiness": "67", "vm.dirty_ratio": "10", "vm.dirty_background_ratio": "5"}
        right = all(r.text.strip() == wanted[n] for n, r in zip(names, found.values(), strict=True))
        finding = judge(setting, {**checks.IN_USE, **found})
        assert finding.effect is (Effect.EFFECTIVE if right else Effect.NOT_EFFECTIVE)


def test_free_memory_swaps_cpus_and_disks_of_this_machine_are_read() -> None:
    answers = run(memory.MEMORY, memory.SWAPS, memory.DISKS, Ask("file", ("/proc/cpuinfo",)))
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert system.memory(answers.text(memory.MEMORY))["MemTotal"] == total
    assert isinstance(system.swaps(answers.text(memory.SWAPS)), tuple)
    assert isinstance(system.disks(answers.text(memory.DISKS)), tuple)
    assert "fpu" in system.cpu_flags(answers.text(Ask("file", ("/proc/cpuinfo",))))


def test_free_space_is_that_of_the_file_system() -> None:
    ask = Ask("room", ("/", "/nowhere"))
    free = system.kilobytes_free(run(ask).text(ask))
    assert list(free) == ["/"]
    assert 0 < free["/"] <= shutil.disk_usage("/").total // 1024


def test_a_journal_without_a_line_of_the_kernel_is_not_permitted_and_never_empty(
    tmp_path: Path,
) -> None:
    """As the real one does for a user without the right: no entries, and status 0."""
    environment = programs(tmp_path, journalctl="echo '-- No entries --' >&2; exit 0")
    reply = one(Ask("journal", ()), environment=environment)
    finding = judge("journal.memory", {"journal": reply})
    assert (finding.effect, "not permitted" in finding.reason) == (Effect.UNKNOWN, True)


# -- processes --------------------------------------------------------------------------------


def test_the_environment_of_a_running_program_is_read_and_nothing_but_what_was_asked(
    tmp_path: Path,
) -> None:
    environment = {
        "KWIN_OPENGL_INTERFACE": "egl",
        "SECRET": "token",
        "TRICK": "x\nLIBVA_DRIVER_NAME=forged",
    }
    with waiting(tmp_path, "kwin_x11", environment=environment) as number:
        ask = Ask("environment", ("kwin_x11", "KWIN_OPENGL_INTERFACE", "LIBVA_DRIVER_NAME"))
        reply = one(ask)
        assert reply.output == f"process {number}\nKWIN_OPENGL_INTERFACE=egl\0".encode()
        found = system.environment(reply.output, "process")
        assert found == {"KWIN_OPENGL_INTERFACE": "egl"}
        finding = judge("kwin.environment", {("environment", "kwin_x11"): reply})
        assert finding.effect is Effect.NOT_EFFECTIVE


def test_a_program_that_nixpkgs_wrapped_is_found_by_the_name_the_kernel_has(
    tmp_path: Path,
) -> None:
    with waiting(tmp_path, ".plasmashell-wrapped", environment={"NVD_BACKEND": "direct"}):
        reply = one(Ask("environment", ("session", "NVD_BACKEND")))
        assert reply.output.endswith(b"\nNVD_BACKEND=direct\0")


def test_a_session_that_does_not_run_is_nobody_to_ask(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    reply = one(Ask("environment", ("session", "DISPLAY")), root=str(tmp_path))
    assert (reply.status, reply.errors) == (NOBODY, "no desktop session\n")


def test_the_gpu_process_of_an_application_is_found_with_its_flags(tmp_path: Path) -> None:
    arguments = ("--type=gpu-process", "--use-gl=disabled", "--secret=token", "https://x/")
    with waiting(tmp_path, "codium", *arguments) as number:
        reply = one(Ask("gpu-processes"))
        found = {p.pid: p for p in system.processes(reply.text)}
        assert found[number].flags == ("--type=gpu-process", "--use-gl=disabled")
        assert "secret" not in reply.text
        finding = judge("electron.gpu-process", {"gpu-processes": reply})
        assert (finding.effect, str(number) in finding.found) == (Effect.NOT_EFFECTIVE, True)


def test_arguments_that_chromium_joined_with_blanks_are_told_apart(tmp_path: Path) -> None:
    with waiting(tmp_path, "app", "--type=gpu-process --use-gl=angle --use-angle=gl") as number:
        found = {p.pid: p for p in system.processes(one(Ask("gpu-processes")).text)}
        flags = ("--type=gpu-process", "--use-gl=angle", "--use-angle=gl")
        assert found[number].flags == flags


def test_a_shell_that_asks_for_gpu_processes_is_none_itself(tmp_path: Path) -> None:
    """As each session of questions is, on a machine where no application runs."""
    with waiting(tmp_path, "sh", remote.joined(*inquiry.PROBES), "gpu-processes") as number:
        assert number not in {p.pid for p in system.gpu_processes(one(Ask("gpu-processes")).text)}


def test_processes_of_an_application_are_found_by_name_and_by_store_path(tmp_path: Path) -> None:
    store = "/nix/store/0000-teams-for-linux-2.7.13/share/teams-for-linux/app.asar"
    with (
        waiting(tmp_path, "discord") as plain,
        waiting(tmp_path, "electron", called=store) as electron,
        waiting(tmp_path, "editor", "/home/x/discord/notes") as other,
    ):
        ask = Ask("processes", ("2", "discord", "teams-for-linux", "/nowhere"))
        text = run(ask).text(ask)
        numbers = {process.pid for process in system.processes(text)}
        assert plain in numbers and electron in numbers and other not in numbers
        assert system.since(text) == 0
        mine = next(p for p in system.processes(text) if p.pid == plain)
        assert mine.score == int(Path(f"/proc/{plain}/oom_score_adj").read_text())
        started = Path(f"/proc/{plain}").stat().st_mtime
        assert abs(mine.started - started) < 60


# -- the GPU ----------------------------------------------------------------------------------


def test_the_decoder_is_asked_at_the_node_of_the_card_that_draws(tmp_path: Path) -> None:
    cards = (
        (128, "0x8086", "0x46a6", "0000:00:02.0"),
        (129, "0x10de", "0x2520", "0000:01:00.0"),
        (130, "0x1002", "0x73df", "0000:03:00.0"),
        (131, "0x1002", "0x73df", "0000:04:00.0"),
    )
    for number, vendor, device, slot in cards:
        own = tmp_path / "sys/devices" / slot
        own.mkdir(parents=True)
        (own / "vendor").write_text(f"{vendor}\n")
        (own / "device").write_text(f"{device}\n")
        link = tmp_path / f"sys/class/drm/renderD{number}/device"
        link.parent.mkdir(parents=True)
        link.symlink_to(own)
    environment = programs(tmp_path, vainfo='echo "$@" $LIBVA_DRIVER_NAME')
    for arguments, number, driver in (
        (("0x10de", "", "", "nvidia"), 129, "nvidia"),
        (("0x10de", "0x2520", "", "nvidia"), 129, "nvidia"),
        (("0x8086", "0x46a6", "", "iHD"), 128, "iHD"),
        (("0x1002", "0x73df", "", "radeonsi"), 130, "radeonsi"),
        (("0x1002", "0x73df", "0000:04:00.0", "radeonsi"), 131, "radeonsi"),
    ):
        reply = one(Ask("vainfo", arguments), root=str(tmp_path), environment=environment)
        node = f"/dev/dri/renderD{number}"
        assert reply.text == f"node {node}\n--display drm --device {node} {driver}\n"
    none = Ask("vainfo", ("0x10de", "0x1401", "", "nvidia"))
    reply = one(none, root=str(tmp_path), environment=environment)
    assert reply.status == ABSENT


def test_the_same_question_is_asked_once_however_many_checks_ask_it() -> None:
    known = checks.context()
    from converge.proof import inquiry
    from converge.subjects.checks import ITEMS, PROOFS

    asked = inquiry.questions(known, inquiry.jobs(known, ITEMS, PROOFS))
    assert len(asked) == len(set(asked))
    assert sum(ask.probe == "kwin" for ask in asked) == 1
    assert sum(ask.probe == "nix-report" for ask in asked) == 2
    assert json.dumps([ask.arguments for ask in asked])  # plain texts
