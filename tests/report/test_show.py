"""The output for a person fits the terminal, has no colour elsewhere, and nothing hostile."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.journal.form import taken
from converge.journal.journal import Line
from converge.journal.kinds import VerdictRecord
from converge.plan.diff import BINARY, unified
from converge.plan.plan import Change, FileDrift, Plan, Refusal
from converge.plan.standing import Stand
from converge.report.progress import describe
from converge.report.show import show_gate, show_plan, show_settings
from converge.report.terminal import Terminal, fit, plain, wrap
from converge.setting import Layer
from tasks.reach.output import harmless
from tests.conftest import PROJECT, PYINFRA, Box, Cli
from tests.plan.plans import EVERY, KWINRC, found, plan
from tests.proof.checks import HOME

#: What a workspace could send: colours, a title, a cleared screen, a hidden line, turned letters.
HOSTILE = "\033[2J\033]0;title\007\033[8mhidden\033[0m\r\x9b31m\u202eevil\u2066\x00\x7f"


def shown(made: Plan, *, diff: bool = False) -> str:
    stream = io.StringIO()
    show_plan(Terminal(stream), made, home=HOME, diff=diff)
    return stream.getvalue()


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


# ---- 80 columns ----------------------------------------------------------------------------------


@pytest.mark.parametrize("diff", [False, True])
def test_a_plan_fits_into_80_columns_except_for_a_path_or_a_line_of_a_file(diff: bool) -> None:
    made = plan(found(), selected=EVERY)
    content = {line for change in made.changes for line in unified(change, home=HOME)}
    for line in shown(made, diff=diff).splitlines():
        if line not in content:
            words = line.split()
            assert len(line) <= 80 or len(words) <= 2, line


def test_a_plan_names_every_layer_with_the_reason_where_it_does_not_apply() -> None:
    text = shown(plan(replace(found(), tools={}), selected=EVERY))
    for layer in Layer:
        assert f"  {layer.value} " in text
    assert text.count("nix is not installed") == 2


def test_keys_drift_refusals_and_warnings_are_told_with_both_values_and_the_way_out() -> None:
    made = replace(
        plan(found()),
        drift=(FileDrift(path=KWINRC, what="[P] k", old="old", found="mid", wanted="new"),),
        refusals=(Refusal(path=KWINRC, what="it is a FIFO", fix="move it away"),),
        warnings=("look here",),
    )
    text = shown(made)
    for part in (
        "contrastEnabled",
        "true -> false",
        "drift  ~/.config/kwinrc [P] k",
        "we wrote old, found mid, will be new",
        f"refused  {KWINRC}: it is a FIFO",
        "to do: move it away",
        "look here",
        "refused, 1 thing is in the way",
        f"plan {made.id}",
    ):
        assert part in text


def test_one_reason_holds_many_settings_back_and_is_said_once() -> None:
    where = f"{HOME}/.config/kwinrc is left as it is: no chezmoi"
    made = plan(found(), selected=EVERY)
    held = tuple(
        replace(standing, stand=Stand.HELD, why=f"{where}; or --data exclude={standing.setting.id}")
        if standing.setting.id in ("kwin.blur", "kwin.contrast")
        else standing
        for standing in made.standings
    )
    text = " ".join(shown(replace(made, standings=held)).split())
    assert text.count("left as it is") == 1
    assert "kwin.contrast, kwin.blur: ~/.config/kwinrc is left as it is: no chezmoi; " in text
    assert "or --data exclude=kwin.contrast,kwin.blur " in text


def test_a_diff_begins_with_the_users_own_files_and_shows_equal_bytes_once() -> None:
    made = plan(found(), selected=EVERY)
    lines = shown(made, diff=True).splitlines()
    files = [line for line in lines if re.match(r"  (create|replace)  \S+$", line)]
    files = files[len(files) - files[::-1].index(files[0]) - 1 :]  # the diffs, behind the summary
    ours = [n for n, line in enumerate(files) if "/workspace-tuning/" in line]
    assert ours[0] > 0 and ours == list(range(ours[0], len(files))), files
    again = len(made.changes) - len({(change.before, change.after) for change in made.changes})
    assert sum("the same bytes as" in line for line in lines) == again > 5


# ---- the bytes that a run writes -----------------------------------------------------------------


def patched(before: str, lines: Sequence[str]) -> str:
    """``before`` with a unified diff applied, by a reading of our own."""
    old = re.findall(r"[^\n]*\n|[^\n]+", before)
    new: list[str] = []
    at, last = 0, ""
    for line in lines[2:]:
        if hunk := re.match(r"@@ -(\d+)(,0)?", line):
            start = int(hunk[1]) - (0 if hunk[2] else 1)
            new += old[at:start]
            at = start
        elif line.startswith("\\"):
            if last != "-":
                new[-1] = new[-1].removesuffix("\n")
        else:
            last, text = line[0], line[1:] + "\n"
            if last != "-":
                new.append(text.replace("\\r", "\r"))
            if last != "+":
                at += 1
    return "".join(new + old[at:])


TEXTS = st.lists(st.sampled_from(["a", "b=1", "[G]", "", "x\r"]), max_size=9).map("\n".join)


@given(TEXTS, TEXTS, st.sampled_from(["", "\n"]), st.sampled_from(["", "\n"]))
def test_a_shown_diff_leads_from_the_bytes_that_were_read_to_those_that_are_written(
    before: str, after: str, end: str, other_end: str
) -> None:
    before, after = before + end, after + other_end
    change = Change(path=KWINRC, layer=Layer.PLASMA, before=before.encode(), after=after.encode())
    assert patched(before, unified(change, home=HOME)) == after


def test_a_file_that_is_made_or_removed_is_shown_against_nothing() -> None:
    change = Change(path=KWINRC, layer=Layer.PLASMA, before=None, after=b"x\n")
    assert unified(change, home=HOME)[:2] == ["--- /dev/null", "+++ ~/.config/kwinrc"]
    gone = replace(change, before=b"x\n", after=None)
    assert unified(gone, home=HOME)[:2] == ["--- ~/.config/kwinrc", "+++ /dev/null"]


def test_what_is_no_text_is_named_with_its_size() -> None:
    change = Change(path=KWINRC, layer=Layer.PLASMA, before=b"\xff", after=b"\xff\xfe")
    assert unified(change, home=HOME) == [BINARY.format(2)]


# ---- hostile text --------------------------------------------------------------------------------


def printable(text: str) -> bool:
    return all(char.isprintable() or char in "\n\t" for char in text)


def test_hostile_text_from_a_workspace_never_reaches_the_terminal() -> None:
    made = plan(found())
    made = replace(
        made,
        drift=(FileDrift(path=HOSTILE, what=HOSTILE, old=HOSTILE, found=HOSTILE, wanted=HOSTILE),),
        refusals=(Refusal(path=HOSTILE, what=HOSTILE, fix=HOSTILE),),
        warnings=(HOSTILE,),
        changes=(
            *made.changes,
            Change(path=HOSTILE, layer=Layer.SESSION, before=None, after=HOSTILE.encode()),
        ),
        not_applicable={Layer.NIXOS: HOSTILE},
    )
    text = shown(made, diff=True)
    assert printable(text)
    assert "\\x1b]0;title\\x07" in text


@given(st.text())
def test_whatever_is_printed_is_one_line_without_control_characters(text: str) -> None:
    stream = io.StringIO()
    terminal = Terminal(stream)
    terminal.line(text)
    terminal.row((text, text, text), (5, 10))
    assert printable(stream.getvalue())
    assert printable(plain(text))
    assert stream.getvalue().split("\n")[0] == plain(terminal.secrets(text))


@given(st.text())
def test_what_pyinfra_prints_keeps_its_colours_and_nothing_else(text: str) -> None:
    said = harmless(f"    [\033[1mhost\033[0m] \033[31m{text}\033[0m")
    assert printable(re.sub(r"\033\[(0|1|3[0-7])m", "", said))
    assert said.startswith("    [\033[1mhost\033[0m] \033[31m")


def test_a_style_that_hides_is_not_among_the_colours() -> None:
    assert harmless(HOSTILE).count("\033") == HOSTILE.count("\033[0m") == 1


@pytest.mark.parametrize(
    "record",
    [
        {"kind": "step", "workspace": HOSTILE, "step": HOSTILE, "status": "done", "why": HOSTILE},
        {"kind": "run-start", "workspace": "", "task": HOSTILE, "mode": "run", "run": "1"},
        {"kind": "problem", "workspace": "w", "text": HOSTILE},
        {"kind": "result", "workspace": "w", "outcome": "failed", "why": HOSTILE},
    ],
    ids=lambda record: record["kind"],
)
def test_a_message_of_a_record_is_harmless(record: dict[str, object]) -> None:
    stream = io.StringIO()
    Terminal(stream).line(describe(Line.of(record)))
    assert printable(stream.getvalue())
    assert stream.getvalue().count("\n") == 1


def test_the_gate_shows_what_differs_and_hides_nothing_hostile() -> None:
    stream = io.StringIO()
    verdict: dict[str, object] = {"fact": "cpu", "declared": HOSTILE, "found": HOSTILE}
    records = [
        taken(VerdictRecord, {**verdict, "outcome": outcome})
        for outcome in ("true", "blocks", "differs")
    ]
    show_gate(Terminal(stream), records)
    text = stream.getvalue()
    assert "1 true, 1 blocks, 1 differs" in text
    assert text.count("  cpu") == 2
    assert printable(text)


# ---- colour, width, encoding ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stream", "no_color", "coloured"),
    [(Tty(), None, True), (Tty(), "1", False), (Tty(), "", True), (io.StringIO(), None, False)],
)
def test_colour_is_for_terminals_and_nobody_who_asked_for_none(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, no_color: str | None, coloured: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    Terminal(stream).line("x", "red", "bold")
    assert ("\033[31;1m" in stream.getvalue()) is coloured


def test_the_list_of_settings_is_shown_on_a_terminal_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Tty()
    show_settings(Terminal(stream), plan(found()).standings)
    assert "in force:" in stream.getvalue() and "kwin.contrast" in stream.getvalue()


@pytest.mark.parametrize("columns", [1, 20, 40, 60, 80, 100, 500])
def test_rows_fit_any_terminal_down_to_40_columns(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Tty()
    terminal = Terminal(stream)
    assert terminal.width == max(40, min(columns, 100))
    terminal.row(("settings", "needs consent", "several words of a reason " * 4), (12, 24))
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= max(terminal.width, 42)
    assert "several words" in " ".join(" ".join(lines).split())


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "cp1252"])
def test_what_an_encoding_lacks_is_written_out(encoding: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    Terminal(stream).line("grün → \u0394 \udce9")
    stream.flush()
    text = raw.getvalue().decode(encoding)
    assert text.startswith("gr")
    assert text.endswith("\n")


class Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_stream_that_is_gone_is_no_error() -> None:
    terminal = Terminal(Gone())
    terminal.line("one")
    terminal.line("two")
    terminal.stream.close()


def test_texts_are_cut_and_wrapped_at_their_width() -> None:
    assert fit("abcdef", 6) == "abcdef"
    assert fit("abcdefg", 6) == "abc..."
    assert wrap("a bb ccc", 4) == ["a bb", "ccc"]
    assert wrap("/a/very/long/path x", 5) == ["/a/very/long/path", "x"]
    assert wrap("", 5) == [""]
    assert wrap("x -> $HOME/.cache,/nix/store,/a,/b", 16) == [
        "x ->",
        "$HOME/.cache,",
        "/nix/store,/a,/b",
    ]
    assert wrap("x --data exclude=a.b,c.d,e.f", 8) == ["x", "--data exclude=a.b,c.d,e.f"]


# ---- as a process --------------------------------------------------------------------------------

LOCALES = (
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONIOENCODING": "ascii:strict", "TERM": "dumb"},
)


@pytest.mark.slow
@pytest.mark.parametrize("environment", LOCALES, ids=["LANG=C", "ascii"])
def test_a_terminal_that_knows_only_ascii_gets_ascii(
    cli: Cli, desktop: Box, environment: dict[str, str]
) -> None:
    kwinrc = desktop.config("kwinrc")
    kwinrc.write_bytes(kwinrc.read_bytes() + "[Plugins]\nname=grün\n".encode())
    cli.environment |= environment
    run = cli(desktop.inventory, "deploy.py", "--dry", "--diff")
    assert run.code == 2, run.err
    assert "Traceback" not in run.out + run.err
    assert run.out.isascii()
    assert "\033" not in run.out


def read_all(descriptor: int) -> Iterator[bytes]:
    while True:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # the other side is closed
            return
        if not part:
            return
        yield part


@pytest.mark.slow
@pytest.mark.parametrize("no_color", ["", "1"])
def test_on_a_terminal_of_40_columns_there_is_colour_unless_it_is_unwanted(
    cli: Cli, desktop: Box, no_color: str
) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(PYINFRA), str(desktop.inventory), "deploy.py", "--dry"],
        cwd=PROJECT,
        env={**cli.environment, "NO_COLOR": no_color, "COLUMNS": "40", "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    text = b"".join(read_all(ours)).decode()
    os.close(ours)
    assert process.wait(timeout=60) == 2
    assert ("\033[" in text) is not bool(no_color)
    assert "changes found (exit 2)" in text


@pytest.mark.slow
@pytest.mark.parametrize("both", [False, True], ids=["stdout", "stdout and stderr"])
def test_a_closed_output_ends_no_run_halfway(cli: Cli, desktop: Box, both: bool) -> None:
    """``pyinfra ... -y | head -1``: what began is finished, and the next run has nothing to do."""
    process = subprocess.Popen(
        [str(PYINFRA), str(desktop.inventory), "deploy.py", "-y"],
        cwd=PROJECT,
        env=cli.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if both else subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read() if process.stderr else ""
    if process.stderr:
        process.stderr.close()
    assert process.wait(timeout=120) == 0, errors
    assert "Traceback" not in errors
    again = cli(desktop.inventory, "deploy.py", "--dry")
    assert again.code == 0, again.out
