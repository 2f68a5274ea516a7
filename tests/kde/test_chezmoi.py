"""The real chezmoi in a home of its own: facts for writing one result to source and live file."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from converge.kde.chezmoi import (
    ChezmoiError,
    SourceKind,
    classify,
    read_last_written,
    read_source_path,
)
from converge.kde.heal import Healed, heal
from converge.kde.merge import Desired

SUFFIX = ".lock"  # of the lock that KDE takes on a file
#: For every call: no terminal, no colours, no network, no tool of the user's choice.
FLAGS = (
    "--no-tty",
    "--no-pager",
    "--color=false",
    "--progress=false",
    "--refresh-externals=never",
    "--use-builtin-diff",
)
FILES_ONLY = "--exclude=scripts,externals"
DESIRED: Desired = {("Windows",): {"FocusPolicy": "ClickToFocus"}}
TEXT = b"# mine\n[Windows]\nFocusPolicy=ClickToFocus\nPlacement=Smart\n"


def source_path(target: str) -> tuple[str, ...]:
    """Every ``target`` is absolute and begins with ``$HOME`` as the user spells it: chezmoi knows
    its targets by that, not by where a symlinked home leads to."""
    return (*FLAGS, "source-path", target)


def entry_state(target: str) -> tuple[str, ...]:
    return (*FLAGS, "state", "get", "--bucket=entryState", f"--key={target}")


def apply(target: str) -> tuple[str, ...]:
    return (*FLAGS, "apply", "--force", FILES_ONLY, target)


def verify(target: str) -> tuple[str, ...]:
    return (*FLAGS, "verify", FILES_ONLY, target)


class Home:
    """A throw-away home with a chezmoi source; `kwinrc` is the target of every test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tool = os.environ.get("CHEZMOI") or shutil.which("chezmoi")
        if not self.tool:
            pytest.fail(
                "chezmoi is missing; run `make tools` and put .tools/bin in PATH, or name it: "
                "CHEZMOI=/path/to/chezmoi",
                pytrace=False,
            )
        self.config = root / ".config"
        self.config.mkdir(mode=0o700, parents=True)
        self.live = self.config / "kwinrc"
        self.sources = root / ".local/share/chezmoi/dot_config"
        self.sources.mkdir(parents=True)
        self.source = self.sources / "private_kwinrc"
        self.state = self.config / "chezmoi/chezmoistate.boltdb"

    def run(self, arguments: Sequence[str]) -> tuple[int, str, str]:
        done = subprocess.run(
            [str(self.tool), *arguments],
            env={"PATH": os.environ["PATH"], "HOME": str(self.root)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def apply(self) -> None:
        assert self.run(apply(str(self.live)))[::2] == (0, "")

    def verify(self) -> int:
        return self.run(verify(str(self.live)))[0]

    def status(self) -> str:
        returncode, stdout, stderr = self.run((*FLAGS, "status", str(self.live)))
        assert (returncode, stderr) == (0, "")
        return stdout

    def last_written(self) -> str | None:
        return read_last_written(*self.run(entry_state(str(self.live))))

    def heal(self) -> Healed:
        live = self.live.read_bytes() if self.live.exists() else None
        return heal(live, self.source.read_bytes(), self.last_written(), DESIRED)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def settled(home: Home) -> Home:
    """Source, live file and chezmoi's memory are one."""
    home.source.write_bytes(TEXT)
    home.apply()
    assert home.live.read_bytes() == TEXT
    return home


# --- the run -------------------------------------------------------------------------------------


def test_one_result_to_both_leaves_chezmoi_with_nothing_to_do(settled: Home) -> None:
    """A managed and an unmanaged entry change in the live file: one is healed, the other stays."""
    settled.live.write_bytes(
        TEXT.replace(b"ClickToFocus", b"FocusUnderMouse").replace(b"Smart", b"Centered")
    )
    assert settled.status() == "MM .config/kwinrc\n"
    lock = settled.live.with_name(settled.live.name + SUFFIX)
    lock.write_text("held while chezmoi applies\n")
    healed = settled.heal()
    settled.source.write_bytes(healed.text)
    settled.apply()
    lock.unlink()
    assert settled.live.read_bytes() == TEXT.replace(b"Smart", b"Centered")
    assert settled.source.read_bytes() == settled.live.read_bytes()
    assert settled.verify() == 0
    assert settled.status() == ""
    assert settled.heal() == Healed(text=healed.text, source=healed.text)


def test_chezmoi_remembers_a_live_file_that_somebody_else_made_equal(settled: Home) -> None:
    """A run may write both live file and source: chezmoi's apply then only records this."""
    text = TEXT + b"\n[Tiling]\npadding=4\n"
    settled.source.write_bytes(text)
    settled.live.write_bytes(text)
    inode = settled.live.stat().st_ino
    assert settled.verify() == 0
    assert settled.last_written() == sha256(TEXT).hexdigest()
    settled.apply()
    assert settled.last_written() == sha256(text).hexdigest()
    assert settled.live.stat().st_ino == inode


def test_an_edit_in_the_source_reaches_the_live_file(settled: Home) -> None:
    settled.source.write_bytes(TEXT.replace(b"Smart", b"Random"))
    healed = settled.heal()
    expected = TEXT.replace(b"Smart", b"Random")
    assert healed == Healed(text=expected, source=expected)
    settled.apply()
    assert (settled.live.read_bytes(), settled.verify()) == (healed.text, 0)


def test_merging_each_side_for_itself_would_lose_the_live_change(settled: Home) -> None:
    """With a result for each side, the next plain apply would destroy one of the two."""
    settled.live.write_bytes(TEXT + b"\n[Tiling]\npadding=4\n")
    assert settled.verify() == 1
    settled.apply()
    assert b"Tiling" not in settled.live.read_bytes()


def test_nothing_is_written_where_nothing_differs(settled: Home) -> None:
    before = settled.live.stat()
    settled.apply()
    after = settled.live.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


# --- what chezmoi does ---------------------------------------------------------------------------


def test_a_live_file_that_chezmoi_never_wrote_is_overwritten_without_a_question(home: Home) -> None:
    home.source.write_bytes(TEXT)
    home.live.write_bytes(b"[Tiling]\npadding=4\n")
    assert home.last_written() is None
    assert home.status() == " M .config/kwinrc\n"
    assert home.run((*FLAGS, "apply", str(home.live))) == (0, "", "")
    assert home.live.read_bytes() == TEXT


def test_a_live_file_changed_since_is_not_overwritten_unless_forced(settled: Home) -> None:
    settled.live.write_bytes(TEXT + b"x=1\n")
    returncode, _, stderr = settled.run((*FLAGS, "apply", str(settled.live)))
    assert returncode == 1
    assert "EOF" in stderr
    assert settled.live.read_bytes() == TEXT + b"x=1\n"


def test_the_mode_counts_as_much_as_the_content(settled: Home) -> None:
    assert settled.live.stat().st_mode & 0o777 == classify(str(settled.source)).mode(umask=0o022)
    settled.live.chmod(0o644)
    assert settled.verify() == 1
    settled.apply()
    assert (settled.live.stat().st_mode & 0o777, settled.verify()) == (0o600, 0)


@pytest.mark.parametrize("name", ["kwinrc", "readonly_kwinrc", "private_readonly_kwinrc"])
def test_apply_gives_the_mode_that_the_name_spells(home: Home, name: str) -> None:
    source = home.sources / name
    source.write_bytes(TEXT)
    umask = os.umask(0o022)
    try:
        home.apply()
    finally:
        os.umask(umask)
    assert home.live.stat().st_mode & 0o777 == classify(str(source)).mode(umask=0o022)


def test_apply_leaves_a_private_directory_private(home: Home) -> None:
    """`--parent-dirs` would not: it gives `.config` the mode that `dot_config` spells."""
    home.source.write_bytes(TEXT)
    home.apply()
    assert home.config.stat().st_mode & 0o777 == 0o700
    arguments = (*apply(str(home.live))[:-1], "--parent-dirs", str(home.live))
    umask = os.umask(0o022)
    try:
        assert home.run(arguments)[0] == 0
    finally:
        os.umask(umask)
    assert home.config.stat().st_mode & 0o777 == 0o755


def test_apply_replaces_a_symlink_by_a_file(home: Home) -> None:
    """Why a symlinked target is refused before chezmoi is asked."""
    elsewhere = home.root / "elsewhere"
    elsewhere.write_bytes(TEXT)
    home.live.symlink_to(elsewhere)
    home.source.write_bytes(TEXT)
    assert home.verify() == 1
    home.apply()
    assert not home.live.is_symlink()


def test_a_target_is_known_by_the_home_that_the_user_has(home: Home, tmp_path: Path) -> None:
    """A home behind a symlink, as on Fedora's atomic desktops."""
    home.source.write_bytes(TEXT)
    (tmp_path / "link").symlink_to(home.root)
    real, home.root = home.live, tmp_path / "link"
    home.live = home.root / ".config/kwinrc"
    home.apply()
    assert home.last_written() == sha256(TEXT).hexdigest()
    assert read_last_written(*home.run(entry_state(str(real)))) is None
    with pytest.raises(ChezmoiError, match="not in destination directory"):
        read_source_path(*home.run(source_path(str(real))))


# --- its answers ---------------------------------------------------------------------------------


def test_a_target_without_a_source_is_not_managed(home: Home) -> None:
    assert read_source_path(*home.run(source_path(str(home.live)))) is None


def test_a_broken_configuration_is_an_error_and_not_an_unmanaged_target(settled: Home) -> None:
    (settled.config / "chezmoi").mkdir(exist_ok=True)
    (settled.config / "chezmoi/chezmoi.toml").write_text("= broken")
    with pytest.raises(ChezmoiError, match="exit 1"):
        read_source_path(*settled.run(source_path(str(settled.live))))


def test_a_running_chezmoi_is_an_error_and_not_a_file_never_written(settled: Home) -> None:
    with settled.state.open("rb") as state:
        fcntl.flock(state, fcntl.LOCK_EX)
        with pytest.raises(ChezmoiError, match="timeout"):
            settled.last_written()
    assert settled.last_written() == sha256(TEXT).hexdigest()


@pytest.mark.parametrize(
    ("answer", "stamp"),
    [
        ("", None),
        ("\n", None),
        (json.dumps({"type": "file", "mode": 384, "contentsSHA256": "ab12"}), "ab12"),
        (json.dumps({"type": "dir", "mode": 2147484141}), None),
        (json.dumps({"type": "symlink", "contentsSHA256": "ab12"}), None),
        (json.dumps({"type": "remove"}), None),
    ],
)
def test_only_a_file_has_a_stamp(answer: str, stamp: str | None) -> None:
    assert read_last_written(0, answer, "") == stamp


@pytest.mark.parametrize("answer", ["no JSON", "[]", "{}", '{"type": "file", "mode": 384}'])
def test_an_answer_of_another_form_is_an_error(answer: str) -> None:
    with pytest.raises(ChezmoiError):
        read_last_written(0, answer, "")


# --- the names of sources ------------------------------------------------------------------------

NAMES = {
    "kwinrc": SourceKind.PLAIN,
    "private_kwinrc": SourceKind.PLAIN,
    "private_readonly_empty_executable_kwinrc": SourceKind.PLAIN,
    "kwinrc.literal": SourceKind.PLAIN,
    "create_kwinrc": SourceKind.CREATE,
    "create_private_kwinrc.tmpl": SourceKind.CREATE,
    "modify_kwinrc": SourceKind.MODIFY,
    "modify_private_executable_kwinrc": SourceKind.MODIFY,
    "modify_kwinrc.tmpl": SourceKind.MODIFY,
    "kwinrc.tmpl": SourceKind.TEMPLATE,
    "private_kwinrc.literal.tmpl": SourceKind.TEMPLATE,
    "symlink_kwinrc": SourceKind.SYMLINK,
    "symlink_kwinrc.tmpl": SourceKind.SYMLINK,
    "remove_kwinrc": SourceKind.REMOVE,
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), NAMES.items())
def test_chezmoi_takes_a_source_for_what_we_take_it(
    home: Home, name: str, kind: SourceKind
) -> None:
    """chezmoi finds the target of a source; the content that it makes shows the source's kind."""
    source = home.sources / name
    script = "#!/bin/sh\nprintf 'made by the script'\n"
    source.write_text(
        {SourceKind.MODIFY: script, SourceKind.SYMLINK: "/elsewhere"}.get(kind, "{{ 1 }}")
    )
    found = read_source_path(*home.run(source_path(str(home.live))))
    assert found is not None
    assert (found.path, found.kind) == (str(source), kind)
    beside = (SourceKind.PLAIN, SourceKind.CREATE, SourceKind.MODIFY)
    assert (kind in beside) == (not found.refused)

    home.live.write_text("before")
    home.apply()
    after = "gone"
    if home.live.is_symlink():
        after = "symlink"
    elif home.live.exists():
        after = home.live.read_text()
    made = {
        SourceKind.PLAIN: "{{ 1 }}",
        SourceKind.TEMPLATE: "1",
        SourceKind.CREATE: "before",
        SourceKind.MODIFY: "made by the script",
        SourceKind.SYMLINK: "symlink",
        SourceKind.REMOVE: "gone",
    }
    assert after == made[kind]


def test_an_attribute_out_of_order_belongs_to_the_name(home: Home) -> None:
    source = home.sources / "readonly_private_kwinrc"
    source.write_bytes(TEXT)
    target = home.config / "private_kwinrc"
    assert read_source_path(*home.run(source_path(str(target)))) == classify(str(source))
    assert not classify(str(source)).private
    assert classify(str(source)).readonly


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("encrypted_private_kwinrc.age", SourceKind.ENCRYPTED),
        ("encrypted_kwinrc.tmpl.age", SourceKind.ENCRYPTED),
        ("create_encrypted_kwinrc.age", SourceKind.CREATE),
        ("run_once_kwinrc", SourceKind.SCRIPT),
        ("literal_modify_kwinrc", SourceKind.PLAIN),
        ("kwinrc.tmpl.literal", SourceKind.PLAIN),
    ],
)
def test_other_names_are_classified(name: str, kind: SourceKind) -> None:
    source = classify(f"/home/user/.local/share/chezmoi/dot_config/{name}")
    assert source.kind is kind
    assert (kind in (SourceKind.PLAIN, SourceKind.CREATE, SourceKind.MODIFY)) == (
        source.refused == ""
    )
    assert source.refused == "" or source.refused.startswith(source.path)


def test_the_script_of_a_modify_source_may_not_print_nothing(home: Home) -> None:
    """Blank output removes the target, so a broken script costs the whole file."""
    (home.sources / "modify_kwinrc").write_text("#!/bin/sh\n")
    home.live.write_bytes(TEXT)
    home.apply()
    assert not home.live.exists()
