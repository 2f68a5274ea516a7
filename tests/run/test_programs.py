"""Commands and programs: arguments are data, and answers are read by their words."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.effect import Effect, Finding
from converge.plan.rollout import Stage
from converge.profile.choices import check_choices
from tasks.reach import reading
from tasks.reach.commands import read_command
from tasks.reach.remote import PARTS, Answer, command, program
from tasks.reach.remote import text as plain
from tasks.run.stages import Over
from tasks.steps import activate, proof, read
from tests.plan.plans import EVERY, found, plan
from tests.proof.checks import PROJECT
from tests.run.steps import make, words_of
from tests.tools import need

__all__ = ["make"]


HOSTILE = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=30)


@given(st.lists(HOSTILE, max_size=4))
def test_every_argument_of_a_command_is_data(arguments: list[str]) -> None:
    released = command("release", arguments)
    words = words_of(released)
    assert words == shlex.split(released.get_raw_value())
    assert words == ["sh", "-c", program("release"), "workspace-release", *arguments]
    words = words_of(read_command("/root", arguments))
    common = plain(PROJECT / "converge/remote/common.sh")
    assert words[2].startswith(common) and words[2].count(common) == 1
    for name in ("managed", "detect", "flakes", "read"):
        assert program(name).removeprefix(common) in words[2]
    assert words[3:] == ["workspace-snapshot", "/root", *arguments]


def blocks(text: str) -> list[tuple[str, str]]:
    """A program by its functions, each with its name, and what is between them, without one."""
    found, here, name, ends = [], "", "", ""  # ends: of the text that a command reads
    for line in text.splitlines(keepends=True):
        begins = not (name or ends) and re.match(r"(\w+)\(\) \{", line)
        if begins:
            found.append(("", here))
            here, name = "", begins[1]
        here += line
        if ends:
            ends = "" if line == f"{ends}\n" else ends
        elif heredoc := re.search(r"<<'?(\w+)", line):
            ends = heredoc[1]
        elif name and (line == "}\n" or (begins and re.search(r"\}(?:\s+#.*)?$", line))):
            found.append((name, here))
            here = name = ""
    assert not (name or ends), "a function without an end"
    return [*found, ("", here)]


def words(text: str) -> set[str]:
    """All that may be the name of a function: what stands in no line of comments."""
    return set(re.findall(r"\w+", re.sub(r"^\s*#.*", "", text, flags=re.MULTILINE)))


def callable_by(program: str, shared: list[tuple[str, str]]) -> str:
    """The shared text without the functions that the program cannot call: to look through them with
    every program again takes two thirds of the time. With common.sh they are looked through."""
    wanted = words(program + "".join(text for name, text in shared if not name))
    functions = {name: words(text) for name, text in shared if name}
    while more := [name for name in functions.keys() & wanted if functions[name] - wanted]:
        wanted.update(*(functions[name] for name in more))
    return "".join(text for name, text in shared if not name or name in wanted)


def test_what_a_program_can_call_of_the_shared_text_is_all_of_it_but_what_it_does_not_name() -> (
    None
):
    shared = blocks((PROJECT / "converge/remote/common.sh").read_text())
    assert (
        "".join(text for _, text in shared) == (PROJECT / "converge/remote/common.sh").read_text()
    )
    names = [name for name, _ in shared if name]
    assert len(names) > 40 and {"say", "guarded_git", "with_first", "stop"} <= set(names)
    assert "with" not in names, "of a program in a text that a command reads"
    kept = {name for name, _ in blocks(callable_by("# drop\nstop 70 why\n", shared)) if name}
    assert {"stop", "end_with", "at_end", "say"} <= kept and not {"drop", "guarded_git"} & kept
    assert callable_by(" ".join(names), shared) == "".join(text for _, text in shared)


def test_every_program_of_the_engine_is_plain_posix_shell() -> None:
    """Each as it is sent: behind the text that all of them share."""
    directory = PROJECT / "converge/remote"
    common = (directory / "common.sh").read_text()
    shared = blocks(common)
    for path in sorted(directory.glob("*.sh")):
        # transact.sh reads undo.sh, which the parts are joined before
        alone = path.stem in (
            "common",
            "record",
            "former",
            "places",
            "loader",
            "lock",
            "prove",
            "installer",
            *activate.UNDO,
        )
        parts = [(directory / f"{part}.sh").read_text() for part in PARTS.get(path.stem, ())]
        own = "".join((*parts, path.read_text()))
        joined = path.read_text() if alone else common + own
        looked_at = joined if alone else callable_by(own, shared) + own
        done = subprocess.run(
            [need("shellcheck"), "-x", "-s", "sh", "-"],
            input=looked_at,
            cwd=PROJECT,
            capture_output=True,
            text=True,
        )
        assert done.stdout == "", path.name
        subprocess.run([need("dash"), "-n", "-c", joined], check=True)


def test_a_program_loses_its_comments_and_indentation_and_nothing_else() -> None:
    for name in ("read", "write", "transact", "undo", "build", "estimate", "origin", "check"):
        parts = ("common", *PARTS.get(name, ()), name)
        files = [PROJECT / f"converge/remote/{part}.sh" for part in parts]
        whole = [line for file in files for line in file.read_text().splitlines()]
        kept = [line for line in program(name).splitlines() if line]
        code = [line for line in whole if line and not line.lstrip().startswith("#")]
        for given_line, now in zip(code, kept, strict=True):
            text = given_line.lstrip(" ")
            blanks = len(given_line) - len(text)
            line = " " * (blanks if blanks % 4 else blanks // 4) + text
            if line != now:  # what the arguments of a function are
                assert line.removeprefix(now).lstrip(" ").startswith("# "), line
                assert re.fullmatch(r"\w+\(\) [{(](.*[)}])?", now), line


def test_a_whole_command_stays_below_what_one_argument_may_hold() -> None:
    """MAX_ARG_STRLEN of Linux: 128 KiB."""
    choices = {"workspace": "w", "profile": "p.yaml", "user": "u"}
    work_arguments = reading.arguments(check_choices("w", choices, known_settings=()))
    assert len(read_command("", work_arguments).get_raw_value()) < 100_000
    assert len(command("transact", ["start", "/x" * 100]).get_raw_value()) < 100_000
    assert len(command("write", ["x"] * 20).get_raw_value()) < 100_000


def test_room_for_another_generation_is_asked_for_only_where_one_is_made(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Finding(check="disk.room", title="Room", effect=Effect.NOT_EFFECTIVE, found="1 MiB")
    monkeypatch.setattr(proof, "before", lambda *_: (full,))
    monkeypatch.setattr(read, "stage_of", lambda *_: Stage(phases=frozenset()))
    assert activate.preflight(make(("done",))).known == (full,)
    with pytest.raises(Over, match="Room: found 1 MiB"):
        activate.preflight(make(made=plan(found(), selected=EVERY)))


def test_an_answer_is_read_by_its_words() -> None:
    answer = Answer(ok=True, lines=("wrote /a", "wrote", "wrotes x", "done"), errors=(" ", "e "))
    assert answer.of("wrote") == ("/a", "")
    assert answer.first("absent") == ""
    assert answer.last_error == "e"
    assert Answer(ok=False, lines=("failed no room", "x")).last_error == "no room"
    assert Answer(ok=False, lines=()).last_error == "it gave no reason"


def test_what_is_sent_of_a_program_lacks_comments_and_indentation_and_no_text(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.sh").write_text(
        "# what it is\n\nf() { # f WORD\n    if true; then # why\n        say a\n    fi\n}\n\n"
        "\n# usage\ncat <<'E'\nusage: a\n       b\n     \n\nE\n"
    )
    assert plain(tmp_path / "a.sh") == (
        "f() {\n if true; then # why\n  say a\n fi\n}\ncat <<'E'\nusage: a\n       b\n     \n\nE\n"
    )
