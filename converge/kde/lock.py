"""The lock that KDE takes on a config file while it reads, merges and replaces it.

In: who holds the lock. Out: where it lies and what stands in it. The lock itself is taken on the
workspace; this page is the protocol, so that both sides of it agree.

KConfig locks ``FILE`` with a QLockFile on ``FILE.lock``, beside the file that a symlink leads to.

1. Create ``FILE.lock`` exclusively (``O_EXCL``; ``set -C`` in a shell): whoever does, holds it.
2. Write ``owner(...)`` into it at once, and flock it for as long as it is held.
3. Look at ``FILE`` once more, replace it.
4. Remove ``FILE.lock``.

A lock is taken for dead when, on the same machine, its boot is another one, no process has its id,
or that process runs another executable than the named one; and wherever it was made, when its age
is over ``STALE_SECONDS`` either way. Whoever removes a dead one holds ``FILE.lock.rmlock``, a lock
of the same kind, looks again, and must be able to flock it: a live holder has it flocked.
KDE waits for a live one: KF5 for ever, KF6 45 seconds, after which it drops what it had to write.

Source: Qt, ``qlockfile.cpp``, ``qlockfile_unix.cpp``; KDE/kconfig, ``KConfigIniBackend::lock`` and
``RealLockFile``. ``remote/kdelock.sh`` is this protocol in a shell.
"""

from __future__ import annotations

#: What KConfig adds to the name of the file.
SUFFIX = ".lock"

#: The age in seconds at which KF5, and we, remove a lock of whomever; KF6 at 20 already.
STALE_SECONDS = 30


def owner(*, pid: int, executable: str, host: str) -> bytes:
    """The content of a lock.

    ``pid``: the process that outlives the lock. ``executable``: the last part of where
    ``/proc/PID/exe`` leads to, so ``dash``, not ``sh``. ``host``: as ``hostname`` prints it.
    """
    return f"{pid}\n{executable}\n{host}\n".encode()
