"""Read the names and answers of chezmoi 2.62 and 2.70; ``remote/managed.sh`` asks for them.

In: the answers of ``chezmoi source-path`` and ``chezmoi state get``. Out: the kind of a target's
source, and the digest of what chezmoi wrote last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from posixpath import basename

from converge.text.limits import document

#: Said where chezmoi would run a program of the user's to answer.
NOTHING_RUN = "nothing of yours is run unasked; --data chezmoi_programs=run lets chezmoi run it"

#: Said of a target that chezmoi removes, and of a target that chezmoi fetches.
REMOVED = (
    "chezmoi removes this file at each apply: it has no source in an exact_ directory, or "
    ".chezmoiremove names it; give it a source, or name it in .chezmoiignore"
)
FETCHED = (
    "chezmoi fetches this file (.chezmoiexternal), and writes it anew; take it out there, or make "
    "it a plain file of the source"
)


class ChezmoiError(Exception):
    """An answer of chezmoi's is an error, or cannot be read. The text is for a person."""


class SourceKind(Enum):
    """The kind of a source, as its name tells chezmoi."""

    PLAIN = "plain file"
    CREATE = "create_ file"
    MODIFY = "modify_ script"
    TEMPLATE = "template"
    ENCRYPTED = "encrypted file"
    SYMLINK = "symlink_ file"
    REMOVE = "remove_ entry"
    SCRIPT = "run_ script"


#: Kinds of sources beside which no entry can be kept: why, and the way out. With a create_ file,
#: which chezmoi writes once, or a modify_ script, which makes the file from the live one, the run
#: writes the live file alone.
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
    """The source file of one target, and the attributes in its name."""

    path: str
    kind: SourceKind
    private: bool = False
    readonly: bool = False
    empty: bool = False  # may be empty; without it, blank content removes the target
    executable: bool = False

    @property
    def plain(self) -> bool:
        """Whether the source holds the target's content as it is, at every apply."""
        return self.kind is SourceKind.PLAIN

    @property
    def refused(self) -> str:
        """Why entries cannot be kept beside this source, or the empty string."""
        why = REFUSED.get(self.kind, "")
        return why and f"{self.path} is a {self.kind.value}: {why}"

    def mode(self, *, umask: int) -> int:
        """The permissions that ``chezmoi apply`` gives to a regular file."""
        mode = 0o777 if self.executable else 0o666
        mode &= ~0o222 if self.readonly else ~0
        mode &= ~0o077 if self.private else ~0
        return mode & ~umask


def classify(path: str) -> Source:
    """The source at a path in chezmoi's source directory, read from its name.

    Attributes have a fixed order; an attribute out of order is a part of the target's name.
    ``.literal`` ends the attributes: ``a.tmpl.literal`` is the plain file ``a.tmpl``.
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
    """The source of a target from the answer of ``chezmoi source-path``; None: not managed.

    Exit 1 means "not managed" or any error (a broken configuration, a target outside of the
    destination), so the words on stderr decide. Raises ChezmoiError.
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
    """The sha256 of what chezmoi wrote last to a file, from the answer of ``chezmoi state get``.

    None: chezmoi never wrote a file there. Raises ChezmoiError for any failure: a file that chezmoi
    never wrote is healed by other rules, so a failure (another chezmoi has the state locked) must
    not be read as None.
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
