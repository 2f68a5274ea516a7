"""The same files by other tools: pyinfra's own operation, and Ansible at its best settings."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests import sshd

if TYPE_CHECKING:
    from tests.bench.cases import Case, Place

PUT = Path(__file__).with_name("put.py")
#: One connection for all of a run and the next one, no file for each task, no facts.
SETTINGS = {
    "ANSIBLE_PIPELINING": "1",
    "ANSIBLE_FORKS": "50",
    "ANSIBLE_GATHERING": "explicit",
    "ANSIBLE_NOCOLOR": "1",
}


def count(files: Mapping[str, str]) -> int:
    """How many files of a workspace the peers put in place."""
    return len(next(iter(json.loads(Path(files["BENCH_FILES"]).read_text()).values())))


def ansible(
    place: Place, box: Mapping[str, Any], files: Mapping[str, str], before: Callable[[], object]
) -> list[Case]:
    """Ansible's ``copy`` of each file; none where ansible-playbook is not installed."""
    from tests.bench.cases import Case

    program = shutil.which("ansible-playbook", path=place.environment["PATH"])
    if program is None:
        print("left out: ansible-playbook is not on PATH (uv tool install ansible-core)")
        return []
    assert place.server is not None
    rows = json.loads(Path(files["BENCH_FILES"]).read_text())[box["name"]]
    kept = place.directory / f"ansible-{box['name']}"
    kept.mkdir()
    items = []
    for number, (source, target, mode) in enumerate(rows):
        copy = kept / str(number)  # as it is wanted, whatever happens to the workspace's
        shutil.copy(source, copy)
        items.append({"src": str(copy), "dest": target, "mode": f"0{mode}"})
    options = {name: f"{{{{ item.{name} }}}}" for name in ("src", "dest", "mode")}
    task = {"name": "files", "ansible.builtin.copy": options, "loop": items}
    play = {"hosts": "all", "gather_facts": False, "environment": dict(box["_env"])}
    book, inventory = kept / "play.json", kept / "hosts.json"
    book.write_text(json.dumps([{**play, "tasks": [task]}]))
    host = {
        "ansible_host": "127.0.0.1",
        "ansible_port": place.relay.port,
        "ansible_user": sshd.USERS[0],
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    inventory.write_text(json.dumps({"all": {"hosts": {box["name"]: host}}}))
    keys = place.server.directory
    arguments = (
        f"-F none -i {keys / 'client'} -o UserKnownHostsFile={keys / 'known_hosts'} "
        f"-o ControlMaster=auto -o ControlPersist=300s"
    )
    return [
        Case(
            name=f"Ansible, copy of {len(items)} files",
            command=[program, "-i", str(inventory), str(book)],
            environment={
                **SETTINGS,
                "ANSIBLE_HOME": str(kept),
                "ANSIBLE_SSH_ARGS": arguments,
                "ANSIBLE_SSH_CONTROL_PATH_DIR": str(kept),
            },
            before=before,
            directory=kept,
            rounds=1,  # each takes minutes
        )
    ]
