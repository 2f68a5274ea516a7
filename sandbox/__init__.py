"""A complete workspace inside one directory: system, home, flakes, KDE files, chezmoi source.

Nothing outside of the directory is written: the Nix store, the profiles and the home directory are
in it. The sandbox uses the real nix, chezmoi and KConfig tools where they are installed. It has no
results of programs that are not installed; ``left_out`` names what is missing.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from converge.problem import InvalidInput, Problem
from tasks.reach.login import own_name

PROJECT = Path(__file__).parent.parent
NIX = PROJECT / "sandbox"
MADE = "etc/NIXOS.sandbox"  # made last, so that its presence means: the sandbox is whole
#: What is at the top of a sandbox, the demo's own journals and notes among it.
TOP = frozenset(("boot", "commands", "dev", "etc", "home", "miniature", "nix", "proc", "run"))
TOP |= {"sys", "usr", "var", "controller", "demo.json"}
#: A path that every program of a run takes as it is: what the key ``root`` of an inventory may be.
PLAIN = re.compile(r"(?:/[A-Za-z0-9_.+@-]+)+")
LONGEST = 200  # characters of its path: files in it have names too

KWINRC = """\
[$Version]
update_info=kwin.upd:replace-scalein-with-scale,kwin.upd:port-minimizeanimation-effect-to-js

[Compositing]
Backend=XRender
LatencyPolicy=Low

[Desktops]
Id_1=6a1fbe9e-7b46-4d7c-9d0c-0f2b3f1f5f61
Number=2
Rows=1

# set by hand, years ago
[Plugins]
contrastEnabled=true
krohnkiteEnabled=false

[Tiling][0a5c1a1e-4f29-5b0c-8c1c-2f6f4b7f0a11]
tiles={"layoutDirection":"horizontal","tiles":[{"width":0.25},{"width":0.5},{"width":0.25}]}

[Windows]
FocusPolicy=FocusFollowsMouse
"""

BALOOFILERC = """\
[Basic Settings]
Indexing-Enabled=true

[General]
dbVersion=2
exclude filters=*~,*.part,*.o,*.la,node_modules,__pycache__
exclude filters version=9
exclude folders[$e]=$HOME/.cache/,$HOME/Mirrors/
"""

KDEGLOBALS = """\
[General]
ColorScheme=BreezeDark

[KDE]
SingleClick=false
widgetStyle=Breeze
"""

KDE_FILES = {"kwinrc": KWINRC, "baloofilerc": BALOOFILERC, "kdeglobals": KDEGLOBALS}


def place() -> Path:
    """The directory of the sandbox: ``SANDBOX``, or ``.sandbox`` in the project. Raises
    InvalidInput where a sandbox cannot be there."""
    root = Path(os.environ.get("SANDBOX") or PROJECT / ".sandbox").resolve()
    if why := _unfit(root):
        hint = "name another directory for it: export SANDBOX=/var/tmp/sandbox"
        raise InvalidInput(
            [Problem(os.fsencode(root).decode(errors="replace"), 0, 0, "", why, hint)]
        )
    return root


def _unfit(root: Path) -> str:
    """Say why a sandbox cannot be made in ``root``; empty where it can."""
    if not PLAIN.fullmatch(str(root)) or len(str(root)) > LONGEST:
        return (
            "cannot be the sandbox: its path may have letters of English, digits and _ . + @ -,"
            f" at most {LONGEST} of them"
        )
    if not root.exists():
        return ""
    if not root.is_dir():
        return "cannot be the sandbox: it is no directory"
    others = {one.name for one in root.iterdir()} - TOP
    return f"cannot be the sandbox: it has other things in it ({min(others)})" if others else ""


def data(
    root: Path, *, workspace: str = "sandbox", user: str = "", within: bool = False
) -> dict[str, object]:
    """Host data of the sandbox in ``root``; makes the sandbox where it is missing. ``within``: the
    home is a part of the system, by home-manager as a module of NixOS."""
    root = root.resolve()
    if not (root / MADE).exists():
        if sys.stderr.isatty():
            print(f"making the sandbox in {root}: a few seconds", file=sys.stderr)
        with _alone(root):
            if not (root / MADE).exists():
                make(root, host=workspace, user=user or own_name(), within=within)
    return {
        "workspace": workspace,
        "profile": "inventory/hardware/shoshin.yaml",
        "host": workspace,
        "user": user or own_name(),
        "root": str(root),
        "base_nixos": str(root / "etc" / "nixos"),
        "base_home": "~/.config/home-manager",
        "_env": dict(environment(root)),
    }


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Wait for another process that makes the same sandbox."""
    root.mkdir(parents=True, exist_ok=True)
    held = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def environment(root: Path) -> Iterator[tuple[str, str]]:
    """Variables that keep every program inside ``root``."""
    home = root / "home"
    yield "HOME", str(home)
    for name, place in (
        ("XDG_CONFIG_HOME", home / ".config"),
        ("XDG_DATA_HOME", home / ".local" / "share"),
        ("XDG_STATE_HOME", home / ".local" / "state"),
        ("XDG_CACHE_HOME", home / ".cache"),
        ("XDG_RUNTIME_DIR", root / "run" / "user"),
        ("XDG_CONFIG_DIRS", root / "etc" / "xdg"),
        ("NIX_STORE_DIR", root / "nix" / "store"),
        ("NIX_STATE_DIR", root / "nix" / "var" / "nix"),
        ("NIX_LOG_DIR", root / "nix" / "var" / "log" / "nix"),
        ("NIX_CONF_DIR", root / "etc" / "nix"),
    ):
        yield name, str(place)
    # The store belongs to this user, so Nix must not ask the machine's daemon.
    yield "NIX_REMOTE", "local"


def make(root: Path, *, host: str, user: str, within: bool = False) -> None:
    """Set the sandbox up, also where an earlier making was interrupted."""
    home = root / "home"
    for directory in (
        "etc/nix",
        "etc/nixos",
        "run/systemd/system",
        "nix/var/nix",
        "var/lib",
        "boot",
    ):
        (root / directory).mkdir(parents=True, exist_ok=True)
    (root / "run" / "user").mkdir(mode=0o700, exist_ok=True)
    for directory in (".config", ".local/state/nix/profiles"):
        (home / directory).mkdir(parents=True, exist_ok=True, mode=0o700)
    (root / "etc" / "nix" / "nix.conf").write_text(
        "sandbox = false\nsubstituters =\nbuild-users-group =\nwarn-dirty = false\n"
        "experimental-features = nix-command flakes\n"
    )
    grow(PROJECT / "sandbox" / "shoshin.tree", root, without="run/current-system/")
    own = root / "etc" / "nixos", home / ".config" / "home-manager"
    for flake in own[:1] if within else own:
        _flake(flake, root=root, home=home, host=host, user=user, within=within)
        if flake is own[1]:
            _as_git(flake, root)
    for name, text in KDE_FILES.items():
        live = home / ".config" / name
        live.write_text(text)
        live.chmod(0o600)
    catch_up(root, host=host, user=user)
    (root / MADE).touch()


def catch_up(root: Path, *, host: str, user: str) -> None:
    """Make what the installed programs make: with chezmoi, the sources of the KDE files; with nix,
    the first generations. Existing files stay as they are."""
    home = root / "home"
    sources = home / ".local/share/chezmoi/dot_config"
    if shutil.which("chezmoi") and not sources.exists():
        sources.mkdir(parents=True, mode=0o700)
        for name in KDE_FILES:
            shutil.copyfile(home / ".config" / name, sources / f"private_{name}")
    if shutil.which("nix"):
        _generations(root, host=host, user=user)


def grow(recorded: Path, into: Path, *, without: str = "\0") -> Path:
    """Make the files of a recorded machine: ``>>> PATH`` begins a file, ``>>> PATH -> TARGET`` is
    a symbolic link, and lines before the first file are comments. Paths that begin with ``without``
    are left out."""
    path: Path | None = None
    for line in recorded.read_bytes().decode().splitlines(keepends=True):
        if line.startswith(">>> "):
            where, _, target = line[4:].rstrip("\n").partition(" -> ")
            if where.startswith(without):
                path = None
                continue
            path = into / where
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            if target:
                path.symlink_to(target)
            else:
                path.touch()
        elif path is not None:
            with path.open("ab") as stream:
                stream.write(line.encode())
    return into


def _generations(root: Path, *, host: str, user: str) -> None:
    """Generation 1 of the system and of the home: the user's own flakes, without any layer."""
    home = root / "home"
    run = functools.partial(_call, root)
    own = (
        (
            f"path:{root}/etc/nixos",
            f'nixosConfigurations."{host}".config.system.build.toplevel',
            root / "nix/var/nix/profiles/system",
            ("bin/switch-to-configuration", "switch"),
        ),
        (
            f"git+file://{home}/.config/home-manager",
            f'homeConfigurations."{user}@{host}".activationPackage',
            home / ".local/state/nix/profiles/home-manager",
            ("activate",),
        ),
    )
    for flake, attribute, profile, activation in own:
        if flake.startswith("git") and not (home / ".config/home-manager").exists():
            continue  # the home is a part of the system
        if os.path.lexists(profile) and (root / MADE).exists():
            continue  # else it may be half of one
        profile.parent.mkdir(parents=True, exist_ok=True)
        build = ["nix", "build", "--no-write-lock-file", "--out-link", str(root / "nix" / "result")]
        run(*build, f"{flake}#{attribute}")
        path = (root / "nix" / "result").resolve()
        run("nix-env", "--profile", str(profile), "--set", str(path))
        run(str(path / activation[0]), *activation[1:])
    (root / "nix" / "result").unlink(missing_ok=True)


def _call(root: Path, *command: str) -> None:
    """Run a program in the sandbox. Raises InvalidInput with what it said where it fails."""
    if shutil.which(command[0]) is None:
        why = f"cannot be made: {command[0]} is not installed"
        raise InvalidInput([Problem(str(root), 0, 0, "", why, "install it, then the same command")])
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        # What the user or the machine set for git (signatures, hooks) is for other repositories.
        command,
        env={**own, **dict(environment(root)), "GIT_CONFIG_NOSYSTEM": "1"},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        told = (line for line in lines if line.startswith(("error:", "fatal:")))
        said = next(told, " ".join(lines[-3:])) or "without a word"
        name = " ".join(word for word in command[:2] if not word.startswith("-"))
        why = f"cannot be made: {name} failed: {said}"
        raise InvalidInput([Problem(str(root), 0, 0, "", why, "mend it, then the same command")])


def _flake(directory: Path, *, root: Path, home: Path, host: str, user: str, within: bool) -> None:
    """A flake as a user would have it, on the miniature nixpkgs or on the named checkouts."""
    directory.mkdir(parents=True, exist_ok=True)
    miniature = NIX
    if not PLAIN.fullmatch(str(NIX)):  # Nix before 2.19 has no way to name such a path
        miniature = root / "miniature"
        for name in ("nixpkgs", "home-manager"):
            shutil.copytree(NIX / name, miniature / name, dirs_exist_ok=True)
    inputs: Mapping[str, str] = {
        "@NIXPKGS@": os.environ.get("NIXPKGS", str(miniature / "nixpkgs")),
        "@HOME_MANAGER@": os.environ.get("HOME_MANAGER", str(miniature / "home-manager")),
    }
    sources = sorted((NIX / "base").glob("*.nix"))
    if within:
        sources += sorted((NIX / "within").glob("*.nix"))
    for source in sources:
        text = source.read_text()
        for mark, place in inputs.items():
            text = text.replace(mark, place)
        (directory / source.name).write_text(text)
    names = {"host": host, "user": user, "home": str(home), "root": str(root), "log": None}
    (directory / "host.json").write_text(json.dumps(names, indent=2) + "\n")


def _as_git(directory: Path, root: Path) -> None:
    git = functools.partial(_call, root, "git", "-C", str(directory))
    git("init", "-q")
    git("add", "-A")
    who = ["-c", "user.name=sandbox", "-c", "user.email=sandbox@localhost"]
    git(*who, "commit", "-q", "--allow-empty", "-m", "The user's own flake")


def left_out() -> Iterator[str]:
    """Sentences: what the sandbox lacks on this machine."""
    if "NIXPKGS" not in os.environ and shutil.which("nix"):
        yield "real nixpkgs and home-manager: miniatures take their places"
    for tool, part in (
        ("nix", "both Nix layers are not applied"),
        ("chezmoi", "the KDE files have no source, and only the live ones are written"),
        ("kreadconfig6", "KDE files are checked by our own reading"),
    ):
        if not (shutil.which(tool) or (tool == "kreadconfig6" and shutil.which("kreadconfig5"))):
            yield f"{tool}: not installed, so {part}"
    yield "KWin, Baloo and systemd as PID 1: no desktop runs in a directory"
