"""remote/write.sh and chezmoi: it is asked seldom, and nothing is written without its answer."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from converge.plan.plan import Change
from converge.setting import Layer
from tasks.reach.payload import pack
from tasks.reach.remote import program
from tests.tools import need

#: It knows one state for all targets, logs its calls, and agrees or not.
CHEZMOI = """\
#!/bin/sh
printf '%s\\n' "$*" >>"$CALLS"
case $* in
    *"dump-config"*) printf '{\\n  "persistentState": "%s/state.boltdb"\\n}\\n' "$HOME" ;;
    *"state get"*) echo '{"contentsSHA256": "known"}' ;;
    *verify*"$REFUSED"*) echo "$REFUSED: no" && exit 1 ;;
esac
"""


def write(root: Path, changes: list[Change], *before: str, **environment: str) -> list[str]:
    """Write these files; what the program said."""
    arguments = ["run-1", str(root / "work/runs/run-1"), "", "here me 1 1", "release"]
    done = subprocess.run(
        [*before, need("dash"), "-c", program("write"), "workspace-write", *arguments],
        input=pack(changes, home=str(root)),
        env={**os.environ, "HOME": str(root), **environment},
        capture_output=True,
        text=True,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize(("files", "refused"), [(1, 0), (1, 1), (3, 0), (3, 2)])
def test_chezmoi_starts_once_for_what_it_can_be_asked_at_once(
    tmp_path: Path, files: int, refused: int
) -> None:
    (tmp_path / "chezmoi").write_text(CHEZMOI)
    (tmp_path / "chezmoi").chmod(0o755)
    targets = [str(tmp_path / f"rc{number}") for number in range(1, files + 1)]
    changes = []
    for number, target in enumerate(targets):
        Path(target).write_text("[A]\n")
        change = Change(
            path=target,
            layer=Layer.PLASMA,
            before=b"[A]\n",
            after=f"[A]\nx={number}\n".encode(),
            kde=True,
            chezmoi_target=target,
        )
        changes.append(change)
    calls = tmp_path / "calls"
    stale = tmp_path / "work/runs/run-1/state"
    stale.mkdir(mode=0o700, parents=True)
    for above in stale.parents[:3]:
        above.chmod(0o700)
    (stale / "1").write_text("of an earlier attempt\n")
    said = write(
        tmp_path,
        changes,
        PATH=f"{tmp_path}:{os.environ['PATH']}",
        CALLS=str(calls),
        REFUSED=targets[refused - 1] if refused else "nothing",
    )
    asked = [line.partition("=never ")[2] for line in calls.read_text().splitlines()]
    verified = [line.split()[2:] for line in asked if line.startswith("verify")]
    assert sum(line.startswith("dump-config") for line in asked) == 1
    for verb in ("get", "set"):
        keys = [line for line in asked if line.startswith(f"state {verb} ")]
        assert [any(f"--key={target}" in key for key in keys) for target in targets] == [
            True
        ] * files
        assert len(keys) == files
    kept = [(tmp_path / "work/runs/run-1/state" / str(n + 1)).read_text() for n in range(files)]
    assert [json.loads(text) for text in kept] == [{"contentsSHA256": "known"}] * files
    if not refused:
        assert verified == [targets] and said[-1] == "done"
        assert [line for line in said if line.startswith("verified")] == [
            f"verified {target}" for target in targets
        ]
    else:
        alone = [[target] for target in targets]
        assert verified == [targets, *alone]
        wrong = targets[refused - 1]
        assert said[-1] == f"failed {wrong}: chezmoi does not agree: {wrong}: no"
        assert [line for line in said if line.startswith("verified")] == [
            f"verified {target}" for target in targets if target != wrong
        ]


def test_a_target_that_chezmoi_took_no_note_of_is_told_and_not_called_verified(
    tmp_path: Path,
) -> None:
    said = told(
        tmp_path,
        CHEZMOI.replace('*"state get"*', '*"state set"*) echo busy && exit 1 ;; *"state get"*'),
    )
    target = tmp_path / "rc"
    assert said[-1] == f"failed {target}: chezmoi does not agree: busy"
    assert not [line for line in said if line.startswith("verified")]


#: Notes and agrees only while the other of the two is asked.
BESIDE = """\
case "$*" in
    *"state set"*) mine=set other=verify ;;
    *verify*) mine=verify other=set ;;
    *) exit ;;
esac
: >"$CALLS.$mine"
for _ in $(seq 300); do
    if [ -e "$CALLS.$other" ]; then exit; fi
    sleep 0.1
done
exit 1
"""


def test_chezmoi_is_asked_whether_it_agrees_beside_its_notes(tmp_path: Path) -> None:
    said = told(tmp_path, CHEZMOI + BESIDE)
    assert said[-2:] == [f"verified {tmp_path / 'rc'}", "done"]


def told(root: Path, chezmoi: str, *before: str) -> list[str]:
    """What the program says that is to change one target, with this chezmoi; "rc" is "[A]"."""
    (root / "chezmoi").write_text(chezmoi)
    (root / "chezmoi").chmod(0o755)
    target = root / "rc"
    target.write_text("[A]\n")
    change = Change(
        path=str(target),
        layer=Layer.PLASMA,
        before=b"[A]\n",
        after=b"[A]\nx=1\n",
        kde=True,
        chezmoi_target=str(target),
    )
    environment = {"PATH": f"{root}:{os.environ['PATH']}", "CALLS": str(root / "calls")}
    return write(root, [change], *before, **environment, REFUSED="nothing")


def test_a_chezmoi_that_does_not_answer_stops_the_run_before_anything_is_replaced(
    tmp_path: Path,
) -> None:
    silent = CHEZMOI.replace('*"state get"*) echo', '*"state get"*) echo busy >&2 && exit 1; echo')
    target = tmp_path / "rc"
    said = told(tmp_path, silent)
    assert said[-1] == f"failed {target}: chezmoi does not tell what it knows of it: busy"
    assert target.read_text() == "[A]\n"
    assert not [one for one in tmp_path.iterdir() if ".wt-" in one.name]


def test_half_of_a_note_is_none(tmp_path: Path) -> None:
    """A limit for the size of a file, since a disk would be full for all files."""
    limited = ("sh", "-c", 'trap "" XFSZ; ulimit -f 40; exec "$@"', "sh")
    said = told(tmp_path, CHEZMOI.replace("known", "k" * 50_000), *limited)
    assert said[-1] == f"failed {tmp_path}/work/runs/run-1/state: cannot be written"
    assert (tmp_path / "rc").read_text() == "[A]\n"


def test_a_note_that_cannot_be_made_ends_the_run_with_a_word(tmp_path: Path) -> None:
    """As on a disk without a free inode."""
    state = tmp_path / "work/runs/run-1/state"
    said = told(tmp_path, CHEZMOI.replace("printf '{", f"mkdir {state}/made; printf '{{"))
    assert said[-1] == f"failed {state}: cannot be written"
    assert (tmp_path / "rc").read_text() == "[A]\n"
    assert not [one for one in tmp_path.iterdir() if ".wt-" in one.name]


def test_half_of_the_list_of_new_directories_ends_the_run(tmp_path: Path) -> None:
    deep = "/".join(str(level) * 200 for level in range(10, 20))
    chezmoi = CHEZMOI.replace("%s/state.boltdb", f"%s/{deep}/state.boltdb")
    said = told(tmp_path, chezmoi, "sh", "-c", 'trap "" XFSZ; ulimit -f 16; exec "$@"', "sh")
    assert said[-1] == f"failed {tmp_path}/work/runs/run-1/made: cannot be written"
    assert (tmp_path / "rc").read_text() == "[A]\n"


def test_a_chezmoi_that_hangs_does_not_hold_up_what_failed_meanwhile(tmp_path: Path) -> None:
    pipe, ended = tmp_path / "pipe", tmp_path / "ended"
    os.mkfifo(pipe)
    (tmp_path / "sync").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "sync").chmod(0o755)
    hangs = f'*"state get"*) timeout 20 cat {pipe}; touch {ended};'
    said = told(tmp_path, CHEZMOI.replace('*"state get"*)', hangs))
    assert said[-1] == "failed sync: not durable"
    assert not ended.exists()
    pipe.write_bytes(b"")  # its end
