"""A forecast names what an update would break, and changes nothing."""

from __future__ import annotations

import base64
import http.server
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import sandbox
from tasks.reach.payload import pack_tree
from tasks.reach.remote import Answer, program
from tasks.steps import forecast
from tests.conftest import Box, Cli, tree
from tests.tools import need


def next_release(directory: Path, *changes: tuple[str, str, str]) -> str:
    """A second miniature nixpkgs, one release on: file, old text, new text of each change."""
    there = directory / "next"
    shutil.copytree(sandbox.NIX / "nixpkgs", there)
    for name, old, new in (("lib/default.nix", '"26.05"', '"26.11"'), *changes):
        text = (there / name).read_text()
        assert old in text, (name, old)
        (there / name).write_text(text.replace(old, new))
    return f"path:{there}"


@pytest.fixture
def box(make_box: Callable[..., Box]) -> Box:
    need("nix")
    made = make_box()
    system = made.root / "etc/nixos/configuration.nix"
    text = system.read_text().rstrip().removesuffix("}")
    system.write_text(f"{text}  services.desktopManager.plasma6.enable = true;\n}}\n")
    return made


def kept(box: Box) -> tuple[object, ...]:
    """All but what Nix and chezmoi remember for themselves."""
    places = (box.config(""), box.root / "etc", box.root / "var", box.home / ".local/share")
    return tuple(tree(place, without=("chezmoi",)) for place in places)


def said(text: str) -> str:
    return " ".join(text.split())


def test_an_update_that_takes_x11_and_renames_an_option_is_foreseen_by_name(
    cli: Cli, box: Box, tmp_path: Path
) -> None:
    before = kept(box)
    x11 = ("pkgs/programs.nix", '"6.7.3"', '"6.8.0"')
    run = cli(box.inventory, "tasks/verify.py", "--data", f"against={next_release(tmp_path, x11)}")
    assert run.code == 1, run.out
    (found,) = (record for record in run.kinds("finding") if record["check"] == "forecast.nixos")
    assert found["effect"] == "not effective"
    assert "this update brings Plasma 6.8.0, which has no X11 session" in said(run.out)
    assert "write session.type: wayland in the profile" in said(run.out)
    (home,) = (
        record for record in run.kinds("finding") if record["check"] == "forecast.home-manager"
    )
    assert home["effect"] == "effective"
    assert "to build" in home["found"]

    shutil.rmtree(tmp_path / "next")
    renamed = ("nixos/options.nix", "memoryPercent =", "memoryShare =")
    use = ("nixos/toplevel.nix", "zramSwap.memoryPercent", "zramSwap.memoryShare")
    run = cli(
        box.inventory,
        "tasks/verify.py",
        "--data",
        f"against={next_release(tmp_path, renamed, use)}",
    )
    assert run.code == 1, run.out
    assert "zramSwap.memoryPercent' does not exist" in said(run.out)
    assert kept(box) == before


def test_an_update_that_breaks_nothing_is_said_to_evaluate_and_a_wrong_input_by_name(
    cli: Cli, box: Box, tmp_path: Path
) -> None:
    reference = next_release(tmp_path)
    run = cli(box.inventory, "tasks/verify.py", "--data", f"against={reference}")
    found = {
        record["check"]: record
        for record in run.kinds("finding")
        if record["check"].startswith("forecast.")
    }
    assert {one["effect"] for one in found.values()} == {"effective"}, run.out
    assert found.keys() == {"forecast.nixos", "forecast.home-manager"}
    assert "go_1_24" not in run.out
    run = cli(box.inventory, "tasks/verify.py", "--data", f"against=unstable={reference}")
    assert run.code == 1, run.out
    assert "your flake has no input unstable; name one that it has" in said(run.out)
    for wrong in ("--impure", "x y"):
        assert cli(box.inventory, "tasks/verify.py", "--data", f"against={wrong}").code == 5
    assert cli(box.inventory, "deploy.py", "--data", f"against={reference}").code == 5


def test_a_reference_without_a_name_is_for_nixpkgs() -> None:
    given = frozenset({"path:/a?rev=1", "home-manager=github:x/y"})
    assert forecast.inputs(given) == ("home-manager", "github:x/y", "nixpkgs", "path:/a?rev=1")


NO_NIXPKGS = "{ outputs = { self }: { lib.x = 1; }; }"


def flake(place: Path, text: str = "") -> str:
    place.mkdir()
    if text:
        (place / "flake.nix").write_text(text)
    return f"path:{place}"


def test_a_reference_that_is_no_nixpkgs_is_neither_fine_nor_a_fault_of_the_plan(
    cli: Cli, box: Box, tmp_path: Path
) -> None:
    reference = flake(tmp_path / "own", NO_NIXPKGS)
    run = cli(box.inventory, "tasks/verify.py", "--data", f"against={reference}")
    found = [record for record in run.kinds("finding") if record["check"].startswith("forecast.")]
    assert [one["effect"] for one in found] == ["unknown"] * 2
    assert "it is a flake, and no nixpkgs" in said(run.out)


def asked(reference: str, base: Path, home: Path) -> Answer:
    """What ``remote/estimate.sh`` says where ``reference`` takes the place of nixpkgs."""
    payload = pack_tree(()).encode()
    for name in ("home", "run/user"):
        (home / name).mkdir(parents=True)
    url = flake(base, "{ outputs = { self }: { }; }")
    done = subprocess.run(
        ["sh", "-c", program("estimate"), "sh", "x", url, "", "nixpkgs", reference],
        env={**os.environ, **dict(sandbox.environment(home))},
        input=payload,
        capture_output=True,
        check=False,
    )
    lines, errors = (one.decode().splitlines() for one in (done.stdout, done.stderr))
    return Answer(ok=done.returncode == 0, lines=tuple(lines), errors=tuple(errors))


class Forbids(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(403)

    do_HEAD = do_GET


@pytest.mark.parametrize("what", ["absent", "no flake", "no nixpkgs", "unreachable", "refused"])
def test_why_a_reference_cannot_be_read_is_said_by_its_kind(tmp_path: Path, what: str) -> None:
    need("nix")
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forbids) as server,
        socket.socket() as nobody,
    ):
        nobody.bind(("127.0.0.1", 0))
        port = server.server_port if what == "refused" else nobody.getsockname()[1]
        reference = {
            "absent": lambda: "path:/nowhere/next",
            "no flake": lambda: flake(tmp_path / "bare"),
            "no nixpkgs": lambda: flake(tmp_path / "own", NO_NIXPKGS),
            "unreachable": lambda: f"git+http://127.0.0.1:{port}/x",
            "refused": lambda: f"http://127.0.0.1:{port}/x.tar.gz",
        }[what]()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        answer = asked(reference, tmp_path / "base", tmp_path)
        server.shutdown()
    assert answer.first("metadata"), answer.errors
    assert not answer.of("estimated")
    kind = {
        "absent": "it is not there",
        "no flake": "it is no flake",
        "no nixpkgs": "it is a flake, and no nixpkgs",
        "unreachable": "there is no way to it now",
        "refused": "access is refused",
    }[what]
    assert forecast._unreadable(answer, {"nixpkgs": reference}).startswith(f"{reference}: {kind}")


@pytest.mark.parametrize("what", ["channel", "syntax", "throws"])
def test_a_channel_and_a_broken_nixpkgs_are_told_from_what_is_no_nixpkgs(
    tmp_path: Path, what: str
) -> None:
    need("nix")
    reference, kind = {
        "channel": lambda: (
            "channel:nixos-unstable",
            "a channel is no flake; name its branch: github:NixOS/nixpkgs/nixos-unstable",
        ),
        "syntax": lambda: (flake(tmp_path / "broken", "{ outputs = = }"), forecast.BROKEN),
        "throws": lambda: (
            flake(tmp_path / "throws", '{ outputs = _: { lib.nixosSystem = throw "it threw"; }; }'),
            forecast.BROKEN,
        ),
    }[what]()
    answer = asked(reference, tmp_path / "base", tmp_path)
    told = forecast._unreadable(answer, {"nixpkgs": reference})
    assert told.startswith(f"{reference}: {kind}: ")


@pytest.mark.parametrize("warning", ["; using cached version", "you don't have Internet access"])
def test_what_nix_fetched_at_an_earlier_time_is_no_answer_for_a_place_that_is_not_reached(
    warning: str,
) -> None:
    def framed(text: str, errors: str = "") -> str:
        return " 0 ".join(f"={base64.b64encode(one.encode()).decode()}" for one in (text, errors))

    def unreadable(reference: str, errors: str) -> str:
        lines = (f"reference nixpkgs {framed('', errors)}", f"nixpkgs {framed('true')}")
        return forecast._unreadable(Answer(ok=True, lines=lines, errors=()), {"nixpkgs": reference})

    said = unreadable("github:NixOS/nixpkgs", f"warning: unable to download 'x': {warning}")
    assert "no way to it now" in said
    assert not unreadable("github:NixOS/nixpkgs", "warning: Git tree is dirty")
    assert not unreadable("path:/next", f"warning: {warning}")
