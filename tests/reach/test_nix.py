"""Nix's own tools on the controller: a word of a machine gets into a command only as a checked
store path, or as the path of a program that runs on that machine itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.plan.flakes import Flake
from tasks.reach import builder, connection, nix
from tasks.reach.remote import Answer
from tasks.steps import elsewhere
from tests import sshd
from tests.reach.test_ssh_keys import other_key, own_key
from tests.tools import need

HASH = "0123456789abcdfghijklmnpqrsvwxyz"
GOOD = f"/nix/store/{HASH}-nixos-system-a+b_1.0?x=y"
HOSTILE = (
    *("", "-", "--option", "--help", "--option builders evil", f"{GOOD}.drv --help"),
    *(f"{GOOD}.drv\n--help", f"--store=evil{GOOD}", f"/nix/store/../../etc/{HASH}-x.drv"),
    *(f"/nix/store/{HASH}-x.drv/../../../etc/passwd", f"/nix/store/{HASH}-.drv\0", "/etc/passwd"),
    *(f"nix/store/{HASH}-x.drv", f"/nix/store/{HASH[:-1]}-x.drv", f"/nix/store/{HASH[:-1]}E-x.drv"),
    *(f"/nix/store/{HASH}-$(id).drv", f"/nix/store/{HASH}-x.drv!*", f"/nix/store/{HASH}-x.drv^out"),
    *(f"/tmp/{HASH}-x.drv", f"ssh-ng://evil/nix/store/{HASH}-x.drv", f"path:/nix/store/{HASH}-x"),
    f"/nix/store/{HASH}-{'x' * 300}.drv",
)


def host(name: str = "small", *, env: dict[str, str] | None = None, **data: Any) -> Any:
    known = {"ssh_hostname": "small.lan", "ssh_user": "me", **data}
    return SimpleNamespace(
        name=name, data={"_env": env or {}, **known}, connector=SimpleNamespace(data=known)
    )


# ---- words ---------------------------------------------------------------------------------------


def test_a_store_path_is_taken_and_its_kind_is_looked_at() -> None:
    assert nix.store_path(GOOD) == GOOD
    assert nix.store_path(f"{GOOD}.drv", derivation=True) == f"{GOOD}.drv"
    with pytest.raises(nix.Refused):
        nix.store_path(GOOD, derivation=True)
    with pytest.raises(nix.Refused):
        nix.store_path(f"{GOOD}.drv")
    with pytest.raises(nix.Refused):
        nix.store_path(GOOD, "/sandbox/nix/store")


@pytest.mark.parametrize("word", HOSTILE)
def test_a_hostile_word_is_no_store_path(word: str) -> None:
    for derivation in (True, False):
        with pytest.raises(nix.Refused) as caught:
            nix.store_path(word, derivation=derivation)
        assert str(caught.value).isprintable()


@given(st.text(max_size=80))
def test_no_text_but_a_path_below_the_store_is_taken(text: str) -> None:
    for word in (text, f"/nix/store/{text}", f"/nix/store/{HASH}-{text}.drv"):
        try:
            taken = nix.store_path(word, derivation=True)
        except nix.Refused:
            continue
        assert taken.isascii()
        assert taken.count("/") == 3
        assert not any(char in taken for char in " \n\0!^#$`'\"\\")


@pytest.mark.parametrize("word", HOSTILE)
def test_a_workspace_that_answers_with_hostile_words_starts_nothing_on_the_controller(
    monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    """S1: neither its derivation nor the place of its nix-daemon."""

    def started(*words: object, **_: object) -> Answer:
        raise AssertionError(f"started: {words}")

    monkeypatch.setattr(nix, "run", started)
    monkeypatch.setattr(nix, "_process", started)
    words = [(word, "/bin/nix-daemon"), (f"{GOOD}.drv", f"-{word}"), (f"{GOOD}.drv", "/a b;id")]
    for derivation, daemon in words:
        answer = Answer(ok=True, lines=(f"daemon {daemon}", f"derivation {derivation}"))
        work: Any = SimpleNamespace(
            choices=SimpleNamespace(build_on="local", workspace="small", build_limit_s=9, user="u"),
            host=host(),
            remote=lambda *_, answer=answer, **__: answer,
        )
        flake = Flake(scheme="git", digest="d", directory="/x")
        layer = SimpleNamespace(directory="/l", attribute="a", layer="nixos")
        one: Any = SimpleNamespace(nix=layer, base=flake)
        assert elsewhere.build(work, one)


# ---- how a machine is reached --------------------------------------------------------------------


def test_ssh_is_told_the_known_host_keys_and_the_identity_of_the_run(tmp_path: Path) -> None:
    need("ssh")
    (tmp_path / "own").write_text(
        "Host small.lan\nHostName 192.0.2.9\nProxyJump jump\nUser other\n"
    )
    one = host(
        ssh_port=2222,
        ssh_key=f"{tmp_path}/a key",
        ssh_known_hosts_file=f"{tmp_path}/known hosts",
        ssh_look_for_keys=False,
        ssh_allow_agent=False,
        ssh_config_file=f"{tmp_path}/own",
    )
    with nix.reached((one, "/usr/bin/nix-daemon")) as (store,):
        assert store.url == "ssh-ng://me@small.lan?remote-program=/usr/bin/nix-daemon"
        flag, config = store.environment["NIX_SSHOPTS"].split()
        asked = subprocess.run(
            ["ssh", flag, config, "-G", "me@small.lan"], check=True, capture_output=True, text=True
        ).stdout.splitlines()
        jump = subprocess.run(
            ["ssh", flag, config, "-G", "jump"], check=True, capture_output=True, text=True
        ).stdout.splitlines()
    for line in (
        *("user me", "hostname 192.0.2.9", "port 2222", "batchmode yes", "proxyjump jump"),
        *("stricthostkeychecking true", "identitiesonly yes", "identityagent none"),
        *(f"identityfile {tmp_path}/a key", "updatehostkeys false", "forwardagent no"),
        f"userknownhostsfile {tmp_path}/known hosts",
        f"globalknownhostsfile {Path(config).parent}/revoked "
        "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2",
    ):
        assert line in [one.replace('"', "") for one in asked], asked
    assert "stricthostkeychecking true" in jump
    assert not [one for one in (*asked, *jump) if "hostkeyalgorithms" in one and "-cert-" in one]
    assert "port 2222" not in jump
    assert not Path(config).exists()


@pytest.mark.parametrize(
    ("line", "connects"),
    [
        ("", True),
        ("@revoked * {other}", True),
        ("@revoked elsewhere {key}", True),
        ("@revoked * {key}", False),
        ("@revoked {at} {key}", False),
    ],
)
def test_a_key_that_any_file_revokes_is_not_accepted_by_the_ssh_of_nix(
    line: str,
    connects: bool,
    ssh_server: sshd.Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The machine is known by its own file; the project's file revokes."""
    key, at = own_key(ssh_server), f"[127.0.0.1]:{ssh_server.port}"
    words = {"key": key, "other": other_key(tmp_path), "at": at}
    (tmp_path / "known").write_text(f"{at} {key}\n")
    (tmp_path / "project").write_text(line.format(**words) + "\n")
    monkeypatch.setattr(connection, "REVOKING", (tmp_path / "project",))
    one = host(
        ssh_hostname="127.0.0.1",
        ssh_user=sshd.ONE,
        ssh_port=ssh_server.port,
        ssh_key=str(ssh_server.directory / "client"),
        ssh_known_hosts_file=str(tmp_path / "known"),
        ssh_config_file=str(tmp_path / "none"),
    )
    with nix.reached((one, "/bin/nix-daemon")) as (store,):
        options = store.environment["NIX_SSHOPTS"].split()
        argv = ["ssh", *options, f"{sshd.ONE}@127.0.0.1", "true"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) is connects, done.stderr
    assert connects or "REVOKED" in done.stderr or "verification failed" in done.stderr


def test_a_revoking_line_that_is_cut_ends_what_nix_would_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project").write_text("@revoked small.lan\n")
    monkeypatch.setattr(connection, "REVOKING", (tmp_path / "project",))
    with pytest.raises(nix.Refused, match="project:1"), nix.reached((host(), "/bin/nix-daemon")):
        pass


def test_a_machine_called_localhost_is_reached_over_ssh_and_two_of_one_address_are_told_apart() -> (
    None
):
    """For "localhost" Nix runs the other side's program on this machine."""
    machines = (host(ssh_hostname="localhost"), host(ssh_hostname="localhost", ssh_port=2))
    with nix.reached(*((machine, "/bin/nix-daemon") for machine in machines)) as stores:
        names = [store.url.split("@")[1].partition("?")[0] for store in stores]
        config = Path(stores[0].environment["NIX_SSHOPTS"].split()[1]).read_text()
    assert len(set(names)) == 2
    assert "localhost" not in names
    assert config.count("HostName localhost") == 2


@pytest.mark.parametrize(
    "data",
    [
        {"ssh_hostname": "-oProxyCommand=id"},
        {"ssh_hostname": "a b"},
        {"ssh_hostname": "a\nProxyCommand id"},
        {"ssh_user": "-x"},
        {"ssh_user": "a b"},
        {"ssh_password": "secret"},
        {"ssh_key": 'a"\nProxyCommand id'},
        {"ssh_known_hosts_file": "a\nb"},
    ],
)
def test_what_is_no_address_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(nix.Refused), nix.reached((host(**data), "/bin/nix-daemon")):
        pass


def test_variables_of_a_workspace_are_quoted_for_its_own_shell(tmp_path: Path) -> None:
    environment = {"HOME": "/home/o'neil $(touch x)", "NIX_REMOTE": "daemon"}
    with nix.reached((host(env=environment), "/bin/nix-daemon")) as (store,):
        program = unquote(store.url.partition("remote-program=")[2])
    told = subprocess.run(
        ["sh", "-c", program.replace("/bin/nix-daemon", "env")],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "HOME=/home/o'neil $(touch x)" in told.splitlines()
    assert not list(tmp_path.iterdir())


# ---- programs of Nix on this machine -------------------------------------------------------------


def fake(directory: Path, name: str, text: str) -> None:
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(f"#!/bin/sh\n{text}\n")
    (directory / name).chmod(0o755)


def test_every_word_stands_behind_the_options(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("nix", "nix-store"):
        fake(tmp_path / "bin", name, f'printf "%s\\n" {name} "$@" >>{tmp_path}/said; echo {GOOD}')
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    store = nix.Store(url="ssh-ng://w", environment={})
    assert nix.copy(f"{GOOD}.drv", source=store, to=None, derivation=True, limit=9).ok
    nix.realise(f"{GOOD}.drv", at=None, jobs="1", cores="2", root=tmp_path / "root", limit=9)
    assert nix.copy(GOOD, source=None, to=store, derivation=False, limit=9).ok
    said = (tmp_path / "said").read_text().splitlines()
    for number, word in enumerate(said):
        if word.startswith(GOOD):
            assert said[number - 1] == "--"
    assert said.count("--") == 3
    derivation = said[: said.index("nix-store")]
    assert "--no-check-sigs" not in derivation  # what a workspace sends is checked


def test_what_a_build_says_without_end_fills_no_memory_and_moves_no_cursor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(tmp_path, "nix-store", "head -c 3000000 /dev/zero | tr '\\0' x >&2; printf '\\033[2J' >&2")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    answer = nix.realise("x", at=None, jobs="-", cores="-", root=None, limit=30)
    assert answer.ok
    assert sum(len(line) for line in answer.errors) <= nix.KEPT * nix.LONGEST
    assert "\033" not in capsys.readouterr().out


def test_a_machine_without_nix_is_said_before_anything_is_connected(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "nix is not installed on this machine" in nix.missing()
    one = host()
    chosen: Any = {"small": SimpleNamespace(build_on="local", workspace="small")}
    inventory: Any = [one]
    (problem,) = builder.problems(_Inventory(inventory), chosen)
    assert "nix is not installed on this machine" in str(problem)


class _Inventory(list[Any]):
    def get_host(self, name: str) -> Any:
        return next(one for one in self if one.name == name)
