"""Checks against a real journal: crashes by their real lines, since the switch, and permission."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from converge.effect import Effect, Finding
from converge.proof import inquiry
from converge.subjects.checks import ITEMS
from tasks.reach import remote
from tests import kwin
from tests.proof import checks

MACHINE = "0123456789abcdef0123456789abcdef"
READERS = 999  # a group that may read the journal
SWITCH = 1_790_000_000
LINK = "/nix/var/nix/profiles/system-42-link"
SEGMENTATION_FAULT = "ls[809]: segfault at 0 ip 0000555 sp 00007ff error 6 in ls[1132,5559+1000]"
ILLEGAL_INSTRUCTION = "traps: ls[823] trap invalid opcode ip:55e5 sp:7ffc error:0 in ls[112d]"
OUT_OF_MEMORY = "Memory cgroup out of memory: Killed process 708 (python3) total-vm:209784kB"


def entry(message: str, *, time: int) -> str:
    """One entry of a journal, as systemd-journal-remote takes it: of this boot, by the kernel."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")
    return (
        f"__REALTIME_TIMESTAMP={time * 1_000_000}\n__MONOTONIC_TIMESTAMP={time % 10**6}\n"
        f"_BOOT_ID={boot}\n_TRANSPORT=kernel\n_HOSTNAME=shoshin\n_MACHINE_ID={MACHINE}\n"
        f"SYSLOG_IDENTIFIER=kernel\nPRIORITY=6\nMESSAGE={message}\n\n"
    )


class Journal:
    """A journal in a root of its own, and a user who asks it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.directory = root / "var/log/journal" / MACHINE

    def write(self, *messages: tuple[str, int]) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        text = entry("Linux version 6.18", time=SWITCH - 9000)
        text += "".join(entry(message, time=time) for message, time in messages)
        self.chroot(
            "/usr/lib/systemd/systemd-journal-remote",
            *("-o", f"/var/log/journal/{MACHINE}/system.journal", "-"),
            stdin=text,
        )
        file = self.directory / "system.journal"
        os.chown(file, 0, READERS)
        file.chmod(0o640)

    def chroot(self, *command: str, stdin: str = "", user: str = "0:0", groups: str = "") -> str:
        """Run a program in the root, with its /proc."""
        script = 'mount -t proc proc "$1/proc" && root=$1 && shift && exec chroot "$@"'
        outcome = subprocess.run(
            [
                *("unshare", "--mount", "sh", "-c", script, "sh", str(self.root)),
                *(f"--userspec={user}", f"--groups={groups}", str(self.root)),
                *("env", "-i", "PATH=/usr/bin:/bin", "HOME=/tmp", "TMPDIR=/tmp"),
                *command,
            ],
            input=stdin,
            capture_output=True,
            text=True,
            check=True,
        )
        return outcome.stdout

    def find(self, name: str, *, reader: bool = True) -> Finding:
        """What a check finds, asked by a user who may read the journal, or may not."""
        known = checks.context()
        todo = [job for job in inquiry.jobs(known, ITEMS, ()) if job.check.id == name]
        asked = inquiry.questions(known, todo)
        text = self.chroot(
            "dash",
            "-c",
            remote.program("check"),
            "workspace-check",
            *inquiry.arguments(known, asked),
            stdin=kwin.PROBES,
            user="1000:1000",
            groups=str(READERS) if reader else "",
        )
        answers = inquiry.read(known, asked, text.splitlines())
        found = [
            finding for finding in inquiry.findings(known, todo, answers) if not finding.setting
        ]
        return found[0]


@pytest.fixture
def journal() -> Iterator[Journal]:
    """A machine that switched to its generation at ``SWITCH``."""
    root = kwin.root()
    (root / "etc/machine-id").write_text(f"{MACHINE}\n")
    link = root / LINK[1:]
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.write_text("")
    os.utime(link, (SWITCH, SWITCH))
    made = Journal(root)
    yield made
    shutil.rmtree(made.directory, ignore_errors=True)
    shutil.rmtree(root / "nix")


@pytest.mark.parametrize("message", [SEGMENTATION_FAULT, ILLEGAL_INSTRUCTION])
def test_a_crash_after_the_switch_is_found_and_one_before_it_is_not(
    journal: Journal, message: str
) -> None:
    journal.write((message, SWITCH - 60), ("usb 1-1: new device", SWITCH + 60))
    assert journal.find("journal.crashes").effect is Effect.EFFECTIVE
    journal.write((message, SWITCH + 60))
    found = journal.find("journal.crashes")
    assert (found.effect, found.found) == (Effect.NOT_EFFECTIVE, message)


@pytest.mark.parametrize("message", [OUT_OF_MEMORY, OUT_OF_MEMORY.replace("Memory cgroup o", "O")])
def test_a_program_that_the_kernel_ended_for_memory_is_found(
    journal: Journal, message: str
) -> None:
    journal.write((message, SWITCH + 60))
    assert journal.find("journal.memory").effect is Effect.NOT_EFFECTIVE
    assert journal.find("journal.crashes").effect is Effect.EFFECTIVE


def test_who_may_not_read_the_journal_is_told_so_and_not_that_it_is_empty(
    journal: Journal,
) -> None:
    journal.write((SEGMENTATION_FAULT, SWITCH + 60))
    plain = ("sh", "-c", "journalctl -k -b --no-pager -g segfault || :")
    assert "segfault" in journal.chroot(*plain, user="1000:1000", groups=str(READERS))
    assert "segfault" not in journal.chroot(*plain, user="1000:1000")
    found = journal.find("journal.crashes", reader=False)
    assert (found.effect, "not permitted" in found.reason) == (Effect.UNKNOWN, True)
