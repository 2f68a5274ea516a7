"""An undo by entries: what the run changed goes back, what somebody else wrote stays.

The program of a workspace is judged by ``converge/kde/taken.py`` and by KDE itself. A long run:
KCONFIG_EXAMPLES=5000 pytest tests/kde/test_back.py
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from converge.kde.back import Back, changed, in_force, reading
from converge.kde.merge import Desired, Entry, KConfigError, merge
from converge.kde.taken import Taken, taken_back
from converge.kde.text import print_group
from tests.kde.coded import octets, several
from tests.kde.oracle import KDE
from tests.kde.test_property import EXAMPLES, GROUPS, HOSTILE, KEYS, declarations, files, lines
from tests.kde.undoing import as_od_prints, by_awk

OURS: Desired = {("Compositing",): {"Backend": "OpenGL"}, ("Plugins",): {"blur": "true"}}


def run(before: bytes | None, desired: Desired) -> tuple[bytes, tuple[Back, ...]]:
    """What a run writes, and its record."""
    after = merge(before or b"", desired).text
    return after, changed(before, after, desired)


@pytest.fixture
def kde(tmp_path_factory: pytest.TempPathFactory) -> KDE:
    return KDE(tmp_path_factory.mktemp("kde"))


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("awk")


@pytest.mark.parametrize("text", [b"", b"\n", bytes(range(256)) * 3, b"aaaa" * 99])
def test_the_bytes_of_a_file_reach_the_program_as_od_prints_them(text: bytes, place: Path) -> None:
    (place / "live").write_bytes(text)
    command = ["od", "-An", "-v", "-tx1", "-w1", str(place / "live")]
    printed = subprocess.run(command, capture_output=True, check=True).stdout
    assert printed == as_od_prints(text)


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        (b"[Compositing]\nBackend=XRender\n", b"[Compositing]\nBackend=XRender\n"),
        (b"[Compositing]\r\nBackend = XRender \r\n", None),
        (b"[Compositing]\n# why\n\n[Plugins]\nblur=false", None),
        (b"[Compositing]\nBackend=a\nBackend=b\n[Compositing]\nx=1\n", None),
        (b"[Compositing]\nBackend[$e]=$HOME\n[Plugins][$i]\nblur[$i]=false\n", None),
        (b"[Compositing]\nBackend[$d]\n", None),
        (b"[Compositing]\nx=\xff\xfe\nB=\\xe4\n", None),
        (b"\xef\xbb\xbf[Compositing]\nBackend=1\n", None),
        (b"k=1\n", None),
        (b"", None),
    ],
)
def test_what_the_run_left_goes_back_byte_for_byte(
    before: bytes, wanted: bytes | None, place: Path
) -> None:
    after, entries = run(before, OURS)
    assert after != before
    assert by_awk(after, entries, place).text == (before if wanted is None else wanted)


def test_u2_an_entry_goes_back_and_what_kde_wrote_since_stays(kde: KDE, place: Path) -> None:
    before = b"[Compositing]\nBackend=XRender\n"
    after, entries = run(before, OURS)
    written = kde.write(after, ["Tiling"], "n", "1")
    assert written is not None
    taken = by_awk(written, entries, place)
    assert taken.text == b"[Compositing]\nBackend=XRender\n\n[Tiling]\nn=1\n"
    assert taken.left == ()
    assert by_awk(taken.text, entries, place) == Taken(taken.text, (), ())


def test_u2_an_entry_that_somebody_changed_since_is_left_alone_and_named(place: Path) -> None:
    after, entries = run(b"[Compositing]\nBackend=XRender\n", OURS)
    theirs = after.replace(b"Backend=OpenGL", b"Backend=Vulkan")
    taken = by_awk(theirs, entries, place)
    assert taken.left == ("[Compositing] Backend",)
    assert taken.back == ("[Plugins] blur",)
    assert taken.text == b"[Compositing]\nBackend=Vulkan\n"


def test_u2_an_entry_that_kde_dropped_as_its_default_is_still_ours(place: Path) -> None:
    desired: Desired = {("General",): {"basic": Entry("true", default="true")}}
    after, entries = run(b"[General]\nbasic=false\nn=1\n", desired)
    assert after == b"[General]\nbasic=true\nn=1\n"
    taken = by_awk(b"[General]\nn=1\n", entries, place)
    assert taken.text == b"[General]\nn=1\nbasic=false\n"
    assert taken.left == ()


@pytest.mark.parametrize("before", [b"[Compositing]\nBackend[$i]=1\n", b"[Compositing]\n"])
def test_u2_a_locked_entry_that_the_run_deleted_goes_back_after_kde_wrote_it_anew(
    kde: KDE, place: Path, before: bytes
) -> None:
    """KDE reads `[$id]` as locked, and writes it as `[$di]`, which it does not."""
    after, entries = run(before, {("Compositing",): {"Backend[$d]": "", "n[$i]": "1"}})
    written = kde.write(after, ["Tiling"], "n", "1")
    assert written is not None
    taken = by_awk(written, entries, place)
    assert taken == taken_back(written, entries)
    assert (taken.text, taken.left) == (before + b"\n[Tiling]\nn=1\n", ())


def test_u2_a_lock_that_somebody_put_on_our_entry_stays(place: Path) -> None:
    after, entries = run(b"[Compositing]\nBackend[$e]=$X\n", OURS)
    theirs = after.replace(b"Backend=", b"Backend[$i]=")
    assert b"Backend[$e][$i]=$X\n" in by_awk(theirs, entries, place).text


def test_u3_of_a_file_that_the_run_made_only_our_entries_go(kde: KDE, place: Path) -> None:
    after, entries = run(None, OURS)
    written = kde.write(after, ["Compositing"], "theirs", "1")
    assert written is not None
    taken = by_awk(written, entries, place)
    assert taken.text == b"[Compositing]\ntheirs=1\n"


def test_an_entry_that_came_with_the_live_file_goes_back_in_the_source(place: Path) -> None:
    """A run copies the whole live file into the source; the undo removes these entries again."""
    source, live = b"[A]\nx=1\ngone=1\n", b"[A]\nx=2\nName[de]=y\n"
    entries = changed(source, live, {})
    theirs = live + b"[Theirs]\nz=1\n"
    assert by_awk(theirs, entries, place).text == b"[A]\nx=1\ngone=1\n[Theirs]\nz=1\n"


#: Few names and values, so that most entries stand twice, also under a header that does.
REPEATED = several(
    [
        *(
            f"{key}{options}={value}\n"
            for key in ("k", "K")
            for options in ("", "[$i]", "[$e]", "[$ie]", "[de]")
            for value in ("a", "b", "$HOME")
        ),
        *5 * ["k[$d]\n", "K[$d]\n", "[A]\n", "[A]\n", "[a]\n", "# x\n"],
    ],
    most=9,
).map(lambda lines: "".join(lines).encode())
FOREIGN = b"[Theirs]\nn=1\n"


@pytest.mark.slow
@settings(HOSTILE, max_examples=2 * EXAMPLES)
@given(
    before=REPEATED,
    desired=st.dictionaries(
        st.sampled_from([("A",), ("a",)]),
        st.dictionaries(
            st.sampled_from(["k", "K", "k[$i]", "K[$e]"]), st.sampled_from(["a", "b"]), min_size=1
        ),
        min_size=1,
    ),
)
def test_a_file_of_entries_that_stand_twice_is_back_byte_for_byte_beside_later_writes(
    place: Path, before: bytes, desired: Desired
) -> None:
    try:
        after, entries = run(before, desired)
    except KConfigError:
        assume(False)
    taken = by_awk(after + FOREIGN, entries, place)
    assert taken.left == ()
    # A header that came with the run had a blank line in front of it.
    assert taken.text in (before + FOREIGN, before + b"\n" + FOREIGN)


@pytest.mark.slow
@settings(HOSTILE, max_examples=2 * EXAMPLES)
@given(before=REPEATED, after=REPEATED)
def test_an_entry_that_stands_twice_on_either_side_means_again_what_it_meant(
    place: Path, before: bytes, after: bytes
) -> None:
    """As after a run that copied a whole live file into a source, or a source into a live file."""
    taken = by_awk(after + FOREIGN, changed(before, after, {}), place)
    assert taken == taken_back(after + FOREIGN, changed(before, after, {}))
    assert taken.left == ()
    means, meant = (in_force(text) for text in (taken.text, before + FOREIGN))
    assert {one: reading(line) for one, line in means.items()} == {
        one: reading(line) for one, line in meant.items()
    }


@pytest.mark.parametrize(
    ("before", "after", "written", "wanted", "left"),
    [
        # Nothing, then twice with other values: both go.
        (b"[A]\nx=1\n", b"[A]\nx=1\nk=a\nk=b\n", None, b"[A]\nx=1\n", False),
        # Twice, then once: both are back.
        (b"[A]\nk=a\nk=b\n[A]\nx=1\n", b"[A]\nk=c\n[A]\nx=1\n", None, None, False),
        # A locked one is in force before a later one.
        (b"[A]\nk=z\n", b"[A]\nk[$i]=a\nk=b\n", None, None, False),
        # A lock that came with the run goes with it.
        (b"[A]\nk=a\n", b"[A]\nk[$i]=a\n", None, None, False),
        # Another case is another entry.
        (b"[A]\nk=a\nK=a\n", b"[A]\nk=a\nK=b\nK=c\n", None, None, False),
        # KDE has written: one line is left of ours, and one comes back.
        (b"[A]\nk=a\nk=b\n", b"[A]\nk=a\nk=c\n", b"[A]\nk=c\n", b"[A]\nk=b\n", False),
        # Somebody chose our first value, which was not in force: that is theirs.
        (b"[A]\nx=1\n", b"[A]\nx=1\nk=a\nk=b\n", b"[A]\nx=1\nk=a\n", None, True),
        # Somebody changed one of two lines: ours goes, theirs stays and is named.
        (b"", b"[A]\nk=a\nk=b\n", b"[A]\nk=c\nk=b\n", b"[A]\nk=c\n", True),
    ],
)
def test_of_an_entry_that_stands_twice_each_line_of_ours_goes_and_each_from_before_comes(
    place: Path,
    before: bytes,
    after: bytes,
    written: bytes | None,
    wanted: bytes | None,
    left: bool,
) -> None:
    now = (after if written is None else written) + FOREIGN
    wanted = (now if left else before + FOREIGN) if wanted is None else wanted + FOREIGN
    taken = by_awk(now, changed(before, after, {}), place)
    assert taken == taken_back(now, changed(before, after, {}))
    assert (taken.text, bool(taken.left)) == (wanted, left)


def test_an_entry_of_a_group_that_is_gone_comes_back_in_its_own_group(place: Path) -> None:
    """Two groups are gone, and the record comes back to the first after the second."""
    before = b"[A]\nx=1\n[B]\ny=1\n[A]\nz=1\n"
    entries = changed(before, b"", {})
    taken = by_awk(FOREIGN, entries, place)
    assert taken.text == FOREIGN + b"\n[A]\nx=1\nz=1\n\n[B]\ny=1\n"
    assert taken == taken_back(FOREIGN, entries)


@pytest.mark.slow
@settings(HOSTILE, max_examples=4 * EXAMPLES)
@given(
    before=files() | st.none(),
    desired=declarations(),
    edits=st.lists(st.tuples(st.integers(0, 60), lines(), st.booleans()), max_size=5),
    other=files(),
    replaced=st.integers(0, 9),
)
def test_the_program_does_what_the_rules_say(
    place: Path,
    before: bytes | None,
    desired: Desired,
    edits: list[tuple[int, bytes, bool]],
    other: bytes,
    replaced: int,
) -> None:
    try:
        after, entries = run(before, desired)
    except KConfigError:
        assume(False)
    now = after.splitlines(keepends=True)
    for at, line, insert in edits:
        now[at : at + (not insert)] = [line]
    theirs = other if replaced == 0 else b"".join(now)
    taken = by_awk(theirs, entries, place)
    assert taken == taken_back(theirs, entries)
    event(f"{len(taken.back)} back, {len(taken.left)} left")
    assert by_awk(taken.text, entries, place).text == taken.text, "a second undo finds nothing"


@pytest.mark.slow
@settings(HOSTILE, max_examples=4 * EXAMPLES)
@given(
    text=octets(b"ak=[]$ied\\\r\n\t #\xff\0x1", most=40),
    old=octets(b"ak=[]$ied\\\r\n\t #\xffx1", most=40),
    new=octets(b"ak=[]$ied\\\r\n\t #\xffx1", most=40),
)
def test_no_byte_misleads_the_program(place: Path, text: bytes, old: bytes, new: bytes) -> None:
    entries = changed(old, new, {})
    for live in (text, new, old, new + text):
        assert by_awk(live, entries, place) == taken_back(live, entries)


@pytest.mark.slow
@HOSTILE
@given(before=files() | st.none(), desired=declarations(), data=st.data())
def test_kde_reads_the_values_from_before_and_its_own_writes(
    kde: KDE, place: Path, before: bytes | None, desired: Desired, data: st.DataObject
) -> None:
    """KDE rewrites the file and adds an entry; the undo leaves old values and this entry."""
    try:
        after, entries = run(before, desired)
    except KConfigError:
        assume(False)
    free = [
        (group, key)
        for group in GROUPS
        for key in KEYS
        if not any(key == spelled.partition("[$")[0] for spelled in desired.get(group, {}))
        and group[0] != "<default>"
    ]
    group, key = data.draw(st.sampled_from(free))
    written = kde.write(after, group, key, "--", "theirs")
    assume(written is not None)
    assert written is not None
    taken = by_awk(written, entries, place)
    assert taken.left == ()
    expected = kde.write(before or b"", group, key, "--", "theirs")
    assume(expected is not None)
    assert expected is not None
    assert _values(kde, taken.text) == _values(kde, expected), print_group(group)


def _values(kde: KDE, text: bytes) -> dict[tuple[bytes, bytes], bytes | None]:
    """The entries of a file. KDE loses the lock of a deleted entry when it writes the file, and the
    undo has the user's own line with it."""
    found = kde.entries(text)
    assert found is not None
    return {(group, key.replace(b"[$di]", b"[$d]")): value for (group, key), value in found.items()}
