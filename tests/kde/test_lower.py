"""Our reading of the lower layers of KDE's files against the real kreadconfig and kwriteconfig."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from converge.kde import lower
from converge.kde.declared import Entry
from tests.tools import need

NONE = "(no entry)"
GROUPS, KEYS = ("A", "B"), ("x", "y")
PLAIN = ["[A]", "[B]", "[A", "# [A]", "junk", *(f"{key}=" for key in KEYS)]
PLAIN += [f"{key}={value}" for key in KEYS for value in "123"]
LOCKS = ["[A][$i]", "[B][$i]", "[$i]", *(f"{key}[$i]={value}" for key in KEYS for value in "45")]
DELETIONS = [f"{key}[$d]" for key in KEYS]
#: Not both in one file: KDE 5 and 6 disagree on what a locked deletion leaves to lower lines.
FILES = some.sampled_from((LOCKS, DELETIONS)).flatmap(
    lambda more: some.lists(
        some.lists(some.sampled_from(PLAIN + more), max_size=7), min_size=3, max_size=3
    )
)


class Home:
    """A home with two directories of system files; the first one is the more important."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.own = root / "own"
        self.directories = (root / "first", root / "second")
        for directory in (self.own, *self.directories):
            directory.mkdir(parents=True, exist_ok=True)
        self.environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(root),
            "XDG_CONFIG_HOME": str(self.own),
            "XDG_CONFIG_DIRS": ":".join(map(str, self.directories)),
            "LC_ALL": "C.UTF-8",
            "QT_LOGGING_RULES": "*=false",
        }

    def kde(self, name: str, group: str, key: str) -> str:
        """What the real reader gives, or NONE."""
        command = [need("kreadconfig"), "--file", name, "--group", group, "--key", key]
        done = subprocess.run(
            [*command, "--default", NONE],
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.removesuffix("\n")

    def ours(self, name: str) -> lower.Cascade:
        paths = lower.order(
            name,
            home_directory=str(self.own),
            directories=map(str, self.directories),
            kderc=str(self.root / "none"),
        )
        return lower.cascade(
            lower.CascadeFile(path=path, text=Path(path).read_bytes(), own=path == paths[-1])
            for path in paths
            if Path(path).is_file()
        )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def value(found: lower.Cascade, group: str, key: str) -> str:
    held = found.in_force((group,), key)
    return NONE if held is None else held.reading.value


@pytest.mark.parametrize(
    ("files", "read"),
    [
        ({"first": "[A]\nx=1\n"}, "1"),
        ({"first": "[A]\nx=1\n", "own": "[A]\nx=2\n"}, "2"),
        ({"first": "[A]\nx=1\n", "second": "[A]\nx=2\n"}, "1"),
        ({"second": "[A]\nx[$i]=2\n", "first": "[A]\nx=1\n", "own": "[A]\nx=3\n"}, "2"),
        ({"first": "[A][$i]\nx=1\n", "own": "[A]\nx=3\n"}, "1"),
        ({"first": "[A][$i]\ny=1\n", "own": "[A]\nx=3\n"}, NONE),
        ({"first": "[$i]\n[B]\ny=1\n", "own": "[A]\nx=3\n"}, NONE),
        ({"second": "[$i]\n[A]\nx=2\n", "first": "[A]\nx=1\n"}, "2"),
        ({"first": "[A]\nx=1\n", "own": "[A]\nx[$d]\n"}, NONE),
        ({"first": "[A]\nx[$d]\n", "second": "[A]\nx=2\n"}, NONE),
        ({"own": "[A][$i]\nx=1\nx=2\n"}, "1"),
        ({"second": "[A]\nx=1\n[A][$i]\ny=1\n", "first": "[A]\nx=2\n"}, "2"),
    ],
)
def test_each_rule_of_the_cascade_is_kdes(home: Home, files: Mapping[str, str], read: str) -> None:
    for directory, text in files.items():
        (home.root / directory / "somerc").write_text(text)
    assert value(home.ours("somerc"), "A", "x") == read
    assert home.kde("somerc", "A", "x") == read


@pytest.mark.slow
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(files=FILES)
def test_whatever_the_layers_hold_we_read_what_kde_reads(
    home: Home, files: list[list[str]]
) -> None:
    for directory, lines in zip((home.own, *home.directories), files, strict=True):
        (directory / "somerc").write_text("".join(f"{line}\n" for line in lines))
    ours = home.ours("somerc")
    for group in GROUPS:
        for key in KEYS:
            assert value(ours, group, key) == home.kde("somerc", group, key)


def test_kdeglobals_of_the_system_lies_below_the_users_own(home: Home) -> None:
    (home.root / "first/kdeglobals").write_text("[KDE]\nx=1\ny=1\n")
    (home.root / "first/system.kdeglobals").write_text("[KDE]\nx=0\ny=0\nz=0\n")
    (home.own / "kdeglobals").write_text("[KDE]\nx=2\n")
    ours = home.ours("kdeglobals")
    for key in "xyz":
        assert value(ours, "KDE", key) == home.kde("kdeglobals", "KDE", key)


def test_a_programs_file_falls_back_to_kdeglobals(home: Home) -> None:
    """kreadconfig leaves kdeglobals out unless it is named; KWin and Baloo do not."""
    (home.own / "kdeglobals").write_text("[A]\nx=2\ny=2\nz=2\n")
    (home.root / "first/somerc").write_text("[A]\ny=1\nz[$i]=1\n")
    ours = home.ours("somerc")
    assert [value(ours, "A", key) for key in "xyz"] == ["2", "2", "1"]


@pytest.mark.parametrize(
    ("directory", "text"),
    [
        ("first", "[A]\nx[$i]=1\n"),
        ("second", "[A][$i]\n"),
        ("first", "[$i]\n[B]\n"),
        ("own", "[A][$i]\nx=1\n"),
        ("own", "[A]\nx[$i]=1\n"),
    ],
)
def test_a_lock_is_found_wherever_kde_refuses_to_write(
    home: Home, directory: str, text: str
) -> None:
    path = home.root / directory / "somerc"
    path.write_text(text)
    place = home.ours("somerc").lock(("A",), "x")
    assert place is not None and place.path == str(path)
    command = [need("kwriteconfig"), "--file", "somerc", "--group", "A", "--key", "x", "9"]
    subprocess.run(command, env=home.environment, capture_output=True, check=False)
    assert home.kde("somerc", "A", "x") != "9"


@pytest.mark.parametrize(
    ("below", "wanted"),
    [
        ("", Entry("true", "true")),  # the program's own default
        ("[A]\nx=false\n", Entry("true", "false")),  # has to be written
        ("[A]\nx=true\n", Entry("true", "true")),
        ("[A]\nx[$d]\n", Entry("true", "true")),
    ],
)
def test_an_absent_entry_falls_back_to_what_a_lower_layer_sets(
    home: Home, below: str, wanted: Entry
) -> None:
    (home.root / "first/somerc").write_text(below)
    declared = {("A",): {"x": Entry("true", "true")}}
    assert lower.over(declared, home.ours("somerc")) == {("A",): {"x": wanted}}


@pytest.mark.parametrize(
    ("text", "is_locked"),
    [
        ("[A]\nx[$i]=true\n", False),  # locked where we want it
        ("[A]\nx[$i]=false\n", True),
        ("[A][$i]\n", False),  # at the program's own default, which is the wanted value
        ("[A]\nx=false\n", False),
    ],
)
def test_only_a_lock_at_another_value_is_in_the_way(home: Home, text: str, is_locked: bool) -> None:
    (home.root / "first/somerc").write_text(text)
    declared = {("A",): {"x": Entry("true", "true")}}
    assert bool(lower.locked(declared, home.ours("somerc"))) is is_locked


def test_a_file_is_parsed_once_however_many_entries_are_asked(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower._read.cache_clear()
    read: list[bytes] = []
    real: Callable[[bytes], lower._File] = lower._read.__wrapped__
    text = b"[A]\n" + b"x=1\n" * 50
    (home.own / "somerc").write_bytes(text)
    count = lower._lines
    monkeypatch.setattr(lower, "_lines", lambda given: read.append(given) or count(given))
    for _ in range(14):
        assert value(home.ours("somerc"), "A", "x") == "1"
    assert read == [text] and real is not None


@pytest.mark.parametrize(("below", "declared"), [("x", "x[$e]"), ("x[$e]", "x")])
def test_the_same_text_with_and_without_variables_is_another_value(
    home: Home, below: str, declared: str
) -> None:
    """An entry below was taken for the declared one, and KDE read another path."""
    (home.root / "first/somerc").write_text(f"[A]\n{below}=$HOME/y\n")
    expanded = f"{home.root}/y"
    assert home.kde("somerc", "A", "x") == (expanded if "$e" in below else "$HOME/y")
    wanted = lower.over({("A",): {declared: "$HOME/y"}}, home.ours("somerc"))
    assert wanted[("A",)][declared] == Entry("$HOME/y", None), "absent is not in force: written"
    alike = lower.over({("A",): {below: "$HOME/y"}}, home.ours("somerc"))
    assert alike[("A",)][below] == Entry("$HOME/y", "$HOME/y")


@pytest.mark.parametrize(
    "files",
    [
        {"first": "[A]\nx[$ei]=1\n"},
        {"first": "[A]\nx[de][$i]=1\n"},
        {"first": "[A]\nx[$i][de]=1\nx=3\n"},
        {"first": "[A]\nx[$di]\n"},
        {"first": "\ufeff[A]\nx[$i]=1\n"},
        {"first": "[A][$i]x=1\nx=3\n"},
        {"first": "[A][$i]"},
        {"first": " [$i]\n"},
        {"first": "#[$i]\n[A]\nx=1\n"},
        {"first": "[A]\nx[$I]=1\n"},
        {"first": "[A]\nx[$i=1\n"},
        {"first": "[A] junk\nx[$i]=1\n"},
        {"second": "[$i]\n", "first": "[A][$i]\nx=1\n"},
    ],
)
def test_strange_locks_hold_where_kdes_own_tools_are_held(
    home: Home, files: Mapping[str, str]
) -> None:
    (home.own / "somerc").write_text("[A]\nx=2\n")
    for directory, text in files.items():
        (home.root / directory / "somerc").write_text(text)
    found = home.ours("somerc")
    held = found.in_force(("A",), "x")
    read = home.kde("somerc", "A", "x")
    assert value(found, "A", "x") == read or (held is not None and held.reading.broken)
    command = [need("kwriteconfig"), "--file", "somerc", "--group", "A", "--key", "x", "new"]
    subprocess.run(command, env=home.environment, capture_output=True, check=False)
    written = home.kde("somerc", "A", "x") == "new"
    assert (found.lock(("A",), "x") is None) == written
