"""The demo tells what happens on this machine: with few tools, and after more tools came."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sandbox
from sandbox import demo
from tests.conftest import PROJECT, Cli, tree
from tests.tools import need, path_without


class Machine:
    """A machine that lacks every program of ``demo.TOOLS`` and uv, until it is ``given`` one."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.sandbox, self.home = directory / "sandbox", directory / "home"
        self.own = directory / "bin"
        self.home.mkdir()
        self.own.mkdir()
        path = os.environ["PATH"]
        for name in (*demo.TOOLS, "uv"):
            path = path_without(name, path, directory / "without" / name)
        self.path = f"{self.own}:{path}"

    def given(self, name: str) -> None:
        (self.own / name).symlink_to(need(name))

    def demo(self) -> dict[str, str]:
        """Heading -> what came of it, as the demo says it; "" -> what stands before the acts."""
        kept = ("LANG", "LC_ALL", "TMPDIR", "UV_CACHE_DIR")
        done = subprocess.run(
            [sys.executable, "-m", "sandbox.demo"],
            cwd=PROJECT,
            env={
                **{name: os.environ[name] for name in kept if name in os.environ},
                "PATH": self.path,
                "HOME": str(self.home),
                "SANDBOX": str(self.sandbox),
            },
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        head, *parts = re.split(r"^=== (.+)$", done.stdout, flags=re.MULTILINE)
        said = {"": head}
        for title, body in zip(parts[::2], parts[1::2], strict=True):
            (said[title],) = re.findall(r"^--- (.+)$", body, re.MULTILINE)
        return said


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("demo"))


def test_a_bare_machine_is_shown_a_whole_workspace_and_told_what_happened(
    machine: Machine,
) -> None:
    said = machine.demo()
    left_out = said.pop("")
    assert all(f"{name}: not installed" in left_out for name in ("nix", "chezmoi", "kreadconfig6"))
    assert list(said.values()) == [
        "This. Nothing was written.",
        demo.APPLIED,
        "Nothing was left to change.",
        "The forbidden key is named, and was left alone.",
        "The drift is named, and the key is put right.",
        "The last run is undone: somebody's value is back.",
    ]
    kwinrc = (machine.sandbox / "home/.config/kwinrc").read_text()
    assert "Backend=OpenGL" in kwinrc, "the KDE files are changed without chezmoi too"
    assert "contrastEnabled=true" in kwinrc
    assert not (machine.sandbox / "home/.local/share/chezmoi").exists()
    assert list(machine.home.iterdir()) == []


def test_a_second_demo_looks_and_changes_nothing(machine: Machine) -> None:
    places = [machine.sandbox / name for name in ("home", "etc", "var", "nix", "boot")]
    before = [tree(place) for place in places]
    said = machine.demo()
    assert list(said.values())[1:] == ["This. Nothing was written."]
    assert [tree(place) for place in places] == before
    assert list(machine.home.iterdir()) == []


def test_what_was_installed_since_is_applied_and_then_nothing_is_left(machine: Machine) -> None:
    machine.given("chezmoi")
    said = machine.demo()
    assert "new on this machine since the last demo: chezmoi" in said[""]
    assert list(said.values())[1:] == ["This. Nothing was written.", demo.APPLIED]
    source = machine.sandbox / "home/.local/share/chezmoi/dot_config/private_kwinrc"
    assert source.read_bytes() == (machine.sandbox / "home/.config/kwinrc").read_bytes()
    assert list(machine.demo().values())[1:] == ["Nothing: the plan is applied."]


@pytest.mark.parametrize(
    ("name", "kept", "says"),
    [
        ("Meine Übungen", "", "its path may have letters of English, digits and _ . + @ -"),
        ("a" * 220, "", "at most 200 of them"),
        ("home", "notes.txt", "it has other things in it (notes.txt)"),
        ("home", ".", "it is no directory"),
    ],
)
def test_a_directory_that_can_be_no_sandbox_is_named_and_nothing_is_made(
    name: str, kept: str, says: str, tmp_path: Path, cli: Cli
) -> None:
    place = tmp_path / name
    if kept == ".":
        place.touch()
    elif kept:
        place.mkdir()
        (place / kept).touch()
    before = tree(tmp_path)
    environment = {**os.environ, "SANDBOX": str(place), "HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.demo"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.startswith(f"{place}: cannot be the sandbox: ") and says in done.stderr
    assert done.stderr.endswith("export SANDBOX=/var/tmp/sandbox\nNothing was made.\n")
    assert tree(tmp_path) == before
    cli.environment = environment
    code, out, err = cli.said("inventory/sandbox.py", "deploy.py", "--dry")
    assert (code, out) == (5, "invalid input (exit 5): nothing was touched\n")
    assert says in " ".join(err.split())
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    "at", ["git init", "git add", "git -c", "nix build", "nix-env --profile", "bin/", "touch"]
)
def test_a_sandbox_whose_making_was_interrupted_is_made_by_the_next_command(
    at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("nix")
    root, call, touch = tmp_path / "sandbox", sandbox._call, Path.touch

    def interrupted(root: Path, *command: str) -> None:
        call(root, *command)
        words = ("git", *command[3:]) if command[0] == "git" else command
        if " ".join(words).startswith(at) or at in words[0]:
            raise KeyboardInterrupt

    def last(path: Path) -> None:
        if at == "touch" and path == root / sandbox.MADE:
            raise KeyboardInterrupt
        touch(path)

    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "_call", interrupted)
        patch.setattr(Path, "touch", last)
        with pytest.raises(KeyboardInterrupt):
            sandbox.data(root)
    assert not (root / sandbox.MADE).exists()
    sandbox.data(root)
    assert (root / sandbox.MADE).exists()
    profiles = "nix/var/nix/profiles/system", "home/.local/state/nix/profiles/home-manager"
    assert all((root / one).exists() for one in profiles)


def test_the_sandboxs_own_repository_is_not_led_by_the_users_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, other, root = tmp_path / "home", tmp_path / "other", tmp_path / "sandbox"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[commit]\n\tgpgSign = true\n[gpg]\n\tprogram = false\n[core]\n\thooksPath = /dev/null/no\n"
        "[init]\n\tdefaultObjectFormat = sha256\n"
    )
    subprocess.run(["git", "init", "-q", str(other)], check=True)
    before = tree(other)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))
    monkeypatch.setattr(sandbox, "_generations", lambda *_, **__: None)
    sandbox.data(root)
    assert tree(other) == before
    assert (root / "home/.config/home-manager/.git/refs/heads").exists()


def test_a_sandbox_is_made_once_where_two_ask_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, made = tmp_path / "box", []

    def make(at: Path, **_: object) -> None:
        with pytest.raises(BlockingIOError):  # so another process waits here
            held = os.open(at, os.O_RDONLY)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            finally:
                os.close(held)
        made.append(at)
        (at / sandbox.MADE).parent.mkdir()
        (at / sandbox.MADE).touch()

    monkeypatch.setattr(sandbox, "make", make)
    for _ in range(2):
        sandbox.data(root)
    assert made == [root]


def test_what_a_program_said_is_shown_where_the_sandbox_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    for name, text in (("nix", "echo error: no room >&2; exit 1"), ("git", "exit 1")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        cli.environment = {**os.environ, "SANDBOX": str(tmp_path / f"of-{name}")}
        code, _, err = cli.said("inventory/sandbox.py", "deploy.py", "--dry")
        assert code == 5 and "Traceback" not in err
        wanted = "nix build failed: error: no room" if name == "nix" else "git failed: without"
        assert wanted in " ".join(err.split())
    (tmp_path / "git").unlink()
    path = path_without("git", os.environ["PATH"], tmp_path / "no-git")
    cli.environment = {**os.environ, "SANDBOX": str(tmp_path / "without"), "PATH": path}
    code, _, err = cli.said("inventory/sandbox.py", "deploy.py", "--dry")
    assert code == 5 and "cannot be made: git is not installed" in " ".join(err.split())


def test_an_empty_name_is_none_for_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX", "")
    monkeypatch.chdir("/")
    assert sandbox.place() == PROJECT / ".sandbox"


def test_a_sandbox_of_a_project_in_an_odd_directory_has_its_own_miniature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "Meine Übungen" / "sandbox"
    shutil.copytree(PROJECT / "sandbox", odd)
    monkeypatch.setattr(sandbox, "NIX", odd)
    root = tmp_path / "sandbox"
    sandbox.data(root)
    assert "Meine" not in (root / "etc/nixos/flake.nix").read_text()
    if shutil.which("nix"):
        assert (root / "nix/var/nix/profiles/system").exists()


def make_demo(project: Path, path: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Run ``make demo`` in a project that has its Makefile and what that installs. ``path``: where
    programs are looked for."""
    for name in ("Makefile", "pyproject.toml", "uv.lock", "requirements.txt"):
        shutil.copy2(PROJECT / name, project)  # older than an environment that is there
    return subprocess.run(
        ["make", "demo", *more],
        cwd=project,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("moved", [True, False])
def test_an_environment_of_a_directory_that_was_moved_is_made_anew(
    tmp_path: Path, *, moved: bool
) -> None:
    project = tmp_path / "it's mine"
    (project / ".venv/bin").mkdir(parents=True)
    old = tmp_path / "before" if moved else project
    for name in (".made", "pyinfra", "python"):
        (project / ".venv/bin" / name).write_text("#!/bin/sh\n")
        (project / ".venv/bin" / name).chmod(0o755)
    (project / ".venv/bin/pyinfra").write_text(f"#!{old}/.venv/bin/python\n")
    (tmp_path / "uv").write_text("#!/bin/sh\necho made\n")
    (tmp_path / "uv").chmod(0o755)
    done = make_demo(project, f"{tmp_path}:{os.environ['PATH']}")
    assert (project / ".venv/bin/pyinfra").exists() is not moved
    assert ("making .venv, once" in done.stdout) is moved, done.stdout + done.stderr


@pytest.mark.parametrize("loads", [True, False])
def test_an_environment_that_cannot_be_loaded_is_named_with_what_runs_on_nixos(
    tmp_path: Path, *, loads: bool
) -> None:
    """On NixOS a Python of nixpkgs finds no library for the wheels that are installed."""
    python = tmp_path / ".venv/bin/python"
    lacks = "ImportError: libstdc++.so.6: cannot open shared object file"
    (tmp_path / "python").write_text(
        f"#!/bin/sh\ncase $* in *gevent*) ;; *) exit 0 ;; esac\necho '{lacks}' >&2\nexit 1\n"
    )
    if loads:
        (tmp_path / "python").write_text("#!/bin/sh\n")
    (tmp_path / "uv").write_text(f"#!/bin/sh\nmkdir -p .venv/bin && cp -p python {python}\n")
    for name in ("python", "uv"):
        (tmp_path / name).chmod(0o755)
    done = make_demo(tmp_path, f"{tmp_path}:{os.environ['PATH']}")
    assert (done.returncode == 0) is loads, done.stdout + done.stderr
    assert (tmp_path / ".venv/bin/.made").exists() is loads
    if not loads:
        assert f"what was installed cannot be loaded: {lacks}\n" in done.stderr
        assert "nix run . -- inventory/sandbox.py deploy.py --dry" in done.stderr


def test_a_python_that_is_too_old_is_named_before_anything_is_made(tmp_path: Path) -> None:
    old = tmp_path / "python3.10"
    old.write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = (3, 10); $2"\n'
    )
    old.chmod(0o755)
    path = path_without("uv", os.environ["PATH"], tmp_path / "without")
    done = make_demo(tmp_path, path, f"PYTHON={old}")
    assert done.returncode == 2
    assert f"{old} is older than 3.11; nothing was made; make PYTHON=python3.11" in done.stderr
    assert not (tmp_path / ".venv").exists()
