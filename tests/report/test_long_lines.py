"""A line of a workspace's takes the controller a moment, however long it is and whatever is in it.

While an expression is at work, nothing else of the run is: the other workspaces wait for it.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from converge.kde import back, heal, merge
from converge.plan.diff import unified
from converge.plan.observed import FILE_LIMIT, LINE_LIMIT, SnapshotError, _staged, parse
from converge.plan.plan import Change
from converge.setting import Layer
from converge.subjects.workspace.boot_menu import _entry
from converge.text import reason
from tasks.reach.quiet import Builds
from tasks.steps import build
from tests.plan.test_snapshot import answer, archive
from tests.tools import need

LONG = 400_000  # characters; an answer may have a hundred times as many
HASH = "a" * 32
Terminal: Any = None


def long(begin: str, filler: str, end: str = "") -> str:
    return begin + (filler * LONG)[:LONG] + end


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (lambda text: Builds(Terminal, print).echo(text), long("[box] building '/", f"/{HASH}-")),
        (lambda text: build._COPY.sub("", text), long("", "/")),
        (lambda text: build.summary((text,)), long("", "paths will be fetched (")),
        (lambda text: reason.reason([text]), long("tar: ", " time stamp ")),
        (lambda text: reason.reason(["error: a", "  at x:1:2:", text]), long("", " ", "x")),
        (lambda text: reason.reason(["error: a", f"  > {text}"]), long("", "error ")),
        (reason.trouble, long("", "repository ")),
        (lambda text: _entry("a.conf", [f"title {text}"]), long("", "[")),
        (lambda text: _entry("a.conf", [f"title {text}"]), long("", "(")),
        (lambda text: _entry(text, []), long("nixos-generation-0", "-specialisation", "!")),
        (_staged, long("/.a", ".wt-", "!")),
    ],
)
def test_a_long_line_takes_no_longer_than_it_is(read: Callable[[str], object], text: str) -> None:
    began = time.process_time()
    read(text)
    assert time.process_time() - began < 3


ALIKE = [f"{n % 150}={n % 7}" for n in range(50_000)]


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (ALIKE, [*ALIKE[:30_000], "new", *ALIKE[30_000:]], 5 + 3),
        (ALIKE, [*ALIKE, "new"], 3 + 3),
        (["old", *ALIKE], ALIKE, 3 + 3),
        (ALIKE, ["first", *ALIKE[::-1], "last"], 100_000 + 5),
        (ALIKE, ALIKE, 0),
        (ALIKE, [], 50_000 + 3),
        ([], ALIKE, 50_000 + 3),
        (["}"] * 100_000, ["}"] * 150, 100_000 - 150 + 2 + 3),
        (["}"] * 3, ["}"] * 5, 4 + 3),
    ],
)
def test_files_of_lines_that_are_alike_are_compared_in_a_moment(
    before: list[str], after: list[str], shown: int, tmp_path: Path
) -> None:
    one, other = ("".join(f"{line}\n" for line in lines).encode() for lines in (before, after))
    change = Change(path="/home/me/a", layer=Layer.PLASMA, before=one, after=other)
    began = time.process_time()
    lines = unified(change, home="/home/me")
    assert time.process_time() - began < 5
    assert len(lines) == shown
    assert lines[:2] == (["--- ~/a", "+++ ~/a"] if shown else [])
    (tmp_path / "a").write_bytes(one)
    (tmp_path / "diff").write_text("".join(f"{line}\n" for line in lines))
    if shown:
        patch = [need("git"), "apply", "--whitespace=nowarn", "diff"]
        subprocess.run(patch, cwd=tmp_path, check=True)
        assert (tmp_path / "a").read_bytes() == other


def file(entry: str, count: int) -> bytes:
    lines = [entry.format(n) for n in range(count)]
    return "\n".join(["[Plugins]", *lines, ""]).encode()


def test_a_file_of_one_entry_is_read_in_a_moment() -> None:
    began = time.process_time()
    found = back.in_force(file("blurEnabled={}", 60_000))
    assert time.process_time() - began < 6
    assert [one.line for one in found.values()] == [b"blurEnabled=59999"]


def test_files_that_differ_in_thousands_of_entries_are_refused_in_a_moment() -> None:
    live, source = file("key{0}=live{0}", 3_000), file("blurEnabled=true", 3_000)
    began = time.process_time()
    with pytest.raises(merge.KConfigError) as refused:
        heal.heal(live, source, "", {("Plugins",): {"blurEnabled": "false"}}, base=b"")
    assert time.process_time() - began < 6
    assert "3001 entries" in refused.value.what and "chezmoi re-add" in refused.value.do


@pytest.mark.parametrize(
    "content", [b"x" * (FILE_LIMIT + 1), b"\n" * (LINE_LIMIT + 1)], ids=["bytes", "lines"]
)
def test_a_file_that_is_larger_than_any_of_a_run_fails_the_reading_with_its_name(
    content: bytes,
) -> None:
    large = archive(("/home/me/.config/kwinrc", content))
    with pytest.raises(SnapshotError, match=rf"kwinrc has {len(content)} bytes.*move it away"):
        parse(answer(files=large))


def test_a_file_of_a_hundred_thousand_lines_is_read() -> None:
    long = b"[Group]\n" + b"".join(b"key%d=a value of it\n" % number for number in range(100_000))
    found = parse(answer(files=archive(("/home/me/.config/kwinrc", long))))
    assert found.nodes["/home/me/.config/kwinrc"].content == long


def test_what_is_looked_for_is_found_all_the_same() -> None:
    told: list[str] = []
    builds = Builds(Terminal, lambda host, text: told.append(f"{host}: {text}"))
    builds.echo(f"[box] building '/nix/store/{HASH}-a-1.0.drv'...")
    builds.echo(f"[box] building '/odd place/store/{HASH}-no.drv'")
    builds.echo(f"[box] building '/a/b/c/store/{HASH}-b.drv.drv'")
    assert told == ["box: derivation 1, a-1.0", "box: derivation 2, b.drv"]
    copy = f"/nix/store/{HASH}-source/a/b.nix"
    line = f"error: at «{copy}:1:2 and x={copy}, '{copy}'"
    assert [found[2] for found in build._COPY.finditer(line)] == [copy, f"{copy},", copy]
    assert build.summary(("these 2 paths will be fetched (1.5 MiB download, 3 MiB)",)).endswith(
        "to fetch: 1.5 MiB download, 3 MiB"
    )
    assert _staged("/a/.b.wt-20261128t0-ff")
    assert not any(map(_staged, (".b.wt-1", "/a/.b/c.wt-1", "/a/b.wt-1", "/a/.b.wt-", "/a/.wt-1")))
