"""The file in which ``tasks/trust.py`` keeps a key."""

from __future__ import annotations

from pathlib import Path

from tasks import trust
from tasks.reach.known_hosts import KnownKey

KEY = KnownKey(names=(), type="ssh-ed25519", blob=b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + b"k" * 32)


def test_a_link_to_known_hosts_stays_and_the_file_keeps_its_mode(tmp_path: Path) -> None:
    file, link = tmp_path / "dotfiles", tmp_path / "known_hosts"
    file.write_text("# mine\n")
    file.chmod(0o600)
    link.symlink_to(file)
    trust.remember(link, "atelier", KEY)
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o600
    first, second = file.read_text().splitlines()
    assert (first, second.split()[:2]) == ("# mine", ["atelier", "ssh-ed25519"])
    trust.remember(tmp_path / "new", "atelier", KEY)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o644
