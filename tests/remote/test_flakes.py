"""remote/flakes.sh with dash and git: each flake is read by git, as a path, or said to be absent,
unreadable or failed, with the reason; nothing is written, and no program of a repository is run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.remote.reading import Reader
from tests.tools import missing, need

WHO = ("-c", "user.name=me", "-c", "user.email=me@localhost")
UNREADABLE = "may not read"


def git(directory: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(directory), *arguments], check=True, capture_output=True)


def repository(directory: Path, *, within: str = ".") -> Path:
    """A flake in a repository of its own, committed."""
    need("git")
    place = directory / within
    place.mkdir(parents=True)
    (place / "flake.nix").write_text("{ }\n")
    git(directory, "init", "-q")
    git(directory, "add", "-A")
    git(directory, *WHO, "commit", "-qm", "first")
    return directory


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    one = Reader(tmp_path / "root")
    one.environment["GIT_CONFIG_NOSYSTEM"] = "1"
    return one


@pytest.fixture
def flake(reader: Reader) -> Path:
    return repository(reader.home / ".config/home-manager")


@pytest.fixture
def nobody(reader: Reader) -> Reader:
    """Read as a user to whom nothing of it belongs."""
    if os.getuid() != 0:
        missing("giving files away needs root: run the tests as root")
    for parent in (reader.root, *reader.root.parents):
        if parent.stat().st_uid == 0 and parent.name.startswith(
            ("pytest-", "wt-tests-", "popen-", "test_", "root")
        ):
            parent.chmod(0o755)
    reader.user = (need("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups")
    return reader


def plain(reader: Reader) -> Path:
    directory = reader.home / ".config/home-manager"
    directory.mkdir()
    (directory / "flake.nix").write_text("{ }\n")
    return directory


# ---- read by git ---------------------------------------------------------------------------------


def test_a_clean_git_flake_has_the_same_digest_each_time_and_a_changed_one_another(
    reader: Reader, flake: Path
) -> None:
    clean = reader.flake()
    assert (clean.scheme, clean.url) == ("git", f"git+file://{flake}")
    assert reader.flake() == clean
    (flake / "flake.nix").write_text("{ a = 1; }\n")
    dirty = reader.flake()
    assert dirty.digest != clean.digest
    git(flake, "add", "-A")  # what Nix would read is the same, staged or not
    assert reader.flake().digest == dirty.digest


def test_untracked_nix_files_are_named_and_change_no_digest(reader: Reader, flake: Path) -> None:
    clean = reader.flake()
    for name in ("new.nix", "νέο.nix", "hostile\nmark sudo.nix", "notes.txt"):
        (flake / name).write_text("")
    found = reader.read()
    assert found.flakes["home"].digest == clean.digest
    assert {"new.nix", "νέο.nix"} <= set(found.flakes["home"].untracked)
    assert "notes.txt" not in found.flakes["home"].untracked
    assert "sudo" not in found.marks


def test_a_tag_of_somebody_else_is_no_change(reader: Reader, flake: Path) -> None:
    clean = reader.flake()
    git(flake, "tag", "v1")
    assert reader.flake() == clean


def test_a_repository_without_a_commit_is_read(reader: Reader) -> None:
    directory = plain(reader)
    git(directory, "init", "-q")
    git(directory, "add", "-A")
    first = reader.flake()
    assert first.scheme == "git"
    (directory / "flake.nix").write_text("{ a = 1; }\n")
    assert reader.flake().digest != first.digest


def test_a_directory_that_the_repository_around_it_ignores_is_read_as_a_path(
    reader: Reader,
) -> None:
    """As the sandbox is, inside of a checkout."""
    directory = plain(reader)
    around = directory.parent
    git(around, "init", "-q")
    assert reader.flake().scheme != "path", "what is merely not added yet is a mistake to name"
    (around / ".gitignore").write_text("home-manager/\n")
    found = reader.flake()
    assert (found.scheme, found.directory, found.private) == ("path", str(directory), ())


def test_a_flake_below_a_repository_is_read_with_its_directory(reader: Reader, flake: Path) -> None:
    (flake / "my sub").mkdir()
    (flake / "my sub/flake.nix").write_text("{ }\n")
    git(flake, "add", "-A")
    assert reader.flake(f"{flake}/my sub").url == f"git+file://{flake}?dir=my%20sub"


@pytest.mark.parametrize("ignored", [False, True])
def test_a_flake_that_its_repository_does_not_track_is_refused_with_the_command_that_helps(
    reader: Reader, flake: Path, ignored: bool
) -> None:
    (flake / "it's").mkdir()
    (flake / "it's/flake.nix").write_text("{ }\n")
    found = reader.flake(f"{flake}/it's")
    assert found.scheme == "failed"
    assert "not tracked" in found.fault("base_home_with")
    assert "To have it seen, call: git -C " in found.fault("base_home_with")
    (flake / ".gitignore").write_text("flake.nix\n" if ignored else "")
    found = reader.flake(f"{flake}/it's")
    subprocess.run(["sh", "-c", found.why[-1]], check=True)
    assert reader.flake(f"{flake}/it's").scheme == "git"


def test_a_shallow_clone_and_a_worktree_are_read_by_git(
    reader: Reader, flake: Path, tmp_path: Path
) -> None:
    (flake / "flake.nix").write_text("{ a = 1; }\n")
    git(flake, *WHO, "commit", "-qam", "second")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{flake}", "shallow")
    assert reader.flake(f"{tmp_path}/shallow").url == f"git+file://{tmp_path}/shallow?shallow=1"
    git(flake, "worktree", "add", "-q", str(tmp_path / "tree"))
    tree = reader.flake(f"{tmp_path}/tree")
    assert (tree.scheme, tree.url) == ("git", f"git+file://{tmp_path}/tree")


# ---- links and names -----------------------------------------------------------------------------


def test_the_directory_that_really_holds_the_flake_is_read(
    reader: Reader, flake: Path, tmp_path: Path
) -> None:
    """As nixos-rebuild and home-manager find it: behind links of the directory and of flake.nix."""
    (tmp_path / "link").symlink_to(flake)
    (tmp_path / "chain").symlink_to("link")
    (tmp_path / "nixos").mkdir()
    (tmp_path / "nixos/flake.nix").symlink_to(f"{tmp_path}/chain/flake.nix")
    for place in ("link", "chain", "nixos"):
        assert reader.flake(f"{tmp_path}/{place}").url == f"git+file://{flake}"
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain/flake.nix").write_text("{ }\n")
    (tmp_path / "etc").symlink_to("plain")
    assert reader.flake(f"{tmp_path}/etc").url == f"path:{tmp_path}/plain"


def test_a_link_to_nothing_and_one_to_another_name_are_failed(
    reader: Reader, tmp_path: Path
) -> None:
    (tmp_path / "gone").symlink_to("nowhere")
    found = reader.flake(f"{tmp_path}/gone")
    assert (found.scheme, "nowhere, where nothing is" in found.fault("k")) == ("failed", True)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/flake.nix").symlink_to("../host.nix")
    assert reader.flake(f"{tmp_path}/a").scheme == "failed"
    (tmp_path / "host.nix").write_text("{ }\n")
    found = reader.flake(f"{tmp_path}/a")
    assert found.scheme == "failed"
    assert "host.nix, whose name is not flake.nix" in found.fault("k")


def nix_of(reader: Reader, tmp_path: Path, version: str) -> None:
    """The workspace has this Nix, as far as it says."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "nix").write_text(f"#!/bin/sh\necho 'nix (Nix) {version}'\n")
    (tools / "nix").chmod(0o755)
    reader.environment["PATH"] = f"{tools}:{os.environ['PATH']}"


@pytest.mark.parametrize("version", ["2.8.0", "2.18.9", "2.19.0pre20231010_abc", "2.34.8", "3.0"])
def test_a_nix_that_cannot_read_such_a_name_is_named_with_what_helps(
    reader: Reader, tmp_path: Path, version: str
) -> None:
    nix_of(reader, tmp_path, version)
    repository(tmp_path / "ρυθμίσεις μας")
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b/flake.nix").write_text("{ }\n")
    for name in ("ρυθμίσεις μας", "a b"):
        found = reader.flake(f"{tmp_path}/{name}")
        if version in ("2.8.0", "2.18.9"):
            assert found.scheme == "failed"
            assert f"{version} is too old" in found.fault("k")
        else:
            assert found.present


@pytest.mark.parametrize("name", ["a b", "ρυθμίσεις", "it's", "50%", "a&b=c;d", "[x]", "$HOME"])
def test_any_name_of_a_directory_is_one_url(reader: Reader, tmp_path: Path, name: str) -> None:
    nix_of(reader, tmp_path, "2.34.8")
    place = repository(tmp_path / name, within="sub/δ ε")
    found = reader.flake(f"{place}/sub/δ ε")
    assert (found.scheme, found.directory, found.within) == ("git", str(place), "sub/δ ε")
    assert found.url.isascii()
    assert " " not in found.url
    assert found.url.endswith("?dir=sub/%CE%B4%20%CE%B5")


def test_a_line_break_in_a_path_is_refused_and_is_no_line_of_an_answer(
    reader: Reader, tmp_path: Path
) -> None:
    place = repository(tmp_path / "a\nflake home git d /etc")
    (tmp_path / "link").symlink_to(place)
    found = reader.flake(f"{tmp_path}/link")
    assert (found.scheme, "line break" in found.fault("k")) == ("failed", True)


# ---- absent, unreadable, failed ------------------------------------------------------------------


def test_what_is_not_there_is_absent_and_says_what_is_missing(reader: Reader) -> None:
    directory = reader.home / ".config/home-manager"
    assert (reader.flake().scheme, reader.flake().why) == ("absent", ("it does not exist",))
    directory.mkdir()
    assert (reader.flake().scheme, reader.flake().why) == (
        "absent",
        ("there is no flake.nix in it",),
    )
    (directory / "flake.nix").mkdir()
    assert reader.flake().scheme == "failed"


@pytest.mark.parametrize("closed", ["nixos", "nixos/flake.nix", ".", "nixos/secret"])
def test_what_the_user_may_not_read_is_unreadable_and_never_absent(
    nobody: Reader, closed: str
) -> None:
    etc = nobody.root / "etc"
    (etc / "nixos").mkdir(parents=True)
    (etc / "nixos/flake.nix").write_text("{ }\n")
    (etc / "nixos/secret").mkdir()
    assert nobody.flake(f"{etc}/nixos").scheme == "path"
    (nobody.home / "link").symlink_to(etc / "nixos")
    (etc / closed).chmod(0o700 if (etc / closed).is_dir() else 0o600)
    for place in (etc / "nixos", nobody.home / "link"):
        found = nobody.flake(str(place))
        assert found.scheme == "unreadable"
        assert "nobody" in found.fault("k")


def test_a_repository_of_root_is_failed_with_the_words_of_git_until_its_remedy_is_taken(
    nobody: Reader, tmp_path: Path
) -> None:
    """The ordinary /etc/nixos. It is never read as a path: that would copy ignored secrets."""
    place = repository(nobody.root / "etc/nixos")
    (place / "secret.env").write_text("x")
    found = nobody.flake(str(place))
    assert found.scheme == "failed"
    assert "dubious ownership" in found.fault("k")
    remedy = next(line for line in found.why if "safe.directory" in line).strip()
    assert remedy == f"git config --global --add safe.directory {place}"
    environment = {"PATH": os.environ["PATH"], "HOME": str(nobody.home)}
    subprocess.run(["sh", "-c", remedy], check=True, env=environment)
    assert nobody.flake(str(place)).url == f"git+file://{place}"


def test_a_repository_that_is_closed_to_the_user_is_unreadable_and_no_path(nobody: Reader) -> None:
    place = repository(nobody.root / "etc/nixos")
    (place / ".git").chmod(0o700)
    found = nobody.flake(str(place))
    assert (found.scheme, f"may not enter {place}/.git" in found.fault("k")) == ("unreadable", True)


def _corrupt(*names: str) -> Callable[[Path], None]:
    def spoil(repository: Path) -> None:
        for name in names:
            (repository / ".git" / name).write_bytes(b"\0broken")

    return spoil


def _no_objects(repository: Path) -> None:
    for path in (repository / ".git/objects").glob("??/*"):
        path.unlink()


@pytest.mark.parametrize(
    "spoil", [_corrupt("config"), _corrupt("HEAD"), _corrupt("index"), _no_objects]
)
def test_a_repository_that_git_cannot_read_is_failed_with_its_words(
    reader: Reader, flake: Path, spoil: Callable[[Path], None]
) -> None:
    (flake / "flake.nix").write_text("{ a = 1; }\n")
    spoil(flake)
    found = reader.flake()
    assert found.scheme == "failed"
    assert any(word in found.fault("k") for word in ("fatal:", "error:"))
    git(reader.home, "init", "-q")  # one around it, as dotfiles have it, is not taken in its place
    (reader.home / ".gitignore").write_text("home-manager/\n")
    found = reader.flake()
    assert found.scheme == "failed"
    assert any(word in found.fault("k") for word in ("fatal:", "error:"))


def test_a_repository_where_git_is_missing_is_failed_and_no_path(
    reader: Reader, flake: Path, tmp_path: Path
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("cat", "id", "stat", "readlink", "tr", "sed", "find", "sha256sum", "tar"):
        (tools / name).symlink_to(need(name))
    dash = need("dash")
    (tools / "dash").symlink_to(dash)
    reader.environment["PATH"] = str(tools)
    found = reader.flake()
    assert (found.scheme, "git is not installed" in found.fault("k")) == ("failed", True)


# ---- nothing of the user's is run ----------------------------------------------------------------


def test_no_program_that_a_repository_names_is_run(reader: Reader, flake: Path) -> None:
    evil = reader.home / "evil"
    evil.write_text("#!/bin/sh\ntouch $HOME/ran\ncat\n")
    evil.chmod(0o755)
    keys = ("core.fsmonitor", "diff.external", "diff.x.textconv", "core.pager", "filter.y.process")
    for key in (*keys, "filter.x.clean", "filter.x.smudge", "filter.x y.clean"):
        git(flake, "config", key, str(evil))
    git(flake, "config", "filter.x.required", "true")
    for name in ("post-index-change", "pre-commit"):
        (flake / ".git/hooks" / name).symlink_to(evil)
    (flake / ".gitattributes").write_text("*.nix diff=x filter=x\n*.txt filter=y\n")
    (flake / "a.txt").write_text("1\n")
    subprocess.run(["git", "-C", str(flake), "add", "--intent-to-add", "a.txt"], check=False)
    (reader.home / "ran").unlink(missing_ok=True)  # git add asked the monitor
    (flake / "flake.nix").write_text("{ b = 1; }\n")
    assert reader.flake().scheme == "git"
    assert not (reader.home / "ran").exists()


@pytest.mark.parametrize("key", ["remote.origin.uploadpack", "core.sshCommand", "url of ext"])
def test_a_partial_clone_fetches_nothing_by_a_program_that_it_names(
    reader: Reader, flake: Path, key: str
) -> None:
    """An object that it lacks would be fetched to compare it, from wherever the clone says."""
    evil = reader.home / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {reader.home}/ran\nexit 1\n")
    evil.chmod(0o755)
    blob = subprocess.run(
        ["git", "-C", str(flake), "rev-parse", "HEAD:flake.nix"], capture_output=True, text=True
    ).stdout.strip()
    (flake / ".git/objects" / blob[:2] / blob[2:]).unlink()
    urls = {"core.sshCommand": "ssh://nowhere.invalid/x", "url of ext": f"ext::{evil}"}
    promised = ("core.repositoryformatversion=1", "extensions.partialClone=origin")
    promised += ("remote.origin.promisor=true", f"remote.origin.url={urls.get(key, flake)}")
    promised += ("protocol.ext.allow=always",)
    for one in (*promised, *([f"{key}={evil}"] if " " not in key else [])):
        git(flake, "config", *one.split("=", 1))
    (flake / "flake.nix").write_text("{ b = 1; }\n")
    assert reader.flake().scheme == "failed"
    assert not (reader.home / "ran").exists()
    subprocess.run(["git", "-C", str(flake), "diff"], capture_output=True, check=False)
    assert (reader.home / "ran").exists(), "git runs it when left as it is"
