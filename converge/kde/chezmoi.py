"""What chezmoi's names and answers mean.

In: what ``chezmoi source-path`` and ``chezmoi state get`` answered. Out: which kind of source a
target has, and the stamp of what chezmoi last wrote.

Facts are those of chezmoi 2.62 and 2.70; remote/managed.sh asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from posixpath import basename

from converge.limits import document

#: What is said where chezmoi, or a source of its, would run a program of the user's to answer.
NOTHING_RUN = "nothing of yours is run unasked; --data chezmoi_programs=run lets chezmoi run it"

#: Said of a target that chezmoi removes, and of one that chezmoi has from elsewhere.
REMOVED = (
    "chezmoi removes this file at each apply: it has no source in an exact_ directory, or "
    ".chezmoiremove names it; give it a source, or name it in .chezmoiignore"
)
FETCHED = (
    "chezmoi fetches this file (.chezmoiexternal), and writes it anew; take it out there, or make "
    "it a plain file of the source"
)


class ChezmoiError(Exception):
    """chezmoi answered something else than it should."""


class SourceKind(Enum):
    """What a source file is to chezmoi."""

    PLAIN = "plain file"
    CREATE = "create_ file"
    MODIFY = "modify_ script"
    TEMPLATE = "template"
    ENCRYPTED = "encrypted file"
    SYMLINK = "symlink_ file"
    REMOVE = "remove_ entry"
    SCRIPT = "run_ script"


#: Why an entry cannot be kept beside a source of this kind, and the way out. Not in here: a create_
#: file is written once and never again, a modify_ script makes the file anew from the live one, so
#: beside these the live file alone is written.
REFUSED: Mapping[SourceKind, str] = {
    SourceKind.TEMPLATE: "a template would be overwritten by its own output; make it a plain file",
    SourceKind.ENCRYPTED: "an encrypted source is not opened; make it a plain file",
    SourceKind.SYMLINK: "the target is a symlink to a file that is not its own; "
    "make it a plain file",
    SourceKind.REMOVE: "chezmoi removes this target at each apply; drop it from the source",
    SourceKind.SCRIPT: "a script has no target; give the file another name",
}

_PREFIXED = {
    "create_": SourceKind.CREATE,
    "remove_": SourceKind.REMOVE,
    "run_": SourceKind.SCRIPT,
    "symlink_": SourceKind.SYMLINK,
    "modify_": SourceKind.MODIFY,
}


@dataclass(frozen=True)
class Source:
    """The source file of one target, and the attributes that its name spells."""

    path: str
    kind: SourceKind
    private: bool = False
    readonly: bool = False
    empty: bool = False  # may be empty; without it, blank content removes the target
    executable: bool = False

    @property
    def plain(self) -> bool:
        """Does it hold the target's content as it is, now and later?"""
        return self.kind is SourceKind.PLAIN

    @property
    def refused(self) -> str:
        """Why the entries cannot be kept beside this source, "" if they can."""
        why = REFUSED.get(self.kind, "")
        return why and f"{self.path} is a {self.kind.value}: {why}"

    def mode(self, *, umask: int) -> int:
        """The permissions that ``chezmoi apply`` gives to a regular file."""
        mode = 0o777 if self.executable else 0o666
        mode &= ~0o222 if self.readonly else ~0
        mode &= ~0o077 if self.private else ~0
        return mode & ~umask


def classify(path: str) -> Source:
    """The source that a path in chezmoi's source directory stands for.

    Attributes come in a fixed order; one out of order is part of the target's name. ``.literal``
    ends them: ``a.tmpl.literal`` is the plain file ``a.tmpl``.
    """
    name = basename(path)
    kind = SourceKind.PLAIN
    for prefix, prefixed in _PREFIXED.items():
        if name.startswith(prefix):
            kind, name = prefixed, name.removeprefix(prefix)
            break
    if kind in (SourceKind.REMOVE, SourceKind.SCRIPT, SourceKind.SYMLINK):
        return Source(path, kind)
    found: set[str] = set()
    for attribute in ("encrypted_", "private_", "readonly_", "empty_", "executable_"):
        if attribute == "empty_" and kind is SourceKind.MODIFY:
            continue  # the output of a modify_ script is never kept when it is blank
        if name.startswith(attribute):
            found.add(attribute)
            name = name.removeprefix(attribute)
    if kind is SourceKind.PLAIN and "encrypted_" in found:
        kind = SourceKind.ENCRYPTED
    if kind is SourceKind.PLAIN and name.endswith(".tmpl"):
        kind = SourceKind.TEMPLATE
    return Source(
        path,
        kind,
        private="private_" in found,
        readonly="readonly_" in found,
        empty="empty_" in found,
        executable="executable_" in found,
    )


def read_source_path(returncode: int, stdout: str, stderr: str) -> Source | None:
    """The source of a target from the answer of ``source_path``; None where it is not managed.

    Exit 1 is "not managed" as well as every error (a broken configuration, a target outside of the
    destination), so the words decide.
    """
    path = stdout.removesuffix("\n")
    if returncode == 0 and path:
        return classify(path)
    if stderr.rstrip().endswith(": not managed"):
        return None
    if stderr.rstrip().endswith(": not in source state"):
        raise ChezmoiError(REMOVED)
    raise ChezmoiError(
        f"chezmoi source-path failed (exit {returncode}): {stderr.strip() or 'no answer'}"
    )


def read_last_written(returncode: int, stdout: str, stderr: str) -> str | None:
    """The sha256 of what chezmoi last wrote to a file, from the answer of ``entry_state``.

    None: it never wrote there, or something else than a file. An error is not None, because a file
    that chezmoi never wrote is healed by other rules: the state is locked for as long as another
    chezmoi runs.
    """
    if returncode != 0:
        raise ChezmoiError(f"chezmoi state get failed (exit {returncode}): {stderr.strip()}")
    if not stdout.strip():
        return None
    try:
        state = document(stdout)
    except ValueError as error:
        raise ChezmoiError(f"chezmoi state get answered no JSON: {stdout[:80]!r}") from error
    match state:
        case {"type": "file", "contentsSHA256": str(stamp)}:
            return stamp
        case {"type": str(kind)} if kind != "file":
            return None
    raise ChezmoiError(f"chezmoi state get answered no entry state: {stdout[:80]!r}")
