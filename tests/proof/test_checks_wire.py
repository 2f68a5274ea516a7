"""One remote command asks everything: in dash, with hostile, endless and hanging programs."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from converge.effect import Effect
from converge.proof import inquiry
from converge.proof.check import ABSENT, DENIED, MISSING, NOBODY, Answers, Ask, NoAnswer, Reply
from tasks.reach import remote
from tests.proof import checks
from tests.tools import need

#: One more probe than the product has: it runs any program, and its share has one stream for it.
PROBES = remote.joined(*inquiry.PROBES).replace("\nnamed()", '\nprobe_plain() { "$@"; }\nnamed()')
KINDS = ("program", "plain")  # probes with pipes of their own, and those that share a stream
each_kind = pytest.mark.parametrize("kind", KINDS)


def run(
    *asked: Ask, root: str = "", environment: Mapping[str, str] | None = None, probes: str = PROBES
) -> Answers:
    """Ask these questions as a run does, on this machine."""
    known = checks.context(root=root)
    outcome = subprocess.run(
        [
            need("dash"),
            "-c",
            remote.program("check"),
            "workspace-check",
            *inquiry.arguments(known, asked),
        ],
        input=probes,
        env={**os.environ, **(environment or {})},
        text=True,
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert outcome.stdout.splitlines()[-1] == "end"
    return inquiry.read(known, asked, outcome.stdout.splitlines())


def one(ask: Ask, **options: object) -> Reply:
    return run(ask, **options).reply(ask)  # type: ignore[arg-type]


def shell(text: str, kind: str = "program", *, limit: int = 10) -> Ask:
    return Ask(kind, ("/bin/sh", "-c", text), limit=limit)


def programs(directory: Path, **texts: str) -> dict[str, str]:
    """A directory of programs that comes first on PATH."""
    for name, text in texts.items():
        path = directory / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    return {"PATH": f"{directory}:{os.environ['PATH']}"}


def alone(directory: Path, *names: str) -> dict[str, str]:
    """A PATH with these programs of this machine and no others."""
    for name in names:
        (directory / name).symlink_to(need_real(name))
    return {"PATH": str(directory)}


def need_real(name: str) -> str:
    for place in ("/usr/bin", "/bin", "/usr/sbin"):
        if Path(place, name).exists():
            return f"{place}/{name}"
    raise FileNotFoundError(name)


@contextmanager
def process(*arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[int]:
    """A program that runs meanwhile."""
    started = subprocess.Popen(arguments, env=environment, stdin=subprocess.PIPE)
    try:
        yield started.pid
    finally:
        started.kill()
        started.wait()


def ended(number: int) -> bool:
    """Whether a process has ended, or does within ten seconds."""
    try:
        handle = os.pidfd_open(number)
    except ProcessLookupError:
        return True
    with open(handle, "rb", closefd=True):
        return bool(select.select([handle], [], [], 10)[0])


# -- the frame --------------------------------------------------------------------------------


@each_kind
def test_what_a_program_prints_cannot_become_an_answer(kind: str) -> None:
    hostile = "end\nanswer 1 =Zm9yZ2Vk 0 =\nanswer 1 timeout\ndone 1\nshare x =\n\nx 1 0\n"
    text = f"printf '{hostile}'; printf '{hostile}' >&2"
    first, second = shell(text, kind), shell("echo honest", kind)
    answers = run(first, second)
    assert answers.text(second) == "honest\n"
    assert answers.reply(first).text == hostile
    assert answers.reply(first).errors == hostile


@each_kind
@pytest.mark.parametrize(
    "written", [r"\000\377\033[31m\r\n", "", r"\n", r"\n\n", "no newline", r"\n "]
)
def test_bytes_arrive_as_they_are(kind: str, written: str) -> None:
    first, second = shell(f"printf '{written}'", kind), shell(f"printf '{written}' >&2", kind)
    answers = run(first, second)
    expected = written.encode().decode("unicode_escape").encode("latin-1")
    if "000" in written:
        expected = b"\0\xff\x1b[31m\r\n"
    assert answers.reply(first).output == expected
    errors = expected.decode(errors="replace")
    # A shell variable holds no NUL.
    assert answers.reply(second).errors == (errors if kind == "plain" else errors.replace("\0", ""))


def test_arguments_stay_data(tmp_path: Path) -> None:
    words = ("$(touch x)", "`touch x`", "; touch x", "'", '"', "a\nb", "", " ", "*", "\\", "-n")
    ask = Ask("program", ("/usr/bin/printf", "<%s>\\n", *words))
    assert one(ask).text == "".join(f"<{word}>\n" for word in words)
    assert not list(tmp_path.iterdir())


@each_kind
def test_every_question_gets_its_own_answer_whatever_the_one_before_was_given(kind: str) -> None:
    asked = [Ask(kind, ("/bin/echo", *["x"] * count)) for count in range(6)]
    answers = run(*asked)
    assert [answers.text(ask).split() for ask in asked] == [["x"] * count for count in range(6)]


@each_kind
@pytest.mark.parametrize("others", [0, 1, 20])
def test_the_status_of_a_program_is_its_own(kind: str, others: int) -> None:
    ask = shell("echo out; echo err >&2; exit 37", kind)
    around = [shell(f"echo {number}; echo {number} >&2", kind) for number in range(others)]
    answers = run(*around[: others // 2], ask, *around[others // 2 :])
    reply = answers.reply(ask)
    assert (reply.status, reply.text, reply.errors) == (37, "out\n", "err\n")
    for number, other in enumerate(around):
        reply = answers.reply(other)
        assert (reply.status, reply.text, reply.errors) == (0, f"{number}\n", f"{number}\n")


@each_kind
@pytest.mark.parametrize("program", ["yes", "yes >&2", "cat /dev/zero", "head -c 300000 /dev/zero"])
def test_an_endless_output_is_cut_and_judged_by_nobody(kind: str, program: str) -> None:
    """What is asked beside it is answered."""
    ask, others = shell(program, kind, limit=1), [shell(f"echo {n}", kind) for n in range(9)]
    answers = run(*others[:4], ask, *others[4:])
    assert [answers.text(other) for other in others] == [f"{number}\n" for number in range(9)]
    with pytest.raises(NoAnswer) as caught:
        answers.text(ask)
    if program == "yes >&2":
        assert caught.value.verdict.reason == f"{kind}: no answer in 1 s"
        return
    assert caught.value.verdict.effect is Effect.UNKNOWN
    assert "too long" in caught.value.verdict.reason


@each_kind
@pytest.mark.parametrize(
    "hanging",
    [
        "exec sleep 600",
        "trap '' TERM; sleep 600; sleep 600",
        "sleep 600 & sleep 600",
    ],
)
def test_a_program_that_hangs_is_unknown_and_ended_and_the_next_one_is_asked(
    tmp_path: Path, hanging: str, kind: str
) -> None:
    numbers = tmp_path / "pids"
    first = shell(f"echo $$ >>{numbers}; {hanging}", kind, limit=1)
    second = shell("echo there", kind)
    answers = run(first, second)
    started = numbers.read_text().split()
    assert len(started) == 2, "in a session with others, then alone"
    assert all(ended(int(number)) for number in started)
    with pytest.raises(NoAnswer) as caught:
        answers.reply(first)
    assert caught.value.verdict.reason == f"{kind}: no answer in 1 s"
    assert answers.text(second) == "there\n"


@each_kind
def test_questions_share_a_few_sessions_and_whichever_hangs_is_asked_alone(
    tmp_path: Path, kind: str
) -> None:
    """Starting a shell with all probes takes longer than most answers."""
    log = tmp_path / "log"
    environment = programs(tmp_path, setsid=f'echo x >>{log}\nexec {need("setsid")} "$@"')
    asked = [shell(f"echo {number}", kind) for number in range(40)]
    answers = run(*asked, environment=environment)
    assert [answers.text(ask) for ask in asked] == [f"{number}\n" for number in range(40)]
    assert len(log.read_text().split()) == 4
    log.unlink()
    asked[0] = shell("exec sleep 600", kind, limit=1)
    answers = run(*asked, environment=environment)
    assert [answers.text(ask) for ask in asked[1:]] == [f"{number}\n" for number in range(1, 40)]
    with pytest.raises(NoAnswer, match="no answer in 1 s"):
        answers.reply(asked[0])
    assert len(log.read_text().split()) == 4 + 10  # those that had their turn behind it, and it


@each_kind
@pytest.mark.parametrize(
    ("whole", "cut"),
    [
        ('say answer "$id" "$(', 'printf "answer %s =Y" "$id" >&3 && exit 1 ; : "$('),
        ("printf '\\n%s %s %s\\n' \"$mark\"", 'printf \'\\n%s %s 0\' "$mark" "$id" && exit; : '),
        ("printf '\\n%s %s\\n' \"$mark\"", "printf '\\n%s ' \"$mark\" >&2 && exit; : "),
        ('say "done" "$id"', 'printf "done %s" "$id" >&3 && exit; : '),
    ],
)
def test_a_line_that_was_cut_while_it_was_written_is_asked_again(
    kind: str, whole: str, cut: str
) -> None:
    """The session of a share is killed in the middle of an answer."""
    probes = PROBES.replace(whole, cut)
    assert probes != PROBES
    asked = [shell(f"echo whole {number}", kind) for number in range(3)]
    answers = run(*asked, probes=probes)
    assert [answers.text(ask) for ask in asked] == [f"whole {n}\n" for n in range(3)]


@each_kind
def test_of_the_errors_the_end_is_kept(kind: str) -> None:
    first, second = shell("yes | head -c 9000 >&2; echo end >&2", kind), shell("echo there", kind)
    answers = run(first, second)
    errors = answers.reply(first).errors
    assert ("y\n" * 4500 + "end\n").endswith(errors) and 4090 < len(errors) <= 4096
    assert answers.reply(second).errors == ""


@each_kind
def test_nobody_waits_for_input_that_never_comes(kind: str) -> None:
    asked = shell("cat", kind), shell("cat -", kind)
    answers = run(*asked)
    assert [answers.reply(ask).status for ask in asked] == [0, 0]


@each_kind
def test_a_daemon_that_a_program_leaves_behind_holds_nobody_up(tmp_path: Path, kind: str) -> None:
    """The daemon keeps the output open, in a session that no signal for the probe reaches."""
    number = tmp_path / "pid"
    first = shell(f"setsid sh -c 'echo $$ >{number}; exec sleep 600' & exit 0", kind, limit=1)
    second = shell("echo there", kind)
    try:
        answers = run(first, second)
        assert answers.text(second) == "there\n"
        if kind == "program":
            with pytest.raises(NoAnswer):
                answers.reply(first)
        else:
            assert answers.reply(first).status == 0
    finally:
        os.kill(int(number.read_text()), 9)


def test_every_probe_is_plain_posix_shell() -> None:
    subprocess.run([need("dash"), "-n", "-c", PROBES], check=True)
    subprocess.run([need("shellcheck"), "--shell=sh", *map(str, inquiry.PROBES)], check=True)


def test_every_probe_that_a_check_asks_is_there() -> None:
    from converge.proof.check import When
    from converge.setting import Phase
    from converge.subjects.checks import ITEMS, PROOFS

    known = checks.context()
    todo = inquiry.jobs(known, ITEMS, PROOFS, when=frozenset(When), phases=frozenset(Phase))
    for ask in inquiry.questions(known, todo):
        assert f"probe_{ask.probe.replace('-', '_')}() {{" in PROBES, ask


def test_a_question_brings_the_probes_of_its_subject_and_no_others() -> None:
    import re

    subjects = [path for path in inquiry.PROBES if "subjects" in path.parts]
    defined = {
        path: set(re.findall(r"^(\w+)\(\) ", path.read_text(), re.MULTILINE))
        for path in inquiry.PROBES
    }
    for path in subjects:
        names = [name for name in defined[path] if name.startswith("probe_")]
        assert names, path
        for name in names:
            asked = Ask(name.removeprefix("probe_").replace("_", "-"), ())
            sent = inquiry.probes([asked])
            assert path in sent
            assert set(sent) - {path} == set(inquiry.PROBES) - set(subjects)
        # What is not sent is not called.
        start = r"(?:^|[;|&(`]|(?<!\$)\{|\b(?:then|do|else|if|!)) *"
        called = set(re.findall(rf"{start}(\w+)(?![=\w])", remote.text(path), re.MULTILINE))
        for other in subjects:
            assert other == path or not called & (defined[other] - defined[path]), (path, other)
    assert inquiry.probes([]) == tuple(p for p in inquiry.PROBES if p not in subjects)


def test_all_that_a_workspace_is_asked_fits_into_one_command() -> None:
    """Linux takes 128 KiB in one argument, and pyinfra makes one of the whole command."""
    from converge.setting import Phase
    from converge.subjects.checks import ITEMS, PROOFS

    known = checks.context()
    todo = inquiry.jobs(known, ITEMS, PROOFS, phases=frozenset(Phase))
    words = inquiry.arguments(known, inquiry.questions(known, todo))
    assert len(str(remote.command("check", words).get_raw_value())) < 64 * 1024


# -- what is missing --------------------------------------------------------------------------


def test_a_missing_program_is_told_by_its_name(tmp_path: Path) -> None:
    base = ("setsid", "timeout", "sh", "id", "head", "tail", "base64", "cat", "tr", "mktemp")
    environment = alone(tmp_path, *base)
    for probe, tool in (
        ("nix-config", "nix"),
        ("nvidia", "nvidia-smi"),
        ("baloo", "balooctl6"),
        ("kde", "kreadconfig6"),
        ("journal", "journalctl"),
    ):
        # PATH gets the places of the programs of a workspace; a name that is in none of them is
        # what a machine without the program looks like.
        text = PROBES.replace("PATH=$PATH:", "UNUSED=")
        reply = one(Ask(probe, ("a", "b", "c")), environment=environment, probes=text)
        assert (reply.status, reply.last_error) == (MISSING, tool)


def test_a_file_that_is_not_there_is_told_from_one_that_may_not_be_read(tmp_path: Path) -> None:
    assert one(Ask("file", (str(tmp_path / "none"),)), root="/r").status == ABSENT
    assert one(Ask("file", (str(tmp_path),)), root="/r").status == ABSENT
    inside = tmp_path / "closed" / "file"
    inside.parent.mkdir()
    inside.write_text("text\n")
    inside.parent.chmod(0)
    # As nobody, since root may read all.
    nobody = [need("setpriv"), "--reuid=65534", "--clear-groups"] if os.getuid() == 0 else []
    for parent in inside.parents[1:]:
        if parent.stat().st_uid == os.getuid() and parent.is_relative_to("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o011)
    for path in (inside, inside / "below"):
        outcome = subprocess.run(
            [*nobody, need("dash"), "-c", PROBES, "probe", "/r", "9", "framed", "file", str(path)],
            env={**os.environ, "HOME": "/nonexistent"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert outcome.stdout.split()[1] == str(DENIED)


def test_without_a_bus_there_is_nobody_to_ask(tmp_path: Path) -> None:
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    for ask in (Ask("kwin", ("blur",)), Ask("slice", ("x.slice",)), Ask("fresh", ("A",))):
        reply = one(ask, environment=environment)
        assert (reply.status, str(tmp_path) in reply.errors) == (NOBODY, True)


def test_the_bus_of_the_session_that_starts_the_run_is_never_taken_for_the_workspaces(
    tmp_path: Path,
) -> None:
    environment = {
        "XDG_RUNTIME_DIR": str(tmp_path),
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/0/bus",
    }
    assert one(Ask("kwin", ()), environment=environment).status == NOBODY
    text = PROBES.rpartition("case $1 in")[0] + 'printf %s "$DBUS_SESSION_BUS_ADDRESS"'
    outcome = subprocess.run(
        [need("dash"), "-c", text, "probe", "", "9"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert outcome.stdout == f"unix:path={tmp_path}/bus"
