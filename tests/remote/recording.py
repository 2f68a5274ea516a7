"""For tests of the record: changes of one user, made by remote/transact.sh, without pyinfra."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from converge.plan.observed import parse
from converge.plan.plan import Change
from converge.plan.snapshot import Snapshot
from converge.setting import Layer
from tasks.reach.payload import archive, encoded, pack
from tasks.reach.remote import PROGRAMS, program, text
from tasks.steps.activate import UNDO
from tests import sshd
from tests.tools import need

USER = "root"


def run_id(number: int) -> str:
    """The id of a run by its clock: ``number`` is the day of a month."""
    return f"202611{number:02d}t000000-abcd"


@dataclass
class Workspace:
    """A home in ``root``; ``change`` makes a whole change of one file there, and keeps it."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    user: str = USER

    def __post_init__(self) -> None:
        (self.home / ".config").mkdir(parents=True, exist_ok=True)
        (self.root / "var/lib").mkdir(parents=True, exist_ok=True)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def state(self) -> Path:
        return self.home / ".local/state/workspace-tuning/workspace"

    @property
    def written(self) -> Path:
        return self.state / "written.json"

    def file(self, name: str = "one.conf") -> Path:
        return self.home / ".config" / name

    def place(self, run: str) -> Path:
        return self.state / "runs" / run / "transaction"

    def call(
        self,
        name: str,
        *arguments: str,
        stdin: bytes = b"",
        within: float = 300,
        check: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """One program of ``converge/remote`` with dash, as the controller sends it."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "SUDO_"))}
        done = subprocess.run(
            [need("dash"), "-c", program(name), f"workspace-{name}", *arguments],
            input=stdin,
            env={**environment, "HOME": str(self.home), **self.environment},
            capture_output=True,
            timeout=within,
            check=check,
        )
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    def transact(self, verb: str, run: str, *arguments: str, stdin: bytes = b"") -> str:
        return self.call("transact", verb, str(self.place(run)), *arguments, stdin=stdin).stdout

    def plan(self, run: str, number: int, *lines: str, deadline: int = 60) -> str:
        base = self.place(run).parent
        found = (
            *(f"run {run}", f"number {number}", f"deadline {deadline}", f"user {self.user}"),
            *(f"written {self.written}", f"rollback {self.state}/rollback"),
            *(f"record {base}/live-1 user plasma+session", f"live {base}/live-1 user", *lines),
        )
        return "".join(f"{line}\n" for line in found)

    def payload(self, plan: str, files: dict[str, bytes], written: bytes) -> bytes:
        changes = []
        for name, after in files.items():
            path = self.file(name)
            before = path.read_bytes() if path.exists() else None
            changes.append(
                Change(path=str(path), layer=Layer.SESSION, before=before, after=after, mode=0o644)
            )
        members = {
            "plan": plan.encode(),
            "live": pack(changes, home=str(self.home)).encode(),
            "written": written,
            "undo.sh": "".join(text(PROGRAMS / f"{part}.sh") for part in UNDO).encode(),
            "entries.awk": (PROGRAMS / "entries.awk").read_bytes(),
            **{f"{n}.sh": program(n).encode() for n in ("transact", "write", "rollback")},
        }
        packed = archive({name: (content, 0o644) for name, content in members.items()})
        return encoded(packed).encode()

    def begin(
        self,
        run: str,
        number: int,
        files: dict[str, bytes],
        *lines: str,
        written: bytes = b"",
        deadline: int = 60,
    ) -> str:
        """What the change says once it is activated, or why it was not."""
        payload = self.payload(
            self.plan(run, number, *lines, deadline=deadline), files, written or record(run)
        )
        said = self.transact("start", run, stdin=payload)
        if "started" not in said:
            return said
        return self.transact("wait", run, "20")

    def change(self, run: str, number: int, content: bytes, *lines: str) -> str:
        """A kept change of one file; how it stands at the end."""
        begun = self.begin(run, number, {"one.conf": content}, *lines)
        if "status activated" not in begun:
            return begun
        said = self.transact("decide", run, "confirm")
        pid = (self.place(run) / "process").read_text().split()[0]
        sshd.wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the end of the transaction")
        return said

    def script(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The script that a person has on the workspace."""
        return subprocess.run(
            ["sh", str(self.state / "rollback"), *arguments],
            env={**os.environ, "HOME": str(self.home), "ROOT": str(self.root), **self.environment},
            capture_output=True,
            text=True,
            timeout=300,
        )

    def read(self) -> Snapshot:
        flakes = self.call("flakes", "system", "/etc/none", "", "home", "~/none", "")
        files = ("-f", str(self.file()))
        done = self.call("read", str(self.root), *files, stdin=b"managed end\n")
        return parse((flakes.stdout + done.stdout).removesuffix("\n").split("\n"))


def record(run: str, **files: str) -> bytes:
    """What a run says that it wrote."""
    import json

    data = {"version": 1, "run": run, "files": files, "entries": {}, "phases": {}}
    return (json.dumps(data) + "\n").encode()
