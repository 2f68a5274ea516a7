"""Arguments and facts in, commands out: each step, with a workspace that answers what it is told.

No data is ever put into the text of a program: it is an argument, or on standard input.
"""

from __future__ import annotations

import ast
import base64
import importlib
import io
import os
import shlex
import subprocess
import tarfile
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.effect import Effect, Finding
from converge.exits import Exit
from converge.plan.plan import Plan
from converge.plan.rollout import Stage
from converge.plan.snapshot import Snapshot, Transaction
from converge.profile.choices import check_choices
from converge.subjects.settings import BY_ID
from tasks.reach.remote import PARTS, Answer, command, program, read_command
from tasks.reach.remote import text as plain
from tasks.run import operations, stages
from tasks.run.journal import Journal, JournalError
from tasks.run.run import Run
from tasks.run.stages import Built, Kept, Looked, Over, Planned, Proved, Workspace, Written
from tasks.steps import activate, back, build, finish, proof, transaction, write
from tasks.steps import read as reading
from tests.plan.plans import DESKTOP, EVERY, found, plan, profile
from tests.proof.checks import HOME, PROJECT
from tests.tools import need

DONE = ("done",)
COMMANDS = ("verify", "status", "why", "confirm", "rollback", "remove", "detect", "measure")


@dataclass
class Host:
    """A workspace that answers one prepared answer after the other, and remembers the commands.

    An answer is what a program printed; True: nothing, and it went well; False: nothing at all."""

    answers: list[tuple[str, ...] | BaseException | bool]
    name: str = "shoshin"
    data: dict[str, Any] = field(default_factory=lambda: {"_timeout": 900})
    connector: Any = field(default_factory=SimpleNamespace)
    commands: list[tuple[list[str], dict[str, Any]]] = field(default_factory=list)

    def run_shell_command(self, given: Any, **options: Any) -> tuple[bool, Any]:
        self.commands.append((shlex.split(given.get_raw_value()), options))
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        lines = [] if isinstance(answer, bool) else list(answer)
        return answer is not False, SimpleNamespace(stdout_lines=lines, stderr_lines=[])

    def words(self, number: int = -1) -> list[str]:
        """The arguments of a command, without ``sh -c PROGRAM``, nor what root begins with."""
        given, options = self.commands[number]
        assert (given[:2] == ["cd", "/"]) is options.get("_sudo", False)
        shell, flag, text, *rest = given[given.index("sh") :]
        assert (shell, flag) == ("sh", "-c")
        assert text == program(rest[0].removeprefix("workspace-"))
        return rest

    def stdin(self, number: int = -1) -> dict[str, bytes]:
        packed = base64.b64decode(self.commands[number][1]["_stdin"])
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            return {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}  # type: ignore[union-attr]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Any]:
    journals: list[Journal] = []

    def make(
        *answers: tuple[str, ...] | BaseException | bool,
        snapshot: Snapshot | None = None,
        made: Plan | None = None,
        stage: type[Planned] = Planned,
        known: dict[str, object] = {},  # noqa: B006 - never changed
        **choices: object,
    ) -> Any:
        given = {"workspace": "shoshin", "profile": "p.yaml", "user": "mitsio", **choices}
        run = Run({"dry": False, "diff": False, "yes": True, "operations": ["deploy.py"]})
        checked = check_choices("shoshin", given, known_settings=BY_ID)
        run.inputs["shoshin"] = (checked, profile())
        run.journal = Journal(tmp_path / f"runs{len(journals)}", run.id)  # 4 digits a second repeat
        journals.append(run.journal)
        here = snapshot or found()
        host = Host(list(answers))
        return stage(
            host=host,
            run=run,
            choices=checked,
            profile=profile(),
            snapshot=here,
            plan=made or plan(here, selected=DESKTOP),
            **known,
        )

    yield make
    for journal in journals:  # a run has one, and its process ends with it
        os.close(journal._fd)


# ---- commands ------------------------------------------------------------------------------------

HOSTILE = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=30)


@given(st.lists(HOSTILE, max_size=4))
def test_every_argument_of_a_command_is_data(arguments: list[str]) -> None:
    words = shlex.split(command("release", arguments).get_raw_value())
    assert words == ["sh", "-c", program("release"), "workspace-release", *arguments]
    words = shlex.split(read_command("/root", arguments).get_raw_value())
    common = plain(PROJECT / "converge/remote/common.sh")
    programs = [
        program(name).removeprefix(common) for name in ("managed", "detect", "flakes", "read")
    ]
    assert words[3:] == ["workspace-snapshot", common, *programs, "/root", *arguments]


def test_every_program_of_the_engine_is_plain_posix_shell() -> None:
    """Each as it is sent: behind the text that all of them share."""
    directory = PROJECT / "converge/remote"
    common = (directory / "common.sh").read_text()
    for path in sorted(directory.glob("*.sh")):
        # transact.sh reads undo.sh, which the parts are joined before
        alone = path.stem in ("common", "record", "places", "loader", "prove", *activate.UNDO)
        parts = [(directory / f"{part}.sh").read_text() for part in PARTS.get(path.stem, ())]
        joined = path.read_text() if alone else "".join((common, *parts, path.read_text()))
        done = subprocess.run(
            [need("shellcheck"), "-x", "-s", "sh", "-"],
            input=joined,
            cwd=PROJECT,
            capture_output=True,
            text=True,
        )
        assert done.stdout == "", path.name
        subprocess.run([need("dash"), "-n", "-c", joined], check=True)


def test_a_program_loses_its_comments_and_nothing_else() -> None:
    for name in ("read", "write", "transact", "undo", "build", "estimate", "origin", "check"):
        parts = ("common", *PARTS.get(name, ()), name)
        files = [PROJECT / f"converge/remote/{part}.sh" for part in parts]
        whole = [line for file in files for line in file.read_text().splitlines()]
        kept = program(name).splitlines()
        assert kept == [line for line in whole if not line.lstrip().startswith("#")]


def test_a_whole_command_stays_below_what_one_argument_may_hold() -> None:
    """MAX_ARG_STRLEN of Linux: 128 KiB."""
    work_arguments = reading.arguments(
        SimpleNamespace(  # type: ignore[arg-type]
            choices=check_choices(
                "w", {"workspace": "w", "profile": "p.yaml", "user": "u"}, known_settings=()
            )
        )
    )
    assert len(read_command("", work_arguments).get_raw_value()) < 100_000
    assert len(command("transact", ["start", "/x" * 100]).get_raw_value()) < 100_000
    assert len(command("write", ["x"] * 20).get_raw_value()) < 100_000


def test_room_for_another_generation_is_asked_for_only_where_one_is_made(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Finding(check="disk.room", title="Room", effect=Effect.NOT_EFFECTIVE, found="1 MiB")
    monkeypatch.setattr(proof, "before", lambda *_: (full,))
    monkeypatch.setattr(reading, "stage_of", lambda *_: Stage(phases=frozenset()))
    assert activate.preflight(make()).known == (full,)
    with pytest.raises(Over, match="Room: found 1 MiB"):
        activate.preflight(make(made=plan(found(), selected=EVERY)))


# ---- writing -------------------------------------------------------------------------------------


def test_a_plan_without_changes_has_no_step_to_do(make: Any) -> None:
    work = make(made=replace(plan(found()), changes=(), builds=(), recorded=True))
    for step in (
        *(activate.preflight, write.layer_files, write.root_files, build.layers),
        *(activate.begin, activate.prove, activate.decide, finish.run),
    ):
        assert step.idle(work)


def test_the_lock_is_taken_with_the_users_layer_and_kept_for_what_follows(make: Any) -> None:
    work = make(DONE, stage=Looked)
    assert write.layer_files(work).holds_lock
    name, run, place, lock, holder, keep = work.host.words()
    assert (name, run, keep) == ("workspace-write", work.run.id, "keep")
    assert place == f"{work.snapshot.state}/runs/{run}/layer"
    assert lock == f"{work.snapshot.state}/lock"
    assert len(holder.split(" ")) == 4
    assert "_sudo" not in work.host.commands[0][1]
    assert work.host.stdin()["manifest"].endswith(b"end\n")


def test_a_run_that_only_brings_the_record_up_to_date_gives_the_lock_back_at_once(
    make: Any,
) -> None:
    made = replace(plan(found()), changes=(), builds=(), recorded=False)
    work = make(DONE, made=made, stage=Looked)
    written = write.layer_files(work)
    assert work.host.words()[-1] == "release"
    assert f"{work.snapshot.state}/written.json" in work.host.stdin()["manifest"].decode()
    finish.run(Kept.of(written))
    assert len(work.host.commands) == 1, "the lock is not given back twice"


@pytest.mark.parametrize(("uid", "sudo"), [("0", True), ("1000", False)])
def test_files_of_root_are_written_with_sudo_where_it_is_needed_and_without_a_lock(
    make: Any, uid: str, sudo: bool
) -> None:
    here = found()
    here = replace(here, facts={**here.facts, "system_uid": uid})
    work = make(DONE, snapshot=here, made=plan(here, selected=EVERY), stage=Written)
    written = write.root_files(work)
    _, _, place, lock, _, keep = work.host.words()
    assert (place, lock, keep) == (
        f"/var/lib/workspace-tuning/runs/{work.choices.user}/{work.run.id}/layer",
        "",
        "keep",
    )
    assert work.host.commands[0][1].get("_sudo", False) is sudo
    assert written.records == ((place, "root" if sudo else "user", "nixos"),)


def test_what_a_killed_run_left_beside_files_of_root_is_swept_by_root(make: Any) -> None:
    left = "/var/lib/workspace-tuning/nixos/.flake.nix.wt-20260101t000000-abcd"
    here = replace(found(), leftovers=(left, f"{HOME}/.config/.kwinrc.wt-1"))
    work = make(DONE, snapshot=here, made=plan(here), stage=Written)
    assert not write.root_files.idle(work)
    write.root_files(work)
    assert work.host.stdin()["manifest"].decode().startswith(f"sweep - - - {left}\nwhole")


@pytest.mark.parametrize(
    ("answer", "code", "why"),
    [
        (("stale /x",), None, "/x was changed since it was read; nothing was written"),
        (("refused /x: is a link",), None, "/x: is a link"),
        (("failed no room",), None, "no room"),
        (("lock run r", "lock host h", "locked"), Exit.LOCKED, "locked by another run"),
        (False, Exit.UNKNOWN, "connection lost: it gave no reason"),
        (TimeoutError(), Exit.UNKNOWN, "connection lost: TimeoutError"),
        (OSError("cut"), Exit.UNKNOWN, "connection lost: cut"),
        (PermissionError("sudo asks"), None, "sudo asks"),
    ],
)
@pytest.mark.parametrize("step", [write.layer_files, back.lock], ids=["write", "lock"])
def test_every_answer_of_a_write_has_its_meaning(
    make: Any,
    step: Any,
    answer: Any,
    code: Exit | None,
    why: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "take_again", lambda _: None)
    with pytest.raises(Over) as over:
        step(make(answer, stage=Looked))
    assert (over.value.short, over.value.code) == (why, code)


# ---- activating ----------------------------------------------------------------------------------


def test_a_transaction_is_sent_whole_and_its_secrets_for_its_owner_alone(make: Any) -> None:
    work = make(("started process", "status activated r"), stage=Built)
    assert activate.begin(work).take_back
    assert work.host.words(0) == [
        *("workspace-transact", "start"),
        *(f"{work.snapshot.state}/runs/{work.run.id}/transaction", "20"),
    ]
    assert len(work.host.commands) == 1, "the activation is waited for where it is begun"
    packed = base64.b64decode(work.host.commands[0][1]["_stdin"])
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        modes = {member.name: member.mode for member in archive}
    assert {name for name, mode in modes.items() if mode == 0o600} == {"live", "written"}
    sent = work.host.stdin(0)
    for name in ("transact", "write", "rollback"):
        assert sent[f"{name}.sh"].decode() == program(name)
    for part in activate.UNDO:
        assert plain(PROJECT / f"converge/remote/{part}.sh").encode() in sent["undo.sh"]
    assert sent["entries.awk"] == (PROJECT / "converge/remote/entries.awk").read_bytes()


def test_an_activation_that_takes_longer_than_one_question_is_asked_about_again(make: Any) -> None:
    slow = ("started process", "status activating r"), ("status activating r",)
    work = make(*slow, ("status activated r",), stage=Built)
    assert activate.begin(work).take_back
    assert [work.host.words(number)[1] for number in range(3)] == ["start", "wait", "wait"]


def test_the_plan_of_a_transaction_says_from_which_state_it_is_undone(make: Any) -> None:
    here = found(running_system="/nix/store/running")
    here = replace(
        here,
        facts={**here.facts, "XDG_DATA_HOME": "/d here"},
        transactions=(
            Transaction(
                directory="/s/runs/r/transaction",
                number=6,
                alive=False,
                left_s=0,
                word="kept",
                reason="",
            ),
        ),
    )
    work = make(
        snapshot=here,
        made=plan(here, selected=EVERY),
        deadline_s=77,
        stage=Built,
        known={
            "paths": {"nixos": "/nix/store/new-system", "home-manager": "/nix/store/new-home"},
            "records": (("/a/layer", "user", "home-manager"), ("/b/layer", "root", "nixos")),
        },
    )
    lines = list(activate.plan_lines(work, 2))
    for line in (
        *(f"run {work.run.id}", "number 7", "deadline 77", "user mitsio"),
        *("record /a/layer user home-manager", "record /b/layer root nixos"),
        *(f"variable HOME={here.home}", "variable XDG_DATA_HOME=/d here"),
        f"live {work.record_directory}/live-2 user",
        "nixos /nix/store/new-system /nix/var/nix/profiles/system 42 /nix/store/running",
        f"home-manager /nix/store/new-home {here.profiles['home']} 7 /nix/store/home-7",
    ):
        assert line in lines
    runs = f"/var/lib/workspace-tuning/runs/{work.choices.user}"
    assert transaction.directory(work) == f"{runs}/{work.run.id}/transaction"
    assert work.as_root


def test_a_file_that_keeps_changing_is_tried_three_times_and_then_left(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = (("started process",), ("status undone nothing was changed: stale /x",))
    work = make(*stale * 3, stage=Built)
    monkeypatch.setattr(reading, "take_again", lambda _: found())
    monkeypatch.setattr(reading, "plan_for", lambda _, here: plan(here))
    with pytest.raises(Over, match="kept changing while it was to be written; nothing was changed"):
        activate.begin(work)
    sent = [c[1]["_stdin"] for c in work.host.commands if "_stdin" in c[1]]
    assert len(sent) == 3


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("status undone nothing was changed: refused /x: is a link", Exit.FAILED),
        ("status undone the system was switched, but units failed (exit 4)", Exit.ROLLED_BACK),
        ("status broken by hand: this", Exit.UNKNOWN),
        ("gone activating", Exit.UNKNOWN),
        ("none", Exit.FAILED),
    ],
)
def test_every_end_of_an_activation_has_its_exit_code(make: Any, status: str, code: Exit) -> None:
    with pytest.raises(Over) as over:
        activate.begin(make(("started process",), (status,), stage=Built))
    assert over.value.code is code


@pytest.mark.parametrize(
    ("disproved", "verb", "answer", "code"),
    [
        ("", "confirm", ("status kept r",), None),
        ("kwin.contrast: found true", "undo", ("status undone not proved",), Exit.ROLLED_BACK),
        ("", "confirm", ("status undone nobody confirmed it within 30 s",), Exit.ROLLED_BACK),
        ("x", "undo", ("status broken by hand: this",), Exit.UNKNOWN),
    ],
)
def test_what_was_proved_is_confirmed_and_what_was_not_is_undone(
    make: Any,
    disproved: str,
    verb: str,
    answer: tuple[str, ...],
    code: Exit | None,
) -> None:
    work = make(answer, stage=Proved, known={"disproved": disproved})
    if code is None:
        assert type(activate.decide(work)) is Kept
    else:
        with pytest.raises(Over) as over:
            activate.decide(work)
        assert over.value.code is code
    assert work.host.words()[3] == verb


def test_a_line_that_stays_dead_ends_as_unknown_with_the_time_until_it_is_undone(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Workspace, "reconnect", lambda _: False)
    with pytest.raises(Over, match="undone there within 45 s") as over:
        activate.decide(make(False, deadline_s=45, stage=Proved))
    assert (over.value.short, over.value.code) == ("connection lost", Exit.UNKNOWN)


def test_a_question_is_asked_again_on_a_new_line_but_a_transaction_is_never_begun_twice(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Workspace, "reconnect", lambda _: True)
    work = make(False, ("status activated r",), False, ("status kept r",))
    assert transaction.ask(work, "start", stdin="x").of("status") == ("activated r",)
    assert transaction.ask(work, "decide", "confirm").of("status") == ("kept r",)
    verbs = [work.host.words(number)[1] for number in range(4)]
    assert verbs == ["start", "wait", "decide", "decide"]


# ---- a run that cannot go on ---------------------------------------------------------------------


def step_of(act: Any) -> operations.Step[Any, Any]:
    return operations.step("prove", gives=Proved)(act)


def never(_: Any) -> Any:
    pytest.fail("it goes on")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (("status undone not proved",), Exit.ROLLED_BACK),
        (("status broken by hand: this",), Exit.UNKNOWN),
        (("gone activated",), Exit.UNKNOWN),
    ],
)
def test_what_is_active_is_taken_back_when_a_run_is_interrupted(
    make: Any, answer: tuple[str, ...], code: Exit
) -> None:
    """And the lock is given back, unless it is not known what is going on there (U20)."""
    work = make(("started process",), ("status activated r",), answer, True, stage=Built)
    active = activate.begin(work)
    work.run.interrupted = True
    assert operations.perform(active, step_of(never)) is None
    assert work.host.words(2)[1:] == ["decide", transaction.directory(work), "undo"]
    assert work.run.exits["shoshin"] is code
    released = [words[3] for words, _ in work.host.commands if words[3] == "workspace-release"]
    assert bool(released) is (code is not Exit.UNKNOWN)
    assert len(work.host.commands) == 3 + len(released), "it is taken back once"


def test_u20_a_run_that_is_interrupted_before_anything_is_active_gives_the_lock_back(
    make: Any,
) -> None:
    work = make(True, stage=Built)
    work.run.interrupted = True
    work.ends(Exit.FAILED, "ended after: build")
    assert operations.perform(work, step_of(never)) is None
    assert work.host.words() == ["workspace-release", work.run.id, work.lock]


def test_what_is_active_is_taken_back_when_there_is_no_journal_any_more(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = found()
    work = make(
        *(("started unit",), ("status activated r",), ("status undone not proved",), True),
        snapshot=here,
        made=plan(here, selected=EVERY),
        stage=Built,
        known={"paths": {"nixos": "/nix/store/new-system", "home-manager": "/nix/store/new-home"}},
    )
    active = activate.begin(work)

    def full(*_: object, **__: object) -> None:
        raise JournalError("no room")

    monkeypatch.setattr(Journal, "append", full)
    assert operations.perform(active, step_of(never)) is None
    verb, place, word = work.host.words(2)[1:]
    assert (verb, word) == ("decide", "undo")
    assert place.startswith("/var/lib/workspace-tuning/")
    assert work.host.commands[2][1]["_sudo"] is True
    assert work.host.words() == ["workspace-release", work.run.id, work.lock]
    assert work.run.exits["shoshin"] is Exit.ROLLED_BACK


@pytest.mark.parametrize(("code", "released"), [(None, True), (Exit.UNKNOWN, False)])
def test_a_step_that_fails_gives_the_lock_back_unless_the_state_is_unknown(
    make: Any, code: Exit | None, released: bool
) -> None:
    work = make(True)

    def act(_: Any) -> Any:
        raise Over("no room", code)

    assert operations.perform(work, step_of(act)) is None
    assert bool(work.host.commands) is released
    assert work.run.exits["shoshin"] is (code or Exit.FAILED)


@pytest.mark.parametrize(
    ("stage", "code"), [(Planned, Exit.FAILED), (Looked, Exit.UNKNOWN), (Built, Exit.UNKNOWN)]
)
def test_a_step_that_ends_unexpectedly_ends_its_own_part_alone(
    make: Any, stage: type[Planned], code: Exit
) -> None:
    work = make(True, stage=stage)

    def act(_: Any) -> Any:
        raise OverflowError("a number of 400 digits")

    assert operations.perform(work, step_of(act)) is None
    assert work.run.exits["shoshin"] is code
    assert "OverflowError" in work.run.whys["shoshin"]


def test_what_is_active_is_taken_back_when_a_step_ends_unexpectedly(make: Any) -> None:
    work = make(
        *(("started process",), ("status activated r",), ("status undone not proved",), True),
        stage=Built,
    )
    active = activate.begin(work)

    def act(_: Any) -> Any:
        raise RecursionError("nested JSON")

    assert operations.perform(active, step_of(act)) is None
    assert work.host.words(-2)[1:] == ["decide", transaction.directory(work), "undo"]
    assert work.host.words()[0] == "workspace-release"
    assert work.run.exits["shoshin"] is Exit.ROLLED_BACK


def test_a_mistake_while_a_workspace_is_prepared_ends_its_part_alone(make: Any) -> None:
    work = make()
    work.run.pending = {"shoshin", "another"}

    def broken(_: Any) -> Any:
        raise RecursionError("too deep")

    assert operations.look(work, broken, never) is None
    assert work.run.exits["shoshin"] is Exit.FAILED
    assert "RecursionError" in work.run.whys["shoshin"]
    assert work.run.pending == {"another"}


@pytest.mark.parametrize("name", ["deploy.py", *(f"tasks/{name}.py" for name in COMMANDS)])
def test_each_step_takes_the_stage_that_the_one_before_it_gives(name: str) -> None:
    """What a command lists for ``look`` and ``change`` fits together, as its file has it."""
    tree = ast.parse((PROJECT / name).read_text())
    calls = [
        n for n in ast.walk(tree) if isinstance(n, ast.Call) and called(n) in ("look", "change")
    ]
    stage: Any = None
    for step in (argument for call in calls for argument in call.args):
        if isinstance(step, ast.Call):  # workspace(host)
            stage = typing.get_type_hints(getattr(stages, called(step)))["return"]
        elif isinstance(step, ast.Attribute):
            module = importlib.import_module(f"tasks.steps.{ast.unparse(step.value)}")
            listed = getattr(module, step.attr)
            act = listed.act if isinstance(listed, operations.Step) else listed
            hints = typing.get_type_hints(act)
            gives, (takes, *_) = hints.pop("return"), hints.values()
            assert issubclass(stage, takes), f"{step.attr} needs {takes}, and gets {stage}"
            if isinstance(listed, operations.Step):
                assert listed.gives is gives, step.attr
            stage = gives
    assert stage is not None


# ---- rolling back, answers -----------------------------------------------------------------------


def test_a_rollback_names_the_parts_and_never_tears_one(make: Any) -> None:
    assert back.parts(make()) == ()
    assert back.parts(make(layers=["plasma", "session"])) == ("plasma+session",)
    assert back.parts(make(layers=["nixos", "home-manager"])) == ("nixos", "home-manager")
    with pytest.raises(Over, match="name both"):
        back.parts(make(layers=["plasma"]))


def kept(number: int, run: str, word: str = "kept") -> Transaction:
    place = f"/s/runs/{run}/transaction"
    return Transaction(directory=place, number=number, alive=False, left_s=0, word=word, reason="")


def test_the_newest_run_in_force_is_rolled_back_or_the_one_that_is_named(make: Any) -> None:
    runs = (kept(1, "b"), kept(2, "a"), kept(3, "c", "undone"))
    here = replace(found(), transactions=runs)
    newest = back.chosen(make(snapshot=here), ())
    assert newest is not None
    assert newest.run == "a"
    parts = {"home-manager": "in-force", "plasma+session": "undone"}
    halved = (runs[0], replace(runs[1], parts=parts))
    older = back.chosen(make(snapshot=replace(here, transactions=halved)), ("plasma+session",))
    assert older is not None
    assert older.run == "b"
    named = make(snapshot=here, run="20260101t000000-abcd")
    assert back.chosen(named, ()) is None


def test_an_answer_is_read_by_its_words() -> None:
    answer = Answer(ok=True, lines=("wrote /a", "wrote", "wrotes x", "done"), errors=(" ", "e "))
    assert answer.of("wrote") == ("/a", "")
    assert answer.first("absent") == ""
    assert answer.last_error == "e"
    assert Answer(ok=False, lines=("failed no room", "x")).last_error == "no room"
    assert Answer(ok=False, lines=()).last_error == "it gave no reason"


# ---- the source ----------------------------------------------------------------------------------

SOURCES = sorted(
    path
    for directory in ("tasks", "converge", "inventory")
    for path in (PROJECT / directory).rglob("*.py")
    if "data" not in path.parts
)
FORBIDDEN = frozenset(
    {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "eval", "exec"}
)
SHELLS = frozenset({"sh", "/bin/sh", "dash", "bash"})


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def called(node: ast.Call) -> str:
    name = node.func
    return name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", "")


def composed(node: ast.AST) -> bool:
    """Whether text is put together in here: f-string, ``%``, ``+``, format, join."""
    return any(
        isinstance(part, ast.JoinedStr)
        or (isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add | ast.Mod))
        or (isinstance(part, ast.Call) and called(part) in ("format", "join", "replace"))
        for part in ast.walk(node)
    )


def test_commands_for_a_workspace_are_made_in_one_place_of_quoted_words() -> None:
    makers = {}
    for path in SOURCES:
        for node in nodes(path):
            if isinstance(node, ast.Call) and called(node) == "StringCommand":
                makers[path] = node
            if isinstance(node, ast.ImportFrom) and node.module:
                assert not node.module.startswith("pyinfra.operations"), path
    assert [path.name for path in makers] == ["remote.py"]
    (node,) = makers.values()
    shell, flag, rest = node.args
    assert ast.unparse(shell) == "'sh'"
    assert ast.unparse(flag) == "'-c'"
    assert isinstance(rest, ast.Starred)
    assert isinstance(rest.value, ast.GeneratorExp)
    assert ast.unparse(rest.value.elt).startswith("QuoteString(")


def test_no_text_of_a_program_is_put_together_from_data() -> None:
    """What follows ``sh -c`` is a name or a constant; no shell is started for a line of text."""
    for path in SOURCES:
        for node in nodes(path):
            if isinstance(node, ast.Call):
                where = f"{path}:{node.lineno}"
                assert ast.unparse(node.func) not in FORBIDDEN, where
                assert "shell" not in {keyword.arg for keyword in node.keywords}, where
                if called(node) == "_sh":
                    assert not composed(node.args[0]), where
            words = (
                node.elts
                if isinstance(node, ast.List | ast.Tuple)
                else node.args
                if isinstance(node, ast.Call)
                else []
            )
            for shell, flag, text in zip(words, words[1:], words[2:], strict=False):
                if (
                    isinstance(shell, ast.Constant)
                    and shell.value in SHELLS
                    and isinstance(flag, ast.Constant)
                    and flag.value == "-c"
                ):
                    assert not composed(text), f"{path}:{node.lineno}"  # type: ignore[attr-defined]


def test_converge_knows_neither_pyinfra_nor_gevent() -> None:
    for path in SOURCES:
        if "converge" in path.parts[-3:] or path.parent.name == "converge":
            for node in nodes(path):
                names = (
                    [alias.name for alias in node.names]
                    if isinstance(node, ast.Import)
                    else [node.module or ""]
                    if isinstance(node, ast.ImportFrom)
                    else []
                )
                for name in names:
                    assert name.partition(".")[0] not in ("pyinfra", "gevent", "tasks"), path
