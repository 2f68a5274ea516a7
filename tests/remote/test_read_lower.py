"""remote/read.sh: the lower layers of KDE's files, where a user's own file says nothing."""

from __future__ import annotations

from pathlib import Path

from tests.remote.reading import Reader


def test_lower_layers_come_by_content_through_links_the_most_important_first(
    reader: Reader, tmp_path: Path
) -> None:
    first, second, store = (tmp_path / name for name in ("first", "second", "store"))
    for directory in (first, second, store):
        directory.mkdir()
    (store / "kwinrc").write_text("[A]\nx=1\n")
    (first / "kwinrc").symlink_to(store / "kwinrc")  # as everything in NixOS' /etc
    (second / "kdeglobals").write_bytes(b"[KDE]\n\xff=\0\n")
    (second / "otherrc").write_text("")
    reader.environment["XDG_CONFIG_DIRS"] = f"{first}/:relative::{second}"
    found = reader.read()
    defaults = f"{reader.home}/.config/kdedefaults"
    assert found.config_dirs == (defaults, str(first), str(second))
    assert found.lower == {
        f"{first}/kwinrc": b"[A]\nx=1\n",
        f"{second}/kdeglobals": b"[KDE]\n\xff=\0\n",
    }


def test_without_directories_kde_looks_below_etc_xdg(reader: Reader) -> None:
    assert reader.read().config_dirs[-1] == f"{reader.root}/etc/xdg"


def test_the_desktop_that_runs_knows_its_directories_best(reader: Reader) -> None:
    process = reader.root / "proc/4711"
    process.mkdir(parents=True)
    (process / "comm").write_text("plasmashell\n")
    (process / "environ").write_bytes(b"A=1\0XDG_CONFIG_DIRS=/a b:/c\0B=2\0")
    reader.environment["XDG_CONFIG_DIRS"] = "/elsewhere"
    assert reader.read().config_dirs == ("/a b", "/c")


def test_what_kde_cannot_read_and_what_is_no_configuration_is_passed_over(
    reader: Reader, tmp_path: Path
) -> None:
    (tmp_path / "xdg/kdeglobals").mkdir(parents=True)
    (tmp_path / "xdg/kwinrc").write_bytes(b"#" * (1024 * 1024 + 1))
    reader.environment["XDG_CONFIG_DIRS"] = str(tmp_path / "xdg")
    assert reader.read().lower == {}
