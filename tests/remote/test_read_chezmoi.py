"""remote/read.sh and chezmoi: where each KDE file has its source, and what chezmoi wrote last."""

from __future__ import annotations

import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from converge.kde import chezmoi
from tests.remote.reading import Reader
from tests.tools import need

KDE = ("-k", "~/.config/kwinrc", "-k", "~/.config/baloofilerc", "-k", "~/.config/kdeglobals")


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Two of three files are chezmoi's, and it has written both."""
    program = Path(need("chezmoi"))
    reader = Reader(tmp_path / "box", {"PATH": f"{program.parent}:{os.environ['PATH']}"})
    for name in ("kwinrc", "baloofilerc"):
        source(reader, name).parent.mkdir(parents=True, exist_ok=True)
        source(reader, name).write_text(f"[{name}]\n")
    (reader.home / ".config/kdeglobals").write_text("[KDE]\n")
    environment = {"HOME": str(reader.home), "PATH": os.environ["PATH"]}
    subprocess.run([program, "--no-tty", "apply"], env=environment, check=True)
    return reader


def source(reader: Reader, name: str) -> Path:
    return reader.home / ".local/share/chezmoi/dot_config" / name


def test_each_managed_file_has_its_source_and_the_others_none(reader: Reader) -> None:
    found = reader.read(*KDE)
    assert {Path(path).name: one.source for path, one in found.chezmoi.items()} == {
        name: str(source(reader, name)) for name in ("kwinrc", "baloofilerc")
    }
    assert found.nodes[str(source(reader, "kwinrc"))].content == b"[kwinrc]\n"


@pytest.mark.parametrize("edited", ["source", "live file"])
def test_where_one_of_the_two_was_edited_it_is_known_what_chezmoi_wrote_last(
    reader: Reader, edited: str
) -> None:
    path = source(reader, "kwinrc") if edited == "source" else reader.kwinrc
    path.write_text("[kwinrc]\nedited=true\n")
    written = reader.read(*KDE).chezmoi[str(reader.kwinrc)].last_written
    assert written == sha256(b"[kwinrc]\n").hexdigest()


def test_a_pipe_in_place_of_a_file_holds_nobody_up(reader: Reader) -> None:
    reader.kwinrc.unlink()
    os.mkfifo(reader.kwinrc)
    assert reader.read(*KDE).chezmoi[str(reader.kwinrc)].last_written


def test_sources_asked_for_together_are_those_that_chezmoi_says_of_each_alone(
    reader: Reader, tmp_path: Path
) -> None:
    """chezmoi starts once where all have a source, and once for each where the order differs."""
    together = reader.read(*KDE[:4]).chezmoi
    log, real = tmp_path / "calls", need("chezmoi")
    other = tmp_path / "bin/chezmoi"
    other.parent.mkdir()
    other.write_text(
        f'#!/bin/sh\necho "$GOGC $*" >>{log}\n'
        f'case "$*" in *kwinrc*baloo* | *baloo*kwinrc*) {real} "$@" | sort -r ;;\n'
        f'*) exec {real} "$@" ;; esac\n'
    )
    other.chmod(0o755)
    reader.environment["PATH"] = f"{other.parent}:{os.environ['PATH']}"
    assert reader.read(*KDE[:4]).chezmoi == together and len(together) == 2
    calls = log.read_text().splitlines()
    assert len([call for call in calls if "source-path" in call]) == 3, calls
    assert all(call.startswith("off ") for call in calls), "a tenth of a start is its garbage"


@pytest.mark.parametrize("name", ["a b", "tab\there", "größe", "back\\slash", "0\t0\tx"])
def test_a_source_below_any_name_is_found(reader: Reader, name: str) -> None:
    data = reader.home / name
    (reader.home / ".local/share").rename(data)
    reader.environment["XDG_DATA_HOME"] = str(data)
    found = reader.read(*KDE)
    path = f"{data}/chezmoi/dot_config/kwinrc"
    assert found.chezmoi[str(reader.kwinrc)].source == path
    assert not found.chezmoi[str(reader.kwinrc)].last_written, "both files are the same"
    assert found.nodes[path].content == b"[kwinrc]\n"


def test_no_program_that_the_repository_of_the_sources_names_is_run(
    reader: Reader, tmp_path: Path
) -> None:
    """Its history is looked through for what chezmoi wrote last; git would check its signatures."""
    directory = reader.home / ".local/share/chezmoi"
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    evil.chmod(0o755)

    def git(*words: str, given: str = "") -> str:
        argv = ["git", "-C", str(directory), *words]
        return subprocess.run(argv, input=given, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    git("add", "-A")
    git("-c", "user.name=me", "-c", "user.email=me@localhost", "commit", "-qm", "first")
    head, _, message = git("cat-file", "commit", "HEAD").partition("\n\n")
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----"
    signed = git(
        "hash-object", "-t", "commit", "-w", "--stdin", given=f"{head}\n{signature}\n\n{message}"
    )
    git("update-ref", "HEAD", signed.strip())
    for key, value in (("log.showSignature", "true"), ("gpg.program", str(evil))):
        git("config", key, value)
    for path in (source(reader, "kwinrc"), reader.kwinrc):
        path.write_text("[kwinrc]\nedited=true\n")
    reader.kwinrc.write_text("[kwinrc]\nedited=again\n")
    found = reader.read(*KDE).chezmoi[str(reader.kwinrc)]
    assert found.base == b"[kwinrc]\n"
    assert not (tmp_path / "ran").exists()
    git("log", "-1")
    assert (tmp_path / "ran").exists(), "git runs it when left as it is"


#: What makes chezmoi remove or fetch a file that has no source -> what beside the sources says so.
WAYS = {
    "exact": (("exact_dot_config/.keep", ""), chezmoi.REMOVED),
    "removed": ((".chezmoiremove", ".config/kwinrc\n"), chezmoi.REMOVED),
    "fetched": (
        (
            ".chezmoiexternal.toml",
            '[".config/kwinrc"]\ntype = "file"\nurl = "https://example.invalid/k"\n',
        ),
        chezmoi.FETCHED,
    ),
}


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_chezmoi_removes_or_fetches_is_said_whether_it_is_there_or_not(
    reader: Reader, way: str, there: bool, tmp_path: Path
) -> None:
    (name, text), why = WAYS[way]
    sources = reader.home / ".local/share/chezmoi"
    shutil.rmtree(sources)
    (sources / name).parent.mkdir(parents=True)
    (sources / name).write_text(text)
    if not there:
        reader.kwinrc.unlink()
    reader.environment["TMPDIR"] = str(tmp_path)
    reader.environment["XDG_CONFIG_DIRS"] = str(tmp_path / "none")
    before = sorted(tmp_path.iterdir())
    found = reader.read(*KDE, "-c", "run").chezmoi[str(reader.kwinrc)]
    assert found.trouble == why
    assert sorted(tmp_path.iterdir()) == before, "a directory of its own is left"
    (sources / ".chezmoiignore").write_text(".config/kwinrc\n")
    assert str(reader.kwinrc) not in reader.read(*KDE, "-c", "run").chezmoi


def test_where_the_sources_are_is_asked_and_not_looked_for_on_the_whole_machine(
    reader: Reader, tmp_path: Path
) -> None:
    """The configuration has hooks and sources elsewhere; the user lets chezmoi run."""
    elsewhere = reader.home / "sources of mine"
    (reader.home / ".local/share/chezmoi").rename(elsewhere)
    configuration = reader.home / ".config/chezmoi/chezmoi.toml"
    configuration.write_text(
        f'sourceDir = "{elsewhere}"\n[hooks.read-source-state.pre]\ncommand = "true"\n'
    )
    log, find = tmp_path / "found", tmp_path / "bin/find"
    find.parent.mkdir()
    find.write_text(f'#!/bin/sh\necho "$1" >>{log}\nexec {shutil.which("find")} "$@"\n')
    find.chmod(0o755)
    reader.environment["PATH"] = f"{find.parent}:{reader.environment['PATH']}"
    found = reader.read(*KDE, "-c", "run")
    assert found.chezmoi[str(reader.kwinrc)].source == f"{elsewhere}/dot_config/kwinrc"
    assert "/" not in log.read_text().splitlines()
