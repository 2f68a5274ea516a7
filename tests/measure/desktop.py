"""``python -m tests.measure.desktop [LOGINS]``: what the plan saves of a Plasma desktop's memory.

It needs root, and the root that ``tests/kwin/make-root.sh .tools/plasma plasma`` makes (``PLASMA``
names another one). ``desktop.sh`` starts a whole Debian in it: systemd, logind, a server of SSH. A
login is one by PAM, with a user manager and Plasma on X11; the display is Xvfb, and OpenGL is
Mesa's, in software. What is measured, applied and proved, the product does over SSH.

Strategy: 1 a user's home that was lived in: Baloo indexes, KWin has the effects that it has on a
graphics card; 2 a login that no sample is taken of, since it makes caches and the index; 3 LOGINS
(5) times: log in, wait until the memory is settled, tasks/measure.py, log out; 4 deploy.py, while
nobody is logged in; 5 as 2 and 3, with tasks/verify.py in the first login. Prints two tables in
Markdown: the plan's savings, and what became of each setting that was pending.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from converge.measure import memory
from converge.setting import Layer
from converge.subjects.settings import BY_ID
from tasks.reach.remote import program
from tests.conftest import PROJECT, Cli, Outcome
from tests.kwin import first

HERE = Path(__file__).parent
USER, HOME = "mitsio", "home/mitsio"
NAMES = ("kwin_x11", "plasmashell", "baloo_file")
#: What has its name on the bus once the desktop is there.
SERVICES = ("org.kde.KWin", "org.kde.plasmashell", "org.kde.baloo")
VERSIONS = ("plasma-workspace", "kwin-x11", "baloo6", "systemd", "mesa-libgallium")
PATIENCE_S = 300
#: Exit code of a run that could not look at all: here at the journal of the machine.
UNKNOWN = 4
#: Memory is settled once so many readings, so many seconds apart, differ by one percent at most.
READINGS, APART_S, DIFFER = 4, 5, 0.01

#: KWin leaves both effects out where OpenGL is made in software; on a graphics card they are on.
KWINRC = "[Plugins]\nblurEnabled=true\ncontrastEnabled=true\n"
#: Debian's Baloo waits for a person to switch it on.
BALOOFILERC = "[Basic Settings]\nIndexing-Enabled=true\n"
#: sh: what a display manager does. It ends with the session.
LOGIN = """\
exec 3>"$XDG_RUNTIME_DIR/display"
Xvfb -displayfd 3 -screen 0 1920x1080x24 -nolisten tcp &
until [ -s "$XDG_RUNTIME_DIR/display" ]; do sleep 0.1; done
DISPLAY=:$(cat "$XDG_RUNTIME_DIR/display") startplasma-x11
kill "$!"
"""
SESSION = {
    "XDG_SESSION_TYPE": "x11",
    "XDG_SESSION_CLASS": "user",
    "XDG_SESSION_DESKTOP": "KDE",
    "LANG": "C.UTF-8",
}


@dataclass
class Desktop:
    root: Path
    process: int  # the machine's first one

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A program of the machine's root."""
        return subprocess.run(
            [*self.within("--all", "--wdns=/"), *command],
            capture_output=True,
            text=True,
            check=check,
            timeout=PATIENCE_S,
        )

    def within(self, *namespaces: str) -> tuple[str, ...]:
        inside = ("nsenter", f"--target={self.process}", *namespaces)
        if namespaces == ("--net",):
            return inside
        return (*inside, "env", "-i", "PATH=/usr/sbin:/usr/bin", "LANG=C.UTF-8")

    def user(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A program of the user's, on the user's bus."""
        person = ("setpriv", "--reuid=1000", "--regid=1000", "--init-groups", "env")
        place = (f"HOME=/{HOME}", f"USER={USER}", "XDG_RUNTIME_DIR=/run/user/1000")
        return self.run(*person, *place, *command, check=check)

    @contextmanager
    def login(self) -> Iterator[None]:
        """A session from its login until it has ended, the user manager with it."""
        said = [word for name, text in SESSION.items() for word in ("-E", f"{name}={text}")]
        properties = [f"--property={one}" for one in (f"User={USER}", "PAMName=login")]
        unit = ["systemd-run", "--quiet", "--wait", "--collect", "--unit=login", *properties, *said]
        session = subprocess.Popen([*self.within("--all", "--wdns=/"), *unit, "sh", "-c", LOGIN])
        wait("the desktop did not come up", self.there)
        self.settle()
        yield
        logout = ("org.kde.Shutdown", "logout")
        self.user("busctl", "--user", "call", "org.kde.Shutdown", "/Shutdown", *logout)
        session.wait(PATIENCE_S)
        wait("the user manager did not end", self.nobody)

    def there(self) -> bool:
        return all(not self.status(name) for name in SERVICES) and "Idle" in self.baloo()

    def status(self, name: str) -> int:
        return self.user("busctl", "--user", "status", name, check=False).returncode

    def baloo(self) -> str:
        return self.user("balooctl6", "status", check=False).stdout

    def nobody(self) -> bool:
        manager = self.run("systemctl", "is-active", "user@1000.service", check=False)
        return manager.stdout.strip() in ("inactive", "failed")

    def settle(self) -> None:
        """Wait until the memory of the three programs stays where it is."""
        found: list[Mapping[str, float]] = []
        reader = ("sh", "-c", program("memory"), "workspace-memory", "/dev/null", "1", *NAMES)

        def still() -> bool:
            time.sleep(APART_S)
            now = memory.parse(self.user(*reader).stdout.splitlines())
            found.append({name: used.kb for name, used in now.used.items()})
            return settled(found)

        wait("the memory of the desktop does not settle", still)


def settled(found: Sequence[Mapping[str, float]]) -> bool:
    """Whether the last readings (program -> KB) are of all programs, and of equal size."""
    last = found[-READINGS:]
    return len(last) == READINGS and all(
        min(sizes := [one.get(name, 0.0) for one in last]) > 0
        and max(sizes) <= (1 + DIFFER) * min(sizes)
        for name in NAMES
    )


def live_in(root: Path) -> int:
    """Make the user's home anew: what Plasma finds at its start, and documents. Returns their
    number."""
    home = root / HOME
    shutil.rmtree(home, ignore_errors=True)
    for name, text in (("kwinrc", KWINRC), ("baloofilerc", BALOOFILERC)):
        (home / ".config").mkdir(parents=True, exist_ok=True)
        (home / ".config" / name).write_text(text)
    documents = home / "Documents"
    found = (one for kind in ("py", "qml", "pm", "js") for one in (root / "usr").rglob(f"*.{kind}"))
    sources = sorted(one for one in found if one.is_file() and not one.is_symlink())
    for number, source in enumerate(sources):
        place = documents / str(number // 100)
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place / f"{number}-{source.stem}.txt")  # of a kind that is read
    return len(sources)


def let_in(root: Path, directory: Path) -> dict[str, object]:
    """Give the user a key; how the product reaches the machine."""
    key, known = directory / "key", directory / "known_hosts"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    keys = root / HOME / ".ssh/authorized_keys"
    keys.parent.mkdir(mode=0o700)
    shutil.copyfile(f"{key}.pub", keys)
    known.write_text(f"127.0.0.1 {(root / 'etc/ssh/ssh_host_ed25519_key.pub').read_text()}")
    for path in (root / HOME, *(root / HOME).rglob("*")):
        os.chown(path, 1000, 1000)
    return {
        "name": "plasma",
        "at": f"{USER}@127.0.0.1",
        "ssh_key": str(key),
        "ssh_known_hosts_file": str(known),
        "ssh_look_for_keys": False,
        "ssh_allow_agent": False,
        "user": USER,
    }


@contextmanager
def machine(root: Path) -> Iterator[Desktop]:
    started = subprocess.Popen([HERE / "desktop.sh", root], stdin=subprocess.PIPE, text=True)
    try:
        wait("the machine did not come up", lambda: _up(root, started.pid))
        yield Desktop(root, first(started.pid))
    finally:
        started.communicate("")


def _up(root: Path, process: int) -> bool:
    """Whether the machine is up, whose namespaces a process makes."""
    with suppress(OSError, IndexError):  # the machine's first process is not there yet
        desktop = Desktop(root, first(process))
        state = desktop.run("systemctl", "is-system-running", check=False).stdout.strip()
        return state in ("running", "degraded")
    return False


def wait(why: str, until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not until():
        if time.monotonic() > deadline:
            raise SystemExit(why)
        time.sleep(0.5)


def effects(done: Outcome) -> dict[str, str]:
    """Setting of the layer plasma -> the effect that was found last."""
    return {
        str(one["setting"]): str(one["effect"])
        for one in done.kinds("finding")
        if one["setting"] and BY_ID[str(one["setting"])].layer is Layer.PLASMA
    }


def savings(done: Outcome) -> Iterator[str]:
    """The rows of the first table, from the last measurement."""
    for one in done.kinds("measurement"):
        if one.get("benchmark") != "memory":
            continue
        before, after = (f"{median(group) / 1024:.1f}" for group in one["samples"])
        claim = f"{one['claimed']['low']:g}\u2013{one['claimed']['high']:g}"
        figures = f"{one['measured']:+.1f} | "
        if one["low"] is not None:
            figures += f"{one['low']:+.1f}\u2026{one['high']:+.1f}"
        row = f"| {one['subject']} | {claim} | {before} | {after} | {figures} | {one['verdict']} |"
        yield row.replace("-", "\u2212")


def main(logins: int) -> None:
    root = Path(os.environ.get("PLASMA", PROJECT / ".tools/plasma")).resolve()
    if not (root / ".made").exists() or os.getuid():
        raise SystemExit(f"needs root, and: tests/kwin/make-root.sh {root} plasma")
    lock = (root / ".made").open()
    fcntl.flock(lock, fcntl.LOCK_EX)
    profile = f"tests/measure/plasma-{os.getpid()}.yaml"
    with tempfile.TemporaryDirectory() as made:
        cli = Cli(Path(made))
        documents = live_in(root)
        inventory = cli.inventory({**let_in(root, Path(made)), "profile": profile})
        with machine(root) as desktop:

            def product(*words: str, also: tuple[int, ...] = ()) -> Outcome:
                done = cli(inventory, *words, under=desktop.within("--net"))
                if done.code not in (0, *also):
                    raise SystemExit(f"{' '.join(words)}: exit {done.code}\n{done.out}{done.err}")
                return done

            def sample() -> Outcome:
                with desktop.login():
                    return product("tasks/measure.py", "-y")

            with desktop.login():
                product("tasks/detect.py", "--data", f"write={profile}")
            try:
                for _ in range(logins):
                    sample()
                at_the_apply = effects(product("deploy.py", "-y", also=(UNKNOWN,)))
                with desktop.login():
                    # 1: nothing draws on a GPU here; the table has what was found of each setting
                    in_the_session = effects(product("tasks/verify.py", also=(1, UNKNOWN)))
                for _ in range(logins):
                    last = sample()
            finally:
                (PROJECT / profile).unlink()
            versions = desktop.run("dpkg-query", "-W", "-f", "${Package} ${Version}, ", *VERSIONS)
    print(f"{datetime.now(UTC):%Y-%m-%d}; {versions.stdout}{documents} documents\n")
    print("| memory of | claimed, % | before, MB | after, MB | less, % | 99 % interval | verdict |")
    print("|---|---|---|---|---|---|---|", *savings(last), sep="\n")
    print("\n| setting | at the apply | after the login |\n|---|---|---|")
    for name, effect in at_the_apply.items():
        print(f"| `{name}` | {effect} | {in_the_session[name]} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
