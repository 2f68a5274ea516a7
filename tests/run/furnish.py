"""Random homes: KDE files of every kind, chezmoi sources in every form, what the user has around.

A form is the kind of a source, a trait is something that chezmoi reads beside the sources. Seeds
take them in turn, so that twenty homes have each of them.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import sandbox
from tests.conftest import Box
from tests.remote.test_undo import write_key
from tests.tools import need

FILES = tuple(sandbox.KDE_FILES)
#: Ours, and what the programs of a run keep for themselves.
NOT_THE_HOME = (".local/state/workspace-tuning", ".cache")
STATE = ".config/chezmoi/chezmoistate.boltdb"
LINES = (
    b"[Plugins]\nblurEnabled=false\nkrohnkiteEnabled=true\n",
    b"[Compositing]\nBackend=XRender\nMaxFPS=144\n",
    b'[Tiling][11]\ntiles={"width":0.5}\n',
    b"[General]\nexclude folders[$e]=$HOME/.cache/,$HOME/Mirrors/\ndbVersion=2\n",
    b"[General]\nonly basic indexing=false\nName[de]=Suche\n",
    b"[KDE]\nAnimationDurationFactor=2\nSingleClick=false\n",
    b"[Windows]\nFocusPolicy=FocusFollowsMouse\nTitle=a\\tb\n",
    b"# by hand, years ago\n",
    b"\n",
)
#: What fewer files have: bytes that are no text, names and locks that a reader can stumble over.
STRANGE = (
    b"[Bytes]\nraw=\xff\xfe\x00end\nx\\x41y=1\n",
    b"[Plugins]\ncontrastEnabled=true\ncontrastEnabled=false\n[Plugins]\nblurEnabled=true\n",
    b"[a][[b]][c\\x5dd]\nkey with blanks = value # no comment \n",
    b"[Locked][$i]\nk=60\nPath[$ei]=$HOME/x\ngone[$d]\n",
    b"[Compositing]\nBackend[$i]=XRender\n",
    b"[" + b"g" * 255 + b"]\n" + b"k" * 255 + b"=" + b"v" * 4096 + b"\n",
    "[Ünïcode \N{RIGHT-TO-LEFT OVERRIDE}]\nключ[ru]=знач\nключ=value\n".encode(),
    b"[Compositing\nBackend=none\n; no comment\n=nothing\n",
)
#: Every prefix and suffix that makes a file's target in chezmoi another one.
FORMS = (
    *("{}", "private_{}", "readonly_{}", "empty_{}", "executable_{}", "{}.literal"),
    *("private_readonly_empty_executable_{}", "create_{}", "create_private_empty_{}", "{}.tmpl"),
    *("modify_{}", "modify_private_{}.tmpl", "symlink_{}", "remove_{}", "symlink_{}.tmpl"),
    *("private_executable_{}.tmpl", "encrypted_{}.age", "encrypted_private_{}.asc", "run_once_{}"),
)
DIRECTORIES = ("dot_config", "private_dot_config", "exact_dot_config", "exact_private_dot_config")
MODIFY = b"#!/bin/sh\nsed s/^krohnkiteEnabled=.*/krohnkiteEnabled=maybe/\n"
#: What chezmoi reads beside the sources; each takes the home that it is put into.
TRAITS: dict[str, Callable[[Home], None]] = {
    "none": lambda home: None,
    "ignored": lambda home: home.put(".chezmoiignore", f".config/{home.one}\n"),
    "ignored by a template": lambda home: home.put(
        ".chezmoiignore", '{{ if eq .chezmoi.os "linux" }}\n.config/' + home.one + "\n{{ end }}\n"
    ),
    "removed": lambda home: home.put(".chezmoiremove", f".config/{home.one}\n.gone\n"),
    "external": lambda home: home.put(
        ".chezmoiexternal.toml",
        f'[".config/{home.one}"]\ntype = "file"\nurl = "https://example.invalid/{home.one}"\n',
    ),
    "external beside": lambda home: home.put(
        ".chezmoiexternal.yaml", ".config/theme:\n  type: archive\n  url: https://example.invalid\n"
    ),
    "scripts": lambda home: home.scripts(),
    "data": lambda home: home.data(),
    "a template that runs": lambda home: home.put(".chezmoiignore", '{{ output "true" }}\n'),
    "hooks": lambda home: home.configure('[hooks.read-source-state.pre]\ncommand = "true"\n'),
    "symlink mode": lambda home: home.configure('mode = "symlink"\n'),
    "umask": lambda home: home.configure("umask = 0o077\n"),
    "a broken configuration": lambda home: home.configure("umask = [\n"),
    "a state of its own": lambda home: home.configure(f'persistentState = "{home.state}"\n'),
    "git": lambda home: home.commit(),
}


@dataclass
class Home:
    """A box that is furnished at random; ``others`` is what the desktop wrote since, by file."""

    box: Box
    seed: int
    random: Random = field(init=False)
    one: str = ""  # the file that a trait is about
    trait: str = ""
    forms: dict[str, str] = field(default_factory=dict)
    others: dict[str, dict[str, str]] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)  # that KDE gave what it wrote

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.one = self.random.choice(FILES)

    @property
    def sources(self) -> Path:
        return self.box.home / ".local/share/chezmoi"

    @property
    def state(self) -> Path:
        moved = self.trait == "a state of its own"
        return self.box.home / (".local/chezmoi state" if moved else STATE)

    def put(self, name: str, text: str) -> None:
        path = self.sources / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def configure(self, text: str) -> None:
        path = self.box.config("chezmoi/chezmoi.toml")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def scripts(self) -> None:
        """Each would leave its name in the home."""
        for name in ("run_a.sh", "run_once_before_b.sh.tmpl", ".chezmoiscripts/run_onchange_c.sh"):
            self.put(name, f"#!/bin/sh\necho {name} >>{self.box.home}/ran\n")

    def data(self) -> None:
        self.put(".chezmoidata.yaml", "name: user\n")
        self.put(".chezmoitemplates/part", "{{ .name }}\n")
        self.put(".chezmoiversion", "2.0.0\n")

    def commit(self) -> None:
        who = ["-c", "user.name=me", "-c", "user.email=me@localhost"]
        for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "mine"]):
            subprocess.run(["git", "-C", str(self.sources), *words], check=True)

    def furnish(self) -> None:
        for path in self.sources.rglob("*"):
            if path.is_file():
                path.unlink()
        (self.sources / "dot_config").rmdir()
        top = self.sources
        if self.random.random() < 0.2:
            self.put(".chezmoiroot", "home\n")
            top = self.sources / "home"
        directory = top / self.random.choice(DIRECTORIES)
        directory.mkdir(parents=True)
        for at, name in enumerate(FILES):
            self._file(name)
            if self.random.random() < 0.8:
                form = FORMS[(self.seed * len(FILES) + at) % len(FORMS)]
                self.forms[name] = form
                self._source(directory / form.format(name), name, form)
        traits = tuple(TRAITS)
        self.trait = traits[self.seed % len(traits)]
        TRAITS[self.trait](self)
        if self.random.random() < 0.4:  # as chezmoi has left it, with its own record
            self.chezmoi("apply", "--force", "--exclude=scripts,externals,encrypted,remove")
            for name in FILES:
                if self.random.random() < 0.3 and self.box.config(name).is_file():
                    write_key(self.box, name, "Since", "chezmoi", "1")
        if self.random.random() < 0.4:  # the user's own file where we would put ours
            own = self.box.config("environment.d/60-video-variables.conf")
            own.parent.mkdir(exist_ok=True)
            own.write_text("LIBVA_DRIVER_NAME=mine\n")
            own.chmod(self.random.choice((0o600, 0o644)))

    def _file(self, name: str) -> None:
        live, shape = self.box.config(name), self.random.random()
        if shape < 0.15:
            live.unlink()
            return
        if shape < 0.85:
            strange = STRANGE if self.random.random() < 0.4 else ()
            lines = LINES + strange
            text = b"".join(self.random.sample(lines, self.random.randint(0, 7)))
            if self.random.random() < 0.2:
                text = text.replace(b"\n", b"\r\n")
            if self.random.random() < 0.1:
                text = b"\xef\xbb\xbf" + text
            if self.random.random() < 0.05:
                text += b"[Huge]\n" + b"".join(b"k%d=%d\n" % (n, n) for n in range(90_000))
            live.write_bytes(text.removesuffix(b"\n") if self.random.random() < 0.2 else text)
        live.chmod(self.random.choice((0o600, 0o644, 0o640, 0o755, 0o400)))
        if self.random.random() < 0.1:  # as stow has it
            elsewhere = self.box.home / "dotfiles" / name
            elsewhere.parent.mkdir(exist_ok=True)
            shutil.move(live, elsewhere)
            live.symlink_to(os.path.relpath(elsewhere, live.parent))

    def _source(self, source: Path, name: str, form: str) -> None:
        live = self.box.config(name)
        text = live.read_bytes() if live.exists() else b"[Mine]\nfrom=source\n"
        if form.startswith("symlink_"):
            text = b"../elsewhere/" + name.encode() + b"\n"
        elif form.startswith("modify_"):
            text = MODIFY
        elif form.startswith("encrypted_"):
            text = b"age-encryption.org/v1\n-> X25519 nobody\n"
        elif form.startswith("run_"):
            text = f"#!/bin/sh\necho run >>{self.box.home}/ran\n".encode()
        elif self.random.random() < 0.3:  # edited by hand, or pulled, and not applied yet
            text = text.rstrip(b"\r\n") + b"\n[Mine]\nedited=yes\n"
        source.write_bytes(text)
        source.chmod(self.random.choice((0o600, 0o644)))

    def desktop_writes(self) -> None:
        """What KDE and the user write while the change is in force: entries that are not ours."""
        for number in range(self.random.randint(0, 3)):
            name = self.random.choice(FILES)
            live = self.box.config(name)
            if live.exists():
                before = live.read_bytes()
                write_key(self.box, name, "Session", f"window {number}", "1,2,3")
                if live.read_bytes() != before:  # KDE writes nothing into what is locked
                    place = live.resolve().relative_to(self.box.home.resolve()).as_posix()
                    self.others.setdefault(place, {})[f"window {number}"] = "1,2,3"
                    self.modes[place] = stat.S_IMODE(live.stat().st_mode)

    def look(self) -> dict[str, tuple[bytes | str, int]]:
        """Every directory, link and file: content and mode."""
        found: dict[str, tuple[bytes | str, int]] = {}
        for path in sorted(self.box.home.rglob("*")):
            name = path.relative_to(self.box.home).as_posix()
            if name.startswith(NOT_THE_HOME) or path == self.state or path.is_socket():
                continue
            mode = path.lstat().st_mode
            content: bytes | str = "directory"
            if stat.S_ISLNK(mode):
                content = os.readlink(path)
            elif stat.S_ISREG(mode):
                content = path.read_bytes()
            found[name] = (content, stat.S_IMODE(mode))
        return found

    def chezmoi(self, *arguments: str) -> str:
        """What chezmoi itself says, and how it ends."""
        done = subprocess.run(
            [need("chezmoi"), "--no-tty", "--refresh-externals=never", *arguments],
            env={**os.environ, **dict(sandbox.environment(self.box.root))},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        return f"{done.returncode}\n{done.stdout}"

    def remembered(self, place: Path) -> str:
        """All that chezmoi remembers; asked of a copy, because asking can make a record."""
        if not self.state.exists():
            return ""
        copy = place / "copy.boltdb"
        shutil.copyfile(self.state, copy)
        return self.chezmoi("state", "dump", "--format=json", f"--persistent-state={copy}")
