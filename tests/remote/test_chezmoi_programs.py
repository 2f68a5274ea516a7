"""Programs that chezmoi would run to answer about its sources: none runs unasked.

Each case is also tried with plain chezmoi, which runs the program: so the case is a real one.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Box, Cli
from tests.remote.reading import Reader
from tests.tools import need

KDE = ("-k", "~/.config/kwinrc", "-k", "~/.config/baloofilerc")
KELVIN, LONG_S = "\N{KELVIN SIGN}", "\N{LATIN SMALL LETTER LONG S}"
CALL = '{{ output "@" }}\n'
HOOK = '[hooks.%s.pre]\ncommand = "@"\n'
YAML = 'source-path: {pre: {command: "@"}}'

#: File of the source state -> its text; "@" is the program.
TEMPLATES = {
    ".chezmoiignore": CALL,
    ".chezmoiignore.tmpl": CALL,
    ".chezmoiremove": CALL,
    ".chezmoiexternal.toml": CALL,
    ".chezmoiexternals/more.yaml": CALL,
    "dot_config/.chezmoiignore": CALL,
    "dot_other/deep/.chezmoiignore": CALL,
}
#: The same, hidden from a reader of the text.
HIDDEN = {
    "over two lines": '{{ if true -}}\n{{- output\n"@" }}{{ end }}\n',
    "behind a string": '{{ "}}" | print }}{{ "{{" }}{{ output "@" }}\n',
    "behind a raw string": '{{ `"` }}{{ output "@" }}{{ `"` }}\n',
    "behind a sign": '{{ printf "%c" \'"\' }}{{ output "@" }}{{ printf "%c" \'"\' }}\n',
    "behind an escape": '{{ "\\"" }}{{ output "@" }}{{ "\\"" }}\n',
    "behind a comment": '{{/* " */}}{{ output "@" }}{{/* " */}}\n',
    "behind NUL": '{{ "\0" | print }}{{ output "@" }}{{ "\0" }}\n',
    "in brackets of its own": "# chezmoi:template:left-delimiter=[[ right-delimiter=]]\n"
    '[[ output "@" ]]\n',
    "in a pipe": '{{ "@" | output }}\n',
    "in a condition": '{{ if eq .chezmoi.os (output "@") }}x{{ end }}\n',
    "by a template of the sources": '{{ includeTemplate "evil" . }}\n',
    "by another name": '{{ outputList "@" list }}\n',
}
#: Name of the configuration -> its text.
CONFIGURATIONS = {
    "toml": ("chezmoi.toml", HOOK % "source-path"),
    "before the sources are read": ("chezmoi.toml", HOOK % "read-source-state"),
    "toml, inline": ("chezmoi.toml", 'hooks = {source-path = {pre = {command = "@"}}}\n'),
    "toml, as a script": ("chezmoi.toml", '[hooks.source-path.pre]\nscript = "@"\n'),
    "toml, escaped": ("chezmoi.toml", '["h\\u006foks".source-path.pre]\ncommand = "@"\n'),
    "toml, capitals": ("chezmoi.toml", (HOOK % "source-path").replace("hooks", "HOOKS")),
    "toml, another k": ("chezmoi.toml", f'["hoo{KELVIN}s".source-path.pre]\ncommand = "@"\n'),
    "yaml": ("chezmoi.yaml", f"hooks: {{{YAML}}}\n"),
    "yaml, escaped": ("chezmoi.yaml", f'"h\\x6foks": {{{YAML}}}\n'),
    "yaml, binary": ("chezmoi.yaml", f"? !!binary aG9va3M=\n: {{{YAML}}}\n"),
    "yaml, another s": ("chezmoi.yaml", f"hook{LONG_S}: {{{YAML}}}\n"),
    "json": ("chezmoi.json", '{"hooks": {"source-path": {"pre": {"command": "@"}}}}'),
    "json, escaped": (
        "chezmoi.json",
        '{"ho\\u006fks": {"source-path": {"pre": {"command": "@"}}}}',
    ),
}
HARMLESS = """\
# {{/* of this machine "only" */}}
{{ if ne .chezmoi.os "darwin" }}
.config/karabiner
{{- end }}
{{ if and (eq .chezmoi.os "linux") (not (lookPath "nix")) -}}
.nix
{{ end -}}
{{ range list "a" "b" }}{{ . | upper | quote }}{{ end }}
README.md
output "nothing"
"""


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    program = tmp_path / "evil"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Of two files one is chezmoi's; both sides were changed since, so that all is asked."""
    program = Path(need("chezmoi"))
    reader = Reader(tmp_path / "box", {"PATH": f"{program.parent}:{os.environ['PATH']}"})
    place(reader.home / ".local/share/chezmoi/dot_config/kwinrc", "[kwinrc]\n")
    place(reader.kwinrc, "[kwinrc]\nlive=true\n")
    return reader


def place(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def sources(reader: Reader) -> Path:
    return reader.home / ".local/share/chezmoi"


def left(reader: Reader, *files: str) -> dict[str, str]:
    """Each file that is left, and why."""
    lines = reader.run("managed", str(reader.root), *(files or KDE))
    words = (
        line.partition(" ")[2].split("\t") for line in lines if line.startswith("chezmoi_runs ")
    )
    return {Path(path).name: base64.b64decode(why).decode() for path, why in words}


def check(reader: Reader, evil: Path, why: str) -> None:
    ran = evil.with_name("ran")
    found = left(reader)
    assert not ran.exists(), "a program of the user's was run"
    assert why in found["kwinrc"]
    assert set(found) == {"kwinrc"} or "external" in why, "the other one cannot be chezmoi's"
    assert not left(reader, *KDE, "-c", "run")
    assert ran.exists(), "chezmoi does not run it: the case is none"


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_program_that_a_template_of_the_sources_calls_is_run(
    reader: Reader, evil: Path, name: str
) -> None:
    place(sources(reader) / name, TEMPLATES[name].replace("@", str(evil)))
    check(reader, evil, str(sources(reader) / name))


@pytest.mark.parametrize("how", HIDDEN)
def test_nor_one_whose_call_is_hidden(reader: Reader, evil: Path, how: str) -> None:
    place(sources(reader) / ".chezmoiignore", HIDDEN[how].replace("@", str(evil)))
    place(sources(reader) / ".chezmoitemplates/evil", CALL.replace("@", str(evil)))
    check(reader, evil, ".chezmoiignore calls what may be a program")


@pytest.mark.parametrize("how", CONFIGURATIONS)
def test_no_hook_of_the_configuration_is_run(reader: Reader, evil: Path, how: str) -> None:
    name, text = CONFIGURATIONS[how]
    place(reader.home / ".config/chezmoi" / name, text.replace("@", str(evil)))
    check(reader, evil, f"{name} has hooks")


@pytest.mark.parametrize("where", ["XDG_CONFIG_DIRS", "sourceDir", ".chezmoiroot", "link"])
def test_nor_one_from_where_chezmoi_looks_besides(
    reader: Reader, evil: Path, tmp_path: Path, where: str
) -> None:
    other, ordinary = tmp_path / "other", sources(reader)
    if where == "XDG_CONFIG_DIRS":
        place(other / "chezmoi/chezmoi.toml", (HOOK % "source-path").replace("@", str(evil)))
        reader.environment["XDG_CONFIG_DIRS"] = f"/nowhere:{other}"
        why = "has hooks"
    else:
        place(other / "dot_config/kwinrc", "[kwinrc]\n")
        place(other / ".chezmoiignore", CALL.replace("@", str(evil)))
        why = ".chezmoiignore calls"
    if where == "sourceDir":
        place(reader.home / ".config/chezmoi/chezmoi.toml", f'sourceDir = "{other}"\n')
    elif where == ".chezmoiroot":
        place(ordinary / ".chezmoiroot", f"../{os.path.relpath(other, ordinary.parent)}\n")
        why = ".chezmoiroot leads elsewhere"
    elif where == "link":
        ordinary.rename(tmp_path / "moved")
        ordinary.symlink_to(other)
    check(reader, evil, why)


def test_a_pipe_in_place_of_a_template_holds_nobody_up(reader: Reader) -> None:
    os.mkfifo(sources(reader) / ".chezmoiignore")
    assert "is not a file" in left(reader)["kwinrc"]


def test_templates_that_only_compute_are_evaluated_as_ever(reader: Reader) -> None:
    place(sources(reader) / ".chezmoiignore", HARMLESS)
    place(reader.home / ".config/chezmoi/chezmoi.toml", '[data]\nemail = "me@localhost"\n')
    found = reader.read(*KDE)
    assert found.chezmoi[str(reader.kwinrc)].source == str(sources(reader) / "dot_config/kwinrc")
    place(sources(reader) / ".chezmoiignore", HARMLESS.replace("karabiner", "kwinrc"))
    assert found.chezmoi and not reader.read(*KDE).chezmoi, "chezmoi ignores it"


def test_the_sources_that_the_configuration_names_are_found(reader: Reader, tmp_path: Path) -> None:
    other = tmp_path / "dotfiles"
    sources(reader).rename(other)
    place(other / ".chezmoiroot", "home\n")
    (other / "home").mkdir()
    (other / "dot_config").rename(other / "home/dot_config")
    place(reader.home / ".config/chezmoi/chezmoi.yaml", f"sourceDir: {other}\n")
    found = reader.read(*KDE).chezmoi[str(reader.kwinrc)]
    assert (found.source, found.trouble) == (str(other / "home/dot_config/kwinrc"), "")


@pytest.mark.parametrize("what", ["a hook", "a modify_ source"])
def test_the_file_is_left_by_name_until_its_program_is_allowed(
    make_box: Callable[..., Box], cli: Cli, evil: Path, what: str
) -> None:
    """A dry run and a run say and do the same. What is allowed: test_undo_chezmoi.py."""
    box = make_box(layers=["plasma", "session"])
    if what == "a hook":
        hooks = "".join((HOOK % one).replace("@", str(evil)) for one in ("source-path", "get"))
        place(box.home / ".config/chezmoi/chezmoi.toml", hooks)
    else:
        source = box.source("kwinrc").with_name("modify_kwinrc")
        box.source("kwinrc").unlink()
        place(source, f"#!/bin/sh\n{evil}\nexec cat\n")
        source.chmod(0o755)
    live = box.config("kwinrc").read_bytes()
    for words in [("--dry",), ("-y",)] if what == "a hook" else [("--dry",)]:
        run = cli(box.inventory, "deploy.py", *words)
        plan = run.kinds("plan")[-1]
        why = {one["setting"]: one["why"] for one in plan["settings"]}["kwin.backend"]
        assert "--data chezmoi_programs=run" in why and "--data exclude=kwin.backend" in why
        assert str(box.config("kwinrc")) in why
        assert not evil.with_name("ran").exists(), words
        assert box.config("kwinrc").read_bytes() == live
