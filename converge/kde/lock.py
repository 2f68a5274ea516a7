"""The lock that KDE takes on a config file while it reads, merges and replaces it.

In: who holds the lock. Out: where it lies and what stands in it. The lock itself is taken on the
workspace; this page is the protocol, so that both sides of it agree.

KConfig locks ``FILE`` with a QLockFile on ``FILE.lock``, beside the file that a symlink leads to.

1. Create ``FILE.lock`` exclusively (``O_EXCL``; ``set -C`` in a shell): whoever does, holds it.
2. Write ``owner(...)`` into it at once.
3. Read, merge, replace ``FILE``. Stay well below ``STALE_SECONDS``.
4. Remove ``FILE.lock``.

KDE takes a lock for dead, and removes it, when it is older than ``STALE_SECONDS``, or when on the
same host no process has that id, or when that process runs another executable than the named one.
It waits for a live one: KF5 for ever, KF6 45 seconds, after which it drops what it had to write.

Source: Qt, ``qlockfile.cpp``, ``qlockfile_unix.cpp``; KDE/kconfig, ``KConfigIniBackend::lock`` and
``RealLockFile``.
"""

from __future__ import annotations

#: What KConfig adds to the name of the file.
SUFFIX = ".lock"

#: The age in seconds at which KF6 removes a lock of whomever; KF5 waits for 30.
STALE_SECONDS = 20


def owner(*, pid: int, executable: str, host: str) -> bytes:
    """The content of a lock.

    ``pid``: the process that outlives the lock. ``executable``: the last part of where
    ``/proc/PID/exe`` leads to, so ``dash``, not ``sh``. ``host``: as ``hostname`` prints it.
    """
    return f"{pid}\n{executable}\n{host}\n".encode()
