"""Moments of a run at which the power could fail, and the disk that each would leave.

A moment is a call of ``sync`` or ``mv``: what a program on the workspace writes for good goes
through them. Programs in front of them say so on the console and wait until the machine was frozen.
Where nothing calls them, as in the firmware, the loader and the kernel, a moment comes ``every_s``
seconds.

    with Moments(machine) as moments:
        ...                       # the run
    left = moments.spread(20)     # evenly over all of them: disks to make machines from
"""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, field

from tests.vm.machine import Left, Machine

#: In place of sync and mv. The line is opened first: what comes before that is lost.
_SAYS_SO = """\
#!/bin/sh
if [ -e /var/lib/moments ] && [ -w /dev/ttyS1 ] && [ -w /dev/ttyS0 ]; then
    { echo vm-moment >/dev/ttyS0 && IFS= read -r _; } <>/dev/ttyS1
fi 2>/dev/null
exec "/usr/bin/${0##*/}" "$@"
"""
_PUT = """\
cat >/usr/local/bin/sync
chmod 755 /usr/local/bin/sync
ln -f /usr/local/bin/sync /usr/local/bin/mv
/usr/bin/sync
"""


@dataclass
class Moments:
    """All moments while this is entered. ``every_s``: how long nothing is called until one comes
    all the same; 0 for none."""

    machine: Machine
    every_s: float = 0
    all: list[Left] = field(default_factory=list)

    def __enter__(self) -> Moments:
        one = self.machine
        one.ssh("sh", "-euc", _PUT, stdin=_SAYS_SO)
        self._over, self._seen = threading.Event(), len(one.console)
        one.ssh("touch", "/var/lib/moments")
        self._thread = threading.Thread(target=self._record, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._answer()
        self.machine.run("rm", "-f", "/var/lib/moments")

    def _record(self) -> None:
        while not self._over.is_set():
            called = self._called(self.every_s or 1.0)
            if not called and not self.every_s:
                continue
            try:
                self.all.append(self.machine.freeze())
            except OSError:
                continue  # between two starts there is no machine
            if called:
                self._answer()

    def _called(self, patience_s: float) -> bool:
        """Whether a program has said so within that time."""
        try:
            found = self.machine.wait_for("vm-moment", patience_s=patience_s, behind=self._seen)
        except AssertionError:
            return False
        self._seen = found.end()
        return True

    def _answer(self) -> None:
        """Let the program go on that waits."""
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.machine.socket("line")))
            line.sendall(b"\n")

    def spread(self, count: int) -> list[Left]:
        """So many of them, evenly, with the first and the last; all where there are fewer."""
        if len(self.all) <= count:
            return list(self.all)
        step = (len(self.all) - 1) / (count - 1)
        return [self.all[round(step * number)] for number in range(count)]
