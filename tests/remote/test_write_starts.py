"""What remote/write.sh starts: counted, not timed."""

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
from tests.remote.test_read_starts import counted, traced
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


def processes(root: Path, files: int) -> int:
    """How many are started to write so many new files into one directory."""
    root.mkdir()
    log = root / "log"
    changes = [
        Change(
            path=str(root / "layer" / str(number)),
            layer=Layer.PLASMA,
            before=None,
            after=str(number).encode(),
            mode=0o644,
        )
        for number in range(files)
    ]
    assert write(root, changes, *traced(log))[-1] == "done"
    return counted(log.read_text())[1]


def test_a_new_file_costs_three_processes(tmp_path: Path) -> None:
    """Its bytes, its mode and its name; what keeps others out is asked once for a directory."""
    assert processes(tmp_path / "many", 30) - processes(tmp_path / "few", 10) == 20 * 3


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
        assert verified == (alone if files == 1 else [targets, *alone])
        wrong = targets[refused - 1]
        assert said[-1] == f"failed {wrong}: chezmoi does not agree: {wrong}: no"
        assert [line for line in said if line.startswith("verified")] == [
            f"verified {target}" for target in targets if target != wrong
        ]


def test_a_chezmoi_that_does_not_answer_stops_the_run_before_anything_is_replaced(
    tmp_path: Path,
) -> None:
    silent = CHEZMOI.replace('*"state get"*) echo', '*"state get"*) echo busy >&2 && exit 1; echo')
    (tmp_path / "chezmoi").write_text(silent)
    (tmp_path / "chezmoi").chmod(0o755)
    target = tmp_path / "rc"
    target.write_text("[A]\n")
    change = Change(
        path=str(target),
        layer=Layer.PLASMA,
        before=b"[A]\n",
        after=b"[A]\nx=1\n",
        kde=True,
        chezmoi_target=str(target),
    )
    path = f"{tmp_path}:{os.environ['PATH']}"
    said = write(tmp_path, [change], PATH=path, CALLS=str(tmp_path / "calls"), REFUSED="nothing")
    assert said[-1] == f"failed {target}: chezmoi does not tell what it knows of it: busy"
    assert target.read_text() == "[A]\n"
    assert not [one for one in tmp_path.iterdir() if ".wt-" in one.name]
