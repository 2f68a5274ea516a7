"""A machine of its own disk, switched on and off, and reached over SSH on loopback.

    machine = Machine(image(), "systemd-boot", directory)
    machine.start()                    # power on; also after a power cut
    boot = machine.wait_booted()       # waits for its console to say so: boot id and system
    machine.ssh("bootctl", "list")     # as root; user="mitsio" as the workspace's user
    machine.reboot()                   # asks for one, and waits until the machine is up again
    machine.power_cut()                # as if the plug was pulled; the disk stays
    machine.workspace()                # arguments of tasks.reach.connection.workspace

What it writes goes to an overlay in ``directory``, with the firmware's variables and ``console``,
all that ever came out of its serial port.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.vm.image import FIRMWARE, Image

USER, HOST = "mitsio", "shoshin"
PROFILE = "/nix/var/nix/profiles/system"
#: Seconds until a boot counts as failed. One takes 40 alone on two cores, several times that beside
#: other tests; a machine that goes back by itself boots twice.
PATIENCE_S = 1200
#: A test run that is killed leaves no machine behind.
WITH_US = ("setpriv", "--pdeathsig", "KILL")
ONE_AT_A_TIME = "/run/lock/workspace-tuning-vm"
_READY = re.compile(r"vm-ready (?P<id>[0-9a-f-]{36}) (?P<system>/nix/store/\S+)\r?\n")


@dataclass(frozen=True)
class Boot:
    """One start that came up: the kernel's boot id, and the system that the loader started."""

    id: str
    system: str


@dataclass(frozen=True)
class Done:
    """How a program on the machine ended."""

    code: int
    out: str
    err: str


class Machine:
    def __init__(self, image: Image, loader: str, directory: Path) -> None:
        self.image, self.loader, self.directory = image, loader, directory
        directory.mkdir(parents=True, exist_ok=True)
        self.disk, self.variables = directory / "disk.qcow2", directory / "variables.fd"
        self.console_file = directory / "console"
        self.process: subprocess.Popen[bytes] | None = None
        self._text, self._seen, self._ended = "", 0, True
        self._changed = threading.Condition()
        self._lock: IO[str] | None = None
        shutil.copy(image.directory / "variables.fd", self.variables)
        base = ["-b", str(image.disk(loader)), "-F", "raw"]
        overlay = ["qemu-img", "create", "-q", "-f", "qcow2", *base, str(self.disk)]
        subprocess.run(overlay, check=True)
        self.port = 0
        self._control = tempfile.TemporaryDirectory(prefix="vm-")  # a socket's path is short

    # -- power ------------------------------------------------------------------------------

    def start(self) -> None:
        """Switch it on. Waits until no other machine runs here: each takes both cores."""
        assert self.process is None, "it is on"
        self._lock = Path(ONE_AT_A_TIME).open("w")  # noqa: SIM115 # held until the power goes
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        if not self.port:
            self.port = _free_port()
        key = f"[127.0.0.1]:{self.port} {self.image.host_key}"
        (self.directory / "known_hosts").write_text(key)
        with self._changed:
            self._seen, self._ended = len(self._text), False
        self.process = subprocess.Popen(
            [*WITH_US, *self._command()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._listener = threading.Thread(target=self._listen, args=(self.process,), daemon=True)
        self._listener.start()

    def _command(self) -> Iterator[str]:
        yield from ("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none")
        yield from ("-machine", "q35,sata=off", "-cpu", "max")
        yield from ("-accel", "tcg,thread=multi,tb-size=512")
        yield from ("-smp", "2", "-m", "1024")
        firmware = f"if=pflash,unit=0,format=raw,readonly=on,file={FIRMWARE}"
        yield from ("-drive", firmware)
        yield from ("-drive", f"if=pflash,unit=1,format=raw,file={self.variables}")
        yield from ("-drive", f"if=none,id=disk,format=qcow2,file={self.disk}")
        yield from ("-device", "nvme,drive=disk,serial=workspace")
        forward = f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22"
        yield from ("-netdev", forward, "-device", "virtio-net-pci,netdev=net,romfile=")
        yield from ("-device", "virtio-rng-pci", "-serial", "stdio", "-monitor", "none")

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout, self.console_file.open("ab") as log:
            while part := process.stdout.read1(65536):  # type: ignore[attr-defined]
                log.write(part)
                log.flush()
                with self._changed:
                    self._text += part.decode(errors="replace")
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def power_cut(self) -> None:
        """Pull the plug: nothing in the machine learns of it. What the machine's kernel has not
        sent to the disk is gone; what it has sent is there, as with a disk that keeps its word."""
        assert self.process is not None, "it is off"
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._listener.join()
        self.process = None
        self._disconnect()
        assert self._lock is not None
        self._lock.close()

    def stop(self) -> None:
        """The end of this machine; what it wrote stays in its directory."""
        if self.process is not None:
            self.power_cut()
        self._control.cleanup()

    # -- the console ------------------------------------------------------------------------

    @property
    def console(self) -> str:
        """All that came out of the serial port since the machine was made."""
        with self._changed:
            return self._text

    def wait_for(
        self, pattern: str | re.Pattern[str], *, patience_s: float = PATIENCE_S
    ) -> re.Match[str]:
        """Wait until the console says ``pattern`` behind what was waited for before."""
        wanted = re.compile(pattern) if isinstance(pattern, str) else pattern
        deadline = time.monotonic() + patience_s
        with self._changed:
            while (found := wanted.search(self._text, self._seen)) is None:
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    why = "it was switched off" if self._ended else f"not within {patience_s} s"
                    raise AssertionError(
                        f"{wanted.pattern!r}: {why}; the end of {self.console_file}:\n"
                        f"{self._text[-3000:]}"
                    )
                self._changed.wait(left)
            self._seen = found.end()
            return found

    def wait_booted(self, *, patience_s: float = PATIENCE_S) -> Boot:
        """Wait until the machine is up once more: multi-user, the user's manager, its sshd."""
        found = self.wait_for(_READY, patience_s=patience_s)
        self._disconnect()
        return Boot(found["id"], found["system"])

    # -- while it runs ----------------------------------------------------------------------

    def run(self, *command: str, user: str = "root", stdin: str = "") -> Done:
        """Run a program there, as root or as the workspace's user."""
        self._connect(user)
        done = subprocess.run(
            [*self._client(user), shlex.join(command)],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def _client(self, user: str, *options: str) -> list[str]:
        """OpenSSH; all commands of a boot and a user share one connection."""
        given = {
            "UserKnownHostsFile": str(self.directory / "known_hosts"),
            "GlobalKnownHostsFile": "none",
            "StrictHostKeyChecking": "yes",
            "IdentityFile": str(self.image.key),
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "LogLevel": "ERROR",
            "ConnectTimeout": "120",
            "KexAlgorithms": "curve25519-sha256",  # the others take seconds in software
            "ControlPath": f"{self._control.name}/{user}",
        }
        named = [f"-o{name}={value}" for name, value in given.items()]
        return [
            "ssh",
            "-F",
            "none",
            "-T",
            "-p",
            str(self.port),
            *named,
            *options,
            f"{user}@127.0.0.1",
        ]

    def _connect(self, user: str) -> None:
        if not Path(self._control.name, user).exists():
            subprocess.run(
                self._client(user, "-M", "-N", "-f"),
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=PATIENCE_S,
            )

    def _disconnect(self) -> None:
        """A connection to a boot that is over would wait for ever."""
        for user in os.listdir(self._control.name):
            subprocess.run(self._client(user, "-O", "exit"), check=False, capture_output=True)
            Path(self._control.name, user).unlink(missing_ok=True)

    def ssh(self, *command: str, user: str = "root", stdin: str = "") -> str:
        """The same, for a program that has to end well: its standard output."""
        done = self.run(*command, user=user, stdin=stdin)
        assert done.code == 0, f"{shlex.join(command)}: exit {done.code}\n{done.out}{done.err}"
        return done.out.strip()

    def sh(self, script: str, *arguments: str, user: str = "root") -> str:
        """Run lines of shell there; their standard output."""
        return self.ssh("sh", "-euc", script, "sh", *arguments, user=user)

    def reboot(self) -> Boot:
        """Ask it for a reboot; the start that follows."""
        self.run("systemctl", "reboot")
        return self.wait_booted()

    # -- generations and their menu ---------------------------------------------------------

    def generations(self) -> dict[int, str]:
        """Number and system of each generation of the system's profile."""
        text = self.sh(f"for l in {PROFILE}-*-link; do echo $l $(readlink -f $l); done")
        pairs = (line.split() for line in text.splitlines())
        return {int(link.split("-")[-2]): system for link, system in pairs}

    def booted_generation(self) -> int:
        """The number of the generation that was booted."""
        system = self.ssh("readlink", "-f", "/run/booted-system")
        return next(number for number, one in self.generations().items() if one == system)

    def default_generation(self) -> int:
        """The generation that the loader starts where nobody chooses, read from its menu."""
        if self.loader == "systemd-boot":
            text = self.ssh("cat", "/boot/loader/loader.conf")
            found = re.search(r"^default nixos-generation-(\d+)\.conf$", text, re.MULTILINE)
            assert found, text
            return int(found[1])
        text = self.ssh("cat", "/boot/grub/grub.cfg")
        found = re.search(r'"NixOS - Default".*?init=(\S+)/init', text, re.DOTALL)
        assert found, text
        return next(n for n, system in self.generations().items() if system == found[1])

    def entries(self) -> dict[int, str]:
        """What the loader calls each generation: for ``bootctl set-oneshot``, ``grub-reboot``."""
        if self.loader == "systemd-boot":
            names = self.ssh("ls", "/boot/loader/entries").split()
            return {int(re.sub(r"\D", "", name.split("+")[0])): name for name in names}
        text = self.ssh("cat", "/boot/grub/grub.cfg")
        titles = re.findall(r'^menuentry "(NixOS - Configuration (\d+) [^"]*)"', text, re.MULTILINE)
        return {int(number): f"NixOS - All configurations>{title}" for title, number in titles}

    def plant(self, *, parameters: tuple[str, ...] = (), initrd: str = "initrd") -> None:
        """Change the user's own flake: systems that are built from now on have these parameters of
        the kernel at the end of theirs, and this initrd (``initrd-hung`` never ends)."""
        text = json.dumps({"kernelParams": list(parameters), "initrd": initrd})
        self.ssh("sh", "-c", "cat >/etc/nixos/planted.json", stdin=text)

    def add_generation(self, *, parameters: tuple[str, ...] = (), initrd: str = "initrd") -> int:
        """Make one more generation by hand, without Nix' evaluation: a copy of the booted system
        with other parameters and another initrd. The menu lists it, the default stays."""
        old = self.ssh("readlink", "-f", "/run/booted-system")
        new = self.sh(_COPY, old, initrd, *parameters)
        self.ssh("nix-env", "--profile", PROFILE, "--set", new)
        self.ssh(f"{old}/bin/switch-to-configuration", "boot")
        return max(self.generations())

    def boot_once(self, generation: int) -> None:
        """Let the next start alone be of this generation, as a person would."""
        program = ["bootctl", "set-oneshot"] if self.loader == "systemd-boot" else ["grub-reboot"]
        self.ssh(*program, self.entries()[generation])

    # -- as a workspace ---------------------------------------------------------------------

    def workspace(self, **choices: object) -> dict[str, object]:
        """Arguments of ``tasks.reach.connection.workspace``, as ``Cli.inventory`` takes them."""
        return {
            "name": HOST,
            "at": f"{USER}@127.0.0.1:{self.port}",
            "ssh_key": str(self.image.key),
            "ssh_known_hosts_file": str(self.directory / "known_hosts"),
            "ssh_look_for_keys": False,
            "ssh_allow_agent": False,
            "profile": "tests/vm/shoshin.yaml",
            "user": USER,
            "base_nixos": "/etc/nixos",
            "base_home": "~/.config/home-manager",
            **choices,
        }


#: sh: a copy of system $1 with initrd $2 and further parameters $3..., as a path of the store.
_COPY = """\
old=$1 initrd=$2; shift 2
copy=$(mktemp -d)/${old#/nix/store/*-}
cp -a "$old" "$copy"
chmod -R u+w "$copy"
ln -sfn "/usr/lib/miniature/$initrd" "$copy/initrd"
printf ' %s' "$@" >>"$copy/kernel-params"
date +%s%N >"$copy/copied"
cat >"$copy/init" <<'END'
#!/bin/sh
exec /usr/lib/miniature/stage-2 "$(dirname "$(readlink -f "$0")")"
END
sed -i 's#^toplevel=.*#toplevel=$(dirname "$(dirname "$(readlink -f "$0")")")#' \
    "$copy/bin/switch-to-configuration"
nix-store --add "$copy"
"""


@contextlib.contextmanager
def machine(image: Image, loader: str, directory: Path) -> Iterator[Machine]:
    """A machine that is up; its power is cut at the end."""
    one = Machine(image, loader, directory)
    try:
        one.start()
        one.wait_booted()
        yield one
    finally:
        one.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
