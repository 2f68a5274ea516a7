"""A machine of its own disk, switched on and off, and reached over SSH on loopback.

    machine = Machine(image(), "systemd-boot", directory)
    machine.start()                    # power on; also after a power cut
    boot = machine.wait_booted()       # waits for its console to say so: boot id and system
    machine.ssh("bootctl", "list")     # as root; user="mitsio" as the workspace's user
    machine.reboot()                   # asks for one, and waits until the machine is up again
    machine.power_cut()                # as if the plug was pulled; the disk stays
    machine.workspace()                # arguments of tasks.reach.connection.workspace

What it writes goes to ``directory``: its disk, the firmware's variables, and ``console``, all that
ever came out of its serial port. ``freeze`` keeps what a power cut at this moment would leave, and
goes on; a machine is made from that as from an image (``moments``).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.vm.image import FIRMWARE, Image
from tests.vm.remote import PATIENCE_S
from tests.vm.system import System

#: A test run that is killed leaves no machine behind.
WITH_US = ("setpriv", "--pdeathsig", "KILL")
ONE_AT_A_TIME = Path(tempfile.gettempdir(), "workspace-tuning-vm.lock")
#: What the machine's kernel says of an emulated timer that has stopped. Said twice, it stays so.
_STOPPED = re.compile(r"(?s)timer wakeup didn't happen.*timer wakeup didn't happen")
MACHINES = 3  # that are tried where timers stop
_READY = re.compile(r"vm-ready (?P<id>[0-9a-f-]{36}) (?P<system>/nix/store/\S+)\r?\n")


class TimerStopped(AssertionError):
    """A timer of the emulated machine has stopped, so it hangs for ever: seen once, in the middle
    of a start that had gone well often before."""


@dataclass(frozen=True)
class Boot:
    """One start that came up: the kernel's boot id, and the system that the loader started."""

    id: str
    system: str


@dataclass(frozen=True)
class Left:
    """What a power cut leaves: a disk, in a format of qemu-img's, and the firmware's variables."""

    disk: Path
    variables: Path
    form: str = "qcow2"

    def over(self, disk: Path) -> None:
        """Make ``disk``: what is written from here on, with this one as it was behind it."""
        made = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(self.disk.absolute())]
        subprocess.run([*made, "-F", self.form, str(disk)], check=True)


class Machine(System):
    def __init__(
        self,
        image: Image,
        loader: str,
        directory: Path,
        *,
        left: Left | None = None,
        cores: int = 2,
    ) -> None:
        super().__init__(image, directory / "known_hosts")
        self.loader, self.directory, self.cores = loader, directory, cores
        directory.mkdir(parents=True, exist_ok=True)
        self.disk, self.variables = directory / "disk.qcow2", directory / "variables.fd"
        self.console_file = directory / "console"
        self.process: subprocess.Popen[bytes] | None = None
        self._text, self._seen, self._ended, self._on = "", 0, True, False
        self._changed = threading.Condition()
        self._lock: IO[str] | None = None
        self._frozen = 1
        self._line = left is None  # what comes up after a power cut waits at no moment
        left = left or Left(image.disk(loader), image.directory / "variables.fd", "raw")
        left.over(self.disk)
        shutil.copy(left.variables, self.variables)

    # -- power ------------------------------------------------------------------------------

    def start(self) -> None:
        """Switch it on. Waits until no other machine runs here: each takes both cores."""
        assert self.process is None, "it is on"
        self._lock = ONE_AT_A_TIME.open("w")  # held until the power goes
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        if not self.port:
            self.port = _free_port()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {self.image.host_key}")
        with self._changed:
            self._seen, self._ended, self._on = len(self._text), False, True
        self._launch()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _launch(self) -> None:
        self.process = subprocess.Popen(
            [*WITH_US, *self._command()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def _command(self) -> Iterator[str]:
        yield from ("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none")
        yield from (
            "-machine",
            "q35,sata=off",
            "-cpu",
            "max",
            "-smp",
            str(self.cores),
            "-m",
            "1024",
        )
        yield from ("-accel", "tcg,thread=multi,tb-size=512")
        firmware = f"if=pflash,unit=0,format=raw,readonly=on,file={FIRMWARE}"
        yield from ("-drive", firmware)
        yield from ("-drive", f"if=pflash,unit=1,format=raw,file={self.variables}")
        yield from ("-drive", f"if=none,id=disk,format=qcow2,file={self.disk}")
        yield from ("-device", "nvme,drive=disk,serial=workspace")
        forward = f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22"
        yield from ("-netdev", forward, "-device", "virtio-net-pci,netdev=net,romfile=")
        yield from ("-device", "virtio-rng-pci", "-serial", "stdio", "-monitor", "none")
        lines = {"-serial": "line", "-qmp": "qmp"} if self._line else {"-qmp": "qmp"}
        for option, name in lines.items():
            yield from (option, f"unix:{self.socket(name)},server=on,wait=off")
        # A restart ends QEMU, and it is started anew: this firmware hangs at some warm resets.
        yield "-no-reboot"

    def _listen(self) -> None:
        """Take what comes out of the serial port, through all restarts, until the power goes."""
        with self.console_file.open("ab") as log:
            again = True
            while again:
                assert self.process is not None
                assert self.process.stdout is not None
                with self.process.stdout as stream:
                    while part := stream.read1(65536):  # type: ignore[attr-defined]
                        log.write(part)
                        log.flush()
                        with self._changed:
                            self._text += part.decode(errors="replace")
                            self._changed.notify_all()
                failed = self.process.wait()
                with self._changed:
                    again = self._on and not failed
                    if again:
                        self._launch()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def power_cut(self) -> None:
        """Pull the plug: nothing in the machine learns of it. What the machine's kernel has not
        sent to the disk is gone; what it has sent is there, as with a disk that keeps its word."""
        self._stays_off()
        with self._changed:
            assert self.process is not None
            with contextlib.suppress(OSError), _Monitor(self.socket("qmp")) as monitor:
                monitor("stop")  # which brings what was sent into the file
            self.process.kill()
        self._went()

    def freeze(self) -> Left:
        """What a power cut now would leave. The machine stands still meanwhile, then it goes on.
        Raises OSError between two starts, where there is no machine."""
        left = Left(self.disk, self.directory / f"variables-{self._frozen}.fd")
        disk = self.directory / f"disk-{self._frozen}.qcow2"
        with self._changed, _Monitor(self.socket("qmp")) as monitor:
            monitor("stop")
            shutil.copy(self.variables, left.variables)
            asked = {"device": "disk", "snapshot-file": str(disk), "format": "qcow2"}
            monitor("blockdev-snapshot-sync", **asked)
            self.disk = disk
            monitor("cont")
        self._frozen += 1
        return left

    def _stays_off(self) -> None:
        with self._changed:
            assert self.process is not None, "it is off"
            self._on = False

    def _went(self) -> None:
        self._listener.join(PATIENCE_S)
        assert not self._listener.is_alive(), "it does not go off"
        self.process = None
        self.disconnect()
        assert self._lock is not None
        self._lock.close()

    def off(self) -> None:
        """Switched off, whatever it does; its disks stay."""
        if self.process is not None:
            self.power_cut()

    def stop(self) -> None:
        """The end of this machine; its console stays in its directory."""
        self.off()
        for disk in self.directory.glob("disk*.qcow2"):
            disk.unlink()
        self.close()

    # -- the console ------------------------------------------------------------------------

    @property
    def console(self) -> str:
        """All that came out of the serial port since the machine was made."""
        with self._changed:
            return self._text

    def wait_for(
        self,
        pattern: str | re.Pattern[str],
        *,
        patience_s: float = PATIENCE_S,
        behind: int | None = None,
    ) -> re.Match[str]:
        """Wait until the console says ``pattern`` behind what was waited for before, or behind so
        many characters. Raises AssertionError where it does not, or is off, ``TimerStopped`` where
        it never will."""
        wanted = re.compile(pattern) if isinstance(pattern, str) else pattern
        deadline = time.monotonic() + patience_s
        with self._changed:
            seen = self._seen if behind is None else behind
            while (found := wanted.search(self._text, seen)) is None:
                left = deadline - time.monotonic()
                if _STOPPED.search(self._text, seen):
                    raise TimerStopped(f"the end of {self.console_file}:\n{self._text[-3000:]}")
                if self._ended or left <= 0:
                    why = "it was switched off" if self._ended else f"not within {patience_s} s"
                    raise AssertionError(
                        f"{wanted.pattern!r}: {why}; the end of {self.console_file}:\n"
                        f"{self._text[-3000:]}"
                    )
                self._changed.wait(left)
            if behind is None:
                self._seen = found.end()
            return found

    def wait_booted(self, *, patience_s: float = PATIENCE_S) -> Boot:
        """Wait until the machine is up once more: multi-user, the user's manager, its sshd."""
        found = self.wait_for(_READY, patience_s=patience_s)
        self.disconnect()
        return Boot(found["id"], found["system"])

    def boot(self) -> Boot:
        """Switch it on, and wait until it is up."""
        self.start()
        return self.wait_booted()

    def reboot(self) -> Boot:
        """Ask it for a reboot; the start that follows."""
        self.run("systemctl", "reboot")
        return self.wait_booted()


@contextlib.contextmanager
def machine(image: Image, loader: str, directory: Path, *, cores: int = 2) -> Iterator[Machine]:
    """A machine that is up; its power is cut at the end, and its disk removed."""
    one = Machine(image, loader, directory, cores=cores)
    try:
        one.boot()
        yield one
    finally:
        one.stop()


def where_timers_go(attempt: Callable[[Path], None], directory: Path) -> None:
    """``attempt`` in a directory of its own, and anew on another machine where a timer stops.
    Raises what ``attempt`` raises, ``TimerStopped`` at the last machine only."""
    for number in range(MACHINES):
        try:
            return attempt(directory / str(number))
        except TimerStopped:
            if number == MACHINES - 1:
                raise


class _Monitor:
    """QEMU's machine protocol: one command after the other."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE_S)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("r")

    def __enter__(self) -> _Monitor:
        self._read()  # its greeting
        self("qmp_capabilities")
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def _read(self) -> Any:
        line = self._lines.readline()
        if not line:
            raise ConnectionError("QEMU ended")
        return json.loads(line)

    def __call__(self, command: str, **arguments: str) -> Any:
        text = json.dumps({"execute": command, "arguments": arguments})
        self._socket.sendall(text.encode() + b"\n")
        while True:  # events come between
            answer = self._read()
            assert "error" not in answer, answer
            if "return" in answer:
                return answer["return"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
