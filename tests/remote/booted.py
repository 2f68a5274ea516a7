"""A machine with systemd as process 1, booted from this one's own files (``boot.sh``).

The machine writes into a directory, which is still there at its next boot. Its user has a sandbox,
is reached by the machine's sshd with PAM, and may become root. It needs root and systemd.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import sandbox
from converge.plan.observed import parse
from converge.plan.snapshot import Snapshot
from tasks.reach.remote import program
from tests import sshd
from tests.conftest import Cli, Outcome
from tests.tools import missing, need

USER, UID = "wt-boot", 5100
BOX = Path("/srv/workspace")  # the user's home is in it, as in any sandbox
PORT = 2222
PROGRAM = Path("/lib/systemd/systemd")
RUNTIME = f"/run/user/{UID}"
SSHD = f"-D -e -p {PORT} -f /srv/sshd/config"
#: A test run that is killed leaves no machine behind.
WITH_US = ("setpriv", "--pdeathsig", "KILL")
UNITS = {
    "workspace.target": """\
[Unit]
Requires=basic.target dbus.service systemd-logind.service systemd-user-sessions.service
Wants=sshd-workspace.service nix-daemon-workspace.service
After=basic.target dbus.service systemd-logind.service systemd-user-sessions.service
""",
    "sshd-workspace.service": f"""\
[Unit]
After=systemd-user-sessions.service
[Service]
RuntimeDirectory=sshd
ExecStart=/usr/sbin/sshd {SSHD}
KillMode=process
""",
    "nix-daemon-workspace.service": """\
[Service]
EnvironmentFile=/srv/nix.conf
Environment=NIX_REMOTE=local
ExecStart=/usr/bin/nix-daemon
""",
}
INSTALL = f"""\
rm -rf /etc/systemd/system/*
: >/etc/fstab
useradd -M -u {UID} -d {BOX}/home -s /bin/sh {USER}
usermod -p '*' {USER}
cd "$1"
"$2" -c "$3"
cd {BOX}
chown -R {UID}:{UID} .
chown -R root: nix var/lib etc/nixos etc/nix boot
chown -h root: run/current-system
"""
MAKE = f"""\
from pathlib import Path
import sandbox
sandbox.data(Path("{BOX}"), workspace="booted", user="{USER}")
"""


class Booted:
    """The machine; ``boot`` and ``cut_the_power`` may be called again and again."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.disk = directory / "disk"
        self.upper = self.disk / "upper"
        self.process: subprocess.Popen[bytes] | None = None
        self.pid = 0

    # -- before the first boot --------------------------------------------------------------

    def install(self) -> None:
        """Put the user, the sandbox and the units on the disk."""
        for name in ("upper", "work", "root"):
            (self.disk / name).mkdir(parents=True)
        for name in ("host", "client"):
            key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.directory / name)]
            subprocess.run(key, check=True)
        self._on_disk("sh", "-ec", INSTALL, "install", str(sandbox.PROJECT), sys.executable, MAKE)
        self.write("etc/sudoers.d/workspace", f"{USER} ALL=(ALL) NOPASSWD: ALL\n", mode=0o440)
        for name, text in UNITS.items():
            self.write(f"etc/systemd/system/{name}", text)
        self.write(
            "srv/sshd/config",
            "ListenAddress 127.0.0.1\nHostKey /srv/sshd/host\nUsePAM yes\nStrictModes no\n"
            "AuthorizedKeysFile /srv/sshd/authorized_keys\nLogLevel VERBOSE\n",
        )
        self.write("srv/sshd/host", (self.directory / "host").read_text(), mode=0o600)
        public = (self.directory / "client.pub").read_text()
        self.write("srv/sshd/authorized_keys", public)
        known = f"[127.0.0.1]:{PORT} {(self.directory / 'host.pub').read_text()}"
        (self.directory / "known_hosts").write_text(known)
        nix = [(k, v) for k, v in sandbox.environment(BOX) if k.startswith("NIX_")]
        text = "".join(f"{key}={value}\n" for key, value in nix if key != "NIX_REMOTE")
        self.write("srv/nix.conf", text)
        # What a login gives the user's own programs; a unit of the user gets it from here.
        self.write("etc/environment.d/60-nix.conf", f"{text}NIX_REMOTE=daemon\n")

    def _on_disk(self, *command: str) -> None:
        """Run a program with the disk as root while the machine is off."""
        mount = (
            'mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root" '
            '&& cd "$1/root" && for d in proc dev tmp; do mount --rbind /$d $d; done && '
            'shift && mkdir -p old && pivot_root . old && umount -l old && exec "$@"'
        )
        within = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", mount, "mount"]
        subprocess.run([*within, str(self.disk), *command], check=True)

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        target = self.upper / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    # -- power ------------------------------------------------------------------------------

    def boot(self, *, lingering: bool = True) -> None:
        """Switch the machine on, with its power cut before where it ran."""
        if self.process and self.process.poll() is None:
            self.cut_the_power()
        linger = self.upper / "var/lib/systemd/linger" / USER
        linger.parent.mkdir(parents=True, exist_ok=True)
        if lingering:
            linger.touch()
        else:
            linger.unlink(missing_ok=True)
        spaces = ("--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup")
        script = str(Path(__file__).with_name("boot.sh"))
        machine = ["sh", script, str(self.disk), str(BOX), str(sandbox.PROJECT)]
        with (self.directory / "console").open("ab") as log:
            self.process = subprocess.Popen(
                [*WITH_US, "unshare", *spaces, "--fork", "--kill-child", *machine],
                stdout=log,
                stderr=log,
            )
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")

        def up() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, (self.directory / "console").read_text()
            self.pid = int(next(iter(children.read_text().split()), "0"))
            if not self.pid or "systemd" not in Path(f"/proc/{self.pid}/comm").read_text():
                return False
            return (
                self.inside("systemctl", "is-active", "workspace.target", check=False) == "active"
            )

        sshd.wait_for(up, "the machine")
        if lingering:
            sshd.wait_for(self.path(f"../../{RUNTIME}/bus").is_socket, "the user's systemd")
        answers = ("sh", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{PORT}")
        bash = ("bash", *answers[1:])
        sshd.wait_for(lambda: self.inside(*bash, check=False, code=True) == "0", "its sshd")

    def cut_the_power(self) -> None:
        assert self.process is not None
        os.kill(self.pid, 9)
        self.process.wait()

    # -- while it runs ----------------------------------------------------------------------

    @property
    def _where(self) -> tuple[str, ...]:
        return f"--target={self.pid}", "--all", "--wdns=/"

    def inside(self, *command: str, check: bool = True, code: bool = False) -> str:
        """Run a program on the machine as root; its standard output, or its exit code."""
        done = subprocess.run(
            ["nsenter", *self._where, *command],
            check=check,
            stdout=subprocess.PIPE,
            stderr=None if check else subprocess.DEVNULL,
            text=True,
        )
        return str(done.returncode) if code else done.stdout.strip()

    def as_user(self, *command: str, check: bool = True) -> str:
        environment = [f"XDG_RUNTIME_DIR={RUNTIME}", f"HOME={BOX}/home"]
        return self.inside("runuser", "-u", USER, "--", "env", *environment, *command, check=check)

    def path(self, place: str) -> Path:
        """A file of the machine, seen from here."""
        return Path(f"/proc/{self.pid}/root{BOX}/{place}")

    def read(self) -> Snapshot:
        """The machine as flakes.sh and read.sh see it for its user."""
        names = ("system", "/etc/nixos", "", "home", "~/.config/home-manager", "")
        flakes = self.as_user("sh", "-c", program("flakes"), "workspace-flakes", *names)
        reading = 'echo managed end | sh -c "$1" workspace-read ""'
        found = self.as_user("sh", "-c", reading, "sh", program("read"))
        return parse([*flakes.splitlines(), *found.splitlines()])

    def workspace(self, **choices: object) -> dict[str, object]:
        """Arguments of ``tasks.reach.connection.workspace``."""
        environment = {
            **dict(sandbox.environment(BOX)),
            "XDG_RUNTIME_DIR": RUNTIME,
            "NIX_REMOTE": "daemon",
            "PATH": f"{sandbox.PROJECT}/.tools/bin:/usr/local/bin:/usr/bin:/bin",
        }
        return {
            "name": "booted",
            "at": f"{USER}@127.0.0.1:{PORT}",
            "ssh_key": str(self.directory / "client"),
            "ssh_known_hosts_file": str(self.directory / "known_hosts"),
            "ssh_look_for_keys": False,
            "ssh_allow_agent": False,
            "profile": "inventory/hardware/shoshin.yaml",
            "user": USER,
            "root": str(BOX),
            "base_nixos": str(BOX / "etc/nixos"),
            "_env": environment,
            **choices,
        }

    def start(self, cli: Cli, inventory: Path, *arguments: str) -> subprocess.Popen[str]:
        """pyinfra on this machine, on the network of the other."""
        return cli.start(inventory, *arguments, under=("nsenter", f"--net=/proc/{self.pid}/ns/net"))

    def run(self, cli: Cli, inventory: Path, *arguments: str) -> Outcome:
        return cli.end(self.start(cli, inventory, *arguments))


@contextlib.contextmanager
def booted(directory: Path) -> Iterator[Booted]:
    """The machine, installed and not booted; its power is cut at the end."""
    if os.getuid() != 0:
        missing("booting a machine needs root: run the tests as root to include systemd")
    if not PROGRAM.exists():
        missing(f"{PROGRAM} is not installed: apt-get install systemd libpam-systemd dbus")
    for name in ("sshd", "sudo", "nix", "unshare", "nsenter"):
        need(name)
    (directory / "disk").mkdir(parents=True)
    # An overlay does not go upon an overlay, which the root of a container is.
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(directory / "disk")], check=True)
    machine = Booted(directory)
    try:
        machine.install()
        yield machine
    finally:
        if machine.process and machine.process.poll() is None:
            machine.cut_the_power()
        subprocess.run(["umount", "--lazy", str(directory / "disk")], check=True)
