"""What a trial asks on the workspace, and the question to the person, with programs in miniature.

The real programs were tried under Xvfb, kdialog 25.04 and notify-send 0.8.6 of Debian 13: kdialog
ends with 0 for Keep, 1 for Undo, 2 when it is closed by Escape, and 134 without a display;
notify-send prints the name of the action, and nothing when it is closed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.boot.proving import Record, programs

#: systemd-run, as far as it is used: it refuses what the real one does not know, and like that one
#: ends in 1 where the program had its time or did not start.
SYSTEMD_RUN = """\
time=
while :; do
    case $1 in
        --user | --quiet | --collect | --wait | --pipe | --unit=*.service) ;;
        --property=RuntimeMaxSec=*) time=${1##*=} ;;
        -*) echo "systemd-run: unrecognized option '$1'" >&2; exit 1 ;;
        *) break ;;
    esac
    shift
done
timeout "$time" "$@"
code=$?
[ "$code" -lt 124 ] || code=1
exit "$code"
"""
SYSTEMCTL = 'case "$*" in *show-environment) echo WAYLAND_DISPLAY=wayland-0 ;; esac\n'
KDIALOG = """\
for word; do
    case $word in
        --title | --yes-label | --no-label | --warningyesno) ;;
        -*) echo "kdialog: Unknown option '$word'" >&2; exit 254 ;;
    esac
done
"""
NOTIFY_SEND = """\
for word; do
    case $word in
        --wait | --urgency=critical | --expire-time=[0-9]* | --action=[a-z]*=[A-Z]*) ;;
        -*) echo "Unknown option $word" >&2; exit 1 ;;
    esac
done
"""


@pytest.fixture
def record(tmp_path: Path) -> Record:
    found = Record(tmp_path / "runs")
    lines = ("confirm person", "session 5", "answer 4", "reboot asked", "desktop yes")
    (found.trial / "options").write_text("".join(f"{line}\n" for line in lines))
    (found.trial / "state").write_text("proving generation 2 runs\n")
    return found


def asked(record: Record, directory: Path, **texts: str) -> str:
    """What ``ask`` came to: kept, or why not."""
    found = programs(directory, systemd_run=SYSTEMD_RUN, systemctl=SYSTEMCTL, **texts)
    return record.sh('number=2; if ask; then say kept; else say "$disproved"; fi; wait', path=found)


@pytest.mark.parametrize(
    ("does", "comes"),
    [
        ("exit 0\n", "kept"),
        ("exit 1\n", "the person said no"),
        ("exit 2\n", "nobody said within"),  # closed by Escape
        ("kill -ABRT $$\n", "nobody said within"),  # no display to open
        ("exec sleep 30\n", "nobody said within"),
    ],
)
def test_only_the_buttons_of_the_dialog_are_an_answer(
    record: Record, tmp_path: Path, does: str, comes: str
) -> None:
    said = asked(record, tmp_path / "bin", kdialog=KDIALOG + does)
    assert said.splitlines()[-1].startswith(comes), said


@pytest.mark.parametrize(
    ("does", "comes"),
    [
        ("echo keep\n", "kept"),
        ("echo undo\n", "the person said no"),
        ("exit 0\n", "nobody said within"),  # closed
        ("echo 'Could not connect' >&2; exit 1\n", "nobody said within"),
    ],
)
def test_without_kdialog_a_notification_asks(
    record: Record, tmp_path: Path, does: str, comes: str
) -> None:
    # Whatever this machine has of kdialog.
    without = 'case "$*" in *"command -v kdialog"*) exit 1 ;; esac\nexec /bin/sh "$@"\n'
    said = asked(record, tmp_path / "bin", notify_send=NOTIFY_SEND + does, sh=without)
    assert said.splitlines()[-1].startswith(comes), said


def test_the_question_is_text_whatever_was_found(record: Record, tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    kdialog = f'{KDIALOG}for last; do :; done\nprintf "%s" "$last" >{shown}\nexit 0\n'
    found = programs(
        tmp_path / "bin", systemd_run=SYSTEMD_RUN, systemctl=SYSTEMCTL, kdialog=kdialog
    )
    record.sh('asked="found <b>${HOME}</b> & $HOME"; dialog 4', path=found)
    text = shown.read_text()
    assert text.startswith(
        f"The system was restarted with the change of run {record.run}. Keep it?"
    )
    assert not set(text) & set("<>&$")


def test_the_end_is_told_at_the_next_login_however_late_that_is(
    record: Record, tmp_path: Path
) -> None:
    late = (
        f'echo >>{tmp_path}/asked; [ "$(wc -l <{tmp_path}/asked)" -lt 300 ] || {{ {SYSTEMCTL} }}\n'
    )
    shown = f'{NOTIFY_SEND}for last; do :; done\nprintf "%s" "$last" >{tmp_path}/shown\n'
    found = programs(
        tmp_path / "bin",
        systemd_run=SYSTEMD_RUN,
        systemctl=late,
        notify_send=shown,
        wall="exit 0\n",
    )
    record.sh('sleep() { :; }; tell "Undone: it hung"', path=found)
    assert (tmp_path / "shown").read_text() == "Undone: it hung"


def test_an_answer_on_the_terminal_counts_while_the_dialog_stands(
    record: Record, tmp_path: Path
) -> None:
    (record.trial / "answer").write_text("keep\n")
    assert asked(record, tmp_path / "bin", kdialog=KDIALOG + "sleep 3\n").startswith("kept")


@pytest.mark.parametrize("word", ["keep", "undo"])
@pytest.mark.parametrize("confirm", ["proof", "person", "both", ""])
def test_an_answer_is_taken_only_where_a_person_decides(
    record: Record, confirm: str, word: str
) -> None:
    """A proof that decides alone would keep what a person has said no to."""
    (record.trial / "options").write_text(f"confirm {confirm}\n" if confirm else "")
    said, answer = record.sh(f"answer {word}"), record.trial / "answer"
    if confirm in ("person", "both"):
        assert (said, answer.read_text()) == (f"answer {word}", f"{word}\n")
    else:
        assert said.startswith("failed nobody is asked: its proof decides"), said
        assert "tasks/rollback.py" in said
        assert not answer.exists()


@pytest.mark.parametrize(
    ("built", "runs", "missing"),
    [
        ("quiet panic=5", "init=/x/init quiet panic=5", ""),
        ("quiet panic=5", "init=/x/init quiet", "without panic=5"),
        ('quiet dyndbg="file a +p"', 'init=/x/init quiet "dyndbg=file a +p"', ""),
        (r"a=b\ c", r"init=/x/init a=b c", ""),
    ],
)
def test_a_parameter_counts_wherever_the_loader_has_set_its_quotes(
    record: Record, tmp_path: Path, built: str, runs: str, missing: str
) -> None:
    (tmp_path / "system/kernel-modules/lib/modules").mkdir(parents=True)
    (tmp_path / "system/kernel-params").write_text(built)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cmdline").write_text(runs + "\n")
    script = f"new={tmp_path}/system begun=$(uptime_s); kernel; cat $R/found.new"
    said = record.sh(script, root=str(tmp_path))
    if missing:
        assert said.splitlines()[0].startswith("not effective boot.parameters: "), said
        assert missing in said
    else:
        assert "effective boot.parameters" in said.splitlines(), said


@pytest.mark.parametrize(
    ("state", "standing", "back"),
    [
        ("kept it was proved", "in-force", "/nix/store/new"),
        ("kept it was proved", "undone", "/nix/store/old"),  # taken back, without a restart
        ("undone a check failed", "undone", "/nix/store/old"),
        ("went-back it hung", "undone", "/nix/store/old"),
    ],
)
def test_the_way_back_is_a_generation_that_was_proved_and_not_taken_back(
    tmp_path: Path, state: str, standing: str, back: str
) -> None:
    earlier = Record(tmp_path / "runs", run="20261125t000000-aaaa", number=1)
    (earlier.trial / "plan").write_text("new /nix/store/new\nold /nix/store/old\n")
    (earlier.trial / "state").write_text(f"{state}\n")
    (earlier.transaction / "parts").write_text(f"nixos {standing}\n")
    now = Record(tmp_path / "runs", run="20261126t000000-bbbb", number=2)
    assert now.sh("way_back /nix/store/new") == back
    assert now.sh("way_back /nix/store/other") == "/nix/store/other"


def test_a_later_trial_that_proved_it_makes_it_the_way_back_again(tmp_path: Path) -> None:
    for number, state, standing in ((1, "undone x", "undone"), (2, "kept y", "in-force")):
        one = Record(tmp_path / "runs", run=f"2026112{number}t000000-aaaa", number=number)
        (one.trial / "plan").write_text("new /nix/store/new\nold /nix/store/old\n")
        (one.trial / "state").write_text(f"{state}\n")
        (one.transaction / "parts").write_text(f"nixos {standing}\n")
    now = Record(tmp_path / "runs", number=3)
    assert now.sh("way_back /nix/store/new") == "/nix/store/new"


JOURNALCTL = """\
case "$*" in
    *--list-boots*) cat "$0.boots" ;;
    *"-p err"*) echo '[    3.1] host kernel: the driver failed' ;;
    *) echo '[    9.0] host systemd[1]: the last line' ;;
esac
"""
ARMED, FAILED = "a" * 32, "b" * 32


@pytest.mark.parametrize(
    ("earlier", "because"),
    [
        ([ARMED, FAILED], "its journal: kernel: the driver failed"),
        ([ARMED], "that boot left no journal"),
        ([FAILED, ARMED], "its journal: kernel: the driver failed"),  # the clock went backwards
        ([], "no journal of earlier boots is kept here"),  # Storage=volatile
    ],
)
def test_the_journal_of_the_boot_that_failed_is_kept_and_no_other(
    record: Record, tmp_path: Path, earlier: list[str], because: str
) -> None:
    (record.trial / "plan").write_text(f"boot {ARMED}\n")
    (record.trial / "boots").write_text(f"{ARMED}\n")
    (tmp_path / "system-2-link").symlink_to(tmp_path)
    found = programs(tmp_path / "bin", journalctl=JOURNALCTL)
    now = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")
    boots = "".join(f"{at - 2} {one} Thu 2026-11-26\n" for at, one in enumerate([*earlier, now]))
    (found / "journalctl.boots").write_text(boots)
    script = 'undo_all() { say "$*"; }; tell() { :; }; number=2 profile=$3/system new=$3\n'
    script += "went_back booting"
    said = record.sh(script, str(tmp_path), path=found)
    assert said.startswith("went-back generation 2 did not come as far as its proof; "), said
    assert because in said
    assert (record.trial / "journal").exists() is (FAILED in earlier)
